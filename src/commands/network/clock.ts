/**
 * clock — the time at which a command signs: the only one that these commands read.
 */

/** Units: seconds since 1970. */
export const unixS = (): number => Math.floor(Date.now() / 1_000);
