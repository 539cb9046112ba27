/**
 * frame load — control frames of 1,232 bytes, 200 a second both ways, beside a TCP stream at full
 * speed: none is lost. What comes faster is dropped and counted, and no data waits for it.
 */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { FRAME_BUDGETS } from "../../src/memory/layout.ts";
import { FRAME_BODY_BYTES } from "../../src/wire/frames.ts";
import { type FrameRun, runFrames } from "../lab/frame-load.ts";
import { cannotRun, Lab } from "../lab/lab.ts";
import { measured } from "./scene.ts";

const skip = cannotRun(["iperf3"]);
const SECONDS = 4;
/** A stream that moves less does not work; what frames cost it, a benchmark tells. */
const SLOWEST_MEGABITS = 20;
/** Hellos and probes of the engines themselves, which need entries and budgets too. */
const OTHERS = 40;
const FLOOD_PER_SECOND = 2_000;
/** Datagrams may overtake each other where a peer gets a socket of its own: once in each run. */
const LATE_MAX = 8;

let lab: Lab;
before(async () => {
  if (skip === false) lab = await Lab.make();
});
after(() => lab?.remove());

const told = ({ megabitsPerSecond, ends }: FrameRun): string =>
  `TCP ${megabitsPerSecond.toFixed(0)} Mbit/s; ${ends
    .map(
      ({ sent, taken, late, latencyMs: { median, p99, most } }) =>
        `${sent} sent, ${taken} taken, ${late} late, after ${median.toFixed(1)} ms, ` +
        `p99 ${p99.toFixed(1)}, most ${most.toFixed(1)}`,
    )
    .join("; ")}`;

for (const ioThreads of [1, 2]) {
  test(`200 a second both ways, ${ioThreads} I/O thread(s): none is lost`, {
    skip,
  }, async (context) => {
    const plan = { perSecond: 200, bytes: FRAME_BODY_BYTES, budget: "member" } as const;
    const run = await runFrames(lab, ioThreads, SECONDS, plan);
    assert.equal(run.ends.length, 2);
    for (const [i, { sent, taken, wrong, late, drops, counters }] of run.ends.entries()) {
      assert.equal(sent, SECONDS * plan.perSecond);
      assert.equal(taken, run.ends[1 - i]!.sent, `lost; ${run.socketDrops} by full sockets`);
      assert.equal(wrong, 0);
      assert.ok(late <= LATE_MAX, `${late} late`);
      assert.ok(counters.framesTaken! >= taken);
      assert.equal(drops.frameRate! + drops.frameFull! + drops.frameUnsent!, 0);
      assert.equal(drops.frameInvalid! + drops.frameMembers! + drops.queueFull!, 0);
    }
    assert.ok(run.megabitsPerSecond > SLOWEST_MEGABITS);
    measured(context, told(run));
  });
}

for (const row of FRAME_BUDGETS) {
  test(`${FLOOD_PER_SECOND} a second to a ${row.name}: what is too much is counted, data flows`, {
    skip,
  }, async (context) => {
    const plan = { perSecond: FLOOD_PER_SECOND, bytes: 16, budget: row.name };
    const run = await runFrames(lab, 1, SECONDS, plan);
    for (const [i, { sent, taken, wrong, late, drops, counters }] of run.ends.entries()) {
      const other = run.ends[1 - i]!;
      assert.equal(sent, SECONDS * FLOOD_PER_SECOND);
      assert.equal(wrong, 0);
      assert.ok(late <= LATE_MAX, `${late} late`);
      // The budget, and what it holds at first; those sent at last may be late.
      const most = (other.tookS + 1) * row.framesPerSecond + row.framesAtOnce;
      assert.ok(taken <= most, `${taken} taken`);
      assert.ok(taken >= SECONDS * row.framesPerSecond - OTHERS, `${taken} taken`);
      // Every frame has been counted, and nothing holds any.
      assert.equal(drops.frameRate! + counters.framesPassed!, other.counters.framesSent);
      assert.equal(drops.frameFull, 0);
    }
    assert.ok(run.megabitsPerSecond > SLOWEST_MEGABITS);
    measured(context, `${told(run)}; ${run.ends[0]!.waited} waits for an entry`);
  });
}
