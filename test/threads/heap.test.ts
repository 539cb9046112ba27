/**
 * heap — a real I/O thread and a real worker move packets with AES, and allocate nothing for it.
 *
 * V8 allocates while it compiles, so that windows are repeated until one is clean; garbage for each
 * packet, job or turn would be in all of them. Four times as many, and the other two ways, with
 * P2PVPN_MATRIX=full.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { type HeapOptions, measureHeap } from "./heaping.ts";

/** V8 needs 16 bytes for one boxed number, and a window has 5,000 jobs or more. */
const NOISE_BYTES = 32_768;
const WINDOWS = 12;
const full = process.env.P2PVPN_MATRIX === "full";
const TIMES = full ? 4 : 1;

// biome-ignore format: a table
const RUNS: readonly (readonly [what: string, options: Pick<HeapOptions, "packets" | "handedOver" | "segmentBytes" | "warmUp" | "window">, jobs: number])[] = [
  ["225,000 packets in runs of 45, inline", { packets: "segments", handedOver: false, segmentBytes: 64, warmUp: 450_000, window: 225_000 }, 5_000],
  ["25,000 packets one by one, handed over", { packets: "single", handedOver: true, warmUp: 50_000, window: 25_000 }, 25_000],
  ["225,000 packets in runs of 45, handed over", { packets: "segments", handedOver: true, segmentBytes: 64, warmUp: 450_000, window: 225_000 }, 5_000],
  ["25,000 packets one by one, inline", { packets: "single", handedOver: false, warmUp: 50_000, window: 25_000 }, 25_000],
];

for (const [what, options, jobs] of full ? RUNS : RUNS.slice(0, 2)) {
  test(`no thread allocates for ${TIMES} x ${what}`, async (t) => {
    const windows = await measureHeap({
      ...options,
      window: TIMES * options.window,
      windowsMax: WINDOWS,
      enoughBytes: NOISE_BYTES,
    });
    const last = windows.at(-1)!;
    const { io, worker, counters } = last;
    const threads = worker === null ? [io] : [io, worker];
    const bytes = threads.map(({ allocatedBytes }) => allocatedBytes);
    t.diagnostic(`measured: ${t.name}: ${bytes.join(" and ")} bytes in window ${windows.length}`);
    assert.ok(counters.jobsInline! + counters.jobsHandedOver! >= TIMES * jobs);
    assert.equal(counters.jobsHandedOver! > 0, options.handedOver);
    for (const one of bytes) assert.ok(one <= NOISE_BYTES, `${one} bytes in every window or more`);
  });
}
