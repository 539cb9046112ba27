/**
 * peer — one peer as control sees it: keys, sessions, timers.
 *
 *      initiation sent ──response──▶ current         (we are the initiator: used at once)
 *      initiation received ──▶ next ──first data──▶ current ──▶ previous
 *
 * Source: WireGuard paper, section 6; security.md 1, 2 and 10.
 */
import type { Endpoint } from "../../schema/config.ts";
import type { CookieHolder } from "../strangers/cookie.ts";
import type { Talk } from "../frames/frames.ts";
import type { Told } from "./news.ts";
import type { InitiatorState } from "../handshake/noise.ts";
import type { PeerTimers } from "../sessions/timers.ts";

/** An entry of the sessions region that this peer holds. */
export interface SessionRef {
  readonly session: number;
  readonly generation: number;
  readonly localIndex: number;
  readonly bornMs: number;
  readonly initiator: boolean;
  readonly suite: 0 | 1;
  /** The tunnel's largest MTU while it lived: what a message may cost at most (limits.ts). */
  mtu: number;
}

/** Thread: control. */
export interface Peer {
  /** Index into the peers region. */
  readonly index: number;
  readonly publicKey: Uint8Array;
  /** I/O thread that owns this peer's sessions. */
  readonly owner: number;
  readonly cookie: CookieHolder;

  // What is configured
  name: string | null;
  presharedKey: Uint8Array | null;
  /** As configured; the address in use is in the peers region. */
  endpoint: Endpoint | null;
  /** Seconds; 0 is never. */
  persistentKeepaliveS: number;

  // What is going on
  timers: PeerTimers;
  current: SessionRef | null;
  previous: SessionRef | null;
  next: SessionRef | null;
  /** Product of the two static keys, made at the first handshake; null: not made yet. */
  staticStatic: Uint8Array | null;
  /** Our initiation that waits for its answer. */
  initiation: InitiatorState | null;
  /** Greatest timestamp accepted from the peer (TAI64N), or null. */
  lastTimestamp: Uint8Array | null;
  /** Last timestamp sent to the peer; the next one is later. */
  lastSentTimestamp: Uint8Array | null;
  lastInitiationMs: number;
  /** What is known of its suites; control/suites.ts alone writes these five. */
  /** Suites that it takes, a mask of 1 << SUITE; 0: not known to be an engine. */
  suites: number;
  /** A message 5 of it came that is old: it was an engine once, and may be one. */
  wasEngine: boolean;
  /** Initiations since the last answer. */
  unanswered: number;
  /** ChaCha20 handshakes in a row of a peer that is to take AES. */
  plainRow: number;
  /** The better suite may be asked for, once, by the current session's initiator. */
  mayUpgrade: boolean;
  /** Unix time in milliseconds; 0: none yet. */
  lastHandshakeUnixMs: number;
  /**
   * What the endpoint's name gave last, and when it was asked for (boot clock). Family 0: the
   * endpoint was taken away, and so is this address when the peer does not answer there.
   */
  resolved: Uint8Array | null;
  resolvedAtMs: number;
  /** Why the endpoint's name gives no address now; null: it does, or nobody knows yet. */
  nameProblem: string | null;
  /** The endpoint whose name is being asked for; null: none. */
  asking: Endpoint | null;
  /** Where it was heard last, while it is called where it is configured. */
  roamedTo: Uint8Array | null;
  /** What the log said of it last; control/news.ts alone writes it. Null: nothing yet. */
  told: Told | null;
  /** Control frames to and from it; null: there was no session yet. */
  talk: Talk | null;
}

/** Is this session, in this generation, one of the peer's? */
export const holds = (peer: Peer, session: number, generation: number): boolean =>
  [peer.current, peer.next, peer.previous].some(
    (ref) => ref?.session === session && ref.generation === generation,
  );
