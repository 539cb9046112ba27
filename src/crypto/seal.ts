/**
 * seal — outbound packets are encrypted in place.
 *
 *   1. read a run, find its peer      io/send.ts
 *   2. choose its way, post a job     io/send.ts
 *   3. encrypt in place               crypto/seal.ts   ← here, by a worker or inline
 *   4. send the run (GSO)             io/send.ts
 */
import { JOB } from "../memory/layout.ts";
import { fieldWord } from "../memory/region.ts";
import type { Segments } from "./segments.ts";
import { seal } from "./sodium.ts";

const SLOT = fieldWord(JOB.fields.slot);
const SESSION_OF = fieldWord(JOB.fields.session);
const COUNT_OF = fieldWord(JOB.fields.count);
const SEGMENT_BYTES = fieldWord(JOB.fields.segmentBytes);
const LAST_BYTES = fieldWord(JOB.fields.lastBytes);

/**
 * Seals every segment of the job at `word` with ChaCha20-Poly1305 by sodium-native.
 * Headers (type, index, counter) are there already. Thread: the job's claimer.
 */
export const sealChaCha = (segments: Segments, word: number): void => {
  const { u32 } = segments.arena;
  const slot = u32[word + SLOT]!;
  const count = u32[word + COUNT_OF]!;
  const stride = u32[word + SEGMENT_BYTES]!;
  const key = segments.sendKey(u32[word + SESSION_OF]!);
  for (let i = 0; i < count; i++) {
    const bytes = i === count - 1 ? u32[word + LAST_BYTES]! : stride;
    const { plain, sealed } = segments.views(slot, i, stride, bytes);
    const nonce = segments.setNonce(slot, i, stride);
    seal(sealed, plain, undefined, nonce, key);
  }
};
