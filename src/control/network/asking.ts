/**
 * asking — addresses that are asked who is there, until they answer. Pure.
 *
 *     0 · 0.25 · 0.5 · 1 · 2 · 4 s · then each 15 s, a tenth earlier or later
 *                       four times, while we have a session with a member: then each 5 minutes
 *
 * A HERE counts when it comes from an address that is asked, with the bytes of a WHO that went
 * there. Thread: control.
 */
import { addressKey } from "./held-tickets.ts";

/** Tuning: addresses at once; people name a few, the link shows others. */
export const ASKED_MOST = 256;
/** Tuning: ms between one WHO and the next; the last holds from there on. */
const PAUSES_MS = [250, 500, 1_000, 2_000, 4_000, 15_000] as const;
/** Tuning: while others may be asked inside sessions; so that two halves of a network meet. */
const CALM_MS = 300_000;
/** Tuning: WHOs of the long pause that come before: one that starts with us is met. */
const CALM_AFTER = 4;
/** Tuning: so that those who began together do not ask together for ever. */
const JITTER = 0.1;
/** Tuning: an answer to one of the last WHOs counts. */
const NONCES_MOST = 4;
/** Tuning: one that is asked once is waited for so long. */
const ONCE_MS = 10_000;

/** An address that is asked. */
export interface Asked {
  readonly to: Uint8Array;
  /** WHOs that went there. */
  attempts: number;
  /** It is asked once and no more, with the secret of this epoch's lowest byte; null: it is not. */
  readonly once: number | null;
}

interface Entry extends Asked {
  readonly key: string;
  dueMs: number;
  /** Hex of the bytes that its answer repeats; the newest last. */
  readonly nonces: string[];
}

export class Asking {
  readonly #random: () => number;
  readonly #entries = new Map<string, Entry>();

  /** `random`: 0 up to 1. */
  constructor(random: () => number) {
    this.#random = random;
  }

  get size(): number {
    return this.#entries.size;
  }

  /** When the next is due. */
  get dueMs(): number {
    let dueMs = Number.POSITIVE_INFINITY;
    for (const entry of this.#entries.values()) dueMs = Math.min(dueMs, entry.dueMs);
    return dueMs;
  }

  /**
   * Begins to ask; what is asked already goes on, and soon. False: too many are asked.
   * Borrows: `to`.
   */
  begin(to: Uint8Array, once: number | null, nowMs: number): boolean {
    const key = addressKey(to);
    const known = this.#entries.get(key);
    if (known !== undefined && (once !== null || known.once === null)) {
      if (once === null) known.dueMs = Math.min(known.dueMs, nowMs + PAUSES_MS.at(-1)!);
      return true;
    }
    if (known === undefined && this.#entries.size >= ASKED_MOST) return false;
    const nonces = known?.nonces ?? [];
    this.#entries.set(key, { key, to: to.slice(), attempts: 0, once, dueMs: nowMs, nonces });
    return true;
  }

  end(to: Uint8Array): void {
    this.#entries.delete(addressKey(to));
  }

  /** Those to which a WHO goes now. */
  due(nowMs: number): readonly Asked[] {
    const due = [...this.#entries.values()].filter(({ dueMs }) => dueMs <= nowMs);
    for (const { key } of due.filter(({ once, attempts }) => once !== null && attempts > 0)) {
      this.#entries.delete(key);
    }
    return due.filter(({ key }) => this.#entries.has(key));
  }

  /** A WHO with these bytes went there. `alone`: we have no session with a member. */
  sent({ to }: Asked, nonce: Uint8Array, alone: boolean, nowMs: number): void {
    const entry = this.#entries.get(addressKey(to));
    if (entry === undefined) return;
    const last = PAUSES_MS.length - 1;
    const isCalm = entry.attempts >= last + CALM_AFTER && !alone;
    const pauseMs = isCalm ? CALM_MS : PAUSES_MS[Math.min(entry.attempts, last)]!;
    const spread = 1 + JITTER * (2 * this.#random() - 1);
    entry.dueMs = nowMs + (entry.once !== null ? ONCE_MS : pauseMs * spread);
    entry.attempts++;
    entry.nonces.push(Buffer.from(nonce).toString("hex"));
    if (entry.nonces.length > NONCES_MOST) entry.nonces.shift();
  }

  /** Did a WHO with these bytes go to that address lately? */
  expects(from: Uint8Array, nonce: Uint8Array): boolean {
    const entry = this.#entries.get(addressKey(from));
    return entry?.nonces.includes(Buffer.from(nonce).toString("hex")) ?? false;
  }
}
