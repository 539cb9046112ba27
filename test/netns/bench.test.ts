/** bench — one real cell: its row, its files, a second benchmark refused, and nothing left. */
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";
import { cannotRun } from "../../bench/lab.ts";

const BENCH = fileURLToPath(new URL("../../bench/bench.js", import.meta.url));
const FIELDS =
  "scenario scheme version class attackMbps attackAchievedMbps latencyMs latencyP99Ms lossPct " +
  "throughputMbps runs note";

const skip = cannotRun(["iperf3", "wg", "ethtool"]);
const folder = mkdtempSync(join(tmpdir(), "p2pvpn-bench-test-"));
after(() => rmSync(folder, { recursive: true, force: true }));

interface Report {
  readonly machine: Readonly<Record<string, unknown>>;
  readonly rows: readonly Readonly<Record<string, unknown>>[];
}

test("a cell, nothing sealed: a row on stdout, files beside, nothing left behind", {
  skip,
}, async () => {
  const words = ["--work", "tcp1", "--only", "p2pvpn-unsealed", "--runs", "1"];
  const all = [BENCH, ...words, "--seconds", "1", "--json", "--out", join(folder, "out")];
  const bench = spawn(process.execPath, all);
  let output = "";
  let errors = "";
  bench.stdout.on("data", (text) => {
    output += text;
  });
  bench.stderr.on("data", (text) => {
    errors += text;
  });
  const ended = new Promise<number | null>((resolve) => bench.once("close", resolve));
  await new Promise<void>((resolve, reject) => {
    bench.stderr.on("data", () => errors.includes("cells to measure") && resolve());
    void ended.then((code) => reject(new Error(`it ended with ${code}: ${errors}`)));
  });
  const second = spawnSync(process.execPath, [BENCH, "--quick"], { encoding: "utf8" });
  assert.equal(second.status, 1);
  assert.match(second.stderr, /^Another benchmark is running \(process \d+\); .*\.\n$/);
  assert.equal(await ended, 0, errors);
  const { machine, rows } = JSON.parse(output) as Report;
  assert.ok(machine.kernel && rows.length === 1);
  for (const row of rows) {
    for (const field of FIELDS.split(" ")) assert.ok(field in row, field);
    assert.deepEqual([row.scheme, row.runs, row.class, row.latencyMs], ["p2pvpn", 1, null, null]);
    assert.ok(Number(row.throughputMbps) > 10, String(row.note));
  }
  assert.deepEqual(
    JSON.parse(readFileSync(join(folder, "out/rows.json"), "utf8")),
    JSON.parse(output),
  );
  assert.match(readFileSync(join(folder, "out/report.md"), "utf8"), /^# Benchmark: speed\n/);
  const left = spawnSync("ip", ["netns", "list"], { encoding: "utf8" }).stdout;
  assert.ok(!left.includes(`p2pvpn-bench-${bench.pid}-`), left);
});
