/**
 * bytes — reads and writes what members and authorities sign, byte by byte, within bounds. Pure.
 *
 *   numbers  little-endian; u64 below 2^53, since no time and no sequence is larger
 *   text     u8 length, then ASCII
 *
 * A reader never throws: the first thing that is wrong is kept as a clause (`why`), and all that
 * is read after it is zero or empty. So a decoder reads to its end and asks once. A writer's
 * mistakes are ours: RangeError.
 */

/** What a decoder gives; `why` is a clause: "it ends too early". */
export type Decoded<Value> =
  | { readonly ok: true; readonly value: Value }
  | { readonly ok: false; readonly why: string };

/** A refusal. */
export const refused = (why: string): { readonly ok: false; readonly why: string } => ({
  ok: false,
  why,
});

const TWO_32 = 2 ** 32;
/** Upper word of 2^53. */
const SAFE_HIGH = 2 ** 21;
const EMPTY = new Uint8Array(0);

/** Bytes of its own: views into them outlive the caller's buffer. */
export const copyOf = (bytes: Uint8Array): Uint8Array => new Uint8Array(bytes);

/** Order as numbers; a prefix comes first. Not in constant time. */
export const compareBytes = (a: Uint8Array, b: Uint8Array): number => Buffer.compare(a, b);

/** Not in constant time: for what is public. */
export const sameBytes = (a: Uint8Array, b: Uint8Array): boolean => Buffer.compare(a, b) === 0;

/** Takes bytes apart. Borrows: what it reads; `take` gives views. Thread: any. */
export class Reader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #at = 0;
  #why: string | null = null;

  constructor(bytes: Uint8Array) {
    // A Buffer's `slice` would be a view, too.
    this.#bytes = new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length);
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  }

  /** Bytes read so far. */
  get at(): number {
    return this.#at;
  }

  /** What was wrong first; null: nothing yet. */
  get why(): string | null {
    return this.#why;
  }

  /** Refuses it; the first reason stays. */
  fail(why: string): void {
    this.#why ??= why;
  }

  /** Moves on when that many are there. */
  #step(bytes: number): number {
    const at = this.#at;
    if (this.#why !== null) return -1;
    if (at + bytes > this.#bytes.length) {
      this.fail("it ends too early");
      return -1;
    }
    this.#at = at + bytes;
    return at;
  }

  u8(): number {
    const at = this.#step(1);
    return at < 0 ? 0 : this.#view.getUint8(at);
  }

  u16(): number {
    const at = this.#step(2);
    return at < 0 ? 0 : this.#view.getUint16(at, true);
  }

  u32(): number {
    const at = this.#step(4);
    return at < 0 ? 0 : this.#view.getUint32(at, true);
  }

  u64(): number {
    const at = this.#step(8);
    if (at < 0) return 0;
    const high = this.#view.getUint32(at + 4, true);
    if (high < SAFE_HIGH) return high * TWO_32 + this.#view.getUint32(at, true);
    this.fail("a time or a sequence is too large");
    return 0;
  }

  /** A view of that many bytes; empty when they are not there. */
  take(bytes: number): Uint8Array {
    const at = this.#step(bytes);
    return at < 0 ? EMPTY : this.#bytes.subarray(at, at + bytes);
  }

  /** A count that has a bound; 0 when it is over it. */
  count(most: number, what: string): number {
    const count = this.u8();
    if (count <= most) return count;
    this.fail(`it has more than ${most} ${what}`);
    return 0;
  }

  /** A version byte: the one that is known, or it is refused. */
  version(known = 1): void {
    const version = this.u8();
    if (version !== known) this.fail(`it is of version ${version}, which is not known here`);
  }

  /** Nothing may follow. */
  end(): void {
    if (this.#at < this.#bytes.length) this.fail("something follows its end");
  }
}

/** Puts bytes together, up to a bound. Errors: RangeError. Thread: any. */
export class Writer {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #at = 0;

  constructor(most: number) {
    this.#bytes = new Uint8Array(most);
    this.#view = new DataView(this.#bytes.buffer);
  }

  #step(bytes: number): number {
    const at = this.#at;
    if (at + bytes > this.#bytes.length) {
      throw new RangeError(`more than ${this.#bytes.length} bytes`);
    }
    this.#at = at + bytes;
    return at;
  }

  static #check(value: number, bits: number): number {
    if (!Number.isInteger(value) || value < 0 || value >= 2 ** bits) {
      throw new RangeError(`${value} has no place in ${bits} bits`);
    }
    return value;
  }

  u8(value: number): this {
    const at = this.#step(1);
    this.#view.setUint8(at, Writer.#check(value, 8));
    return this;
  }

  u16(value: number): this {
    const at = this.#step(2);
    this.#view.setUint16(at, Writer.#check(value, 16), true);
    return this;
  }

  u32(value: number): this {
    const at = this.#step(4);
    this.#view.setUint32(at, Writer.#check(value, 32), true);
    return this;
  }

  u64(value: number): this {
    const at = this.#step(8);
    Writer.#check(value, 53);
    this.#view.setUint32(at, value % TWO_32, true);
    this.#view.setUint32(at + 4, Math.floor(value / TWO_32), true);
    return this;
  }

  /** Bytes as they are; `length`: how many they must be. */
  put(bytes: Uint8Array, length = bytes.length): this {
    if (bytes.length !== length) throw new RangeError(`${bytes.length} bytes, not ${length}`);
    this.#bytes.set(bytes, this.#step(length));
    return this;
  }

  /** A copy of what was written. */
  done(): Uint8Array {
    return this.#bytes.slice(0, this.#at);
  }

  /** Clears what was written, when it was secret. */
  wipe(): void {
    this.#bytes.fill(0);
  }
}
