/**
 * bounds — figures beside what they must be; a benchmark under `--check` fails when one is not.
 */

import { describeMachine } from "../test/lab/machine.ts";

/** One figure; `most` or `least` is what the issue asks for, null where it asks for nothing. */
export interface Figure {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  readonly most?: number;
  readonly least?: number;
}

/** True when the figure keeps its bound; a figure that is no number keeps none. */
export const isKept = ({ value, most, least }: Figure): boolean => {
  if (most === undefined && least === undefined) return true;
  return value <= (most ?? Number.POSITIVE_INFINITY) && value >= (least ?? 0);
};

/** Three digits that count. */
export const formatValue = (value: number): string =>
  Math.abs(value) >= 100 ? value.toFixed(0) : value.toPrecision(3);

const boundText = ({ most, least }: Figure): string => {
  if (most !== undefined) return `<= ${formatValue(most)}`;
  return least === undefined ? "" : `>= ${formatValue(least)}`;
};

/** A Markdown table of the figures. */
export const figureTable = (figures: readonly Figure[]): string =>
  [
    "| what | measured | bound | |",
    "| --- | --- | --- | --- |",
    ...figures.map((figure) => {
      const bound = boundText(figure);
      const verdict = bound === "" ? "" : isKept(figure) ? "yes" : "no";
      const value = `${formatValue(figure.value)} ${figure.unit}`;
      return `| ${figure.name} | ${value} | ${bound} | ${verdict} |`;
    }),
  ].join("\n");

/** Exit code: 1 when a check was asked for and a bound is not kept. */
export const exitCode = (figures: readonly Figure[], check: boolean): number =>
  check && !figures.every(isKept) ? 1 : 0;

/** Options of the benchmarks that tell figures. */
export const TELLING = {
  json: { type: "boolean", default: false },
  check: { type: "boolean", default: false },
} as const;

interface Telling {
  readonly json: boolean;
  readonly check: boolean;
}

/**
 * Prints the figures, or as JSON the machine and `all` that was measured; `text` goes before the
 * table. Returns the exit code.
 */
export const tell = (
  figures: readonly Figure[],
  { json, check }: Telling,
  all: object,
  text = "",
): number => {
  const machine = describeMachine(process.execPath);
  const table = figures.length === 0 ? "" : `${figureTable(figures)}\n`;
  const output = json ? `${JSON.stringify({ machine, ...all }, null, 2)}\n` : `${text}${table}`;
  process.stdout.write(output);
  return exitCode(figures, check);
};
