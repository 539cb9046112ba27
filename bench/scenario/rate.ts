/**
 * rate — the highest rate of small UDP packets that a tunnel carries with next to no loss.
 *
 *   rate  8k ── 16k ── 32k ── 64k ─ ✗ 128k ─ ✗ 256k    doubled until two in a row lose too much
 *                              └─ 90k ─ 76k ─ …        then between the last two, by halves
 *
 * A rate that failed is tried once more, and the ramp goes one step past it, before it counts: a
 * bad second of the machine is not the tunnel's limit. Every search has at most TRIALS_MAX trials.
 */

/** Protocol of the benchmark: what may be lost. */
export const LOSS_MAX_PCT = 1;
const FIRST_RATE = 8_000;
const RATE_MAX = 2_048_000;
/** Each halves what is not known: 2^(1/16) is 4 %. */
const REFINEMENTS = 4;
const TRIALS_MAX = 40;
/** Of one rate, until it counts as failed. */
const TRIES = 2;
/** Rates of the ramp in a row. */
const FAILED_MAX = 2;
/** A sender below this share of what was asked is the bottleneck itself. */
const SENDER_SHARE = 0.9;
/** What a tunnel that loses even this carries is not worth a search. */
const LOWEST_RATE = 500;

/** One attempt. Rates in packets a second. */
export interface Trial {
  readonly asked: number;
  /** What the sender did send. */
  readonly offered: number;
  readonly received: number;
  readonly lossPct: number;
}

export interface Found {
  /** The best trial that lost next to nothing; null: none did. */
  readonly best: Trial | null;
  readonly trials: number;
  /** The sender reached its own end before the tunnel did. */
  readonly senderBound: boolean;
}

const good = ({ lossPct }: Trial): boolean => lossPct <= LOSS_MAX_PCT;

/** Searches with trials. Errors: what `attempt` throws. */
export const searchRate = async (attempt: (rate: number) => Promise<Trial>): Promise<Found> => {
  let best: Trial | null = null;
  let trials = 0;
  /** True: the tunnel carries that rate. */
  const carries = async (rate: number): Promise<boolean> => {
    for (let tries = 0; tries < TRIES && trials < TRIALS_MAX; tries++) {
      const trial = await attempt(rate);
      trials++;
      if (!good(trial)) continue;
      if (best === null || trial.offered > best.offered) best = trial;
      return true;
    }
    return false;
  };
  let low = 0;
  let high = FIRST_RATE;
  for (let rate = high, failed = 0; failed < FAILED_MAX && rate <= RATE_MAX; rate *= 2) {
    if (await carries(rate)) {
      low = rate;
      failed = 0;
    } else {
      if (failed === 0) high = rate;
      failed++;
    }
  }
  while (low === 0 && high > LOWEST_RATE) {
    high /= 2;
    if (await carries(high)) low = high;
  }
  if (high <= low) high = 2 * low;
  for (let i = 0; i < REFINEMENTS && low > 0; i++) {
    const middle = Math.round(Math.sqrt(low * high));
    if (await carries(middle)) low = middle;
    else high = middle;
  }
  return { best, trials, senderBound: isSenderBound(best) };
};

/** The best trial fell short of what was asked: more might have been carried. */
const isSenderBound = (best: Trial | null): boolean =>
  best !== null && best.offered < SENDER_SHARE * best.asked;
