/** worker — worker threads end while traffic flows; the traffic goes on. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { makeKeys, type NodeEngine, runNode, writeConfig } from "../lab/engines.ts";
import { cannotRun, Lab } from "../lab/lab.ts";
import { firstPing, flow, ping } from "../lab/measure.ts";
import type { NodeOptions } from "../lab/node.ts";

const skip = cannotRun(["iperf3"]);
let lab: Lab;
before(async () => {
  if (skip === false) lab = await Lab.make();
});
after(() => lab?.remove());

const SECONDS = 4;
const KILLS = 4;

const open = async (options: NodeOptions): Promise<readonly [NodeEngine, NodeEngine]> => {
  const a = makeKeys(lab, lab.a, "wireguard");
  const b = makeKeys(lab, lab.b, "wireguard");
  return Promise.all([
    runNode(lab, lab.a, writeConfig(lab, lab.a, a, b.publicKey), options),
    runNode(lab, lab.b, writeConfig(lab, lab.b, b, a.publicKey), options),
  ]);
};

test("workers of both ends are killed under TCP; the stream goes on", { skip }, async () => {
  const engines = await open({ flags: { threads: 2, hand_over: "always" } });
  try {
    await firstPing(lab, lab.a, lab.b.inner4);
    const stream = flow(lab, lab.a, lab.b.inner4, { seconds: SECONDS });
    for (let i = 0; i < KILLS; i++) {
      await sleep((SECONDS * 1_000) / (KILLS + 1));
      await engines[i % 2]!.endWorker();
    }
    const { megabitsPerSecond } = await stream;
    assert.ok(megabitsPerSecond > 20, `${megabitsPerSecond} Mbit/s`);
    const { lost } = await ping(lab, lab.a, lab.b.inner4, 50, 10);
    assert.equal(lost, 0, "pings were lost after the last kill");
    const before = await Promise.all(engines.map((engine) => engine.sample()));
    await flow(lab, lab.a, lab.b.inner4, { seconds: 1 });
    for (const [i, engine] of engines.entries()) {
      const { counters, drops, jobsInFlight } = await engine.sample();
      const since = counters.jobsHandedOver! - before[i]!.counters.jobsHandedOver!;
      assert.ok(since > 100, `${since} jobs were handed over after the last kill`);
      assert.equal(drops.openFailed! + drops.replayed! + drops.staleJob!, 0);
      // Each kill may have met one job of up to 64 packets.
      assert.ok(drops.workerDied! <= 64 * KILLS, `${drops.workerDied} packets`);
      assert.equal(jobsInFlight, 0);
      assert.equal(engine.program.errors, "");
    }
  } finally {
    for (const engine of engines) assert.equal(await engine.program.stop(), 0);
  }
});
