/**
 * hello — which peers are engines, and whether they know that we are one. Pure: `now` comes in.
 *
 *     us                              a peer
 *     hello, answer please ──▶        an engine: hello, heard, answer please
 *                                     a plain WireGuard: counts a packet that is none, no more
 *     hello, heard         ◀──▶       both know
 *
 * A plain WireGuard gets one hello in a process lifetime. To an engine it is said once a session,
 * and again until it has said that it heard ours. A peer that begins anew has heard nothing and
 * says so; where its hello was lost, ours in the next session tells it, and is answered.
 *
 * Times are boot-clock milliseconds. Source: security.md 11; docs/PROTOCOL.md, "Hello".
 */
import type { Hello } from "../../wire/frames.ts";

/** Tuning: hellos to one peer are at least this far apart. */
export const HELLO_EVERY_MS = 1_000;
/** Tuning: an engine that has not said that it heard ours is told again after this, so often. */
export const HELLO_AGAIN_MS = 5_000;
export const HELLO_TRIES = 5;

/** What is said of ourselves. */
export type Saying = Pick<Hello, "heard" | "answer">;

/** Hellos to and from one peer. Thread: control. */
export class Hellos {
  /** The peer's last hello; null: it is not known to be an engine. */
  heard: Hello | null = null;
  #saidMs = Number.NEGATIVE_INFINITY;
  #saidMtu = 0;
  /** It has heard ours. */
  #confirmed = false;
  /** It asked for an answer that is not given yet. */
  #owed = false;
  /** Unasked hellos in this session, or since it was heard for the first time. */
  #tries = 0;
  /** There is another session than when one was said. */
  #another = false;

  /** One was said in this process lifetime. */
  get said(): boolean {
    return this.#saidMs !== Number.NEGATIVE_INFINITY;
  }

  /** A hello of the peer. */
  take(hello: Hello): void {
    const isFirst = this.heard === null;
    if (isFirst || !hello.heard) this.#tries = 0;
    this.heard = hello;
    this.#confirmed = hello.heard;
    // What it says that it heard may be of a life of ours before this one.
    this.#owed ||= hello.answer || isFirst;
  }

  /** There is another session. */
  renew(): void {
    this.#tries = 0;
    this.#another = true;
  }

  /** Something came that engines alone send, from a peer that said no hello: it lost ours. */
  takeStrange(): void {
    this.#owed = true;
  }

  /** It does not behave like an engine any more: silence, until it says hello. */
  forget(): void {
    this.heard = null;
    this.#confirmed = false;
    this.#owed = false;
  }

  /** When there may be something to say, while there is a session. `mtu`: of our tunnel. */
  dueMs(mtu: number): number {
    if (!this.said) return Number.NEGATIVE_INFINITY;
    if (this.#owed || (this.heard !== null && (this.#another || this.#saidMtu !== mtu)))
      return this.#saidMs + HELLO_EVERY_MS;
    const waits = this.heard !== null && !this.#confirmed && this.#tries < HELLO_TRIES;
    return waits ? this.#saidMs + HELLO_AGAIN_MS : Number.POSITIVE_INFINITY;
  }

  /** What to say now, in a session; null: nothing. */
  next(nowMs: number, mtu: number): Saying | null {
    if (nowMs < this.dueMs(mtu)) return null;
    const heard = this.heard !== null;
    return { heard, answer: !this.#confirmed };
  }

  /** That was sent. */
  saying(nowMs: number, mtu: number): void {
    if (!this.#owed) this.#tries++;
    this.#owed = false;
    this.#another = false;
    this.#saidMs = nowMs;
    this.#saidMtu = mtu;
  }
}
