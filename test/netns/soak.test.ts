/** soak — half a minute: many rekeys under changing traffic, nothing grows, nothing is lost. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { cannotRun, Lab } from "../lab/lab.ts";
import { judge, type Look, soak } from "../long/soaking.ts";
import { rise } from "../long/trend.ts";

const skip = cannotRun(["iperf3"]);
let lab: Lab;
before(async () => {
  if (skip === false) lab = await Lab.make();
});
after(() => lab?.remove());

const SECONDS = [0, 1, 2, 3, 4];

test("the slope test tells a leak from noise", () => {
  assert.equal(rise(SECONDS, [5, 5, 5, 5, 5]), 0);
  assert.equal(rise(SECONDS, [0, 2, 4, 6, 8]), 8);
  assert.ok(rise(SECONDS, [9, 10, 8, 10, 9]) < 1);
  assert.ok(rise(SECONDS, [8, 6, 4, 2, 0]) < 0);
});

test("the verdict names what grew, what is held and what was dropped", () => {
  const calm = SECONDS.map(
    (second): Look => ({
      ...{ second, rssMb: 90, fds: 40, sessions: 2, jobsInFlight: 0, slotsHeld: 0 },
      ...{ indexes: [], counters: {}, drops: { linkOnly: 4, replayed: 0 } },
    }),
  );
  const end = (last: Partial<Look>): Look[] => [...calm.slice(0, -1), { ...calm.at(-1)!, ...last }];
  const growing = calm.map((look) => ({ ...look, rssMb: 90 + 20 * look.second }));
  assert.deepEqual(judge("a", calm), []);
  assert.match(judge("a", growing).join(), /^a: rssMb rose by 40\.0 MB$/);
  assert.match(judge("a", end({ slotsHeld: 1 })).join(), /^a: 1 slots held at the end$/);
  assert.match(judge("a", end({ drops: { replayed: 2 } })).join(), /^a: drops: 2 replayed$/);
  assert.match(judge("a", end({ sessions: 5 })).join(), /^a: 5 sessions of one peer$/);
});

test("half a minute of soak", { skip }, async () => {
  const result = await soak(lab, 0.5, 2, () => {});
  assert.deepEqual(result.faults, []);
  assert.ok(result.looks[0]!.length >= 10 && result.gigabytes > 0.1);
});
