/**
 * heap-io — the engine's own I/O thread, driven by itself, and its heap while it is.
 *
 *      host ──▶ stand-in for the TUN ─▶ read ─▶ split ─▶ seal ─▶ send ──╮ loopback
 *      host ◀── stand-in for the TUN ◀─ merge ◀─ replay ◀─ open ◀─ receive
 *
 * Frames are made once. A round gives some, takes as many turns as they need, and takes back what
 * was written; none of it allocates. The session leads back to ourselves.
 */
import assert from "node:assert";
import { parentPort, workerData } from "node:worker_threads";
import { addon } from "../../src/io/native/addon.ts";
import { IoThread } from "../../src/io/thread.ts";
import { Counters, sumCounters } from "../../src/memory/counters.ts";
import { COUNT, IO, WORKER } from "../../src/memory/layout.ts";
import { PeerEntries } from "../../src/memory/peers.ts";
import {
  type Arena,
  type ArenaShare,
  fieldWord,
  openArena,
  regionTables,
  wordOf,
} from "../../src/memory/region.ts";
import { makeSockaddr } from "../../src/wire/sockaddr.ts";
import { Meter, type Reading } from "./heap-meter.ts";
import { ANSWER_WORD, ORDER_WORD, READING, READING_DOUBLE } from "./heap-worker.ts";

export interface HeapTask {
  readonly share: ArenaShare;
  readonly frames: readonly Uint8Array[];
  /** Packets until V8 has compiled all of it, and of each window. */
  readonly warmUp: number;
  readonly window: number;
  readonly windowsMax: number;
  /** No more windows after one in which no thread allocated more. */
  readonly enoughBytes: number;
  readonly wake: number;
  readonly controlWake: number;
  /** The worker's shared memory; null: there is no worker. */
  readonly worker: SharedArrayBuffer | null;
}

/** What one window showed. */
export interface HeapWindow {
  readonly packets: number;
  readonly seconds: number;
  readonly io: Reading;
  readonly worker: Reading | null;
  /** Of this window. */
  readonly counters: Readonly<Record<string, number>>;
}

const LOOPBACK = Uint8Array.of(127, 0, 0, 1);
const NOWHERE = new Uint8Array(0);
const VNET_BYTES = 16;
/** Turns of a round at most: a worker may hold jobs for long where the machine is busy. */
const TURNS_MAX = 10_000;
const ORDER_MS = 10_000;
const HEAD = fieldWord(IO.fields.head);
const TAIL = fieldWord(IO.fields.tail);
const BELL = fieldWord(WORKER.fields.bell);

const openUdp = (): number => {
  const fd = addon.udpOpen(4, "127.0.0.1", 0, 0, "");
  assert(fd >= 0, addon.errorText(fd));
  return fd;
};

/** The thread, its sockets, and what is given to it. */
class Drive {
  readonly #arena: Arena;
  readonly #task: HeapTask;
  readonly #thread: IoThread;
  readonly #counters: Counters;
  readonly #host = openUdp();
  readonly #to: Uint8Array;
  readonly #bytes = new Uint8Array(32 * 2_048);
  readonly #meta = new Uint8Array(32 * 64);
  readonly #ioWord: number;
  readonly #fds: readonly number[];
  readonly #meter = new Meter();
  #order = 0;

  constructor(task: HeapTask) {
    this.#task = task;
    this.#arena = openArena(task.share);
    const { bases, counts } = regionTables(this.#arena);
    addon.attach(this.#arena.u8, bases, counts);
    const [tun, udp4] = [openUdp(), openUdp()];
    this.#fds = [tun, udp4, this.#host];
    const hostPort = addon.udpPort(this.#host);
    assert(addon.udpConnect(tun, makeSockaddr(LOOPBACK, hostPort)) >= 0);
    assert(addon.udpGro(udp4, true) >= 0);
    this.#to = makeSockaddr(LOOPBACK, addon.udpPort(tun));
    const self = makeSockaddr(LOOPBACK, addon.udpPort(udp4));
    new PeerEntries(this.#arena).setEndpoint(0, self, makeSockaddr(LOOPBACK, 0));
    const offloads = { gso: true, uso: true, tso: true, busyBytes: 0 };
    const { wake, controlWake } = task;
    const io = { thread: 0, tun, vnetHeaderBytes: VNET_BYTES, udp4, udp6: -1, wake, ...offloads };
    this.#thread = new IoThread({ share: task.share, io, controlWake }, () => {});
    this.#counters = new Counters(this.#arena, 0);
    this.#ioWord = wordOf(this.#arena, "ios", IO.size, 0);
  }

  /** Until so many packets came back. */
  run(packets: number): void {
    const { frames } = this.#task;
    const end = this.#counters.get(COUNT.tunWrittenPackets) + packets;
    while (this.#counters.get(COUNT.tunWrittenPackets) < end) {
      const given = this.#counters.get(COUNT.tunPackets);
      for (let i = 0; i < frames.length; i++) {
        addon.datagramSend(this.#host, frames[i]!, this.#to, NOWHERE);
      }
      this.#turn(given);
    }
  }

  /** Turns until all that was read has been written. */
  #turn(given: number): void {
    const written = this.#counters.get(COUNT.tunWrittenPackets);
    let turns = 0;
    for (; turns < TURNS_MAX; turns++) {
      this.#thread.step(0);
      addon.datagramReceive(this.#host, this.#bytes, this.#meta);
      const read = this.#counters.get(COUNT.tunPackets) - given;
      if (read > 0 && this.#counters.get(COUNT.tunWrittenPackets) - written >= read) break;
    }
    if (turns === TURNS_MAX) throw new Error("a packet was lost");
  }

  window(packets: number): HeapWindow {
    const before = sumCounters(this.#arena, 0, 1);
    this.#ask();
    this.#meter.begin();
    const startMs = addon.bootMs();
    this.run(packets);
    const seconds = (addon.bootMs() - startMs) / 1_000;
    const io = this.#meter.end();
    const worker = this.#ask();
    const { counters, drops } = sumCounters(this.#arena, 0, 1);
    const lost = Object.entries(drops).filter(([, count]) => count > 0);
    assert.deepEqual(lost, []);
    const moved = Object.entries(counters).map(
      ([name, count]) => [name, count - before.counters[name]!] as const,
    );
    return {
      packets: counters.tunWrittenPackets! - before.counters.tunWrittenPackets!,
      seconds,
      io,
      worker,
      counters: Object.fromEntries(moved),
    };
  }

  /** Asks the worker, which has nothing to do then, to begin a reading or to end it. */
  #ask(): Reading | null {
    const shared = this.#task.worker;
    const { i32 } = this.#arena;
    assert(((i32[this.#ioWord + TAIL]! - i32[this.#ioWord + HEAD]!) | 0) <= 0);
    if (shared === null) return null;
    const words = new Int32Array(shared);
    Atomics.store(words, ORDER_WORD, ++this.#order);
    const bell = wordOf(this.#arena, "workers", WORKER.size, 0) + BELL;
    Atomics.add(i32, bell, 1);
    Atomics.notify(i32, bell);
    const waited = Atomics.wait(words, ANSWER_WORD, this.#order - 1, ORDER_MS);
    assert(waited !== "timed-out", "the worker did not answer");
    const values = new Float64Array(shared, 8 * READING_DOUBLE);
    return Object.fromEntries(READING.map((name, i) => [name, values[i]!])) as unknown as Reading;
  }

  close(): void {
    this.#thread.close();
    for (const fd of this.#fds) addon.close(fd);
  }
}

if (parentPort !== null) {
  const task = workerData as HeapTask;
  const drive = new Drive(task);
  drive.run(task.warmUp);
  const found: HeapWindow[] = [];
  for (let i = 0; i < task.windowsMax; i++) {
    const one = drive.window(task.window);
    found.push(one);
    const most = Math.max(one.io.allocatedBytes, one.worker?.allocatedBytes ?? 0);
    if (most <= task.enoughBytes) break;
  }
  drive.close();
  parentPort.postMessage(found);
}
