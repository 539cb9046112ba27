/**
 * mailbox — invitations that enrollers have out, and wishes to join that wait for them. Pure.
 *
 *     TOKENS  enroller ─▶ hashes, which replace those of before
 *     JOIN    joiner ─▶ kept for a hash that is known, one each, ten minutes ─▶ JOIN_WAITS
 *     JOIN_ANSWER  an enroller of that hash ─▶ JOINED, again whenever the joiner asks again
 *
 * An index sees hashes of secrets, and bodies that it cannot read. What a joiner sends is kept for
 * an invitation alone, so nothing that strangers do fills it. Times are boot-clock milliseconds.
 *
 * Source: network.md 4; security.md 23.
 */
import { FORWARD_BYTES_MAX, type JoinWish, TOKENS_MAX } from "../wire/index-messages.ts";
import type { Caller } from "./callers.ts";
import { Outbox } from "./outbox.ts";

/** Tuning: enrollers of one network. */
export const ENROLLERS_MAX = 64;
/** Tuning: hashes of an enroller whose channel is gone are kept so long. */
const ABSENT_MS = 3_600_000;
/** Protocol: a JOIN is kept so long. */
const WISH_MS = 600_000;
/** Tuning: parts of an answer. */
const ANSWERS_MAX = 8;
/** Tuning: wishes of one network; a hash has one, and these are all that can be known at a time. */
const WISHES_MAX = ENROLLERS_MAX * TOKENS_MAX;

interface Enroller {
  readonly hashes: ReadonlySet<string>;
  heardMs: number;
}

/** Somebody wants to join. */
export interface Wish {
  /** Ticket of the mailbox: names it to enrollers. */
  readonly id: number;
  readonly hash: Uint8Array;
  readonly body: Uint8Array;
  readonly beganMs: number;
  joiner: Caller;
  readonly answers: Uint8Array[];
  /** Enrollers that were told of it: they may answer, also when its invitation is taken by that. */
  readonly told: Set<number>;
  readonly share: InvitationShare;
}

/** What has been said for an invitation, whoever has it, and however often it asks anew. */
export interface InvitationShare {
  /** What its joiner is to be told, and how much that may be. */
  readonly outbox: Outbox;
  /** When its enrollers were told last. */
  announcedMs: number;
}

const newShare = (): InvitationShare => ({
  outbox: new Outbox(),
  announcedMs: Number.NEGATIVE_INFINITY,
});

const textOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString("latin1");

export class Mailbox {
  readonly #number: () => number;
  /** By member number. */
  readonly #enrollers = new Map<number, Enroller>();
  /** By hash of the invitation. */
  readonly #wishes = new Map<string, Wish>();
  readonly #byId = new Map<number, Wish>();

  /** `number`: a random one below 2^53. */
  constructor(number: () => number) {
    this.#number = number;
  }

  get enrollers(): number {
    return this.#enrollers.size;
  }

  get wishes(): number {
    return this.#wishes.size;
  }

  /** Invitations that an enroller has out now. False: there is no room for one more enroller. */
  register(id: number, hashes: readonly Uint8Array[], nowMs: number): boolean {
    if (hashes.length === 0) {
      this.#enrollers.delete(id);
      return true;
    }
    if (!this.#enrollers.has(id) && !this.#hasRoom(nowMs)) return false;
    this.#enrollers.delete(id);
    this.#enrollers.set(id, { hashes: new Set(hashes.map(textOf)), heardMs: nowMs });
    return true;
  }

  #hasRoom(nowMs: number): boolean {
    if (this.#enrollers.size >= ENROLLERS_MAX) this.#forgetAbsent(nowMs);
    return this.#enrollers.size < ENROLLERS_MAX;
  }

  #forgetAbsent(nowMs: number): void {
    for (const [id, { heardMs }] of this.#enrollers) {
      if (nowMs - heardMs >= ABSENT_MS) this.#enrollers.delete(id);
    }
  }

  /** Its channel is open still. */
  heard(id: number, nowMs: number): void {
    const enroller = this.#enrollers.get(id);
    if (enroller !== undefined) enroller.heardMs = nowMs;
  }

  /** It may not enrol any more. */
  strike(id: number): void {
    this.#enrollers.delete(id);
  }

  /** Enrollers whose invitation it is. */
  enrollersOf(hash: Uint8Array): number[] {
    const text = textOf(hash);
    return [...this.#enrollers].filter(([, { hashes }]) => hashes.has(text)).map(([id]) => id);
  }

  /** What waits for an invitation; undefined: nothing does. */
  of(hash: Uint8Array): Wish | undefined {
    return this.#wishes.get(textOf(hash));
  }

  /** All wishes that an enroller can answer. */
  waitingFor(id: number): Wish[] {
    const hashes = this.#enrollers.get(id)?.hashes;
    return [...this.#wishes.values()].filter(({ hash }) => hashes?.has(textOf(hash)) ?? false);
  }

  /**
   * A joiner's wish. The same once more is the same one; another with the invitation takes its
   * place, since whoever has the invitation may try again. Null: nobody knows the invitation;
   * "full": too many wait. Copies.
   */
  wish(joiner: Caller, { hash, body }: JoinWish, nowMs: number): Wish | "full" | null {
    const text = textOf(hash);
    const held = this.#wishes.get(text);
    if (held !== undefined && Buffer.compare(held.body, body) === 0) {
      held.joiner = joiner;
      return held;
    }
    if (this.enrollersOf(hash).length === 0) return null;
    if (held !== undefined) this.#drop(text, held);
    if (this.#wishes.size >= WISHES_MAX) this.#dropUnknown();
    if (this.#wishes.size >= WISHES_MAX) return "full";
    held?.share.outbox.clear();
    const made: Wish = {
      ...{ id: this.#number(), hash: hash.slice(), body: body.slice(), beganMs: nowMs },
      ...{ joiner, answers: [], told: new Set(), share: held?.share ?? newShare() },
    };
    this.#wishes.set(text, made);
    this.#byId.set(made.id, made);
    return made;
  }

  /** Those whose invitations no enroller has out any more: they are taken, or over. */
  #dropUnknown(): void {
    const known = new Set([...this.#enrollers.values()].flatMap(({ hashes }) => [...hashes]));
    for (const [text, wish] of this.#wishes) if (!known.has(text)) this.#drop(text, wish);
  }

  /** It waits still: neither over, nor has another one taken its place. */
  waits(wish: Wish): boolean {
    return this.#byId.get(wish.id) === wish;
  }

  #drop(text: string, wish: Wish): void {
    this.#wishes.delete(text);
    this.#byId.delete(wish.id);
  }

  /** An enroller answers. Null: there is no such wish, or it is none of its invitations. Copies. */
  answer(enroller: number, id: number, body: Uint8Array): Wish | null {
    const wish = this.#byId.get(id);
    if (!wish?.told.has(enroller)) return null;
    if (body.length > FORWARD_BYTES_MAX) return null;
    const isNew = wish.answers.every((one) => Buffer.compare(one, body) !== 0);
    if (isNew && wish.answers.length >= ANSWERS_MAX) return null;
    if (isNew) wish.answers.push(body.slice());
    return wish;
  }

  tick(nowMs: number): void {
    this.#forgetAbsent(nowMs);
    for (const [text, wish] of this.#wishes) {
      if (nowMs - wish.beganMs < WISH_MS) return;
      this.#drop(text, wish);
    }
  }
}
