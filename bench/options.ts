/**
 * options — the command line of `npm run bench`. Pure: what is said, checked, as one object.
 */
import { parseArgs } from "node:util";
import { LabError } from "../test/lab/lab.ts";

/** A command line that says something wrong; one sentence. */
export class UsageError extends LabError {
  override readonly exitCode = 2;
}

/** What can be run. `--ladder` is a scenario too. */
export type ScenarioName = (typeof SCENARIOS)[number] | "ladder";
const SCENARIOS = ["paper", "direct", "speed"] as const;
const RUNS_MAX = 1_000;
const SECONDS_MAX = 600;

export interface Options {
  /** What is run, one after the other. */
  readonly scenarios: readonly ScenarioName[];
  /** The one that is being made. */
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

  --scenario NAMES       paper,direct,speed; all of them unless named, which takes hours
      paper              the paper's Table 3: the server, or our index, is flooded; links 1 Gbit/s
      direct             the peer itself is flooded, by every kind of flood
      speed              no flood; throughput, latency, processor time
  --ladder               speed with each advantage of ours switched off once
  --only NAMES           schemes, as p2pvpn,wireguard-go or p2pvpn-aes-node20; in speed also bare:
                         no protocol and no cipher, which is not measured unless named
  --work NAMES           what is measured, as tcp1,tcp4,card,udp64,ping,loaded,peers
                         under floods ping,tcp,both
  --class NAMES          kinds of floods, as junk,random,index,mac1,spoofed,replay,small,
                         onlink,onlink6
  --runs N               of each cell, 1 to ${RUNS_MAX} (default 5; 10 in the paper)
  --seconds N            of each load, 1 to ${SECONDS_MAX} (default 5)
  --quick                one run of 2 s; paper and direct with junk at 0 and 1,000 Mbit/s, unless
                         named otherwise; speed without idle peers
  --resume               go on with the newest run in bench/results, or in --out; more runs,
                         works or floods are added to it
  --node PATH            another Node to run ours with; may be repeated; also P2PVPN_NODE24
  --no-offloads          the cable segments and merges nothing, in all works
  --wireguard-go PATH    instead of the one of Debian's backports
  --out FOLDER           where results go, instead of bench/results/<date>
  --json                 print one object with machine and rows, instead of Markdown

Root is needed. Examples:
  npm run bench -- --quick
  npm run bench -- --scenario speed --only p2pvpn-aes,wireguard-go --runs 10
  npm run bench -- --scenario direct --only p2pvpn,wireguard-go --quick
  npm run bench -- --resume
`;

// biome-ignore format: a table
const FLAGS = {
  scenario: { type: "string", default: "" },
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

const scenariosOf = (text: string, ladder: boolean, quick: boolean): readonly ScenarioName[] => {
  const names = list(text);
  const wrong = names.find((name) => !SCENARIOS.some((one) => one === name));
  if (wrong !== undefined) {
    throw new UsageError(`There is no scenario '${wrong}'; there are ${SCENARIOS.join(", ")}.`);
  }
  if (ladder) {
    if (names.length === 0 || text === "speed") return ["ladder"];
    throw new UsageError(`--ladder belongs to scenario speed, not ${text}.`);
  }
  const usual = quick ? SCENARIOS.filter((name) => name !== "speed") : SCENARIOS;
  return names.length === 0 ? usual : SCENARIOS.filter((name) => names.includes(name));
};

const classesOf = (text: string, scenarios: readonly ScenarioName[]): string[] => {
  const flooded = scenarios.some((name) => name === "paper" || name === "direct");
  if (text === "" || flooded) return list(text);
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
  const scenarios = scenariosOf(values.scenario, values.ladder, quick);
  const named = env.P2PVPN_NODE24;
  return {
    scenarios,
    scenario: scenarios[0]!,
    only: list(values.only),
    work: list(values.work),
    classes: classesOf(values.class, scenarios),
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

/**
 * Keeps what a flag names, by id or by what the id begins with. Where several scenarios are run, a
 * name may belong to another one. Errors: UsageError.
 */
export const choose = <Item extends { readonly id: string }>(
  { scenarios }: Pick<Options, "scenarios">,
  flag: "only" | "work" | "class",
  items: readonly Item[],
  names: readonly string[],
): Item[] => {
  const fits = (item: Item, name: string): boolean =>
    item.id === name || item.id.startsWith(`${name}-`);
  const wrong = names.find((name) => !items.some((item) => fits(item, name)));
  if (wrong !== undefined && scenarios.length === 1) {
    const known = items.map(({ id }) => id).join(", ");
    throw new UsageError(`--${flag} does not know '${wrong}'; there are ${known}.`);
  }
  return items.filter((item) => names.length === 0 || names.some((name) => fits(item, name)));
};
