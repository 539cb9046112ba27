/**
 * members-directory — the directory of a simulated network: the twin over the stores of its index
 * nodes. What is put is at all that are up, each of which verifies it; what is asked for, any has.
 */

import type { DirectoryEngine } from "../../src/control/network/world.ts";
import type { DirectoryCount } from "../../src/directory/counts.ts";
import type { Found, PutOutcome, Records } from "../../src/directory/records.ts";
import type { DiscoveryStore } from "../../src/directory/store.ts";
import { TwinDirectory } from "../../src/directory/twin.ts";
import type { Pair } from "../../src/wire/intro.ts";
import type { Time } from "./members-time.ts";
import type { Random } from "./random.ts";

const LEAST_TRIP_MS = 10;
const MOST_TRIP_MS = 90;

const NOBODY: PutOutcome = { ok: false, reason: "notServing", why: "nobody stores" };

export class SharedDirectory {
  readonly #up = new Map<object, Records>();
  readonly #twin: TwinDirectory;

  constructor(
    { timer }: Time,
    random: Random,
    count: (what: DirectoryCount, many: number) => void,
  ) {
    this.#twin = new TwinDirectory({
      records: { put: (pair) => this.#put(pair), get: (target) => this.#get(target) },
      timer,
      count: (what, many = 1) => count(what, many),
      tripMs: () => random.between(LEAST_TRIP_MS, MOST_TRIP_MS),
      storers: () => this.#up.size,
    });
  }

  /** Those that are up. */
  get storers(): number {
    return this.#up.size;
  }

  came(who: object, records: Records): void {
    this.#up.set(who, records);
  }

  left(who: object): void {
    this.#up.delete(who);
  }

  member(): DiscoveryStore {
    return this.#twin.member();
  }

  /** As a member's network opens it. */
  readonly open = (): DirectoryEngine => {
    const store = this.member();
    return {
      put: (pair) => store.put(pair),
      get: (target) => store.get(target),
      setStorers: () => undefined,
      stop: () => store.stop(),
    };
  };

  #put(pair: Pair): PutOutcome {
    const outcomes = [...this.#up.values()].map((records) => records.put(pair, null));
    return outcomes.find(({ ok }) => ok) ?? outcomes[0] ?? NOBODY;
  }

  #get(target: Uint8Array): Found | null {
    const found = [...this.#up.values()].flatMap((records) => records.get(target) ?? []);
    return found.reduce<Found | null>(
      (best, one) => (best === null || one.sequence > best.sequence ? one : best),
      null,
    );
  }
}
