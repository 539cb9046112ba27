/**
 * news — what happens to peers, for the log: connected, silent, back, moved.
 *
 * A line is written when something changes, so that a peer which nobody can reach is one line and
 * not one each five seconds; new keys of a session that lives are debug. Thread: control.
 */
import type { Say } from "../../log.ts";
import { SUITE } from "../../memory/layout.ts";
import type { PeerEntries } from "../../memory/peers.ts";
import { sameSockaddr, sockaddrFamily } from "../../wire/sockaddr.ts";
import { type Peer, peerCalled } from "../peers/peer.ts";
import { endpointText } from "../reach/endpoint-text.ts";
import { type Presence, presenceOf } from "./presence.ts";
import type { Held, SessionKeeper, SessionRef } from "./sessions.ts";

/** What was said of a peer last. */
export interface Told {
  readonly state: Presence["state"];
  readonly session: SessionRef | null;
  readonly endpoint: Uint8Array;
}

/** "aes256gcm", as the configuration has it; null: there is no session. */
export const cipherOf = (session: SessionRef | null): string | null =>
  session === null ? null : session.suite === SUITE.aes256gcm ? "aes256gcm" : "chacha20poly1305";

/** `held`: the peer's. */
export const presenceAt = (
  peer: Peer,
  { timers, lastHandshakeUnixMs }: Held,
  entries: PeerEntries,
  nowMs: number,
): Presence =>
  presenceOf(
    {
      usable: entries.current(peer.entry) >= 0,
      attempting: timers.attempting,
      callable: sockaddrFamily(entries.endpoint(peer.entry)) !== 0,
      met: lastHandshakeUnixMs > 0,
      owedSinceMs: timers.owedSinceMs,
      overdue: timers.overdue(nowMs),
    },
    nowMs,
  );

export class News {
  readonly #entries: PeerEntries;
  readonly #keeper: SessionKeeper;
  readonly #say: Say;
  readonly #told = new WeakMap<Peer, Told>();

  constructor(entries: PeerEntries, keeper: SessionKeeper, say: Say) {
    this.#entries = entries;
    this.#keeper = keeper;
    this.#say = say;
  }

  /** What comes next is news, whatever was said before. */
  forget(peer: Peer): void {
    this.#told.delete(peer);
  }

  /** Says what has changed since the last look at the peer. */
  look(peer: Peer, nowMs: number): void {
    const held = this.#keeper.of(peer);
    const { state, silentMs } = presenceAt(peer, held, this.#entries, nowMs);
    const session = state === "connected" ? held.current : null;
    const endpoint = this.#entries.endpoint(peer.entry);
    const told = this.#told.get(peer) ?? null;
    if (told !== null && !sameSockaddr(told.endpoint, endpoint)) {
      // Of a member without a session it is where the network tries next.
      const isTried = peer.origin === "network" && state !== "connected";
      this.#moved(peer, told.endpoint, isTried ? "debug" : "info");
    } else if (told !== null && told.state === state && told.session === session) return;
    this.#told.set(peer, { state, session, endpoint });
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

  #moved(peer: Peer, before: Uint8Array, level: "debug" | "info"): void {
    const from = endpointText(before) ?? "unknown";
    const { peer: called, endpoint: to } = this.#facts(peer);
    this.#say(level, "peer moved", { peer: called, from, to });
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
    const endpoint = endpointText(this.#entries.endpoint(peer.entry)) ?? "unknown";
    return { peer: peerCalled(peer), endpoint };
  }
}
