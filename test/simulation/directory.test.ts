/** directory — the short form of `npm run simulate:directory`, and the twin beside the real one. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { runCompared, runMeasured, runMembers } from "./directory-order.ts";

const worst = (values: readonly number[]): number => Math.max(...values);
const median = (values: readonly number[]): number =>
  [...values].sort((a, b) => a - b)[values.length >> 1]!;

test("two hundred nodes, twenty storers: the twin says what the directory says", async () => {
  const order = { what: "compare", nodes: 200, storers: 20, seed: 3, loss: 0, steps: 250 } as const;
  const [one, again] = await Promise.all([runCompared(order), runCompared(order)]);
  assert.deepEqual(one.different, []);
  // Each of these was there, else nothing was compared.
  assert.ok(one.found > 50 && one.stored > 30 && one.refused > 15, JSON.stringify(one));
  assert.equal(one.trace, again.trace, "the same seed gives the same run");
});

test("a hundred nodes, some messages lost: all are found, also with two storers dead", async () => {
  const order = { what: "measure", nodes: 100, storers: 10, seed: 5, loss: 0.01 } as const;
  const run = await runMeasured(order);
  assert.equal(run.putMs.length, 100, "all were stored");
  assert.equal(run.found, run.asked);
  assert.equal(run.afterFound, run.afterAsked);
  assert.ok(run.convergeMs < 5_000, `${run.convergeMs} ms`);
  assert.ok(median(run.getMs) < 120 && worst(run.getMs) < 1_000, `${worst(run.getMs)} ms`);
  assert.ok(worst(run.afterMs) < 2_000, `${worst(run.afterMs)} ms`);
  assert.equal(run.restBytes.member, 0, "who only asks says nothing at rest");
  assert.ok(run.restBytes.storer < 500, `${run.restBytes.storer} bytes a second`);
  assert.equal(run.wrong, 0);
});

test("the twin, a thousand nodes: all are found", async () => {
  const order = { what: "twin", nodes: 1_000, storers: 100, seed: 5, loss: 0.01 } as const;
  const run = await runMeasured(order);
  assert.equal(run.found, run.asked);
  assert.equal(run.putMs.length, 1_000);
});

test("members that store, two of six lying, a message in fifty lost: all are found", async () => {
  const order = {
    ...({ what: "members", nodes: 60, storers: 6, liars: 2 } as const),
    ...{ seed: 7, loss: 0.02 },
  };
  const [run, again] = await Promise.all([runMembers(order), runMembers(order)]);
  // Each has all but the liars' own records: it is stored by whoever is honest.
  assert.ok(
    run.stored.every((members) => members >= 58),
    `${run.stored}`,
  );
  for (const { found, asked } of [run.first, run.oneDead, run.oneBack]) {
    assert.equal(found, asked, JSON.stringify(run));
  }
  assert.ok(median(run.first.ms) < 400, `${median(run.first.ms)} ms`);
  assert.equal(run.restBytes.member, 0, "who only asks says nothing at rest");
  assert.ok(run.restBytes.storer < 500, `${run.restBytes.storer} bytes a second`);
  assert.ok(run.counts.targetWrong! > 0, "there were lies");
  assert.ok(run.counts.storersSilent! > 0, "one was gone");
  assert.equal(run.trace, again.trace, "the same seed gives the same run");
});
