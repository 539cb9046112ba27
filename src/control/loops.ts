/**
 * loops — tells people when datagrams of ours came back out of the device, which C has cut
 * (io_own.c): some route, of whomever, leads a peer's endpoint into the tunnel. Thread: control.
 */
import { sumCounter } from "../memory/counters.ts";
import { DROP } from "../memory/layout.ts";
import type { PeerEntries } from "../memory/peers.ts";
import type { Arena } from "../memory/region.ts";
import { formatSockaddr } from "../wire/sockaddr.ts";
import { peerCalled } from "./news.ts";
import type { Peer } from "./peer.ts";
import type { World } from "./world.ts";

/** Tuning: peers that are asked about for one sentence. */
const PEERS_MAX = 256;

export class Loops {
  readonly #arena: Arena;
  readonly #world: Pick<World, "inside" | "say">;
  #cut = 0;

  constructor(arena: Arena, world: Pick<World, "inside" | "say">) {
    this.#arena = arena;
    this.#world = world;
  }

  /** Says who is meant, if something was cut since the last look. */
  look(peers: Iterable<Peer>, entries: PeerEntries): void {
    const cut = sumCounter(this.#arena, DROP.ownDatagram);
    if (cut === this.#cut) return;
    this.#cut = cut;
    const text = "a route leads our own datagrams into the tunnel: they are dropped";
    this.#world.say("warn", text, this.#whose(peers, entries));
  }

  #whose(peers: Iterable<Peer>, entries: PeerEntries): Record<string, string> {
    let asked = 0;
    for (const peer of peers) {
      if (asked++ === PEERS_MAX) break;
      const to = entries.endpoint(peer.index);
      if (!this.#world.inside(to, entries.local(peer.index))) continue;
      return { peer: peerCalled(peer), endpoint: formatSockaddr(to) ?? "" };
    }
    return {};
  }
}
