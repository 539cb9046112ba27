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
import { type InvitationShare, Mailbox, type Wish } from "./mailbox.ts";
import type { CountService } from "./service-counts.ts";

/** Tuning: wishes that an enroller is told of at once; the rest when it registers again. */
const TOLD_MAX = 16;
/** Tuning: enrollers are told of an invitation so often, whatever its joiner says meanwhile. */
const ANNOUNCE_MS = 2_000;

export interface JoiningOptions {
  readonly guests: Guests;
  readonly lists: Lists;
  /** Callers.say, Callers.dismiss. */
  readonly say: (caller: Caller, message: Uint8Array) => boolean;
  readonly dismiss: (caller: Caller) => void;
  readonly tell: (guest: Guest, message: Uint8Array) => boolean;
  readonly number: () => number;
  readonly count: CountService;
}

const joined = (body: Uint8Array): Uint8Array =>
  Buffer.concat([Uint8Array.of(MESSAGE.joined), body]);

export class Joining {
  readonly #options: JoiningOptions;
  readonly mailbox: Mailbox;
  /** Of each joiner with a channel. */
  readonly #wishes = new Map<Caller, Wish>();
  readonly #speaking = new Set<Caller>();
  /** Wishes that enrollers are to be told of, when their turn comes. */
  readonly #news = new Map<InvitationShare, Wish>();

  constructor(options: JoiningOptions) {
    this.#options = options;
    this.mailbox = new Mailbox(options.number);
  }

  /** Something is to be said. */
  get busy(): boolean {
    return this.#speaking.size > 0 || this.#news.size > 0;
  }

  /** Somebody wants to join, or asks again. False: refused, and counted. Borrows: `wish`. */
  wish(joiner: Caller, wish: JoinWish, nowMs: number): boolean {
    const { count } = this.#options;
    const held = this.mailbox.of(wish.hash);
    const former = held?.joiner ?? joiner;
    const kept = this.mailbox.wish(joiner, wish, nowMs);
    if (kept === null || kept === "full") {
      count(kept === null ? "joinUnknown" : "joinFull");
      return false;
    }
    if (kept !== held) count("joinsKept");
    // An invitation is one channel, with whatever key it comes.
    if (former !== joiner) this.#options.dismiss(former);
    this.#wishes.set(joiner, kept);
    if (kept.answers.length > 0) for (const body of kept.answers) this.#answer(kept, body);
    else this.#announce(kept, nowMs);
    return true;
  }

  /**
   * Who wants to join is given definition and list, if its wish was kept: it takes neither on
   * faith. False: it means nothing.
   */
  wantPiece(joiner: Caller, plain: Uint8Array, nowMs: number): boolean {
    const outbox = this.#wishes.get(joiner)?.share.outbox;
    const want = outbox === undefined ? null : decodeWantPiece(plain);
    if (outbox === undefined || want === null) return false;
    const { lists, say, count } = this.#options;
    const piece = lists.piece(want);
    if (piece === null) count("pieceUnwanted");
    else if (!outbox.take(nowMs)) count("answerRate");
    else say(joiner, piece);
    return true;
  }

  /** Tells enrollers that are here: now, or when the invitation's turn comes. */
  #announce(wish: Wish, nowMs: number): void {
    const { guests } = this.#options;
    const isEarly = nowMs - wish.share.announcedMs < ANNOUNCE_MS;
    if (isEarly) this.#news.set(wish.share, wish);
    if (isEarly) return;
    this.#news.delete(wish.share);
    wish.share.announcedMs = nowMs;
    for (const id of this.mailbox.enrollersOf(wish.hash)) {
      const enroller = guests.byId(id);
      if (enroller !== undefined) this.#tell(enroller, wish);
    }
  }

  #tell(enroller: Guest, wish: Wish): void {
    wish.told.add(enroller.id);
    this.#options.tell(enroller, encodeJoinWaits(wish));
  }

  #answer({ joiner, share }: Wish, body: Uint8Array): void {
    if (this.#wishes.has(joiner) && share.outbox.push(joined(body))) this.#speaking.add(joiner);
  }

  /** An enroller's invitations; it is told who waits for them. */
  register(enroller: Guest, hashes: readonly Uint8Array[], nowMs: number): void {
    const { count } = this.#options;
    if (!this.mailbox.register(enroller.id, hashes, nowMs)) count("tokensFull");
    const waiting = this.mailbox.waitingFor(enroller.id).filter((one) => one.answers.length === 0);
    for (const wish of waiting.slice(0, TOLD_MAX)) this.#tell(enroller, wish);
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
    this.#wishes.delete(caller);
    this.#speaking.delete(caller);
  }

  #flush(nowMs: number): void {
    const { say } = this.#options;
    for (const joiner of this.#speaking) {
      const outbox = this.#wishes.get(joiner)?.share.outbox;
      outbox?.flush((message) => void say(joiner, message), nowMs);
      if (!outbox?.waits) this.#speaking.delete(joiner);
    }
  }

  tick(nowMs: number): void {
    this.mailbox.tick(nowMs);
    for (const [share, wish] of this.#news) {
      if (this.mailbox.waits(wish) && wish.answers.length === 0) this.#announce(wish, nowMs);
      else this.#news.delete(share);
    }
    this.#flush(nowMs);
  }
}
