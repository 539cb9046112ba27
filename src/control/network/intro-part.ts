/**
 * intro-part — what the network asks of the part that speaks with strangers (intro.ts, beacon.ts),
 * and what it gives it.
 *
 *     INTRO, WHO, HERE, CHALLENGE, beacons ──datagram()──▶ part ──introduced(), heardOf()──▶ network
 *     network ──introduce(), ask()──▶ part ──▶ INTRO, WHO
 */
import type { Handle, NetworkWorld } from "./world.ts";

/** How a certificate and a record came. */
export type Way = "intro" | "here";

/** What the network does for it. */
export interface IntroHost {
  readonly world: NetworkWorld;
  /** Certificate and record that we show, as they stand in INTRO and HERE. */
  readonly own: () => { readonly certificate: Uint8Array; readonly record: Uint8Array };
  /** X25519. Borrows: it stays the network's. */
  readonly handshakeKey: { readonly publicKey: Uint8Array; readonly privateKey: Uint8Array };
  /** Secrets of the network, the newest first, 16 at most. */
  readonly secrets: () => readonly { readonly epoch: number; readonly secret: Uint8Array }[];
  /**
   * Somebody showed itself: certificate, revocation, record are checked, refusals counted and kept
   * by name, and a member is admitted. Null: it is none, or there is no room. `from`: where it is.
   */
  readonly introduced: (
    shown: { readonly certificate: Uint8Array; readonly record: Uint8Array },
    from: Uint8Array,
    way: Way,
  ) => Handle | null;
  /** A beacon of the network came from there: somebody whom we may ask who it is. */
  readonly heardOf: (from: Uint8Array) => void;
}

export interface IntroPart {
  /** When to call tick(), at the latest. */
  readonly dueMs: number;
  tick(nowMs: number): void;
  /** A datagram of type 9, or of type 10 and kind 3. Borrows: all three. */
  datagram(bytes: Uint8Array, from: Uint8Array, local: Uint8Array, nowMs: number): void;
  /** Sends an INTRO for the member with this handshake key to an address: message 1 follows. */
  introduce(handle: Handle, handshakeKey: Uint8Array, to: Uint8Array, nowMs: number): void;
  /** Asks an address who it is. The answer comes by `introduced` as `here`. */
  ask(to: Uint8Array, nowMs: number): void;
  /** A session with the member began: an INTRO that waits for a ticket is given up. */
  met(handshakeKey: Uint8Array): void;
  /** Secrets have changed. */
  renew(): void;
  stop(): void;
}
