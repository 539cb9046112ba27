/** pass — a handshake message that the kernel merged behind data reaches control. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { addon } from "../../src/io/native/addon.ts";
import { F } from "../../src/io/station.ts";
import { Counters } from "../../src/memory/counters.ts";
import { COUNT, DROP } from "../../src/memory/layout.ts";
import { PeerEntries } from "../../src/memory/peers.ts";
import { makeArena, regionTables } from "../../src/memory/region.ts";
import { jobIndex, jobWord, openRing } from "../../src/memory/ring.ts";
import { makeSockaddr } from "../../src/wire/sockaddr.ts";

const LOOPBACK = Uint8Array.of(127, 0, 0, 1);
const STRIDE = 1_452;
const DATA = 4;
const SOCKADDR_BYTES = 28;
const OFFERED = 8;
/** More than net.unix.max_dgram_qlen of any system. */
const QUEUE_MAX = 4_096;

/** An I/O thread's sockets that send to themselves, and what it hands on. */
const setUp = () => {
  const arena = makeArena({ ioThreads: 1, workers: 0, peers: 1, routes: 1 });
  const { bases, counts } = regionTables(arena);
  addon.attach(arena.u8, bases, counts);
  const udp4 = addon.udpOpen(4, "127.0.0.1", 0, 0, "");
  const wake = addon.eventOpen();
  const pair = new Int32Array(2);
  assert(udp4 >= 0 && wake >= 0 && addon.datagramPair(new Uint8Array(pair.buffer)) >= 0);
  assert(addon.udpGro(udp4, true) >= 0);
  const base = { thread: 0, tun: -1, vnetHeaderBytes: 0, udp6: -1, wake };
  const io = addon.ioOpen({ ...base, udp4, gso: true, uso: false, tso: false, busyBytes: 0 });
  addon.ioPassTo(io, pair[0]!);
  new PeerEntries(arena).setEndpoint(0, makeSockaddr(LOOPBACK, addon.udpPort(udp4)));
  const close = (): void => {
    addon.ioClose(io);
    for (const fd of [udp4, wake, ...pair]) addon.close(fd);
  };
  return { arena, io, udp4, pair, close };
};

/** Sends two data segments and a message of `type` behind them as one datagram train. */
const sendTrain = (s: ReturnType<typeof setUp>, type: number, bytes: number): void => {
  const { u8, u32, layout } = s.arena;
  const ring = openRing(s.arena, 0);
  const word = jobWord(ring, 0);
  u8.fill(0, layout.base.slots, layout.base.slots + 3 * STRIDE);
  u8[layout.base.slots] = DATA;
  u8[layout.base.slots + STRIDE] = DATA;
  u8[layout.base.slots + 2 * STRIDE] = type;
  for (const [field, value] of [
    [F.slot, 0],
    [F.peer, 0],
    [F.count, 3],
    [F.segmentBytes, STRIDE],
    [F.lastBytes, bytes],
  ] as const) {
    u32[word + field] = value;
  }
  addon.sendAdd(s.io, jobIndex(ring, 0));
  assert.equal(addon.sendFlush(s.io), 3);
};

/** Data segments in the runs that one receive gave. */
const receive = (s: ReturnType<typeof setUp>): number => {
  const ring = openRing(s.arena, 0);
  for (let i = 0; i < OFFERED; i++) s.arena.u32[jobWord(ring, i) + F.slot] = i + 1;
  addon.ioPoll(s.io, 1_000);
  const runs = addon.receive(s.io, jobIndex(ring, 0), OFFERED);
  let segments = 0;
  for (let i = 0; i < runs; i++) segments += s.arena.u32[jobWord(ring, i) + F.count]!;
  return segments;
};

test("each kind of message for control behind data goes to control, with its addresses", () => {
  const s = setUp();
  const counters = new Counters(s.arena, 0);
  const bytes = new Uint8Array(32 * 2_048);
  const meta = new Uint8Array(32 * 64);
  const from = makeSockaddr(LOOPBACK, addon.udpPort(s.udp4));
  try {
    for (const [type, size] of [
      [1, 148],
      [2, 92],
      [3, 64],
      [5, 148],
      [6, 92],
      [7, 64],
      [9, 1_232],
      [10, 64],
    ] as const) {
      sendTrain(s, type, size);
      assert.equal(receive(s), 2, "the data goes its own way");
      assert.equal(addon.datagramReceive(s.pair[1]!, bytes, meta), 1);
      assert.equal(meta[0]! + 256 * meta[1]!, 2 * SOCKADDR_BYTES + size);
      assert.deepEqual(bytes.slice(0, SOCKADDR_BYTES), from);
      assert.deepEqual(bytes.slice(SOCKADDR_BYTES + 4, SOCKADDR_BYTES + 8), LOOPBACK);
      assert.equal(bytes[2 * SOCKADDR_BYTES], type);
    }
    assert.equal(counters.get(COUNT.receives), 8, "the kernel merged every train");
    assert.equal(counters.get(DROP.badType), 0);
  } finally {
    s.close();
  }
});

test("other lengths and types are dropped and counted; a full queue is counted", () => {
  const s = setUp();
  const counters = new Counters(s.arena, 0);
  try {
    for (const [type, size] of [
      [1, 147],
      [2, 93],
      [9, 148],
      [9, 1_231],
      [10, 65],
      [11, 64],
      [0, 64],
    ] as const) {
      sendTrain(s, type, size);
      assert.equal(receive(s), 2);
    }
    assert.equal(counters.get(DROP.badType), 7);
    assert.equal(counters.get(DROP.queueFull), 0);
    for (let i = 0; i < QUEUE_MAX && counters.get(DROP.queueFull) === 0; i++) {
      sendTrain(s, 1, 148);
      assert.equal(receive(s), 2);
    }
    assert.equal(counters.get(DROP.queueFull), 1);
  } finally {
    s.close();
  }
});
