/**
 * held-tickets — tickets that others gave us, by the address that gave them. Pure.
 *
 * A ticket is bound to our address as the other end sees it, and dies when that end restarts: then
 * it says nothing more than that there is none, and a CHALLENGE brings another. Thread: control.
 */
import { SOCKADDR_BYTES } from "../../wire/sockaddr.ts";
import { sourceBytes } from "../strangers/cookie.ts";
import { TICKET_AGE_MS } from "../strangers/tickets.ts";

/** Tuning: as many as have addresses that are called in two minutes. */
const HELD_MOST = 4_096;

const scratch = new Uint8Array(SOCKADDR_BYTES);

/** An address, its port and its scope, as a key of maps. */
export const addressKey = (sockaddr: Uint8Array): string =>
  Buffer.from(sourceBytes(sockaddr, scratch)).toString("hex");

/** What an address gave us. */
export interface HeldTicket {
  readonly ticket: Uint8Array;
  /** Lowest byte of the epoch whose secret the other end has. */
  readonly low: number;
  readonly takenMs: number;
}

export class HeldTickets {
  readonly #held = new Map<string, HeldTicket>();

  get size(): number {
    return this.#held.size;
  }

  /** Borrows: both. */
  put(from: Uint8Array, ticket: Uint8Array, low: number, nowMs: number): void {
    const key = addressKey(from);
    this.#held.delete(key);
    if (this.#held.size >= HELD_MOST) this.#held.delete(this.#held.keys().next().value!);
    this.#held.set(key, { ticket: ticket.slice(), low, takenMs: nowMs });
  }

  /** The one that an address gave us, while it is of use. */
  of(to: Uint8Array, nowMs: number): HeldTicket | undefined {
    const held = this.#held.get(addressKey(to));
    return held === undefined || nowMs - held.takenMs >= TICKET_AGE_MS ? undefined : held;
  }
}
