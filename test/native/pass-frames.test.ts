/** pass — control frames that were opened reach control, without their padding, within a budget. */
import assert from "node:assert/strict";
import { after, test } from "node:test";
import {
  ARRIVAL,
  ARRIVALS_PER_IO,
  COUNT,
  DROP,
  FRAME_BUDGETS,
  FRAME_BYTES,
  PEER,
  QUEUE,
} from "../../src/memory/layout.ts";
import { ACCEPT } from "../../src/memory/numbers.ts";
import { fieldWord, wordOf } from "../../src/memory/region.ts";
import { encodeFrame, FRAME_BODY_BYTES, FRAME_HEADER_BYTES } from "../../src/wire/frames.ts";
import { GENERATION, Opened, OVERHEAD_BYTES, PEERS, SESSION_USED, THREADS } from "./opened.ts";

const AUTHENTIC = ACCEPT.authentic;
const HELLO = Uint8Array.of(0, 1, 6, 0, 1, 3, 1, 0, 140, 5);
/** Fills any budget. */
const LONG_MS = 100_000;

/** The second of three I/O threads: its ring lies between others. */
const opened = new Opened(1);
const { arena, entries, counters } = opened;
after(() => opened.close());

/** A frame of so many bytes, header and all. */
const frameOf = (bytes: number): Uint8Array =>
  encodeFrame(9, new Uint8Array(bytes - FRAME_HEADER_BYTES).fill(bytes));

/** Sends one frame after the other. Returns how many control gets. */
const passedOf = (frames: number, bytes: number, peer = 3): number => {
  let passed = 0;
  for (let i = 0; i < frames; i++) {
    opened.accept([frameOf(bytes)], 1_300, 1_300, peer);
    passed += opened.arrived().length;
  }
  return passed;
};

/** How much a count grows. */
const grown = (which: number, act: () => void): number => {
  const before = counters.get(which);
  act();
  return counters.get(which) - before;
};

test("a frame goes on with its session and the size of its datagram, and is no data", () => {
  const about = { peer: 3, session: SESSION_USED, generation: GENERATION };
  for (const [bytes, room] of [
    [4, 4],
    [10, 16],
    [10, 1_420],
    [10, 65_000],
    [240, 240],
    [FRAME_BYTES, FRAME_BYTES],
    [FRAME_BYTES, 1_248],
  ] as const) {
    opened.rest(LONG_MS);
    assert.equal(opened.accept([frameOf(bytes)], room) & AUTHENTIC, AUTHENTIC);
    const datagramBytes = room + OVERHEAD_BYTES;
    assert.deepEqual(opened.arrived(), [{ ...about, datagramBytes, bytes: frameOf(bytes) }]);
  }
  const { lastReceivedMs, lastDataReceivedMs } = entries.times(3);
  assert.equal(lastReceivedMs, opened.nowMs);
  assert.equal(lastDataReceivedMs, 0, "no keepalive answers it");
  assert.ok(entries.bytes(3).received > 65_000);
  assert.equal(counters.get(COUNT.framesPassed), 7);
});

test("what is no frame costs its peer nothing and goes no further", () => {
  opened.rest(LONG_MS);
  const most = FRAME_BODY_BYTES;
  const rubbish = [
    [Uint8Array.of(0), 1],
    [Uint8Array.of(0, 1, 0), 3],
    [Uint8Array.of(0, 1, 13, 0), 16],
    [Uint8Array.of(0, 1, (most + 1) & 255, (most + 1) >> 8), 1_420],
    [Uint8Array.of(0, 1, 255, 255), 65_000],
  ] as const;
  const invalid = grown(DROP.frameInvalid, () => {
    for (let i = 0; i < 10; i++) for (const [bytes, room] of rubbish) opened.accept([bytes], room);
  });
  assert.equal(invalid, 10 * rubbish.length);
  assert.deepEqual(opened.arrived(), []);
  assert.equal(passedOf(20, 16), 10, "the budget is whole");
});

test("each frame of a run goes on, a replay does not, and the last may be shorter", () => {
  opened.rest(LONG_MS);
  const run = [HELLO, Uint8Array.of(0x45), HELLO, HELLO];
  assert.equal(opened.accept(run, 48, 16) & AUTHENTIC, AUTHENTIC);
  assert.deepEqual(
    opened.arrived().map(({ datagramBytes }) => datagramBytes),
    [80, 80, 48],
  );
  assert.equal(counters.get(DROP.innerInvalid), 1);
  opened.again(4);
  opened.accept([HELLO, HELLO], 48);
  opened.again(-2);
  assert.equal(counters.get(DROP.replayed), 2);
  assert.deepEqual(opened.arrived(), []);
});

test("a static peer has today's budget, and time fills it again", () => {
  opened.rest(LONG_MS);
  const [{ framesAtOnce, framesPerSecond, bytesAtOnce }] = FRAME_BUDGETS;
  assert.deepEqual([framesPerSecond, framesAtOnce], [20, 10]);
  const everyMs = 1_000 / framesPerSecond;
  const dropped = grown(DROP.frameRate, () => assert.equal(passedOf(30, 16), 10));
  assert.equal(dropped, 20);
  for (const [waitMs, expected] of [
    [everyMs - 1, 0],
    [1, 1],
    [3 * everyMs, 3],
    [1e6, framesAtOnce],
  ] as const) {
    opened.rest(waitMs);
    assert.equal(passedOf(20, 16), expected, `${waitMs} ms`);
  }
  opened.rest(LONG_MS);
  assert.equal(passedOf(20, FRAME_BYTES), Math.floor(bytesAtOnce / FRAME_BYTES), "by bytes");
  assert.ok(passedOf(20, 16) > 0, "one that was refused costs nothing");
});

test("a member has 64 KiB and 64 frames at once, then 200 of the longest a second", () => {
  const peer = 2;
  entries.setFrameBudget(peer, "member");
  assert.deepEqual([entries.frameBudget(peer), entries.frameBudget(3)], ["member", "static"]);
  opened.rest(LONG_MS);
  assert.equal(passedOf(300, FRAME_BYTES, peer), Math.floor(65_536 / FRAME_BYTES));
  let passed = 0;
  for (let ms = 0; ms < 10_000; ms += 5) {
    opened.rest(5);
    passed += passedOf(1, FRAME_BYTES, peer);
  }
  assert.equal(passed, 2_000, "200 a second, none lost");
  opened.rest(LONG_MS);
  assert.equal(passedOf(300, 4, peer), 64);
  opened.rest(50);
  assert.equal(passedOf(300, 4, peer), 10);
  // The entry is another peer's.
  entries.end(peer);
  entries.begin(peer);
  assert.equal(entries.frameBudget(peer), "static");
});

/** Fills a ring twice, with frames that are numbered. */
const fillTwice = (): void => {
  opened.rest(LONG_MS);
  for (let i = 0; i < 2 * ARRIVALS_PER_IO; i++) {
    if (i % 200 === 0) opened.rest(LONG_MS);
    opened.accept([Uint8Array.of(0, 7, 2, 0, i & 255, i >> 8)], 16, 16, i % PEERS);
  }
};

test("a ring that control does not empty drops, counts, and leaves others' rings alone", () => {
  for (let peer = 0; peer < PEERS; peer++) entries.setFrameBudget(peer, "member");
  const { u8, u32, layout } = arena;
  const ringBytes = ARRIVALS_PER_IO * ARRIVAL.size;
  const ringAt = (thread: number): Uint8Array => {
    const at = layout.base.arrivals + thread * ringBytes;
    return u8.subarray(at, at + ringBytes);
  };
  assert.equal(layout.count.arrivals * ARRIVAL.size, THREADS * ringBytes);
  for (const thread of [0, 2]) ringAt(thread).fill(0xa5);
  // Cursors pass 2^32 without a loss.
  const queue = wordOf(arena, "arrivalQueues", QUEUE.size, 1);
  for (const field of [QUEUE.fields.tail, QUEUE.fields.head]) {
    u32[queue + fieldWord(field)] = 0xffff_ff80;
  }
  for (let round = 0; round < 3; round++) {
    assert.equal(grown(DROP.frameFull, fillTwice), ARRIVALS_PER_IO);
    const got = opened.arrived().map(({ bytes }) => bytes[4]! | (bytes[5]! << 8));
    assert.deepEqual(
      got,
      Array.from({ length: ARRIVALS_PER_IO }, (_, i) => i),
    );
  }
  for (const thread of [0, 2]) assert.ok(ringAt(thread).every((byte) => byte === 0xa5));
});

test("without a bell nobody takes them", () => {
  opened.rest(LONG_MS);
  opened.ringTo(-1);
  assert.equal(
    grown(DROP.controlFrame, () => void opened.accept([HELLO], 16)),
    1,
  );
  assert.deepEqual(opened.arrived(), []);
  opened.ringTo(opened.bell);
  assert.equal(passedOf(1, 16), 1);
});

test("a budget that is none is the static one", () => {
  opened.rest(LONG_MS);
  arena.u32[wordOf(arena, "peers", PEER.size, 3) + fieldWord(PEER.fields.frameBudget)] = 7;
  assert.equal(entries.frameBudget(3), "static");
  assert.equal(passedOf(20, 16), 10);
  entries.setFrameBudget(3, "static");
});
