/**
 * guests — members that have a channel with a callee now: by channel, by number, and in the order
 * of their numbers, which makes the ring that neighbours are chosen from. Pure.
 */
import type { Certificate } from "../members/certificate.ts";
import { memberId } from "../members/member-id.ts";
import type { Standings } from "../wire/index-messages.ts";
import type { Caller } from "./callers.ts";
import { type Share, Shares } from "./share.ts";

/** Tuning: those that came last, who are shown beside the ring's. */
const RECENT_MAX = 16;

/** Tuning: datagrams that are sent in one turn, beside answers. */
const TOLD_MAX = 500;

/** A member with a channel. */
export interface Guest {
  readonly caller: Caller;
  readonly id: number;
  /** Verified, and it counted when it was looked at last. */
  certificate: Certificate;
  /** Definition and list that it was looked at under (PairChecker). */
  generation: number;
  /** What it said of the authority's word last. */
  standings: Standings;
  readonly share: Share;
}

export class Guests {
  readonly #byCaller = new Map<Caller, Guest>();
  readonly #byId = new Map<number, Guest>();
  /** Numbers, ascending. */
  readonly #ring: number[] = [];
  readonly #recent: number[] = [];
  readonly #shares = new Shares();

  get size(): number {
    return this.#byCaller.size;
  }

  all(): Iterable<Guest> {
    return this.#byCaller.values();
  }

  of(caller: Caller): Guest | undefined {
    return this.#byCaller.get(caller);
  }

  byId(id: number): Guest | undefined {
    return this.#byId.get(id);
  }

  /** One more, in place of a former channel of the same member. */
  add(caller: Caller, certificate: Certificate, generation: number, standings: Standings): Guest {
    const id = memberId(certificate.nodeKey);
    const before = this.#byId.get(id);
    const share = before?.share ?? this.#shares.take(id);
    const guest = { caller, id, certificate, generation, standings, share };
    if (before !== undefined) this.#byCaller.delete(before.caller);
    else this.#ring.splice(this.#place(id), 0, id);
    this.#byCaller.set(caller, guest);
    this.#byId.set(id, guest);
    const at = this.#recent.indexOf(id);
    if (at >= 0) this.#recent.splice(at, 1);
    this.#recent.push(id);
    if (this.#recent.length > RECENT_MAX) this.#recent.shift();
    return guest;
  }

  /** The channel is gone. Undefined: another one took its place before. */
  remove(caller: Caller): Guest | undefined {
    const guest = this.#byCaller.get(caller);
    if (guest === undefined) return undefined;
    this.#byCaller.delete(caller);
    this.#byId.delete(guest.id);
    this.#shares.keep(guest.id, guest.share);
    this.#ring.splice(this.#place(guest.id), 1);
    const at = this.#recent.indexOf(guest.id);
    if (at >= 0) this.#recent.splice(at, 1);
    return guest;
  }

  /** Where a number is in the ring, or would be. */
  #place(id: number): number {
    let [low, high] = [0, this.#ring.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#ring[middle]! < id) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /**
   * Up to `most` others of interest to a member: half of them its neighbours in the ring, before
   * and behind in turn, and then those that came last. Nobody twice, and not itself.
   */
  others(id: number, most: number): number[] {
    const found = new Set<number>();
    const count = this.#ring.length;
    const at = this.#place(id);
    const own = this.#ring[at] === id ? 1 : 0;
    for (let step = 0; found.size < most / 2 && step < Math.min(most, count); step++) {
      const away = (step >> 1) + 1;
      const place = step % 2 === 0 ? at + own + away - 1 : at - away;
      const other = this.#ring[((place % count) + count) % count]!;
      if (other !== id) found.add(other);
    }
    for (let i = this.#recent.length - 1; i >= 0 && found.size < most; i--) {
      if (this.#recent[i] !== id) found.add(this.#recent[i]!);
    }
    return [...found];
  }
}

/**
 * Says what waits to those who have waited longest, so many datagrams in a turn: others come
 * meanwhile. Who has been told all leaves the set.
 */
export const flushGuests = (
  waiting: Set<Guest>,
  say: (caller: Caller, message: Uint8Array) => boolean,
  nowMs: number,
): void => {
  let told = 0;
  for (const guest of [...waiting]) {
    if (told >= TOLD_MAX) return;
    told += guest.share.outbox.flush((message) => void say(guest.caller, message), nowMs);
    waiting.delete(guest);
    if (guest.share.outbox.waits) waiting.add(guest);
  }
};
