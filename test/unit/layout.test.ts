/** layout — where regions lie, how many entries they have, and what the numbers must satisfy. */
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  arenaLayout,
  COUNT,
  DATA_HEADER_BYTES,
  DROP,
  IO_MAX,
  JOB,
  JOB_BYTES,
  JOB_SEGMENTS,
  type Limits,
  MESSAGE,
  PEER,
  QUEUE_ENTRIES,
  REGIONS,
  REPLAY_BITS,
  RING_JOBS,
  SEGMENT_OVERHEAD_BYTES,
  SESSION,
  SLOT_BYTES,
  SLOTS_PER_IO,
  STAGED_SLOTS,
  TAG_BYTES,
  UNRETIRED_SEGMENTS,
  WORKERS_MAX,
} from "../../src/memory/layout.ts";
import { ioTag, workerOfTag } from "../../src/memory/ring.ts";
import { OWNER_MASK } from "../../src/wire/receiver-index.ts";

const PAGE_BYTES = 4_096;
const LIMITS: readonly Limits[] = [
  { ioThreads: 1, workers: 0, peers: 1, routes: 0 },
  { ioThreads: 1, workers: 1, peers: 1_000, routes: 16_384 },
  { ioThreads: IO_MAX, workers: WORKERS_MAX, peers: 10_000, routes: 100_000 },
];

for (const limits of LIMITS) {
  test(`regions follow one another: ${JSON.stringify(limits)}`, () => {
    const { base, count, bytes } = arenaLayout(limits);
    let end = 0;
    for (const region of REGIONS) {
      assert(base[region.name] >= end, `${region.name} overlaps the region before it`);
      assert(base[region.name] < end + PAGE_BYTES, `${region.name} wastes more than a page`);
      assert.equal(base[region.name] % PAGE_BYTES, 0, region.name);
      assert.equal(count[region.name], region.count(limits), region.name);
      end = base[region.name] + region.size * count[region.name];
    }
    assert(bytes >= end && bytes < end + PAGE_BYTES);
    assert.equal(bytes % PAGE_BYTES, 0);
  });
}

test("an arena that would pass 4 GiB is refused, in words", () => {
  const limits = { ioThreads: 1, workers: 1, peers: 1_000_000, routes: 1 };
  assert.throws(() => arenaLayout(limits), {
    name: "RangeError",
    message: /would need \d+ bytes; lower the limits on peers or routes/,
  });
});

test("numbers that depend on each other", () => {
  for (const number of [RING_JOBS, QUEUE_ENTRIES]) assert.equal(number & (number - 1), 0);
  assert.equal(SEGMENT_OVERHEAD_BYTES, DATA_HEADER_BYTES + TAG_BYTES);
  // A whole TUN read in segments of 1,000 bytes, and a job of the largest size, fit into a slot.
  const segments = Math.ceil(65_535 / 1_000);
  assert(65_535 + segments * (SEGMENT_OVERHEAD_BYTES + 16) <= SLOT_BYTES);
  assert(JOB_BYTES <= SLOT_BYTES && 65_535 <= SLOT_BYTES);
  assert(SLOTS_PER_IO > RING_JOBS + STAGED_SLOTS, "no slot is left to be filled");
  assert(UNRETIRED_SEGMENTS + JOB_SEGMENTS <= REPLAY_BITS - 64, "our own jobs outrun the window");
  assert.equal(SESSION.fields.window.bytes * 8, REPLAY_BITS);
  assert.equal(IO_MAX, OWNER_MASK + 1);
  // Both are copied into a message as one.
  assert.equal(JOB.fields.source.at + JOB.fields.source.bytes, JOB.fields.local.at);
  assert.equal(MESSAGE.fields.address.at + MESSAGE.fields.address.bytes, MESSAGE.fields.local.at);
  assert.equal(PEER.fields.endpoint.at + PEER.fields.endpoint.bytes, PEER.fields.local.at);
  assert.equal(workerOfTag(ioTag(IO_MAX - 1)), -1);
});

test("drops and counts are numbered one after the other", () => {
  const numbers = [...Object.values(DROP), ...Object.values(COUNT)];
  assert.deepEqual(
    numbers,
    numbers.map((_, i) => i),
  );
});
