/**
 * joining — who wants to join and who may enrol, brought together at a callee: messages to and from
 * the mailbox. Pure. Times are boot-clock milliseconds.
 */
import {
  decodeWantPiece,
  encodeJoinWaits,
  type JoinWish,
  MESSAGE,
  type Passed,
} from "../wire/index-messages.ts";
import type { Caller } from "./callers.ts";
import type { Guest, Guests } from "./guests.ts";
import type { Lists } from "./lists.ts";
import { Mailbox, type Wish } from "./mailbox.ts";
import { Outbox } from "./outbox.ts";
import type { CountService } from "./service-counts.ts";

/** Tuning: wishes that an enroller is told of at once; the rest when it registers again. */
const TOLD_MAX = 16;

export interface JoiningOptions {
  readonly guests: Guests;
  readonly lists: Lists;
  readonly say: (caller: Caller, message: Uint8Array) => boolean;
  readonly tell: (guest: Guest, message: Uint8Array) => void;
  readonly number: () => number;
  readonly count: CountService;
}

const joined = (body: Uint8Array): Uint8Array =>
  Buffer.concat([Uint8Array.of(MESSAGE.joined), body]);

export class Joining {
  readonly #options: JoiningOptions;
  readonly mailbox: Mailbox;
  /** Of each joiner with a channel: what it is to be told, and how much that may be. */
  readonly #outboxes = new Map<Caller, Outbox>();
  readonly #speaking = new Set<Caller>();

  constructor(options: JoiningOptions) {
    this.#options = options;
    this.mailbox = new Mailbox(options.number);
  }

  /** Joiners to whom something is to be said. */
  get speaking(): number {
    return this.#speaking.size;
  }

  /** Somebody wants to join, or asks again. False: refused, and counted. Borrows: `wish`. */
  wish(joiner: Caller, wish: JoinWish, nowMs: number): boolean {
    const { count } = this.#options;
    const before = this.mailbox.wishes;
    const kept = this.mailbox.wish(joiner, wish, nowMs);
    if (kept === null || kept === "full") {
      count(kept === null ? "joinUnknown" : "joinFull");
      return false;
    }
    if (this.mailbox.wishes > before) count("joinsKept");
    if (!this.#outboxes.has(joiner)) this.#outboxes.set(joiner, new Outbox());
    if (kept.answers.length > 0) for (const body of kept.answers) this.#answer(kept, body);
    else this.#announce(kept);
    return true;
  }

  /**
   * Who wants to join is given definition and list, if its wish was kept: it takes neither on
   * faith. False: it means nothing.
   */
  wantPiece(joiner: Caller, plain: Uint8Array, nowMs: number): boolean {
    const outbox = this.#outboxes.get(joiner);
    const want = outbox === undefined ? null : decodeWantPiece(plain);
    if (outbox === undefined || want === null) return false;
    const { lists, say, count } = this.#options;
    const piece = lists.piece(want);
    if (piece === null) count("pieceUnwanted");
    else if (!outbox.take(nowMs)) count("answerRate");
    else say(joiner, piece);
    return true;
  }

  /** Tells enrollers that are here. */
  #announce(wish: Wish): void {
    const { guests, tell } = this.#options;
    for (const id of this.mailbox.enrollersOf(wish.hash)) {
      const enroller = guests.byId(id);
      if (enroller !== undefined) tell(enroller, encodeJoinWaits(wish));
    }
  }

  #answer({ joiner }: Wish, body: Uint8Array): void {
    if (this.#outboxes.get(joiner)?.push(joined(body))) this.#speaking.add(joiner);
  }

  /** An enroller's invitations; it is told who waits for them. */
  register(enroller: Guest, hashes: readonly Uint8Array[], nowMs: number): void {
    const { tell, count } = this.#options;
    if (!this.mailbox.register(enroller.id, hashes, nowMs)) count("tokensFull");
    const waiting = this.mailbox.waitingFor(enroller.id).filter((one) => one.answers.length === 0);
    for (const wish of waiting.slice(0, TOLD_MAX)) tell(enroller, encodeJoinWaits(wish));
  }

  answer(enroller: Guest, { id, body }: Passed, nowMs: number): void {
    const wish = this.mailbox.answer(enroller.id, id, body);
    if (wish === null) {
      this.#options.count("joinAnswerUnknown");
      return;
    }
    this.#answer(wish, body);
    this.#flush(nowMs);
  }

  gone(caller: Caller): void {
    this.#outboxes.delete(caller);
    this.#speaking.delete(caller);
  }

  #flush(nowMs: number): void {
    const { say } = this.#options;
    for (const joiner of this.#speaking) {
      const outbox = this.#outboxes.get(joiner);
      outbox?.flush((message) => void say(joiner, message), nowMs);
      if (!outbox?.waits) this.#speaking.delete(joiner);
    }
  }

  tick(nowMs: number): void {
    this.mailbox.tick(nowMs);
    this.#flush(nowMs);
  }
}
