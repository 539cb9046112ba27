/**
 * bench — `npm run bench`: plans cells, measures them one by one, keeps each, writes the report.
 *
 *   options.ts ─▶ scenario/*.ts: tasks ─▶ cells.ts: order, file ─▶ here: measure ─▶ results.ts
 *
 * Progress goes to stderr. Stopped at any moment, `--resume` goes on with the cell that was under
 * way.
 */
import { existsSync } from "node:fs";
import { loadavg } from "node:os";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { EngineError } from "../src/schema/errors.ts";
import { LabError, missingTools } from "../test/lab/lab.ts";
import { describeMachine, type Machine } from "../test/lab/machine.ts";
import { runMain } from "../test/lab/main.ts";
import { type Cell, type Done, type Figures, interleave, Store, secondsLeft } from "./cells.ts";
import { lockBench } from "./lock.ts";
import { HELP, type Options, readOptions, type ScenarioName, UsageError } from "./options.ts";
import { type Part, partOf } from "./part.ts";
import { Results } from "./results.ts";
import { directScenario } from "./scenario/direct.ts";
import { paperScenario } from "./scenario/paper.ts";
import type { Scenario, ScenarioMaker } from "./scenario/scenario.ts";
import { speedScenario } from "./scenario/speed.ts";

/** Options whose word is a path of one machine: not for a page that others read. */
const PATHS = ["--node", "--wireguard-go", "--out"];

const SCENARIOS: Readonly<Record<ScenarioName, ScenarioMaker>> = {
  speed: speedScenario,
  ladder: speedScenario,
  paper: paperScenario,
  direct: directScenario,
};

const say = (text: string): void => void process.stderr.write(`${text}\n`);

/** The checkout or package that this file is part of, built or not. */
const projectRoot = (): string => {
  let folder = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(folder, "package.json")) && dirname(folder) !== folder) {
    folder = dirname(folder);
  }
  return folder;
};

const minutes = (seconds: number): string =>
  seconds < 90 ? `${Math.ceil(seconds)} s` : `${Math.ceil(seconds / 60)} min`;

/** A sitting's own words, without paths. */
const commandOf = (): string => {
  const told = process.argv
    .slice(2)
    .map((word, i, all) => (PATHS.includes(all[i - 1] ?? "") ? "PATH" : word));
  return ["npm run bench --", ...told].join(" ");
};

/**
 * What differs between two sittings of one file would make their figures incomparable; more runs,
 * works or floods only add to them.
 */
const openStore = (
  options: Options,
  scenario: Scenario,
  results: Results,
  machine: Machine,
): Store => {
  const { seconds, offloads } = options;
  const { name, schemes, missing } = scenario;
  const versions = schemes.map((one) => `${one.id} ${one.version} ${one.node ?? ""}`.trim());
  const plan = { scenario: name, seconds, offloads, versions, commit: machine.commit };
  const sitting = { plan, machine, schemes, missing };
  const file = results.cells(name);
  if (!existsSync(file)) return Store.create(file, sitting, commandOf());
  if (options.resume) return Store.resume(file, sitting, commandOf());
  throw new LabError(`${file} is there already; add --resume to go on with it.`);
};

/**
 * What kept a cell from being measured, as one sentence: a program that ended, or what the system
 * refused. Other errors are faults of the benchmark, and end the run.
 */
const whyFailed = (error: unknown): string => {
  const { code, message } = error as NodeJS.ErrnoException;
  const known = error instanceof LabError || error instanceof EngineError;
  if (known || code !== undefined) return message.split("\n")[0]!;
  throw error;
};

const measureCell = async (scenario: Scenario, cell: Cell): Promise<Done> => {
  const start = process.hrtime.bigint();
  const [loadAverage = 0] = loadavg();
  const at = new Date().toISOString();
  let figures: Figures | null = null;
  let failed: string | null = null;
  try {
    figures = await scenario.measure(cell);
  } catch (error) {
    failed = whyFailed(error);
  }
  const tookSeconds = Number(process.hrtime.bigint() - start) / 1e9;
  return { ...cell, at, tookSeconds, loadAverage, figures, failed };
};

const runCells = async (scenario: Scenario, store: Store, options: Options): Promise<void> => {
  const cells = interleave(scenario.tasks, options.runs);
  const left = store.left(cells);
  const width = Math.max(...cells.map(({ scheme }) => scheme.length));
  const estimate = (): string => minutes(secondsLeft(left, store.done, scenario.tasks));
  say(`${left.length} of ${cells.length} cells to measure, about ${estimate()}; ${store.file}`);
  while (left.length > 0) {
    const done = await measureCell(scenario, left[0]!);
    left.shift();
    store.add(done);
    const place = `${cells.length - left.length}/${cells.length}`.padStart(9);
    const told =
      done.figures === null ? `failed: ${done.failed}` : scenario.tell(done, done.figures);
    const what = `run ${done.run}  ${done.work.padEnd(7)} ${done.scheme.padEnd(width)}`;
    say(`${place}  ${what}  ${told}${left.length > 0 ? `   (${estimate()} left)` : ""}`);
  }
};

/** Measures what is left of a scenario. */
const runScenario = async (
  options: Options,
  scenario: Scenario,
  results: Results,
  machine: Machine,
): Promise<Part> => {
  const store = openStore(options, scenario, results, machine);
  const stopped = (): void =>
    say(`Stopped with ${store.done.length} cells done; --resume goes on.`);
  process.once("exit", stopped);
  await runCells(scenario, store, options);
  process.off("exit", stopped);
  return partOf(scenario.name, store);
};

/** What is to be run: scenarios that have anything of what was named. Errors: UsageError. */
const makeScenarios = async (options: Options, version: string, root: string) => {
  const made: { readonly options: Options; readonly scenario: Scenario }[] = [];
  for (const name of options.scenarios) {
    const own = { ...options, scenario: name };
    const scenario = await SCENARIOS[name](own, version, root);
    if (scenario.tasks.length > 0) made.push({ options: own, scenario });
  }
  if (made.length > 0) return made;
  throw new UsageError(
    "Nothing of that is measured by any scenario; see `npm run bench -- --help`.",
  );
};

const main = async (): Promise<number> => {
  const options = readOptions(process.argv.slice(2), process.env);
  if (options === null) {
    process.stdout.write(HELP);
    return 0;
  }
  if (process.geteuid?.() !== 0) throw new LabError("This needs root; run it with sudo.");
  const missing = missingTools(["ip", "ping", "iperf3", "wg", "ethtool"]);
  if (missing !== null) throw new LabError(missing);
  lockBench();
  const root = projectRoot();
  const machine = describeMachine(process.execPath);
  const made = await makeScenarios(options, machine.version, root);
  const absent = new Map(made.flatMap((one) => one.scenario.missing).map((one) => [one.id, one]));
  for (const { why } of absent.values()) say(why);
  const goesOn = options.resume && options.out === null;
  const results = goesOn
    ? Results.newest(root, options.scenarios)
    : Results.open(root, options.out);
  const parts: Part[] = [];
  for (const one of made) {
    parts.push(await runScenario(one.options, one.scenario, results, machine));
    await results.write(machine, results.parts());
  }
  const rows = parts.flatMap((part) => part.rows);
  process.stdout.write(
    options.json
      ? `${JSON.stringify({ machine, rows }, null, 2)}\n`
      : `${parts.map(({ page }) => page).join("\n\n")}\n`,
  );
  say(`Written to ${relative(process.cwd(), results.folder) || "."}.`);
  const empty = rows.filter(({ id, runs }) => runs === 0 && !absent.has(id)).length;
  if (empty > 0) say(`${empty} of ${rows.length} rows have no figure; --resume tries them again.`);
  return empty > 0 ? 1 : 0;
};

void runMain(main);
