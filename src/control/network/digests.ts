/**
 * digests — what all records that are held come to, so that two members see at once whether they
 * hold the same, and where not. Pure.
 *
 *     bucket (first 6 bits of the id) = XOR of the marks of its records      root = hash of all
 *
 * A mark is a hash of id and sequence. Whoever chose its own sequences well could hide its own
 * records behind each other, and nobody else's.
 */
import { hashOf } from "../../members/sign.ts";
import { BUCKET_BYTES, BUCKETS, ROOT_HASH_BYTES } from "../../wire/digests.ts";
import type { Statement } from "./statement.ts";

/** Ids of one bucket. */
const SPAN = 2 ** 53 / BUCKETS;

const bucketOf = (id: number): number => Math.floor(id / SPAN);

/** Ids of a bucket, first and last. */
export const bucketSpan = (bucket: number): readonly [first: number, last: number] => [
  bucket * SPAN,
  (bucket + 1) * SPAN - 1,
];

export class Digests {
  /** Low and high word of each. */
  readonly #words = new Uint32Array(2 * BUCKETS);
  #root: Uint8Array | null = null;
  #count = 0;

  /** Records that are in. */
  get count(): number {
    return this.#count;
  }

  add(statement: Statement): void {
    this.#toggle(statement);
    this.#count++;
  }

  remove(statement: Statement): void {
    this.#toggle(statement);
    this.#count--;
  }

  #toggle({ id, markLow, markHigh }: Statement): void {
    const at = 2 * bucketOf(id);
    this.#words[at]! ^= markLow;
    this.#words[at + 1]! ^= markHigh;
    this.#root = null;
  }

  /** BUCKETS of BUCKET_BYTES. */
  bytes(): Uint8Array {
    const bytes = new Uint8Array(BUCKETS * BUCKET_BYTES);
    const view = new DataView(bytes.buffer);
    for (const [i, word] of this.#words.entries()) view.setUint32(4 * i, word, true);
    return bytes;
  }

  /** Borrows: until the next change. */
  root(): Uint8Array {
    this.#root ??= hashOf(ROOT_HASH_BYTES, this.bytes());
    return this.#root;
  }

  /** Buckets that are others at the other end, ascending. */
  differing(theirs: Uint8Array): number[] {
    const view = new DataView(theirs.buffer, theirs.byteOffset);
    const found: number[] = [];
    for (let i = 0; i < BUCKETS; i++) {
      const low = view.getUint32(i * BUCKET_BYTES, true) === this.#words[2 * i];
      const high = view.getUint32(i * BUCKET_BYTES + 4, true) === this.#words[2 * i + 1];
      if (!low || !high) found.push(i);
    }
    return found;
  }
}
