/**
 * service — what an index node does in the channels of one network, beside hosting guests.
 *
 *     OPEN, REPORT  guest, OBSERVED  hosting.ts                 ASK  ─▶ FOUND
 *     standings     newer there: fetched; newer here: NOTIFY, and PIECE when asked (spread.ts)
 *     FORWARD       to a guest of the same network              TOKENS, JOIN …  joining.ts
 *
 * Nobody is believed: what is stored or passed on is verified, what is refused is refused in
 * silence and counted by name, and everything has a bound. Pure: clock, randomness and sending come
 * in. Times are boot-clock milliseconds.
 *
 * Source: docs/PROTOCOL.md, "Channels: types 10 and 14". Thread: the index node's.
 */
import { CERTIFICATE_FLAG } from "../members/certificate.ts";
import { DIRECTORY_TYPE, PURPOSE } from "../wire/channel.ts";
import {
  decodeAsk,
  decodeJoin,
  decodePassed,
  decodeReport,
  decodeTokens,
  encodeFound,
  encodePassed,
  encodeShow,
  MESSAGE,
  type Report,
} from "../wire/index-messages.ts";
import { decodePair, type Pair } from "../wire/intro.ts";
import type { Caller } from "./callers.ts";
import type { DirectoryCount } from "./counts.ts";
import { Forwards } from "./forwards.ts";
import { flushGuests, type Guest } from "./guests.ts";
import { Hosting } from "./hosting.ts";
import { Joining } from "./joining.ts";
import type { Lists } from "./lists.ts";
import type { Records } from "./records.ts";
import type { ServiceCount } from "./service-counts.ts";
import { Spread } from "./spread.ts";

/** Tuning: members that are shown for one REPORT. */
const SHOWN_MAX = 8;
/** Tuning: questions that are looked up at a time. */
const ASKS_MAX = 256;
/** Tuning: guests and records that are looked at again, and how often. */
const LOOKED_AT_MAX = 64;
const LOOK_MS = 1_000;
/** Tuning: between two ticks, when something waits; else LOOK_MS. */
const SOON_MS = 50;

export interface ServiceOptions {
  readonly lists: Lists;
  readonly records: Records;
  /** Callers.say, Callers.dismiss. */
  readonly say: (caller: Caller, message: Uint8Array) => boolean;
  readonly dismiss: (caller: Caller) => void;
  /** Who has this target; the answer may come later, and comes once. */
  readonly lookUp: (target: Uint8Array, answer: (pair: Pair | null) => void) => void;
  /** Bytes of the directory; borrowed. False: they mean nothing. */
  readonly directory: (guest: Guest, bytes: Uint8Array, nowMs: number) => boolean;
  /** A member came, or has another certificate, or is gone. */
  readonly onGuest: (guest: Guest, here: boolean) => void;
  /** A newer one holds: PIECE_OF. */
  readonly onLists: (what: number) => void;
  /** A random number below 2^53. */
  readonly number: () => number;
  readonly count: (what: ServiceCount | DirectoryCount, amount?: number) => void;
}

type Handler = (guest: Guest, plain: Uint8Array, nowMs: number) => boolean;

export class Service {
  readonly #options: ServiceOptions;
  readonly #hosting: Hosting;
  readonly #spread: Spread;
  readonly #joining: Joining;
  readonly #forwards = new Forwards();
  /** Guests who are to be told something. */
  readonly #speaking = new Set<Guest>();
  readonly #handlers: ReadonlyMap<number, Handler>;
  #lookedMs = Number.NEGATIVE_INFINITY;
  #asking = 0;

  constructor(options: ServiceOptions) {
    const { lists, count, onLists } = options;
    this.#options = options;
    this.#hosting = new Hosting({
      records: options.records,
      list: () => lists.list,
      standings: () => lists.standings,
      onGuest: options.onGuest,
      onLeave: (guest) => this.#leave(guest),
      dismiss: (guest) => {
        this.#joining.mailbox.strike(guest.id);
        options.dismiss(guest.caller);
      },
      count,
    });
    this.#spread = new Spread({
      lists,
      guests: this.guests,
      tell: (guest, message) => this.#tell(guest, message),
      answer: (guest, message, nowMs) => this.#answer(guest, message, nowMs),
      onTaken: (what) => {
        this.#hosting.cutRevoked();
        onLists(what);
      },
      count,
    });
    this.#joining = new Joining({
      lists,
      guests: this.guests,
      say: options.say,
      dismiss: options.dismiss,
      tell: (guest, message) => this.#tell(guest, message),
      number: options.number,
      count,
    });
    this.#handlers = new Map<number, Handler>([
      [MESSAGE.report, (guest, plain, nowMs) => this.#report(guest, plain, nowMs)],
      [MESSAGE.show, (guest, plain, nowMs) => this.#hosting.show(guest, plain, nowMs)],
      [MESSAGE.ask, (guest, plain, nowMs) => this.#ask(guest, plain, nowMs)],
      [MESSAGE.wantPiece, (guest, plain, nowMs) => this.#spread.wantPiece(guest, plain, nowMs)],
      [MESSAGE.piece, (guest, plain, nowMs) => this.#spread.piece(guest, plain, nowMs)],
      [MESSAGE.forward, (guest, plain, nowMs) => this.#forward(guest, plain, nowMs)],
      [MESSAGE.tokens, (guest, plain, nowMs) => this.#tokens(guest, plain, nowMs)],
      [MESSAGE.joinAnswer, (guest, plain, nowMs) => this.#joinAnswer(guest, plain, nowMs)],
    ]);
  }

  get guests(): Hosting["guests"] {
    return this.#hosting.guests;
  }

  get enrollers(): number {
    return this.#joining.mailbox.enrollers;
  }

  get wishes(): number {
    return this.#joining.mailbox.wishes;
  }

  // -------------------------------------------------------------------------------------------
  // Channels

  /** Callers' `open`: what OPENED says; null: refused. */
  open(caller: Caller, payload: Uint8Array, nowMs: number): Uint8Array | null {
    const joins = caller.purpose === PURPOSE.joiner;
    if (joins && payload[0] === MESSAGE.join) {
      const wish = decodeJoin(payload);
      if (wish !== null) {
        return this.#joining.wish(caller, wish, nowMs) ? this.#hosting.observed(caller) : null;
      }
    }
    // Who joins has no other business here, and of purposes of later versions nothing is known.
    const isMember = caller.purpose === PURPOSE.member;
    if (!isMember) this.#options.count("openInvalid");
    const came = isMember ? this.#hosting.open(caller, payload) : null;
    if (came === null) return null;
    if (came.guest.share.outbox.waits) this.#speaking.add(came.guest);
    this.#heard(came.guest, came.report, nowMs);
    return this.#hosting.observed(caller);
  }

  /** Callers' `message`. False: it means nothing. */
  message(caller: Caller, type: number, plain: Uint8Array, nowMs: number): boolean {
    const guest = this.guests.of(caller);
    const { directory, count } = this.#options;
    if (type === DIRECTORY_TYPE) {
      const taken = guest !== undefined && directory(guest, plain, nowMs);
      if (!taken) count("directoryRefused");
      return true;
    }
    if (guest === undefined) return this.#joiner(caller, plain, nowMs);
    return this.#handlers.get(plain[0] ?? 0)?.(guest, plain, nowMs) ?? false;
  }

  #joiner(caller: Caller, plain: Uint8Array, nowMs: number): boolean {
    if (plain[0] === MESSAGE.wantPiece) return this.#joining.wantPiece(caller, plain, nowMs);
    const wish = plain[0] === MESSAGE.join ? decodeJoin(plain) : null;
    if (wish === null) return false;
    this.#joining.wish(caller, wish, nowMs);
    return true;
  }

  /** Callers' `onGone`. */
  gone(caller: Caller): void {
    this.#joining.gone(caller);
    this.#hosting.gone(caller);
  }

  #leave(guest: Guest): void {
    this.#spread.forget(guest);
    this.#speaking.delete(guest);
  }

  /** Says it as soon as the pace allows it. False: too much waits already, which is counted. */
  #tell(guest: Guest, message: Uint8Array): boolean {
    const waits = guest.share.outbox.push(message);
    if (waits) this.#speaking.add(guest);
    else this.#options.count("answerRate");
    return waits;
  }

  /** Answers at once. False: the guest has had its share, which is counted, or it is gone. */
  #answer(guest: Guest, message: Uint8Array, nowMs: number): boolean {
    if (guest.share.outbox.take(nowMs)) return this.#options.say(guest.caller, message);
    this.#options.count("answerRate");
    return false;
  }

  // -------------------------------------------------------------------------------------------
  // REPORT

  #heard(guest: Guest, { others, standings }: Report, nowMs: number): void {
    const { records, count } = this.#options;
    guest.standings = standings;
    this.#joining.mailbox.heard(guest.id, nowMs);
    this.#spread.compare(guest, nowMs);
    if (!others) return;
    const here = this.guests.others(guest.id, SHOWN_MAX).map((id) => records.byId(id));
    // After a start few have called again, and of the rest it is known where they were.
    const known = here.length < SHOWN_MAX ? records.some(SHOWN_MAX - here.length, guest.id) : [];
    for (const found of [...here, ...known]) {
      const pair = found && decodePair(found.bytes);
      if (pair === null) continue;
      if (this.#tell(guest, encodeShow(MESSAGE.shown, pair))) count("shown");
    }
  }

  #report(guest: Guest, plain: Uint8Array, nowMs: number): boolean {
    const report = decodeReport(plain);
    if (report === null) return false;
    if (report.pair !== null && !this.#hosting.renew(guest, report.pair, nowMs)) return true;
    this.#heard(guest, report, nowMs);
    this.#answer(guest, this.#hosting.observed(guest.caller), nowMs);
    return true;
  }

  // -------------------------------------------------------------------------------------------
  // Questions, pieces, FORWARD

  #ask(guest: Guest, plain: Uint8Array, nowMs: number): boolean {
    const { lookUp, records, say, count } = this.#options;
    const asked = decodeAsk(plain);
    if (asked === null) return false;
    const isHere = records.get(asked.target) !== null;
    if (!guest.share.outbox.take(nowMs)) count("answerRate");
    else if (!isHere && !guest.share.lookups.take(nowMs)) count("asksRate");
    else if (this.#asking >= ASKS_MAX) count("asksFull");
    else {
      this.#asking++;
      lookUp(asked.target, (pair) => {
        this.#asking--;
        if (this.guests.of(guest.caller) !== guest) return;
        const isSaid = say(guest.caller, encodeFound({ question: asked.question, pair }));
        if (isSaid && pair !== null) count("asksAnswered");
      });
    }
    return true;
  }

  #forward(guest: Guest, plain: Uint8Array, nowMs: number): boolean {
    const { count } = this.#options;
    const passed = decodePassed(plain);
    if (passed === null) return false;
    const to = this.guests.byId(passed.id);
    if (to === undefined || to === guest) count("forwardUnknown");
    else if (!this.#forwards.take(guest.id, to.id, nowMs)) count("forwardRate");
    else {
      const message = encodePassed(MESSAGE.forwarded, { id: guest.id, body: passed.body });
      if (this.#answer(to, message, nowMs)) count("forwarded");
    }
    return true;
  }

  /** May it enrol others? */
  #enrols({ certificate }: Guest): boolean {
    const may = (certificate.flags & CERTIFICATE_FLAG.enrol) !== 0;
    if (!may) this.#options.count("tokensRefused");
    return may;
  }

  #tokens(guest: Guest, plain: Uint8Array, nowMs: number): boolean {
    const hashes = decodeTokens(plain);
    if (hashes === null) return false;
    if (this.#enrols(guest)) this.#joining.register(guest, hashes, nowMs);
    return true;
  }

  #joinAnswer(guest: Guest, plain: Uint8Array, nowMs: number): boolean {
    const passed = decodePassed(plain);
    if (passed === null) return false;
    if (this.#enrols(guest)) this.#joining.answer(guest, passed, nowMs);
    return true;
  }

  // -------------------------------------------------------------------------------------------
  // The authority's word

  /** A list or a definition that somebody brought. A clause: it is refused; null: it holds. */
  take(what: number, bytes: Uint8Array): string | null {
    return this.#spread.take(what, bytes);
  }

  // -------------------------------------------------------------------------------------------
  // Time

  /** When tick() is to be called next. */
  dueMs(nowMs: number): number {
    const waits = this.#speaking.size > 0 || this.#spread.busy || this.#joining.busy;
    return nowMs + (waits ? SOON_MS : LOOK_MS);
  }

  tick(nowMs: number): void {
    this.#spread.tick(nowMs);
    this.#joining.tick(nowMs);
    flushGuests(this.#speaking, this.#options.say, nowMs);
    if (nowMs - this.#lookedMs < LOOK_MS) return;
    this.#lookedMs = nowMs;
    this.#hosting.look(LOOKED_AT_MAX);
  }
}
