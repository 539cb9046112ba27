/** members-outcome — how long a storm lasts, and what became of it. */

/** Members that belong. */
export const NODES = 8;
/** All start within this. */
export const START_MS = 3_000;
export const STORM_MS = 300_000;
/** All have met somebody until then: who knows one address, and that one moves, is alone. */
export const FAIR_MS = 20_000;
/** All know each other this long after the sky is clear, or something is wrong. */
export const TOGETHER_MS = 1_500_000;
/** A node that is up for so long has its neighbours; so has one after a partition. */
export const SETTLED_MS = 80_000;
export const HOUR_MS = 3_600_000;

export interface Storm {
  readonly seed: number;
  readonly virtualMs: number;
  /** From the last start until all who belong know each other; null: not before the storm. */
  readonly startMs: number | null;
  /** From the clear sky until everybody knows everybody. */
  readonly togetherMs: number;
  readonly counts: ReadonlyMap<string, number>;
  readonly trace: readonly string[];
}

/** A run went wrong; the seed repeats it. */
export class StormError extends Error {
  readonly seed: number;
  readonly trace: readonly string[];

  constructor(seed: number, cause: unknown, trace: readonly string[]) {
    super(`seed ${seed}: ${(cause as Error).message}`, { cause });
    this.seed = seed;
    this.trace = trace;
  }
}
