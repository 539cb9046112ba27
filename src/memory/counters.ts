/**
 * counters — what happened, per thread; one f64 each, one writer each block.
 *
 * Block `i` belongs to I/O thread `i`, the last one to control. Readers add the blocks.
 */
import { COUNT, COUNTERS_PER_THREAD, COUNTS, DROP, DROPS } from "./layout.ts";
import { type Arena, wordOf } from "./region.ts";

/** One thread's block. Thread: its owner. */
export class Counters {
  readonly #f64: Float64Array;

  constructor(arena: Arena, block: number) {
    const start = arena.layout.base.counters + block * COUNTERS_PER_THREAD * 8;
    this.#f64 = new Float64Array(arena.buffer, start, COUNTERS_PER_THREAD);
  }

  /** Adds to a DROP or COUNT. */
  add(which: number, amount: number): void {
    this.#f64[which] = this.#f64[which]! + amount;
  }

  get(which: number): number {
    return this.#f64[which]!;
  }
}

/** Control's block number. */
export const controlBlock = (arena: Arena): number => arena.limits.ioThreads;

/** A DROP or COUNT of all threads together. Thread: any. */
export const sumCounter = (arena: Arena, which: number): number => {
  const base = wordOf(arena, "counters", 8, 0) >>> 1;
  let total = 0;
  for (let block = 0; block <= controlBlock(arena); block++) {
    total += arena.f64[base + block * COUNTERS_PER_THREAD + which]!;
  }
  return total;
};

export interface CounterSums {
  readonly counters: Record<string, number>;
  readonly drops: Record<string, number>;
}

/** Sums of the blocks from `from` up to `to`. Thread: any. */
export const sumCounters = (arena: Arena, from: number, to: number): CounterSums => {
  const base = wordOf(arena, "counters", 8, 0) >>> 1;
  const sum = (which: number): number => {
    let total = 0;
    for (let block = from; block < to; block++) {
      total += arena.f64[base + block * COUNTERS_PER_THREAD + which] ?? 0;
    }
    return total;
  };
  return {
    counters: Object.fromEntries(COUNTS.map((row) => [row.name, sum(COUNT[row.name])])),
    drops: Object.fromEntries(DROPS.map((row) => [row.name, sum(DROP[row.name])])),
  };
};
