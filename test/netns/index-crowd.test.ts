/**
 * index-crowd — the short form of `npm run crowd`: one index node and hundreds of members, each
 * with an address of its own in 127.0.0.0/8. It needs neither root nor a namespace.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { runCrowding } from "../long/crowding.ts";
import { measured } from "./scene.ts";

const MEMBERS = 800;
const REVOKED = 10;

test(`one index node serves ${MEMBERS} members, also after a restart`, async (context) => {
  const run = await runCrowding({
    members: MEMBERS,
    startMs: 1_000,
    curiousMs: 500,
    restMs: 1_000,
    askers: 3,
    kill: false,
  });
  assert.ok(run.members >= MEMBERS - REVOKED, `${run.members} are in its store`);
  // Who is revoked has no channel and no record any more; all others were told that it stops.
  assert.ok(run.stopped.told >= MEMBERS - REVOKED, `${run.stopped.told} were told`);
  const { opening, stopped } = run;
  const seconds = [opening, stopped.back].map(({ tookS }) => tookS.toFixed(1)).join(" s, back in ");
  measured(context, `all have a channel after ${seconds} s`);
});
