/** bench — command line, statistics, kept cells, rows and tables, goals, the search for a rate. */
import assert from "node:assert/strict";
import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { type Done, interleave, Store, secondsLeft, type Task } from "../../bench/cells.ts";
import { lockBench } from "../../bench/lock.ts";
import { choose, readOptions, UsageError } from "../../bench/options.ts";
import { absentRow, makeRows, markdownTable, workTable } from "../../bench/report.ts";
import { GOALS, judge } from "../../bench/scenario/goals.ts";
import { LOSS_MAX_PCT, searchRate, type Trial } from "../../bench/scenario/rate.ts";
import { quantile, ratioOf, spreadOf } from "../lab/statistics.ts";
import { MACHINE } from "./chart-rows.ts";

const folder = mkdtempSync(join(tmpdir(), "p2pvpn-bench-test-"));
after(() => rmSync(folder, { recursive: true, force: true }));

const read = (...words: string[]) => readOptions(words, {})!;
const refused = (pattern: RegExp, ...words: string[]): void => {
  const wrong = (error: unknown): boolean =>
    error instanceof UsageError && error.exitCode === 2 && pattern.test(error.message);
  assert.throws(() => read(...words), wrong, words.join(" "));
};

test("the command line is read, and quick is short", () => {
  const usual = read();
  assert.deepEqual([usual.runs, usual.seconds, usual.only], [5, 5, []]);
  assert.deepEqual(usual.scenarios, ["paper", "direct", "speed"]);
  const quick = read("--quick", "--only", "p2pvpn,wireguard-go", "--node", "x", "--node", "x");
  assert.deepEqual([quick.runs, quick.seconds, quick.nodes], [1, 2, ["x"]]);
  assert.deepEqual(quick.only, ["p2pvpn", "wireguard-go"]);
  assert.deepEqual(quick.scenarios, ["paper", "direct"]);
  assert.deepEqual(read("--scenario", "speed,paper", "--quick").scenarios, ["paper", "speed"]);
  assert.equal(read("--quick", "--runs", "3").runs, 3);
  assert.deepEqual(read("--ladder").scenarios, ["ladder"]);
  assert.deepEqual(readOptions([], { P2PVPN_NODE24: "n24" })!.nodes, ["n24"]);
  assert.equal(readOptions(["--help"], {}), null);
});

test("what is wrong on the command line is one sentence and exit code 2", () => {
  refused(/^--ladder belongs to scenario speed, not direct\.$/, "--scenario", "direct", "--ladder");
  refused(/^--class belongs .*\.$/, "--class", "junk", "--scenario", "speed");
  refused(/^There is no scenario 'sped'; .*\.$/, "--scenario", "sped");
  refused(/^There is no option --foo; see .*--help`\.$/, "--foo");
  refused(/^'speed' is no option; see .*\.$/, "speed");
  refused(/^--runs must be a whole number from 1 to 1000, not '0'\.$/, "--runs", "0");
  refused(/^--seconds must be .*, not '1e2'\.$/, "--seconds", "1e2");
  refused(/^[^.]*--runs[^.]*\.$/, "--runs");
  const items = ["p2pvpn-aes-node20", "p2pvpn-aes-node24", "other"].map((id) => ({ id }));
  const one = { scenarios: ["paper"] as const };
  const ids = (...names: string[]): string[] =>
    choose(one, "only", items, names).map(({ id }) => id);
  assert.deepEqual(ids("p2pvpn"), ["p2pvpn-aes-node20", "p2pvpn-aes-node24"]);
  assert.deepEqual(ids("other", "p2pvpn-aes-node24"), ["p2pvpn-aes-node24", "other"]);
  assert.equal(ids().length, 3);
  assert.throws(() => ids("p2p"), /--only does not know 'p2p'; there are .*other\.$/);
  // Another scenario may know it.
  assert.deepEqual(choose(read(), "only", items, ["p2p", "other"]), [{ id: "other" }]);
});

test("quantiles lie between neighbours, ratios pair runs", () => {
  assert.deepEqual(spreadOf([4, 1, 3, 2]), {
    ...{ mean: 2.5, median: 2.5, lowest: 1, lowerQuartile: 1.75, upperQuartile: 3.25, highest: 4 },
  });
  assert.equal(quantile([7], 0.99), 7);
  assert.equal(spreadOf([]), null);
  const series = (...values: number[]) => values.map((value, i) => ({ run: i + 1, value }));
  // A machine that becomes twice as fast: figures spread, ratios do not.
  assert.deepEqual(ratioOf(series(2, 4, 6), series(1, 2, 3)), { ratio: 2, lowest: 2, highest: 2 });
  assert.deepEqual(ratioOf(series(2, 3), [{ run: 2, value: 1 }]), {
    ...{ ratio: 2.5, lowest: 3, highest: 3 },
  });
  assert.equal(ratioOf(series(1), []), null);
  assert.equal(ratioOf(series(1), series(0)), null);
});

const taskOf = (scheme: string, work: string): Task => ({
  ...{ scenario: "speed", scheme, work, class: null, attackMbps: 0, seconds: 10 },
});
const TASKS = [taskOf("A", "tcp1"), taskOf("B", "tcp1"), taskOf("A", "ping"), taskOf("B", "ping")];
const doneOf = (cell: Omit<Done, "at" | "tookSeconds" | "loadAverage">): Done => ({
  ...{ ...cell, at: "2026-01-01T00:00:00.000Z", tookSeconds: 4, loadAverage: 0 },
});

test("schemes take turns within a work, and its runs follow each other", () => {
  const shuffled = [TASKS[0]!, TASKS[2]!, TASKS[1]!, TASKS[3]!];
  const order = interleave(shuffled, 2).map(({ run, work, scheme }) => `${run}${work}${scheme}`);
  assert.equal(order.join(" "), "1tcp1A 1tcp1B 2tcp1A 2tcp1B 1pingA 1pingB 2pingA 2pingB");
});

const COMMAND = "npm run bench --";

test("a run is gone on with: no cell twice, half a line and failures again", () => {
  const file = join(folder, "cells.jsonl");
  const plan = {
    ...{ scenario: "speed", seconds: 5, offloads: true },
    versions: ["A 1"],
    commit: "",
  };
  const sitting = { plan, machine: MACHINE, schemes: SCHEMES, missing: [] };
  const cells = interleave(TASKS, 2);
  const store = Store.create(file, sitting, COMMAND);
  store.add(doneOf({ ...cells[0]!, figures: { throughputMbps: 5 }, failed: null }));
  store.add(doneOf({ ...cells[1]!, figures: null, failed: "It ended." }));
  appendFileSync(file, '{"scenario":"speed","sch');
  const again = Store.resume(file, sitting, COMMAND);
  assert.deepEqual(again.left(cells), cells.slice(1));
  // What is written now does not join the broken line.
  again.add(doneOf({ ...cells[1]!, figures: { throughputMbps: 6 }, failed: null }));
  assert.deepEqual(Store.resume(file, sitting, COMMAND).left(cells), cells.slice(2));
  assert.equal(readFileSync(file, "utf8").trim().split("\n").length, 3);
  // Each sitting's command is kept, once.
  const more = `${COMMAND} --runs 3`;
  assert.deepEqual(Store.resume(file, sitting, more).head.commands, [COMMAND, more]);
  assert.deepEqual(Store.resume(file, sitting, COMMAND).head.commands, [COMMAND, more]);
  // Known cells as they took, others as estimated.
  assert.equal(secondsLeft(cells.slice(2, 5), again.done, TASKS), 4 + 4 + 10);
  assert.throws(
    () => Store.resume(file, { ...sitting, plan: { ...plan, seconds: 3 } }, COMMAND),
    /seconds was 5.*leave --resume out\.$/,
  );
  assert.throws(() => Store.create(file, sitting, COMMAND), /EEXIST/);
  writeFileSync(join(folder, "other"), "hello\n");
  assert.throws(
    () => Store.resume(join(folder, "other"), sitting, COMMAND),
    /is no file of a benchmark/,
  );
});

const WORK = { id: "tcp1", title: "TCP", figure: "throughputMbps", note: "no ping beside it" };
const schemeOf = (id: string, family: string) => ({
  ...{ id, title: `the ${id}`, family, version: "1.2", cipher: null, node: null },
});
const SCHEMES = [schemeOf("A", "p2pvpn"), schemeOf("B", "wireguard-go")];
const measured = (scheme: string, ...values: (number | null)[]): Done[] =>
  values.map((value, i) =>
    doneOf({
      ...{ scenario: "speed", scheme, work: "tcp1", class: null, attackMbps: 0, run: i + 1 },
      ...{ figures: value === null ? null : { throughputMbps: value } },
      failed: value === null ? "It ended." : null,
    }),
  );

test("rows hold every field of the contract, and say why a figure is null", () => {
  const [row] = makeRows("speed", SCHEMES, [WORK], measured("A", 3_000, null, 1_000));
  assert.deepEqual(
    { ...row, spread: undefined },
    {
      ...{ scenario: "speed", scheme: "p2pvpn", version: "1.2", class: null, attackMbps: 0 },
      ...{ attackAchievedMbps: 0, latencyMs: null, latencyP99Ms: null, lossPct: null },
      ...{ throughputMbps: 2_000, runs: 2, id: "A", work: "tcp1", cipher: null, node: null },
      note: "there is no flood; no ping beside it; run 2: It ended.",
      spread: undefined,
    },
  );
});

test("a rival that is not there has a row with the contract's fields and its reason", () => {
  const [there] = makeRows("speed", SCHEMES, [WORK], measured("A", 1));
  const absent = absentRow("speed", "wireguard-go", "run `apt-get install x`.");
  assert.deepEqual(Object.keys(absent).sort(), Object.keys(there!).sort());
  assert.deepEqual([absent.runs, absent.throughputMbps], [0, null]);
  assert.equal(absent.note, "run `apt-get install x`.");
});

test("tables show median and spread, and the ratio to the reference", () => {
  const done = [...measured("A", 3_000, 1_000), ...measured("B", 500, 1_500)];
  const rows = makeRows("speed", SCHEMES, [WORK], done);
  const compare = { figure: "throughputMbps", reference: "B" };
  const lines = workTable(rows, SCHEMES, ["lossPct", "throughputMbps"], compare).split("\n");
  assert.deepEqual(lines, [
    "| scheme | Gbit/s | of B | runs |",
    "| --- | --- | --- | --- |",
    "| the A | 2.00 (1.00–3.00) | 2.00 × | 2 |",
    "| the B | 1.00 (0.50–1.50) | 1.00 × | 2 |",
  ]);
  assert.equal(
    markdownTable(["a"], [["x|y\nz"]])
      .split("\n")
      .at(-1),
    "| x\\|y z |",
  );
});

test("goals are judged by ratio, by value and by spread", () => {
  const goal = { ...GOALS[0]!, scheme: "A", reference: { scheme: "B", work: "tcp1" } };
  const verdict = (ours: number[], more: object = {}): string =>
    judge({ ...goal, ...more }, [...measured("A", ...ours), ...measured("B", 10, 12)]).verdict;
  assert.equal(verdict([34]), "aim reached");
  assert.equal(verdict([22]), "reached");
  assert.equal(verdict([21]), "not reached");
  assert.equal(verdict([]), "not measured");
  const less = { less: true, least: 0.5, aim: 3, absolute: true };
  assert.equal(verdict([3], less), "aim reached");
  assert.equal(verdict([5.5], less), "reached");
  assert.equal(verdict([5.6], less), "not reached");
  assert.equal(verdict([10], { within: true }), "reached");
  assert.equal(verdict([9.9], { within: true }), "not reached");
});

/** A tunnel that carries so much, and a sender that gives at most so much. */
const carrying =
  (limit: number, sender = Number.POSITIVE_INFINITY) =>
  async (asked: number): Promise<Trial> => {
    const offered = Math.min(asked, sender);
    const received = Math.min(offered, limit);
    return { asked, offered, received, lossPct: 100 * (1 - received / offered) };
  };

test("the search finds the highest rate within its steps, in few trials", async () => {
  for (const limit of [700, 7_900, 8_000, 39_000, 94_000, 1_000_000]) {
    const { best, trials, senderBound } = await searchRate(carrying(limit));
    assert.ok(best !== null && best.lossPct <= LOSS_MAX_PCT, `${limit}`);
    assert.ok(best.offered > 0.94 * limit && best.offered < 1.02 * limit, `${limit}`);
    assert.ok(trials <= 24 && !senderBound, `${limit}: ${trials}`);
  }
  assert.equal((await searchRate(carrying(0))).best, null);
});

test("a slow sender is told from a full tunnel, and one bad moment from a limit", async () => {
  const slow = await searchRate(carrying(1_000_000, 50_000));
  assert.ok(slow.senderBound && slow.best?.offered === 50_000);
  // Every second trial meets a bad moment, and so do both at 16,000 a second.
  let calls = 0;
  const shaky = async (rate: number): Promise<Trial> =>
    carrying(rate === 16_000 || calls++ % 2 === 0 ? rate / 2 : 60_000)(rate);
  const found = await searchRate(shaky);
  assert.ok(found.best !== null && found.best.offered > 55_000, `${found.best?.offered}`);
});

test("one benchmark at a time; one that was killed holds nothing", () => {
  const file = join(folder, "lock");
  writeFileSync(file, "999999999 5\n");
  lockBench(file);
  assert.match(readFileSync(file, "utf8"), new RegExp(`^${process.pid} \\d+\\n$`));
  assert.throws(() => lockBench(file), /^LabError: Another benchmark is running \(process \d+\)/);
  // The same process id, begun at another time, is another process.
  writeFileSync(file, `${process.pid} 1\n`);
  lockBench(file);
});
