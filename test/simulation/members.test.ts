/** members — the short form of `npm run simulate:network`: storms, and a network that rests. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { calm } from "./members-calm.ts";
import { CUT_MS } from "./members-ledger.ts";
import { storm } from "./members-storm.ts";

const SEEDS = 40;
const FROM = 20_000;

test("eight members, storms and liars: no promise is broken, all come together again", async () => {
  const starts: number[] = [];
  const seen = new Map<string, number>();
  for (let seed = FROM; seed < FROM + SEEDS; seed++) {
    const { startMs, counts } = await storm(seed);
    if (startMs !== null) starts.push(startMs);
    for (const [what, many] of counts) seen.set(what, (seen.get(what) ?? 0) + many);
  }
  starts.sort((a, b) => a - b);
  assert.ok(starts[starts.length >> 1]! < 5_000, `half take ${starts[starts.length >> 1]} ms`);
  // What a storm has, and what it makes of members: else nothing was shown.
  const wanted = ["restarts", "revocations", "partitions", "membersCut", "recordOld"] as const;
  const refused = ["recordAhead", "routeRefused", "certificateInvalid", "certificateTime"] as const;
  const lies = ["listInvalid", "secretInvalid", "definitionInvalid", "clonesSeen"] as const;
  for (const what of [...wanted, ...refused, ...lies]) assert.ok(seen.has(what), what);
});

test("eight members under fair weather: together within 5 s of the last start", async () => {
  for (let seed = 1; seed <= 10; seed++) {
    const run = await calm({ nodes: 8, seed, startMs: 2_000, restMs: 1_000, loss: 0 });
    assert.ok(run.togetherMs < 5_000, `seed ${seed}: ${run.togetherMs} ms`);
    assert.ok(run.cutMs < CUT_MS, `seed ${seed}: ${run.cutMs} ms`);
  }
});

test("sixty members: at rest each has few neighbours, and sends little", async () => {
  const run = await calm({ nodes: 60, seed: 7, startMs: 3_000, restMs: 1_800_000, loss: 0 });
  assert.ok(run.togetherMs < 10_000, `${run.togetherMs} ms`);
  assert.ok(run.cutMs < CUT_MS, `${run.cutMs} ms`);
  assert.ok(run.bytesADay < 5e6, `${run.bytesADay} bytes`);
  assert.ok(run.neighbours < 6 && run.neighboursMost <= 20, `${run.neighbours} neighbours`);
});

test("sixty members know two index nodes and nobody: all know all, at little cost", async () => {
  const options = { nodes: 60, startMs: 3_000, restMs: 1_800_000, loss: 0, indexes: 2 };
  const run = await calm({ ...options, seed: 7 });
  assert.ok(run.togetherMs < 10_000, `${run.togetherMs} ms`);
  assert.ok(run.bytesADay < 5e6, `${run.bytesADay} bytes`);
  assert.ok(run.isModest);
});

test("one index node that shows few at a time leaves no island, whatever is lost", async () => {
  for (let seed = 1; seed <= 3; seed++) {
    const run = await calm({
      nodes: 40,
      seed,
      startMs: 3_000,
      restMs: 1_000,
      loss: 0.01,
      indexes: 1,
    });
    assert.ok(run.togetherMs < 10_000, `seed ${seed}: ${run.togetherMs} ms`);
  }
});

test("storms with two index nodes that die and lie: no promise is broken", async () => {
  const seen = new Map<string, number>();
  for (let seed = FROM; seed < FROM + 12; seed++) {
    const { counts } = await storm(seed, false, 2);
    for (const [what, many] of counts) seen.set(what, (seen.get(what) ?? 0) + many);
  }
  const wanted = [
    "indexDeaths",
    "indexLiars",
    "indexesLost",
    "indexInvalid",
    "indexWrong",
    "seeksFound",
  ];
  for (const what of wanted) assert.ok(seen.has(what), what);
});

test("the same seed gives the same run", async () => {
  const [a, b] = [await storm(FROM), await storm(FROM)];
  assert.deepEqual({ ...a, trace: [] }, { ...b, trace: [] });
});
