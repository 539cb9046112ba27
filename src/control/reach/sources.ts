/**
 * sources — the addresses of ours that peers ask, and that answers leave from, may go.
 *
 * The kernel refuses a source that is gone, or, with IPv6 and a connected socket, sends from it
 * all the same; and a peer that is silent would not learn where we are now. So what is gone is
 * forgotten, connected sockets are closed, and the peer hears from us at once: again with each new
 * address, until it answers. Thread: control.
 */
import { COMMAND } from "../../memory/layout.ts";
import { sockaddrFamily, sockaddrHost } from "../../wire/sockaddr.ts";
import type { Control } from "../control.ts";
import type { Peer } from "../peers/peer.ts";

export class Sources {
  readonly #control: Control;
  readonly #has: (sockaddr: Uint8Array) => boolean;
  /** They have not been heard since the address that they asked went. */
  readonly #homeless = new Set<Peer>();

  /** `has`: does this host still have the address of a sockaddr? */
  constructor(control: Control, has: (sockaddr: Uint8Array) => boolean) {
    this.#control = control;
    this.#has = has;
  }

  /** An address of this host came or went. */
  look(): void {
    const { roster, entries } = this.#control;
    const known = new Map<string, boolean>();
    let gone = false;
    for (const peer of roster.peers()) {
      const local = entries.local(peer.index);
      if (sockaddrFamily(local) === 0) continue;
      const host = sockaddrHost(local).join(".");
      const here = known.get(host) ?? this.#has(local);
      known.set(host, here);
      if (here) continue;
      gone = true;
      entries.setEndpoint(peer.index, entries.endpoint(peer.index));
      this.#homeless.add(peer);
    }
    if (gone) this.#control.broadcast(COMMAND.sockets);
    for (const peer of this.#homeless) {
      const heard = sockaddrFamily(entries.local(peer.index)) !== 0;
      if (heard || roster.at(peer.index) !== peer) this.#homeless.delete(peer);
      else this.#control.announce(peer);
    }
  }
}
