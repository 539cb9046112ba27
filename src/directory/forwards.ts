/**
 * forwards — may one member's word be passed on to another now? Once in two
 * seconds for a pair. Pure.
 *
 * Source: network.md 2, CALL: "one per pair in 2 s". Times are boot-clock milliseconds.
 */

/** Protocol. */
const PAIR_MS = 2_000;
/** Tuning: pairs that are remembered; while all of them are young, nobody else has a turn. */
const PAIRS_MAX = 8_192;

export class Forwards {
  /** When a pair had its turn; oldest first. */
  readonly #pairs = new Map<string, number>();

  /** From one member number to another. */
  take(from: number, to: number, nowMs: number): boolean {
    const pair = `${from} ${to}`;
    for (const [old, atMs] of this.#pairs) {
      if (nowMs - atMs < PAIR_MS) break;
      this.#pairs.delete(old);
    }
    if (this.#pairs.has(pair) || this.#pairs.size >= PAIRS_MAX) return false;
    this.#pairs.set(pair, nowMs);
    return true;
  }
}
