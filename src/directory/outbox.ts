/**
 * outbox — what a caller is to be told, at a pace that is bearable for whoever has its address:
 * 50 datagrams a second, answers and all. Pure. Times are boot-clock milliseconds.
 *
 * Source: network.md 2: "after that <= 1,232 bytes and 50 answers a second".
 */
import { Bucket } from "../control/strangers/limiter.ts";

/** Protocol: datagrams to one address, whose ticket came back. */
const TOLD = { perSecond: 50, burst: 50 };
/** Tuning: messages that wait. */
const WAITING_MAX = 32;

export class Outbox {
  readonly #budget = new Bucket(TOLD);
  readonly #waiting: Uint8Array[] = [];

  /** May one more datagram go there now? */
  take(nowMs: number): boolean {
    return this.#budget.take(nowMs);
  }

  /** Says it when it can; false: too much waits already. Takes. */
  push(message: Uint8Array): boolean {
    if (this.#waiting.length >= WAITING_MAX) return false;
    this.#waiting.push(message);
    return true;
  }

  get waits(): boolean {
    return this.#waiting.length > 0;
  }

  /** What waits is not said. */
  clear(): void {
    this.#waiting.length = 0;
  }

  /** Sends what waits, as far as the pace allows it. How many. */
  flush(send: (message: Uint8Array) => void, nowMs: number): number {
    let sent = 0;
    for (; this.#waiting.length > 0 && this.#budget.take(nowMs); sent++) {
      send(this.#waiting.shift()!);
    }
    return sent;
  }
}
