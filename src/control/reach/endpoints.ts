/**
 * endpoints — from the endpoint that is configured to the address in use.
 *
 * A name is asked for when it is set and while its peer does not answer (WireGuard itself never
 * asks again, which users miss). One that has moved takes its peer along. One that has not leaves
 * the peer where it roamed to; when nobody answers there for a while, both places are called in
 * turn: somebody on the path can make a peer seem to have roamed, once. Thread: control.
 */
import type { PeerEntries } from "../../memory/peers.ts";
import { type Endpoint, formatEndpoint } from "../../schema/config.ts";
import { SOCKADDR_BYTES, sameSockaddr, sockaddrFamily } from "../../wire/sockaddr.ts";
import { peerCalled } from "../peers/news.ts";
import type { Peer } from "../peers/peer.ts";
import type { World } from "../world.ts";

/**
 * Tuning: a round trip to far away. What comes from the former endpoint for as long was sent before
 * the peer heard from us at the new one; later it says that it is there still.
 */
const LEFT_MS = 1_000;

type EndpointsWorld = Pick<World, "bootMs" | "resolve" | "say">;

/** No address. */
const NOWHERE = new Uint8Array(SOCKADDR_BYTES);

export class Endpoints {
  readonly #world: EndpointsWorld;
  readonly #entries: PeerEntries;
  readonly #askEveryMs: number;
  readonly #onKnown: (peer: Peer) => void;

  /** `onKnown`: a peer that had no address, or did not answer at its last one, has one now. */
  constructor(
    world: EndpointsWorld,
    entries: PeerEntries,
    askEveryMs: number,
    onKnown: (peer: Peer) => void,
  ) {
    this.#world = world;
    this.#entries = entries;
    this.#askEveryMs = askEveryMs;
    this.#onKnown = onKnown;
  }

  /**
   * Null: none is configured, and what was is forgotten. The address in use stays as long as the
   * peer answers there.
   */
  set(peer: Peer, endpoint: Endpoint | null): void {
    const { resolved } = peer;
    peer.endpoint = endpoint;
    peer.resolved = null;
    peer.roamedTo = null;
    peer.nameProblem = null;
    if (endpoint === null) {
      this.#forget(peer, resolved);
      return;
    }
    peer.resolvedAtMs = this.#world.bootMs();
    void this.#resolve(peer, endpoint, this.#entries.current(peer.index));
  }

  /** `resolved`: where it was configured. */
  #forget(peer: Peer, resolved: Uint8Array | null): void {
    const { index } = peer;
    if (this.#entries.current(index) < 0) this.#entries.setEndpoint(index, NOWHERE);
    else if (resolved !== null) {
      const roamed = sockaddrFamily(resolved) !== 0;
      if (!roamed || sameSockaddr(this.#entries.endpoint(index), resolved)) peer.resolved = NOWHERE;
    }
  }

  /** The peer is called: asks for its address, unless it was asked for a moment ago. */
  ask(peer: Peer): void {
    const nowMs = this.#world.bootMs();
    if (peer.endpoint === null || nowMs - peer.resolvedAtMs < this.#askEveryMs) return;
    if (peer.asking === peer.endpoint) return; // a dead name server takes longer than that
    peer.resolvedAtMs = nowMs;
    void this.#resolve(peer, peer.endpoint, this.#entries.current(peer.index));
  }

  /** Calls the other one of two places: where the peer is configured, and where it roamed to. */
  #turn(peer: Peer, configured: Uint8Array): void {
    const called = this.#entries.endpoint(peer.index);
    const other = sameSockaddr(called, configured) ? peer.roamedTo : configured;
    peer.roamedTo = other === configured ? called : null;
    if (other === null) return;
    this.#entries.setEndpoint(peer.index, other);
    this.#onKnown(peer);
  }

  /** Nobody answers where the peer roamed to: back to where it is configured. */
  reset(peer: Peer): void {
    const { resolved } = peer;
    if (resolved === null) return;
    this.#entries.setEndpoint(peer.index, resolved);
    if (sockaddrFamily(resolved) === 0) peer.resolved = null;
  }

  /** `session`: the peer's current one when it was asked; a newer one knows better. */
  async #resolve(peer: Peer, endpoint: Endpoint, session: number): Promise<void> {
    peer.asking = endpoint;
    const found = await this.#world.resolve(endpoint, {
      doubtful: peer.nameProblem !== null,
      slow: (problem) => this.#told(peer, endpoint, problem),
    });
    if (peer.asking === endpoint) peer.asking = null;
    this.#told(peer, endpoint, typeof found === "string" ? found : null);
    if (typeof found === "string" || peer.endpoint !== endpoint) return;
    const moved = peer.resolved === null || !sameSockaddr(peer.resolved, found);
    peer.resolved = found;
    const called = this.#entries.endpoint(peer.index);
    const current = this.#entries.current(peer.index);
    const nowhere = sockaddrFamily(called) === 0;
    if (!nowhere && current >= 0 && current !== session) return;
    if (nowhere || moved) {
      const elsewhere = !sameSockaddr(called, found);
      if (elsewhere) this.#entries.leave(peer.index, called, this.#world.bootMs() + LEFT_MS);
      // The address of ours that went with the old one is forgotten, also where the two are one.
      this.#entries.setEndpoint(peer.index, found);
      // Called there already: another call would spoil that one.
      if (elsewhere) this.#onKnown(peer);
    } else if (peer.timers.attemptedMs(this.#world.bootMs()) >= this.#askEveryMs) {
      this.#turn(peer, found);
    }
  }

  /** What is known of the name; null: it resolves. Each turn of it is said once. */
  #told(peer: Peer, endpoint: Endpoint, problem: string | null): void {
    if (peer.endpoint !== endpoint) return;
    const before = peer.nameProblem;
    peer.nameProblem = problem;
    if ((before === null) === (problem === null)) return;
    const facts = { peer: peerCalled(peer), endpoint: formatEndpoint(endpoint) };
    if (problem === null) this.#world.say("info", "an endpoint's name resolves again", facts);
    else {
      this.#world.say("warn", "an endpoint's name does not resolve", { ...facts, why: problem });
    }
  }
}
