/**
 * store — the directory as its users see it: publish what a member shows of itself, and find what
 * others have published. dht.ts is the real one, twin.ts one in memory.
 */
import type { Pair } from "../wire/intro.ts";

/** Thread: the owner's. Errors: never; a directory that cannot be reached finds nothing. */
export interface DiscoveryStore {
  /** Publishes a pair under all targets of its certificate. How many storers have it then. */
  put(pair: Pair): Promise<number>;
  /**
   * The newest that was found for a target, verified; null: nobody has one. Three storers that say
   * the same are enough, and so are 250 ms after the first answer.
   */
  get(target: Uint8Array): Promise<Pair | null>;
  /** Ends what is under way, and closes it. */
  stop(): Promise<void>;
}

/** Something newer than what `get` gave came after it. */
export type OnFound = (target: Uint8Array, pair: Pair) => void;

/** Time of whoever runs it. */
export interface Timer {
  /** Milliseconds of a clock that never jumps. */
  bootMs(): number;
  /** Does it after that many milliseconds; what is returned calls it off. */
  after(delayMs: number, act: () => void): () => void;
}

/** Tuning: closest storers that a record goes to. dht-rpc's k. */
export const REPLICAS = 20;
/** Tuning: storers that have to say the same; how long others are waited for after the first. */
export const AGREEING = 3;
export const LATE_MS = 250;
