/**
 * loops — tells people when datagrams of ours came back out of the device, which C has cut
 * (io_own.c): some route, of whomever, leads a peer's endpoint into the tunnel. Thread: control.
 */
import { sumCounter } from "../../memory/counters.ts";
import { DROP } from "../../memory/layout.ts";
import type { PeerEntries } from "../../memory/peers.ts";
import type { Arena } from "../../memory/region.ts";
import { formatSockaddr } from "../../wire/sockaddr.ts";
import type { Peer } from "../peers/peer.ts";
import { peerCalled } from "../peers/peer.ts";
import type { AdmitsWorld } from "./admits.ts";

/** Tuning: peers that are asked about for one sentence. */
const ASKED_MAX = 256;
/** Tuning: each of them costs a question to the kernel, so they are asked about this often. */
export const LOOK_EVERY_MS = 1_000;

export interface LoopsWorld extends AdmitsWorld {
  /** Milliseconds. */
  readonly bootMs: () => number;
}

export class Loops {
  readonly #arena: Arena;
  readonly #world: LoopsWorld;
  #cut = 0;
  #lookedMs = Number.NEGATIVE_INFINITY;

  constructor(arena: Arena, world: LoopsWorld) {
    this.#arena = arena;
    this.#world = world;
  }

  /** Says who is meant, if something was cut since the last look. */
  look(peers: Iterable<Peer>, entries: PeerEntries): void {
    const cut = sumCounter(this.#arena, DROP.ownDatagram);
    const nowMs = this.#world.bootMs();
    if (cut === this.#cut || nowMs - this.#lookedMs < LOOK_EVERY_MS) return;
    this.#cut = cut;
    this.#lookedMs = nowMs;
    const text = "a route leads our own datagrams into the tunnel: they are dropped";
    this.#world.say("warn", text, this.#whose(peers, entries));
  }

  #whose(peers: Iterable<Peer>, entries: PeerEntries): Record<string, string> {
    let asked = 0;
    for (const peer of peers) {
      if (asked++ === ASKED_MAX) break;
      const to = entries.endpoint(peer.entry);
      if (!this.#world.inside(to, entries.local(peer.entry))) continue;
      return { peer: peerCalled(peer), endpoint: formatSockaddr(to) ?? "" };
    }
    return {};
  }
}
