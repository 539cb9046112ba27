/**
 * endpoints — where peers are: from the endpoint that is configured to the address in use. Nobody
 * else writes that.
 *
 *     configured ── a name is asked for ──▶ found ──╮
 *     heard, authentic, the newest of its session ──┼──▶ the peers region, where C reads it
 *     an address of ours is gone ───────────────────╯
 *
 * A name is asked for when it is set and while its peer does not answer (WireGuard itself never
 * asks again, which users miss). One that has moved takes its peer along. One that has not leaves
 * the peer where it roamed to; when nobody answers there for a while, both places are called in
 * turn: somebody on the path can make a peer seem to have roamed, once. Thread: control.
 */
import type { Say } from "../../log.ts";
import type { PeerEntries } from "../../memory/peers.ts";
import { type Endpoint, formatEndpoint } from "../../schema/config.ts";
import { SOCKADDR_BYTES, sameSockaddr, sockaddrFamily } from "../../wire/sockaddr.ts";
import { type Peer, peerCalled } from "../peers/peer.ts";
import { PerPeer } from "../peers/per-peer.ts";
import type { Asking } from "./resolve.ts";

/**
 * Tuning: a round trip to far away. What comes from the former endpoint for as long was sent before
 * the peer heard from us at the new one; later it says that it is there still.
 */
const LEFT_MS = 1_000;

/** No address. */
const NOWHERE = new Uint8Array(SOCKADDR_BYTES);

export interface EndpointsWorld {
  /** Milliseconds. */
  readonly bootMs: () => number;
  /** A sockaddr, or why there is none that our sockets speak. Errors: never. */
  readonly resolve: (endpoint: Endpoint, asking: Asking) => Promise<Uint8Array | string>;
  readonly say: Say;
}

export interface EndpointsOptions {
  readonly world: EndpointsWorld;
  readonly entries: PeerEntries;
  /** A name is asked for again this often while its peer does not answer. Milliseconds. */
  readonly askEveryMs: number;
  /** How long the peer has been called in vain; 0: it is not called. Milliseconds. */
  readonly calledMs: (peer: Peer, nowMs: number) => number;
  /**
   * Where to call a peer of the network, which sends there what has to come before; `to`: there,
   * in any case. Null: nowhere.
   */
  readonly calling: (peer: Peer, to: Uint8Array | null) => Uint8Array | null;
  /** A peer that had no address, or did not answer at its last one, has one now. */
  readonly onKnown: (peer: Peer) => void;
}

/** What is known of where a peer is, besides the address in use. */
interface Place {
  /**
   * What the endpoint's name gave last, and when it was asked for. Family 0: the endpoint was
   * taken away, and so is this address when the peer does not answer there.
   */
  resolved: Uint8Array | null;
  resolvedAtMs: number;
  /** Why the endpoint's name gives no address now; null: it does, or nobody knows yet. */
  nameProblem: string | null;
  /** The endpoint whose name is being asked for; null: none. */
  asking: Endpoint | null;
  /** Where it was heard last, while it is called where it is configured. */
  roamedTo: Uint8Array | null;
}

export class Endpoints {
  readonly #options: EndpointsOptions;
  readonly #world: EndpointsWorld;
  readonly #entries: PeerEntries;
  readonly #places = new PerPeer<Place>(() => ({
    resolved: null,
    resolvedAtMs: Number.NEGATIVE_INFINITY,
    nameProblem: null,
    asking: null,
    roamedTo: null,
  }));

  constructor(options: EndpointsOptions) {
    this.#options = options;
    this.#world = options.world;
    this.#entries = options.entries;
  }

  /** Why the endpoint's name gives no address; null: it does, or is none. */
  nameProblem(peer: Peer): string | null {
    return this.#places.find(peer)?.nameProblem ?? null;
  }

  // -------------------------------------------------------------------------------------------
  // Heard

  /**
   * The peer was heard from there, authentically, and asked `local`. True: it has moved, or asks
   * another address of ours. What comes from where it was called a moment ago was under way, and
   * moves nobody.
   */
  heard(peer: Peer, address: Uint8Array, local: Uint8Array, nowMs: number): boolean {
    const { entry } = peer;
    if (!this.#entries.wasLeft(entry, address, nowMs)) {
      return this.#entries.setEndpoint(entry, address, local);
    }
    this.disbelieve(peer);
    return false;
  }

  /** What I/O threads heard last of where the peer is does not count. */
  disbelieve(peer: Peer): void {
    this.#entries.forgetHeard(peer.entry);
  }

  /** The address of ours that the peer asked is gone: the kernel chooses. */
  forgetLocal(peer: Peer): void {
    this.#entries.setEndpoint(peer.entry, this.#entries.endpoint(peer.entry));
  }

  // -------------------------------------------------------------------------------------------
  // Configured

  /**
   * Null: none is configured, and what was is forgotten. The address in use stays as long as the
   * peer answers there.
   */
  set(peer: Peer, endpoint: Endpoint | null): void {
    const place = this.#places.of(peer);
    const { resolved } = place;
    peer.endpoint = endpoint;
    place.resolved = null;
    place.roamedTo = null;
    place.nameProblem = null;
    if (endpoint === null) {
      this.#forget(peer, place, resolved);
      return;
    }
    place.resolvedAtMs = this.#world.bootMs();
    void this.#resolve(peer, place, endpoint);
  }

  /** `resolved`: where it was configured. */
  #forget({ entry }: Peer, place: Place, resolved: Uint8Array | null): void {
    if (this.#entries.current(entry) < 0) this.#entries.setEndpoint(entry, NOWHERE);
    else if (resolved !== null) {
      const roamed = sockaddrFamily(resolved) !== 0;
      if (!roamed || sameSockaddr(this.#entries.endpoint(entry), resolved)) {
        place.resolved = NOWHERE;
      }
    }
  }

  /** The peer is called: asks for its address, unless it was asked for a moment ago. */
  ask(peer: Peer): void {
    this.call(peer, null);
    if (peer.origin === "network") return;
    const nowMs = this.#world.bootMs();
    const place = this.#places.of(peer);
    const { endpoint } = peer;
    if (endpoint === null || nowMs - place.resolvedAtMs < this.#options.askEveryMs) return;
    if (place.asking === endpoint) return; // a dead name server takes longer than that
    place.resolvedAtMs = nowMs;
    void this.#resolve(peer, place, endpoint);
  }

  /**
   * A member is called: at `to`, or where it is configured, or where the network says. Of who is no
   * member the network says nothing.
   */
  call(peer: Peer, to: Uint8Array | null): void {
    const known = peer.endpoint === null ? null : this.#entries.endpoint(peer.entry);
    const configured = known === null || sockaddrFamily(known) === 0 ? null : known;
    const place = this.#options.calling(peer, to ?? configured);
    if (place === null || sameSockaddr(this.#entries.endpoint(peer.entry), place)) return;
    this.#entries.setEndpoint(peer.entry, place);
  }

  /** Calls the other one of two places: where the peer is configured, and where it roamed to. */
  #turn(peer: Peer, place: Place, configured: Uint8Array): void {
    const called = this.#entries.endpoint(peer.entry);
    const other = sameSockaddr(called, configured) ? place.roamedTo : configured;
    place.roamedTo = other === configured ? called : null;
    if (other === null) return;
    this.#entries.setEndpoint(peer.entry, other);
    this.#options.onKnown(peer);
  }

  /** Nobody answers where the peer roamed to: back to where it is configured. */
  reset(peer: Peer): void {
    const place = this.#places.of(peer);
    const { resolved } = place;
    if (resolved === null) return;
    this.#entries.setEndpoint(peer.entry, resolved);
    if (sockaddrFamily(resolved) === 0) place.resolved = null;
  }

  /** A session newer than the one there is now knows better than what will be found. */
  async #resolve(peer: Peer, place: Place, endpoint: Endpoint): Promise<void> {
    const session = this.#entries.current(peer.entry);
    place.asking = endpoint;
    const found = await this.#world.resolve(endpoint, {
      doubtful: place.nameProblem !== null,
      slow: (problem) => this.#told(peer, endpoint, problem),
    });
    if (place.asking === endpoint) place.asking = null;
    this.#told(peer, endpoint, typeof found === "string" ? found : null);
    if (typeof found === "string" || peer.endpoint !== endpoint) return;
    const moved = place.resolved === null || !sameSockaddr(place.resolved, found);
    place.resolved = found;
    const called = this.#entries.endpoint(peer.entry);
    const current = this.#entries.current(peer.entry);
    const nowhere = sockaddrFamily(called) === 0;
    if (!nowhere && current >= 0 && current !== session) return;
    const nowMs = this.#world.bootMs();
    if (nowhere || moved) {
      const elsewhere = !sameSockaddr(called, found);
      if (elsewhere) this.#entries.leave(peer.entry, called, nowMs + LEFT_MS);
      // The address of ours that went with the old one is forgotten, also where the two are one.
      this.#entries.setEndpoint(peer.entry, found);
      // Called there already: another call would spoil that one.
      if (elsewhere) this.#options.onKnown(peer);
    } else if (this.#options.calledMs(peer, nowMs) >= this.#options.askEveryMs) {
      this.#turn(peer, place, found);
    }
  }

  /** What is known of the name; null: it resolves. Each turn of it is said once. */
  #told(peer: Peer, endpoint: Endpoint, problem: string | null): void {
    if (peer.endpoint !== endpoint) return;
    const place = this.#places.of(peer);
    const before = place.nameProblem;
    place.nameProblem = problem;
    if ((before === null) === (problem === null)) return;
    const facts = { peer: peerCalled(peer), endpoint: formatEndpoint(endpoint) };
    if (problem === null) this.#world.say("info", "an endpoint's name resolves again", facts);
    else {
      this.#world.say("warn", "an endpoint's name does not resolve", { ...facts, why: problem });
    }
  }
}
