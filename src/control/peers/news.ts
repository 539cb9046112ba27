/**
 * news — what happens to peers, for the log: connected, silent, back, moved.
 *
 * A line is written when something changes, so that a peer which nobody can reach is one line and
 * not one each five seconds; new keys of a session that lives are debug. Thread: control.
 */
import { shortKey } from "../../log.ts";
import { SUITE } from "../../memory/layout.ts";
import type { PeerEntries } from "../../memory/peers.ts";
import { sameSockaddr, sockaddrFamily } from "../../wire/sockaddr.ts";
import { endpointText } from "../reach/endpoint-text.ts";
import type { Peer, SessionRef } from "./peer.ts";
import { type Presence, presenceOf } from "./presence.ts";
import type { Say } from "../world.ts";

/** What was said of a peer last. */
export interface Told {
  readonly state: Presence["state"];
  readonly session: SessionRef | null;
  readonly endpoint: Uint8Array;
}

/** "aes256gcm", as the configuration has it; null: there is no session. */
export const cipherOf = (session: SessionRef | null): string | null =>
  session === null ? null : session.suite === SUITE.aes256gcm ? "aes256gcm" : "chacha20poly1305";

/** How lines call a peer: by its name, else by the beginning of its key. */
export const peerCalled = (peer: Peer): string => peer.name ?? shortKey(peer.publicKey);

export const presenceAt = (peer: Peer, entries: PeerEntries, nowMs: number): Presence =>
  presenceOf(
    {
      usable: entries.current(peer.index) >= 0,
      attempting: peer.timers.attempting,
      callable: sockaddrFamily(entries.endpoint(peer.index)) !== 0,
      met: peer.lastHandshakeUnixMs > 0,
      owedSinceMs: peer.timers.owedSinceMs,
      overdue: peer.timers.overdue(nowMs),
    },
    nowMs,
  );

export class News {
  readonly #entries: PeerEntries;
  readonly #say: Say;

  constructor(entries: PeerEntries, say: Say) {
    this.#entries = entries;
    this.#say = say;
  }

  /** Says what has changed since the last look at the peer. */
  look(peer: Peer, nowMs: number): void {
    const { state, silentMs } = presenceAt(peer, this.#entries, nowMs);
    const session = state === "connected" ? peer.current : null;
    const endpoint = this.#entries.endpoint(peer.index);
    const told = peer.told;
    if (told !== null && !sameSockaddr(told.endpoint, endpoint)) this.#moved(peer, told.endpoint);
    else if (told !== null && told.state === state && told.session === session) return;
    peer.told = { state, session, endpoint };
    if (state === "connected") this.#connected(peer, told, session);
    else if (state === told?.state) return;
    else if (state === "silent") {
      const seconds = Math.round((silentMs ?? 0) / 1_000);
      this.#say("info", "peer does not answer", { ...this.#facts(peer), seconds });
    } else if (state === "idle" && told !== null) {
      this.#say("debug", "session ended, nothing asks for another", this.#facts(peer));
    }
  }

  /** A step of a handshake. */
  handshake(peer: Peer, text: string): void {
    this.#say("debug", text, this.#facts(peer));
  }

  #moved(peer: Peer, before: Uint8Array): void {
    const from = endpointText(before) ?? "unknown";
    const { peer: called, endpoint: to } = this.#facts(peer);
    this.#say("info", "peer moved", { peer: called, from, to });
  }

  #connected(peer: Peer, told: Told | null, session: SessionRef | null): void {
    const facts = { ...this.#facts(peer), cipher: cipherOf(session) ?? "" };
    if (told?.state === "silent") this.#say("info", "peer answers again", facts);
    else if (told?.state !== "connected") this.#say("info", "peer is connected", facts);
    else if (told.session?.suite !== session?.suite) {
      this.#say("info", "peer has another cipher", facts);
    } else if (told.session !== session) this.#say("debug", "session has new keys", facts);
  }

  #facts(peer: Peer): { readonly peer: string; readonly endpoint: string } {
    const endpoint = endpointText(this.#entries.endpoint(peer.index)) ?? "unknown";
    return { peer: peerCalled(peer), endpoint };
  }
}
