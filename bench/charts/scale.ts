/**
 * scale — axes with ticks at 1, 2 and 5, a band at one edge for what has no value, and labels that
 * keep clear of each other.
 */

export interface Scale {
  readonly type: "linear" | "log";
  /** With the band. */
  readonly domain: readonly [number, number];
  readonly ticks: readonly number[];
  /** Of the band: where values begin, and the outer edge. */
  readonly band: readonly [number, number];
  /** Value of the middle of a lane in the band; the first is the outermost. */
  readonly lane: (index: number) => number;
  /** Units: pixels from the top. */
  readonly toPx: (value: number) => number;
  readonly fromPx: (px: number) => number;
}

export const LANE_PX = 12;
const STEPS = [1, 2, 5, 10] as const;
const TICKS = 7;
/** What spans more is drawn on a logarithmic scale. */
const LOG_SPAN = 8;
/** A logarithmic axis begins no higher than this share of its lowest value. */
const FLOOR_SHARE = 0.95;

const niceStep = (max: number): number => {
  const rough = max / TICKS;
  const power = 10 ** Math.floor(Math.log10(rough));
  return power * (STEPS.find((step) => step * power >= rough * 0.999) ?? 10);
};

const linearTicks = (values: readonly number[]): number[] => {
  const max = Math.max(0, ...values) || 1;
  const step = niceStep(max);
  return Array.from({ length: Math.ceil(max / step - 1e-9) + 1 }, (_, i) => i * step);
};

const logTicks = (values: readonly number[]): number[] => {
  const low = Math.min(...values) * FLOOR_SHARE;
  const high = Math.max(...values);
  const from = Math.floor(Math.log10(low));
  const powers = Array.from({ length: Math.ceil(Math.log10(high)) - from + 1 }, (_, i) => from + i);
  const all = powers.flatMap((power) => [1, 2, 5].map((step) => Number(`${step}e${power}`)));
  const first = all.findLastIndex((tick) => tick <= low);
  const last = all.findIndex((tick) => tick >= high);
  return all.slice(Math.max(first, 0), last < 0 ? all.length : last + 1);
};

/** A scale for values, `height` pixels high, with a band of lanes beyond them. */
export const scaleOf = (
  values: readonly number[],
  height: number,
  lanes: number,
  edge: "top" | "bottom",
): Scale => {
  const positive = values.filter((value) => value > 0);
  const spans = Math.max(...positive) / Math.min(...positive) >= LOG_SPAN;
  const log = edge === "top" && positive.length === values.length && spans;
  const ticks = log ? logTicks(values) : linearTicks(values);
  const [low, high] = [ticks[0]!, ticks.at(-1)!];
  const to = (value: number): number => (log ? Math.log10(value) : value);
  const from = (value: number): number => (log ? 10 ** value : value);
  const bandPx = lanes === 0 ? 0 : (lanes + 1) * LANE_PX;
  const perPx = (to(high) - to(low)) / (height - bandPx);
  const top = edge === "top" ? to(high) + bandPx * perPx : to(high);
  const bottom = edge === "top" ? to(low) : to(low) - bandPx * perPx;
  const ends = edge === "top" ? [high, from(top)] : [low, from(bottom)];
  const bandEnd = ends[lanes === 0 ? 0 : 1]!;
  const fromPx = (px: number): number => from(top - px * perPx);
  const lanePx = (index: number): number => (index + 1) * LANE_PX;
  return {
    type: log ? "log" : "linear",
    // Exact where there is no band: rounding would put the last tick beyond the end.
    domain: edge === "top" ? [low, bandEnd] : [bandEnd, high],
    ticks,
    band: [edge === "top" ? high : low, bandEnd],
    lane: (index) => fromPx(edge === "top" ? lanePx(index) : height - lanePx(index)),
    toPx: (value) => (top - to(value)) / perPx,
    fromPx,
  };
};

interface Block {
  readonly sum: number;
  readonly count: number;
}

/**
 * Places labels as near to where they want to be as a gap between them allows, in their order.
 * Neighbours that would touch share the mean of their wishes. Source: pooling of adjacent
 * violators, isotonic regression.
 */
export const spreadLabels = (
  wanted: readonly number[],
  gap: number,
  [low, high]: readonly [number, number],
): number[] => {
  const order = wanted.map((_, i) => i).sort((x, y) => wanted[x]! - wanted[y]!);
  const blocks: Block[] = [];
  order.forEach((at, i) => {
    let block: Block = { sum: wanted[at]! - i * gap, count: 1 };
    for (let last = blocks.at(-1); last !== undefined; last = blocks.at(-1)) {
      if (last.sum / last.count <= block.sum / block.count) break;
      block = { sum: block.sum + last.sum, count: block.count + last.count };
      blocks.pop();
    }
    blocks.push(block);
  });
  const most = Math.max(low, high - (wanted.length - 1) * gap);
  const means = blocks.flatMap(({ sum, count }) => Array<number>(count).fill(sum / count));
  const placed = Array<number>(wanted.length).fill(0);
  order.forEach((at, i) => {
    placed[at] = Math.min(Math.max(means[i]!, low), most) + i * gap;
  });
  return placed;
};
