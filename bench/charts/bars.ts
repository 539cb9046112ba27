/**
 * bars — horizontal bars with their values written at their ends; what has none says so.
 */

import type { Mark } from "./lines.ts";
import type { Look } from "./looks.ts";
import type { Spec } from "./render.ts";
import { groundOf, type Theme, TYPE, toneOf } from "./theme.ts";

/** Height of a bar and the space to the next. Units: pixels. */
export const STEP = 21;
/** Of what is written at the end of a bar, in its stead. */
const TEXT_GAP = 5;

export interface Bar {
  /** Of small multiples; "" when there is one. */
  readonly panel: string;
  readonly look: Look;
  /** Null: there is no bar. */
  readonly value: number | null;
  readonly lowest: number | null;
  readonly highest: number | null;
  /** Written at its end. */
  readonly text: string;
  /** The flood was weaker than asked. */
  readonly weak: boolean;
}

/** Rows for vega-lite; text begins where a bar ends, or at `textAt`. */
export const barMarks = (bars: readonly Bar[], textAt?: number): Mark[] =>
  bars.map(({ panel, look, value, lowest, highest, text, weak }) => ({
    ...{ panel, line: look.label, part: "bar", text, weak },
    ...(value === null ? {} : { x: value }),
    ...{ end: textAt ?? Math.max(value ?? 0, highest ?? 0) },
    ...(lowest === null || highest === null || lowest === highest ? {} : { lowest, highest }),
  }));

/** The channel of schemes, from top to bottom. */
export const schemeAxis = (looks: readonly Look[]): Spec => ({
  field: "line",
  sort: looks.map(({ label }) => label),
  axis: { title: null, ticks: false, domain: false },
});

/** Layers that draw the rows; `x` is the channel of values. */
export const barLayers = (looks: readonly Look[], x: Spec, theme: Theme): Spec[] => {
  const domain = looks.map(({ label }) => label);
  const y = schemeAxis(looks);
  const range = looks.map(({ tone }) => toneOf(tone, theme));
  const color = { field: "line", scale: { domain, range }, legend: null };
  const only = { transform: [{ filter: "datum.part === 'bar'" }] };
  const valid = { transform: [{ filter: "datum.part === 'bar' && isValid(datum.x)" }] };
  const text = groundOf("text", theme);
  return [
    {
      ...valid,
      mark: { type: "bar", height: { band: 0.68 } },
      encoding: {
        ...{ x, y, color },
        fillOpacity: { condition: { test: "datum.weak", value: 0.15 }, value: 1 },
        stroke: { ...color },
      },
    },
    {
      transform: [{ filter: "isValid(datum.lowest)" }],
      mark: { type: "rule", color: text, opacity: 0.7 },
      encoding: { x: { ...x, field: "lowest" }, x2: { field: "highest" }, y },
    },
    {
      ...only,
      mark: {
        ...{ type: "text", align: "left", baseline: "middle", dx: TEXT_GAP },
        ...{ fontSize: TYPE.small, color: text },
      },
      encoding: { x: { ...x, field: "end" }, y, text: { field: "text" } },
    },
  ];
};
