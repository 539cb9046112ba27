/**
 * unknown — packets to addresses of the network that nobody has: they wait a moment, control is
 * told where to, and they go on when somebody has the address; a scan has few of them wait.
 */
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { Roster } from "../../src/control/peers/roster.ts";
import { Jobs } from "../../src/io/jobs.ts";
import { addon } from "../../src/io/native/addon.ts";
import { Send } from "../../src/io/send.ts";
import { F, openStation } from "../../src/io/station.ts";
import { DROP, EVENT, SEGMENT_OVERHEAD_BYTES } from "../../src/memory/layout.ts";
import { writeMtu } from "../../src/memory/mtu.ts";
import { PeerEntries } from "../../src/memory/peers.ts";
import { Consumer } from "../../src/memory/queue.ts";
import { makeArena, regionTables, shareOf } from "../../src/memory/region.ts";
import { jobIndex, jobWord } from "../../src/memory/ring.ts";
import { formatCidr, parseCidr } from "../../src/wire/cidr.ts";

const RANGE = parseCidr("10.64.0.0/10")!;
const SCAN = 65_536;
/** Runs that wait at most, and for how long (io/staged.ts). */
const WAITING = 16;
const WAITING_MS = 3_000;

const setUp = () => {
  const arena = makeArena({ ioThreads: 1, workers: 1, peers: 2, routes: 8 });
  const { bases, counts } = regionTables(arena);
  addon.attach(arena.u8, bases, counts);
  writeMtu(arena, 1_420);
  const roster = new Roster({ arena, entries: new PeerEntries(arena) });
  const wake = addon.eventOpen();
  after(() => addon.close(wake));
  const io = { thread: 0, tun: -1, vnetHeaderBytes: 0, udp4: -1, udp6: -1, wake };
  const offloads = { gso: false, uso: false, tso: false, busyBytes: 0 };
  const station = openStation(arena, {
    share: shareOf(arena),
    io: { ...io, ...offloads },
    controlWake: wake,
  });
  after(() => addon.ioClose(station.io));
  const send = new Send(station, new Jobs(station));
  const events = new Consumer(arena, "events", 0);
  let nowMs = 1_000;
  const pass = (ms: number): void => {
    nowMs += ms;
    arena.f64[station.clock] = nowMs;
  };
  pass(0);
  const publish = (): void => {
    pass(100);
    assert.ok(roster.settle(nowMs, true) || roster.published);
  };
  /** A run of one packet came from the TUN device. */
  const read = (last: number): void => {
    const word = jobWord(station.ring, station.poster.tail);
    const { u32 } = arena;
    u32[word + F.slot] = station.slots.take();
    u32[word + F.count] = 1;
    u32[word + F.segmentBytes] = 64 + SEGMENT_OVERHEAD_BYTES;
    u32[word + F.lastBytes] = 64 + SEGMENT_OVERHEAD_BYTES;
    u32[word + F.tunBytes] = 64;
    u32[word + F.ecn] = 0;
    u32[word + F.innerVersion] = 4;
    u32[word + F.innerAddress] = 0x0a40_0000 + last;
    addon.find(station.io, jobIndex(station.ring, station.poster.tail));
    send.begin();
  };
  const told = (): number[][] => {
    const all: number[][] = [];
    while (events.next()) all.push([events.kind, events.peer, ...events.address.subarray(0, 4)]);
    return all;
  };
  const dropped = (): number => station.counters.get(DROP.noRoute);
  return { roster, station, send, pass, publish, read, told, dropped };
};

test("a packet to nobody waits, and control is told where to", () => {
  const { roster, send, publish, read, told, dropped } = setUp();
  read(7);
  assert.equal(dropped(), 1, "before the range is expected, it has no route");
  assert.ok(roster.expect([RANGE]));
  assert.ok(!roster.expect([RANGE]), "it is so already");
  assert.deepEqual([...roster.prefixes()], [], "the kernel has no route for it");
  publish();
  read(7);
  assert.deepEqual(told(), [[EVENT.unknown, 4, 7, 0, 64, 10]], "four words in host order");
  assert.equal(send.stagedCount, 1);
  assert.equal(dropped(), 1);
});

test("when somebody has the address, it waits for that one's session", () => {
  const { roster, station, send, publish, read, told } = setUp();
  roster.expect([RANGE]);
  publish();
  read(7);
  read(8);
  told();
  const peer = roster.add(new Uint8Array(32).fill(1), "network");
  const allowedIps = [parseCidr("10.64.0.7/32")!];
  roster.change(() => roster.setAllowedIps(peer, { publicKey: peer.publicKey, allowedIps }));
  publish();
  send.release(-1);
  assert.deepEqual(told(), [[EVENT.wanted, peer.entry, 0, 0, 0, 0]]);
  assert.equal(send.stagedCount, 2, "the other one waits still");
  send.discard(peer.entry);
  assert.equal(send.stagedCount, 1);
  assert.equal(station.counters.get(DROP.stagedExpired), 1);
});

test("nobody's packets wait a moment, and are no hindrance to others", () => {
  const { roster, send, publish, read, told, dropped, pass } = setUp();
  roster.expect([RANGE]);
  publish();
  read(7);
  pass(WAITING_MS - 200);
  send.expireStaged();
  assert.equal(send.stagedCount, 1);
  pass(400);
  send.expireStaged();
  assert.equal(send.stagedCount, 0);
  assert.equal(dropped(), 1);
  assert.equal(told().length, 1);
});

test("a scan of 65,536 addresses has few wait, and tells control of few", () => {
  const { roster, send, publish, read, told, dropped } = setUp();
  roster.expect([RANGE]);
  publish();
  for (let i = 0; i < SCAN; i++) read(i);
  assert.equal(send.stagedCount, WAITING);
  assert.equal(told().length, WAITING);
  assert.equal(dropped(), SCAN - WAITING);
});

test("a prefix that a person has given away stays theirs", () => {
  const { roster } = setUp();
  const peer = roster.add(new Uint8Array(32).fill(2), "file");
  const allowedIps = [RANGE];
  roster.change(() => roster.setAllowedIps(peer, { publicKey: peer.publicKey, allowedIps }));
  assert.ok(!roster.expect([RANGE]));
  assert.equal(roster.ownerOf(RANGE), peer);
  assert.deepEqual([...roster.prefixes()].map(formatCidr), ["10.64.0.0/10"]);
  roster.remove(peer);
  assert.ok(roster.expect([RANGE]));
});
