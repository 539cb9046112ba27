/**
 * index-pieces — a list of revocations, or a definition, in pieces: fetched from an index node that
 * has a newer one.
 *
 *     WANT_PIECE 0 ──▶ PIECE: how long it is ──▶ the rest, a few at a time ──▶ whole ──▶ authority
 *
 * Whoever never comes to an end, or whose whole is no authority's, is asked for nothing for a
 * while. One thing at a time of one index node. Pure.
 */
import { Assembly } from "../../directory/assembly.ts";
import { DEFINITION_BYTES_MAX } from "../../members/definition.ts";
import { LIST_BYTES_MAX } from "../../members/revocation-list.ts";
import { isNewer } from "../../wire/digests.ts";
import {
  encodeWantPiece,
  INDEX_PIECE_BYTES,
  type IndexPiece,
  PIECE_OF,
} from "../../wire/index-messages.ts";

/** Tuning: pieces that are asked for at a time. */
const ASKED_MAX = 8;
/** Tuning: what does not come is asked for again after so long; so often without a piece. */
const AGAIN_MS = 1_000;
const AGAIN_TIMES = 5;
/** Tuning: it is whole by then, or given up. */
const WHOLE_MS = 60_000;
/** Tuning: of whom nothing is taken for so long. */
const DISTRUST_MS = 60_000;
const NEVER = Number.POSITIVE_INFINITY;

const BYTES_MAX: Readonly<Record<number, number>> = {
  [PIECE_OF.revocations]: LIST_BYTES_MAX,
  [PIECE_OF.definition]: DEFINITION_BYTES_MAX,
};

/** Thread: control. */
export class Pull {
  /** Sends a message of the channel; what is lost is asked for again. */
  readonly #say: (message: Uint8Array) => void;
  /** PIECE_OF; -1: nothing is fetched. */
  #what = -1;
  #whole: Assembly | null = null;
  #beganMs = 0;
  #tries = 0;
  #distrustedMs = Number.NEGATIVE_INFINITY;
  dueMs = NEVER;

  constructor(say: (message: Uint8Array) => void) {
    this.#say = say;
  }

  /** Fetches it, unless something is being fetched, or went wrong a moment ago. */
  begin(what: number, nowMs: number): void {
    if (this.#what >= 0 || nowMs < this.#distrustedMs) return;
    this.#what = what;
    this.#whole = null;
    this.#beganMs = nowMs;
    this.#tries = 0;
    this.#ask(nowMs);
  }

  #ask(nowMs: number): void {
    this.dueMs = nowMs + AGAIN_MS;
    const offsets = this.#whole?.first(ASKED_MAX) ?? [0];
    for (const offset of offsets) this.#say(encodeWantPiece({ what: this.#what, offset }));
  }

  tick(nowMs: number): void {
    if (nowMs < this.dueMs) return;
    const gaveUp = ++this.#tries > AGAIN_TIMES || nowMs - this.#beganMs > WHOLE_MS;
    if (gaveUp) this.distrust(nowMs);
    else this.#ask(nowMs);
  }

  /** It was nobody's word, or never whole. */
  distrust(nowMs: number): void {
    this.#distrustedMs = nowMs + DISTRUST_MS;
    this.end();
  }

  /** Nothing is fetched any more. */
  end(): void {
    this.#what = -1;
    this.#whole = null;
    this.dueMs = NEVER;
  }

  /** A piece came. The whole, when it was the last one; null: more are missing, or it fits none. */
  take(piece: IndexPiece, nowMs: number): Uint8Array | null {
    const { what, standing, total, offset } = piece;
    if (what !== this.#what || total > BYTES_MAX[what]!) return null;
    if (this.#whole === null || isNewer(standing, this.#whole.standing)) {
      this.#whole = new Assembly(piece);
    }
    const whole = this.#whole;
    if (!whole.isOf(piece) || !whole.put(piece)) return null;
    this.#tries = 0;
    if (whole.isWhole) {
      this.end();
      return whole.bytes;
    }
    // The first one says how long it is; then each that comes has the next one asked for.
    if (offset === 0) this.#ask(nowMs);
    else {
      this.dueMs = nowMs + AGAIN_MS;
      const next = offset + ASKED_MAX * INDEX_PIECE_BYTES;
      if (whole.lacks(next)) this.#say(encodeWantPiece({ what, offset: next }));
    }
    return null;
  }
}
