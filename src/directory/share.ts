/**
 * share — what a member has had of a callee: it outlives the channel, so that whoever says BYE and
 * opens anew, again and again, is told no more, and believed no sooner. Pure. Times are boot-clock
 * milliseconds.
 */
import { Bucket } from "../control/strangers/limiter.ts";
import { Outbox } from "./outbox.ts";

/** Tuning: questions of one member that others are asked: as many as an honest one asks. */
const LOOKUPS = { perSecond: 10, burst: 64 };
/** Tuning: pairs of one member that are verified: 0.2 ms each. Its record changes less often. */
const PAIRS = { perSecond: 5, burst: 20 };
/** Tuning: members that are gone and remembered; the one that left first is forgotten. */
const LEFT_MAX = 4_096;

export class Share {
  readonly outbox = new Outbox();
  readonly lookups = new Bucket(LOOKUPS);
  readonly pairs = new Bucket(PAIRS);
  /** Nothing is asked of it until then: what it brought was wrong, or never whole. */
  distrustedToMs = 0;
}

/** Shares of members that are gone, by number. */
export class Shares {
  readonly #left = new Map<number, Share>();

  /** One comes: what it had before, or a whole share. */
  take(id: number): Share {
    const share = this.#left.get(id) ?? new Share();
    this.#left.delete(id);
    return share;
  }

  /** One goes; what waited for it goes too. */
  keep(id: number, share: Share): void {
    share.outbox.clear();
    if (this.#left.size >= LEFT_MAX) this.#left.delete(this.#left.keys().next().value!);
    this.#left.set(id, share);
  }
}
