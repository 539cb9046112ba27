/**
 * standing-queue — notices that the device's queue never empties; says when to give up a packet.
 *
 * TCP sends until something is lost. Left alone, one stream fills the device's queue with all that
 * its window holds, megabytes, and everybody else's packets wait behind them. A queue that empties
 * now and then costs nobody time; one that has not for INTERVAL_MS stands, and one packet is given
 * up, then one more after INTERVAL_MS / √2, INTERVAL_MS / √3, …, until it empties.
 *
 * It is CoDel's control law (RFC 8289, 5.5) without time stamps, which TUN packets have none of:
 * "emptied" is the only sojourn time that can be seen, and its target. Thread: I/O.
 */

/**
 * Tuning. A busy machine stops a thread for milliseconds, and a queue that stands for that long is
 * nobody's fault: 5 ms halved one stream's throughput at bad times, 15 ms did so now and then.
 */
const INTERVAL_MS = 30;

export class StandingQueue {
  readonly #f64: Float64Array;
  readonly #clock: number;
  /** Since when it has not been seen empty; 0: it was at the last look. */
  #sinceMs = 0;
  #dueMs = 0;
  #given = 0;

  /** `f64[clock]`: the turn's time, in milliseconds. */
  constructor(f64: Float64Array, clock: number) {
    this.#f64 = f64;
    this.#clock = clock;
  }

  /** Was it empty at the last look? */
  get empty(): boolean {
    return this.#sinceMs === 0;
  }

  /** It is empty. */
  emptied(): void {
    this.#sinceMs = 0;
    this.#given = 0;
  }

  /** It was not emptied in this turn. True: give up a packet. */
  stands(): boolean {
    const nowMs = this.#f64[this.#clock]!;
    if (this.#sinceMs === 0) {
      this.#sinceMs = nowMs;
      this.#dueMs = nowMs + INTERVAL_MS;
    }
    if (nowMs < this.#dueMs) return false;
    this.#given++;
    this.#dueMs = nowMs + INTERVAL_MS / Math.sqrt(this.#given);
    return true;
  }
}
