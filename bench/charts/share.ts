/**
 * share — scenario `direct` at its highest load: what is left of the bare link's throughput.
 */
import type { Row } from "../report.ts";
import { type Bar, barLayers, barMarks, STEP } from "./bars.ts";
import { COLUMNS, kindsIn, LIMIT, panelsOf } from "./direct.ts";
import type { Drawing } from "./drawing.ts";
import {
  figureIn,
  isWeak,
  measuredRows,
  type Quantity,
  THROUGHPUT,
  toldRange,
  weakText,
} from "./floods.ts";
import { type Look, looksOf } from "./looks.ts";
import type { Spec } from "./render.ts";
import type { Theme } from "./theme.ts";

const WIDTH = 156;
const FULL_PCT = 100;
/** Of the axis: room for what is written at the ends of bars. */
const ROOM = 1.3;
const RUNS = "bars: medians, rules: lowest to highest run";
const WORDS = { digits: 0, unit: "%", silence: "nothing to compare" } as const;
const CALM = "no flood";
const TITLE = "What a tunnel keeps of the bare link's throughput";

const percent = (value: number, limit: number): number => (FULL_PCT * value) / limit;

/** Of one panel; a scheme that was not measured has no bar and a word. */
const barsOf = (
  panel: string,
  rows: readonly Row[],
  looks: readonly Look[],
  quantity: Quantity,
): Bar[] => {
  const limit = rows.find(({ id }) => id === LIMIT)?.throughputMbps ?? 0;
  return looks.map((look): Bar => {
    const row = rows.find(({ id }) => id === look.id);
    const none = { panel, look, value: null, lowest: null, highest: null, weak: false };
    if (row === undefined) return { ...none, text: "not measured" };
    if (limit === 0) return { ...none, text: "no limit to compare" };
    const value = percent(row.throughputMbps ?? 0, limit);
    const ends = row.spread.throughputMbps;
    const came = figureIn(row, quantity) !== null;
    return {
      ...{
        panel,
        look,
        value,
        weak: isWeak(row),
        text: came ? `${value.toFixed(0)} %` : quantity.silence,
      },
      lowest: ends === undefined ? null : percent(ends.lowest, limit),
      highest: ends === undefined ? null : percent(ends.highest, limit),
    };
  });
};

const specOf = (
  bars: readonly Bar[],
  looks: readonly Look[],
  notes: readonly string[],
  theme: Theme,
): Spec => {
  const most = Math.max(FULL_PCT, ...bars.map(({ value, highest }) => highest ?? value ?? 0));
  const x = {
    field: "x",
    type: "quantitative",
    scale: { domain: [0, most * ROOM], nice: false },
    axis: { title: "of no VPN, %", values: [0, 50, FULL_PCT] },
  };
  return {
    title: { text: TITLE, subtitle: notes },
    data: { values: barMarks(bars) },
    facet: panelsOf([...new Set(bars.map(({ panel }) => panel))]),
    columns: COLUMNS,
    spacing: { row: 14, column: 26 },
    spec: { width: WIDTH, height: { step: STEP }, layer: barLayers(looks, x, theme) },
    resolve: { axis: { x: "independent" } },
  };
};

/** A chart of scenario `direct`; none without a limit. */
export const shareDrawings = (rows: readonly Row[]): Drawing[] => {
  const own = rows.filter(({ scenario }) => scenario === "direct");
  const quantity = THROUGHPUT;
  const measured = measuredRows(own, "direct", quantity);
  const kinds = kindsIn(measured);
  if (kinds.length === 0 || !measured.some(({ id }) => id === LIMIT)) return [];
  const most = Math.max(...measured.map(({ attackMbps }) => attackMbps));
  const looks = looksOf(measured).filter(({ id }) => id !== LIMIT);
  const calm = measured.filter(({ attackMbps }) => attackMbps === 0);
  const bars = [
    ...barsOf(CALM, calm, looks, quantity),
    ...kinds.flatMap(({ id, panel }) => {
      const flooded = measured.filter((row) => row.class === id && row.attackMbps === most);
      return barsOf(panel, flooded, looks, quantity);
    }),
  ];
  const weak = weakText(measured.filter((row) => row.attackMbps === most));
  const notes = [
    `one TCP stream; floods of ${most.toLocaleString("en")} Mbit/s asked for; ${RUNS}`,
    ...weak.map((text) => text.replace("hollow", "pale")),
  ];
  const told = looks.map((look) => {
    const own = bars.filter((bar) => bar.look === look && bar.panel !== CALM);
    const values = own.map(({ value }) => value);
    return `${look.label} ${toldRange(values, WORDS)}`;
  });
  const floods = `floods of ${most} Mbit/s (kinds: ${kinds.length})`;
  const alt = `${TITLE}: under ${floods}: ${told.join("; ")}.`;
  return [
    {
      ...{ name: "direct-share", title: TITLE, alt },
      spec: (theme) => specOf(bars, looks, notes, theme),
    },
  ];
};
