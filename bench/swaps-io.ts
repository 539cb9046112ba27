/**
 * swaps-io — a thread with the engine's own I/O thread, through which packets go one by one; tells
 * how long each took. See swaps.ts.
 *
 * A packet's time is the turn's in which it is read, sealed and sent, less what the thread waited
 * for a processor, as the kernel says: a busy machine is nobody's pause.
 */
import assert from "node:assert";
import { openSync, readSync } from "node:fs";
import { parentPort, workerData } from "node:worker_threads";
import { addon } from "../src/io/native/addon.ts";
import { IoThread } from "../src/io/thread.ts";
import { Counters } from "../src/memory/counters.ts";
import { COUNT } from "../src/memory/layout.ts";
import { DATAGRAM } from "../src/memory/numbers.ts";
import { PeerEntries } from "../src/memory/peers.ts";
import { type ArenaShare, openArena } from "../src/memory/region.ts";
import { makeSockaddr } from "../src/wire/sockaddr.ts";

export interface SwapsTask {
  readonly share: ArenaShare;
  readonly peers: number;
  /** Inner addresses in turn. */
  readonly targets: Uint32Array;
  readonly wake: number;
  readonly controlWake: number;
  /** Words that main writes: which phase is on; another phase: report. 0: the end. */
  readonly phase: Int32Array;
}

/** What the packets of a phase met. Units: µs. */
export interface SwapsReport {
  readonly packets: number;
  readonly lost: number;
  readonly medianUs: number;
  /** Of 10,000 packets, what one exceeds. */
  readonly rareUs: number;
  readonly longestUs: number;
  /** Packets that took a millisecond and more: from when to when, on the boot clock. Units: ms. */
  readonly pauses: readonly (readonly [fromMs: number, toMs: number])[];
  /** Packets that went to each peer. */
  readonly to: readonly number[];
}

const LOOPBACK = Uint8Array.of(127, 0, 0, 1);
const NOWHERE = new Uint8Array(0);
const PACKET_BYTES = 84;
const DESTINATION_AT = 16;
const TURNS_MAX = 1_000;
const PACKETS_MAX = 4_000_000;
const PAUSE_MS = 1;
/** Sockets are emptied so often. */
const DRAIN_EVERY = 16;

const openUdp = (): number => {
  const fd = addon.udpOpen(4, "127.0.0.1", 0, 0, "");
  assert(fd >= 0, addon.errorText(-fd));
  return fd;
};

/** Nanoseconds that this thread waited for a processor. Source: Linux sched-stats.rst. */
class Waits {
  readonly #fd = openSync("/proc/thread-self/schedstat", "r");
  readonly #text = Buffer.alloc(96);

  read(): number {
    const bytes = readSync(this.#fd, this.#text, 0, this.#text.length, 0);
    return Number(this.#text.toString("latin1", 0, bytes).split(" ")[1]);
  }
}

const run = (task: SwapsTask): void => {
  const arena = openArena(task.share);
  const [udp4, tun, host] = [openUdp(), openUdp(), openUdp()];
  const sockets = Array.from({ length: task.peers }, openUdp);
  assert(addon.udpConnect(tun, makeSockaddr(LOOPBACK, addon.udpPort(host))) >= 0);
  const entries = new PeerEntries(arena);
  for (const [peer, socket] of sockets.entries()) {
    entries.setEndpoint(peer, makeSockaddr(LOOPBACK, addon.udpPort(socket)));
  }
  const { wake, controlWake } = task;
  const offloads = { gso: false, uso: false, tso: false, busyBytes: 0 };
  const io = { thread: 0, tun, vnetHeaderBytes: 0, udp4, udp6: -1, wake, ...offloads };
  const thread = new IoThread({ share: task.share, io, controlWake }, () => {});
  const counters = new Counters(arena, 0);
  const to = makeSockaddr(LOOPBACK, addon.udpPort(tun));
  const bytes = new Uint8Array(DATAGRAM.most * DATAGRAM.bytes);
  const meta = new Uint8Array(DATAGRAM.most * DATAGRAM.metaBytes);
  const packet = new Uint8Array(PACKET_BYTES);
  packet.set([0x45, 0, 0, PACKET_BYTES, 0, 0, 0, 0, 64, 1, 0, 0, 10, 0, 0, 1]);
  const view = new DataView(packet.buffer);
  const [waits, times] = [new Waits(), new Float64Array(PACKETS_MAX)];

  const measure = (phase: number): SwapsReport => {
    let [packets, lost] = [0, 0];
    const pauses: [number, number][] = [];
    const got = sockets.map(() => 0);
    while (Atomics.load(task.phase, 0) === phase && packets < PACKETS_MAX) {
      view.setUint32(DESTINATION_AT, task.targets[packets % task.targets.length]!);
      addon.datagramSend(host, packet, to, NOWHERE);
      const sent = counters.get(COUNT.sentDatagrams);
      const [waited, start] = [waits.read(), addon.bootMs()];
      for (let i = 0; i < TURNS_MAX && counters.get(COUNT.sentDatagrams) === sent; i++) {
        thread.step(0);
      }
      const end = addon.bootMs();
      const took = Math.max(0, end - start - (waits.read() - waited) / 1e6);
      times[packets++] = took;
      if (took >= PAUSE_MS) pauses.push([start, end]);
      if (counters.get(COUNT.sentDatagrams) === sent) lost++;
      if (packets % DRAIN_EVERY !== 0) continue;
      for (const [peer, socket] of sockets.entries()) {
        got[peer]! += Math.max(0, addon.datagramReceive(socket, bytes, meta));
      }
    }
    const sorted = times.subarray(0, packets).slice().sort();
    return {
      ...{ packets, lost, pauses, to: got },
      medianUs: 1e3 * sorted[packets >> 1]!,
      rareUs: 1e3 * sorted[Math.floor(packets * 0.9999)]!,
      longestUs: 1e3 * sorted[packets - 1]!,
    };
  };
  while (Atomics.load(task.phase, 0) !== 0) {
    parentPort?.postMessage(measure(Atomics.load(task.phase, 0)));
  }
  thread.close();
  for (const fd of [udp4, tun, host, ...sockets]) addon.close(fd);
};

run(workerData as SwapsTask);
