/**
 * ring — random operations on the job ring against an array, from any cursor, with a hint that may
 * lie, and with other claimers coming in between two atomic steps of a claim.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { IO, JOB, RING_JOBS } from "../../src/memory/layout.ts";
import { type Arena, wordOf } from "../../src/memory/region.ts";
import {
  claim,
  finish,
  ioTag,
  NOTHING,
  openRing,
  Poster,
  type Ring,
  STATUS,
  workerOfTag,
  workerTag,
} from "../../src/memory/ring.ts";
import { ioWord, runs, smallArena } from "./arena.ts";

const arena: Arena = smallArena();
const THREAD = 1;

/** The obvious twin: jobs from the oldest to the newest. */
interface Twin {
  readonly at: number;
  status: "posted" | "claimed" | "done" | "appended";
  tag: number;
}

class Bench {
  readonly ring: Ring;
  readonly poster: Poster;
  readonly twin: Twin[] = [];
  /** Jobs that claimers can see: appended ones are unknown until a post or publish. */
  known = 0;

  constructor(start: number) {
    for (const field of [IO.fields.tail, IO.fields.head, IO.fields.hint]) {
      arena.i32[ioWord(arena, THREAD, field)] = start;
    }
    arena.i32[ioWord(arena, THREAD, IO.fields.asleep)] = 0;
    const jobs = wordOf(arena, "jobs", JOB.size, 0);
    arena.i32.fill(0, jobs, jobs + (arena.layout.count.jobs * JOB.size) / 4);
    this.ring = openRing(arena, THREAD);
    this.poster = new Poster(this.ring);
  }

  post(): void {
    if (this.poster.free() === 0) return;
    this.twin.push({ at: this.poster.tail, status: "posted", tag: 0 });
    this.poster.post();
    this.known = this.twin.length;
  }

  append(): void {
    if (this.poster.free() === 0) return;
    this.twin.push({ at: this.poster.tail, status: "appended", tag: 0 });
    this.poster.append();
  }

  publish(): void {
    this.poster.publish();
    this.known = this.twin.length;
  }

  posted(): Twin | undefined {
    return this.twin.slice(0, this.known).find((job) => job.status === "posted");
  }

  /** Notes a claim that the ring gave out; no job may be given twice. */
  note(at: number, tag: number): void {
    const job = this.twin.find((one) => one.at === at);
    assert(job !== undefined, `claimed ${at}, which is not in the ring`);
    assert.equal(job.status, "posted", `claimed ${at} a second time`);
    job.status = "claimed";
    job.tag = tag;
  }

  finish(choice: number): void {
    const claimed = this.twin.filter((job) => job.status === "claimed");
    const job = claimed[choice % Math.max(1, claimed.length)];
    if (job === undefined) return;
    job.status = "done";
    assert.equal(finish(this.ring, job.at, job.tag), false, "nobody sleeps");
  }

  /** Gives the oldest job back when it is done, or abandons it when it is claimed. */
  retire(abandon: boolean): void {
    const job = this.twin[0];
    this.check();
    if (job === undefined || job.status === "posted") return;
    if (job.status === "claimed") {
      assert.equal(this.poster.claimer(), job.tag);
      if (!abandon) return;
    }
    this.twin.shift();
    this.known = Math.max(0, this.known - 1);
    this.poster.retire();
  }

  check(): void {
    assert.equal(this.poster.pending(), this.twin.length);
    assert.equal(this.poster.free(), RING_JOBS - this.twin.length);
    const oldest = this.twin[0];
    if (oldest === undefined) {
      // The entry is another lap's, or was never used.
      assert.equal(this.poster.status(), STATUS.free);
      return;
    }
    const status = oldest.status === "appended" ? STATUS.done : STATUS[oldest.status];
    assert.equal(this.poster.status(), status);
  }
}

const starts = fc.oneof(fc.constantFrom(0, -1, 0x7fff_fff0, -0x8000_0000, -100), fc.integer());
const step = fc.record({
  what: fc.constantFrom("post", "post", "append", "publish", "claim", "claim", "finish", "retire"),
  choice: fc.nat(1_000),
  abandon: fc.boolean(),
});

const apply = (bench: Bench, what: string, choice: number, abandon: boolean): void => {
  if (what === "post") bench.post();
  else if (what === "append") bench.append();
  else if (what === "publish") bench.publish();
  else if (what === "finish") bench.finish(choice);
  else bench.retire(abandon);
};

test("the ring is an array: the oldest unclaimed job is claimed once, retired in order", () => {
  let claims = 0;
  fc.assert(
    fc.property(starts, fc.array(step, { maxLength: 600, size: "max" }), (start, steps) => {
      const bench = new Bench(start);
      for (const { what, choice, abandon } of steps) {
        if (what !== "claim") {
          apply(bench, what, choice, abandon);
          continue;
        }
        const tag = workerTag(choice % 8, choice);
        const expected = bench.posted()?.at ?? NOTHING;
        const at = claim(bench.ring, tag);
        assert.equal(at, expected);
        if (at !== NOTHING) bench.note(at, tag);
        if (at !== NOTHING) claims++;
      }
      bench.check();
    }),
    { numRuns: runs(300) },
  );
  assert(claims > 1_000, `only ${claims} claims`);
});

test("a hint that points anywhere delays, and loses nothing", () => {
  fc.assert(
    fc.property(starts, fc.array(fc.integer(), { minLength: 1 }), fc.nat(), (start, hints, n) => {
      const bench = new Bench(start);
      const count = (n % RING_JOBS) + 1;
      for (let i = 0; i < count; i++) bench.post();
      for (let i = 0, left = count; left > 0; i++) {
        assert(i < 4 * RING_JOBS, "jobs that nobody can claim remain");
        // As far off as a wrap of the cursors can leave it, or just ahead of the oldest job.
        const hint = hints[i % hints.length]!;
        const word = ioWord(arena, THREAD, IO.fields.hint);
        arena.i32[word] = i % 2 === 0 ? hint : (bench.poster.head + (hint & 255)) | 0;
        const at = claim(bench.ring, ioTag(THREAD));
        assert.notEqual(at, NOTHING, "the oldest job is unclaimed, and was not found");
        bench.note(at, ioTag(THREAD));
        bench.finish(0);
        while (bench.twin[0]?.status === "done") {
          bench.retire(false);
          left--;
        }
      }
    }),
    { numRuns: runs(200) },
  );
});

/** Runs `between` before every atomic operation of `during`, but not within itself. */
const preempted = (between: () => void, during: () => number): number => {
  const { load, store, compareExchange } = Atomics;
  let inside = false;
  const interrupt = (): void => {
    if (inside) return;
    inside = true;
    try {
      between();
    } finally {
      inside = false;
    }
  };
  const wrap = <Arguments extends unknown[], Result>(
    operation: (...given: Arguments) => Result,
  ): ((...given: Arguments) => Result) => {
    return (...given) => {
      interrupt();
      return operation(...given);
    };
  };
  Object.assign(Atomics, {
    load: wrap(load),
    store: wrap(store),
    compareExchange: wrap(compareExchange),
  });
  try {
    return during();
  } finally {
    Object.assign(Atomics, { load, store, compareExchange });
  }
};

test("no job is claimed twice, whatever comes between two steps of a claim", () => {
  let interrupted = 0;
  const between = fc.array(fc.array(step, { maxLength: 6 }), { maxLength: 60, size: "max" });
  fc.assert(
    fc.property(starts, fc.nat(RING_JOBS), between, (start, count, turns) => {
      const bench = new Bench(start);
      for (let i = 0; i < count; i++) bench.post();
      const queue = turns.flat();
      while (queue.length > 0) {
        const outer = workerTag(1, 0);
        const at = preempted(
          () => {
            interrupted++;
            for (const { what, choice, abandon } of queue.splice(0, queue.length % 4)) {
              if (what !== "claim") apply(bench, what, choice, abandon);
              else noteClaim(bench, workerTag(2, 0));
            }
          },
          () => claim(bench.ring, outer),
        );
        if (at !== NOTHING) bench.note(at, outer);
        bench.check();
        if (queue.length > 0) queue.shift();
      }
    }),
    { numRuns: runs(300) },
  );
  assert(interrupted > 1_000, `only ${interrupted} interruptions`);
});

test("a claimer that sleeps through turns of the ring takes nothing that it saw before", () => {
  // Before each of its steps up to the compare-and-swap: the fifth.
  fc.assert(
    fc.property(starts, fc.integer({ min: 1, max: 5 }), fc.nat(4), (start, laps, sleepsAt) => {
      const bench = new Bench(start);
      bench.post();
      let steps = 0;
      const at = preempted(
        () => {
          if (steps++ !== sleepsAt) return;
          // Others do the job, and as many turns of jobs; then as many wait again.
          for (let job = 0; job < laps * RING_JOBS; job++) {
            noteClaim(bench, workerTag(2, 0));
            bench.finish(0);
            bench.retire(false);
            bench.post();
          }
        },
        () => claim(bench.ring, workerTag(1, 0)),
      );
      if (at !== NOTHING) bench.note(at, workerTag(1, 0));
      bench.check();
    }),
    { numRuns: runs(500) },
  );
});

test("an empty ring's entry is free, whatever was done in it a turn ago", () => {
  const bench = new Bench(-200);
  for (let job = 0; job < 3 * RING_JOBS; job++) {
    bench.check();
    bench.post();
    noteClaim(bench, workerTag(0, 0));
    bench.finish(0);
    bench.retire(false);
  }
  bench.check();
});

const noteClaim = (bench: Bench, tag: number): void => {
  const at = claim(bench.ring, tag);
  if (at !== NOTHING) bench.note(at, tag);
};

test("a tag names its worker, and no other incarnation nearby", () => {
  fc.assert(
    fc.property(fc.nat(63), fc.nat(10_000), fc.integer({ min: 1, max: 253 }), (worker, n, off) => {
      assert.equal(workerOfTag(workerTag(worker, n)), worker);
      assert.notEqual(workerTag(worker, n), workerTag(worker, n + off));
      assert(workerTag(worker, n) < 1 << 14);
    }),
  );
  for (let thread = 0; thread < 8; thread++) assert.equal(workerOfTag(ioTag(thread)), -1);
});

test("the finisher of the oldest job, and no other, is told to ring", () => {
  const bench = new Bench(0x7fff_ffff);
  for (let i = 0; i < 2; i++) bench.post();
  const first = claim(bench.ring, workerTag(0, 0));
  const second = claim(bench.ring, workerTag(1, 0));
  assert.equal(bench.poster.fallAsleep(), true);
  assert.equal(finish(bench.ring, second, workerTag(1, 0)), false);
  assert.equal(finish(bench.ring, first, workerTag(0, 0)), true);
  assert.equal(bench.poster.fallAsleep(), false, "the oldest job is done");
});
