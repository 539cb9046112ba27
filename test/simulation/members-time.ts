/**
 * members-time — virtual time for thousands of nodes: what is to happen, by millisecond; what is
 * said first for one happens first.
 */

import type { Timer } from "../../src/directory/store.ts";

type Act = () => void;

export class Time {
  #nowMs = 0;
  readonly #acts = new Map<number, Act[]>();
  /** Milliseconds at which something happens, each once: a binary heap. */
  readonly #heap: number[] = [];
  /** A promise may have come to its end at this moment. */
  #owes = false;

  /** For who makes promises. */
  readonly timer: Timer = {
    bootMs: () => this.#nowMs + 1,
    after: (delayMs, act) => {
      let isOff = false;
      this.after(delayMs, () => {
        if (isOff) return;
        this.#owes = true;
        act();
      });
      return () => {
        isOff = true;
      };
    },
  };

  get nowMs(): number {
    return this.#nowMs;
  }

  /** When something happens next; Infinity: nothing will. */
  get nextMs(): number {
    return this.#heap[0] ?? Number.POSITIVE_INFINITY;
  }

  at(atMs: number, act: Act): void {
    const ms = Math.max(this.#nowMs, Math.ceil(atMs));
    const acts = this.#acts.get(ms);
    if (acts !== undefined) acts.push(act);
    else {
      this.#acts.set(ms, [act]);
      this.#push(ms);
    }
  }

  after(delayMs: number, act: Act): void {
    this.at(this.#nowMs + delayMs, act);
  }

  /** Goes on until then, or until `done` says so, which is asked `eachMs`. */
  run(untilMs: number, done?: () => boolean, eachMs?: number): void {
    const steps = this.#steps(untilMs, done, eachMs);
    while (steps.next().done !== true);
  }

  /** The same; what follows from a promise of `timer` follows at once, before anything else. */
  async pass(untilMs: number, done?: () => boolean, eachMs?: number): Promise<void> {
    for (const _ of this.#steps(untilMs, done, eachMs)) {
      if (!this.#owes) continue;
      this.#owes = false;
      await new Promise(setImmediate);
    }
  }

  /** One for each moment at which something happened. */
  *#steps(untilMs: number, done = (): boolean => false, eachMs = 50): Generator<undefined, void> {
    let askMs = this.#nowMs;
    while (this.#heap.length > 0 && this.#heap[0]! <= untilMs) {
      const ms = this.#heap[0]!;
      if (ms >= askMs) {
        if (done()) return;
        askMs = ms + eachMs;
      }
      this.#nowMs = ms;
      const acts = this.#acts.get(ms)!;
      // Some say more for the same moment.
      for (let i = 0; i < acts.length; i++) acts[i]!();
      this.#acts.delete(ms);
      this.#pop();
      yield;
    }
    this.#nowMs = Math.max(this.#nowMs, untilMs);
  }

  #push(ms: number): void {
    const heap = this.#heap;
    let place = heap.push(ms) - 1;
    while (place > 0) {
      const parent = (place - 1) >> 1;
      if (heap[parent]! <= ms) break;
      heap[place] = heap[parent]!;
      place = parent;
    }
    heap[place] = ms;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop()!;
    if (heap.length === 0) return;
    let place = 0;
    for (;;) {
      let child = 2 * place + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && heap[child + 1]! < heap[child]!) child++;
      if (heap[child]! >= last) break;
      heap[place] = heap[child]!;
      place = child;
    }
    heap[place] = last;
  }
}
