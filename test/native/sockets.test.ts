/** sockets — replaced and hushed while threads use them, and left alone while there is no room. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { Datagrams } from "../../src/control/host/datagrams.ts";
import { addon } from "../../src/io/native/addon.ts";
import { F } from "../../src/io/station.ts";
import { IoThread } from "../../src/io/thread.ts";
import { Counters } from "../../src/memory/counters.ts";
import { COMMAND, COUNT, JOB_KIND, RING_JOBS, WORKER } from "../../src/memory/layout.ts";
import { writeMtu } from "../../src/memory/mtu.ts";
import { Producer } from "../../src/memory/queue.ts";
import { type Arena, fieldWord, makeArena, shareOf, wordOf } from "../../src/memory/region.ts";
import { claim, finish, jobWord, openRing, Poster, workerTag } from "../../src/memory/ring.ts";
import { makeSockaddr } from "../../src/wire/sockaddr.ts";

const LOOPBACK = Uint8Array.of(127, 0, 0, 1);
const NOWHERE = new Uint8Array(0);
const EADDRINUSE = -98;
/** Long enough for an event loop that is told of a datagram. */
const HEARD_MS = 50;
/** PENDING_MS of the I/O thread, less what timers round off. */
const WAITED_MS = 90;

const openUdp = (port = 0): number => {
  const fd = addon.udpOpen(4, "127.0.0.1", port, 0, "");
  assert(fd >= 0, addon.errorText(fd));
  return fd;
};

/** Data for nobody: it arrives, is counted, and goes no further. */
const say = (port: number): void => {
  const fd = openUdp();
  const datagram = new Uint8Array(32);
  datagram[0] = 4;
  assert(addon.datagramSend(fd, datagram, makeSockaddr(LOOPBACK, port), NOWHERE) >= 0);
  addon.close(fd);
};

test("control hears a socket that took another's place, and no hushed one", async () => {
  const fd = openUdp();
  let heard = 0;
  const receive = (): void => {
    heard++;
  };
  const taker = { receive, frame: () => {}, oversized: () => {}, crowded: () => {} };
  const datagrams = new Datagrams({ udp4: fd, udp6: -1 }, -1, taker);
  try {
    const first = addon.udpPort(fd);
    say(first);
    await sleep(HEARD_MS);
    assert.equal(heard, 1);
    const next = openUdp();
    const second = addon.udpPort(next);
    datagrams.pause();
    assert.equal(addon.udpReplace(next, fd), 0);
    datagrams.resume();
    assert.equal(addon.udpPort(fd), second);
    assert.equal(addon.udpTaken("127.0.0.1", first, ""), 0);
    say(second);
    await sleep(HEARD_MS);
    assert.equal(heard, 2);
    assert.equal(addon.udpTaken("127.0.0.1", second, ""), EADDRINUSE);
    datagrams.pause();
    assert.equal(addon.udpHush(fd), 0);
    datagrams.resume();
    assert.equal(addon.udpTaken("127.0.0.1", second, ""), 0);
    say(second);
    await sleep(HEARD_MS);
    assert.equal(heard, 2);
  } finally {
    datagrams.close();
    addon.close(fd);
  }
});

interface Stage {
  readonly arena: Arena;
  readonly thread: IoThread;
  readonly udp4: number;
  readonly counters: Counters;
  /** Tells the thread that its sockets were replaced. */
  readonly tell: () => void;
  readonly close: () => void;
}

/** An I/O thread of this thread's own, driven step by step. */
const openStage = (before: (arena: Arena) => void = () => {}): Stage => {
  const arena = makeArena({ ioThreads: 1, workers: 1, peers: 1, routes: 1 });
  writeMtu(arena, 1_420);
  before(arena);
  const udp4 = openUdp();
  const [wake, controlWake] = [addon.eventOpen(), addon.eventOpen()];
  const switches = { gso: true, uso: false, tso: false, busyBytes: 0 };
  const io = { thread: 0, tun: -1, vnetHeaderBytes: 0, udp4, udp6: -1, wake, ...switches };
  const thread = new IoThread({ share: shareOf(arena), io, controlWake }, () => {});
  const close = (): void => {
    thread.close();
    for (const fd of [udp4, wake, controlWake]) addon.close(fd);
  };
  const tell = (): void => {
    assert(new Producer(arena, "commands", 0).put(COMMAND.sockets, 0, 0, 0, 0));
    addon.eventSignal(wake);
  };
  return { arena, thread, udp4, counters: new Counters(arena, 0), tell, close };
};

test("an I/O thread hears the next socket once it is told", () => {
  const { thread, udp4, counters, tell, close } = openStage();
  try {
    say(addon.udpPort(udp4));
    thread.step(1_000);
    assert.equal(counters.get(COUNT.receivedDatagrams), 1);
    for (let turn = 1; turn <= 3; turn++) {
      assert.equal(addon.udpReplace(openUdp(), udp4), 0);
      tell();
      thread.step(1_000);
      say(addon.udpPort(udp4));
      thread.step(1_000);
      assert.equal(counters.get(COUNT.receivedDatagrams), turn + 1);
    }
    // Told without need: nothing changes.
    tell();
    thread.step(1_000);
    say(addon.udpPort(udp4));
    thread.step(1_000);
    assert.equal(counters.get(COUNT.receivedDatagrams), 5);
  } finally {
    close();
  }
});

test("while a worker holds the oldest job of a full ring, the I/O thread sleeps", () => {
  const tag = workerTag(0, 0);
  const { arena, thread, udp4, counters, close } = openStage((made) => {
    const ring = openRing(made, 0);
    const poster = new Poster(ring);
    for (let i = 0; i < RING_JOBS; i++) {
      made.u32[jobWord(ring, i) + F.kind] = JOB_KIND.none;
      poster.post();
      assert.equal(claim(ring, tag), i);
    }
    const worker = wordOf(made, "workers", WORKER.size, 0);
    made.u32[worker + fieldWord(WORKER.fields.tag)] = tag;
  });
  const ring = openRing(arena, 0);
  try {
    say(addon.udpPort(udp4));
    const startMs = addon.bootMs();
    thread.step(5_000);
    thread.step(5_000);
    assert(addon.bootMs() - startMs > 2 * WAITED_MS, "it did not sleep");
    assert.equal(counters.get(COUNT.loops), 2);
    assert.equal(counters.get(COUNT.receivedDatagrams), 0);
    for (let i = RING_JOBS - 1; i >= 0; i--) finish(ring, i, tag);
    thread.step(5_000);
    thread.step(5_000);
    assert.equal(counters.get(COUNT.receivedDatagrams), 1, "what waited was lost");
  } finally {
    close();
  }
});
