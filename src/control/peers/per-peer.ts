/**
 * per-peer — what a room keeps of each peer: made when it is first asked for, gone with the peer.
 *
 * A peer is its identity and its settings (peer.ts); all that is going on with it belongs to the
 * room that knows what it means. Secrets among it are zeroed by that room, when it is told that
 * the peer goes. Thread: control.
 */
import type { Peer } from "./peer.ts";

export class PerPeer<State> {
  readonly #states = new WeakMap<Peer, State>();
  readonly #make: (peer: Peer) => State;

  constructor(make: (peer: Peer) => State) {
    this.#make = make;
  }

  of(peer: Peer): State {
    const known = this.#states.get(peer);
    if (known !== undefined) return known;
    const made = this.#make(peer);
    this.#states.set(peer, made);
    return made;
  }

  /** Undefined: nobody has asked for it yet. */
  find(peer: Peer): State | undefined {
    return this.#states.get(peer);
  }
}
