/**
 * links — sessions with members: what each side of one has told, asked and owes. Pure.
 *
 * A link is made when a session with a member begins, and is gone with it. Everything in it has a
 * bound: what news it is owed is one bit a member, what it asked for a ring of fixed length.
 */
import { BUCKETS, type Root, type Standing } from "../../wire/digests.ts";
import type { Want } from "../../wire/network-frames.ts";
import { Bucket, type Rate } from "../strangers/limiter.ts";
import type { Handle } from "./world.ts";

/** Tuning: bulk frames to one member; below its budget (FRAME_BUDGETS, memory/layout.ts). */
const FRAMES_PER_SECOND = 150;
const FRAMES_AT_ONCE = 24;
/**
 * Tuning: entries of ours, in hundreds, that are gone through for one member: all there may be,
 * at once. Measured: 100 take 0.1 ms.
 */
export const LOOKED_EACH = 100;
const LOOKS: Rate = { perSecond: 100, burst: 400 };
/** Tuning: wants of one member that may wait to be answered. */
export const OWED_MAX = 128;
const NEVER = Number.POSITIVE_INFINITY;

/** A record that somebody has and we do not (wants.ts). */
export interface Wanted {
  readonly id: number;
  sequence: number;
  /** Its certificate too: it is not known here. */
  certificate: boolean;
  /** Who was asked; null: nobody, or it came. */
  asked: Link | null;
  askedMs: number;
  /** It came, and waits to be verified. */
  came: boolean;
  readonly others: Link[];
}

/** Slots, one bit each. */
export class SlotSet {
  #words = new Uint32Array(0);
  #count = 0;

  get count(): number {
    return this.#count;
  }

  add(slot: number): void {
    const at = slot >>> 5;
    if (at >= this.#words.length) {
      const larger = new Uint32Array(Math.ceil(at * 1.25) + 2);
      larger.set(this.#words);
      this.#words = larger;
    }
    const word = this.#words[at]!;
    const bit = 1 << (slot & 31);
    if ((word & bit) !== 0) return;
    this.#words[at] = word | bit;
    this.#count++;
  }

  remove(slot: number): void {
    const at = slot >>> 5;
    const bit = 1 << (slot & 31);
    if (at >= this.#words.length || (this.#words[at]! & bit) === 0) return;
    this.#words[at]! &= ~bit;
    this.#count--;
  }

  has(slot: number): boolean {
    return ((this.#words[slot >>> 5] ?? 0) & (1 << (slot & 31))) !== 0;
  }

  clear(): void {
    this.#words.fill(0);
    this.#count = 0;
  }

  /** Takes out up to `most` slots, the lowest first. */
  take(most: number): number[] {
    const taken: number[] = [];
    for (let at = 0; at < this.#words.length && this.#count > 0; at++) {
      while (this.#words[at] !== 0) {
        if (taken.length === most) return taken;
        const bit = 31 - Math.clz32(this.#words[at]! & -this.#words[at]!);
        const slot = 32 * at + bit;
        this.remove(slot);
        taken.push(slot);
      }
    }
    return taken;
  }
}

/** How many frames may go now: a bucket of tokens. */
export class Pace {
  #fullAtMs = Number.NEGATIVE_INFINITY;

  /** When the next may go. */
  dueMs(nowMs: number): number {
    return Math.max(nowMs, this.#fullAtMs - ((FRAMES_AT_ONCE - 1) * 1_000) / FRAMES_PER_SECOND);
  }

  take(nowMs: number): boolean {
    if (this.dueMs(nowMs) > nowMs) return false;
    this.#fullAtMs = Math.max(this.#fullAtMs, nowMs) + 1_000 / FRAMES_PER_SECOND;
    return true;
  }
}

export class Link {
  readonly handle: Handle;
  /** The member's slot and id. */
  readonly slot: number;
  readonly id: number;

  /** We keep it up, as a neighbour. */
  chosen = false;
  /** The other end keeps it up until then, unless it says so again. */
  keptUntilMs = 0;

  /** When our root goes out next, with a question; when we sent it last. */
  rootDueMs = NEVER;
  rootSentMs = Number.NEGATIVE_INFINITY;
  /** The other end was asked for its root, and has not answered. */
  asking = false;
  /** Roots in a row that were another than ours. */
  differs = 0;
  /** Questions in a row that were not answered. */
  unanswered = 0;
  heardMs: number;
  /** When the session began. */
  sinceMs: number;
  /** What the other end said of itself last; null: nothing yet. */
  theirs: Root | null = null;
  /** The newest list and epoch that it is known to have. */
  list: Standing = { chain: 0, sequence: 0 };
  /** The newest definition that it is known to have. */
  definition: Standing = { chain: 0, sequence: 0 };
  epoch = 0;
  /** When we last acknowledged a list, and said our definition. */
  ackedMs = Number.NEGATIVE_INFINITY;
  definedMs = Number.NEGATIVE_INFINITY;

  /** Records that it has not been told of. */
  readonly news = new SlotSet();
  newsDueMs = NEVER;
  /** Buckets of which it is owed what we have. */
  readonly ranges: number[] = [];
  /** Where the first of them goes on; 0: at its beginning. */
  rangeFrom = 0;
  /** When we sent it our buckets, last. */
  comparedMs = Number.NEGATIVE_INFINITY;
  /** It holds more than we had room to ask for: ask again. */
  again = false;
  /** What it wants of us, oldest first. */
  readonly owed: Want[] = [];
  readonly pace = new Pace();

  /** What is to be asked of it, oldest first, and how many are asked and have not come. */
  readonly queue: Wanted[] = [];
  asked = 0;
  /** Entries of ours that ranges of its may still be compared with. */
  readonly looks = new Bucket(LOOKS);
  /** The session is over: nothing is asked of it any more. */
  isGone = false;
  /** What it announced and was refused, by id. */
  readonly refused = new Map<number, { readonly sequence: number; readonly untilMs: number }>();

  constructor(handle: Handle, slot: number, id: number, nowMs: number) {
    this.handle = handle;
    this.slot = slot;
    this.id = id;
    this.heardMs = nowMs;
    this.sinceMs = nowMs;
  }

  /** Either end keeps it up. */
  isNeighbour(nowMs: number): boolean {
    return this.chosen || this.keptUntilMs > nowMs;
  }

  /** Something waits to be sent. */
  get isBusy(): boolean {
    return this.owed.length > 0 || this.ranges.length > 0 || this.news.count > 0;
  }

  /** All that we have is owed. */
  oweRanges(buckets: readonly number[]): void {
    for (const bucket of buckets) {
      if (this.ranges.length < BUCKETS && !this.ranges.includes(bucket)) this.ranges.push(bucket);
    }
  }
}
