/** soak — half a minute of it: many rekeys under changing traffic, nothing grows, nothing is lost. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { cannotRun, Lab } from "../../bench/lab.ts";
import { soak } from "../../bench/soaking.ts";
import { rise } from "../../bench/trend.ts";

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

test("half a minute of soak", { skip }, async () => {
  const result = await soak(lab, 0.5, 2, () => {});
  assert.deepEqual(result.faults, []);
  assert.ok(result.looks[0]!.length >= 10 && result.gigabytes > 0.1);
});
