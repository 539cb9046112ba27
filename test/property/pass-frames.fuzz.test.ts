/**
 * control frames on an I/O thread — every plaintext that begins with 0, beside a slow and obvious
 * twin of framing and budgets: what reaches control, what is dropped why, and nothing else moves.
 */
import assert from "node:assert/strict";
import { after, test } from "node:test";
import fc from "fast-check";
import { ARRIVALS_PER_IO, COUNT, DROP, FRAME_BUDGETS } from "../../src/memory/layout.ts";
import { Opened, OVERHEAD_BYTES, PEERS } from "../native/opened.ts";
import { runs } from "./fuzzing.ts";

const COUNTED = {
  passed: COUNT.framesPassed,
  invalid: DROP.frameInvalid,
  rate: DROP.frameRate,
  full: DROP.frameFull,
} as const;
type Fate = keyof typeof COUNTED;

const opened = new Opened(0);
after(() => opened.close());

/** What a peer may still send, as a bucket that fills: frames and bytes. */
class Budget {
  readonly #row;
  #atMs: number;
  #frames: number;
  #bytes: number;

  constructor(row: (typeof FRAME_BUDGETS)[number], nowMs: number) {
    this.#row = row;
    this.#atMs = nowMs;
    this.#frames = row.framesAtOnce;
    this.#bytes = row.bytesAtOnce;
  }

  /** Null: so little is missing or left over that rounding decides. */
  take(bytes: number, nowMs: number): boolean | null {
    const { framesPerSecond, framesAtOnce, bytesPerSecond, bytesAtOnce } = this.#row;
    const passedS = (nowMs - this.#atMs) / 1_000;
    this.#atMs = nowMs;
    this.#frames = Math.min(framesAtOnce, this.#frames + passedS * framesPerSecond);
    this.#bytes = Math.min(bytesAtOnce, this.#bytes + passedS * bytesPerSecond);
    const left = Math.min(this.#frames - 1, this.#bytes - bytes);
    return Math.abs(left) < 1e-6 ? null : left > 0;
  }

  spend(bytes: number): void {
    this.#frames--;
    this.#bytes -= bytes;
  }
}

/** Bytes of the frame, or 0. */
const twin = (bytes: readonly number[]): number => {
  if (bytes.length < 4) return 0;
  const body = bytes[2]! + 256 * bytes[3]!;
  return body > 1_232 || body + 4 > bytes.length ? 0 : 4 + body;
};

const plaintexts = fc
  .record({
    room: fc.oneof(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 1, max: 2_000 })),
    // Mostly as long as there is room for.
    length: fc.oneof(
      { weight: 6, arbitrary: fc.constant(null) },
      { weight: 1, arbitrary: fc.nat(40) },
      { weight: 1, arbitrary: fc.integer({ min: 1_225, max: 1_240 }) },
      { weight: 1, arbitrary: fc.nat(0xffff) },
    ),
    type: fc.nat(255),
    rest: fc.uint8Array({ maxLength: 30 }),
  })
  .map(({ room, length: wanted, type, rest }) => {
    const bytes = new Uint8Array(room);
    const length = wanted ?? Math.max(0, Math.min(1_232, room - 4));
    bytes.set([0, type, length & 255, length >> 8, ...rest].slice(0, room));
    return bytes;
  });

const steps = fc.array(
  fc.record({
    bytes: plaintexts,
    peer: fc.nat(PEERS - 1),
    waitMs: fc.oneof({ weight: 9, arbitrary: fc.constant(0) }, fc.nat(30), fc.nat(3_000)),
    takes: fc.integer({ min: 0, max: 60 }).map((n) => n === 0),
  }),
  { minLength: 400, maxLength: 600 },
);

const counts = (): Record<Fate, number> =>
  Object.fromEntries(
    Object.entries(COUNTED).map(([fate, which]) => [fate, opened.counters.get(which)]),
  ) as Record<Fate, number>;

test("framing, budgets and the ring are the twin's", () => {
  const seen: Record<Fate, number> = { passed: 0, invalid: 0, rate: 0, full: 0 };
  fc.assert(
    fc.property(steps, fc.boolean(), (all, stalled) => {
      opened.rest(1e6);
      opened.arrived();
      const budgets = Array.from({ length: PEERS }, (_, peer) => {
        const row = stalled || peer % 2 === 1 ? 1 : 0;
        opened.entries.setFrameBudget(peer, FRAME_BUDGETS[row].name);
        return new Budget(FRAME_BUDGETS[row], opened.nowMs);
      });
      let waiting: { peer: number; datagramBytes: number; bytes: Uint8Array }[] = [];
      const check = (): void => {
        const got = opened.arrived().map(({ peer, datagramBytes, bytes }) => {
          return { peer, datagramBytes, bytes };
        });
        assert.deepEqual(got, waiting);
        waiting = [];
      };
      for (const { bytes, peer, waitMs, takes } of all) {
        opened.rest(stalled ? waitMs + 20 : waitMs);
        const before = counts();
        opened.accept([bytes], bytes.length, bytes.length, peer);
        const now = counts();
        const fates = (Object.keys(COUNTED) as Fate[]).filter((fate) => now[fate] > before[fate]);
        assert.equal(fates.length, 1);
        const [fate] = fates as [Fate];
        seen[fate]++;
        const length = twin([...bytes]);
        const may = length > 0 ? budgets[peer]!.take(length, opened.nowMs) : false;
        const room = waiting.length < ARRIVALS_PER_IO;
        const expected =
          length === 0 ? "invalid" : may === false ? "rate" : room ? "passed" : "full";
        if (may === null) assert.ok(fate !== "invalid");
        else assert.equal(fate, expected);
        if (fate === "passed" || fate === "full") budgets[peer]!.spend(length);
        const datagramBytes = bytes.length + OVERHEAD_BYTES;
        if (fate === "passed") waiting.push({ peer, datagramBytes, bytes: bytes.slice(0, length) });
        if (takes && !stalled) check();
      }
      check();
    }),
    runs(60),
  );
  for (const [fate, times] of Object.entries(seen)) assert.ok(times > 20, `${times} ${fate}`);
});
