/**
 * trend — is a series of samples flat? For the soak's verdict.
 */

/** Slope of the line of least squares through (x, y). Units: y per x. */
const slope = (xs: readonly number[], ys: readonly number[]): number => {
  const n = xs.length;
  const meanX = xs.reduce((sum, x) => sum + x, 0) / n;
  const meanY = ys.reduce((sum, y) => sum + y, 0) / n;
  let above = 0;
  let below = 0;
  for (let i = 0; i < n; i++) {
    above += (xs[i]! - meanX) * (ys[i]! - meanY);
    below += (xs[i]! - meanX) ** 2;
  }
  return below === 0 ? 0 : above / below;
};

/** How much the line rises between the first and the last sample; negative: it falls. */
export const rise = (xs: readonly number[], ys: readonly number[]): number =>
  xs.length < 2 ? 0 : slope(xs, ys) * (xs.at(-1)! - xs[0]!);
