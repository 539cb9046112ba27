/**
 * orders — what the test says to its workers, and the nonces that they used.
 *
 * Both lie in the arena's IPv6 route table, since these tests have no IPv6 routes: shared memory is
 * allocated in one place only. First come the words of ORDER, then one word for each counter of
 * the sealing session: how often a segment was sealed with it.
 */
import { JOB } from "../../src/memory/layout.ts";
import { type Arena, fieldWord, wordOf } from "../../src/memory/region.ts";

/** Words of an order. */
export const ORDER = { stall: 0, kind: 1, stalledTag: 2, release: 3 } as const;
const ORDER_WORDS = 32;

/** Where in a job the worker stops: before it begins, after half of the segments, before finish. */
export const STALL = { none: 0, before: 1, half: 2, after: 3 } as const;
export type StallName = Exclude<keyof typeof STALL, "none">;

export interface Orders {
  readonly i32: Int32Array;
  readonly u32: Uint32Array;
  readonly first: number;
  /** Word of counter 0, and how many there are. */
  readonly uses: number;
  readonly counters: number;
}

export const ordersOf = (arena: Arena): Orders => {
  const first = wordOf(arena, "routes6", 4, 0);
  const words = arena.layout.count.routes6;
  return {
    i32: arena.i32,
    u32: arena.u32,
    first,
    uses: first + ORDER_WORDS,
    counters: words - ORDER_WORDS,
  };
};

/** Prefixes that make room for so many counters. */
export const routesFor = (counters: number): number => Math.ceil((counters + ORDER_WORDS) / 16);

const COUNT = fieldWord(JOB.fields.count);
const COUNTER_LOW = fieldWord(JOB.fields.counterLow);

/** Counts one use for each segment of the seal job at `word` but the last `spared`. */
export const noteUse = (orders: Orders, word: number, spared: number): void => {
  const { u32, uses, counters } = orders;
  const first = u32[word + COUNTER_LOW]!;
  const count = u32[word + COUNT]! - spared;
  if (first + count > counters) throw new RangeError(`no room for counter ${first + count}`);
  for (let i = 0; i < count; i++) Atomics.add(u32, uses + first + i, 1);
};
