/**
 * direct — charts of scenario `direct`: a panel for each kind of flood, against the rate that came.
 *
 * "No VPN" is the limit: what the same hosts carry under the same flood without a tunnel.
 */
import { FLOOD_CLASSES } from "../../test/lab/floods.ts";
import type { Row } from "../report.ts";
import { none } from "../rivals/none.ts";
import type { Drawing } from "./drawing.ts";
import {
  absentText,
  endsOf,
  figureIn,
  isWeak,
  measuredRows,
  QUANTITIES,
  type Quantity,
  toldRange,
  weakText,
} from "./floods.ts";
import { lineLayers, marksOf, type Point, scaleOfPoints, valueAxis } from "./lines.ts";
import { type Look, looksOf } from "./looks.ts";
import type { Spec } from "./render.ts";
import type { Theme } from "./theme.ts";

export const COLUMNS = 4;
const WIDTH = 176;
const HEIGHT = 190;
/** Beyond it, a title goes on in a second line. Units: characters. */
const TITLE_LENGTH = 24;
/** The x axis goes at least this far, and beyond the highest rate by this. Units: Mbit/s. */
const RATE_MIN = 1_000;
const ROOM = 1.05;

/** Titles of panels break where a comma is. */
export const brokenTitle = (title: string, length = TITLE_LENGTH): string => {
  const at = title.lastIndexOf(", ");
  return title.length <= length || at < 0
    ? title
    : `${title.slice(0, at + 1)}\n${title.slice(at + 2)}`;
};

/** A row of panels broken into lines; the titles of `panels` in their order. */
export const panelsOf = (panels: readonly string[]): Spec => ({
  field: "panel",
  sort: panels,
  header: { title: null, labelExpr: "split(datum.label, '\\n')" },
});

/** Kinds of floods that rows have, in the order of their table. */
export const kindsIn = (rows: readonly Row[]): { readonly id: string; readonly panel: string }[] =>
  FLOOD_CLASSES.filter(({ id }) => rows.some((row) => row.class === id)).map(({ id, title }) => ({
    id,
    panel: brokenTitle(title),
  }));

const pointsOf = (rows: readonly Row[], looks: readonly Look[], quantity: Quantity): Point[] =>
  kindsIn(rows).flatMap((kind) =>
    rows
      .filter((row) => row.class === null || row.class === kind.id)
      .map((row) => ({
        ...{ panel: kind.panel, look: looks.find(({ id }) => id === row.id)! },
        ...{ x: row.attackAchievedMbps ?? row.attackMbps, y: figureIn(row, quantity) },
        ...{ weak: isWeak(row), ...endsOf(row, quantity) },
      })),
  );

const specOf = (
  points: readonly Point[],
  looks: readonly Look[],
  quantity: Quantity,
  title: string,
  notes: readonly string[],
  theme: Theme,
): Spec => {
  const scale = scaleOfPoints(points, HEIGHT, quantity.edge);
  const rates = [0, ROOM * Math.max(RATE_MIN, ...points.map(({ x }) => x))] as const;
  const marks = marksOf(points, looks, scale, rates, quantity.silence);
  const axes = {
    x: {
      field: "x",
      type: "quantitative",
      scale: { domain: rates, nice: false },
      axis: { title: "attack at b, Mbit/s", values: [0, 500, 1_000], grid: false },
    },
    y: valueAxis(scale, quantity.axis),
  };
  const legend = { orient: "top", direction: "horizontal", columns: COLUMNS };
  return {
    title: { text: title, subtitle: notes },
    data: { values: marks },
    facet: panelsOf([...new Set(points.map(({ panel }) => panel))]),
    columns: COLUMNS,
    spacing: { row: 14, column: 18 },
    spec: { width: WIDTH, height: HEIGHT, layer: lineLayers(looks, axes, theme, legend) },
    resolve: { axis: { x: "independent" } },
  };
};

const altOf = (
  rows: readonly Row[],
  looks: readonly Look[],
  quantity: Quantity,
  title: string,
): string => {
  const most = Math.max(...rows.map(({ attackMbps }) => attackMbps));
  const flooded = rows.filter((row) => row.attackMbps === most);
  const told = looks.flatMap((look) => {
    const values = flooded.filter(({ id }) => id === look.id).map((row) => figureIn(row, quantity));
    return values.length === 0 ? [] : [`${look.label} ${toldRange(values, quantity)}`];
  });
  const panels = `a panel for each kind of flood (${kindsIn(rows).length})`;
  return `${title}, ${panels}. At ${most} Mbit/s: ${told.join("; ")}.`;
};

/** Charts of scenario `direct`: throughput and latency against the rate of the flood. */
export const directDrawings = (rows: readonly Row[]): Drawing[] => {
  const own = rows.filter(({ scenario }) => scenario === "direct");
  const all = looksOf(own);
  return QUANTITIES.flatMap((quantity): Drawing[] => {
    const measured = measuredRows(own, "direct", quantity);
    if (kindsIn(measured).length === 0) return [];
    const looks = all.filter(({ id }) => measured.some((row) => row.id === id));
    const points = pointsOf(measured, looks, quantity);
    const title = `${quantity.title} while the tunnel's own port is flooded`;
    const notes = [
      "medians, bars from the lowest to the highest run",
      ...weakText(measured),
      ...absentText(own, "direct", quantity, (row) => all.find(({ id }) => id === row.id)!.label),
    ];
    const alt = altOf(measured, looks, quantity, title);
    const spec = (theme: Theme): Spec => specOf(points, looks, quantity, title, notes, theme);
    return [{ name: `direct-${quantity.id}`, title, alt, spec }];
  });
};

/** Id of the limit. */
export const LIMIT = none.id;
