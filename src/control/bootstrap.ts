/**
 * bootstrap — the addresses of members that the configuration names, as far as names resolve.
 *
 * Names are asked for at the start, and again as long as the network has no session. Thread:
 * control.
 */
import type { Say } from "../log.ts";
import { formatEndpoint, type NodeAddress } from "../schema/config.ts";
import type { BootstrapPlace } from "./network/world.ts";
import type { EndpointsWorld } from "./reach/endpoints.ts";
import type { Asking } from "./reach/resolve.ts";

export interface BootstrapOptions {
  readonly nodes: readonly NodeAddress[];
  readonly resolve: EndpointsWorld["resolve"];
  readonly say: Say;
  /** An address became known, or another one. */
  readonly onKnown: () => void;
}

const ASKING: Omit<Asking, "slow"> = { doubtful: false };

export class Bootstrap {
  readonly #options: BootstrapOptions;
  /** By the place of the node in the configuration. */
  readonly #places = new Map<number, BootstrapPlace>();
  readonly #asking = new Set<number>();

  constructor(options: BootstrapOptions) {
    this.#options = options;
  }

  get places(): readonly BootstrapPlace[] {
    return [...this.#places.values()];
  }

  /** Asks for the names that are not being asked for. */
  ask(): void {
    for (const [at, node] of this.#options.nodes.entries()) {
      if (!this.#asking.has(at)) void this.#ask(at, node);
    }
  }

  async #ask(at: number, { endpoint, nodeKey }: NodeAddress): Promise<void> {
    const { resolve, onKnown } = this.#options;
    this.#asking.add(at);
    const told = (why: string): void => this.#failed(formatEndpoint(endpoint), why);
    const found = await resolve(endpoint, { ...ASKING, slow: told });
    this.#asking.delete(at);
    if (typeof found === "string") {
      told(found);
      return;
    }
    const before = this.#places.get(at)?.sockaddr;
    this.#places.set(at, { sockaddr: found, nodeKey });
    if (before === undefined || Buffer.compare(before, found) !== 0) onKnown();
  }

  #failed(endpoint: string, why: string): void {
    this.#options.say("warn", "a name of bootstrap does not resolve", { endpoint, why });
  }
}
