/**
 * report — what a run is written as: rows for programs, a page of Markdown for people.
 */

import { type Spread, spreadOf } from "../test/lab/statistics.ts";
import type { Done } from "./cells.ts";

/** A scheme, as rows tell of it. */
export interface SchemeFacts {
  readonly id: string;
  readonly title: string;
  readonly family: string;
  readonly version: string;
  readonly cipher: string | null;
  readonly node: string | null;
}

/** These alone, of something that has more. */
export const factsOf = (one: SchemeFacts): SchemeFacts => {
  const { id, title, family, version, cipher, node } = one;
  return { id, title, family, version, cipher, node };
};

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
  const bound = cells.some(({ figures }) => figures?.senderBound === 1)
    ? ["the sender was the limit, not the tunnel"]
    : [];
  return [...flood, work.note, ...bound, ...failed].join("; ");
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

/** The row of a rival that is not there. */
export const absentRow = (scenario: string, id: string, why: string): Row => ({
  ...{ scenario, scheme: id, version: "", class: null, attackMbps: 0, attackAchievedMbps: null },
  ...{ latencyMs: null, latencyP99Ms: null, lossPct: null, throughputMbps: null, runs: 0 },
  ...{ note: why, id, work: "", cipher: null, node: null, spread: {} },
});

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

interface Format {
  readonly unit: string;
  readonly text: (value: number) => string;
  /** Over a column, where the unit alone does not tell. */
  readonly title?: string;
}

const digits = (count: number) => (value: number) => value.toFixed(count);
const thousands =
  (count: number) =>
  (value: number): string =>
    (value / 1_000).toFixed(count);

/** How figures are written; others as whole numbers without a unit. */
// biome-ignore format: a table
const FORMATS: Readonly<Record<string, Format>> = {
  throughputMbps: { unit: "Gbit/s", text: thousands(2) },
  latencyMs: { unit: "ms", text: digits(3), title: "median, ms" },
  latencyP99Ms: { unit: "ms", text: digits(2), title: "p99, ms" },
  lossPct: { unit: "%", text: digits(2), title: "lost, %" },
  cpuSecondsPerGb: { unit: "s/GB", text: digits(2), title: "CPU-s per GB" },
  labCpuSecondsPerGb: { unit: "s/GB", text: digits(2), title: "of the laboratory" },
  engineCpuSecondsPerGb: { unit: "s/GB", text: digits(2), title: "of both ends" },
  packetsPerSecond: { unit: "kpps", text: thousands(1) },
  overloadOfferedPerSecond: { unit: "kpps", text: thousands(1), title: "offered in overload, kpps" },
  overloadReceivedPerSecond: { unit: "kpps", text: thousands(1), title: "received of it, kpps" },
  memoryMb: { unit: "MB", text: digits(0), title: "resident, MB" },
};

/** A figure with its digits, without its unit. */
export const figureText = (name: string, value: number): string =>
  FORMATS[name]?.text(value) ?? value.toFixed(0);

/** The same with its unit. */
export const figureWithUnit = (name: string, value: number): string =>
  `${figureText(name, value)} ${FORMATS[name]?.unit ?? ""}`.trim();

const figureTitle = (name: string): string => FORMATS[name]?.title ?? FORMATS[name]?.unit ?? name;

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
  /** What the main figure is compared by. */
  compare: { readonly figure: string; readonly reference: string },
): string => {
  const used = columns.filter((name) => rows.some((row) => row.spread[name] !== undefined));
  const titleOf = (id: string): string => schemes.find((one) => one.id === id)?.title ?? id;
  const main = (row: Row | undefined): number => row?.spread[compare.figure]?.median ?? Number.NaN;
  const below = main(rows.find(({ id }) => id === compare.reference));
  const ratio = (row: Row): string =>
    Number.isNaN(main(row) / below) ? "–" : `${(main(row) / below).toFixed(2)} ×`;
  const rest = used.filter((name) => name !== compare.figure);
  const first = used.filter((name) => name === compare.figure);
  const cellsOf = (row: Row, names: readonly string[]): string[] =>
    names.map((name) => spreadText(name, row.spread[name]));
  const head = ["scheme", ...first.map(figureTitle), `of ${compare.reference}`];
  const body = rows.map((row) => {
    const figures = [...cellsOf(row, first), ratio(row), ...cellsOf(row, rest)];
    return [titleOf(row.id), ...figures, String(row.runs)];
  });
  return markdownTable([...head, ...rest.map(figureTitle), "runs"], body);
};

/** Why runs are missing, one line each; "" when none is. */
export const failureText = (done: readonly Done[]): string =>
  done
    .filter(({ failed }) => failed !== null)
    .map(({ run, scheme, work, failed }) => `- ${scheme}, ${work}, run ${run}: ${failed}`)
    .join("\n");
