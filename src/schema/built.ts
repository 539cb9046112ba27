/**
 * built — when this version was made: no host that runs it has a right clock that is before.
 */

/** Unix seconds. Raised with each version. */
export const BUILT_S = Date.UTC(2026, 10, 29) / 1_000;
