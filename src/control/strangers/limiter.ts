/**
 * limiter — token buckets: one for all, and one per source address in constant memory. Pure.
 *
 * A bucket is one number, the moment at which it will be full again. A message is allowed when,
 * after it, that moment is at most a whole bucket away. A bucket that is full says no more than one
 * that was never used, so entries age by themselves and are taken over without a loss.
 *
 * Source: WireGuard's ratelimiter (20 a second, 5 at once, IPv6 by /64; kernel `ratelimiter.c`);
 * security.md 25 and 27. Times are boot-clock milliseconds.
 */
import { sockaddrHost } from "../../wire/sockaddr.ts";

/** How fast a bucket fills, and how much it holds. */
export interface Rate {
  readonly perSecond: number;
  readonly burst: number;
}

/** One token bucket. */
export class Bucket {
  readonly #costMs: number;
  readonly #burst: number;
  #fullAtMs = Number.NEGATIVE_INFINITY;

  constructor(rate: Rate) {
    this.#costMs = 1_000 / rate.perSecond;
    this.#burst = rate.burst;
  }

  /** Takes a token, or several; false when there are fewer. */
  take(nowMs: number, tokens = 1): boolean {
    const fromMs = Math.max(this.#fullAtMs, nowMs);
    if (fromMs > nowMs + (this.#burst - tokens) * this.#costMs) return false;
    this.#fullAtMs = fromMs + tokens * this.#costMs;
    return true;
  }
}

/** Tuning: what one source address may do. */
export const SOURCE_RATE: Rate = { perSecond: 20, burst: 5 };
/** Tuning: a power of two. All in use at once takes 32,768 verified messages a second. */
export const SOURCE_ENTRIES = 8_192;
/** Tuning: entries that one source may lie in. */
export const SOURCE_PROBES = 8;

/** 32 bits that nobody outside can predict, from two words and a family. */
export type SourceHash = (family: number, high: number, low: number) => number;

/** Made of a keyed hash of 12 bytes, of which `hash` writes the first 4 or more into `out`. */
export const sourceHashOf = (hash: (out: Uint8Array, source: Uint8Array) => void): SourceHash => {
  const words = new Uint32Array(3);
  const bytes = new Uint8Array(words.buffer);
  const out = new Uint8Array(16);
  const outWords = new Uint32Array(out.buffer);
  return (family, high, low) => {
    words[0] = family;
    words[1] = high;
    words[2] = low;
    hash(out, bytes);
    return outWords[0]!;
  };
};

/** Buckets by IPv4 address or IPv6 /64, in a table of fixed size. Thread: control. */
export class Limiter {
  readonly #hash: SourceHash;
  readonly #mask: number;
  readonly #costMs: number;
  readonly #aheadMs: number;
  /** Family of an entry's key; 0: never used. */
  readonly #family: Uint8Array;
  readonly #high: Uint32Array;
  readonly #low: Uint32Array;
  readonly #fullAtMs: Float64Array;

  constructor(hash: SourceHash, rate: Rate = SOURCE_RATE, entries: number = SOURCE_ENTRIES) {
    this.#hash = hash;
    this.#mask = entries - 1;
    this.#costMs = 1_000 / rate.perSecond;
    this.#aheadMs = (rate.burst - 1) * this.#costMs;
    this.#family = new Uint8Array(entries);
    this.#high = new Uint32Array(entries);
    this.#low = new Uint32Array(entries);
    // Zero was full long ago; pages that nothing is written to take no memory.
    this.#fullAtMs = new Float64Array(entries);
  }

  /**
   * Takes a token of a source; false when it has none, or when every entry it may lie in belongs
   * to another source that was there within a bucket's time.
   */
  take(from: Uint8Array, nowMs: number): boolean {
    const host = sockaddrHost(from);
    const family = host.length;
    const high = family === 16 ? word(host, 0) : 0;
    const low = word(host, family === 16 ? 4 : 0);
    const entry = this.#find(family, high, low, nowMs);
    if (entry < 0) return false;
    const fromMs = Math.max(this.#fullAtMs[entry]!, nowMs);
    if (fromMs > nowMs + this.#aheadMs) return false;
    this.#family[entry] = family;
    this.#high[entry] = high;
    this.#low[entry] = low;
    this.#fullAtMs[entry] = fromMs + this.#costMs;
    return true;
  }

  /** The source's entry, or one that is full again and thereby free, or -1. */
  #find(family: number, high: number, low: number, nowMs: number): number {
    const start = this.#hash(family, high, low);
    let free = -1;
    for (let i = 0; i < SOURCE_PROBES; i++) {
      const entry = (start + i) & this.#mask;
      if (this.#fullAtMs[entry]! <= nowMs) {
        if (free < 0) free = entry;
      } else if (
        this.#low[entry] === low &&
        this.#high[entry] === high &&
        this.#family[entry] === family
      ) {
        return entry;
      }
    }
    return free;
  }
}

const word = (bytes: Uint8Array, at: number): number =>
  ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0;
