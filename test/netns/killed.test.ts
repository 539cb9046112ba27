/** killed — an end dies without a word and is started again; the tunnel comes back by itself. */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import type { StatusValue } from "../../src/schema/requests.ts";
import { hostJson, interfaceOf, runCli } from "../lab/engines.ts";
import type { Program } from "../lab/lab.ts";
import { firstPing, ping } from "../lab/measure.ts";
import { calledBy, measured, Scene, SHORT } from "./scene.ts";
import { rowsOf, WIREGUARDS } from "./versions.ts";

const scene = new Scene();
/** Who calls learns at once; a start takes about a second. */
const CALLER_SECONDS = 5;
/** "nothing comes back for KEEPALIVE + REKEY_TIMEOUT": 15 s, then a retry may be lost. */
const CALLEE_SECONDS = 22;

const kill = async (program: Program): Promise<void> => {
  program.child.kill("SIGKILL");
  assert.equal(await program.ended, "SIGKILL");
};

/** Ours as a user starts it, dead once, with the socket file that it left. */
const startTwice = async (config: string, between: () => Promise<unknown>): Promise<Program> => {
  const { lab } = scene;
  const first = await runCli(lab, lab.a, config);
  try {
    await between();
  } finally {
    await kill(first);
  }
  const socket = join(lab.runFolder, `${interfaceOf(lab.a)}.sock`);
  assert.ok(existsSync(socket), "the dead engine left no socket: nothing to replace");
  return runCli(lab, lab.a, config);
};

const ROWS = WIREGUARDS.flatMap((wireguard, row) =>
  (["ours", "theirs"] as const).map((caller) => ({ wireguard, row, caller })),
);

for (const { wireguard, caller } of rowsOf(ROWS, (row) => row.caller === "ours" || row.row === 0)) {
  const role = caller === "ours" ? "initiator" : "responder";
  test(`${wireguard.name}: ours is killed as ${role} and started again`, {
    skip: scene.skipFor(wireguard),
  }, async (context) => {
    const { lab } = scene;
    const plans = calledBy(caller);
    const [from, to] = caller === "ours" ? [lab.a, lab.b.inner4] : [lab.b, lab.a.inner4];
    const theirs = await scene.startTheirs(wireguard, plans.theirs);
    try {
      const config = scene.configureOurs(plans.ours);
      const engine = await startTwice(config, () => firstPing(lab, from, to));
      try {
        const status = await hostJson<StatusValue>(lab, lab.a, "status");
        assert.equal(status.interface, interfaceOf(lab.a));
        const seconds = await firstPing(lab, from, to, CALLEE_SECONDS);
        measured(context, `first answer ${seconds.toFixed(1)} s after it was up again`);
        assert.ok(seconds < (caller === "ours" ? CALLER_SECONDS : CALLEE_SECONDS), `${seconds} s`);
        const { lost } = await ping(lab, from, to, 10, 10);
        assert.equal(lost, 0);
      } finally {
        assert.equal(await engine.stop(), 0);
      }
    } finally {
      await theirs.stop();
    }
  });
}

for (const wireguard of WIREGUARDS) {
  test(`${wireguard.name}: it is killed and started again; ours calls it`, {
    skip: scene.skipFor(wireguard),
  }, async (context) => {
    const { lab } = scene;
    const { theirs } = calledBy("ours");
    await scene.withPair({ wireguard, ...calledBy("ours"), node: SHORT }, async (pair) => {
      const beganMs = performance.now();
      await scene.firstPing("ours");
      await kill(pair.wireguard);
      const again = await scene.startTheirs(wireguard, theirs);
      try {
        const seconds = await firstPing(lab, lab.a, lab.b.inner4);
        measured(context, `first answer after ${seconds.toFixed(1)} s, with timers of a fifth`);
        assert.ok(seconds < CALLER_SECONDS + 3, `${seconds} s`);
        const { counters } = await pair.engine.sample();
        // One before, one after; and rekeys, where all this took long.
        const rekeys = (performance.now() - beganMs) / SHORT.timing!.rekeyAfterTimeMs!;
        const made = counters.sessionsMade!;
        assert.ok(made >= 2 && made <= 2 + rekeys, `${made} sessions`);
      } finally {
        await again.stop();
      }
    });
  });
}
