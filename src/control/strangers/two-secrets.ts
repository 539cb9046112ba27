/**
 * two-secrets — a secret that changes, and the one before it: what was made with either is known
 * again, and nobody to whom it was given is remembered. Pure.
 *
 * A secret makes for AGE_MS and checks for as long again: what was made in its last moment is good
 * for as long as anything else. Source: WireGuard paper, section 5.4.7.
 */
import { zero } from "../../noise/mac.ts";

/** Protocol: what was made is good this long at least. Paper 5.4.7. */
export const SECRET_AGE_MS = 120_000;

const SECRET_BYTES = 32;

/** Thread: control. */
export class TwoSecrets {
  readonly #random: (bytes: number) => Uint8Array;
  #secret: Uint8Array;
  /** The one before, for what was made just before the change; null: none. */
  #before: { readonly previous: Uint8Array | null; readonly untilMs: number } = {
    previous: null,
    untilMs: 0,
  };
  #bornMs = Number.NEGATIVE_INFINITY;

  /** `random`: that many random bytes. */
  constructor(random: (bytes: number) => Uint8Array) {
    this.#random = random;
    this.#secret = random(SECRET_BYTES);
  }

  /** The one that makes now. Borrows: it may be zeroed at the next call. */
  current(nowMs: number): Uint8Array {
    this.#rotate(nowMs);
    return this.#secret;
  }

  /** Does `check` hold with a secret that counts now? */
  some(nowMs: number, check: (secret: Uint8Array) => boolean): boolean {
    this.#rotate(nowMs);
    if (check(this.#secret)) return true;
    const { previous, untilMs } = this.#before;
    return previous !== null && nowMs < untilMs && check(previous);
  }

  /** Zeroes both; not to be used afterwards. */
  wipe(): void {
    zero(this.#secret);
    if (this.#before.previous !== null) zero(this.#before.previous);
  }

  #rotate(nowMs: number): void {
    if (nowMs - this.#bornMs < SECRET_AGE_MS) return;
    if (this.#before.previous !== null) zero(this.#before.previous);
    this.#before = { previous: this.#secret, untilMs: this.#bornMs + 2 * SECRET_AGE_MS };
    this.#secret = this.#random(SECRET_BYTES);
    this.#bornMs = nowMs;
  }
}
