/**
 * cookies-held — the cookies that peers gave us, and the messages that a cookie reply may answer.
 *
 *     message ──sign──▶ out ──(under load there)──▶ cookie reply ──take──▶ that message again, once
 *
 * Thread: control.
 */
import type { Mac } from "../../noise/mac.ts";
import { COOKIE, readU32 } from "../../wire/handshake.ts";
import type { Peer } from "../peers/peer.ts";
import { PerPeer } from "../peers/per-peer.ts";
import { CookieHolder, type Sent } from "../strangers/cookie.ts";

export class CookiesHeld {
  readonly #holders: PerPeer<CookieHolder>;
  /** Peers whose cookie reply would be ours, by the sender index of the last message to each. */
  readonly #byLastIndex = new Map<number, Peer>();

  constructor(mac: Mac) {
    this.#holders = new PerPeer(({ publicKey }) => new CookieHolder(publicKey, mac));
  }

  /** Writes mac2 where there is a cookie, and waits for a cookie reply. Takes: `datagram`. */
  sign(peer: Peer, datagram: Uint8Array, to: Uint8Array, local: Uint8Array, nowMs: number): void {
    this.settle(peer);
    const { index } = this.#holders.of(peer).sign(datagram, to, local, nowMs);
    this.#byLastIndex.set(index, peer);
  }

  /** A cookie reply came: the message that it answers, with mac2 now; null: none of ours. */
  take(reply: Uint8Array, nowMs: number): { readonly peer: Peer; readonly sent: Sent } | null {
    const peer = this.#byLastIndex.get(readU32(reply, COOKIE.fields.receiverIndex));
    if (peer === undefined) return null;
    const holder = this.#holders.of(peer);
    const { sent } = holder;
    return sent !== null && holder.take(reply, nowMs) ? { peer, sent } : null;
  }

  /** The last message to a peer, as it went, while an answer may come. */
  last(peer: Peer): Sent | null {
    return this.#holders.of(peer).sent;
  }

  /** No cookie reply is waited for any more. */
  settle(peer: Peer): void {
    const holder = this.#holders.of(peer);
    const index = holder.sent?.index;
    if (index !== undefined && this.#byLastIndex.get(index) === peer) {
      this.#byLastIndex.delete(index);
    }
    holder.settle();
  }
}
