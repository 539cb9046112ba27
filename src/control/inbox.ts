/**
 * inbox — datagrams that are no transport data, by their first byte, to the room that takes them.
 *
 *     1 2 3   5 6 7      handshake messages of both suites (handshake/)
 *
 * What nobody takes is dropped before anybody looks into it. Thread: control.
 */
import type { Counters } from "../memory/counters.ts";
import { DROP } from "../memory/layout.ts";

/** Borrows: all three; `from` and `local` are sockaddrs, `local` may be empty. */
export type TakesDatagram = (
  datagram: Uint8Array,
  from: Uint8Array,
  local: Uint8Array,
  nowMs: number,
) => void;

/** First bytes of all messages that there are, and will be. */
const TYPES = 16;

export class Inbox {
  readonly #counters: Counters;
  readonly #takers = new Array<TakesDatagram | undefined>(TYPES).fill(undefined);

  constructor(counters: Counters) {
    this.#counters = counters;
  }

  /** From now on datagrams of these types are given to `taker`. */
  give(types: readonly number[], taker: TakesDatagram): void {
    for (const type of types) this.#takers[type] = taker;
  }

  receive(datagram: Uint8Array, from: Uint8Array, local: Uint8Array, nowMs: number): void {
    const taker = this.#takers[datagram[0] ?? 0];
    if (taker === undefined) this.#counters.add(DROP.badType, 1);
    else taker(datagram, from, local, nowMs);
  }
}
