/**
 * paper — charts of scenario `paper`: every scheme on one field, the paper's own figures dashed.
 *
 * Loads stand at equal steps, as in the paper's Table 3, and schemes side by side within a step.
 */
import { FLOOD_CLASSES } from "../../test/lab/floods.ts";
import type { Row } from "../report.ts";
import { PAPER_NAMES, PUBLISHED } from "../scenario/paper.ts";
import type { Drawing } from "./drawing.ts";
import {
  absentText,
  endsOf,
  figureIn,
  isWeak,
  measuredRows,
  QUANTITIES,
  type Quantity,
  toldValue,
  weakText,
} from "./floods.ts";
import {
  labelLayers,
  lanesOf,
  lineLayers,
  type Mark,
  marksOf,
  type Point,
  scaleOfPoints,
  valueAxis,
} from "./lines.ts";
import { type Look, looksOf } from "./looks.ts";
import type { Spec } from "./render.ts";
import { type Scale, spreadLabels } from "./scale.ts";
import type { Theme } from "./theme.ts";

const WIDTH = 520;
const HEIGHT = 380;
/** Between labels. Units: pixels. */
const LABEL_GAP = 17;
/** Of a step, what the schemes take side by side. */
const SPREAD = 0.2;
const MARGIN = 0.32;
/** Where labels begin, behind the last step. */
const LABEL_AT = 0.1;
/** Its charts have no suffix. */
const USUAL_CLASS = "junk";

// biome-ignore format: a table
const PAPER_LOOKS: Readonly<Record<string, Pick<Look, "label" | "tone" | "shape">>> = {
  p2pvpn: { label: PAPER_NAMES.p2pvpn, tone: "paper", shape: "circle" },
  strongswan: { label: PAPER_NAMES.strongswan, tone: "strongswan", shape: "diamond" },
  openvpn: { label: PAPER_NAMES.openvpn, tone: "openvpn", shape: "triangle-up" },
};

const paperLooks = Object.entries(PAPER_LOOKS).map(
  ([family, drawn]): Look => ({
    ...{ id: family, own: false, width: 1.4, dash: [6, 4], textTone: drawn.tone, ...drawn },
  }),
);

interface Field {
  readonly looks: readonly Look[];
  readonly loads: readonly number[];
  readonly points: readonly Point[];
}

const fieldOf = (rows: readonly Row[], quantity: Quantity): Field => {
  const looks = looksOf(rows);
  const loads = [...new Set(rows.map(({ attackMbps }) => attackMbps))].sort((x, y) => x - y);
  const all = [...looks, ...paperLooks];
  const stepOf = (load: number, look: Look): number =>
    loads.indexOf(load) + SPREAD * ((all.indexOf(look) + 0.5) / all.length - 0.5);
  const measured = rows.map((row): Point => {
    const look = looks.find(({ id }) => id === row.id)!;
    return {
      ...{ panel: "", look, x: stepOf(row.attackMbps, look), y: figureIn(row, quantity) },
      ...{ weak: isWeak(row), ...endsOf(row, quantity) },
    };
  });
  const published = paperLooks.flatMap((look) =>
    loads.flatMap((load): Point[] => {
      const found = PUBLISHED[look.id]?.[load];
      if (found === undefined) return [];
      const at = { panel: "", look, x: stepOf(load, look), y: found[quantity.figure] };
      return [{ ...at, lowest: null, highest: null, weak: false }];
    }),
  );
  return { looks: all, loads, points: [...measured, ...published] };
};

/** The last point of each line. */
const lastPoints = ({ looks, points }: Field): Point[] =>
  looks.flatMap((look) => points.filter((point) => point.look === look).at(-1) ?? []);

const labelMarks = (field: Field, scale: Scale, quantity: Quantity): Mark[] => {
  const lanes = lanesOf(field.points);
  const last = lastPoints(field);
  const ys = last.map(({ y, look }) => y ?? scale.lane(lanes.indexOf(look.label)));
  const placed = spreadLabels(ys.map(scale.toPx), LABEL_GAP, [0, HEIGHT]);
  const x = field.loads.length - 1 + MARGIN + LABEL_AT;
  return last.flatMap(({ look, y, x: from }, i): Mark[] => {
    const at = scale.fromPx(placed[i]!);
    const value = y === null ? "nothing" : y.toFixed(quantity.digits);
    const common = { panel: "", line: look.label };
    return [
      { ...common, part: "leader", x: from, y: ys[i]!, x2: x - 0.02, y2: at },
      { ...common, part: "label", x, y: at, text: `${look.label}: ${value}` },
    ];
  });
};

const axesOf = ({ loads }: Field, scale: Scale, { axis }: Quantity): Spec => ({
  x: {
    field: "x",
    type: "quantitative",
    scale: { domain: [-MARGIN, loads.length - 1 + MARGIN], nice: false, zero: false },
    axis: {
      ...{ title: "attack asked for, Mbit/s (steps, not to scale)", grid: false },
      values: loads.map((_, i) => i),
      labelExpr: `${JSON.stringify(loads.map((load) => load.toLocaleString("en")))}[datum.value]`,
    },
  },
  y: valueAxis(scale, axis),
});

const specOf = (
  field: Field,
  quantity: Quantity,
  title: string,
  notes: readonly string[],
  theme: Theme,
): Spec => {
  const { points, loads, looks } = field;
  const scale = scaleOfPoints(points, HEIGHT, quantity.edge);
  const ends = [-MARGIN, loads.length - 1 + MARGIN] as const;
  const marks = marksOf(points, looks, scale, ends, quantity.silence);
  const axes = axesOf(field, scale, quantity);
  return {
    title: { text: title, subtitle: notes },
    width: WIDTH,
    height: HEIGHT,
    data: { values: [...marks, ...labelMarks(field, scale, quantity)] },
    layer: [...lineLayers(looks, axes, theme, null), ...labelLayers(looks, axes, theme)],
  };
};

const altOf = (field: Field, quantity: Quantity, title: string): string => {
  const most = field.loads.at(-1) ?? 0;
  const told = lastPoints(field).map(({ look, y }) => `${look.label} ${toldValue(y, quantity)}`);
  return (
    `${title}, a line for each scheme, at attacks of ${field.loads.join(", ")} Mbit/s. ` +
    `At ${most} Mbit/s: ${told.join("; ")}.`
  );
};

/** Charts of scenario `paper`: throughput and latency, for each kind of flood that rows have. */
export const paperDrawings = (rows: readonly Row[]): Drawing[] => {
  const own = rows.filter(({ scenario }) => scenario === "paper");
  const kinds = FLOOD_CLASSES.filter(({ id }) => own.some((row) => row.class === id));
  return kinds.flatMap((kind) =>
    QUANTITIES.flatMap((quantity): Drawing[] => {
      const ofKind = own.filter((row) => row.class === null || row.class === kind.id);
      const measured = measuredRows(ofKind, "paper", quantity);
      if (measured.length === 0) return [];
      const field = fieldOf(measured, quantity);
      const title = `${quantity.title} while the server is flooded`;
      const labels = looksOf(ofKind);
      const nameOf = ({ id }: Row): string => labels.find((look) => look.id === id)!.label;
      const notes = [
        `flood: ${kind.title}; medians, bars from the lowest to the highest run`,
        ...weakText(measured),
        ...absentText(ofKind, "paper", quantity, nameOf),
      ];
      const suffix = kind.id === USUAL_CLASS ? "" : `-${kind.id}`;
      return [
        {
          ...{ name: `paper-${quantity.id}${suffix}`, title },
          alt: altOf(field, quantity, title),
          spec: (theme) => specOf(field, quantity, title, notes, theme),
        },
      ];
    }),
  );
};
