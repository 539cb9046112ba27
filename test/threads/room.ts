/**
 * room — an I/O thread's end of the ring in a test, with real workers at the other: real arena,
 * real pool, real Jobs, real keys; only the TUN and the sockets are missing.
 *
 * Outbound jobs hold packets with a number inside, which retire() checks and opens again with
 * node:crypto, an implementation that had no part in sealing. Inbound jobs hold segments that
 * node:crypto sealed; retire() hands them to the addon's accept(), as io/receive.ts does.
 */
import assert from "node:assert/strict";
import { createCipheriv, createDecipheriv, randomBytes } from "node:crypto";
import { Jobs } from "../../src/io/jobs.ts";
import { addon } from "../../src/io/native/addon.ts";
import { F, openStation, type Station } from "../../src/io/station.ts";
import {
  DATA_HEADER_BYTES,
  JOB,
  JOB_KIND,
  PEER,
  SEGMENT_OVERHEAD_BYTES,
  SESSION,
  TAG_BYTES,
} from "../../src/memory/layout.ts";
import { writeMtu } from "../../src/memory/mtu.ts";
import { peerWord } from "../../src/memory/peers.ts";
import {
  type Arena,
  doubleAt,
  fieldWord,
  makeArena,
  regionTables,
  shareOf,
} from "../../src/memory/region.ts";
import { ioTag, jobIndex, jobWord } from "../../src/memory/ring.ts";
import { publishRoutes } from "../../src/memory/routes.ts";
import { SESSION_FIELD, Sessions, sessionWord } from "../../src/memory/sessions.ts";
import { noteUse, type Orders, ordersOf, routesFor } from "./orders.ts";

const ALGORITHM = "chacha20-poly1305";
/** An IPv4 header and the packet's number, a multiple of 16. */
export const PACKET_BYTES = 32;
export const WIRE_BYTES = PACKET_BYTES + SEGMENT_OVERHEAD_BYTES;
const NUMBER_AT = 20;
const MESSAGE_TYPE = 4;
const MASKS = [fieldWord(JOB.fields.writeLow), fieldWord(JOB.fields.writeHigh)] as const;
const SUITE_OF = fieldWord(JOB.fields.suite);
const TYPE_OF = fieldWord(JOB.fields.messageType);
const INDEX_OF = fieldWord(JOB.fields.receiverIndex);
const COUNTER_LOW = fieldWord(JOB.fields.counterLow);

/** What happened, for the test to compare. */
export interface Tally {
  posted: number;
  retired: number;
  abandoned: number;
  /** Segments that went out, and that came in. */
  sent: number;
  delivered: number;
  deliveredTwice: number;
  byIo: number;
  byWorkers: number;
}

export interface Room {
  readonly arena: Arena;
  readonly station: Station;
  readonly jobs: Jobs;
  readonly orders: Orders;
  readonly tally: Tally;
  readonly wake: number;
  /** Counters that came out of the ring in sealed segments. */
  readonly sentCounters: Set<number>;
  /** Numbers of packets that came in. */
  readonly deliveredNumbers: Set<number>;
  readonly sendKey: Uint8Array;
  readonly receiveKey: Uint8Array;
  readonly session: number;
}

const fillSession = (arena: Arena, sendKey: Uint8Array, receiveKey: Uint8Array): number => {
  const sessions = new Sessions(arena);
  const session = sessions.take();
  sessions.fill(session, {
    peer: 0,
    localIndex: 0x1234_5678,
    remoteIndex: 0x8765_4321,
    suite: 0,
    initiator: true,
    owner: 0,
    rejectAtMs: Number.MAX_VALUE,
    rejectAt: 1n << 60n,
    sendKey,
    receiveKey,
  });
  return session;
};

/** Makes a room for `counters` sealed segments and so many workers. */
export const openRoom = (workers: number, counters: number): Room => {
  const arena = makeArena({ ioThreads: 1, workers, peers: 1, routes: routesFor(counters) });
  const { bases, counts } = regionTables(arena);
  addon.attach(arena.u8, bases, counts);
  writeMtu(arena, PACKET_BYTES);
  const cidr = { version: 4, bytes: Uint8Array.of(10, 0, 0, 0), prefixLength: 8 } as const;
  publishRoutes(arena, [{ cidr, owner: { entry: 0 } }]);
  const wake = addon.eventOpen();
  assert(wake >= 0, addon.errorText(-wake));
  const io = { thread: 0, tun: -1, vnetHeaderBytes: 0, udp4: -1, udp6: -1, wake };
  const station = openStation(arena, {
    share: shareOf(arena),
    io: { ...io, gso: false, uso: false, tso: false, busyBytes: 0 },
    controlWake: wake,
  });
  const [sendKey, receiveKey] = [randomBytes(32), randomBytes(32)] as const;
  return {
    arena,
    station,
    wake,
    jobs: new Jobs(station),
    orders: ordersOf(arena),
    tally: {
      posted: 0,
      retired: 0,
      abandoned: 0,
      sent: 0,
      delivered: 0,
      deliveredTwice: 0,
      byIo: 0,
      byWorkers: 0,
    },
    sentCounters: new Set(),
    deliveredNumbers: new Set(),
    sendKey,
    receiveKey,
    session: fillSession(arena, sendKey, receiveKey),
  };
};

const segmentStart = (room: Room, slot: number, i: number): number =>
  room.station.segments.slotByte(slot) + i * WIRE_BYTES;

/** Writes an IPv4 header and the packet's number. */
const writePacket = (bytes: Uint8Array, number: number): void => {
  bytes.fill(0);
  bytes[0] = 0x45;
  bytes[3] = PACKET_BYTES;
  bytes.set([10, 0, 0, 1], 12);
  bytes.set([10, 0, 0, 2], 16);
  new DataView(bytes.buffer, bytes.byteOffset).setUint32(NUMBER_AT, number, true);
};

const numberIn = (packet: Uint8Array): number =>
  new DataView(packet.buffer, packet.byteOffset).getUint32(NUMBER_AT, true);

const nonceOf = (counter: number): Uint8Array => {
  const nonce = new Uint8Array(12);
  new DataView(nonce.buffer).setBigUint64(4, BigInt(counter), true);
  return nonce;
};

/** Takes a slot and fills in what every job needs. Returns the word of the job at the tail. */
const beginJob = (room: Room, kind: number, count: number): number => {
  const { arena, station, session } = room;
  const { u32 } = arena;
  const word = jobWord(station.ring, station.poster.tail);
  const slot = station.slots.take();
  const at = sessionWord(arena, session);
  u32[word + F.slot] = slot;
  u32[word + F.kind] = kind;
  u32[word + F.slotGeneration] = station.slots.generation(slot);
  u32[word + F.session] = session;
  u32[word + F.sessionGeneration] = Atomics.load(u32, at + SESSION_FIELD.generation);
  u32[word + F.count] = count;
  u32[word + F.segmentBytes] = WIRE_BYTES;
  u32[word + F.lastBytes] = WIRE_BYTES;
  u32[word + F.peer] = 0;
  u32[word + SUITE_OF] = 0;
  u32[word + TYPE_OF] = MESSAGE_TYPE;
  // These tests read the job's number here; the engine has the run's bytes.
  u32[word + F.tunBytes] = room.tally.posted + 1;
  room.tally.posted++;
  return word;
};

/** The I/O thread's clock, which its wait would write. */
export const tick = ({ station }: Room): void => {
  station.arena.f64[station.clock] = addon.bootMs();
};

/** Can another job be posted? */
export const hasRoom = ({ station }: Room): boolean =>
  station.poster.free() > 0 && station.slots.free > 0;

/** Posts a run of packets to be sealed, numbered by their counters. */
export const postSeal = (room: Room, count: number): void => {
  const { arena, station } = room;
  const word = beginJob(room, JOB_KIND.seal, count);
  arena.u32[word + INDEX_OF] = 0x8765_4321;
  const prepared = addon.prepare(jobIndex(station.ring, station.poster.tail));
  assert.equal(prepared, 0);
  const slot = arena.u32[word + F.slot]!;
  for (let i = 0; i < count; i++) {
    const start = segmentStart(room, slot, i) + DATA_HEADER_BYTES;
    const packet = arena.u8.subarray(start, start + PACKET_BYTES);
    writePacket(packet, arena.u32[word + COUNTER_LOW]! + i);
  }
  room.jobs.post();
};

/** Seals packets `from`, `from` + 1, ... as the peer would, and posts the run to be opened. */
export const postOpen = (room: Room, from: number, count: number): void => {
  const { arena } = room;
  const word = beginJob(room, JOB_KIND.open, count);
  const slot = arena.u32[word + F.slot]!;
  const packet = new Uint8Array(PACKET_BYTES);
  for (let i = 0; i < count; i++) {
    const start = segmentStart(room, slot, i);
    const header = new DataView(arena.buffer, start, DATA_HEADER_BYTES);
    header.setUint32(0, MESSAGE_TYPE, true);
    header.setUint32(4, 0x1234_5678, true);
    header.setBigUint64(8, BigInt(from + i), true);
    writePacket(packet, from + i);
    const cipher = createCipheriv(ALGORITHM, room.receiveKey, nonceOf(from + i), {
      authTagLength: TAG_BYTES,
    });
    arena.u8.set(cipher.update(packet), start + DATA_HEADER_BYTES);
    cipher.final();
    arena.u8.set(cipher.getAuthTag(), start + DATA_HEADER_BYTES + PACKET_BYTES);
  }
  room.jobs.post();
};

/** Opens a sealed segment with node:crypto; throws when it was not sealed exactly once. */
const checkSealed = (room: Room, slot: number, i: number): void => {
  const start = segmentStart(room, slot, i);
  const header = new DataView(room.arena.buffer, start, DATA_HEADER_BYTES);
  const counter = Number(header.getBigUint64(8, true));
  // node:crypto takes no views of shared memory.
  const sealed = room.arena.u8.slice(start + DATA_HEADER_BYTES, start + WIRE_BYTES);
  const decipher = createDecipheriv(ALGORITHM, room.sendKey, nonceOf(counter), {
    authTagLength: TAG_BYTES,
  });
  decipher.setAuthTag(sealed.subarray(PACKET_BYTES));
  const packet = decipher.update(sealed.subarray(0, PACKET_BYTES));
  decipher.final();
  assert.equal(numberIn(packet), counter, "the packet of another counter");
  assert(!room.sentCounters.has(counter), `counter ${counter} went out twice`);
  room.sentCounters.add(counter);
  room.tally.sent++;
};

const noteRetired = (room: Room, word: number): void => {
  const { tally, arena } = room;
  const expected = tally.retired + tally.abandoned + 1;
  assert.equal(arena.u32[word + F.tunBytes], expected, "retired out of order");
};

const retireSeal = (room: Room, word: number): void => {
  const { arena, station, tally } = room;
  noteRetired(room, word);
  assert.equal(arena.u32[word + F.stale], 0);
  const byIo = station.poster.claimer() === ioTag(0);
  tally[byIo ? "byIo" : "byWorkers"]++;
  if (byIo) noteUse(room.orders, word, 0);
  const slot = arena.u32[word + F.slot]!;
  for (let i = 0; i < arena.u32[word + F.count]!; i++) checkSealed(room, slot, i);
  tally.retired++;
  station.slots.give(slot);
};

/** Bit numbers of the segments that accept() let through. */
const acceptedSegments = (arena: Arena, word: number): number[] =>
  Array.from({ length: 64 }, (_, bit) => bit).filter(
    (bit) => (arena.u32[word + MASKS[bit < 32 ? 0 : 1]]! >>> (bit & 31)) & 1,
  );

const retireOpen = (room: Room, word: number): void => {
  const { arena, station, tally } = room;
  noteRetired(room, word);
  assert.equal(arena.u32[word + F.stale], 0);
  tally[station.poster.claimer() === ioTag(0) ? "byIo" : "byWorkers"]++;
  const result = addon.accept(station.io, jobIndex(station.ring, station.poster.head));
  assert(result >= 0, addon.errorText(-result));
  const slot = arena.u32[word + F.slot]!;
  for (const i of acceptedSegments(arena, word)) {
    const start = segmentStart(room, slot, i) + DATA_HEADER_BYTES;
    const number = numberIn(arena.u8.subarray(start, start + PACKET_BYTES));
    if (room.deliveredNumbers.has(number)) tally.deliveredTwice++;
    room.deliveredNumbers.add(number);
    tally.delivered++;
  }
  tally.retired++;
  station.slots.give(slot);
};

const abandon = (room: Room, word: number): void => {
  noteRetired(room, word);
  room.tally.abandoned++;
  room.station.slots.give(room.arena.u32[word + F.slot]!);
};

/** Sets who retires, and hands every job over. */
export const start = (room: Room): void => {
  room.jobs.retireWith(
    { retire: (word) => retireSeal(room, word), abandon: (word) => abandon(room, word) },
    { retire: (word) => retireOpen(room, word), abandon: (word) => abandon(room, word) },
  );
  room.jobs.handingOver = true;
};

/** Counters of which more than one segment was sealed. */
export const noncesUsedTwice = ({ orders, arena, session }: Room): number => {
  const next = doubleAt(sessionWord(arena, session), SESSION.fields.sendCounter);
  const taken = Number(Atomics.load(arena.u64, next));
  let twice = 0;
  for (let i = 0; i < taken; i++) if (orders.u32[orders.uses + i]! > 1) twice++;
  return twice;
};

/** UDP payload that the addon accounted as received for the peer. */
export const receivedBytes = ({ arena }: Room): number =>
  Number(Atomics.load(arena.u64, doubleAt(peerWord(arena, 0), PEER.fields.receivedBytes)));
