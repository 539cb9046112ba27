/**
 * refusals — who was refused, why, when and how often, by name: what `explain` tells. Pure.
 *
 * A name counts where a certificate was verified that holds it. All others are nobody's, and share
 * one place, so that nobody fills the table with names of its own making.
 */
import { Bucket, type Rate } from "../strangers/limiter.ts";
import type { CountName } from "./counts.ts";

/** Tuning: members of whom refusals are kept; of the others the counts are. */
const MEMBERS_MAX = 512;
/** Tuning: lines that the log gets of refusals; others are counted, and `explain` tells them. */
const LINES: Rate = { perSecond: 0.2, burst: 64 };
/** Who could not prove a name. */
export const NOBODY = "";

export interface Refused {
  readonly reason: CountName;
  /** A clause, of the last time. */
  why: string;
  /** Unix seconds. */
  readonly firstS: number;
  lastS: number;
  count: number;
}

export class Refusals {
  /** By name; then by reason, of which there are as many as NETWORK_COUNTS has. */
  readonly #byName = new Map<string, Map<CountName, Refused>>();
  readonly #count: (reason: CountName) => void;
  readonly #onFirst: (name: string, refused: Refused) => void;
  readonly #bootMs: () => number;
  readonly #lines = new Bucket(LINES);

  /**
   * `onFirst`: hears of a reason when a name meets it for the first time; names that are forgotten
   * may come again, so that there is a budget.
   */
  constructor(
    bootMs: () => number,
    count: (reason: CountName) => void,
    onFirst: (name: string, refused: Refused) => void,
  ) {
    this.#bootMs = bootMs;
    this.#count = count;
    this.#onFirst = onFirst;
  }

  /** Notes and counts one. `why`: a clause, "it is revoked". */
  add(name: string, reason: CountName, why: string, nowS: number): void {
    this.#count(reason);
    let reasons = this.#byName.get(name);
    if (reasons === undefined) {
      if (this.#byName.size >= MEMBERS_MAX) {
        this.#byName.delete(this.#byName.keys().next().value!);
      }
      reasons = new Map();
      this.#byName.set(name, reasons);
    }
    const known = reasons.get(reason);
    if (known === undefined) {
      const refused = { reason, why, firstS: nowS, lastS: nowS, count: 1 };
      reasons.set(reason, refused);
      if (this.#lines.take(this.#bootMs())) this.#onFirst(name, refused);
      return;
    }
    known.why = why;
    known.lastS = nowS;
    known.count++;
  }

  /** Of one name, the latest first. */
  of(name: string): readonly Refused[] {
    return [...(this.#byName.get(name)?.values() ?? [])].sort((a, b) => b.lastS - a.lastS);
  }

  names(): readonly string[] {
    return [...this.#byName.keys()];
  }
}
