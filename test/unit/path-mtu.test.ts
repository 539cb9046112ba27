/** path-mtu — paths of every size are found, by probes on virtual time that may be lost. */
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  ANSWER_MOST_MS,
  FLOOR_BYTES,
  PathMtu,
  type PathSeen,
  PROBE_TRIES,
  ROUND_EVERY_MS,
  SEARCH_EVERY_MS,
  SILENCE_MS,
  VERIFY_EVERY_MS,
} from "../../src/control/frames/path-mtu.ts";

const MTU = 1_420;
const OVERHEAD = 32;
/** A look at a peer with a session, as timers.ts has it. */
const LOOK_MS = 2_500;

/** A peer behind a path, and data that flows to it. */
class Bench {
  readonly probes: number[] = [];
  path: PathMtu;
  nowMs = 1_000_000;
  /** Largest UDP payload that crosses. */
  takes = Number.POSITIVE_INFINITY;
  rttMs = 20;
  mtu = MTU;
  ownMtu = MTU;
  flowing = true;
  heard = true;
  /** Our own link is what takes no more. */
  refuses = false;
  lost: () => boolean = () => false;
  #lastDataSentMs = 0;
  #lastReceivedMs = 0;
  #answers: { id: number; bytes: number; atMs: number }[] = [];

  constructor() {
    let id = 0;
    this.path = new PathMtu(() => ++id);
  }

  #seen(): PathSeen {
    if (this.flowing) this.#lastDataSentMs = this.nowMs;
    if (this.heard) this.#lastReceivedMs = this.nowMs;
    const { mtu, ownMtu } = this;
    return {
      lastDataSentMs: this.#lastDataSentMs,
      lastReceivedMs: this.#lastReceivedMs,
      mtu,
      ownMtu,
    };
  }

  step(): void {
    const probe = this.path.step(this.#seen(), this.nowMs);
    if (probe === null) return;
    this.probes.push(probe.bytes);
    if (probe.bytes > this.takes && this.refuses) this.path.refused(probe.bytes, this.nowMs);
    if (probe.bytes > this.takes || this.lost()) return;
    this.#answers.push({ ...probe, atMs: this.nowMs + this.rttMs });
  }

  /** Looks when it is due, and whenever all peers are looked at. */
  run(forMs: number): void {
    const untilMs = this.nowMs + forMs;
    while (this.nowMs < untilMs) {
      this.step();
      const answer = this.#answers[0];
      const lookMs = (Math.floor(this.nowMs / LOOK_MS) + 1) * LOOK_MS;
      const dueMs = Math.max(this.nowMs + 1, Math.min(this.path.dueMs, lookMs));
      this.nowMs = Math.min(dueMs, answer?.atMs ?? dueMs, untilMs);
      if (answer !== undefined && answer.atMs <= this.nowMs) {
        this.#answers.shift();
        this.#lastReceivedMs = this.nowMs;
        this.path.answered(answer.id, answer.bytes, this.nowMs);
      }
    }
  }
}

test("a path that takes all costs one probe, and says how far it is", () => {
  const bench = new Bench();
  bench.run(10_000);
  assert.equal(bench.path.mtu, MTU);
  assert.deepEqual(bench.probes, [MTU + OVERHEAD]);
  assert.equal(bench.path.rttMs, 20);
});

test("every smaller path is found to the step of the padding, and soon", () => {
  for (const mtu of [1_280, 1_300, 1_420, 1_500, 9_000]) {
    for (let inner = FLOOR_BYTES; inner < mtu; inner += mtu > 2_000 ? 333 : 7) {
      const bench = new Bench();
      bench.mtu = mtu;
      bench.ownMtu = mtu;
      bench.takes = inner + OVERHEAD;
      bench.run(25_000);
      assert.equal(bench.path.mtu, Math.floor(inner / 16) * 16, `${inner} of ${mtu}`);
      assert.equal(bench.path.dueMs, Number.POSITIVE_INFINITY);
    }
  }
});

test("what was found holds for packets with their padding", () => {
  const bench = new Bench();
  bench.takes = 1_380 - 28;
  bench.run(10_000);
  assert.equal(bench.path.mtu, 1_312);
  for (let size = 1; size <= bench.path.mtu; size++) {
    assert.ok(Math.min(Math.ceil(size / 16) * 16, MTU) + OVERHEAD <= bench.takes);
  }
});

test("a smaller tunnel at the other end is a limit, and 1280 is none", () => {
  const bench = new Bench();
  bench.mtu = 1_300;
  bench.run(5_000);
  assert.deepEqual(bench.probes, [1_312 + OVERHEAD]);
  assert.equal(bench.path.mtu, 1_300);
});

test("half of all probes lost: what is found crosses, and nothing below 1280 is", () => {
  let seed = 7;
  for (let i = 0; i < 50; i++) {
    const bench = new Bench();
    bench.takes = 1_352;
    bench.lost = () => {
      seed = (Math.imul(seed, 1_103_515_245) + 12_345) >>> 0;
      return seed >>> 31 === 1;
    };
    bench.run(60_000);
    assert.ok(bench.path.mtu === 0 || bench.path.mtu >= FLOOR_BYTES);
    assert.ok(bench.path.mtu <= 1_312);
  }
});

test("without data there is no probe; with it, one a minute, and all every ten minutes", () => {
  const bench = new Bench();
  bench.flowing = false;
  bench.run(10 * SEARCH_EVERY_MS);
  assert.deepEqual(bench.probes, []);
  bench.flowing = true;
  bench.takes = 1_352;
  bench.run(LOOK_MS);
  bench.run(SEARCH_EVERY_MS - VERIFY_EVERY_MS);
  const searches = (): number =>
    bench.probes.filter((bytes) => bytes === MTU + OVERHEAD).length / PROBE_TRIES;
  // At once, and one minute, two and four after the one before.
  assert.equal(searches(), 4);
  bench.run(10 * SEARCH_EVERY_MS);
  assert.ok(searches() >= 13 && searches() <= 15, `${searches()} searches`);
  assert.equal(bench.path.mtu, 1_312);
  const before = bench.probes.length;
  bench.flowing = false;
  bench.run(10 * SEARCH_EVERY_MS);
  // What was sent up to the last look may be followed by one probe.
  assert.ok(bench.probes.length - before <= 1 + PROBE_TRIES, "an idle tunnel is probed");
});

test("a path that becomes smaller under a flow is noticed when nothing comes back", () => {
  const bench = new Bench();
  bench.run(30_000);
  assert.equal(bench.path.mtu, MTU);
  bench.takes = 1_352;
  bench.heard = false;
  bench.run(SILENCE_MS + 2 * LOOK_MS + ROUND_EVERY_MS + 4 * PROBE_TRIES * ANSWER_MOST_MS);
  assert.equal(bench.path.mtu, 1_312);
});

test("a word now and then that nobody answers is not followed by probes", () => {
  const bench = new Bench();
  bench.run(10_000);
  bench.heard = false;
  const before = bench.probes.length;
  for (let i = 0; i < 20; i++) {
    bench.flowing = true;
    bench.step();
    bench.flowing = false;
    bench.run(30_000);
  }
  assert.ok(bench.probes.length - before <= 14, `${bench.probes.length - before} probes`);
});

test("a path that becomes larger is used within ten minutes, or when the endpoint moves", () => {
  for (const moves of [true, false]) {
    const bench = new Bench();
    bench.takes = 1_352;
    bench.run(20_000);
    assert.equal(bench.path.mtu, 1_312);
    bench.takes = 1_500;
    if (moves) bench.path.moved();
    bench.run(moves ? ROUND_EVERY_MS + LOOK_MS : SEARCH_EVERY_MS + LOOK_MS);
    assert.equal(bench.path.mtu, MTU);
  }
});

test("while it searches anew, what was found stays", () => {
  const bench = new Bench();
  bench.takes = 1_352;
  bench.run(20_000);
  for (let i = 0; i < SEARCH_EVERY_MS / 100 + 50; i++) {
    bench.run(100);
    assert.equal(bench.path.mtu, 1_312);
  }
});

test("who answers nothing is deaf, and its path unknown, if it was heard meanwhile", () => {
  for (const heard of [true, false]) {
    const bench = new Bench();
    bench.run(10_000);
    bench.takes = 0;
    bench.heard = heard;
    bench.run(4 * VERIFY_EVERY_MS);
    assert.equal(bench.path.mtu, heard ? 0 : MTU);
    assert.equal(bench.path.deafRounds > 0, heard);
  }
});

test("our own link refuses: the size is lost at once", () => {
  const bench = new Bench();
  bench.takes = 1_352;
  bench.refuses = true;
  bench.run(ANSWER_MOST_MS);
  assert.equal(bench.path.mtu, 1_312);
  assert.equal(bench.probes.filter((bytes) => bytes === MTU + OVERHEAD).length, 1);
});

test("an answer counts once, with the size that was sent, however late", () => {
  const bench = new Bench();
  const path = bench.path;
  const seen = { lastDataSentMs: 1, lastReceivedMs: 1, mtu: MTU, ownMtu: MTU };
  const probe = path.step(seen, 10)!;
  assert.equal(path.answered(probe.id + 1, probe.bytes, 11), false);
  assert.equal(path.answered(probe.id, probe.bytes - 1, 11), false);
  assert.equal(path.answered(probe.id, probe.bytes, 11), true);
  assert.equal(path.answered(probe.id, probe.bytes, 12), false);
  // Slower than any wait: each answer comes when the next size is asked for.
  const slow = new Bench();
  slow.rttMs = 7_000;
  slow.run(60_000);
  assert.equal(slow.path.mtu, MTU);
});

test("another MTU of the tunnel begins anew", () => {
  const bench = new Bench();
  bench.run(10_000);
  bench.mtu = 1_500;
  bench.ownMtu = 1_500;
  bench.takes = 1_452;
  bench.run(20_000);
  assert.equal(bench.path.mtu, 1_408);
});
