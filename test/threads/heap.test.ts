/**
 * heap — a real I/O thread and a real worker move packets with AES, and allocate nothing for it.
 *
 * V8 allocates while it compiles, so that windows are repeated until one is clean; garbage for each
 * packet, job or turn would be in all of them. `npm run bench:heap` does it for ten million.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { type HeapOptions, measureHeap } from "./heaping.ts";

/** V8 needs 16 bytes for one boxed number, and a window has 5,000 jobs or more. */
const NOISE_BYTES = 32_768;
const WINDOWS = 12;

// biome-ignore format: a table
const RUNS: readonly (readonly [what: string, options: Pick<HeapOptions, "packets" | "handedOver" | "segmentBytes" | "warmUp" | "window">, jobs: number])[] = [
  ["225,000 packets in runs of 45, inline", { packets: "segments", handedOver: false, segmentBytes: 64, warmUp: 450_000, window: 225_000 }, 5_000],
  ["25,000 packets one by one, handed over", { packets: "single", handedOver: true, warmUp: 50_000, window: 25_000 }, 25_000],
];

for (const [what, options, jobs] of RUNS) {
  test(`no thread allocates for ${what}`, async (t) => {
    const windows = await measureHeap({
      ...options,
      windowsMax: WINDOWS,
      enoughBytes: NOISE_BYTES,
    });
    const last = windows.at(-1)!;
    const { io, worker, counters } = last;
    const threads = worker === null ? [io] : [io, worker];
    const bytes = threads.map(({ allocatedBytes }) => allocatedBytes);
    t.diagnostic(`measured: ${t.name}: ${bytes.join(" and ")} bytes in window ${windows.length}`);
    assert.ok(counters.jobsInline! + counters.jobsHandedOver! >= jobs);
    assert.equal(counters.jobsHandedOver! > 0, options.handedOver);
    for (const one of bytes) assert.ok(one <= NOISE_BYTES, `${one} bytes in every window or more`);
  });
}
