/**
 * slot-table — finds the slot of a key among thousands: open addressing, linear probing, at most
 * three quarters full. Pure.
 *
 * The keys are elsewhere: whoever makes a table says whether a slot has a key, and whoever asks
 * brings
 * a hash of 32 bits. Places follow the order of hashes, so that keys whose hashes lie between two
 * bounds are found in one run of places (`between`).
 */

const LEAST = 16;
const TWO_32 = 2 ** 32;

export class SlotTable<Key> {
  /** Is this the key of a slot? */
  readonly #is: (slot: number, key: Key) => boolean;
  /** Two words a place: hash, and slot + 1 or 0 for nothing. */
  #words = new Uint32Array(2 * LEAST);
  #places = LEAST;
  #count = 0;

  constructor(is: (slot: number, key: Key) => boolean) {
    this.#is = is;
  }

  /** The slot of a key; -1: none. */
  find(hash: number, key: Key): number {
    const words = this.#words;
    let place = Math.floor((hash / TWO_32) * this.#places);
    for (;;) {
      const found = words[2 * place + 1]!;
      if (found === 0) return -1;
      if (words[2 * place] === hash && this.#is(found - 1, key)) return found - 1;
      place = place + 1 === this.#places ? 0 : place + 1;
    }
  }

  /** The slot must not be there with that hash yet. */
  add(hash: number, slot: number): void {
    if (4 * (this.#count + 1) > 3 * this.#places) this.#grow();
    this.#count++;
    this.#put(hash, slot + 1);
  }

  #put(hash: number, found: number): void {
    let place = Math.floor((hash / TWO_32) * this.#places);
    while (this.#words[2 * place + 1] !== 0) place = place + 1 === this.#places ? 0 : place + 1;
    this.#words[2 * place] = hash;
    this.#words[2 * place + 1] = found;
  }

  #grow(): void {
    const before = this.#words;
    this.#places = Math.ceil(this.#places * 1.6);
    this.#words = new Uint32Array(2 * this.#places);
    for (let at = 0; at < before.length; at += 2) {
      if (before[at + 1] !== 0) this.#put(before[at]!, before[at + 1]!);
    }
  }

  /** Nothing happens when it is not there. */
  remove(hash: number, slot: number): void {
    const words = this.#words;
    const next = (place: number): number => (place + 1 === this.#places ? 0 : place + 1);
    let hole = Math.floor((hash / TWO_32) * this.#places);
    while (words[2 * hole] !== hash || words[2 * hole + 1] !== slot + 1) {
      if (words[2 * hole + 1] === 0) return;
      hole = next(hole);
    }
    this.#count--;
    words[2 * hole + 1] = 0;
    // Those behind it that would not be found any more move up.
    for (let place = next(hole); words[2 * place + 1] !== 0; place = next(place)) {
      const [moved, found] = [words[2 * place]!, words[2 * place + 1]!];
      words[2 * place + 1] = 0;
      this.#put(moved, found);
    }
  }

  /** Slots whose hashes are `from` to `to`, both included. */
  between(from: number, to: number): number[] {
    const start = Math.floor((from / TWO_32) * this.#places);
    const end = Math.floor((to / TWO_32) * this.#places);
    const found: number[] = [];
    for (let left = this.#places, place = start; left > 0; left--) {
      const slot = this.#words[2 * place + 1]! - 1;
      const hash = this.#words[2 * place]!;
      if (slot >= 0 && hash >= from && hash <= to) found.push(slot);
      if (slot < 0 && (place >= end || place < start)) break;
      place = place + 1 === this.#places ? 0 : place + 1;
    }
    return found;
  }
}
