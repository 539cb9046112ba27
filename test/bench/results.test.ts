/** results — the folder of a run: parts of several scenarios, the report over all of them. */
import assert from "node:assert/strict";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { type Part, Results } from "../../bench/results.ts";
import { LabError } from "../lab/lab.ts";
import type { Machine } from "../lab/machine.ts";
import { paperRows, speedRows } from "./chart-rows.ts";

const root = mkdtempSync(join(tmpdir(), "p2pvpn-results-test-"));
after(() => rmSync(root, { recursive: true, force: true }));

const MACHINE: Machine = {
  ...{ cpu: "none", cores: 2, memoryGiB: 1, kernel: "0", system: "none", node: "v20" },
  ...{ iperf3: "3", version: "0.0.0", commit: "abc" },
};

const partOf = (scenario: "paper" | "speed"): Part => ({
  scenario,
  machine: MACHINE,
  rows: scenario === "paper" ? paperRows() : speedRows(),
  page: `# Scenario \`${scenario}\`\n\nA page.`,
});

test("scenarios of several sittings come into one report, in their order", async () => {
  const results = Results.open(root, join(root, "out"));
  for (const scenario of ["speed", "paper"] as const) {
    results.add(partOf(scenario));
    await results.write(MACHINE);
  }
  const text = (name: string): string => readFileSync(join(results.folder, name), "utf8");
  const { machine, rows } = JSON.parse(text("rows.json")) as {
    readonly machine: Machine;
    readonly rows: Part["rows"];
  };
  assert.equal(machine.commit, "abc");
  assert.deepEqual([...new Set(rows.map((row) => row.scenario))], ["paper", "speed"]);
  const report = text("report.md");
  assert.ok(report.indexOf("`paper`\n\nA page.") < report.indexOf("`speed`\n\nA page."));
  assert.equal(report.match(/^# /gm)?.length, 1);
  const pictures = [...report.matchAll(/(?:srcset|src)="(charts\/[^"]+)"/g)].map(
    ([, file]) => file!,
  );
  assert.ok(pictures.length > 2);
  for (const file of pictures) assert.ok(existsSync(join(results.folder, file)), file);
  assert.match(text("report.html"), /<h1[^>]*>Benchmark of p2pvpn-engine/);
});

test("the newest run that has cells of a scenario is gone on with", () => {
  assert.throws(() => Results.newest(root, ["paper"]), LabError);
  for (const [name, file] of [
    ["2026-01-01-000000", "paper.jsonl"],
    ["2026-01-02-000000", "speed.jsonl"],
  ] as const) {
    mkdirSync(join(root, "bench/results", name), { recursive: true });
    writeFileSync(join(root, "bench/results", name, file), "");
  }
  assert.match(Results.newest(root, ["paper", "direct"]).folder, /2026-01-01-000000$/);
  assert.match(Results.newest(root, ["speed", "paper"]).folder, /2026-01-02-000000$/);
});
