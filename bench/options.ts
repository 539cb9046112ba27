/**
 * options — the command line of `npm run bench`. Pure: what is said, checked, as one object.
 */
import { parseArgs } from "node:util";
import { LabError } from "./lab.ts";

/** A command line that says something wrong; one sentence. */
export class UsageError extends LabError {
  override readonly exitCode = 2;
}

/** What can be run. `--ladder` is a scenario too. */
export type ScenarioName = (typeof SCENARIOS)[number] | "ladder";
const SCENARIOS = ["speed", "paper", "direct"] as const;
const RUNS_MAX = 1_000;
const SECONDS_MAX = 600;

export interface Options {
  readonly scenario: ScenarioName;
  /** Ids or families of schemes; empty: all. */
  readonly only: readonly string[];
  /** Ids of works; empty: all. */
  readonly work: readonly string[];
  /** Ids of kinds of floods; empty: those that the scenario shows. */
  readonly classes: readonly string[];
  readonly runs: number;
  /** Of each load. */
  readonly seconds: number;
  /** Fewer works, and fewer of them for each scheme. */
  readonly quick: boolean;
  readonly resume: boolean;
  readonly json: boolean;
  /** Node binaries besides the one that runs the benchmark. */
  readonly nodes: readonly string[];
  /** False: the cable has no offloads in any work. */
  readonly offloads: boolean;
  readonly wireguardGo: string | null;
  /** Folder of the results; null: a new one in bench/results. */
  readonly out: string | null;
}

export const HELP = `Usage: npm run bench -- [options]

Measures tunnels of p2pvpn-engine and of other VPNs between two network namespaces.

  --scenario speed       no flood; throughput, latency, processor time (default)
  --scenario paper       the paper's Table 3: the server, or our index, is flooded; links 1 Gbit/s
  --scenario direct      the peer itself is flooded, by every kind of flood
  --ladder               speed with each advantage of ours switched off once
  --only NAMES           schemes, as p2pvpn,wireguard-go or p2pvpn-aes-node20
  --work NAMES           what is measured, as tcp1,tcp4,card,udp64,ping,loaded,peers
                         under floods ping,tcp,both
  --class NAMES          kinds of floods, as junk,random,index,mac1,spoofed,replay,small
  --runs N               of each cell, 1 to ${RUNS_MAX} (default 5; 10 in the paper)
  --seconds N            of each load, 1 to ${SECONDS_MAX} (default 5)
  --quick                one run of 2 s, without idle peers; of floods, junk at 0 and 1,000 Mbit/s
  --resume               go on with the newest run in bench/results, or in --out
  --node PATH            another Node to run ours with; may be repeated; also P2PVPN_NODE24
  --no-offloads          the cable segments and merges nothing, in all works
  --wireguard-go PATH    instead of the one of Debian's backports
  --out FOLDER           where results go, instead of bench/results/<date>
  --json                 print one object with machine and rows, instead of Markdown

Root is needed. Examples:
  npm run bench -- --quick
  npm run bench -- --only p2pvpn-aes,wireguard-go --runs 10
  npm run bench -- --scenario direct --only p2pvpn,wireguard-go --quick
  npm run bench -- --resume
`;

// biome-ignore format: a table
const FLAGS = {
  scenario: { type: "string" },
  ladder: { type: "boolean", default: false },
  only: { type: "string", default: "" },
  work: { type: "string", default: "" },
  class: { type: "string", default: "" },
  runs: { type: "string" },
  seconds: { type: "string" },
  quick: { type: "boolean", default: false },
  resume: { type: "boolean", default: false },
  json: { type: "boolean", default: false },
  node: { type: "string", multiple: true, default: [] as string[] },
  "no-offloads": { type: "boolean", default: false },
  "wireguard-go": { type: "string" },
  out: { type: "string" },
  help: { type: "boolean", default: false },
} as const;

/** Node's own sentences explain more than one line holds. */
const plain = (error: unknown): UsageError => {
  const { code, message } = error as { readonly code?: string; readonly message: string };
  const flag = /'(-[^' ]*)/.exec(message)?.[1] ?? "";
  if (code === "ERR_PARSE_ARGS_UNKNOWN_OPTION") {
    return new UsageError(`There is no option ${flag}; see \`npm run bench -- --help\`.`);
  }
  if (code === "ERR_PARSE_ARGS_UNEXPECTED_POSITIONAL") {
    const word = /'([^']*)'/.exec(message)?.[1] ?? "";
    return new UsageError(`'${word}' is no option; see \`npm run bench -- --help\`.`);
  }
  return new UsageError(`${message.split(". ")[0]!.replace(/\.$/, "")}.`);
};

const whole = (name: string, text: string | undefined, fallback: number, max: number): number => {
  if (text === undefined) return fallback;
  const value = Number(text);
  if (/^\d+$/.test(text) && value >= 1 && value <= max) return value;
  throw new UsageError(`--${name} must be a whole number from 1 to ${max}, not '${text}'.`);
};

const list = (text: string): string[] => text.split(",").filter(Boolean);

const scenarioOf = (name = "speed", ladder: boolean): ScenarioName => {
  const found = SCENARIOS.find((one) => one === name);
  if (found === undefined) {
    throw new UsageError(`There is no scenario '${name}'; there are ${SCENARIOS.join(", ")}.`);
  }
  if (!ladder) return found;
  if (found !== "speed") throw new UsageError(`--ladder belongs to scenario speed, not ${found}.`);
  return "ladder";
};

const classesOf = (text: string, scenario: ScenarioName): string[] => {
  if (text === "" || scenario === "paper" || scenario === "direct") return list(text);
  throw new UsageError("--class belongs to scenarios paper and direct.");
};

/** Null: help was asked for. Errors: UsageError. */
export const readOptions = (
  words: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): Options | null => {
  let values: ReturnType<typeof parseArgs<{ options: typeof FLAGS }>>["values"];
  try {
    ({ values } = parseArgs({ args: [...words], options: FLAGS }));
  } catch (error) {
    throw plain(error);
  }
  if (values.help) return null;
  const { quick } = values;
  const scenario = scenarioOf(values.scenario, values.ladder);
  const named = env.P2PVPN_NODE24;
  return {
    scenario,
    only: list(values.only),
    work: values.work === "" && quick && scenario === "speed" ? QUICK_WORKS : list(values.work),
    classes: classesOf(values.class, scenario),
    runs: whole("runs", values.runs, quick ? 1 : 5, RUNS_MAX),
    seconds: whole("seconds", values.seconds, quick ? 2 : 5, SECONDS_MAX),
    quick,
    resume: values.resume,
    json: values.json,
    nodes: [...new Set([...values.node, ...(named === undefined ? [] : [named])])],
    offloads: !values["no-offloads"],
    wireguardGo: values["wireguard-go"] ?? null,
    out: values.out ?? null,
  };
};

/** What --quick measures. */
const QUICK_WORKS: readonly string[] = ["tcp1", "tcp4", "card", "udp64", "ping", "loaded"];

/** Keeps what a flag names, by id or by what the id begins with. Errors: UsageError. */
export const choose = <Item extends { readonly id: string }>(
  flag: "only" | "work" | "class",
  items: readonly Item[],
  names: readonly string[],
): Item[] => {
  const fits = (item: Item, name: string): boolean =>
    item.id === name || item.id.startsWith(`${name}-`);
  const wrong = names.find((name) => !items.some((item) => fits(item, name)));
  if (wrong !== undefined) {
    const known = items.map(({ id }) => id).join(", ");
    throw new UsageError(`--${flag} does not know '${wrong}'; there are ${known}.`);
  }
  return items.filter((item) => names.length === 0 || names.some((name) => fits(item, name)));
};
