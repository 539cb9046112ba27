/**
 * assembly — a list of revocations, or a definition, that comes in pieces: what is here, and what
 * is missing. Whoever asks for pieces decides when, and of whom. Pure.
 */
import type { Standing } from "../wire/digests.ts";
import { INDEX_PIECE_BYTES, type IndexPiece } from "../wire/index-messages.ts";

export class Assembly {
  readonly standing: Standing;
  readonly bytes: Uint8Array;
  /** Offsets that did not come yet, in order. */
  readonly #missing = new Set<number>();

  /** As its first piece says; whoever makes it has a bound for `total`. */
  constructor({ standing, total }: Pick<IndexPiece, "standing" | "total">) {
    this.standing = standing;
    this.bytes = new Uint8Array(total);
    for (let at = 0; at < total; at += INDEX_PIECE_BYTES) this.#missing.add(at);
  }

  /** Is it a piece of this? */
  isOf({ standing, total }: IndexPiece): boolean {
    const { chain, sequence } = this.standing;
    const same = standing.chain === chain && standing.sequence === sequence;
    return same && total === this.bytes.length;
  }

  /** A piece of this came. False: it was here. Borrows. */
  put({ offset, bytes }: IndexPiece): boolean {
    if (!this.#missing.delete(offset)) return false;
    this.bytes.set(bytes, offset);
    return true;
  }

  lacks(offset: number): boolean {
    return this.#missing.has(offset);
  }

  /** The first that are missing. */
  first(most: number): number[] {
    return [...this.#missing].slice(0, most);
  }

  get isWhole(): boolean {
    return this.#missing.size === 0;
  }
}
