/**
 * node-names — nodes that the configuration names, members to begin with or index nodes: where they
 * are, as far as names resolve.
 *
 * Names are asked for at the start and again and again, since they may lead elsewhere by then; all
 * addresses of a name count. Thread: control.
 */
import type { Say } from "../log.ts";
import { formatEndpoint, type NodeAddress } from "../schema/config.ts";
import type { IndexPlace } from "./network/world.ts";
import type { Asking, Names } from "./reach/resolve.ts";

export interface NodeNamesOptions {
  /** The setting that names them. */
  readonly setting: "bootstrap" | "index";
  readonly nodes: readonly NodeAddress[];
  readonly resolve: Names["resolveAll"];
  readonly say: Say;
  /** An address became known, or another one. */
  readonly onKnown: () => void;
}

/** Where a node is, as far as it is known. */
export type NodePlace = IndexPlace;

const ASKING: Omit<Asking, "slow"> = { doubtful: false };

const sameAddresses = (a: readonly Uint8Array[], b: readonly Uint8Array[]): boolean =>
  a.length === b.length && a.every((one, i) => Buffer.compare(one, b[i]!) === 0);

export class NodeNames {
  readonly #options: NodeNamesOptions;
  /** In the order of the configuration; of two with one name the first counts. */
  readonly #places: NodePlace[] = [];
  readonly #asking = new Set<number>();

  constructor(options: NodeNamesOptions) {
    this.#options = options;
    for (const { endpoint, nodeKey } of options.nodes) {
      const name = formatEndpoint(endpoint);
      if (this.#places.some((place) => place.name === name)) continue;
      this.#places.push({ name, nodeKey, sockaddrs: [], problem: null });
    }
  }

  get places(): readonly NodePlace[] {
    return this.#places;
  }

  /** Asks for the names that are not being asked for. */
  ask(): void {
    for (const [at, { name }] of this.#places.entries()) {
      const node = this.#options.nodes.find(({ endpoint }) => formatEndpoint(endpoint) === name)!;
      if (!this.#asking.has(at)) void this.#ask(at, node);
    }
  }

  async #ask(at: number, { endpoint }: NodeAddress): Promise<void> {
    const { resolve, onKnown } = this.#options;
    this.#asking.add(at);
    const told = (why: string): void => this.#failed(at, why);
    const found = await resolve(endpoint, { ...ASKING, slow: told });
    this.#asking.delete(at);
    if (typeof found === "string") {
      told(found);
      return;
    }
    const before = this.#places[at]!;
    this.#places[at] = { ...before, sockaddrs: found, problem: null };
    if (!sameAddresses(before.sockaddrs, found)) onKnown();
  }

  /** What it led to before counts still. */
  #failed(at: number, why: string): void {
    const { say, setting } = this.#options;
    const before = this.#places[at]!;
    this.#places[at] = { ...before, problem: why };
    // It is asked for again and again, and said once until it resolves.
    if (before.problem !== null) return;
    say("warn", `a name of ${setting} does not resolve`, { endpoint: before.name, why });
  }
}
