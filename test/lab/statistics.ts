/**
 * statistics — medians, quartiles, and how far two series of runs are apart.
 */

/** The value below which the share `q` lies, between neighbours in proportion; NaN of nothing. */
export const quantile = (values: readonly number[], q: number): number => {
  if (values.length === 0) return Number.NaN;
  const sorted = [...values].sort((x, y) => x - y);
  const at = (sorted.length - 1) * q;
  const below = Math.floor(at);
  const low = sorted[below]!;
  const high = sorted[Math.min(below + 1, sorted.length - 1)]!;
  return low + (high - low) * (at - below);
};

/** Median; of an even number of values, the mean of the middle two. */
export const median = (values: readonly number[]): number => quantile(values, 0.5);

export interface Spread {
  readonly mean: number;
  readonly median: number;
  readonly lowest: number;
  readonly lowerQuartile: number;
  readonly upperQuartile: number;
  readonly highest: number;
}

/** Null of nothing. */
export const spreadOf = (values: readonly number[]): Spread | null =>
  values.length === 0
    ? null
    : {
        mean: values.reduce((sum, value) => sum + value, 0) / values.length,
        median: median(values),
        lowest: quantile(values, 0),
        lowerQuartile: quantile(values, 0.25),
        upperQuartile: quantile(values, 0.75),
        highest: quantile(values, 1),
      };

/** A figure of one run; runs of the same number stood beside each other in time. */
export interface Measured {
  readonly run: number;
  readonly value: number;
}

export interface Ratio {
  /** Of the two medians. */
  readonly ratio: number;
  /** Of the runs with the same number, the lowest and the highest; what noise leaves of it. */
  readonly lowest: number;
  readonly highest: number;
}

/** How many times the reference; null where either is missing or the reference is 0. */
export const ratioOf = (
  ours: readonly Measured[],
  reference: readonly Measured[],
): Ratio | null => {
  const below = median(reference.map(({ value }) => value));
  if (ours.length === 0 || reference.length === 0 || below === 0) return null;
  const ratio = median(ours.map(({ value }) => value)) / below;
  const pairs = ours.flatMap(({ run, value }) => {
    const other = reference.find((one) => one.run === run)?.value ?? 0;
    return other === 0 ? [] : [value / other];
  });
  const ends = pairs.length === 0 ? [ratio] : pairs;
  return { ratio, lowest: Math.min(...ends), highest: Math.max(...ends) };
};
