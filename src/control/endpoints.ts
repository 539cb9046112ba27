/**
 * endpoints — from the endpoint that is configured to the address in use.
 *
 * A name is asked for when it is set and while its peer does not answer (WireGuard itself never
 * asks again, which users miss). One that has moved takes its peer along. One that has not leaves
 * the peer where it roamed to; when nobody answers there for a while, both places are called in
 * turn: somebody on the path can make a peer seem to have roamed, once. Thread: control.
 */
import type { PeerEntries } from "../memory/peers.ts";
import type { Endpoint } from "../schema/config.ts";
import { sameSockaddr, sockaddrFamily } from "../wire/sockaddr.ts";
import type { Peer } from "./peer.ts";
import type { World } from "./world.ts";

export class Endpoints {
  readonly #world: Pick<World, "bootMs" | "resolve">;
  readonly #entries: PeerEntries;
  readonly #askEveryMs: number;
  readonly #onKnown: (peer: Peer) => void;

  /** `onKnown`: a peer that had no address, or did not answer at its last one, has one now. */
  constructor(
    world: Pick<World, "bootMs" | "resolve">,
    entries: PeerEntries,
    askEveryMs: number,
    onKnown: (peer: Peer) => void,
  ) {
    this.#world = world;
    this.#entries = entries;
    this.#askEveryMs = askEveryMs;
    this.#onKnown = onKnown;
  }

  /** Null: none is configured; the address in use stays. */
  set(peer: Peer, endpoint: Endpoint | null): void {
    peer.endpoint = endpoint;
    peer.resolved = null;
    if (endpoint === null) return;
    peer.resolvedAtMs = this.#world.bootMs();
    void this.#resolve(peer, endpoint, this.#entries.current(peer.index));
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
    if (peer.resolved !== null) this.#entries.setEndpoint(peer.index, peer.resolved);
  }

  /** `session`: the peer's current one when it was asked; a newer one knows better. */
  async #resolve(peer: Peer, endpoint: Endpoint, session: number): Promise<void> {
    peer.asking = endpoint;
    const found = await this.#world.resolve(endpoint);
    if (peer.asking === endpoint) peer.asking = null;
    if (found === null || peer.endpoint !== endpoint) return;
    const moved = peer.resolved === null || !sameSockaddr(peer.resolved, found);
    peer.resolved = found;
    const called = this.#entries.endpoint(peer.index);
    const current = this.#entries.current(peer.index);
    const nowhere = sockaddrFamily(called) === 0;
    if (!nowhere && current >= 0 && current !== session) return;
    if (nowhere || moved) {
      // Called there already: another call would spoil that one.
      if (sameSockaddr(called, found)) return;
      this.#entries.setEndpoint(peer.index, found);
      this.#onKnown(peer);
    } else if (peer.timers.attemptedMs(this.#world.bootMs()) >= this.#askEveryMs) {
      this.#turn(peer, found);
    }
  }
}
