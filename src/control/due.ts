/**
 * due — who is to be looked at when: peers now, and what else has a time of its own. A heap, so
 * that whoever sleeps costs nothing, however many they are. Boot-clock milliseconds. Pure.
 */

interface Row<Who> {
  readonly who: Who;
  dueMs: number;
}

export class Due<Who> {
  /** Each row is due no later than its two children, 2i + 1 and 2i + 2. */
  readonly #heap: Row<Who>[] = [];
  readonly #places = new Map<Who, number>();

  /** Infinity: nobody is due. */
  get firstMs(): number {
    return this.#heap[0]?.dueMs ?? Number.POSITIVE_INFINITY;
  }

  /** Due then, whatever was said before; infinity: not at all. */
  set(who: Who, dueMs: number): void {
    const place = this.#places.get(who);
    if (dueMs === Number.POSITIVE_INFINITY) {
      if (place !== undefined) this.#remove(place);
    } else if (place === undefined) {
      this.#rise({ who, dueMs }, this.#heap.length);
    } else {
      const row = this.#heap[place]!;
      const earlier = dueMs < row.dueMs;
      row.dueMs = dueMs;
      if (earlier) this.#rise(row, place);
      else this.#sink(row, place);
    }
  }

  /** Due then at the latest. */
  setBy(who: Who, dueMs: number): void {
    const place = this.#places.get(who);
    if (place === undefined || dueMs < this.#heap[place]!.dueMs) this.set(who, dueMs);
  }

  /** Those who are due now, the earliest first; none of them is due any more. */
  take(nowMs: number): Who[] {
    const taken: Who[] = [];
    while (this.firstMs <= nowMs) {
      taken.push(this.#heap[0]!.who);
      this.#remove(0);
    }
    return taken;
  }

  #remove(place: number): void {
    this.#places.delete(this.#heap[place]!.who);
    const last = this.#heap.pop()!;
    if (place === this.#heap.length) return;
    const parent = this.#heap[(place - 1) >> 1];
    if (place > 0 && last.dueMs < parent!.dueMs) this.#rise(last, place);
    else this.#sink(last, place);
  }

  #put(row: Row<Who>, place: number): void {
    this.#heap[place] = row;
    this.#places.set(row.who, place);
  }

  #rise(row: Row<Who>, from: number): void {
    let place = from;
    while (place > 0) {
      const parent = this.#heap[(place - 1) >> 1]!;
      if (parent.dueMs <= row.dueMs) break;
      this.#put(parent, place);
      place = (place - 1) >> 1;
    }
    this.#put(row, place);
  }

  #sink(row: Row<Who>, from: number): void {
    let place = from;
    for (;;) {
      const [left, right] = [this.#heap[2 * place + 1], this.#heap[2 * place + 2]];
      if (left === undefined) break;
      const child = right !== undefined && right.dueMs < left.dueMs ? right : left;
      if (child.dueMs >= row.dueMs) break;
      const next = 2 * place + (child === left ? 1 : 2);
      this.#put(child, place);
      place = next;
    }
    this.#put(row, place);
  }
}
