/**
 * schedule — virtual time: what is to happen, earliest first, and first said first done.
 */

interface Entry {
  readonly atMs: number;
  readonly order: number;
  readonly act: () => void;
}

const before = (a: Entry, b: Entry): boolean =>
  a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order);

/** Most that may wait: a simulation that plans more is broken. */
const ENTRIES_MAX = 200_000;

export class Schedule {
  /** A binary heap. */
  readonly #heap: Entry[] = [];
  #order = 0;
  #nowMs = 0;

  /** Virtual time in milliseconds since the beginning. */
  get nowMs(): number {
    return this.#nowMs;
  }

  /** Errors: RangeError when too much waits. */
  at(atMs: number, act: () => void): void {
    if (this.#heap.length >= ENTRIES_MAX) throw new RangeError("too much is planned");
    const entry = { atMs: Math.max(atMs, this.#nowMs), order: this.#order++, act };
    let place = this.#heap.push(entry) - 1;
    while (place > 0) {
      const parent = (place - 1) >>> 1;
      if (!before(entry, this.#heap[parent]!)) break;
      this.#heap[place] = this.#heap[parent]!;
      place = parent;
    }
    this.#heap[place] = entry;
  }

  after(delayMs: number, act: () => void): void {
    this.at(this.#nowMs + delayMs, act);
  }

  /** Does what is next, at its time. False: nothing is due up to `untilMs`; it is then. */
  step(untilMs: number): boolean {
    const first = this.#heap[0];
    if (first === undefined || first.atMs > untilMs) {
      this.#nowMs = Math.max(this.#nowMs, untilMs);
      return false;
    }
    this.#removeFirst();
    this.#nowMs = first.atMs;
    first.act();
    return true;
  }

  #removeFirst(): void {
    const last = this.#heap.pop()!;
    const count = this.#heap.length;
    if (count === 0) return;
    let place = 0;
    for (;;) {
      let child = 2 * place + 1;
      if (child >= count) break;
      if (child + 1 < count && before(this.#heap[child + 1]!, this.#heap[child]!)) child++;
      if (!before(this.#heap[child]!, last)) break;
      this.#heap[place] = this.#heap[child]!;
      place = child;
    }
    this.#heap[place] = last;
  }
}
