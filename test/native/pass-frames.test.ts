/** pass — control frames that were opened reach control, without their padding, within a budget. */
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { type PassedFrame, takePassed } from "../../src/control/datagrams.ts";
import { addon } from "../../src/io/native/addon.ts";
import { F } from "../../src/io/station.ts";
import { Counters } from "../../src/memory/counters.ts";
import {
  COUNT,
  DROP,
  FRAME_BURST,
  FRAME_BYTES,
  FRAME_EVERY_MS,
  IO,
} from "../../src/memory/layout.ts";
import { ACCEPT } from "../../src/memory/numbers.ts";
import { PeerEntries } from "../../src/memory/peers.ts";
import { doubleAt, makeArena, regionTables, wordOf } from "../../src/memory/region.ts";
import { jobIndex, jobWord, openRing } from "../../src/memory/ring.ts";

const HEADER_BYTES = 16;
const OVERHEAD_BYTES = 32;
const PEER = 3;
const SESSION = 2;
const GENERATION = 41;
const HELLO = [0, 1, 6, 0, 1, 3, 1, 0, 140, 5];

const arena = makeArena({ ioThreads: 1, workers: 0, peers: 4, routes: 1 });
const { bases, counts } = regionTables(arena);
addon.attach(arena.u8, bases, counts);
const wake = addon.eventOpen();
const pair = new Int32Array(2);
assert(wake >= 0 && addon.datagramPair(new Uint8Array(pair.buffer)) >= 0);
const base = { thread: 0, tun: -1, vnetHeaderBytes: 0, udp4: -1, udp6: -1, wake };
const io = addon.ioOpen({ ...base, gso: false, uso: false, tso: false, busyBytes: 0 });
addon.ioPassTo(io, pair[0]!);
after(() => {
  addon.ioClose(io);
  for (const fd of [wake, ...pair]) addon.close(fd);
});

const counters = new Counters(arena, 0);
const entries = new PeerEntries(arena);
const clock = doubleAt(wordOf(arena, "ios", IO.size, 0), IO.fields.nowMs);
const ring = openRing(arena, 0);
let counter = 0;
arena.f64[clock] = 10_000;

/** Opened segments of `bytes` of plaintext each, and of `last` the last one. */
const accept = (
  plaintexts: readonly (readonly number[])[],
  bytes: number,
  last = bytes,
): number => {
  const { u8, u32, layout } = arena;
  const word = jobWord(ring, 0);
  const stride = bytes + OVERHEAD_BYTES;
  for (const [i, plaintext] of plaintexts.entries()) {
    const at = layout.base.slots + i * stride;
    u8.fill(0, at, at + stride);
    new DataView(arena.buffer).setUint32(at + 8, counter++, true);
    u8.set(plaintext, at + HEADER_BYTES);
  }
  for (const [field, value] of [
    [F.slot, 0],
    [F.peer, PEER],
    [F.session, SESSION],
    [F.sessionGeneration, GENERATION],
    [F.count, plaintexts.length],
    [F.segmentBytes, stride],
    [F.lastBytes, last + OVERHEAD_BYTES],
  ] as const) {
    u32[word + field] = value;
  }
  u32[wordOf(arena, "sessions", 1_408, SESSION) + 3] = PEER;
  return addon.accept(io, jobIndex(ring, 0));
};

/** What control gets. */
const passed = (): PassedFrame[] => {
  const bytes = new Uint8Array(32 * 2_048);
  const meta = new Uint8Array(32 * 64);
  const found: PassedFrame[] = [];
  const taker = {
    frame: (frame: PassedFrame) => found.push({ ...frame, bytes: frame.bytes.slice() }),
    receive: () => assert.fail("no handshake message was handed on"),
    oversized: () => assert.fail("nothing is that long"),
    crowded: () => {},
  };
  const got = addon.datagramReceive(pair[1]!, bytes, meta);
  for (let i = 0; i < got; i++) {
    const length = meta[64 * i]! | (meta[64 * i + 1]! << 8);
    takePassed(bytes.subarray(i * 2_048, i * 2_048 + length), taker);
  }
  return found;
};

/** Lets the budget fill again. */
const rest = (): void => {
  arena.f64[clock]! += FRAME_BURST * FRAME_EVERY_MS;
};

test("a frame goes on with its session and the size of its datagram, and is no data", () => {
  const about = { peer: PEER, session: SESSION, generation: GENERATION };
  for (const size of [1, 4, 10, 16, 239, 240, 241, 1_420, 65_000]) {
    rest();
    const frame = HELLO.slice(0, size);
    assert.equal(accept([frame], size) & ACCEPT.authentic, ACCEPT.authentic);
    const bytes = new Uint8Array(Math.min(size, FRAME_BYTES));
    bytes.set(frame);
    assert.deepEqual(passed(), [{ ...about, datagramBytes: size + OVERHEAD_BYTES, bytes }]);
  }
  const { lastReceivedMs, lastDataReceivedMs } = entries.times(PEER);
  assert.equal(lastReceivedMs, arena.f64[clock]);
  assert.equal(lastDataReceivedMs, 0, "no keepalive answers it");
  assert.ok(entries.bytes(PEER).received > 65_000);
  assert.equal(counters.get(COUNT.framesPassed), 9);
});

test("each frame of a run goes on, a replay does not, and the last may be shorter", () => {
  rest();
  assert.equal(accept([HELLO, [0x45], HELLO, HELLO], 48, 16) & ACCEPT.authentic, ACCEPT.authentic);
  assert.deepEqual(
    passed().map(({ datagramBytes }) => datagramBytes),
    [80, 80, 48],
  );
  assert.equal(counters.get(DROP.innerInvalid), 1);
  counter -= 4;
  accept([HELLO, HELLO], 48);
  counter += 2;
  assert.equal(counters.get(DROP.replayed), 2);
  assert.deepEqual(passed(), []);
});

test("a peer has its budget, and time fills it again", () => {
  rest();
  const before = counters.get(DROP.frameRate);
  let taken = 0;
  for (let i = 0; i < 3 * FRAME_BURST; i++) {
    accept([HELLO], 16);
    taken += passed().length;
  }
  assert.equal(taken, FRAME_BURST);
  assert.equal(counters.get(DROP.frameRate) - before, 2 * FRAME_BURST);
  for (const [waitMs, expected] of [
    [FRAME_EVERY_MS - 1, 0],
    [1, 1],
    [3 * FRAME_EVERY_MS, 3],
    [1e6, FRAME_BURST],
  ] as const) {
    arena.f64[clock]! += waitMs;
    let found = 0;
    for (let i = 0; i < 2 * FRAME_BURST; i++) {
      accept([HELLO], 16);
      found += passed().length;
    }
    assert.equal(found, expected, `${waitMs} ms`);
  }
});
