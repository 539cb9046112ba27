/**
 * spread — an authority's word at a callee: taken from callers that have a newer one, passed on to
 * all that have an older one. Pure. Times are boot-clock milliseconds.
 *
 *     REPORT: newer there ─▶ pulls.ts ─▶ take() ─▶ onTaken() ─▶ NOTIFY to all, PIECE to who asks
 */
import {
  decodeIndexPiece,
  decodeWantPiece,
  encodeNotify,
  PIECE_OF,
} from "../wire/index-messages.ts";
import type { Guest, Guests } from "./guests.ts";
import type { Lists } from "./lists.ts";
import { Pulls } from "./pulls.ts";
import type { CountService } from "./service-counts.ts";

/** Tuning: guests that are told of something newer in one tick. */
const NOTIFIED_MAX = 250;

export interface SpreadOptions {
  readonly lists: Lists;
  readonly guests: Guests;
  /** As soon as the pace allows it. False: it is not said. */
  readonly tell: (guest: Guest, message: Uint8Array) => boolean;
  /** At once, or not at all. */
  readonly answer: (guest: Guest, message: Uint8Array, nowMs: number) => boolean;
  /** A newer one holds: PIECE_OF. */
  readonly onTaken: (what: number) => void;
  readonly count: CountService;
}

export class Spread {
  readonly #options: SpreadOptions;
  readonly #pulls: Pulls;
  /** Guests to be told of something newer. */
  #notices: Guest[] = [];

  constructor(options: SpreadOptions) {
    const { lists, tell, count } = options;
    this.#options = options;
    this.#pulls = new Pulls({
      say: tell,
      held: (what) =>
        what === PIECE_OF.definition ? lists.standings.definition : lists.standings.list,
      take: (what, bytes) => this.take(what, bytes) === null,
      onEnded: () => count("pullsEnded"),
    });
  }

  /** Something waits for the next tick. */
  get busy(): boolean {
    return this.#notices.length > 0 || this.#pulls.size > 0;
  }

  /** A guest said what it has. */
  compare(guest: Guest, nowMs: number): void {
    const what = this.#options.lists.lacks(guest.standings);
    if (what !== null) this.#pulls.consider(guest, what, nowMs);
  }

  forget(guest: Guest): void {
    this.#pulls.forget(guest);
  }

  /** A list or a definition, by whoever brought it. A clause: it is refused; null: it holds. */
  take(what: number, bytes: Uint8Array): string | null {
    const { lists, guests, count, onTaken } = this.#options;
    const isDefinition = what === PIECE_OF.definition;
    const why = lists.take(what, bytes);
    if (why !== null) {
      count(isDefinition ? "definitionInvalid" : "listInvalid");
      return why;
    }
    count(isDefinition ? "definitionTaken" : "listTaken");
    this.#notices = [...guests.all()];
    onTaken(what);
    return null;
  }

  /** False: it is no WANT_PIECE. */
  wantPiece(guest: Guest, plain: Uint8Array, nowMs: number): boolean {
    const want = decodeWantPiece(plain);
    if (want === null) return false;
    const { lists, answer, count } = this.#options;
    const piece = lists.piece(want);
    if (piece === null) count("pieceUnwanted");
    else answer(guest, piece, nowMs);
    return true;
  }

  /** False: it is no PIECE. */
  piece(guest: Guest, plain: Uint8Array, nowMs: number): boolean {
    const piece = decodeIndexPiece(plain);
    if (piece === null) return false;
    if (!this.#pulls.piece(guest, piece, nowMs)) this.#options.count("pieceUnwanted");
    // The list may follow the definition that names its authority.
    this.compare(guest, nowMs);
    return true;
  }

  tick(nowMs: number): void {
    const { guests, lists, tell, count } = this.#options;
    this.#pulls.tick(nowMs);
    for (let told = 0; told < NOTIFIED_MAX && this.#notices.length > 0; ) {
      const guest = this.#notices.pop()!;
      if (guests.of(guest.caller) !== guest || lists.knownTo(guest.standings)) continue;
      if (tell(guest, encodeNotify(lists.standings))) count("notified");
      told++;
    }
  }
}
