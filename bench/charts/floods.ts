/**
 * floods — what charts of scenarios `paper` and `direct` take from rows: measured, or in words.
 */

import type { Row } from "../report.ts";
import { reached } from "../scenario/flooded.ts";

/** A chart of floods shows one of these. */
export interface Quantity {
  readonly id: "throughput" | "latency";
  /** What measures it. */
  readonly work: "tcp" | "ping";
  readonly figure: "throughputMbps" | "latencyMs";
  /** Of the chart. */
  readonly title: string;
  /** Of the axis. */
  readonly axis: string;
  /** Where what has no value is drawn. */
  readonly edge: "top" | "bottom";
  /** Said there. */
  readonly silence: string;
  /** In sentences. */
  readonly unit: string;
  readonly digits: number;
}

/** Source: bench/scenario/under-flood.ts. */
export const THROUGHPUT: Quantity = {
  ...{ id: "throughput", work: "tcp", figure: "throughputMbps", title: "Throughput" },
  ...{ axis: "throughput, one TCP stream, Mbit/s", unit: "Mbit/s", digits: 0 },
  ...{ edge: "bottom", silence: "nothing came through" },
};

const LATENCY: Quantity = {
  ...{ id: "latency", work: "ping", figure: "latencyMs", title: "Latency" },
  ...{ axis: "latency, median of pings, ms", unit: "ms", digits: 2 },
  ...{ edge: "top", silence: "no ping was answered" },
};

export const QUANTITIES: readonly Quantity[] = [THROUGHPUT, LATENCY];

/** Less is nothing. Units: Mbit/s. */
const NOTHING_MBPS = 0.5;

/** What was measured: a figure, or null where nothing came through. */
export const figureIn = (row: Row, { figure }: Quantity): number | null => {
  const value = row[figure];
  return figure === "throughputMbps" && (value ?? 0) < NOTHING_MBPS ? null : value;
};

/** Rows of a scenario that show a quantity and were measured. */
export const measuredRows = (rows: readonly Row[], scenario: string, { work }: Quantity): Row[] =>
  rows.filter((row) => row.scenario === scenario && row.work === work && row.runs > 0);

/** Rows that should show a quantity, and could not be measured. */
const unmeasured = (rows: readonly Row[], scenario: string, { work }: Quantity): Row[] =>
  rows.filter(
    (row) => row.scenario === scenario && row.runs === 0 && (row.work === work || row.work === ""),
  );

/** A line that names what could not be measured; none when all was. */
export const absentText = (
  rows: readonly Row[],
  scenario: string,
  quantity: Quantity,
  nameOf: (row: Row) => string,
): string[] => {
  const loads = new Map<string, Set<number>>();
  for (const row of unmeasured(rows, scenario, quantity)) {
    const known = loads.get(nameOf(row)) ?? new Set();
    // The row of a program that is not there stands for all loads.
    loads.set(nameOf(row), row.work === "" ? known : known.add(row.attackMbps));
  }
  const told = [...loads].map(([name, at]) =>
    at.size === 0 ? name : `${name} at ${[...at].join(", ")} Mbit/s`,
  );
  return told.length === 0 ? [] : [`Not measured: ${told.join("; ")}.`];
};

/** The flood did not come as it was asked for. */
export const isWeak = (row: Row): boolean => row.attackMbps > 0 && !reached(row);

/** A line that says what hollow points are; none when there are none. */
export const weakText = (rows: readonly Row[]): string[] =>
  rows.some(isWeak) ? ["hollow: less than 95 % of the flood that was asked for came"] : [];

/** Lowest and highest run of a row. */
export const endsOf = (
  { spread }: Row,
  { figure }: Quantity,
): { readonly lowest: number | null; readonly highest: number | null } => ({
  lowest: spread[figure]?.lowest ?? null,
  highest: spread[figure]?.highest ?? null,
});

/** From the lowest to the highest of figures, with their unit, and how often there was none. */
export const toldRange = (
  values: readonly (number | null)[],
  { digits, unit, silence }: Pick<Quantity, "digits" | "unit" | "silence">,
): string => {
  const some = values.filter((value) => value !== null);
  const ends = [Math.min(...some), Math.max(...some)].map((value) => value.toFixed(digits));
  const told = some.length === 0 ? [] : [`${[...new Set(ends)].join(" to ")} ${unit}`];
  const silent = values.length - some.length;
  const often = silent === 0 ? [] : [`${silence} in ${silent} of ${values.length}`];
  return [...told, ...often].join(", ");
};

/** A figure with its unit, or in words. */
export const toldValue = (value: number | null, quantity: Quantity): string =>
  value === null ? quantity.silence : `${value.toFixed(quantity.digits)} ${quantity.unit}`;
