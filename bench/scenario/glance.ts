/**
 * glance — the shortest form of what floods did: one figure a cell, for a page that people open
 * first. Medians; whole tables stand below it in a report.
 */
import { FLOOD_CLASSES } from "../../test/lab/floods.ts";
import { markdownTable, type Row, type SchemeFacts } from "../report.ts";
import type { FloodLine } from "./flood-tables.ts";
import { reached } from "./flooded.ts";

/** Digits behind the point of each figure. */
const DIGITS = { throughputMbps: 0, latencyMs: 2 } as const;
type Figure = keyof typeof DIGITS;
const UNITS: Readonly<Record<Figure, string>> = { throughputMbps: "Mbit/s", latencyMs: "ms" };
const FIGURES: readonly Figure[] = ["throughputMbps", "latencyMs"];

/** "0": a stream that carried nothing; "N/A": no ping was answered; "–": not measured. */
const textOf = (figure: Figure, row: Row | undefined): string => {
  if (row === undefined || row.runs === 0) return "–";
  const value = row[figure];
  const text = value === null ? "N/A" : value.toFixed(DIGITS[figure]);
  return row.attackMbps === 0 || reached(row) ? text : `${text} ○`;
};

/** What another publication says of a scheme under a load. */
export interface Elsewhere {
  readonly title: string;
  readonly at: (attackMbps: number) => Readonly<Record<Figure, number | null>> | undefined;
}

/** Schemes down; throughput and then latency across, a column for each load. */
export const glanceByLoad = (
  lines: readonly FloodLine[],
  elsewhere: readonly Elsewhere[],
): string => {
  const loads = [...new Set(lines.map(({ attackMbps }) => attackMbps))];
  const columns = FIGURES.flatMap((figure) => loads.map((load) => [figure, load] as const));
  const head = columns.map(([figure, load]) =>
    load === 0 ? `${UNITS[figure]}, no flood` : `${UNITS[figure]}, under ${load}`,
  );
  const schemes = [...new Map(lines.map(({ scheme }) => [scheme.id, scheme])).values()];
  const own = schemes.map(({ id, title }) => {
    const cells = columns.map(([figure, load]) => {
      const line = lines.find(({ scheme, attackMbps }) => scheme.id === id && attackMbps === load);
      return textOf(figure, figure === "latencyMs" ? line?.ping : line?.tcp);
    });
    return [title, ...cells];
  });
  const told = elsewhere.map(({ title, at }) => [
    title,
    ...columns.map(([figure, load]) => {
      const found = at(load);
      return found === undefined ? "–" : (found[figure]?.toFixed(DIGITS[figure]) ?? "N/A");
    }),
  ]);
  return markdownTable(["scheme", ...head], [...own, ...told]);
};

/** Kinds of floods down, at the highest load; throughput and then latency across, by scheme. */
export const glanceByKind = (rows: readonly Row[], schemes: readonly SchemeFacts[]): string => {
  const most = Math.max(...rows.map(({ attackMbps }) => attackMbps));
  const kinds = FLOOD_CLASSES.filter(({ id }) => rows.some((row) => row.class === id));
  const columns = FIGURES.flatMap((figure) => schemes.map((scheme) => [figure, scheme] as const));
  const head = columns.map(([figure, { title }]) => `${title}, ${UNITS[figure]}`);
  const cellsOf = (kind: string | null): string[] =>
    columns.map(([figure, { id }]) => {
      const work = figure === "latencyMs" ? "ping" : "tcp";
      const load = kind === null ? 0 : most;
      const same = (row: Row): boolean => row.class === kind && row.attackMbps === load;
      return textOf(
        figure,
        rows.find((row) => row.id === id && row.work === work && same(row)),
      );
    });
  const body = kinds.map(({ id, title }) => [title, ...cellsOf(id)]);
  return markdownTable(
    [`flood of ${most} Mbit/s`, ...head],
    [["no flood", ...cellsOf(null)], ...body],
  );
};
