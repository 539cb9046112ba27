/**
 * strange-budgets — how many datagrams of types 9 and 10 are looked into, and how far. Pure.
 *
 *     all of a type ── tag good, of an older secret ─┬─ with a ticket ── its source ── opened
 *                                                    └─ without ── CHALLENGE or HERE, neighbours
 *
 * The budget of a type stands in front of everything, so that a flood of one starves no other. Who
 * was thrown out has old secrets alone: they share a budget of their own, and take nothing of those
 * who have the newest. Buckets by source are asked after a valid ticket: before, anybody could use
 * up another's.
 *
 * Source: security.md 22, 25 and 38. Times are boot-clock milliseconds. Thread: control.
 */
import type { Mac } from "../../noise/mac.ts";
import { Bucket, Limiter, type Rate, type SourceHash, sourceHashOf } from "../strangers/limiter.ts";
import { BUDGETS } from "../strangers/load.ts";

export interface StrangeRates {
  /** Datagrams of type 9, before anything but their length is looked at. */
  readonly intro: Rate;
  /** The same of type 10. */
  readonly index: Rate;
  /** With a good tag of a secret that is not the newest. */
  readonly old: Rate;
  /** CHALLENGEs: answers to INTROs without a ticket. */
  readonly challenges: Rate;
  /** HEREs to a WHO without a ticket. */
  readonly heres: Rate;
  /** Of both, those to addresses on a link that the kernel does not know. */
  readonly neighbours: Rate;
  /** With a ticket, all sources together: opened and verified. */
  readonly verified: Rate;
  /** With a ticket, of one IPv4 address or IPv6 /64. */
  readonly source: Rate;
}

/**
 * Tuning. Junk costs control 0.005 ms to look at, a CHALLENGE 0.02 ms with its way to the kernel,
 * opening 0.1 ms and verifying as much again (bench:micro, "INTRO"): each budget alone takes a
 * tenth of control's time. Behind one address there may be many members, who all start at once.
 */
export const STRANGE_RATES: StrangeRates = {
  intro: { perSecond: 20_000, burst: 1_000 },
  index: { perSecond: 5_000, burst: 500 },
  old: { perSecond: 50, burst: 50 },
  challenges: { perSecond: 5_000, burst: 500 },
  heres: { perSecond: 200, burst: 100 },
  neighbours: BUDGETS.neighbours,
  verified: { perSecond: 400, burst: 200 },
  source: { perSecond: 20, burst: 32 },
};

/** Tuning: a power of two. */
const SOURCE_ENTRIES = 2_048;

/** A source's place in the limiter's table, which nobody outside can predict. */
export const sourceHash = (mac: Mac, key: Uint8Array): SourceHash =>
  sourceHashOf((out, source) => out.set(mac(key, source)));

/** Why a datagram with a good tag gets no answer, or is not opened. */
export type StrangeVerdict =
  | "pass"
  | "introUnanswered"
  | "introNeighbour"
  | "introSource"
  | "introBusy";

export class StrangeBudgets {
  readonly #isUnknownNeighbour: (to: Uint8Array, local: Uint8Array) => boolean;
  readonly #types: Readonly<Record<"intro" | "index", Bucket>>;
  readonly #old: Bucket;
  readonly #answers: Readonly<Record<"challenges" | "heres", Bucket>>;
  readonly #neighbours: Bucket;
  readonly #verified: Bucket;
  readonly #sources: Limiter;

  constructor(
    options: {
      readonly mac: Mac;
      readonly random: (bytes: number) => Uint8Array;
      /** As for cookie replies (load.ts). */
      readonly isUnknownNeighbour: (to: Uint8Array, local: Uint8Array) => boolean;
    },
    rates: StrangeRates = STRANGE_RATES,
  ) {
    this.#isUnknownNeighbour = options.isUnknownNeighbour;
    this.#types = { intro: new Bucket(rates.intro), index: new Bucket(rates.index) };
    this.#old = new Bucket(rates.old);
    this.#answers = { challenges: new Bucket(rates.challenges), heres: new Bucket(rates.heres) };
    this.#neighbours = new Bucket(rates.neighbours);
    this.#verified = new Bucket(rates.verified);
    const hash = sourceHash(options.mac, options.random(32));
    this.#sources = new Limiter(hash, rates.source, SOURCE_ENTRIES);
  }

  /** One more of a type. */
  ofType(type: "intro" | "index", nowMs: number): boolean {
    return this.#types[type].take(nowMs);
  }

  /** One more whose tag is of an older secret. */
  ofOldSecret(nowMs: number): boolean {
    return this.#old.take(nowMs);
  }

  /** May an address that has proved nothing be answered? */
  answer(
    what: "challenges" | "heres",
    to: Uint8Array,
    local: Uint8Array,
    nowMs: number,
  ): StrangeVerdict {
    if (!this.#answers[what].take(nowMs)) return "introUnanswered";
    const known = !this.#isUnknownNeighbour(to, local);
    return known || this.#neighbours.take(nowMs) ? "pass" : "introNeighbour";
  }

  /** May one that came with a ticket be opened, or answered? */
  withTicket(from: Uint8Array, nowMs: number): StrangeVerdict {
    if (!this.#sources.take(from, nowMs)) return "introSource";
    return this.#verified.take(nowMs) ? "pass" : "introBusy";
  }
}
