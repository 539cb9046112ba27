/**
 * crowd — how many of each network are there, at a callee that serves several: where there is no
 * more room, one of the largest makes way for a smaller one's. Pure.
 */

/** One of whom there are many. */
export interface OfNetwork {
  /** The same object for the same network. */
  readonly networkId: Uint8Array;
}

/** Those that are there, the oldest first. */
export class Crowd<One extends OfNetwork> {
  readonly #all = new Set<One>();
  readonly #counts = new Map<Uint8Array, number>();

  get size(): number {
    return this.#all.size;
  }

  add(one: One): void {
    this.#all.add(one);
    this.#counts.set(one.networkId, this.#of(one) + 1);
  }

  delete(one: One): void {
    if (this.#all.delete(one)) this.#counts.set(one.networkId, this.#of(one) - 1);
  }

  #of({ networkId }: OfNetwork): number {
    return this.#counts.get(networkId) ?? 0;
  }

  /**
   * Who makes way for one more of that network: the oldest of the largest network. Undefined:
   * nobody, since that one's own is as large. `own`: then the oldest of its own does.
   */
  makesWay(comer: OfNetwork, own: boolean): One | undefined {
    let { networkId } = comer;
    let most = own ? this.#of(comer) : this.#of(comer) + 1;
    for (const [other, count] of this.#counts) if (count > most) [networkId, most] = [other, count];
    if (networkId === comer.networkId && !own) return undefined;
    for (const one of this.#all) if (one.networkId === networkId) return one;
    return undefined;
  }
}
