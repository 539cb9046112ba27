/**
 * report — what a run is written as: rows for programs, a page of Markdown for people.
 */
import type { Done } from "./cells.ts";
import { type Spread, spreadOf } from "./statistics.ts";

/** A scheme, as rows tell of it. */
export interface SchemeFacts {
  readonly id: string;
  readonly title: string;
  readonly family: string;
  readonly version: string;
  readonly cipher: string | null;
  readonly node: string | null;
}

/** A work, as rows tell of it. */
export interface WorkFacts {
  readonly id: string;
  readonly title: string;
  /** Name of the figure that tables show. */
  readonly figure: string;
  readonly note: string;
}

/** One scheme, one work, one load, over all runs. Figures are medians. */
export interface Row {
  readonly scenario: string;
  readonly scheme: string;
  readonly version: string;
  readonly class: string | null;
  readonly attackMbps: number;
  readonly attackAchievedMbps: number | null;
  readonly latencyMs: number | null;
  readonly latencyP99Ms: number | null;
  readonly lossPct: number | null;
  readonly throughputMbps: number | null;
  /** Runs that gave figures. */
  readonly runs: number;
  /** Why a figure is null, or a run is missing. */
  readonly note: string;
  readonly id: string;
  readonly work: string;
  readonly cipher: string | null;
  readonly node: string | null;
  /** All figures, these and others. */
  readonly spread: Readonly<Record<string, Spread>>;
}

const names = (done: readonly Done[]): string[] => [
  ...new Set(done.flatMap(({ figures }) => Object.keys(figures ?? {}))),
];

const noteOf = (work: WorkFacts, cells: readonly Done[]): string => {
  const failed = cells.flatMap(({ run, failed: why }) => (why ? [`run ${run}: ${why}`] : []));
  const flood = cells.some(({ attackMbps }) => attackMbps > 0) ? [] : ["there is no flood"];
  return [...flood, work.note, ...failed].join("; ");
};

/** The rows of what was measured, in the order of works and schemes. */
export const makeRows = (
  scenario: string,
  schemes: readonly SchemeFacts[],
  works: readonly WorkFacts[],
  done: readonly Done[],
): Row[] =>
  works.flatMap((work) =>
    schemes.flatMap((scheme) => {
      const cells = done.filter((cell) => cell.scheme === scheme.id && cell.work === work.id);
      const loads = [...new Set(cells.map((cell) => `${cell.class ?? ""}|${cell.attackMbps}`))];
      return loads.map((load) => {
        const same = cells.filter((cell) => `${cell.class ?? ""}|${cell.attackMbps}` === load);
        return makeRow(scenario, scheme, work, same);
      });
    }),
  );

const makeRow = (
  scenario: string,
  scheme: SchemeFacts,
  work: WorkFacts,
  cells: readonly Done[],
): Row => {
  const spread: Record<string, Spread> = {};
  for (const name of names(cells)) {
    const values = cells.flatMap(({ figures }) => figures?.[name] ?? []);
    const found = spreadOf(values);
    if (found !== null) spread[name] = found;
  }
  const [{ class: kind, attackMbps } = { class: null, attackMbps: 0 }] = cells;
  const median = (name: string): number | null => spread[name]?.median ?? null;
  return {
    scenario,
    scheme: scheme.family,
    version: scheme.version,
    class: kind,
    attackMbps,
    attackAchievedMbps: attackMbps === 0 ? 0 : median("attackAchievedMbps"),
    latencyMs: median("latencyMs"),
    latencyP99Ms: median("latencyP99Ms"),
    lossPct: median("lossPct"),
    throughputMbps: median("throughputMbps"),
    runs: cells.filter(({ figures }) => figures !== null).length,
    note: noteOf(work, cells),
    id: scheme.id,
    work: work.id,
    cipher: scheme.cipher,
    node: scheme.node,
    spread,
  };
};

/** How figures are written; those of other names as whole numbers. Units stand in the titles. */
// biome-ignore format: a table
const FORMATS: Readonly<Record<string, readonly [title: string, text: (value: number) => string]>> = {
  throughputMbps: ["Gbit/s", (value) => (value / 1_000).toFixed(2)],
  latencyMs: ["ms", (value) => value.toFixed(3)],
  latencyP99Ms: ["p99, ms", (value) => value.toFixed(2)],
  lossPct: ["lost, %", (value) => value.toFixed(2)],
  cpuSecondsPerGb: ["CPU-s per GB", (value) => value.toFixed(2)],
  labCpuSecondsPerGb: ["CPU-s per GB, laboratory", (value) => value.toFixed(2)],
  engineCpuSecondsPerGb: ["CPU-s per GB, both ends", (value) => value.toFixed(2)],
  packetsPerSecond: ["kpps", (value) => (value / 1_000).toFixed(1)],
  overloadOfferedPerSecond: ["kpps offered in overload", (value) => (value / 1_000).toFixed(1)],
  overloadReceivedPerSecond: ["of it received", (value) => (value / 1_000).toFixed(1)],
  memoryMb: ["resident, MB", (value) => value.toFixed(0)],
};

/** A figure with its digits, without its unit. */
export const figureText = (name: string, value: number): string =>
  FORMATS[name]?.[1](value) ?? value.toFixed(0);

/** A figure's unit, or what it is. */
export const figureTitle = (name: string): string => FORMATS[name]?.[0] ?? name;

/** A table of Markdown. */
export const markdownTable = (head: readonly string[], rows: readonly string[][]): string => {
  const safe = (cell: string): string => cell.replaceAll("|", "\\|").replaceAll("\n", " ");
  return [head, head.map(() => "---"), ...rows]
    .map((cells) => `| ${cells.map(safe).join(" | ")} |`)
    .join("\n");
};

const spreadText = (name: string, spread: Spread | undefined): string => {
  if (spread === undefined) return "–";
  const text = (value: number): string => figureText(name, value);
  const ends = `${text(spread.lowest)}–${text(spread.highest)}`;
  return `${text(spread.median)} (${ends})`;
};

/** One table for a work: schemes down, figures across; medians, lowest and highest in brackets. */
export const workTable = (
  rows: readonly Row[],
  schemes: readonly SchemeFacts[],
  columns: readonly string[],
): string => {
  const used = columns.filter((name) => rows.some((row) => row.spread[name] !== undefined));
  const head = ["scheme", ...used.map(figureTitle), "runs"];
  const body = rows.map((row) => {
    const title = schemes.find(({ id }) => id === row.id)?.title ?? row.id;
    return [title, ...used.map((name) => spreadText(name, row.spread[name])), String(row.runs)];
  });
  return markdownTable(head, body);
};

/** Why runs are missing, one line each; "" when none is. */
export const failureText = (done: readonly Done[]): string =>
  done
    .filter(({ failed }) => failed !== null)
    .map(({ run, scheme, work, failed }) => `- ${scheme}, ${work}, run ${run}: ${failed}`)
    .join("\n");
