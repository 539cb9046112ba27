/**
 * speed — charts of scenario `speed`: ours as a multiple of wireguard-go, and latency in ms.
 *
 * Where more is better and where less is are two charts: a bar is never good in two directions.
 */
import type { Row } from "../report.ts";
import { GOALS, RIVAL } from "../scenario/goals.ts";
import { WORKS } from "../scenario/works.ts";
import { type Bar, barLayers, barMarks, STEP, schemeAxis } from "./bars.ts";
import { brokenTitle } from "./direct.ts";
import type { Drawing } from "./drawing.ts";
import type { Mark } from "./lines.ts";
import { type Look, looksOf } from "./looks.ts";
import type { Spec } from "./render.ts";
import { groundOf, type Theme, TYPE } from "./theme.ts";

/** What a panel shows. */
interface Part {
  readonly title: string;
  readonly work: string;
  readonly figure: string;
}

interface Topic {
  readonly name: string;
  readonly title: string;
  readonly note: string;
  readonly axis: string;
  readonly parts: readonly Part[];
}

const workTitle = (id: string): string => WORKS.find((work) => work.id === id)?.title ?? id;

const partOf = (work: string, figure: string, more = ""): Part => ({
  ...{ title: `${workTitle(work)}${more}`, work, figure },
});

const GOAL_NOTE = "circle: what is asked at least; diamond: the aim";

const TOPICS: readonly Topic[] = [
  {
    ...{ name: "speed-more", title: "Beside wireguard-go: more is better" },
    ...{ note: `dashed: wireguard-go itself; ${GOAL_NOTE}`, axis: "times wireguard-go" },
    parts: [
      ...["tcp1", "tcp4", "card"].map((work) => partOf(work, "throughputMbps")),
      partOf("udp64", "packetsPerSecond"),
      partOf("peers", "throughputMbps"),
    ],
  },
  {
    ...{ name: "speed-less", title: "Beside wireguard-go: less is better" },
    ...{ note: `dashed: wireguard-go itself; ${GOAL_NOTE}`, axis: "times wireguard-go" },
    parts: [
      partOf("ping", "latencyMs", ", median"),
      partOf("loaded", "latencyMs", ", median"),
      partOf("loaded", "latencyP99Ms", ", p99"),
      partOf("tcp1", "cpuSecondsPerGb", ", processor time per GB"),
    ],
  },
];

const WIDTH = 190;
/** Of a panel's title. Units: characters. */
const TITLE_LENGTH = 27;
const COLUMNS = 2;
/** Units: square pixels. */
const GOAL_AREA = 90;
/** The axis goes at least this far. */
const TIMES_MIN = 1.25;
/** Room beyond the longest bar. */
const ROOM = 1.05;
const RUNS_NOTE = "bars: medians; rules: lowest to highest run";
const RATIO_NOTE = `${RUNS_NOTE}, both over the median of wireguard-go`;

const medianOf = (row: Row | undefined, figure: string): number | null =>
  row?.spread[figure]?.median ?? null;

const ratioBar = (look: Look, row: Row | undefined, figure: string, below: number): Bar => {
  const spread = row?.spread[figure];
  const own = { panel: "", look, weak: false };
  if (spread === undefined) {
    return { ...own, value: null, lowest: null, highest: null, text: "not measured" };
  }
  const value = spread.median / below;
  const ends = { lowest: spread.lowest / below, highest: spread.highest / below };
  return { ...own, value, ...ends, text: `${value.toFixed(2)} ×` };
};

/** Marks of what is asked of a scheme, as ratios. */
const goalMarks = (look: Look, { work, figure }: Part, below: number): Mark[] =>
  GOALS.filter(
    (goal) =>
      goal.scheme === look.id &&
      goal.work === work &&
      goal.figure === figure &&
      goal.reference === undefined,
  ).flatMap(({ least, aim, absolute }): Mark[] => {
    const line = look.label;
    const reached = aim !== null && absolute ? aim / below : aim;
    return [
      ...(least === null ? [] : [{ part: "least", line, x: least }]),
      ...(reached === null ? [] : [{ part: "aim", line, x: reached }]),
    ];
  });

interface Panel {
  readonly title: string;
  readonly looks: readonly Look[];
  readonly bars: readonly Bar[];
  readonly goals: readonly Mark[];
}

/** Null: there is nothing to compare with, or nothing that could be compared. */
const panelOf = (part: Part, rows: readonly Row[], looks: readonly Look[]): Panel | null => {
  const own = rows.filter((row) => row.work === part.work);
  const below = medianOf(
    own.find(({ id }) => id === RIVAL),
    part.figure,
  );
  const some = looks.filter(({ id }) => id !== RIVAL && own.some((row) => row.id === id));
  if (below === null || below === 0 || some.length === 0) return null;
  const rowOf = ({ id }: Look): Row | undefined => own.find((row) => row.id === id);
  return {
    ...{ title: part.title, looks: some },
    bars: some.map((look) => ratioBar(look, rowOf(look), part.figure, below)),
    goals: some.flatMap((look) => goalMarks(look, part, below)),
  };
};

/** Seen on a bar as well as beside it. */
const contrast = (theme: Theme): Spec => ({
  ...{ color: groundOf("text", theme), stroke: groundOf("background", theme), strokeWidth: 0.8 },
});

const tick = (part: string, thickness: number, x: Spec, y: Spec, theme: Theme): Spec => ({
  transform: [{ filter: `datum.part === '${part}'` }],
  mark: { type: "tick", thickness, size: STEP * 0.95, opacity: 1, ...contrast(theme) },
  encoding: { x, y },
});

/** Of what is asked: hollow at least, full the aim. */
const goal = (part: "least" | "aim", shape: string, x: Spec, y: Spec, theme: Theme): Spec => ({
  transform: [{ filter: `datum.part === '${part}'` }],
  mark: {
    ...{ type: "point", shape, size: GOAL_AREA, opacity: 1, strokeWidth: 1.8 },
    stroke: groundOf(part === "least" ? "text" : "background", theme),
    fill: groundOf(part === "least" ? "background" : "text", theme),
  },
  encoding: { x, y },
});

const headOf = (title: string): Spec => ({
  text: brokenTitle(title, TITLE_LENGTH).split("\n"),
  ...{ fontSize: TYPE.text, offset: 6, frame: "group" },
});

const ratioPanel = ({ title, looks, bars, goals }: Panel, most: number, theme: Theme): Spec => {
  const { axis } = TOPICS[0]!;
  const x = {
    field: "x",
    type: "quantitative",
    scale: { domain: [0, most], nice: false },
    axis: { title: axis, tickCount: 5 },
  };
  const y = schemeAxis(looks);
  const text = groundOf("text", theme);
  return {
    title: headOf(title),
    ...{ width: WIDTH, height: { step: STEP } },
    data: { values: [...barMarks(bars, most), ...goals] },
    layer: [
      ...barLayers(looks, x, theme),
      goal("least", "circle", x, y, theme),
      goal("aim", "diamond", x, y, theme),
      {
        mark: { type: "rule", strokeDash: [4, 3], color: text, opacity: 0.8 },
        encoding: { x: { datum: 1, type: "quantitative" } },
      },
    ],
  };
};

const farthest = (panels: readonly Panel[]): number =>
  ROOM *
  Math.max(
    TIMES_MIN,
    ...panels.flatMap(({ bars, goals }) => [
      ...bars.map(({ value, highest }) => highest ?? value ?? 0),
      ...goals.map(({ x }) => Number(x)),
    ]),
  );

const toldPanel = ({ title, bars }: Pick<Panel, "title" | "bars">): string =>
  `${title}: ${bars.map(({ look, text }) => `${look.label} ${text}`).join("; ")}`;

const gridOf = (title: string, notes: readonly string[], panels: readonly Spec[]): Spec => ({
  title: { text: title, subtitle: notes },
  ...{ concat: panels, columns: COLUMNS, spacing: { row: 24, column: 28 }, align: "each" },
  resolve: { scale: { color: "independent", stroke: "independent" } },
});

const topicDrawing = (topic: Topic, rows: readonly Row[]): Drawing[] => {
  const looks = looksOf(rows);
  const panels = topic.parts.flatMap((part) => panelOf(part, rows, looks) ?? []);
  if (panels.length === 0) return [];
  const { name, title, note } = topic;
  const most = farthest(panels);
  return [
    {
      ...{ name, title, alt: `${title}. ${panels.map(toldPanel).join(". ")}.` },
      spec: (theme) =>
        gridOf(
          title,
          [RATIO_NOTE, note],
          panels.map((panel) => ratioPanel(panel, most, theme)),
        ),
    },
  ];
};

const LATENCY_WORKS = ["ping", "loaded"] as const;

const latencyBars = (rows: readonly Row[], looks: readonly Look[]): Bar[] =>
  looks.map((look): Bar => {
    const row = rows.find(({ id }) => id === look.id);
    const ends = row?.spread.latencyMs;
    const value = ends?.median ?? null;
    const p99 = medianOf(row, "latencyP99Ms");
    const told = value === null ? "not measured" : `${value.toFixed(2)} ms`;
    return {
      ...{ panel: "", look, value, weak: false },
      ...{ lowest: ends?.lowest ?? null, highest: ends?.highest ?? null },
      text: p99 === null || value === null ? told : `${value.toFixed(2)} / ${p99.toFixed(2)}`,
    };
  });

const latencyPanel = (
  title: string,
  rows: readonly Row[],
  looks: readonly Look[],
  bars: readonly Bar[],
  theme: Theme,
): Spec => {
  const tails = looks.flatMap((look): Mark[] => {
    const x = medianOf(
      rows.find(({ id }) => id === look.id),
      "latencyP99Ms",
    );
    return x === null ? [] : [{ part: "p99", line: look.label, x }];
  });
  const ends = [
    ...bars.map(({ value, highest }) => highest ?? value ?? 0),
    ...tails.map(({ x }) => Number(x)),
  ];
  const most = ROOM * Math.max(...ends);
  const x = {
    field: "x",
    type: "quantitative",
    scale: { domain: [0, most], nice: false },
    axis: { title: "round trip, ms", tickCount: 5 },
  };
  return {
    title: headOf(title),
    ...{ width: WIDTH, height: { step: STEP } },
    data: { values: [...barMarks(bars, most), ...tails] },
    layer: [...barLayers(looks, x, theme), tick("p99", 2.4, x, schemeAxis(looks), theme)],
  };
};

const latencyDrawing = (rows: readonly Row[]): Drawing[] => {
  const panels = LATENCY_WORKS.flatMap((work) => {
    const own = rows.filter((row) => row.work === work);
    const looks = looksOf(rows).filter(({ id }) => own.some((row) => row.id === id));
    const bars = latencyBars(own, looks);
    const title = workTitle(work);
    return bars.some(({ value }) => value !== null) ? [{ title, own, looks, bars }] : [];
  });
  if (panels.length === 0) return [];
  const title = "Round trips through the tunnel";
  return [
    {
      ...{ name: "speed-latency", title },
      alt: `${title}, in milliseconds. ${panels.map(toldPanel).join(". ")}.`,
      spec: (theme) =>
        gridOf(
          title,
          [`${RUNS_NOTE}; thick mark: the 99th percentile; written: median / p99, ms`],
          panels.map((one) => latencyPanel(one.title, one.own, one.looks, one.bars, theme)),
        ),
    },
  ];
};

/** Charts of scenario `speed`. */
export const speedDrawings = (rows: readonly Row[]): Drawing[] => {
  const own = rows.filter(({ scenario, work }) => scenario === "speed" && work !== "");
  return [...TOPICS.flatMap((topic) => topicDrawing(topic, own)), ...latencyDrawing(own)];
};
