/** bench — one real cell: killed, gone on with, its row and files; a second benchmark refused. */
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { benchRunning } from "../../bench/lock.ts";
import { makeKeys, runNode, swapIn, writeConfig } from "../lab/engines.ts";
import { cannotRun, Lab } from "../lab/lab.ts";

const BENCH = fileURLToPath(new URL("../../bench/bench.js", import.meta.url));
const FIELDS =
  "scenario scheme version class attackMbps attackAchievedMbps latencyMs latencyP99Ms lossPct " +
  "throughputMbps runs note";

const running = benchRunning();
const skip =
  running === null
    ? cannotRun(["iperf3", "wg", "ethtool"])
    : `a benchmark is running here (process ${running})`;
const folder = mkdtempSync(join(tmpdir(), "p2pvpn-bench-test-"));
after(() => rmSync(folder, { recursive: true, force: true }));

interface Report {
  readonly machine: Readonly<Record<string, unknown>>;
  readonly rows: readonly Readonly<Record<string, unknown>>[];
}

const WORDS = "--scenario speed --work tcp1 --only p2pvpn-unsealed --runs 1 --seconds 1".split(" ");
const start = (...words: string[]) => {
  const child = spawn(process.execPath, [BENCH, ...WORDS, "--out", join(folder, "out"), ...words]);
  const said = { output: "", errors: "" };
  child.stdout.on("data", (text) => {
    said.output += text;
  });
  child.stderr.on("data", (text) => {
    said.errors += text;
  });
  const ended = new Promise<number | string | null>((resolve) => {
    child.once("close", (code, signal) => resolve(code ?? signal));
  });
  return { pid: child.pid!, child, said, ended };
};

const namespaces = (): string => spawnSync("ip", ["netns", "list"], { encoding: "utf8" }).stdout;

test("killed and gone on with: a row on stdout, files beside, nothing left behind", {
  skip,
}, async () => {
  const first = start();
  const made = `p2pvpn-bench-${first.pid}-b`;
  for (let waited = 0; !namespaces().includes(made); waited += 50) {
    assert.ok(waited < 20_000 && first.child.exitCode === null, first.said.errors);
    await sleep(50);
  }
  const second = spawnSync(process.execPath, [BENCH, "--quick"], { encoding: "utf8" });
  assert.equal(second.status, 1);
  assert.match(second.stderr, /^Another benchmark is running \(process \d+\); .*\.\n$/);
  first.child.kill("SIGKILL");
  assert.equal(await first.ended, "SIGKILL");
  assert.ok(namespaces().includes(made));

  const bench = start("--resume", "--json");
  assert.equal(await bench.ended, 0, bench.said.errors);
  const { machine, rows } = JSON.parse(bench.said.output) as Report;
  assert.ok(machine.kernel && rows.length === 1);
  const row = rows[0]!;
  for (const field of FIELDS.split(" ")) assert.ok(field in row, field);
  const { scheme, runs, latencyMs, cipher } = row;
  assert.deepEqual([scheme, runs, row.class, latencyMs, cipher], ["p2pvpn", 1, null, null, null]);
  assert.ok(Number(row.throughputMbps) > 10, String(row.note));
  const file = (name: string): string => readFileSync(join(folder, "out", name), "utf8");
  assert.equal(file("rows.json"), bench.said.output);
  assert.match(
    file("report.md"),
    /^# Benchmark of [\s\S]*\n## Scenario `speed`\n[\s\S]*PATH --resume/,
  );
  assert.match(file("report.html"), /<h1[^>]*>Benchmark of p2pvpn-engine/);
  const left = namespaces();
  assert.ok(!left.includes(made) && !left.includes(`p2pvpn-bench-${bench.pid}-`), left);
});

test("nothing sealed is nothing sealed: an engine that opens drops all of it", {
  skip,
}, async () => {
  const lab = await Lab.make();
  const [a, b] = [makeKeys(lab, lab.a, "wireguard"), makeKeys(lab, lab.b, "wireguard")];
  const imports = [swapIn("../../src/crypto/work", "../../bench/unsealed-work")];
  const configs = [
    writeConfig(lab, lab.a, a, b.publicKey),
    writeConfig(lab, lab.b, b, a.publicKey),
  ];
  const [bare, whole] = await Promise.all([
    runNode(lab, lab.a, configs[0]!, {}, process.execPath, imports),
    runNode(lab, lab.b, configs[1]!),
  ]);
  const { code } = await lab.run(lab.a, ["ping", "-n", "-c", "1", "-W", "1", lab.b.inner4]);
  assert.equal(code, 1);
  const { sessions, drops } = await whole.sample();
  assert.ok(sessions > 0, "the handshake is a real one");
  assert.ok(drops.openFailed! > 0, JSON.stringify(drops));
  for (const { program } of [bare, whole]) await program.stop();
  lab.remove();
});
