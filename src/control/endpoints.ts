/**
 * endpoints — from the endpoint that is configured to the address in use.
 *
 * A name is asked for when it is set and while its peer does not answer (WireGuard itself never
 * asks again, which users miss). One that has moved takes its peer along; one that has not leaves
 * the peer where it roamed to, until nobody has answered there for as long as an attempt may last.
 * Thread: control.
 */
import type { PeerEntries } from "../memory/peers.ts";
import type { Endpoint } from "../schema/config.ts";
import { sameSockaddr, sockaddrFamily } from "../wire/sockaddr.ts";
import type { Peer } from "./peer.ts";
import type { World } from "./world.ts";

/** A name is asked for again this often while its peer does not answer. */
const ASK_EVERY_MS = 30_000;

export class Endpoints {
  readonly #world: Pick<World, "bootMs" | "resolve">;
  readonly #entries: PeerEntries;
  readonly #onKnown: (peer: Peer) => void;

  /** `onKnown`: a peer that had no address, or did not answer at its last one, has one now. */
  constructor(
    world: Pick<World, "bootMs" | "resolve">,
    entries: PeerEntries,
    onKnown: (peer: Peer) => void,
  ) {
    this.#world = world;
    this.#entries = entries;
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
    if (peer.endpoint === null || nowMs - peer.resolvedAtMs < ASK_EVERY_MS) return;
    peer.resolvedAtMs = nowMs;
    void this.#resolve(peer, peer.endpoint, -1);
  }

  /** Nobody answers where the peer roamed to: back to where it is configured. */
  reset(peer: Peer): void {
    if (peer.resolved !== null) this.#entries.setEndpoint(peer.index, peer.resolved);
  }

  get entries(): PeerEntries {
    return this.#entries;
  }

  /** `session`: the peer's current one when it was asked; a newer one knows better. */
  async #resolve(peer: Peer, endpoint: Endpoint, session: number): Promise<void> {
    const found = await this.#world.resolve(endpoint);
    if (found === null || peer.endpoint !== endpoint) return;
    const moved = peer.resolved === null || !sameSockaddr(peer.resolved, found);
    peer.resolved = found;
    const inUse = this.#entries.endpoint(peer.index);
    // It was called there already; another call would spoil that one.
    if (sameSockaddr(inUse, found)) return;
    const nowhere = sockaddrFamily(inUse) === 0;
    const current = this.#entries.current(peer.index);
    const newer = current >= 0 && current !== session;
    const silent = peer.timers.fruitless(this.#world.bootMs());
    if (!nowhere && !silent && (newer || !moved)) return;
    this.#entries.setEndpoint(peer.index, found);
    this.#onKnown(peer);
  }
}
