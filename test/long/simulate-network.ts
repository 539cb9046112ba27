/**
 * simulate-network — many seeds of the simulation of members (test/simulation/members-*.ts): who
 * finds whom how fast, and what it costs.
 *
 *   npm run simulate:network -- --nodes 8 --seeds 10000 [--from 1] [--trace]
 *   npm run simulate:network -- --nodes 100 --seeds 20 [--rest 86400] [--json]
 *   npm run simulate:network -- --nodes 5000 --seeds 1 --meet
 *   each with --indexes 2: members know index nodes and nobody else
 *
 * Eight nodes go through a storm: restarts, partitions, moves, wrong clocks, revocations, liars,
 * clones. Any other number starts, comes together, rests, and revokes one of its own, under fair
 * weather; with --meet it comes together, and no more. Exit code 1 when a promise was broken; it
 * says how to see that run again.
 */
import { parseArgs } from "node:util";
import { LabError } from "../lab/lab.ts";
import { runMain } from "../lab/main.ts";
import {
  type Calm,
  type CalmOptions,
  calm,
  type Meeting,
  meet,
} from "../simulation/members-calm.ts";
import { Violation } from "../simulation/members-ledger.ts";
import { type Storm, StormError } from "../simulation/members-outcome.ts";
import { storm } from "../simulation/members-storm.ts";

/** Runs that were seen to fail; more are for the summary. */
const FAILURES_MAX = 10;
const PROGRESS_MS = 10_000;
const STORM_NODES = 8;

const print = (text: string): void => void process.stdout.write(`${text}\n`);

const whole = (name: string, text: string, least: number, most: number): number => {
  const value = Number(text);
  if (Number.isInteger(value) && value >= least && value <= most) return value;
  throw new LabError(`--${name} must be a whole number from ${least} to ${most}, not '${text}'.`);
};

/** Middle, and worst of some figures. */
const spread = (values: readonly number[]): { readonly median: number; readonly worst: number } => {
  const order = [...values].sort((a, b) => a - b);
  return { median: order[order.length >> 1] ?? 0, worst: order.at(-1) ?? 0 };
};

const seconds = (ms: number): string => `${(ms / 1_000).toFixed(1)} s`;
const megabytes = (bytes: number): string => `${(bytes / 1e6).toFixed(2)} MB`;

const between = (values: readonly number[], write: (value: number) => string): string => {
  const { median, worst } = spread(values);
  return `${write(median)} (worst ${write(worst)})`;
};

interface Options {
  readonly from: number;
  readonly seeds: number;
  readonly trace: boolean;
  readonly indexes: number;
  readonly json: boolean;
}

/** Runs seeds until ten have failed. Returns how many did. */
const each = async (options: Options, run: (seed: number) => Promise<void>): Promise<number> => {
  const { from, seeds, trace } = options;
  let failures = 0;
  let saidMs = performance.now();
  for (let seed = from; seed < from + seeds && failures < FAILURES_MAX; seed++) {
    try {
      await run(seed);
    } catch (error) {
      if (!(error instanceof StormError) && !(error instanceof Violation)) throw error;
      failures++;
      if (trace && error instanceof StormError) print(error.trace.join("\n"));
      print(error instanceof StormError ? error.message : `seed ${seed}: ${error.message}`);
    }
    if (performance.now() - saidMs < PROGRESS_MS) continue;
    saidMs = performance.now();
    print(`seed ${seed}: ${seed - from + 1} of ${seeds}, ${failures} failed`);
  }
  return failures;
};

const storms = async (options: Options): Promise<number> => {
  const runs: Storm[] = [];
  const counts = new Map<string, number>();
  const before = process.cpuUsage();
  const failures = await each(options, async (seed) => {
    const run = await storm(seed, options.trace, options.indexes);
    if (options.trace) print(run.trace.join("\n"));
    runs.push({ ...run, trace: [] });
    for (const [what, many] of run.counts) counts.set(what, (counts.get(what) ?? 0) + many);
  });
  const { user, system } = process.cpuUsage(before);
  for (const [what, many] of [...counts].sort()) print(`  ${what.padEnd(24)} ${many}`);
  const days = runs.reduce((sum, { virtualMs }) => sum + virtualMs, 0) / 86_400_000;
  const starts = runs.flatMap(({ startMs }) => startMs ?? []);
  print(`${runs.length} storms, ${days.toFixed(1)} virtual days, ${failures} failed`);
  print(`together after the last start: ${between(starts, seconds)}`);
  print(`  not before the storm: ${runs.length - starts.length}`);
  print(
    `together after the storm: ${between(
      runs.map((run) => run.togetherMs),
      seconds,
    )}`,
  );
  print(`processor time: ${((user + system) / 1_000 / options.seeds).toFixed(0)} ms a seed`);
  return failures;
};

/** Memory of this process for one member that one node knows, all else included. */
const bytesAMember = (nodes: number): number => {
  globalThis.gc?.();
  const { heapUsed, external } = process.memoryUsage();
  return (heapUsed + external) / nodes ** 2;
};

/** Says now and then how far a run is. */
const sayProgress = (nodes: number): NonNullable<CalmOptions["progress"]> => {
  let saidMs = performance.now();
  return (know, nowMs) => {
    if (performance.now() - saidMs < PROGRESS_MS) return;
    saidMs = performance.now();
    print(`  after ${seconds(nowMs)}: ${know} of ${nodes} know all, if not more`);
  };
};

const mapsToo = (_: string, value: unknown): unknown =>
  value instanceof Map ? Object.fromEntries(value) : value;

/** Runs seeds under fair weather, and says what all runs have; `more` says the rest. */
const fair = async <Run extends Meeting>(
  options: Options,
  { nodes, restMs }: Pick<CalmOptions, "nodes" | "restMs">,
  run: (options: CalmOptions) => Promise<Run>,
  more: (say: Say<Run>) => void,
): Promise<number> => {
  const runs: Run[] = [];
  const bytes: number[] = [];
  const startMs = Math.min(10_000, 1_000 + 10 * nodes);
  const rest = { nodes, startMs, restMs, loss: 0.01, indexes: options.indexes };
  const failures = await each(options, async (seed) => {
    const together = (): void => void bytes.push(bytesAMember(nodes));
    const done = await run({ ...rest, seed, together, progress: sayProgress(nodes) });
    runs.push(done);
    if (options.trace) print(JSON.stringify({ seed, ...done }, mapsToo));
  });
  if (options.json) print(JSON.stringify({ nodes, runs }, mapsToo));
  print(`${runs.length} runs of ${nodes} nodes, ${failures} failed`);
  const say: Say<Run> = (what, value, write) =>
    print(`${what}: ${between(runs.map(value), write)}`);
  say("together after the last start", (one) => one.togetherMs, seconds);
  say("bytes to come together", (one) => one.bytesToJoin, megabytes);
  print(`memory a member, of each node: ${between(bytes, (b) => `${b.toFixed(0)} bytes`)}`);
  more(say);
  say(
    "processor time a node",
    (one) => one.cpuMs / nodes,
    (ms) => `${ms.toFixed(1)} ms`,
  );
  return failures;
};

/** One figure of all runs. */
type Say<Run> = (
  what: string,
  value: (run: Run) => number,
  write: (value: number) => string,
) => void;

const sayCalm = (say: Say<Calm>): void => {
  say("a revoked member is cut", (run) => run.cutMs, seconds);
  say("bytes a day and node at rest", (run) => run.bytesADay, megabytes);
  say(
    "neighbours",
    (run) => run.neighbours,
    (value) => value.toFixed(1),
  );
  say("  most", (run) => run.neighboursMost, String);
};

const main = async (): Promise<number> => {
  const { values } = parseArgs({
    options: {
      nodes: { type: "string", default: String(STORM_NODES) },
      seeds: { type: "string", default: "100" },
      from: { type: "string", default: "1" },
      rest: { type: "string", default: "3600" },
      trace: { type: "boolean", default: false },
      indexes: { type: "string", default: "0" },
      json: { type: "boolean", default: false },
      meet: { type: "boolean", default: false },
    },
  });
  const nodes = whole("nodes", values.nodes, 2, 10_000);
  const seeds = whole("seeds", values.seeds, 1, 1e9);
  const from = whole("from", values.from, 0, Number.MAX_SAFE_INTEGER - seeds);
  const restS = whole("rest", values.rest, 1, 1e6);
  const indexes = whole("indexes", values.indexes, 0, 16);
  const options = { from, seeds, trace: values.trace, indexes, json: values.json };
  const sizes = { nodes, restMs: restS * 1_000 };
  let failures: number;
  if (values.meet) failures = await fair(options, sizes, meet, () => {});
  else if (nodes === STORM_NODES) failures = await storms(options);
  else failures = await fair(options, sizes, calm, sayCalm);
  return failures === 0 ? 0 : 1;
};

void runMain(main);
