/**
 * twin — the directory in the memory of one process, for simulations of many nodes: one store
 * behind all of them, and the latency of a real one before each answer.
 *
 * test/simulation/directory.test.ts has both do the same and compares what they say. What a twin
 * leaves out: storers that lie, differ or are partly down.
 */
import { decodePair, type Pair } from "../wire/intro.ts";
import type { Count } from "./counts.ts";
import type { Records } from "./records.ts";
import { type DiscoveryStore, REPLICAS, type Timer } from "./store.ts";

/** Tuning: round trips that a put and a get take: who is closest, then they; closest alone. */
const PUT_TRIPS = 2;
const GET_TRIPS = 1;

export interface TwinOptions {
  readonly records: Pick<Records, "put" | "get">;
  readonly timer: Timer;
  readonly count: Count;
  /** Round trip of the next question, in milliseconds. */
  readonly tripMs: () => number;
  /** Storers that are up. */
  readonly storers: () => number;
}

/** What all nodes of a simulation share. */
export class TwinDirectory {
  readonly #options: TwinOptions;

  constructor(options: TwinOptions) {
    this.#options = options;
  }

  /** A node's view of it. */
  member(): DiscoveryStore {
    return new TwinStore(this.#options);
  }
}

class TwinStore implements DiscoveryStore {
  readonly #options: TwinOptions;
  readonly #waiting = new Set<() => void>();

  constructor(options: TwinOptions) {
    this.#options = options;
  }

  put(pair: Pair): Promise<number> {
    const { records, storers } = this.#options;
    return this.#later(PUT_TRIPS, 0, () =>
      storers() > 0 && records.put(pair, null).ok ? Math.min(REPLICAS, storers()) : 0,
    );
  }

  get(target: Uint8Array): Promise<Pair | null> {
    const { records, storers, count } = this.#options;
    return this.#later(GET_TRIPS, null, () => {
      const found = storers() > 0 ? records.get(target) : null;
      if (found === null) return null;
      count("answered");
      return decodePair(found.bytes);
    });
  }

  async stop(): Promise<void> {
    for (const end of this.#waiting) end();
  }

  /** What `act` says after so many round trips; `none` when it is stopped before. */
  #later<Value>(trips: number, none: Value, act: () => Value): Promise<Value> {
    const { timer, tripMs } = this.#options;
    let delayMs = 0;
    for (let i = 0; i < trips; i++) delayMs += tripMs();
    return new Promise((resolve) => {
      const end = (): void => {
        this.#waiting.delete(end);
        callOff();
        resolve(none);
      };
      const callOff = timer.after(delayMs, () => {
        this.#waiting.delete(end);
        resolve(act());
      });
      this.#waiting.add(end);
    });
  }
}
