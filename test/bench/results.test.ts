/** results — the folder of a run: parts of several scenarios, the report over all of them. */
import assert from "node:assert/strict";
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import type { Part } from "../../bench/part.ts";
import { Results } from "../../bench/results.ts";
import { LabError } from "../lab/lab.ts";
import type { Machine } from "../lab/machine.ts";
import { root as checkout } from "../tidy/tree.ts";
import { MACHINE, paperRows, speedRows } from "./chart-rows.ts";

/** Measured, and committed: cells, report and charts; nothing else that is made from cells. */
const COMMITTED = join(checkout, "bench/results");
const root = mkdtempSync(join(tmpdir(), "p2pvpn-results-test-"));
after(() => rmSync(root, { recursive: true, force: true }));

const partOf = (scenario: "paper" | "speed"): Part => ({
  machine: MACHINE,
  rows: scenario === "paper" ? paperRows() : speedRows(),
  page: `# Scenario \`${scenario}\`\n\nA page.`,
});

test("scenarios of several sittings come into one report", async () => {
  const results = Results.open(root, join(root, "out"));
  await results.write(MACHINE, [partOf("paper"), partOf("speed")]);
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

for (const sitting of readdirSync(COMMITTED)) {
  test(`the committed report and charts of ${sitting} are what its cells give`, async () => {
    const committed = join(COMMITTED, sitting);
    const folder = join(root, sitting);
    mkdirSync(folder);
    for (const name of readdirSync(committed).filter((file) => file.endsWith(".jsonl"))) {
      copyFileSync(join(committed, name), join(folder, name));
    }
    const results = Results.open(root, folder);
    const parts = results.parts();
    assert.ok(parts.length > 0);
    await results.write(parts.at(-1)!.machine, parts);
    const charts = readdirSync(join(folder, "charts")).map((name) => `charts/${name}`);
    assert.deepEqual(
      readdirSync(join(committed, "charts")).sort(),
      readdirSync(join(folder, "charts")).sort(),
    );
    for (const name of ["report.md", ...charts]) {
      const [made, kept] = [folder, committed].map((at) => readFileSync(join(at, name), "utf8"));
      assert.ok(made === kept, `${name}: run npm run bench:redraw -- bench/results/${sitting}`);
    }
  });
}
