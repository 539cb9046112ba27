/**
 * staged — what waited for a session leaves in its order as soon as there is a session and room in
 * the ring, and what comes later goes behind it; what finds its session ended is counted as such.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Jobs } from "../../src/io/jobs.ts";
import { addon } from "../../src/io/native/addon.ts";
import { Send } from "../../src/io/send.ts";
import { F, openStation } from "../../src/io/station.ts";
import {
  DROP,
  type DropName,
  ENTRIES_PER_PEER,
  RING_JOBS,
  SEGMENT_OVERHEAD_BYTES,
} from "../../src/memory/layout.ts";
import { writeMtu } from "../../src/memory/mtu.ts";
import { PeerEntries } from "../../src/memory/peers.ts";
import { makeArena, regionTables, shareOf } from "../../src/memory/region.ts";
import { jobIndex, jobWord } from "../../src/memory/ring.ts";
import { publishRoutes, type RouteEntry } from "../../src/memory/routes.ts";
import { Sessions } from "../../src/memory/sessions.ts";

const WAITING = 10;
/** Places that are left in the ring when the session comes. */
const ROOM = 3;
const BYTES = 64;
const PEERS = 2;
/** Peers to which runs go: the one that waits, and one that has a session. */
const LATE = 0;
const READY = 1;
const ALL = -1;
/** The last entry that a peer may have: a peer that replaces another has one beyond the most. */
const LAST = PEERS * ENTRIES_PER_PEER - 1;

const setUp = (late = LATE) => {
  const arena = makeArena({ ioThreads: 1, workers: 1, peers: PEERS, routes: 4 });
  const { bases, counts } = regionTables(arena);
  addon.attach(arena.u8, bases, counts);
  writeMtu(arena, 1_420);
  const routes = [late, READY].map((entry): RouteEntry => {
    const bytes = Uint8Array.of(10, entry, 0, 0);
    return { cidr: { version: 4, bytes, prefixLength: 16 }, owner: { entry } };
  });
  publishRoutes(arena, routes);
  const wake = addon.eventOpen();
  const io = { thread: 0, tun: -1, vnetHeaderBytes: 0, udp4: -1, udp6: -1, wake };
  const offloads = { gso: false, uso: false, tso: false, busyBytes: 0 };
  const task = { share: shareOf(arena), io: { ...io, ...offloads }, controlWake: wake };
  const station = openStation(arena, task);
  const jobs = new Jobs(station);
  const send = new Send(station, jobs);
  // Numbers of the late peer's runs, in the order in which they are sent.
  const sent: number[] = [];
  const noteSent = (word: number): void => {
    if (arena.u32[word + F.peer] === late) sent.push(arena.u32[word + F.tunBytes]!);
    send.retire(word);
  };
  const retirer = { retire: noteSent, abandon: noteSent };
  jobs.retireWith(retirer, retirer);
  jobs.handingOver = true;
  const sessions = new Sessions(arena);
  const entries = new PeerEntries(arena);
  const connect = (peer: number, rejectAt = 2n ** 36n): number => {
    const session = sessions.take();
    const key = new Uint8Array(32);
    sessions.fill(session, {
      ...{ peer, localIndex: 5 + peer, remoteIndex: 5, suite: 0, initiator: true, owner: 0 },
      ...{ rejectAtMs: Number.POSITIVE_INFINITY, rejectAt },
      ...{ sendKey: key, receiveKey: key },
    });
    entries.setCurrent(peer, session);
    return session;
  };
  /** A run was read from the TUN device, of one packet with a number. */
  const read = (peer: number, number: number): void => {
    const word = jobWord(station.ring, station.poster.tail);
    const { u32 } = arena;
    u32[word + F.slot] = station.slots.take();
    u32[word + F.count] = 1;
    u32[word + F.segmentBytes] = BYTES + SEGMENT_OVERHEAD_BYTES;
    u32[word + F.lastBytes] = BYTES + SEGMENT_OVERHEAD_BYTES;
    u32[word + F.tunBytes] = number;
    u32[word + F.ecn] = 0;
    u32[word + F.innerVersion] = 4;
    u32[word + F.innerAddress] = 0x0a00_0001 | (peer << 16);
    addon.find(station.io, jobIndex(station.ring, station.poster.tail));
    send.begin();
  };
  const close = (): void => {
    addon.ioClose(station.io);
    addon.close(wake);
  };
  const dropped = (name: DropName): number => station.counters.get(DROP[name]);
  return { station, sessions, jobs, send, sent, connect, read, dropped, close };
};

test("the ring is full when the session comes: all go, in order, what is newer behind", () => {
  const { station, jobs, send, sent, connect, read, close } = setUp();
  try {
    for (let number = 1; number <= WAITING; number++) read(LATE, number);
    connect(READY);
    for (let i = 0; i < RING_JOBS - ROOM; i++) read(READY, 1);
    connect(LATE);
    send.release(LATE);
    assert.equal(station.poster.free(), 0);
    assert.equal(send.stagedCount, WAITING - ROOM);
    assert.ok(send.owes, "there is more to be sent");
    jobs.settle();
    // A turn in which newer packets came.
    read(LATE, WAITING + 1);
    send.release(ALL);
    jobs.settle();
    assert.equal(send.stagedCount, 0);
    assert.ok(!send.owes);
    read(LATE, WAITING + 2);
    jobs.settle();
    send.flush();
    const inOrder = Array.from({ length: WAITING + 2 }, (_, i) => i + 1);
    assert.deepEqual(sent, inOrder);
  } finally {
    close();
  }
});

for (const late of [LATE, LAST]) {
  test(`a packet for peer ${late}, whose session has come, releases what waits, untold`, () => {
    const { jobs, send, sent, connect, read, close } = setUp(late);
    try {
      for (let number = 1; number <= WAITING; number++) read(late, number);
      assert.ok(!send.owes);
      connect(late);
      read(late, WAITING + 1);
      assert.ok(send.owes);
      send.release(ALL);
      jobs.settle();
      send.flush();
      assert.deepEqual(sent.length, WAITING + 1);
      assert.deepEqual(
        sent,
        [...sent].sort((a, b) => a - b),
      );
    } finally {
      close();
    }
  });
}

test("what finds its session ended is no exhausted counter, and the other way round", () => {
  const { sessions, connect, read, dropped, close } = setUp();
  const prepare = addon.prepare;
  try {
    const session = connect(READY);
    read(READY, 1);
    // Control is another thread: it ends the session after I/O has found it.
    addon.prepare = (job) => {
      sessions.clear(session);
      return prepare(job);
    };
    read(READY, 2);
    assert.equal(dropped("staleJob"), 1);
    assert.equal(dropped("nonceExhausted"), 0);
    addon.prepare = prepare;
    connect(READY, 0n);
    read(READY, 3);
    assert.equal(dropped("staleJob"), 1);
    assert.equal(dropped("nonceExhausted"), 1);
  } finally {
    addon.prepare = prepare;
    close();
  }
});
