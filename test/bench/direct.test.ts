/** field — one real cell of scenario `direct`; what a killed run left is removed by the next. */
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { test } from "node:test";
import { readOptions } from "../../bench/options.ts";
import { directScenario } from "../../bench/scenario/direct.ts";
import { cannotRun } from "../lab/lab.ts";

const skip = cannotRun(["iperf3", "wg", "ethtool", "tc", "cc"]);
const FIELD = new URL("../lab/field.js", import.meta.url).href;
const LAY = `
  const { Field } = await import(${JSON.stringify(FIELD)});
  await Field.lay("all");
  process.stdout.write("laid");
  setInterval(() => {}, 1_000);
`;

const namespaces = (pid: number | undefined): string[] =>
  spawnSync("ip", ["netns", "list"], { encoding: "utf8" })
    .stdout.split("\n")
    .filter((line) => line.startsWith(`p2pvpn-bench-${pid}-`));

test("a peer is flooded from spoofed addresses; what a killed run left is gone", {
  skip,
}, async () => {
  const child = spawn(process.execPath, ["--input-type=module", "-e", LAY]);
  await new Promise((resolve) => child.stdout.once("data", resolve));
  child.kill("SIGKILL");
  await new Promise((resolve) => child.once("close", resolve));
  assert.equal(namespaces(child.pid).length, 5);

  const words = "--scenario direct --only p2pvpn --class spoofed --work tcp --quick --seconds 1";
  const scenario = await directScenario(readOptions(words.split(" "), {})!, "0.0.0", ".");
  const task = scenario.tasks.find(({ attackMbps }) => attackMbps > 0)!;
  const cell = { ...task, attackMbps: 200, run: 1 };
  const figures = await scenario.measure(cell);
  assert.deepEqual(namespaces(child.pid), []);
  assert.deepEqual(namespaces(process.pid), []);
  const told = JSON.stringify(figures);
  assert.ok(figures.attackAchievedMbps! > 100 && figures.attackAchievedMbps! < 300, told);
  assert.ok(figures.attackOfferedMbps! >= figures.attackAchievedMbps!, told);
  assert.ok(figures.throughputMbps! > 1 && figures.engineCpuSecondsPerGb! > 0, told);
});
