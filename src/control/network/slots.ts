/**
 * slots — finds the slot of a key among thousands, in eight bytes each: open addressing, linear
 * probing, at most three quarters full. Pure.
 *
 * The keys are elsewhere: whoever asks brings a hash and says whether a slot is the one. Places
 * follow the order of hashes, so that keys whose hashes lie between two bounds are found in one run
 * of places (`between`).
 */

const LEAST = 16;
const TWO_32 = 2 ** 32;

export class SlotTable {
  /** Hash of the key at a slot, 32 bits: to move it when the table grows or another goes. */
  readonly #hashAt: (slot: number) => number;
  /** Slot + 1; 0: nothing. */
  #places = new Uint32Array(LEAST);
  #count = 0;

  constructor(hashAt: (slot: number) => number) {
    this.#hashAt = hashAt;
  }

  #home(hash: number): number {
    return Math.floor((hash / TWO_32) * this.#places.length);
  }

  #next(place: number): number {
    return place + 1 === this.#places.length ? 0 : place + 1;
  }

  /** The slot that `is` says yes to; -1: none. Units: `hash` of 32 bits. */
  find(hash: number, is: (slot: number) => boolean): number {
    for (let place = this.#home(hash); ; place = this.#next(place)) {
      const found = this.#places[place]! - 1;
      if (found < 0 || is(found)) return found;
    }
  }

  /** The key of the slot must not be there yet. */
  add(slot: number): void {
    if (4 * (this.#count + 1) > 3 * this.#places.length) this.#grow();
    this.#count++;
    this.#put(slot);
  }

  #put(slot: number): void {
    let place = this.#home(this.#hashAt(slot));
    while (this.#places[place] !== 0) place = this.#next(place);
    this.#places[place] = slot + 1;
  }

  #grow(): void {
    const before = this.#places;
    this.#places = new Uint32Array(Math.ceil(before.length * 1.5));
    for (const one of before) if (one !== 0) this.#put(one - 1);
  }

  /** What it is hashed by must still be what it was when it was added. */
  remove(slot: number): void {
    let hole = this.#home(this.#hashAt(slot));
    while (this.#places[hole] !== slot + 1) {
      if (this.#places[hole] === 0) return;
      hole = this.#next(hole);
    }
    this.#count--;
    this.#places[hole] = 0;
    // Those behind it that would not be found any more move up.
    for (let place = this.#next(hole); this.#places[place] !== 0; place = this.#next(place)) {
      const moved = this.#places[place]! - 1;
      this.#places[place] = 0;
      this.#put(moved);
    }
  }

  /** Slots whose hashes are `from` to `to`, both included; others may be among them. */
  *between(from: number, to: number): Generator<number, void, undefined> {
    const [start, end] = [this.#home(from), this.#home(to)];
    let left = this.#places.length;
    for (let place = start; left-- > 0; place = this.#next(place)) {
      const found = this.#places[place]! - 1;
      if (found >= 0) yield found;
      else if (place >= end || place < start) return;
    }
  }
}
