/**
 * timer — node's timers, as control's world has them: on the boot clock, and with what ends them.
 */
import { addon } from "../io/native/addon.ts";

/**
 * Tuning: a timer rings at least this often, since node's timers stand still in a suspend and the
 * boot clock does not: what became due meanwhile is done this long after it at the latest.
 */
const RINGS_MS = 10_000;

/** Calls back once, at a time of the boot clock. */
export class BootTimer {
  readonly #ring: () => void;
  #timer: NodeJS.Timeout | null = null;

  constructor(ring: () => void) {
    this.#ring = ring;
  }

  set(dueMs: number): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    if (dueMs === Number.POSITIVE_INFINITY) return;
    const delay = Math.min(RINGS_MS, Math.max(1, Math.ceil(dueMs - addon.bootMs())));
    this.#timer = setTimeout(this.#ring, delay);
  }
}

/** Calls again and again; returns what ends that. */
export const every = (ms: number, call: () => void): (() => void) => {
  const timer = setInterval(call, ms);
  return () => clearInterval(timer);
};

/** Calls once, unless the thread ends before; returns what takes that back. */
export const later = (ms: number, call: () => void): (() => void) => {
  const timer = setTimeout(call, ms).unref();
  return () => clearTimeout(timer);
};
