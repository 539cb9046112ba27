/**
 * open — inbound packets are decrypted in place.
 *
 *   1. receive a run, find its session io/receive.ts
 *   2. choose its way, post a job      io/receive.ts
 *   3. decrypt in place                crypto/open.ts   ← here, by a worker or inline
 *   4. replay, source, write to TUN    io/receive.ts
 */
import { JOB } from "../memory/layout.ts";
import { fieldWord } from "../memory/region.ts";
import type { Segments } from "./segments.ts";
import { open } from "./sodium.ts";

const SLOT = fieldWord(JOB.fields.slot);
const SESSION_OF = fieldWord(JOB.fields.session);
const COUNT_OF = fieldWord(JOB.fields.count);
const SEGMENT_BYTES = fieldWord(JOB.fields.segmentBytes);
const LAST_BYTES = fieldWord(JOB.fields.lastBytes);
const FAILED_LOW = fieldWord(JOB.fields.failedLow);
const FAILED_HIGH = fieldWord(JOB.fields.failedHigh);

/**
 * Opens every segment of the job at `word` with ChaCha20-Poly1305 by sodium-native and notes in the
 * job which ones did not verify. Thread: the job's claimer. Errors: never.
 */
export const openChaCha = (segments: Segments, word: number): void => {
  const { u32 } = segments.arena;
  const slot = u32[word + SLOT]!;
  const count = u32[word + COUNT_OF]!;
  const stride = u32[word + SEGMENT_BYTES]!;
  const key = segments.receiveKey(u32[word + SESSION_OF]!);
  let failedLow = 0;
  let failedHigh = 0;
  for (let i = 0; i < count; i++) {
    const bytes = i === count - 1 ? u32[word + LAST_BYTES]! : stride;
    const { plain, sealed } = segments.views(slot, i, stride, bytes);
    const nonce = segments.setNonce(slot, i, stride);
    if (open(plain, sealed, undefined, nonce, key) < 0) {
      if (i < 32) failedLow |= 1 << i;
      else failedHigh |= 1 << (i - 32);
    }
  }
  u32[word + FAILED_LOW] = failedLow;
  u32[word + FAILED_HIGH] = failedHigh;
};
