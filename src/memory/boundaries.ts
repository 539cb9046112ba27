/**
 * boundaries — prefixes, sorted and flattened: from a boundary up to the next one, one next hop.
 *
 *      prefixes    10.0.0.0/8 -> A, 10.1.0.0/16 -> B
 *      boundaries  0 -> none | 10.0.0.0 -> A | 10.1.0.0 -> B | 10.2.0.0 -> A | 11.0.0.0 -> none
 *
 * Addresses are words in host order, one for IPv4 and four for IPv6; nothing here makes an object
 * per prefix. Thread: control.
 */
import type { Cidr } from "../wire/cidr.ts";

/** Boundaries of one family, in rising order; the first one is at address 0. */
export interface Boundaries {
  /** Words of an address: 1 or 4. */
  readonly width: number;
  readonly count: number;
  /** Addresses, one after the other. */
  readonly words: Uint32Array;
  /** Next hop + 1 from each boundary on; 0: none. */
  readonly hops: Uint32Array;
}

/** Prefixes that can be told apart while they are sorted, and boundaries of a table. */
export const BOUNDARIES_MAX = 1 << 20;

const FIRST_CAPACITY = 16;
/** Fewer than this are sorted by insertion. Tuning. */
const FEW = 24;

/** The leading `length` bits of a word; `length` may be below 0 and above 32. */
const leading = (length: number): number =>
  length <= 0 ? 0 : length >= 32 ? 0xffff_ffff : (-1 << (32 - length)) >>> 0;

/** Prefixes of one family as records of words: address, prefix length, hop. */
export class Prefixes {
  readonly words: number;
  /** Words of a record. */
  readonly size: number;
  #data: Uint32Array;
  #count = 0;

  constructor(words: number) {
    this.words = words;
    this.size = words + 2;
    this.#data = new Uint32Array(FIRST_CAPACITY * this.size);
  }

  get count(): number {
    return this.#count;
  }

  /** Borrows: until the next `add`. */
  get data(): Uint32Array {
    return this.#data;
  }

  /** Host bits of the prefix do not count. */
  add(cidr: Cidr, hop: number): void {
    const at = this.#count * this.size;
    if (at === this.#data.length) {
      const larger = new Uint32Array(2 * at);
      larger.set(this.#data);
      this.#data = larger;
    }
    const { bytes, prefixLength } = cidr;
    for (let i = 0; i < this.words; i++) {
      const byte = 4 * i;
      const word =
        (bytes[byte]! << 24) |
        (bytes[byte + 1]! << 16) |
        (bytes[byte + 2]! << 8) |
        bytes[byte + 3]!;
      this.#data[at + i] = word & leading(prefixLength - 32 * i);
    }
    this.#data[at + this.words] = prefixLength;
    this.#data[at + this.words + 1] = hop;
    this.#count++;
  }
}

/** Sorts by address, then by prefix length, then in the order of adding. */
class Sorter {
  readonly #prefixes: Prefixes;
  readonly order: Uint32Array;
  /** Word and record in one number, which the engine's own sort takes fastest. */
  readonly #numbers: Float64Array;

  constructor(prefixes: Prefixes) {
    this.#prefixes = prefixes;
    this.order = Uint32Array.from({ length: prefixes.count }, (_, i) => i);
    this.#numbers = new Float64Array(prefixes.count);
  }

  /** Sorts a part whose records agree in all columns before `column`. */
  sort(from: number, to: number, column: number): void {
    if (to - from <= FEW) {
      this.#insert(from, to, column);
      return;
    }
    const { data, size, words } = this.#prefixes;
    const numbers = this.#numbers;
    for (let i = from; i < to; i++) {
      const record = this.order[i]!;
      numbers[i] = data[record * size + column]! * BOUNDARIES_MAX + record;
    }
    numbers.subarray(from, to).sort();
    for (let i = from; i < to; i++) {
      this.order[i] = numbers[i]! - Math.floor(numbers[i]! / BOUNDARIES_MAX) * BOUNDARIES_MAX;
    }
    if (column === words) return; // the prefix length was the last one
    for (let start = from, i = from + 1; i <= to; i++) {
      if (i < to && this.#word(i, column) === this.#word(start, column)) continue;
      if (i - start > 1) this.sort(start, i, column + 1);
      start = i;
    }
  }

  #word(place: number, column: number): number {
    return this.#prefixes.data[this.order[place]! * this.#prefixes.size + column]!;
  }

  #insert(from: number, to: number, column: number): void {
    const { order } = this;
    for (let i = from + 1; i < to; i++) {
      const record = order[i]!;
      let place = i;
      for (; place > from && this.#before(record, order[place - 1]!, column); place--) {
        order[place] = order[place - 1]!;
      }
      order[place] = record;
    }
  }

  #before(a: number, b: number, column: number): boolean {
    const { data, size, words } = this.#prefixes;
    for (let i = column; i <= words; i++) {
      const left = data[a * size + i]!;
      const right = data[b * size + i]!;
      if (left !== right) return left < right;
    }
    return a < b;
  }
}

/** Collects boundaries in rising order. */
class Writer implements Boundaries {
  readonly width: number;
  readonly words: Uint32Array;
  readonly hops: Uint32Array;
  count = 0;

  /** `most`: boundaries at most. */
  constructor(width: number, most: number) {
    this.width = width;
    this.words = new Uint32Array(width * most);
    this.hops = new Uint32Array(most);
  }

  /** From the address at `words[at]` on: `value`. The last one for an address counts. */
  emit(words: Uint32Array, at: number, value: number): void {
    if (this.count > 0 && this.#isLast(words, at)) this.count--;
    if (this.count > 0 && this.hops[this.count - 1] === value) return;
    const own = this.count * this.width;
    for (let i = 0; i < this.width; i++) this.words[own + i] = words[at + i]!;
    this.hops[this.count] = value;
    this.count++;
  }

  #isLast(words: Uint32Array, at: number): boolean {
    const own = (this.count - 1) * this.width;
    for (let i = this.width - 1; i >= 0; i--) {
      if (this.words[own + i] !== words[at + i]) return false;
    }
    return true;
  }
}

/** Prefixes that hold the address at hand, one in the other; never two of one length. */
class Nest {
  readonly #words: number;
  readonly #writer: Writer;
  readonly #lengths: Uint8Array;
  readonly #values: Uint32Array;
  /** First address behind each; none behind those that reach to the top. */
  readonly #ends: Uint32Array;
  readonly #endless: Uint8Array;
  #depth = 0;

  constructor(words: number, writer: Writer) {
    const most = 32 * words + 1;
    this.#words = words;
    this.#writer = writer;
    this.#lengths = new Uint8Array(most);
    this.#values = new Uint32Array(most);
    this.#ends = new Uint32Array(most * words);
    this.#endless = new Uint8Array(most);
  }

  /** The prefix at `data[at]` begins. */
  open(data: Uint32Array, at: number): void {
    const length = data[at + this.#words]!;
    const value = data[at + this.#words + 1]! + 1;
    while (this.#depth > 0 && this.#endsBefore(data, at)) this.#close();
    // The same prefix once more: the last one counts.
    const again = this.#depth > 0 && this.#lengths[this.#depth - 1] === length;
    if (!again) this.#push(data, at, length);
    this.#values[this.#depth - 1] = value;
    this.#writer.emit(data, at, value);
  }

  closeAll(): void {
    while (this.#depth > 0) this.#close();
  }

  #push(data: Uint32Array, at: number, length: number): void {
    const end = this.#depth * this.#words;
    for (let i = 0; i < this.#words; i++) this.#ends[end + i] = data[at + i]!;
    let step = length === 0 ? 0 : 2 ** ((32 - (length & 31)) & 31);
    for (let i = (length - 1) >> 5; i >= 0 && step > 0; i--) {
      const sum = this.#ends[end + i]! + step;
      this.#ends[end + i] = sum;
      step = sum > 0xffff_ffff ? 1 : 0;
    }
    this.#endless[this.#depth] = length === 0 || step > 0 ? 1 : 0;
    this.#lengths[this.#depth] = length;
    this.#depth++;
  }

  #close(): void {
    this.#depth--;
    if (this.#endless[this.#depth] === 1) return;
    const outer = this.#depth > 0 ? this.#values[this.#depth - 1]! : 0;
    this.#writer.emit(this.#ends, this.#depth * this.#words, outer);
  }

  #endsBefore(data: Uint32Array, at: number): boolean {
    if (this.#endless[this.#depth - 1] === 1) return false;
    const end = (this.#depth - 1) * this.#words;
    for (let i = 0; i < this.#words; i++) {
      const difference = this.#ends[end + i]! - data[at + i]!;
      if (difference !== 0) return difference < 0;
    }
    return true;
  }
}

/** Flattens the prefixes: at most two boundaries a prefix and one. */
export const flatten = (prefixes: Prefixes): Boundaries => {
  const sorter = new Sorter(prefixes);
  sorter.sort(0, prefixes.count, 0);
  const writer = new Writer(prefixes.words, 2 * prefixes.count + 2);
  const nest = new Nest(prefixes.words, writer);
  writer.emit(new Uint32Array(prefixes.words), 0, 0);
  for (const record of sorter.order) nest.open(prefixes.data, record * prefixes.size);
  nest.closeAll();
  return writer;
};
