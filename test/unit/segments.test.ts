/**
 * segments — views over a job's segments, kept for the common size; and sealing and opening a job
 * with real keys, checked against node:crypto.
 */
import assert from "node:assert/strict";
import { createDecipheriv, randomBytes } from "node:crypto";
import { test } from "node:test";
import { openChaCha } from "../../src/crypto/open.ts";
import { sealChaCha } from "../../src/crypto/seal.ts";
import { Segments } from "../../src/crypto/segments.ts";
import {
  DATA_HEADER_BYTES,
  JOB,
  JOB_SEGMENTS,
  SEGMENT_OVERHEAD_BYTES,
  SESSION,
  SLOT_BYTES,
  TAG_BYTES,
} from "../../src/memory/layout.ts";
import { writeMtu } from "../../src/memory/mtu.ts";
import { fieldWord, makeArena, wordOf } from "../../src/memory/region.ts";

const MTU = 1_420;
const FULL = MTU + SEGMENT_OVERHEAD_BYTES;
const arena = makeArena({ ioThreads: 1, workers: 0, peers: 1, routes: 0 });
writeMtu(arena, MTU);
const WORD = wordOf(arena, "jobs", JOB.size, 0);
const SLOT = 3;
const SESSION_AT = 2;

const set = (name: keyof typeof JOB.fields, value: number): void => {
  arena.u32[WORD + fieldWord(JOB.fields[name])] = value;
};
const get = (name: keyof typeof JOB.fields): number =>
  arena.u32[WORD + fieldWord(JOB.fields[name])]!;

const sessionByte = (): number => wordOf(arena, "sessions", SESSION.size, SESSION_AT) * 4;
const slotStart = arena.layout.base.slots + SLOT * SLOT_BYTES;

test("views of full segments are made once, others anew, all in their place", () => {
  const segments = new Segments(arena);
  for (const i of [0, 1, 31, JOB_SEGMENTS - 15]) {
    const first = segments.views(SLOT, i, FULL, FULL);
    assert.equal(segments.views(SLOT, i, FULL, FULL), first);
    assert.equal(first.plain.byteOffset, slotStart + i * FULL + DATA_HEADER_BYTES);
    assert.equal(first.plain.length, FULL - SEGMENT_OVERHEAD_BYTES);
    assert.equal(first.sealed.byteOffset, first.plain.byteOffset);
    assert.equal(first.sealed.length, first.plain.length + TAG_BYTES);
  }
  const short = segments.views(SLOT, 1, FULL, 48);
  assert.notEqual(short, segments.views(SLOT, 1, FULL, FULL));
  assert.equal(short.plain.byteOffset, slotStart + FULL + DATA_HEADER_BYTES);
  assert.equal(short.plain.length, 16);
  const keepalive = segments.views(SLOT, 0, SEGMENT_OVERHEAD_BYTES, SEGMENT_OVERHEAD_BYTES);
  assert.equal(keepalive.plain.length, 0);
  assert.equal(keepalive.sealed.length, TAG_BYTES);
  const narrow = segments.views(SLOT, 2, 100, 100);
  assert.equal(narrow.plain.byteOffset, slotStart + 200 + DATA_HEADER_BYTES);
});

test("views follow the MTU, and those of the old size are not kept", () => {
  const segments = new Segments(arena);
  const old = segments.views(SLOT, 1, FULL, FULL);
  try {
    for (const mtu of [1_280, 9_000, 34_000]) {
      const full = mtu + SEGMENT_OVERHEAD_BYTES;
      writeMtu(arena, mtu);
      segments.followMtu();
      const first = segments.views(SLOT, 1, full, full);
      assert.equal(first.sealed.byteOffset, slotStart + full + DATA_HEADER_BYTES);
      assert.equal(first.plain.length, mtu);
      segments.followMtu();
      assert.equal(segments.views(SLOT, 1, full, full), first, "made once");
      assert.notEqual(segments.views(SLOT, 1, FULL, FULL), old);
    }
  } finally {
    writeMtu(arena, MTU);
  }
  segments.followMtu();
  assert.notEqual(segments.views(SLOT, 1, FULL, FULL), old);
});

/** A run of `count` segments with counters from `first` on; the last one may be shorter. */
const makeRun = (count: number, stride: number, last: number, first: bigint): Uint8Array[] => {
  set("slot", SLOT);
  set("session", SESSION_AT);
  set("count", count);
  set("segmentBytes", stride);
  set("lastBytes", last);
  return Array.from({ length: count }, (_, i) => {
    const start = slotStart + i * stride;
    const header = new DataView(arena.buffer, start, DATA_HEADER_BYTES);
    header.setUint32(0, 4, true);
    header.setBigUint64(8, first + BigInt(i), true);
    const bytes = (i === count - 1 ? last : stride) - SEGMENT_OVERHEAD_BYTES;
    const packet = new Uint8Array(randomBytes(bytes));
    arena.u8.set(packet, start + DATA_HEADER_BYTES);
    return packet;
  });
};

const setKeys = (send: Uint8Array, receive: Uint8Array): void => {
  arena.u8.set(send, sessionByte() + SESSION.fields.sendKey.at);
  arena.u8.set(receive, sessionByte() + SESSION.fields.receiveKey.at);
};

const openElsewhere = (key: Uint8Array, start: number, bytes: number): Uint8Array => {
  const all = arena.u8.slice(start, start + bytes);
  const nonce = new Uint8Array(12);
  nonce.set(all.subarray(8, 16), 4);
  const decipher = createDecipheriv("chacha20-poly1305", key, nonce, { authTagLength: TAG_BYTES });
  decipher.setAuthTag(all.subarray(bytes - TAG_BYTES));
  const sealed = all.subarray(DATA_HEADER_BYTES, bytes - TAG_BYTES);
  const plain = decipher.update(sealed);
  decipher.final();
  return new Uint8Array(plain);
};

// biome-ignore format: a table
const RUNS: readonly (readonly [what: string, count: number, stride: number, last: number, first: bigint])[] = [
  ["full segments and a short one", 45, FULL, 500, 0n],
  ["full segments only", 45, FULL, FULL, 2n ** 32n - 5n],
  ["small segments", JOB_SEGMENTS, 100, 33, 2n ** 63n],
  ["one segment at the largest MTU", 1, 65_455 + SEGMENT_OVERHEAD_BYTES, 65_455 + SEGMENT_OVERHEAD_BYTES, 9n],
  ["a keepalive", 1, SEGMENT_OVERHEAD_BYTES, SEGMENT_OVERHEAD_BYTES, 7n],
];

for (const [what, count, stride, last, first] of RUNS) {
  test(`sealing, here and opened elsewhere: ${what}`, () => {
    const segments = new Segments(arena);
    const [send, receive] = [randomBytes(32), randomBytes(32)];
    setKeys(send, receive);
    const packets = makeRun(count, stride, last, first);
    sealChaCha(segments, WORD);
    packets.forEach((packet, i) => {
      const bytes = i === count - 1 ? last : stride;
      assert.deepEqual(openElsewhere(send, slotStart + i * stride, bytes), packet);
    });
    // And opened here: the other end's receiving key is our sending one.
    setKeys(receive, send);
    openChaCha(segments, WORD);
    assert.equal(get("failedLow") | get("failedHigh"), 0);
    packets.forEach((packet, i) => {
      const start = slotStart + i * stride + DATA_HEADER_BYTES;
      assert.deepEqual(arena.u8.slice(start, start + packet.length), packet);
    });
  });
}

test("every forged segment is named, and no other", () => {
  const segments = new Segments(arena);
  const key = randomBytes(32);
  setKeys(key, key);
  const packets = makeRun(JOB_SEGMENTS, 100, 100, 1n);
  sealChaCha(segments, WORD);
  const forged = [0, 5, 31, 32, 63];
  forged.forEach((i, n) => {
    // In the header's counter, the ciphertext and the tag.
    const at = slotStart + i * 100 + [8, 20, 99][n % 3]!;
    arena.u8[at] = arena.u8[at]! ^ 0x80;
  });
  openChaCha(segments, WORD);
  assert.equal(get("failedLow"), (1 | (1 << 5) | (1 << 31)) >>> 0);
  assert.equal(get("failedHigh"), (1 | (1 << 31)) >>> 0);
  packets.forEach((packet, i) => {
    const start = slotStart + i * 100 + DATA_HEADER_BYTES;
    const same = Buffer.compare(arena.u8.slice(start, start + packet.length), packet) === 0;
    assert.equal(same, !forged.includes(i), `segment ${i}`);
  });
});

test("a job is stale once its slot or its session has changed", () => {
  const segments = new Segments(arena);
  const slotWord = wordOf(arena, "slotGenerations", 4, SLOT);
  const sessionWord = wordOf(arena, "sessions", SESSION.size, SESSION_AT);
  set("slot", SLOT);
  set("session", SESSION_AT);
  set("slotGeneration", arena.u32[slotWord]!);
  set("sessionGeneration", arena.u32[sessionWord]!);
  assert.equal(segments.fresh(WORD), true);
  arena.u32[slotWord] = arena.u32[slotWord]! + 1;
  assert.equal(segments.fresh(WORD), false);
  set("slotGeneration", arena.u32[slotWord]!);
  arena.u32[sessionWord] = arena.u32[sessionWord]! + 1;
  assert.equal(segments.fresh(WORD), false);
});
