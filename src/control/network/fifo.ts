/**
 * fifo — what waits in order: the first goes, and the room of those that went is given back while
 * others wait still. Pure.
 */

/** Tuning: places of those that went that are kept, at least. */
const GONE_MAX = 256;

export class Fifo<Value> {
  readonly #values: (Value | undefined)[] = [];
  /** Those before it went. */
  #at = 0;

  /** How many wait. */
  get length(): number {
    return this.#values.length - this.#at;
  }

  /** Places that are held, of those that went too. */
  get places(): number {
    return this.#values.length;
  }

  /** The one that goes next; undefined: none waits. */
  get first(): Value | undefined {
    return this.#values[this.#at];
  }

  push(value: Value): void {
    this.#values.push(value);
  }

  /** Takes the first out; undefined: none waits. */
  shift(): Value | undefined {
    const { first } = this;
    if (this.length === 0) return undefined;
    this.#values[this.#at++] = undefined;
    if (this.#at > Math.max(GONE_MAX, this.length) || this.length === 0) {
      this.#values.splice(0, this.#at);
      this.#at = 0;
    }
    return first;
  }
}
