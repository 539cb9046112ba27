/**
 * work — what a claimer does with a job, whoever it is.
 *
 * ChaCha20-Poly1305 is sodium-native's, AES-256-GCM the addon's (OpenSSL inside node).
 */
import { addon } from "../io/native/addon.ts";
import { JOB, JOB_KIND, SUITE } from "../memory/layout.ts";
import { fieldWord } from "../memory/region.ts";
import { jobIndex, jobWord, type Ring } from "../memory/ring.ts";
import { openChaCha } from "./open.ts";
import { sealChaCha } from "./seal.ts";
import type { Segments } from "./segments.ts";

const KIND = fieldWord(JOB.fields.kind);
const SUITE_OF = fieldWord(JOB.fields.suite);
const STALE = fieldWord(JOB.fields.stale);

/**
 * Seals or opens the job at a position. The caller has claimed it, or it was never published.
 * A job whose slot or session has changed, or that OpenSSL fails, is marked stale and left alone.
 */
export const work = (segments: Segments, ring: Ring, at: number): void => {
  const { u32 } = segments.arena;
  const word = jobWord(ring, at);
  const kind = u32[word + KIND];
  u32[word + STALE] = 0;
  if (kind === JOB_KIND.none) return;
  if (!segments.fresh(word)) {
    u32[word + STALE] = 1;
    return;
  }
  if (u32[word + SUITE_OF] === SUITE.chacha20poly1305) {
    segments.followMtu();
    if (kind === JOB_KIND.seal) sealChaCha(segments, word);
    else openChaCha(segments, word);
    return;
  }
  const job = jobIndex(ring, at);
  const result = kind === JOB_KIND.seal ? addon.seal(job) : addon.open(job);
  if (result < 0) u32[word + STALE] = 1;
};
