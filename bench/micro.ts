/**
 * micro — nanoseconds of each step of the packet path alone.
 *
 *   npm run bench:micro -- [--time 150] [--only TEXT] [--json] [--check]
 *
 * Steps are those of ARCHITECTURE.md, "Life of a packet": seal and open by size and by every way
 * that is at hand, replay window, ring, routes, what a datagram is, split and merge; what an INTRO
 * costs control, and what it costs to believe a member, certificate and record. Each is called for
 * `--time` ms, then the fastest and the median call are told per packet (job, look-up, prefix,
 * datagram, member). `--check`: exit code 1 when the median look-up among 100,000 random prefixes
 * is not under 100 ns.
 */
import { parseArgs } from "node:util";
import { Bench } from "tinybench";
import { LabError } from "../test/lab/lab.ts";
import { describeMachine } from "../test/lab/machine.ts";
import { runMain } from "../test/lab/main.ts";
import { makeBenchArena } from "../test/lab/runs.ts";
import { type Figure, TELLING, tell } from "./bounds.ts";
import { aeadTasks, replayTasks } from "./micro-crypto.ts";
import { introTasks } from "./micro-intro.ts";
import { openStandIn, splitTasks } from "./micro-io.ts";
import { memberTasks } from "./micro-members.ts";
import { parseTasks, ringTasks, routeTasks } from "./micro-memory.ts";

/** Issue 4: a look-up among 100,000 prefixes, in nanoseconds. */
const ROUTE_MOST_NS = 100;
const WARMUP_SHARE = 1 / 3;
/** Calls of what takes so long that a time says little. */
const LONG = { iterations: 7, warmupIterations: 1 } as const;

export interface MicroTask {
  readonly name: string;
  readonly cipher: string | null;
  /** Packets, or whatever `unit` says, in one call. */
  readonly count: number;
  /** Bytes of each packet, 0 where there are none. */
  readonly bytes: number;
  readonly unit: "packet" | "job" | "look-up" | "prefix" | "datagram" | "member";
  readonly run: () => void;
  /** Before each call, not measured; and once, when all is done. */
  readonly before?: () => void;
  readonly after?: () => void;
}

/** Units: ns of one packet, job, look-up, prefix or datagram. */
interface Row {
  readonly name: string;
  readonly cipher: string | null;
  readonly unit: string;
  readonly fastestNs: number;
  readonly medianNs: number;
  readonly gigabitsPerSecond: number | null;
  readonly calls: number;
}

const measure = (task: MicroTask, timeMs: number): Row => {
  const { name, cipher, unit, count, bytes, before } = task;
  const calls = unit === "prefix" ? LONG : {};
  const bench = new Bench({ time: timeMs, warmupTime: timeMs * WARMUP_SHARE, ...calls });
  bench.add(name, task.run, before === undefined ? {} : { beforeEach: before });
  bench.runSync();
  task.after?.();
  const result = bench.tasks[0]?.result;
  if (result === undefined || !("latency" in result)) throw new Error(`${name} was not measured`);
  const { min, p50, samplesCount } = result.latency;
  const medianNs = (p50 * 1e6) / count;
  return {
    name,
    cipher,
    unit,
    fastestNs: (min * 1e6) / count,
    medianNs,
    gigabitsPerSecond: bytes === 0 ? null : (bytes * 8) / medianNs,
    calls: samplesCount,
  };
};

const line = ({ name, cipher, unit, fastestNs, medianNs, gigabitsPerSecond }: Row): string => {
  const title = cipher === null ? name : `${name}, ${cipher}`;
  const rate = gigabitsPerSecond === null ? "" : gigabitsPerSecond.toFixed(1);
  return `| ${title} | ${unit} | ${fastestNs.toFixed(1)} | ${medianNs.toFixed(1)} | ${rate} |`;
};

/** Makes all tasks; the returned function gives back what they hold. */
const makeTasks = (): { readonly tasks: readonly MicroTask[]; readonly close: () => void } => {
  const arena = makeBenchArena(1);
  const standIn = openStandIn();
  const tasks = [
    ...aeadTasks(arena),
    ...replayTasks(arena, standIn.io),
    ...ringTasks(arena),
    ...parseTasks(),
    ...introTasks(),
    ...splitTasks(arena, standIn),
    ...routeTasks(),
    ...memberTasks(),
  ];
  return { tasks, close: standIn.close };
};

const main = async (): Promise<number> => {
  const { values } = parseArgs({
    options: {
      time: { type: "string", default: "150" },
      only: { type: "string", default: "" },
      ...TELLING,
    },
  });
  const timeMs = Number(values.time);
  if (!(timeMs >= 10 && timeMs <= 10_000)) throw new LabError("--time is a number, 10 to 10000.");
  const { tasks, close } = makeTasks();
  const wanted = tasks.filter((task) => task.name.includes(values.only));
  if (wanted.length === 0) throw new LabError(`no step is called '${values.only}'.`);
  const rows = wanted.map((task, i) => {
    process.stderr.write(`${i + 1} of ${wanted.length}: ${task.name}\n`);
    return measure(task, timeMs);
  });
  close();
  const figures = rows
    .filter(({ unit }) => unit === "look-up")
    .map(({ name, medianNs }): Figure => {
      return { name, value: medianNs, unit: "ns", most: ROUTE_MOST_NS };
    });
  const { cpu, cores, node, commit } = describeMachine(process.execPath);
  const text = [
    `${cpu}, ${cores} cores, Node ${node}, commit ${commit}\n`,
    "| step | of one | fastest, ns | median, ns | Gbit/s |",
    "| --- | --- | --- | --- | --- |",
    ...rows.map(line),
    "\n",
  ];
  return tell(figures, values, { timeMs, rows }, text.join("\n"));
};

void runMain(main);
