/**
 * directory-time — virtual time for dht-rpc, which has no clock passed in: the process's timers,
 * clock and randomness are replaced before it is loaded. For a process of its own.
 */
import sodium from "sodium-native";
import type { Timer } from "../../src/directory/store.ts";
import { BORN_S } from "./members-fleet.ts";
import { Time } from "./members-time.ts";
import { Random } from "./random.ts";

/** Longest wait for a promise, in virtual milliseconds: something hangs. */
const WAIT_MS = 3_600_000;

interface Handle {
  isOff: boolean;
  unref(): Handle;
  ref(): Handle;
  hasRef(): boolean;
}

export class VirtualTime {
  readonly #time = new Time();
  readonly #settle: () => Promise<void>;
  readonly timer: Timer;

  constructor(settle: () => Promise<void>) {
    this.#settle = settle;
    this.timer = {
      bootMs: () => this.#time.nowMs,
      after: (delayMs, act) => {
        const handle = this.later(delayMs, act, null);
        return () => {
          handle.isOff = true;
        };
      },
    };
  }

  get nowMs(): number {
    return this.#time.nowMs;
  }

  /** The same time, for what needs no promises. */
  get plain(): Time {
    return this.#time;
  }

  /** `everyMs`: again and again. */
  later(delayMs: number, act: () => void, everyMs: number | null): Handle {
    const handle: Handle = {
      isOff: false,
      unref: () => handle,
      ref: () => handle,
      hasRef: () => true,
    };
    const due = (): void => {
      if (handle.isOff) return;
      act();
      if (everyMs !== null) this.#time.after(Math.max(1, everyMs), due);
    };
    this.#time.after(Math.max(0, delayMs), due);
    return handle;
  }

  async #next(): Promise<void> {
    this.#time.run(this.#time.nextMs);
    await this.#settle();
  }

  /** Goes on for so long. */
  async run(ms: number): Promise<void> {
    const endMs = this.nowMs + ms;
    await this.#settle();
    while (this.#time.nextMs <= endMs) await this.#next();
    this.#time.run(endMs);
  }

  /** Goes on until it is kept. Errors: it takes an hour. */
  async until<Value>(promise: Promise<Value>): Promise<Value> {
    const endMs = this.nowMs + WAIT_MS;
    let isKept = false;
    const kept = promise.finally(() => {
      isKept = true;
    });
    await this.#settle();
    while (!isKept && this.#time.nextMs <= endMs) await this.#next();
    if (!isKept) throw new Error("nobody kept a promise for an hour");
    return kept;
  }
}

/** Replaces what the process has of time and chance; there is no way back. */
export const replaceTime = (seed: number): VirtualTime => {
  const immediate = setImmediate;
  const time = new VirtualTime(() => new Promise((resolve) => void immediate(resolve)));
  const random = new Random(seed, 99);
  const start =
    (isEvery: boolean) =>
    (act: (...args: unknown[]) => void, ms = 0, ...args: unknown[]): Handle =>
      time.later(ms, () => act(...args), isEvery ? ms : null);
  const stop = (handle: Handle | null | undefined): void => {
    if (handle) handle.isOff = true;
  };
  const globals = {
    setTimeout: start(false),
    setInterval: start(true),
    clearTimeout: stop,
    clearInterval: stop,
  };
  Object.assign(globalThis, globals);
  Date.now = () => BORN_S * 1_000 + time.nowMs;
  Math.random = random.fraction;
  sodium.randombytes_buf = (out) => out.set(random.bytes(out.length));
  return time;
};
