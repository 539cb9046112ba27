/**
 * pulls — a newer list or definition that a caller says it has, fetched piece by piece. Pure.
 *
 *     consider() ─▶ WANT_PIECE 0 ─▶ PIECE: how long? ─▶ WANT_PIECE … ─▶ whole ─▶ take()
 *
 * Few at a time, one of each caller, each with an end: a caller that never comes to it, or whose
 * list no authority signed, is not asked again for a while, and others are. Times are boot-clock
 * milliseconds.
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
  /** Known by the first piece. */
  standing: Standing | null;
  bytes: Uint8Array;
  /** Pieces that did not come yet, by number. */
  missing: Set<number>;
  /** The first that was not asked for yet. */
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
    if (nowMs < guest.distrustedToMs) return;
    const pull: Pull = {
      ...{ what, guest, beganMs: nowMs, askedMs: nowMs, standing: null },
      ...{ bytes: new Uint8Array(0), missing: new Set([0]), next: 1 },
    };
    this.#pulls.set(guest, pull);
    this.#ask(pull, nowMs);
  }

  /** The first of those that are missing, once more. */
  #ask(pull: Pull, nowMs: number): void {
    pull.askedMs = nowMs;
    let asked = 0;
    for (const number of pull.missing) {
      if (asked++ >= AHEAD) break;
      this.#want(pull, number, nowMs);
    }
  }

  #want(pull: Pull, number: number, nowMs: number): void {
    const offset = number * INDEX_PIECE_BYTES;
    pull.next = Math.max(pull.next, number + 1);
    this.#options.say(pull.guest, encodeWantPiece({ what: pull.what, offset }), nowMs);
  }

  /** A piece came. False: nobody wants it. Borrows: `piece`. */
  piece(guest: Guest, piece: IndexPiece, nowMs: number): boolean {
    const pull = this.#pulls.get(guest);
    if (pull === undefined || pull.what !== piece.what) return false;
    if (pull.standing === null && !this.#begin(pull, piece)) {
      this.#end(pull, nowMs);
      return true;
    }
    const { standing, bytes, missing } = pull;
    const same =
      piece.total === bytes.length &&
      piece.standing.chain === standing!.chain &&
      piece.standing.sequence === standing!.sequence;
    // Something newer came there meanwhile: from the beginning, within the same time.
    if (!same) {
      Object.assign(pull, { standing: null, missing: new Set([0]), next: 1 });
      if (piece.offset === 0) return this.piece(guest, piece, nowMs);
      return true;
    }
    if (!missing.delete(piece.offset / INDEX_PIECE_BYTES)) return true;
    bytes.set(piece.bytes, piece.offset);
    pull.askedMs = nowMs;
    const ahead = piece.offset === 0 ? AHEAD : 1;
    const pieces = Math.ceil(bytes.length / INDEX_PIECE_BYTES);
    for (let i = 0; i < ahead && pull.next < pieces; i++) this.#want(pull, pull.next, nowMs);
    if (missing.size === 0) this.#whole(pull, nowMs);
    return true;
  }

  #begin(pull: Pull, { what, standing, total }: IndexPiece): boolean {
    if (total > longest(what) || !isNewer(standing, this.#options.held(what))) return false;
    pull.standing = standing;
    pull.bytes = new Uint8Array(total);
    const pieces = Math.ceil(total / INDEX_PIECE_BYTES);
    pull.missing = new Set(Array.from({ length: pieces }, (_, i) => i));
    return true;
  }

  #whole(pull: Pull, nowMs: number): void {
    this.#pulls.delete(pull.guest);
    const good = this.#options.take(pull.what, pull.bytes, nowMs);
    if (!good) pull.guest.distrustedToMs = nowMs + DISTRUST_MS;
  }

  #end(pull: Pull, nowMs: number): void {
    this.#pulls.delete(pull.guest);
    pull.guest.distrustedToMs = nowMs + DISTRUST_MS;
    this.#options.onEnded();
  }

  tick(nowMs: number): void {
    for (const pull of this.#pulls.values()) {
      if (nowMs - pull.beganMs >= WHOLE_MS) this.#end(pull, nowMs);
      else if (nowMs - pull.askedMs >= AGAIN_MS) this.#ask(pull, nowMs);
    }
  }

  /** Its channel is gone. */
  forget(guest: Guest): void {
    this.#pulls.delete(guest);
  }
}
