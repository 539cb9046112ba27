/**
 * receiver-indices — which receiver indices may be given out.
 *
 *     free ── reserve ──▶ reserved ── its session ends ──▶ at rest ── 180 s ──▶ free
 *                              └── came to nothing ──▶ free
 *
 * An index that a session had rests: what is late for that session must not be taken for another
 * one's. An index that never had one is free at once: a response that is late for it meets the
 * keys of another handshake, which it does not open, and is dropped (noise.ts changes nothing).
 *
 * No peer takes what another needs: each has one index reserved and SESSIONS_PER_PEER in use at
 * most, and RESTING_PER_PEER at rest, of which its own oldest makes room. All of them together
 * leave one in eight of an I/O thread's indices free, so a few tries find one.
 *
 * Thread: control.   Source: security.md 8 and 40.
 */
import { SESSIONS_PER_PEER } from "../../memory/layout.ts";
import {
  makeReceiverIndex,
  OWNER_MASK,
  RANDOM_MASK,
  type ReceiverIndexKey,
} from "../../wire/receiver-index.ts";

/** An index of a session is not given out again for this long, milliseconds (security.md 8). */
export const INDEX_REST_MS = 180_000;
/** Tuning: a peer that begins anew every 20 s has as many. */
export const RESTING_PER_PEER = 8;
/** Receiver indices that name one I/O thread. */
export const INDICES_PER_OWNER = (RANDOM_MASK + 1) / (OWNER_MASK + 1);
/** At most so many of them are reserved, in use or at rest. */
export const INDICES_TAKEN_MAX = (INDICES_PER_OWNER * 7) / 8;
/** Tries to find a free one. Where seven of eight are taken, all fail once in 10^14 times. */
const INDEX_TRIES = 256;

interface Rest {
  readonly random: number;
  /** Index into the peers region. */
  readonly peer: number;
  readonly sinceMs: number;
}

/** Receiver indices of one I/O thread that are at rest, oldest first. */
interface Resting {
  readonly all: Set<Rest>;
  /** By peer. */
  readonly ofPeer: Map<number, Rest[]>;
}

export interface ReceiverIndicesOptions {
  readonly key: ReceiverIndexKey;
  readonly ioThreads: number;
  /** Most peers of all I/O threads. */
  readonly peers: number;
  readonly random32: () => number;
  /** Does no session have this random part? */
  readonly free: (random: number) => boolean;
}

export class ReceiverIndices {
  readonly #options: ReceiverIndicesOptions;
  /** Random parts that are taken and have no session yet. */
  readonly #reserved = new Set<number>();
  readonly #atRest = new Set<number>();
  readonly #resting: readonly Resting[];
  readonly #restingMax: number;

  constructor(options: ReceiverIndicesOptions) {
    const { ioThreads, peers } = options;
    this.#options = options;
    this.#resting = Array.from({ length: ioThreads }, () => ({
      all: new Set(),
      ofPeer: new Map(),
    }));
    const inUse = Math.ceil(peers / ioThreads) * (SESSIONS_PER_PEER + 1);
    this.#restingMax = Math.max(0, INDICES_TAKEN_MAX - inUse);
  }

  /** An index that names the I/O thread `owner`, or -1 when none was found. */
  reserve(owner: number): number {
    const { key, random32, free } = this.#options;
    for (let tries = 0; tries < INDEX_TRIES; tries++) {
      const random = ((random32() & RANDOM_MASK & ~OWNER_MASK) | owner) >>> 0;
      if (this.#reserved.has(random) || this.#atRest.has(random) || !free(random)) continue;
      this.#reserved.add(random);
      return makeReceiverIndex(key, random);
    }
    return -1;
  }

  /** Its handshake came to nothing, or to a session, which is published. */
  release(index: number): void {
    this.#reserved.delete(index & RANDOM_MASK);
  }

  /** Its session, of this peer, is gone. */
  rest(index: number, peer: number, nowMs: number): void {
    const random = index & RANDOM_MASK;
    const resting = this.#resting[random & OWNER_MASK]!;
    const own = resting.ofPeer.get(peer) ?? [];
    if (own.length >= RESTING_PER_PEER) this.#wake(resting, own[0]!);
    const one = { random, peer, sinceMs: nowMs };
    own.push(one);
    resting.ofPeer.set(peer, own);
    resting.all.add(one);
    this.#atRest.add(random);
    if (resting.all.size > this.#restingMax) this.#wakeOldest(resting);
  }

  /** Frees what has rested. */
  sweep(nowMs: number): void {
    for (const resting of this.#resting) {
      for (const one of resting.all) {
        if (nowMs - one.sinceMs < INDEX_REST_MS) break;
        this.#wake(resting, one);
      }
    }
  }

  #wakeOldest(resting: Resting): void {
    for (const one of resting.all) {
      this.#wake(resting, one);
      break;
    }
  }

  /** The oldest of its peer. */
  #wake(resting: Resting, one: Rest): void {
    resting.all.delete(one);
    this.#atRest.delete(one.random);
    const own = resting.ofPeer.get(one.peer)!;
    own.shift();
    if (own.length === 0) resting.ofPeer.delete(one.peer);
  }
}
