/**
 * lines — one line per scheme: points, spread, and what has no value, as rows and layers.
 *
 *     ×  ×      band: nothing came through, a lane for each scheme that this happened to
 *    ────⋰──    its edge
 *      ●⋰       hollow: the flood was weaker than asked
 *   ●──┼        lowest to highest run
 *
 * A point without a value is a cross in the band, joined by dots: no gap without a word.
 */
import type { Look } from "./looks.ts";
import type { Spec } from "./render.ts";
import { type Scale, scaleOf } from "./scale.ts";
import { groundOf, type Theme, TYPE, toneOf } from "./theme.ts";

/** Where a scheme stood. */
export interface Point {
  /** Of small multiples; "" when there is one. */
  readonly panel: string;
  readonly look: Look;
  readonly x: number;
  /** Null: it was measured, and nothing came through. */
  readonly y: number | null;
  /** Of the runs; null where there is no spread to show. */
  readonly lowest: number | null;
  readonly highest: number | null;
  /** The flood was weaker than asked. */
  readonly weak: boolean;
}

/** What is drawn of a line: rows for vega-lite, told apart by `part`. */
export type Mark = Readonly<Record<string, string | number | boolean | readonly number[]>>;

const CROSS = "M-1,-1L1,1M-1,1L1,-1";
const POINT_AREA = 60;
const CROSS_AREA = 45;

/** Schemes that have a lane in the band. */
export const lanesOf = (points: readonly Point[]): string[] => [
  ...new Set(points.filter(({ y }) => y === null).map(({ look }) => look.label)),
];

/** The scale of an axis, `height` pixels high, that takes the points and their spread. */
export const scaleOfPoints = (
  points: readonly Point[],
  height: number,
  edge: "top" | "bottom",
): Scale => {
  const values = points.flatMap(({ y, lowest, highest }) =>
    y === null ? [] : [y, lowest ?? y, highest ?? y],
  );
  return scaleOf(values, height, lanesOf(points).length, edge);
};

const spreadOf = ({ lowest, highest }: Point): Mark =>
  lowest === null || highest === null || lowest === highest ? {} : { lowest, highest };

/** A line cut where nothing came through: solid pieces, and dotted joints. */
const lineMarks = (points: readonly Point[], at: (point: Point) => number): Mark[] => {
  const sorted = [...points].sort((a, b) => a.x - b.x);
  let piece = 0;
  return sorted.flatMap((point, i): Mark[] => {
    const before = sorted[i - 1];
    const { panel, look, x, y, weak } = point;
    const common = { panel, line: look.label, x, y: at(point) };
    const cut = before !== undefined && (y === null || before.y === null);
    if (cut) piece++;
    const joint = { ...common, part: "joint", x2: before?.x ?? 0, y2: before ? at(before) : 0 };
    const mark = { ...common, part: y === null ? "cross" : "point", weak, ...spreadOf(point) };
    const drawn = { width: look.width, dash: look.dash, piece: `${look.label} ${piece}` };
    const solid = { ...common, part: "line", ...drawn };
    return [...(cut ? [joint] : []), ...(y === null ? [] : [solid]), mark];
  });
};

/** Rows of all lines; the first looks are drawn last, on top. */
export const marksOf = (
  points: readonly Point[],
  looks: readonly Look[],
  scale: Scale,
  /** Ends of the x axis. */
  [from, to]: readonly [number, number],
  /** Said in the band. */
  word: string,
): Mark[] => {
  const lanes = lanesOf(points);
  const at = ({ y, look }: Point): number => y ?? scale.lane(lanes.indexOf(look.label));
  const panels = [...new Set(points.map(({ panel }) => panel))];
  const [inner, outer] = scale.band;
  const bands = panels.map((panel) => ({
    ...{ panel, part: "band", x: from, x2: to, y: inner, y2: outer, text: word },
    middle: scale.fromPx((scale.toPx(inner) + scale.toPx(outer)) / 2),
  }));
  const lines = panels.flatMap((panel) =>
    [...looks].reverse().flatMap((look) =>
      lineMarks(
        points.filter((point) => point.panel === panel && point.look === look),
        at,
      ),
    ),
  );
  return [...(lanes.length === 0 ? [] : bands), ...lines];
};

const only = (part: string): Spec => ({ transform: [{ filter: `datum.part === '${part}'` }] });

/** A channel of the schemes' colours. */
const colours = (looks: readonly Look[], theme: Theme, tone: "tone" | "textTone") => ({
  field: "line",
  scale: {
    domain: looks.map(({ label }) => label),
    range: looks.map((look) => toneOf(look[tone], theme)),
  },
});

/** What points are filled with: not through a scale, which would want a legend of its own. */
const fillOf = (looks: readonly Look[], theme: Theme): Spec => {
  const tones = Object.fromEntries(looks.map(({ label, tone }) => [label, toneOf(tone, theme)]));
  const hollow = JSON.stringify(groundOf("background", theme));
  const calculate = `datum.weak ? ${hollow} : (${JSON.stringify(tones)})[datum.line]`;
  return { calculate, as: "fill" };
};

/** The channel of a scale's values; its title says the unit. */
export const valueAxis = ({ type, domain, ticks }: Scale, title: string): Spec => ({
  field: "y",
  type: "quantitative",
  scale: { type, domain, nice: false, ...(type === "linear" ? { zero: false } : {}) },
  axis: {
    title: type === "log" ? `${title} (logarithmic)` : title,
    values: ticks,
    labelExpr: "format(datum.value, ',~g')",
  },
});

const X2 = { field: "x2" };
const Y2 = { field: "y2" };

/** Layers that draw the rows; `axes` are channels x and y, `legend` a legend or null. */
export const lineLayers = (
  looks: readonly Look[],
  axes: Spec,
  theme: Theme,
  legend: Spec | null,
): Spec[] => {
  const stroke = { ...colours(looks, theme, "tone"), legend };
  const strokeWidth = { field: "width", type: "ordinal", scale: null };
  const strokeDash = { field: "dash", type: "nominal", scale: null };
  const shapes = looks.map((look) => look.shape);
  const shape = { field: "line", scale: { domain: stroke.scale.domain, range: shapes }, legend };
  return [
    {
      ...only("band"),
      mark: { type: "rect", color: groundOf("band", theme) },
      encoding: { ...axes, x2: X2, y2: Y2 },
    },
    {
      transform: [{ filter: "isValid(datum.lowest)" }],
      mark: { type: "rule", opacity: 0.55 },
      encoding: {
        x: axes.x,
        y: { ...(axes.y as Spec), field: "lowest" },
        y2: { field: "highest" },
        stroke,
      },
    },
    {
      ...only("joint"),
      mark: { type: "rule", strokeDash: [1.5, 3.5], strokeWidth: 1.5, strokeCap: "round" },
      encoding: { ...axes, x2: X2, y2: Y2, stroke },
    },
    {
      ...only("line"),
      mark: { type: "line", strokeJoin: "round" },
      encoding: { ...axes, stroke, strokeWidth, strokeDash, detail: { field: "piece" } },
    },
    {
      transform: [{ filter: "datum.part === 'point'" }, fillOf(looks, theme)],
      mark: { type: "point", size: POINT_AREA, strokeWidth: 1.6, opacity: 1 },
      encoding: { ...axes, stroke, shape, fill: { field: "fill", type: "nominal", scale: null } },
    },
    {
      ...only("cross"),
      mark: { type: "point", shape: CROSS, size: CROSS_AREA, strokeWidth: 2.2, opacity: 1 },
      encoding: { ...axes, stroke },
    },
    {
      ...only("band"),
      mark: {
        ...{ type: "text", align: "left", baseline: "middle", dx: 6, fontStyle: "italic" },
        ...{ fontSize: TYPE.small, color: groundOf("quiet", theme) },
      },
      encoding: { ...axes, y: { ...(axes.y as Spec), field: "middle" }, text: { field: "text" } },
    },
  ];
};

/** Names at the ends of lines, and thin rules that lead to them. */
export const labelLayers = (looks: readonly Look[], axes: Spec, theme: Theme): Spec[] => [
  {
    ...only("leader"),
    mark: { type: "rule", strokeWidth: 0.8, opacity: 0.6 },
    encoding: {
      ...axes,
      x2: X2,
      y2: Y2,
      stroke: { ...colours(looks, theme, "tone"), legend: null },
    },
  },
  {
    ...only("label"),
    mark: { type: "text", align: "left", baseline: "middle", fontSize: TYPE.text },
    encoding: {
      ...axes,
      text: { field: "text" },
      color: { ...colours(looks, theme, "textTone"), legend: null },
    },
  },
];
