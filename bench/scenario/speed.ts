/**
 * speed — no flood, nothing shaped: ours beside wireguard-go, and the ladder of ours alone.
 *
 * A cell makes a lab, starts one tunnel in it, measures one thing and removes all.
 */
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { EngineError } from "../../src/schema/errors.ts";
import { Lab, LabError } from "../../test/lab/lab.ts";
import type { Done, Figures, Task } from "../cells.ts";
import { fetchWireguardGo, WIREGUARD_GO_VERSION } from "../fetch.ts";
import { choose, type Options, UsageError } from "../options.ts";
import {
  absentRow,
  factsOf,
  failureText,
  figureWithUnit,
  makeRows,
  markdownTable,
  type Row,
  workTable,
} from "../report.ts";
import { GOALS, type Judged, judge, RIVAL } from "./goals.ts";
import { ladderSchemes } from "./ladder.ts";
import type { About, Missing, Scenario, ScenarioMaker, Telling } from "./scenario.ts";
import {
  bareScheme,
  checkRunning,
  findNodes,
  oursScheme,
  type Scheme,
  wireguardGoScheme,
} from "./schemes.ts";
import { WORKS, type Work, warm } from "./works.ts";

/** Without a cipher there is little to measure beside the limit itself. */
const UNSEALED_WORKS = ["tcp1", "tcp4", "loaded"];
/** What --quick measures. */
const QUICK_WORKS = ["tcp1", "tcp4", "card", "udp64", "ping", "loaded"];
/** Under --quick our slower cipher shows what is asked of it, and no more. */
const QUICK_CHACHA_WORKS = ["tcp1", "card"];
const QUICK_UNSEALED_WORKS = ["tcp1"];
/** What a ladder shows: where segments are merged, and where they are not. */
const LADDER_WORKS = ["tcp1", "card"];
// biome-ignore format: a table
const COLUMNS = ["throughputMbps", "latencyMs", "latencyP99Ms", "packetsPerSecond", "overloadOfferedPerSecond", "overloadReceivedPerSecond", "lossPct", "cpuSecondsPerGb", "labCpuSecondsPerGb", "engineCpuSecondsPerGb", "memoryMb", "retransmits"];

/** Where the rival of `.ci/wireguard-go` and of an earlier run lies. */
const fetchedWireguardGo = (root: string): string =>
  join(root, "build/wireguard-go", WIREGUARD_GO_VERSION, "wireguard-go");

/** The rival's binary: named, there, or fetched. Null with a sentence when it cannot be had. */
export const findWireguardGo = async (
  options: Options,
  root: string,
): Promise<{ readonly path: string } | { readonly why: string }> => {
  if (options.wireguardGo !== null) {
    if (existsSync(options.wireguardGo)) return { path: options.wireguardGo };
    throw new UsageError(`There is no program ${options.wireguardGo}; see --wireguard-go.`);
  }
  const path = fetchedWireguardGo(root);
  if (existsSync(path)) return { path };
  mkdirSync(join(root, "build/wireguard-go"), { recursive: true });
  const folder = mkdtempSync(join(root, "build/wireguard-go/fetch-"));
  try {
    const fetched = await fetchWireguardGo(folder);
    mkdirSync(join(path, ".."), { recursive: true });
    renameSync(fetched, path);
    return { path };
  } catch (error) {
    if (!(error instanceof LabError || error instanceof EngineError)) throw error;
    return { why: error.message };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
};

const oursSchemes = (options: Options, version: string): Scheme[] => {
  const nodes = findNodes([process.execPath, ...options.nodes]);
  if (options.scenario === "ladder") return ladderSchemes(version, nodes.at(-1)!);
  return nodes.flatMap((node) =>
    (["aes256gcm", "chacha20poly1305", null] as const).map((cipher) =>
      oursScheme({ version, node, cipher }),
    ),
  );
};

/** Has the scheme something to show in this work? */
const measures = ({ family, cipher }: Scheme, { id }: Work, quick: boolean): boolean => {
  if (family !== "p2pvpn") return true;
  if (cipher === null) return (quick ? QUICK_UNSEALED_WORKS : UNSEALED_WORKS).includes(id);
  return cipher === "aes256gcm" || !quick || QUICK_CHACHA_WORKS.includes(id);
};

const tasksOf = (
  options: Options,
  schemes: readonly Scheme[],
  works: readonly Work[],
): readonly Task[] =>
  works.flatMap((work) =>
    schemes
      .filter((scheme) => options.scenario === "ladder" || measures(scheme, work, options.quick))
      .map(({ id }) => ({
        scenario: options.scenario,
        scheme: id,
        work: work.id,
        class: null,
        attackMbps: 0,
        seconds: work.takes(options.seconds),
      })),
  );

const worksOf = (options: Options): Work[] => {
  const wanted = options.work.length === 0 && options.quick ? QUICK_WORKS : options.work;
  const known = choose(options, "work", WORKS, wanted);
  const ladder = options.scenario === "ladder";
  const named = ladder ? known.filter(({ id }) => LADDER_WORKS.includes(id)) : known;
  // Without offloads anywhere it would be the first work once more.
  return options.offloads ? named : named.filter(({ id }) => id !== "card");
};

const ratioText = ({ ratio }: Judged): string => {
  if (ratio === null) return "–";
  const ends = `${ratio.lowest.toFixed(2)}–${ratio.highest.toFixed(2)}`;
  return `${ratio.ratio.toFixed(2)} × (${ends})`;
};

const goalTables = (done: readonly Done[]): string[] => {
  const text = (figure: string, value: number | null): string =>
    value === null ? "–" : figureWithUnit(figure, value);
  const asked = (value: number | null, unit: string): string =>
    value === null ? "" : `${value} ${unit}`;
  const all = GOALS.map((goal) => judge(goal, done));
  const shown = all.filter(({ verdict }) => verdict !== "not measured");
  const rows = shown.map((judged) => {
    const { goal, value, reference, verdict } = judged;
    const aim = asked(goal.aim, goal.absolute ? "ms" : "×");
    const figures = [text(goal.figure, value), text(goal.figure, reference)];
    return [goal.title, ...figures, ratioText(judged), asked(goal.least, "×"), aim, verdict];
  });
  const head = ["work", "ours", "reference", "ratio", "at least", "aim", "verdict"];
  const left = all.length - shown.length;
  const note = left === 0 ? [] : [`Of ${all.length} goals, ${left} were not measured in this run.`];
  return [...(shown.length === 0 ? [] : [markdownTable(head, rows)]), ...note];
};

/** Rows and page of scenario `speed`, or of its ladder. */
export const speedTelling = (name: "speed" | "ladder"): Telling => {
  const rowsOf = ({ schemes, missing }: About, done: readonly Done[]): Row[] => [
    ...makeRows(name, schemes, WORKS, done),
    ...missing.map(({ id, why }) => absentRow(name, id, why)),
  ];
  const page: Telling["page"] = (about, done) => {
    const rows = rowsOf(about, done);
    const goals = name === "speed" ? ["## Goals", ...goalTables(done)] : [];
    const reference = name === "speed" ? RIVAL : "full";
    const tables = WORKS.flatMap((work) => {
      const own = rows.filter((row) => row.work === work.id);
      const compare = { figure: work.figure, reference };
      return own.length === 0
        ? []
        : [`## ${work.title}`, workTable(own, about.schemes, COLUMNS, compare)];
    });
    const absent = about.missing.map(({ id, why }) => `- ${id}: ${why}`);
    const failures = [...absent, failureText(done)].filter(Boolean);
    const failed = failures.length === 0 ? [] : ["## Not measured", failures.join("\n")];
    return [...goals, ...tables, ...failed].join("\n\n");
  };
  return { rows: rowsOf, page };
};

/** What --only names; a rival that is not there is told of, and the rest runs. Errors: LabError. */
const schemesOf = async (
  options: Options,
  version: string,
  root: string,
): Promise<{ readonly schemes: readonly Scheme[]; readonly missing: readonly Missing[] }> => {
  // The floor is measured where it is named.
  const floor = options.only.includes(bareScheme.id) ? [bareScheme] : [];
  const own = [...oursSchemes(options, version), ...floor];
  const chosen = choose(options, "only", [...own, { id: RIVAL }], options.only).map(({ id }) => id);
  const schemes = own.filter(({ id }) => chosen.includes(id));
  if (!chosen.includes(RIVAL)) return { schemes, missing: [] };
  const found = await findWireguardGo(options, root);
  if ("path" in found) {
    const rival = wireguardGoScheme(found.path, options.wireguardGo !== null);
    return { schemes: [...schemes, rival], missing: [] };
  }
  if (schemes.length === 0) throw new LabError(found.why);
  return { schemes, missing: [{ id: RIVAL, why: found.why }] };
};

/** Makes scenario `speed`, or its ladder. Errors: LabError, UsageError. */
export const speedScenario: ScenarioMaker = async (options, version, root): Promise<Scenario> => {
  const { schemes, missing } = await schemesOf(options, version, root);
  const works = worksOf(options);
  return {
    name: options.scenario,
    tasks: tasksOf(options, schemes, works),
    schemes: schemes.map(factsOf),
    missing,
    measure: async (cell) => {
      const scheme = schemes.find(({ id }) => id === cell.scheme)!;
      const work = works.find(({ id }) => id === cell.work)!;
      return measure(scheme, work, options);
    },
    tell: (cell, figures) => {
      const { figure } = works.find(({ id }) => id === cell.work)!;
      const value = figures[figure];
      return value === undefined ? "" : figureWithUnit(figure, value);
    },
  };
};

const measure = async (scheme: Scheme, work: Work, options: Options): Promise<Figures> => {
  const lab = await Lab.make({ offloads: options.offloads ? work.offloads : "none" });
  try {
    const programs = await scheme.start(lab, work.idlePeers);
    const tunnel = { lab, programs, seconds: options.seconds };
    await warm(tunnel);
    const figures = await work.measure(tunnel);
    checkRunning(programs);
    for (const program of programs) await program.stop();
    return { ...figures, cubic: lab.cubic ? 1 : 0 };
  } finally {
    lab.remove();
  }
};
