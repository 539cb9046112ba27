/**
 * unsealed-work — what stands in for crypto/work.ts in a benchmark: all of a job but the cipher.
 *
 * Packets cross the lab's cable as they are, under the header and with room for the tag; the other
 * end believes all of them. See test/lab/swap.ts.
 */
import type { Segments } from "../src/crypto/segments.ts";
import { JOB, JOB_KIND } from "../src/memory/layout.ts";
import { fieldWord } from "../src/memory/region.ts";
import { jobWord, type Ring } from "../src/memory/ring.ts";

const KIND = fieldWord(JOB.fields.kind);
const STALE = fieldWord(JOB.fields.stale);
const FAILED_LOW = fieldWord(JOB.fields.failedLow);
const FAILED_HIGH = fieldWord(JOB.fields.failedHigh);

/** See crypto/work.ts. */
export const work = (segments: Segments, ring: Ring, at: number): void => {
  const { u32 } = segments.arena;
  const word = jobWord(ring, at);
  u32[word + STALE] = 0;
  if (u32[word + KIND] === JOB_KIND.none) return;
  if (!segments.fresh(word)) {
    u32[word + STALE] = 1;
    return;
  }
  u32[word + FAILED_LOW] = 0;
  u32[word + FAILED_HIGH] = 0;
};
