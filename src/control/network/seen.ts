/**
 * seen — names that were there lately, in bounded memory. Pure.
 *
 * Two sets: when one has as many as it may, or is old enough, it becomes the older one, and what
 * was the older one is forgotten. Whoever makes names as fast as it likes makes others forgotten;
 * a budget stands in front. Thread: control.
 */
export class Seen {
  readonly #most: number;
  readonly #ageMs: number;
  #names = new Set<string>();
  #older: ReadonlySet<string> = new Set();
  #bornMs = Number.NEGATIVE_INFINITY;

  /** A name is remembered for `ageMs` at least, unless `most` others come. */
  constructor(most: number, ageMs: number) {
    this.#most = most;
    this.#ageMs = ageMs;
  }

  /** Names that are held; twice `most` at most. */
  get size(): number {
    return this.#names.size + this.#older.size;
  }

  has(name: string, nowMs: number): boolean {
    this.#turn(nowMs);
    return this.#names.has(name) || this.#older.has(name);
  }

  add(name: string, nowMs: number): void {
    if (this.#names.size >= this.#most) this.#renew(nowMs);
    else this.#turn(nowMs);
    this.#names.add(name);
  }

  #turn(nowMs: number): void {
    if (nowMs - this.#bornMs >= 2 * this.#ageMs) this.#names = new Set();
    if (nowMs - this.#bornMs >= this.#ageMs) this.#renew(nowMs);
  }

  #renew(nowMs: number): void {
    this.#older = this.#names;
    this.#names = new Set();
    this.#bornMs = nowMs;
  }
}
