/**
 * suites — which cipher suite a handshake is made in: what we take, what each peer takes. Pure.
 *
 *     not known ──▶ message 1 ──▶ hello, inside the session ──▶ known: message 5, and once at once
 *         ▲                                                          │ not answered
 *         └── three ChaCha20 handshakes in a row, no hello ◀── 1, 5, 1 … in turn
 *
 * Messages 5 to 8 go to nobody who is not known to be an engine, unless the setting is "aes256gcm".
 * An engine is who said hello, or with whom a session of AES came into use. A peer that was an
 * engine and is a plain WireGuard now costs an unanswered initiation a handshake, until it is
 * forgotten.
 *
 * An initiation may be a copy, of a life that is over: where it is newer than all that we heard, we
 * may have begun anew. So a message 5 alone makes nobody known. It may also be of an engine that
 * takes AES alone, and can only be called: its sender is called in both, message 1 first, until a
 * session with it is in use.
 *
 * Source: security.md 9 and 10; docs/PROTOCOL.md, "Suites". Times are boot-clock milliseconds.
 */
import { SUITE } from "../../memory/layout.ts";
import { AES_256_GCM, CHACHA20_POLY1305, type Suite } from "../../noise/transcript.ts";
import type { Peer } from "../peers/peer.ts";
import { PerPeer } from "../peers/per-peer.ts";
import type { SessionRef } from "../sessions/sessions.ts";

/** The setting: "auto" takes both and prefers what is faster, the others refuse all else. */
export type Cipher = "auto" | "chacha20poly1305" | "aes256gcm";

/** What main found out about AES-256-GCM on this host. */
export interface AesFound {
  /** The CPU's instructions and Node's OpenSSL are there. */
  readonly usable: boolean;
  /** It sealed and opened faster than ChaCha20-Poly1305 at start. */
  readonly faster: boolean;
}

const CHACHA_BIT = 1 << SUITE.chacha20poly1305;
const AES_BIT = 1 << SUITE.aes256gcm;
/**
 * Tuning: so long after it learned of AES, the current session's initiator asks for it. Two
 * initiations of a peer that are less than 20 ms apart are refused (exchange.ts).
 */
export const UPGRADE_AFTER_MS = 250;
/** Tuning: so many ChaCha20 handshakes in a row, and the peer is no engine any more. */
export const PLAIN_ROW = 3;

export interface SuitesOptions {
  readonly cipher: Cipher;
  readonly aes: AesFound;
  /** The session that is used with a peer. */
  readonly sessionOf: (peer: Peer) => SessionRef | null;
  /** A peer's session is to be replaced at this time. */
  readonly renewAt: (peer: Peer, dueMs: number) => void;
}

/** What is known of a peer's suites. */
interface Known {
  /** Suites that it takes, a mask of 1 << SUITE; 0: not known to be an engine. */
  suites: number;
  /** A message 5 of it came, and no session since: it was an engine once, and may be one. */
  wasEngine: boolean;
  /** Initiations since the last answer. */
  unanswered: number;
  /** ChaCha20 handshakes in a row of a peer that is to take AES. */
  plainRow: number;
  /** The better suite may be asked for, once, by the current session's initiator. */
  mayUpgrade: boolean;
}

/** Thread: control. */
export class Suites {
  /** Suites that we take, and those that our hello offers; masks of 1 << SUITE. */
  readonly taken: number;
  readonly offered: number;
  readonly #auto: boolean;
  readonly #peers = new PerPeer<Known>(() => ({
    suites: 0,
    wasEngine: false,
    unanswered: 0,
    plainRow: 0,
    mayUpgrade: false,
  }));
  /** The session that is used with a peer. */
  readonly #sessionOf: (peer: Peer) => SessionRef | null;
  /** A peer's session is to be replaced at this time. */
  readonly #renewAt: (peer: Peer, dueMs: number) => void;

  constructor({ cipher, aes, sessionOf, renewAt }: SuitesOptions) {
    this.#auto = cipher === "auto";
    this.#sessionOf = sessionOf;
    this.#renewAt = renewAt;
    const chacha = cipher === "aes256gcm" ? 0 : CHACHA_BIT;
    this.taken = chacha | (aes.usable && cipher !== "chacha20poly1305" ? AES_BIT : 0);
    this.offered = this.#auto && !aes.faster ? chacha : this.taken;
  }

  /** Suites that the peer takes, a mask of 1 << SUITE; 0: not known to be an engine. */
  of(peer: Peer): number {
    return this.#peers.of(peer).suites;
  }

  /** May a message of this suite be looked into? */
  takes(suite: 0 | 1): boolean {
    return (this.taken & (1 << suite)) !== 0;
  }

  /** The suite of the initiation that is made now: the preferred one, retries in turn. */
  next(peer: Peer): Suite {
    const known = this.#peers.of(peer);
    const retry = known.unanswered++ % 2 === 1;
    if (this.#preferred(known) === CHACHA20_POLY1305) {
      return retry && known.wasEngine ? AES_256_GCM : CHACHA20_POLY1305;
    }
    if (retry && this.#auto) return CHACHA20_POLY1305;
    known.mayUpgrade = false;
    return AES_256_GCM;
  }

  /**
   * A hello of the peer came: `mask` is what it offers. The current session's initiator asks for
   * the better suite soon, once per hello.
   */
  learn(peer: Peer, mask: number, nowMs: number): void {
    const known = this.#peers.of(peer);
    known.suites = mask & (CHACHA_BIT | AES_BIT);
    known.plainRow = 0;
    known.mayUpgrade = true;
    this.#upgradeSoon(peer, nowMs);
  }

  /** An initiation in this suite is the peer's, of whatever time: it may be a copy. */
  called(peer: Peer, suite: Suite): void {
    if (suite === AES_256_GCM) this.#peers.of(peer).wasEngine = true;
  }

  /** A session came into use, which proves that the peer takes its suite now. */
  used(peer: Peer, nowMs: number): void {
    this.settled(peer);
    const known = this.#peers.of(peer);
    known.wasEngine = false;
    if (this.#sessionOf(peer)?.suite === SUITE.aes256gcm) {
      known.suites |= AES_BIT;
      known.plainRow = 0;
    } else if (this.#preferred(known) === AES_256_GCM && ++known.plainRow >= PLAIN_ROW) {
      known.suites = 0;
      known.plainRow = 0;
    }
    this.#upgradeSoon(peer, nowMs);
  }

  /** The attempt has ended; the next one begins with the preferred suite. */
  settled(peer: Peer): void {
    this.#peers.of(peer).unanswered = 0;
  }

  #upgradeSoon(peer: Peer, nowMs: number): void {
    if (this.upgrades(peer)) this.#renewAt(peer, nowMs + UPGRADE_AFTER_MS);
  }

  /** Is the current session to be replaced by one of AES, which was not asked for since a hello? */
  upgrades(peer: Peer): boolean {
    const known = this.#peers.of(peer);
    const current = this.#sessionOf(peer);
    if (!known.mayUpgrade || current === null || !current.initiator) return false;
    return current.suite === SUITE.chacha20poly1305 && this.#preferred(known) === AES_256_GCM;
  }

  #preferred(known: Known): Suite {
    if (this.taken === AES_BIT) return AES_256_GCM;
    const both = (known.suites & this.taken & AES_BIT) !== 0;
    const wanted = (this.offered & AES_BIT) !== 0 || (known.suites & CHACHA_BIT) === 0;
    return both && wanted ? AES_256_GCM : CHACHA20_POLY1305;
  }
}
