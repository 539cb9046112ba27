/**
 * forwards — a member that does not answer where it should be is asked, through an index node that
 * both know, to call us: so both ends send, and a NAT or a firewall lets the answers in.
 *
 *     caller                     index node                    member behind a NAT
 *     message 1, no answer
 *     FORWARD its id, our pair ──▶ FORWARDED our id, our pair ──▶ verified ──▶ message 1 to us
 *
 *     body: 0 what u8 (1 call me) · 1 the pair of who asks
 *
 * The index node says who asks, and is not believed: the pair is verified, is of that id, and says
 * where to call. A body of another kind is one of a later version. Thread: control.
 */
import { encodePassed, MESSAGE, type Passed } from "../../wire/index-messages.ts";
import { decodePair, encodePair, type Pair } from "../../wire/intro.ts";
import { Bucket, type Rate } from "../strangers/limiter.ts";
import type { CountName } from "./counts.ts";
import { idOfRecord } from "./statement.ts";

/** Protocol: what a body is. */
const CALL_ME = 1;
/** Tuning: a member is asked when it did not answer for so long, and then each so often, thrice. */
const FIRST_MS = 700;
const AGAIN_MS = 2_500;
const TIMES_MAX = 3;
/** Tuning: members that are being asked, and those that asked. */
const WANTED_MAX = 1_024;
const CALLED_MAX = 1_024;
/** Protocol: one of a pair counts in two seconds. */
const PAIR_MS = 2_000;
/** Tuning: those that are looked into of one index node, each with two signatures to verify. */
const TAKEN: Rate = { perSecond: 20, burst: 40 };
const NEVER = Number.POSITIVE_INFINITY;

export interface ForwardsOptions {
  /** Our own certificate and record; null: not yet. */
  readonly own: () => Pair | null;
  /** Says it to all index nodes that answer. How many. */
  readonly say: (message: Uint8Array) => number;
  /** There is a session with it. */
  readonly isMet: (id: number) => boolean;
  /** The same, and this is the record by which it is known. Borrows. */
  readonly isMetAs: (id: number, record: Uint8Array) => boolean;
  /** Verifies a pair, and calls its member. False: it is none, or there is no room. Borrows. */
  readonly call: (pair: Pair) => boolean;
  readonly count: (what: CountName, amount: number) => void;
}

interface Wanted {
  dueMs: number;
  times: number;
}

/** Thread: control. */
export class Forwards {
  readonly #options: ForwardsOptions;
  /** Members that are called and did not answer yet, by id. */
  readonly #wanted = new Map<number, Wanted>();
  /** When members were called that asked for it, by id; oldest first. */
  readonly #called = new Map<number, number>();
  /** By index node: those of the configuration, so that there are few. */
  readonly #taken = new Map<string, Bucket>();

  constructor(options: ForwardsOptions) {
    this.#options = options;
  }

  get dueMs(): number {
    let dueMs = NEVER;
    for (const one of this.#wanted.values()) dueMs = Math.min(dueMs, one.dueMs);
    return dueMs;
  }

  /** A message 1 goes to a member with whom there is no session. */
  calling(id: number, nowMs: number): void {
    if (this.#wanted.has(id) || this.#wanted.size >= WANTED_MAX) return;
    this.#wanted.set(id, { dueMs: nowMs + FIRST_MS, times: 0 });
  }

  /** There is a session with it. */
  met(id: number): void {
    this.#wanted.delete(id);
  }

  tick(nowMs: number): void {
    for (const [id, one] of this.#wanted) {
      if (nowMs < one.dueMs) continue;
      const isOver = this.#options.isMet(id) || one.times >= TIMES_MAX;
      if (isOver) this.#wanted.delete(id);
      else this.#ask(id, one, nowMs);
    }
  }

  #ask(id: number, one: Wanted, nowMs: number): void {
    const { own, say, count } = this.#options;
    one.times++;
    one.dueMs = nowMs + AGAIN_MS;
    const pair = own();
    if (pair === null) return;
    const body = Buffer.concat([Uint8Array.of(CALL_ME), encodePair(pair)]);
    count("forwardsSent", say(encodePassed(MESSAGE.forward, { id, body })));
  }

  #mayTake(by: string, nowMs: number): boolean {
    const bucket = this.#taken.get(by) ?? new Bucket(TAKEN);
    this.#taken.set(by, bucket);
    return bucket.take(nowMs);
  }

  /** Somebody asks, or so an index node says. Why it is refused; null: it is called. Borrows. */
  forwarded(by: string, { id, body }: Passed, nowMs: number): CountName | null {
    const pair = body[0] === CALL_ME ? decodePair(body.subarray(1)) : null;
    if (pair === null || idOfRecord(pair.record) !== id) return "forwardRefused";
    // It comes through each index node that both know.
    if (nowMs - (this.#called.get(id) ?? Number.NEGATIVE_INFINITY) < PAIR_MS) return null;
    // Who began anew shows another record: its former session is none.
    if (this.#options.isMetAs(id, pair.record)) return null;
    if (!this.#mayTake(by, nowMs) || !this.#options.call(pair)) return "forwardRefused";
    this.#called.delete(id);
    if (this.#called.size >= CALLED_MAX) this.#called.delete(this.#called.keys().next().value!);
    this.#called.set(id, nowMs);
    this.#options.count("forwardsTaken", 1);
    return null;
  }
}
