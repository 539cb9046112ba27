/**
 * neighbours — with which members a session is kept up, so that news and revocations reach all.
 *
 *     2 by the ring: the next and the one before, in the order of ids, among those believed alive
 *     2 more by rendezvous: those that a hash with a salt of this process puts first; whoever keeps
 *       us counts for one of these. The other stays our own choice: else two members that keep us
 *       and two that made ids next to ours would be all that tell us of a revocation
 *
 * The ring alone connects all; the others make ways short, and the salt keeps anybody from choosing
 * its place beside us. Measured: with 10,000 members 4.7 neighbours each, at most 10, and 9 steps
 * from end to end. A silent one is replaced, and tried again later.
 *
 * Choosing is pure; who calls whom is roots.ts.
 */
import { ID_MAX } from "../../wire/digests.ts";
import type { Members } from "./members.ts";

const RING = 2;
const TWO_32 = 2 ** 32;
/** Tuning: how long a silent member is passed over: at first, doubled each time, at most. */
const SILENT_MS = 20_000;
const SILENT_MAX_MS = 600_000;
/** Tuning: who declined is asked again after so long. */
const DECLINED_MS = 21_600_000;
/** Tuning: silent members, and those that declined, that are remembered. */
const SILENT_MEMBERS_MAX = 1_024;

export interface NeighboursOptions {
  readonly members: Members;
  readonly ownId: number;
  /** How many are wanted; 4 unless told otherwise. */
  readonly wanted: number;
  /** 32 random bits of this process. */
  readonly salt: number;
  /** Could there be a session with it? */
  readonly eligible: (slot: number) => boolean;
}

interface Silence {
  readonly untilMs: number;
  readonly times: number;
}

/** Ids from `from` up to `to`, around the ring. */
const clockwise = (from: number, to: number): number =>
  to >= from ? to - from : ID_MAX - from + to + 1;

export class Neighbours {
  readonly #options: NeighboursOptions;
  readonly #silent = new Map<number, Silence>();
  /** Until when those are passed over that declined, unless there is nobody else. */
  readonly #declined = new Map<number, number>();
  /** As they were chosen last: how far the two of the ring are, and the slots of the others. */
  #nextAt = Number.POSITIVE_INFINITY;
  #beforeAt = Number.POSITIVE_INFINITY;
  #extra: readonly number[] = [];
  /** There were fewer than are wanted. */
  #short = true;
  #chosenMs = Number.NEGATIVE_INFINITY;
  /** A member came that would be chosen, or one that was is gone. */
  #stale = true;

  constructor(options: NeighboursOptions) {
    this.#options = options;
  }

  get isStale(): boolean {
    return this.#stale;
  }

  /** When the first of those that are passed over may be tried again. */
  get retryMs(): number {
    let first = Number.POSITIVE_INFINITY;
    for (const { untilMs } of this.#silent.values()) {
      if (untilMs > this.#chosenMs) first = Math.min(first, untilMs);
    }
    return first;
  }

  /** A member is new, or may be called now. */
  learned(slot: number): void {
    if (this.#stale || !this.#options.eligible(slot)) return;
    const { members, ownId } = this.#options;
    const { id } = members.at(slot);
    const closer = clockwise(ownId, id) < this.#nextAt || clockwise(id, ownId) < this.#beforeAt;
    this.#stale = this.#short || closer;
  }

  /** Choose again. */
  stale(): void {
    this.#stale = true;
  }

  /** It does not answer: it is passed over for a while. */
  fellSilent(id: number, nowMs: number): void {
    const times = (this.#silent.get(id)?.times ?? -1) + 1;
    if (!this.#silent.has(id) && this.#silent.size >= SILENT_MEMBERS_MAX) {
      this.#silent.delete(this.#silent.keys().next().value!);
    }
    const untilMs = nowMs + Math.min(SILENT_MAX_MS, SILENT_MS * 2 ** times);
    this.#silent.set(id, { untilMs, times });
    this.#stale = true;
  }

  /** It does not want to be our neighbour. */
  declined(id: number, nowMs: number): void {
    if (this.#declined.size >= SILENT_MEMBERS_MAX) {
      this.#declined.delete(this.#declined.keys().next().value!);
    }
    this.#declined.set(id, nowMs + DECLINED_MS);
    this.#stale = true;
  }

  /** It lives. */
  spoke(id: number): void {
    if (this.#silent.delete(id)) this.#stale = true;
  }

  /** We were wrong, or are elsewhere: nobody is passed over. */
  forgive(): void {
    this.#silent.clear();
    this.#declined.clear();
    this.#stale = true;
  }

  isSilent(id: number, nowMs: number): boolean {
    return nowMs < (this.#silent.get(id)?.untilMs ?? 0);
  }

  /** How often in a row it did not answer. */
  silences(id: number): number {
    const silence = this.#silent.get(id);
    return silence === undefined ? 0 : silence.times + 1;
  }

  /**
   * Slots of the members to keep a session with. `inbound`: it keeps us, so that it counts for one
   * of the others; `isUp`: there is a session, so that it costs little; `more`: so many besides.
   */
  choose(
    nowMs: number,
    inbound: (slot: number) => boolean,
    isUp: (slot: number) => boolean,
    more: number,
  ): ReadonlySet<number> {
    const { members, ownId, wanted, eligible } = this.#options;
    this.#stale = false;
    this.#chosenMs = nowMs;
    let [next, before] = [-1, -1];
    this.#nextAt = Number.POSITIVE_INFINITY;
    this.#beforeAt = Number.POSITIVE_INFINITY;
    const usable: number[] = [];
    for (const slot of members.slots()) {
      const { id } = members.at(slot);
      if (!eligible(slot) || this.isSilent(id, nowMs)) continue;
      if (more === 0 && nowMs < (this.#declined.get(id) ?? 0)) continue;
      usable.push(slot);
      const [after, behind] = [clockwise(ownId, id), clockwise(id, ownId)];
      if (after < this.#nextAt) [next, this.#nextAt] = [slot, after];
      if (behind < this.#beforeAt) [before, this.#beforeAt] = [slot, behind];
    }
    const ring = new Set((wanted < RING ? [next] : [next, before]).filter((slot) => slot >= 0));
    const others = usable.filter((slot) => !ring.has(slot));
    const kept = others.filter(inbound);
    // One at least is of our own choice: who keeps us chose us, and ids can be chosen, too.
    const least = wanted > RING ? 1 : 0;
    const left = Math.max(least, wanted - RING - kept.length) + more;
    this.#extra = this.#choose(others, left, inbound, isUp);
    this.#short = ring.size + kept.length + this.#extra.length < wanted;
    return new Set([...ring, ...this.#extra]);
  }

  /** Those that were chosen before and are up, then by rendezvous. */
  #choose(
    others: readonly number[],
    left: number,
    inbound: (slot: number) => boolean,
    isUp: (slot: number) => boolean,
  ): readonly number[] {
    const before = new Set(this.#extra);
    const found: { readonly slot: number; readonly weight: number }[] = [];
    for (const slot of left === 0 ? [] : others) {
      if (inbound(slot)) continue;
      const stays = before.has(slot) && isUp(slot);
      const weight = this.#weight(this.#options.members.at(slot).id) + (stays ? TWO_32 : 0);
      if (found.length === left && weight <= found[left - 1]!.weight) continue;
      found.push({ slot, weight });
      found.sort((a, b) => b.weight - a.weight);
      found.length = Math.min(found.length, left);
    }
    return found.map(({ slot }) => slot);
  }

  #weight(id: number): number {
    let mixed = Math.imul((id % TWO_32) ^ this.#options.salt, 0x9e3779b1);
    mixed = Math.imul(mixed ^ (mixed >>> 15) ^ Math.floor(id / TWO_32), 0x85ebca6b);
    mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
    return (mixed ^ (mixed >>> 16)) >>> 0;
  }
}
