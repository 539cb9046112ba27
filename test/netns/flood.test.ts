/**
 * flood — handshakes while somebody floods with initiations whose mac1 is valid: ours with ours,
 * and with wireguard-go in both roles. The flood comes from the caller's own address, another port.
 */
import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";
import type { StatusValue } from "../../src/schema/requests.ts";
import {
  hostJson,
  type Keys,
  makeKeys,
  PORT,
  runCli,
  runFlood,
  runNode,
  runWireguardGo,
  writeConfig,
} from "../lab/engines.ts";
import { cannotRun, Lab, type Program } from "../lab/lab.ts";
import { firstPing, ping } from "../lab/measure.ts";
import { measured } from "./scene.ts";
import { inTurn } from "./versions.ts";

const skip = cannotRun([]);
const skipWg = cannotRun(["wg"]);
/** Tuning: far more than either program can answer with a handshake each. */
const PER_SECOND = 30_000;
const FLOOD_SECONDS = 30;
let lab: Lab;
let keysA: Keys;
let keysB: Keys;
const running: Program[] = [];
before(async () => {
  if (skip !== false) return;
  lab = await Lab.make();
  keysA = makeKeys(lab, lab.a, "wireguard");
  keysB = makeKeys(lab, lab.b, "wireguard");
});
after(() => lab?.remove());
afterEach(async () => {
  for (const program of running.splice(0).reverse()) await program.stop();
});

const started = (program: Program): Program => {
  running.push(program);
  return program;
};

/** Floods host b from host a until the test ends. */
const flood = async (perSecond = PER_SECOND): Promise<Program> =>
  started(
    await runFlood(lab, lab.a, {
      to: lab.b.under4,
      port: PORT,
      publicKey: keysB.publicKey,
      perSecond,
      seconds: FLOOD_SECONDS,
    }),
  );

test("ours with ours: a handshake completes, and status says what is going on", {
  skip,
}, async (context) => {
  const configB = writeConfig(lab, lab.b, keysB, keysA.publicKey, { knowsEndpoint: false });
  started(await runCli(lab, lab.b, configB));
  const calm = await hostJson<StatusValue>(lab, lab.b, "status");
  assert.deepEqual(calm.defence, { state: "calm", rung: 0 });
  await flood();
  const configA = writeConfig(lab, lab.a, keysA, keysB.publicKey);
  const caller = await runNode(lab, lab.a, configA);
  started(caller.program);
  // It calls again every 5 s where the flood pushed its message out of a socket.
  const seconds = await firstPing(lab, lab.a, lab.b.inner4, FLOOD_SECONDS - 5);
  measured(context, `first answer after ${seconds.toFixed(1)} s`);
  const { lost } = await ping(lab, lab.a, lab.b.inner4, 20, 10);
  assert.equal(lost, 0, "data was lost");
  const status = await hostJson<StatusValue>(lab, lab.b, "status");
  assert.deepEqual(status.defence, { state: "under load", rung: 4 });
  assert.ok(status.drops.cookieAsked! > 1_000, `${status.drops.cookieAsked} cookie replies`);
  assert.ok(status.counters.handshakesVerified! >= 1);
  assert.ok(status.counters.sessionsMade! >= 1);
  const { counters } = await caller.sample();
  assert.ok(counters.cookiesTaken! >= 1);
});

for (const { name, binary, skip: missing } of inTurn(0)) {
  test(`${name} under load asks ours for a cookie`, {
    skip: skipWg || missing,
  }, async (context) => {
    const plan = { knowsEndpoint: false };
    started(await runWireguardGo(lab, lab.b, keysB, keysA.publicKey, plan, binary));
    await flood();
    const caller = await runNode(lab, lab.a, writeConfig(lab, lab.a, keysA, keysB.publicKey));
    started(caller.program);
    const seconds = await firstPing(lab, lab.a, lab.b.inner4, FLOOD_SECONDS - 5);
    const { counters, drops } = await caller.sample();
    measured(
      context,
      `first answer after ${seconds.toFixed(1)} s, ${counters.cookiesTaken} cookies`,
    );
    assert.ok(counters.cookiesTaken! > 0, "it was not under load");
    assert.ok(counters.sessionsMade! >= 1);
    assert.equal(drops.cookieUnexpected, 0);
  });
}

for (const { name, binary, skip: missing } of inTurn(1)) {
  test(`ours under load asks ${name} for a cookie`, {
    skip: skipWg || missing,
  }, async (context) => {
    const configB = writeConfig(lab, lab.b, keysB, keysA.publicKey, { knowsEndpoint: false });
    const callee = await runNode(lab, lab.b, configB);
    started(callee.program);
    await flood();
    started(await runWireguardGo(lab, lab.a, keysA, keysB.publicKey, {}, binary));
    const seconds = await firstPing(lab, lab.a, lab.b.inner4, FLOOD_SECONDS - 5);
    const { counters, drops } = await callee.sample();
    measured(context, `first answer after ${seconds.toFixed(1)} s, ${drops.cookieAsked} asked`);
    assert.ok(drops.cookieAsked! > 0);
    assert.ok(counters.handshakesVerified! >= 1);
    assert.ok(counters.sessionsMade! >= 1);
  });
}
