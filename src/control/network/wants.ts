/**
 * wants — records that others have and we do not: of whom they are asked, and when again. Pure.
 *
 *     announced ──▶ queue of who has it ──WANT, 32 at most──▶ asked ──▶ came ──▶ verified, or
 *     refused
 *                          ▲────────────── not come in 2 s: somebody else who has it
 *
 * What there is no room for is left out: its link is told to compare again (`again`).
 */
import { encodeWants, WANTS_MAX, type Want } from "../../wire/network-frames.ts";
import type { CountName } from "./counts.ts";
import { Fifo } from "./fifo.ts";
import type { Outcome } from "./intake.ts";
import type { Link, Wanted } from "./links.ts";

/** Tuning: records that are wanted at a time. */
const WANTED_MAX = 4_096;
/** Tuning: of one member, asked and not come. */
const ASKED_MAX = 2 * WANTS_MAX;
/** Tuning: after so long somebody else is asked. */
const TIMEOUT_MS = 2_000;
/** Tuning: a WANT that could not be sent is sent again after so long. */
const RETRY_MS = 50;
/** Tuning: others who have it, of whom is remembered. */
const OTHERS_MAX = 3;
/** Tuning: what was refused is not asked of the same member for so long; so many are remembered. */
const REFUSED_MS = 600_000;
const REFUSED_MAX = 128;

const TWO_32 = 2 ** 32;

/** Small numbers are quick keys; nobody outside can choose two ids that have one. */
const keyWith =
  (salt: number) =>
  (id: number): number => {
    let mixed = Math.imul((id % TWO_32) ^ salt, 0x9e3779b1);
    mixed = Math.imul(mixed ^ (mixed >>> 15) ^ Math.floor(id / TWO_32), 0x85ebca6b);
    return (mixed ^ (mixed >>> 13)) & 0x3fffffff;
  };

export interface WantsOptions {
  /** 32 random bits of this process. */
  readonly salt: number;
  readonly send: (link: Link, body: Uint8Array) => boolean;
  readonly count: (what: CountName, amount: number) => void;
}

/** Thread: control. */
export class Wants {
  readonly #options: WantsOptions;
  readonly #keyOf: (id: number) => number;
  /** By `keyOf` their id: two ids with one key are not wanted at a time. */
  readonly #wanted = new Map<number, Wanted>();
  /** Asked, oldest first; those that came meanwhile are passed over. */
  readonly #waiting = new Fifo<{ readonly one: Wanted; readonly askedMs: number }>();
  /** Links with a queue that could not be asked at once. */
  readonly #later = new Set<Link>();
  #laterMs = Number.POSITIVE_INFINITY;

  constructor(options: WantsOptions) {
    this.#options = options;
    this.#keyOf = keyWith(options.salt);
  }

  get size(): number {
    return this.#wanted.size;
  }

  get dueMs(): number {
    return Math.min(this.#timeoutMs(), this.#laterMs);
  }

  /** When the first that was asked should have come. */
  #timeoutMs(): number {
    const waiting = this.#waiting;
    for (let next = waiting.first; next !== undefined; next = waiting.first) {
      const { one, askedMs } = next;
      if (one.asked !== null && one.askedMs === askedMs) return askedMs + TIMEOUT_MS;
      waiting.shift();
    }
    return Number.POSITIVE_INFINITY;
  }

  /** A member has a record that is newer than ours, or that we lack. `known`: the member is. */
  announced(link: Link, id: number, sequence: number, known: boolean, nowMs: number): void {
    const refused = link.refused.get(id);
    if (refused !== undefined) {
      if (sequence === refused.sequence && nowMs < refused.untilMs) return;
      link.refused.delete(id);
    }
    const one = this.#wanted.get(this.#keyOf(id));
    if (one !== undefined && one.id === id) {
      one.sequence = Math.max(one.sequence, sequence);
      const has = one.asked === link || one.others.includes(link);
      if (!has && one.others.length < OTHERS_MAX) one.others.push(link);
      return;
    }
    // As much as is left for all others: so one leaves room for the next, whatever it announces.
    const full = link.queue.length + link.asked >= WANTED_MAX - this.#wanted.size;
    if (one !== undefined || full) {
      this.#options.count("wantsFull", 1);
      link.again = true;
      return;
    }
    const fresh = { id, sequence, certificate: !known, asked: null, askedMs: 0, came: false };
    const wanted: Wanted = { ...fresh, others: [] };
    this.#wanted.set(this.#keyOf(id), wanted);
    link.queue.push(wanted);
  }

  /** Asks a member for what it has and nobody was asked for. */
  pump(link: Link, nowMs: number): void {
    while (link.queue.length > 0 && link.asked < ASKED_MAX) {
      const some: Wanted[] = [];
      let looked = 0;
      for (; looked < link.queue.length && some.length < WANTS_MAX; looked++) {
        const one = link.queue[looked]!;
        if (one.asked === null && !one.came && this.#wanted.get(this.#keyOf(one.id)) === one)
          some.push(one);
      }
      const wants: Want[] = some.map(({ id, certificate }) => ({ id, certificate }));
      if (some.length > 0 && !this.#options.send(link, encodeWants(wants))) {
        this.#pumpLater(link, nowMs + RETRY_MS);
        return;
      }
      link.queue.splice(0, looked);
      link.asked += some.length;
      for (const one of some) {
        one.asked = link;
        one.askedMs = nowMs;
        this.#waiting.push({ one, askedMs: nowMs });
      }
    }
  }

  #pumpLater(link: Link, atMs: number): void {
    if (link.isGone) return;
    this.#later.add(link);
    this.#laterMs = Math.min(this.#laterMs, atMs);
  }

  /** A record came from a member. False: nobody asked it for that one. */
  came(link: Link, id: number): boolean {
    const one = this.#of(id);
    if (one === undefined || one.asked !== link) return false;
    this.#unask(one);
    one.came = true;
    return true;
  }

  #of(id: number): Wanted | undefined {
    const one = this.#wanted.get(this.#keyOf(id));
    return one?.id === id ? one : undefined;
  }

  #unask(one: Wanted): void {
    if (one.asked === null) return;
    one.asked.asked--;
    one.asked = null;
  }

  /** What became of one that came from a member. `held`: sequence of the one that is held now. */
  done(id: number, link: Link, outcome: Outcome, held: number, nowMs: number): void {
    const one = this.#of(id);
    if (one === undefined) return;
    one.came = false;
    if (outcome === "certificate" && !one.certificate) {
      one.certificate = true;
      if (link.isGone) this.#elsewhere(one, link, nowMs);
      else link.queue.unshift(one);
      return;
    }
    if (outcome !== "taken") this.#refuse(link, one, nowMs);
    // Who brought something older than was announced does not end the search.
    if (held < one.sequence) this.#elsewhere(one, link, nowMs);
    else {
      this.#unask(one);
      this.#wanted.delete(this.#keyOf(id));
    }
  }

  /** It does not have what it said, or what it has does not count here: it alone is not asked. */
  #refuse({ refused }: Link, { id, sequence }: Wanted, nowMs: number): void {
    if (refused.size >= REFUSED_MAX) refused.delete(refused.keys().next().value!);
    refused.set(id, { sequence, untilMs: nowMs + REFUSED_MS });
  }

  /** One that came found no room. */
  lost(id: number): void {
    if (this.#of(id) !== undefined) this.#wanted.delete(this.#keyOf(id));
  }

  /** Who was asked and did not answer: others are. */
  tick(nowMs: number): void {
    while (this.#timeoutMs() <= nowMs) {
      const { one } = this.#waiting.shift()!;
      this.#again(one, one.asked!, nowMs);
    }
    if (nowMs < this.#laterMs) return;
    const links = [...this.#later];
    this.#later.clear();
    this.#laterMs = Number.POSITIVE_INFINITY;
    for (const link of links) this.pump(link, nowMs);
  }

  #again(one: Wanted, silent: Link, nowMs: number): void {
    this.#options.count("wantTimeouts", 1);
    silent.again = true;
    this.#elsewhere(one, silent, nowMs);
  }

  #elsewhere(one: Wanted, from: Link, nowMs: number): void {
    this.#unask(one);
    const next = one.others.shift();
    if (next === undefined) {
      this.#wanted.delete(this.#keyOf(one.id));
    } else if (next === from) this.#elsewhere(one, from, nowMs);
    else {
      next.queue.push(one);
      this.#pumpLater(next, nowMs);
    }
  }

  /** The link is gone: what it had is asked of others. */
  forget(link: Link, nowMs: number): void {
    this.#later.delete(link);
    for (const one of [...this.#wanted.values()]) {
      const at = one.others.indexOf(link);
      if (at >= 0) one.others.splice(at, 1);
      const queued = one.asked === null && !one.came && link.queue.includes(one);
      if (one.asked === link || queued) this.#elsewhere(one, link, nowMs);
    }
  }
}
