/**
 * tickets — proof that a sender gets what goes to its address: 16 bytes that we sent there. Pure.
 *
 * A ticket is a MAC over the source's address and port and what it is good for, under a secret that
 * changes (two-secrets.ts); we remember nobody. It stands in clear: who brings it could read what
 * is sent to that address, and no more is asked (network.md 2: "a ticket that came back").
 *
 * Source: security.md 22 and 27. Thread: control.
 */
import { equal, type Mac } from "../../noise/mac.ts";
import { TICKET_BYTES } from "../../wire/intro.ts";
import { SOCKADDR_BYTES } from "../../wire/sockaddr.ts";
import { sourceBytes } from "./cookie.ts";
import { SECRET_AGE_MS, TwoSecrets } from "./two-secrets.ts";

/** Protocol: a ticket is used this long, and taken for so long at least. */
export const TICKET_AGE_MS = SECRET_AGE_MS;

/** What a ticket is good for: INTRO and WHO; channels, from this number on one for each network. */
export const TICKET_FOR = { intro: 9, channel: 10 } as const;

/** Of which network a ticket is: its first byte says it, so that one MAC is enough to tell. */
export const channelOf = (ticket: Uint8Array): number => (ticket[0] ?? 0) - TICKET_FOR.channel;

/** Zero bytes stand where there is none. */
export const NO_TICKET = new Uint8Array(TICKET_BYTES);

export class Tickets {
  readonly #mac: Mac;
  readonly #secrets: TwoSecrets;
  /** What it is good for, then the source. */
  readonly #bytes = new Uint8Array(1 + SOCKADDR_BYTES);

  /** `random`: that many random bytes. */
  constructor(mac: Mac, random: (bytes: number) => Uint8Array) {
    this.#mac = mac;
    this.#secrets = new TwoSecrets(random);
  }

  /** A ticket for whoever gets what is sent there. Units: 16 bytes; `to` is a sockaddr. */
  make(to: Uint8Array, purpose: number, nowMs: number): Uint8Array {
    return this.#under(this.#secrets.current(nowMs), to, purpose);
  }

  /** Was it made for this source and this purpose, a while ago at most? */
  valid(ticket: Uint8Array, from: Uint8Array, purpose: number, nowMs: number): boolean {
    if (ticket.length !== TICKET_BYTES || equal(ticket, NO_TICKET)) return false;
    return this.#secrets.some(nowMs, (secret) => equal(this.#under(secret, from, purpose), ticket));
  }

  /** Zeroes the secrets; not to be used afterwards. */
  wipe(): void {
    this.#secrets.wipe();
  }

  #under(secret: Uint8Array, source: Uint8Array, purpose: number): Uint8Array {
    this.#bytes[0] = purpose;
    const { length } = sourceBytes(source, this.#bytes.subarray(1));
    const ticket = this.#mac(secret, this.#bytes.subarray(0, 1 + length));
    if (purpose >= TICKET_FOR.channel) ticket[0] = purpose;
    return ticket;
  }
}
