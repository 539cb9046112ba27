/**
 * sources — the addresses of ours that peers ask, and that answers leave from, may go.
 *
 * The kernel refuses a source that is gone, or, with IPv6 and a connected socket, sends from it
 * all the same; and a peer that is silent would not learn where we are now. So what is gone is
 * forgotten, connected sockets are closed, and the peer hears from us at once: again with each new
 * address, until it answers. Thread: control.
 */
import type { PeerEntries } from "../../memory/peers.ts";
import { sockaddrFamily, sockaddrHost } from "../../wire/sockaddr.ts";
import type { Peer } from "../peers/peer.ts";
import type { Roster } from "../peers/roster.ts";
import type { Endpoints } from "./endpoints.ts";

export interface SourcesOptions {
  readonly roster: Roster;
  readonly entries: PeerEntries;
  readonly endpoints: Endpoints;
  /** Does this host still have the address of a sockaddr? */
  readonly has: (sockaddr: Uint8Array) => boolean;
  /** The peer is to hear from us at once. */
  readonly announce: (peer: Peer) => void;
  /** Connected sockets may be bound to what is gone. */
  readonly disconnect: () => void;
}

export class Sources {
  readonly #options: SourcesOptions;
  /** They have not been heard since the address that they asked went. */
  readonly #homeless = new Set<Peer>();

  constructor(options: SourcesOptions) {
    this.#options = options;
  }

  /** An address of this host came or went. */
  look(): void {
    const { roster, entries, endpoints, has, announce, disconnect } = this.#options;
    const known = new Map<string, boolean>();
    let gone = false;
    for (const peer of roster.peers()) {
      const local = entries.local(peer.entry);
      if (sockaddrFamily(local) === 0) continue;
      const host = sockaddrHost(local).join(".");
      const here = known.get(host) ?? has(local);
      known.set(host, here);
      if (here) continue;
      gone = true;
      endpoints.forgetLocal(peer);
      this.#homeless.add(peer);
    }
    if (gone) disconnect();
    for (const peer of this.#homeless) {
      const heard = sockaddrFamily(entries.local(peer.entry)) !== 0;
      if (heard || roster.at(peer.entry) !== peer) this.#homeless.delete(peer);
      else announce(peer);
    }
  }
}
