/** handshakes — many peers call one engine within seconds, and each gets a session. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { cannotRun, Lab } from "../lab/lab.ts";
import { runHandshakes } from "../long/handshaking.ts";
import { measured } from "./scene.ts";

const skip = cannotRun([]);
const PEERS = 600;
const SECONDS = 4;

let lab: Lab;
before(async () => {
  if (skip === false) lab = await Lab.make();
});
after(() => lab?.remove());

test(`${PEERS} peers in ${SECONDS} s`, { skip }, async (context) => {
  const run = await runHandshakes(lab, PEERS, SECONDS);
  assert.equal(run.answered, PEERS);
  assert.equal(run.connected, PEERS);
  const { median, longest } = run.latencyMs;
  const waited = `${median.toFixed(1)} ms, longest ${longest.toFixed(1)}`;
  measured(context, `${waited}; ${run.again} again; control ${run.controlS.toFixed(2)} s`);
});
