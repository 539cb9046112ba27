/**
 * pulls — a newer list or definition that a caller says it has, fetched piece by piece. Pure.
 *
 *     consider() ─▶ WANT_PIECE 0 ─▶ PIECE: how long? ─▶ WANT_PIECE … ─▶ whole ─▶ take()
 *
 * Few at a time, one of each caller, each with an end: a caller that never comes to it, or whose
 * list no authority signed, is not asked again for a while, and others are. One of several that
 * have the same is the first: what the others bring is in vain, and no fault of theirs. Times are
 * boot-clock milliseconds.
 */
import { DEFINITION_BYTES_MAX } from "../members/definition.ts";
import { LIST_BYTES_MAX } from "../members/revocation-list.ts";
import { isNewer, type Standing } from "../wire/digests.ts";
import {
  encodeWantPiece,
  INDEX_PIECE_BYTES,
  type IndexPiece,
  PIECE_OF,
} from "../wire/index-messages.ts";
import { Assembly } from "./assembly.ts";
import type { Guest } from "./guests.ts";

/** Tuning: of one network, each of another caller. */
const PULLS_MAX = 4;
/** Tuning: pieces that are asked for ahead. */
const AHEAD = 8;
/** Tuning: what did not come is asked for again. */
const AGAIN_MS = 500;
/** Tuning: a pull that is not whole by then is given up. */
const WHOLE_MS = 20_000;
/** Tuning: and its caller is asked nothing for so long. */
const DISTRUST_MS = 600_000;

/** A whole that is fetched. */
interface Pull {
  readonly what: number;
  readonly guest: Guest;
  readonly beganMs: number;
  askedMs: number;
  /** Known by the first piece; null: none came. */
  assembly: Assembly | null;
  /** Offset of the first piece that was not asked for yet. */
  next: number;
}

export interface PullsOptions {
  readonly say: (guest: Guest, message: Uint8Array, nowMs: number) => void;
  /** How new what is held is: PIECE_OF. */
  readonly held: (what: number) => Standing;
  /** Something is whole. False: it is not what it should be. Takes. */
  readonly take: (what: number, bytes: Uint8Array, nowMs: number) => boolean;
  /** A pull was given up. */
  readonly onEnded: () => void;
}

const longest = (what: number): number =>
  what === PIECE_OF.definition ? DEFINITION_BYTES_MAX : LIST_BYTES_MAX;

export class Pulls {
  readonly #options: PullsOptions;
  readonly #pulls = new Map<Guest, Pull>();

  constructor(options: PullsOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#pulls.size;
  }

  /** Asks a guest that has something newer, if there is room, and it is believed. */
  consider(guest: Guest, what: number, nowMs: number): void {
    if (this.#pulls.size >= PULLS_MAX || this.#pulls.has(guest)) return;
    if (nowMs < guest.share.distrustedToMs) return;
    const pull: Pull = {
      ...{ what, guest, beganMs: nowMs, askedMs: nowMs, assembly: null, next: 0 },
    };
    this.#pulls.set(guest, pull);
    this.#ask(pull, nowMs);
  }

  /** The first of those that are missing, once more. */
  #ask(pull: Pull, nowMs: number): void {
    pull.askedMs = nowMs;
    for (const offset of pull.assembly?.first(AHEAD) ?? [0]) this.#want(pull, offset, nowMs);
  }

  #want(pull: Pull, offset: number, nowMs: number): void {
    pull.next = Math.max(pull.next, offset + INDEX_PIECE_BYTES);
    this.#options.say(pull.guest, encodeWantPiece({ what: pull.what, offset }), nowMs);
  }

  /** A piece came. False: nobody wants it. Borrows: `piece`. */
  piece(guest: Guest, piece: IndexPiece, nowMs: number): boolean {
    const pull = this.#pulls.get(guest);
    if (pull === undefined || pull.what !== piece.what) return false;
    if (this.#isInVain(pull)) {
      this.#pulls.delete(guest);
      return true;
    }
    if (pull.assembly === null && !this.#begin(pull, piece)) {
      this.#end(pull, nowMs);
      return true;
    }
    const assembly = pull.assembly!;
    // Something newer came there meanwhile: from the beginning, within the same time.
    if (!assembly.isOf(piece)) {
      Object.assign(pull, { assembly: null, next: INDEX_PIECE_BYTES });
      if (piece.offset === 0) return this.piece(guest, piece, nowMs);
      return true;
    }
    if (!assembly.put(piece)) return true;
    pull.askedMs = nowMs;
    const ahead = piece.offset === 0 ? AHEAD : 1;
    const total = assembly.bytes.length;
    for (let i = 0; i < ahead && pull.next < total; i++) this.#want(pull, pull.next, nowMs);
    if (assembly.isWhole) this.#whole(pull, assembly.bytes, nowMs);
    return true;
  }

  /** Another has brought what this caller says it has. */
  #isInVain({ what, guest: { standings } }: Pull): boolean {
    const said = what === PIECE_OF.definition ? standings.definition : standings.list;
    return !isNewer(said, this.#options.held(what));
  }

  #begin(pull: Pull, piece: IndexPiece): boolean {
    const { what, standing, total } = piece;
    if (total > longest(what) || !isNewer(standing, this.#options.held(what))) return false;
    pull.assembly = new Assembly(piece);
    return true;
  }

  #whole(pull: Pull, bytes: Uint8Array, nowMs: number): void {
    this.#pulls.delete(pull.guest);
    const good = this.#options.take(pull.what, bytes, nowMs);
    if (!good) pull.guest.share.distrustedToMs = nowMs + DISTRUST_MS;
  }

  #end(pull: Pull, nowMs: number): void {
    this.#pulls.delete(pull.guest);
    pull.guest.share.distrustedToMs = nowMs + DISTRUST_MS;
    this.#options.onEnded();
  }

  tick(nowMs: number): void {
    for (const pull of this.#pulls.values()) {
      if (this.#isInVain(pull)) this.#pulls.delete(pull.guest);
      else if (nowMs - pull.beganMs >= WHOLE_MS) this.#end(pull, nowMs);
      else if (nowMs - pull.askedMs >= AGAIN_MS) this.#ask(pull, nowMs);
    }
  }

  /** Its channel is gone. */
  forget(guest: Guest): void {
    this.#pulls.delete(guest);
  }
}
