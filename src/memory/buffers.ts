/**
 * buffers — the free slots of one I/O thread, last in first out, so that a warm one is taken next.
 *
 * Thread: the I/O thread that owns the slots. A slot's generation counts up when it is given back,
 * so that a job that still names it can be told from one that may use it (security.md 2).
 */
import { SLOTS_PER_IO } from "./layout.ts";
import { type Arena, wordOf } from "./region.ts";

export class Slots {
  readonly #stack: Uint32Array;
  readonly #generations: Uint32Array;
  readonly #generationWord: number;
  #free: number;

  /** All slots but `held`, which jobs in flight still use, are free. */
  constructor(arena: Arena, thread: number, held: ReadonlySet<number> = new Set()) {
    this.#stack = new Uint32Array(SLOTS_PER_IO);
    this.#generations = arena.u32;
    this.#generationWord = wordOf(arena, "slotGenerations", 4, 0);
    this.#free = 0;
    for (let i = SLOTS_PER_IO - 1; i >= 0; i--) {
      const slot = thread * SLOTS_PER_IO + i;
      if (!held.has(slot)) this.#stack[this.#free++] = slot;
    }
  }

  /** Slots that can be taken. */
  get free(): number {
    return this.#free;
  }

  /** A slot, or -1 when none is free. */
  take(): number {
    if (this.#free === 0) return -1;
    return this.#stack[--this.#free]!;
  }

  /** Gives a slot back as it was: nobody was told of it. */
  putBack(slot: number): void {
    this.#stack[this.#free++] = slot;
  }

  /** Gives back a slot that a job named; its generation ends. */
  give(slot: number): void {
    const at = this.#generationWord + slot;
    this.#generations[at] = this.#generations[at]! + 1;
    this.#stack[this.#free++] = slot;
  }

  generation(slot: number): number {
    return this.#generations[this.#generationWord + slot]!;
  }
}
