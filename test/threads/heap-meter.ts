/**
 * heap-meter — what this thread's heap allocates, keeps and collects between two moments.
 *
 * V8's used size at the allocation pointer is exact; what a collection takes away is added again.
 * So is every object counted, also one that lived for a moment: an exception, a BigInt, a number
 * that had to be boxed. Thread: any; needs no event loop.
 */
import { GCProfiler, getHeapStatistics, setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

export interface Reading {
  readonly allocatedBytes: number;
  /** Growth of the heap between full collections. */
  readonly keptBytes: number;
  /** Collections that V8 began by itself, and how long they took. */
  readonly collections: number;
  readonly pauseMs: number;
}

/** One row of the profiler's list, as far as it is read. */
interface Collection {
  readonly cost: number;
  readonly beforeGC: { readonly heapStatistics: { readonly usedHeapSize: number } };
  readonly afterGC: { readonly heapStatistics: { readonly usedHeapSize: number } };
}

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;

const usedBytes = (): number => getHeapStatistics().used_heap_size;

const CALIBRATIONS = 4;
const NOTHING: Reading = { allocatedBytes: 0, keptBytes: 0, collections: 0, pauseMs: 0 };

export class Meter {
  #profiler = new GCProfiler();
  #begunBytes = 0;
  /** What a reading of nothing shows: the meter's own objects. */
  readonly #own: Reading;

  constructor() {
    this.#own = NOTHING;
    // The first ones also compile what they call.
    for (let i = 0; i < CALIBRATIONS; i++) {
      this.begin();
      this.#own = this.#read(NOTHING);
    }
  }

  begin(): void {
    collect();
    this.#profiler = new GCProfiler();
    this.#profiler.start();
    this.#begunBytes = usedBytes();
  }

  end(): Reading {
    return this.#read(this.#own);
  }

  #read(own: Reading): Reading {
    const endedBytes = usedBytes();
    const { statistics } = this.#profiler.stop() as { statistics: readonly Collection[] };
    const taken = statistics.map(
      ({ beforeGC, afterGC }) =>
        beforeGC.heapStatistics.usedHeapSize - afterGC.heapStatistics.usedHeapSize,
    );
    const sum = (values: readonly number[]): number => values.reduce((all, one) => all + one, 0);
    collect();
    return {
      allocatedBytes: endedBytes - this.#begunBytes + sum(taken) - own.allocatedBytes,
      keptBytes: usedBytes() - this.#begunBytes - own.keptBytes,
      collections: statistics.length,
      pauseMs: sum(statistics.map(({ cost }) => cost)) / 1_000,
    };
  }
}
