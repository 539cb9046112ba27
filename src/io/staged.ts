/**
 * staged — runs that wait for a session: one pool for all peers, bounded, oldest dropped first.
 *
 * Thread: the I/O thread that owns it. On release a run is routed again from the start
 * (security.md 7): its peer may have lost the prefix meanwhile.
 */
import { DROP, STAGED_SLOTS } from "../memory/layout.ts";
import { F, JOB_LINE_WORDS, type Station } from "./station.ts";

/** A staged run is of no use to anybody after this long. */
export const STAGED_MAX_MS = 90_000;
/** Tuning: nor is one whose destination nobody has; so many wait at most, whoever scans. */
const NOBODYS_MAX_MS = 3_000;
const NOBODYS_MAX = 16;

export class Staged {
  readonly #station: Station;
  /** Copies of the jobs' first lines, one row each; `#count` rows from `#first` on, in a ring. */
  readonly #lines = new Uint32Array(STAGED_SLOTS * JOB_LINE_WORDS);
  readonly #sinceMs = new Float64Array(STAGED_SLOTS);
  /** Stands for a peer in runs whose destination leads to nobody yet. */
  readonly nobody: number;
  /** Runs of each peer, then nobody's. */
  readonly #ofPeer: Uint8Array;
  #first = 0;
  #count = 0;

  constructor(station: Station) {
    this.#station = station;
    this.nobody = station.arena.layout.count.peers;
    this.#ofPeer = new Uint8Array(this.nobody + 1);
  }

  get count(): number {
    return this.#count;
  }

  /** Does a run wait for this peer? */
  holds(peer: number): boolean {
    return this.#ofPeer[peer]! > 0;
  }

  /** No more wait whose destination leads to nobody. */
  get nobodysFull(): boolean {
    return this.#ofPeer[this.nobody]! >= NOBODYS_MAX;
  }

  /** Takes the run of the job at `word`, with its slot. */
  add(word: number, nowMs: number): void {
    if (this.#count === STAGED_SLOTS) this.#dropOldest(DROP.stagedFull);
    const row = (this.#first + this.#count) % STAGED_SLOTS;
    const { u32 } = this.#station.arena;
    for (let i = 0; i < JOB_LINE_WORDS; i++) {
      this.#lines[row * JOB_LINE_WORDS + i] = u32[word + i]!;
    }
    this.#sinceMs[row] = nowMs;
    this.#ofPeer[u32[word + F.peer]!]!++;
    this.#count++;
  }

  /** Peer of the oldest run. */
  oldestPeer(): number {
    return this.#lines[this.#first * JOB_LINE_WORDS + F.peer]!;
  }

  /** Copies the oldest run into the job at `word`. */
  copyOldest(word: number): void {
    const { u32 } = this.#station.arena;
    const start = this.#first * JOB_LINE_WORDS;
    for (let i = 0; i < JOB_LINE_WORDS; i++) u32[word + i] = this.#lines[start + i]!;
  }

  /** The oldest run is no longer staged; its slot is the caller's. */
  forgetOldest(): void {
    this.#ofPeer[this.oldestPeer()]!--;
    this.#first = (this.#first + 1) % STAGED_SLOTS;
    this.#count--;
  }

  /** Drops the oldest run, whatever it is. */
  dropOldest(): void {
    this.#dropOldest(DROP.stagedExpired);
  }

  /** Drops what has waited for too long. */
  expire(nowMs: number): void {
    while (this.#count > 0 && nowMs - this.#sinceMs[this.#first]! > STAGED_MAX_MS) {
      this.#dropOldest(DROP.stagedExpired);
    }
    if (this.#ofPeer[this.nobody]! === 0) return;
    for (let left = this.#count; left > 0; left--) {
      const isOver = nowMs - this.#sinceMs[this.#first]! > NOBODYS_MAX_MS;
      if (isOver && this.oldestPeer() === this.nobody) this.#dropOldest(DROP.noRoute);
      else this.rotate();
    }
  }

  /** Puts the oldest run behind the newest; it waits for `peer` from now on. */
  rotate(peer = this.oldestPeer()): void {
    this.#ofPeer[this.oldestPeer()]!--;
    this.#ofPeer[peer]!++;
    this.#lines[this.#first * JOB_LINE_WORDS + F.peer] = peer;
    const to = (this.#first + this.#count) % STAGED_SLOTS;
    const from = this.#first;
    this.#lines.copyWithin(to * JOB_LINE_WORDS, from * JOB_LINE_WORDS, (from + 1) * JOB_LINE_WORDS);
    this.#sinceMs[to] = this.#sinceMs[from]!;
    this.#first = (from + 1) % STAGED_SLOTS;
  }

  #dropOldest(reason: number): void {
    const start = this.#first * JOB_LINE_WORDS;
    this.#station.counters.add(reason, this.#lines[start + F.count]!);
    this.#station.slots.give(this.#lines[start + F.slot]!);
    this.forgetOldest();
  }
}
