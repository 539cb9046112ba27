/**
 * limiter — against a slow twin that keeps a bucket of tokens for every source that ever was, in a
 * Map; and, with a table much too small, that no source ever gets more than its rate.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  Bucket,
  Limiter,
  SOURCE_PROBES,
  SOURCE_RATE,
  type SourceHash,
} from "../../src/control/strangers/limiter.ts";
import { makeSockaddr } from "../../src/wire/sockaddr.ts";
import { runs } from "./arena.ts";

const COST_MS = 1_000 / SOURCE_RATE.perSecond;

/** Tokens in units of a millisecond's refill, so that nothing is rounded. */
class Twin {
  readonly #buckets = new Map<string, { units: number; atMs: number }>();

  take(source: string, nowMs: number): boolean {
    const full = SOURCE_RATE.burst * COST_MS;
    const bucket = this.#buckets.get(source) ?? { units: full, atMs: nowMs };
    const units = Math.min(full, bucket.units + (nowMs - bucket.atMs));
    const allowed = units >= COST_MS;
    this.#buckets.set(source, { units: allowed ? units - COST_MS : units, atMs: nowMs });
    return allowed;
  }
}

/** Source `n`: IPv4, IPv6, or IPv4-mapped; what differs in `low` is one bucket. */
const addressOf = (n: number, low: number): Uint8Array => {
  if (n % 2 === 0) return makeSockaddr(Uint8Array.of(10, 0, 0, n), 1_000 + low);
  const bytes = new Uint8Array(16);
  bytes.set([0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, n]);
  bytes[15] = low;
  return makeSockaddr(bytes, 1_000 + low);
};

/** Everybody meets in the same entries. */
const together: SourceHash = () => 3;
const spread: SourceHash = (family, high, low) => Math.imul(high ^ low ^ family, 0x9e3779b1) >>> 7;

interface Step {
  readonly waitMs: number;
  readonly source: number;
  readonly low: number;
}
const steps = (sources: number) =>
  fc.array(
    fc.record<Step>({
      waitMs: fc.oneof({ weight: 4, arbitrary: fc.nat(20) }, { weight: 1, arbitrary: fc.nat(400) }),
      source: fc.nat(sources - 1),
      low: fc.nat(250),
    }),
    { maxLength: 300 },
  );

test("as many sources as probes, all in one place: the twin says the same", () => {
  fc.assert(
    fc.property(steps(SOURCE_PROBES), (all) => {
      const limiter = new Limiter(together, SOURCE_RATE, 16);
      const twin = new Twin();
      let nowMs = 1_000;
      for (const { waitMs, source, low } of all) {
        nowMs += waitMs;
        const expected = twin.take(String(source), nowMs);
        assert.equal(limiter.take(addressOf(source, low), nowMs), expected);
      }
    }),
    { numRuns: runs(300) },
  );
});

test("many sources in a table of sixteen: nobody gets more than the rate", () => {
  fc.assert(
    fc.property(steps(100), fc.constantFrom(together, spread), (all, hash) => {
      const limiter = new Limiter(hash, SOURCE_RATE, 16);
      const passed = new Map<number, number[]>();
      let nowMs = 1_000;
      for (const { waitMs, source, low } of all) {
        nowMs += waitMs;
        if (!limiter.take(addressOf(source, low), nowMs)) continue;
        const times = passed.get(source) ?? [];
        times.push(nowMs);
        passed.set(source, times);
        // Any `burst` + k passes need the time of k refills.
        for (let k = 1; times.length - SOURCE_RATE.burst - k >= 0; k++) {
          const first = times[times.length - SOURCE_RATE.burst - k]!;
          assert.ok(nowMs - first >= k * COST_MS, `source ${source}`);
        }
      }
    }),
    { numRuns: runs(300) },
  );
});

test("a full table lets nobody new in, and forgets by itself", () => {
  const limiter = new Limiter(together, SOURCE_RATE, 16);
  for (let n = 0; n < SOURCE_PROBES; n++) assert.ok(limiter.take(addressOf(n, 0), 1_000));
  assert.ok(!limiter.take(addressOf(100, 0), 1_000));
  assert.ok(limiter.take(addressOf(3, 9), 1_000), "one that is known goes on");
  assert.ok(limiter.take(addressOf(100, 0), 1_000 + COST_MS));
});

test("an IPv4-mapped address is the IPv4 address", () => {
  const limiter = new Limiter(together);
  const mapped = new Uint8Array(28);
  mapped.set([10, 0, 0x12, 0x34]);
  mapped.set([0xff, 0xff, 10, 0, 0, 2], 18);
  for (let n = 0; n < SOURCE_RATE.burst; n++) {
    assert.ok(limiter.take(n % 2 === 0 ? mapped : addressOf(2, 0), 1_000));
  }
  assert.ok(!limiter.take(mapped, 1_000));
  assert.ok(!limiter.take(addressOf(2, 7), 1_000));
});

test("one bucket: burst at once, then the rate", () => {
  fc.assert(
    fc.property(fc.array(fc.nat(300), { maxLength: 200 }), (waits) => {
      const bucket = new Bucket(SOURCE_RATE);
      const twin = new Twin();
      let nowMs = 0;
      for (const waitMs of waits) {
        nowMs += waitMs;
        assert.equal(bucket.take(nowMs), twin.take("all", nowMs));
      }
    }),
    { numRuns: runs(300) },
  );
});
