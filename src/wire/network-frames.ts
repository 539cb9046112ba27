/**
 * network-frames — what members say to each other inside their sessions: bodies of control frames.
 *
 *   DIGEST  digests.ts
 *   WANT    1 to 32 x { id u64, flags u8 (1: the certificate too) }
 *   RECORD  one or more { length u16, record, length u16, certificate or nothing }
 *   REVOCATIONS  0 authority u8 · 1 sequence u64 · 9 length of the list u32 · 13 offset u32
 *                17 a piece of the list
 *   ACK     0 authority u8 · 1 sequence u64 · 9 epoch u32
 *   DEFINITION   the definition
 *   SECRET  0 epoch u32 · 4 secret (32)
 *   ECHO    0 flags u8 (1 answer, 2 clock trusted) · 1 unix time u64 (ms) · 9 highest sequence
 *           known of you u64
 *   GOODBYE 0 reason u8 (0: it stops)
 *   RENEW   0 hash of the sender's certificate (16)
 *   RENEWED 0 verdict u8 (0 renewed, 1 refused)
 *           1 certificate, or why, a clause (1 to 200 characters of ASCII)
 *
 * Integers are little-endian. What is decoded is null when it is not as it has to be; nothing
 * throws. Bodies of fixed layout may be longer: what a later version adds is not read.
 */
import type { Standing } from "./digests.ts";
import { FRAME_BODY_BYTES } from "./frames.ts";
import { getU64, isSafe, setU64, viewOf } from "./u64.ts";

export const WANTS_MAX = 32;
const SECRET_BYTES = 32;
const WANT_BYTES = 9;
const PIECE_HEAD_BYTES = 17;
/** Protocol: bytes of a list in one frame. */
export const PIECE_BYTES = FRAME_BODY_BYTES - PIECE_HEAD_BYTES;

export interface Want {
  readonly id: number;
  readonly certificate: boolean;
}

/** A record as it came, and its certificate; empty: it was left out. Borrowed. */
export interface Shown {
  readonly record: Uint8Array;
  readonly certificate: Uint8Array;
}

export interface Piece {
  readonly list: Standing;
  readonly total: number;
  readonly offset: number;
  /** Borrowed. */
  readonly bytes: Uint8Array;
}

export interface Ack {
  readonly list: Standing;
  readonly epoch: number;
}

export interface Echo {
  readonly answer: boolean;
  readonly trusted: boolean;
  readonly unixMs: number;
  readonly sequence: number;
}

// ---------------------------------------------------------------------------------------------
// WANT, RECORD

const WANT_CERTIFICATE = 1;

/** 1 to WANTS_MAX. */
export const encodeWants = (wants: readonly Want[]): Uint8Array => {
  const body = new Uint8Array(wants.length * WANT_BYTES);
  const view = viewOf(body);
  for (const [i, { id, certificate }] of wants.entries()) {
    setU64(view, i * WANT_BYTES, id);
    body[i * WANT_BYTES + 8] = certificate ? WANT_CERTIFICATE : 0;
  }
  return body;
};

export const decodeWants = (body: Uint8Array): readonly Want[] | null => {
  const count = body.length / WANT_BYTES;
  if (!Number.isInteger(count) || count < 1 || count > WANTS_MAX) return null;
  const view = viewOf(body);
  const wants: Want[] = [];
  for (let at = 0; at < body.length; at += WANT_BYTES) {
    const id = getU64(view, at);
    if (!isSafe(id)) return null;
    wants.push({ id, certificate: (body[at + 8]! & WANT_CERTIFICATE) !== 0 });
  }
  return wants;
};

/** Bytes that something shown takes in a frame. */
export const shownBytes = ({ record, certificate }: Shown): number =>
  4 + record.length + certificate.length;

/** One or more, FRAME_BODY_BYTES at most together. */
export const encodeShown = (all: readonly Shown[]): Uint8Array => {
  let bytes = 0;
  for (const one of all) bytes += shownBytes(one);
  const body = new Uint8Array(bytes);
  let at = 0;
  for (const { record, certificate } of all) {
    at = putPart(body, at, record);
    at = putPart(body, at, certificate);
  }
  return body;
};

const putPart = (body: Uint8Array, at: number, part: Uint8Array): number => {
  body[at] = part.length;
  body[at + 1] = part.length >> 8;
  body.set(part, at + 2);
  return at + 2 + part.length;
};

/** Bytes from `at` on with their length before them; null: there are fewer. */
const takePart = (body: Uint8Array, at: number): Uint8Array | null => {
  if (at + 2 > body.length) return null;
  const end = at + 2 + (body[at]! | (body[at + 1]! << 8));
  return end > body.length ? null : body.subarray(at + 2, end);
};

export const decodeShown = (body: Uint8Array): readonly Shown[] | null => {
  const all: Shown[] = [];
  for (let at = 0; at < body.length; ) {
    const record = takePart(body, at);
    const certificate = record && takePart(body, at + 2 + record.length);
    if (record === null || certificate === null || record.length === 0) return null;
    all.push({ record, certificate });
    at += 4 + record.length + certificate.length;
  }
  return all.length === 0 ? null : all;
};

// ---------------------------------------------------------------------------------------------
// REVOCATIONS, ACK, SECRET, ECHO

export const encodePiece = ({ list, total, offset, bytes }: Piece): Uint8Array => {
  const body = new Uint8Array(PIECE_HEAD_BYTES + bytes.length);
  const view = viewOf(body);
  body[0] = list.chain;
  setU64(view, 1, list.sequence);
  view.setUint32(9, total, true);
  view.setUint32(13, offset, true);
  body.set(bytes, PIECE_HEAD_BYTES);
  return body;
};

/** Pieces are whole: PIECE_BYTES each, but for the last. */
export const decodePiece = (body: Uint8Array): Piece | null => {
  if (body.length <= PIECE_HEAD_BYTES) return null;
  const view = viewOf(body);
  const list = { chain: body[0]!, sequence: getU64(view, 1) };
  const total = view.getUint32(9, true);
  const offset = view.getUint32(13, true);
  const bytes = body.subarray(PIECE_HEAD_BYTES);
  const whole = Math.min(PIECE_BYTES, total - offset);
  if (!isSafe(list.sequence) || offset % PIECE_BYTES !== 0 || bytes.length !== whole) return null;
  return { list, total, offset, bytes };
};

const ACK_BYTES = 13;

export const encodeAck = ({ list, epoch }: Ack): Uint8Array => {
  const body = new Uint8Array(ACK_BYTES);
  const view = viewOf(body);
  body[0] = list.chain;
  setU64(view, 1, list.sequence);
  view.setUint32(9, epoch, true);
  return body;
};

export const decodeAck = (body: Uint8Array): Ack | null => {
  if (body.length < ACK_BYTES) return null;
  const view = viewOf(body);
  const list = { chain: body[0]!, sequence: getU64(view, 1) };
  return isSafe(list.sequence) ? { list, epoch: view.getUint32(9, true) } : null;
};

export const encodeSecret = (epoch: number, secret: Uint8Array): Uint8Array => {
  const body = new Uint8Array(4 + SECRET_BYTES);
  viewOf(body).setUint32(0, epoch, true);
  body.set(secret, 4);
  return body;
};

/** Takes a copy of the secret. */
export const decodeSecret = (body: Uint8Array): { epoch: number; secret: Uint8Array } | null =>
  body.length < 4 + SECRET_BYTES
    ? null
    : { epoch: viewOf(body).getUint32(0, true), secret: body.slice(4, 4 + SECRET_BYTES) };

const ECHO_BYTES = 17;
const ECHO_ANSWER = 1;
const ECHO_TRUSTED = 2;

export const encodeEcho = ({ answer, trusted, unixMs, sequence }: Echo): Uint8Array => {
  const body = new Uint8Array(ECHO_BYTES);
  const view = viewOf(body);
  body[0] = (answer ? ECHO_ANSWER : 0) | (trusted ? ECHO_TRUSTED : 0);
  setU64(view, 1, unixMs);
  setU64(view, 9, sequence);
  return body;
};

export const decodeEcho = (body: Uint8Array): Echo | null => {
  if (body.length < ECHO_BYTES) return null;
  const view = viewOf(body);
  const [unixMs, sequence] = [getU64(view, 1), getU64(view, 9)];
  if (!isSafe(unixMs) || !isSafe(sequence)) return null;
  const flags = body[0]!;
  return {
    answer: (flags & ECHO_ANSWER) !== 0,
    trusted: (flags & ECHO_TRUSTED) !== 0,
    unixMs,
    sequence,
  };
};

// ---------------------------------------------------------------------------------------------
// RENEW, RENEWED

const HASH_BYTES = 16;
const WHY_LENGTH_MAX = 200;
const RENEWED = 0;
const REFUSED = 1;

/** What came of a RENEW. */
export type Renewed =
  /** Borrowed. */
  { readonly certificate: Uint8Array } | { readonly why: string };

/** Hash of the certificate that is to be renewed; a copy. */
export const decodeRenew = (body: Uint8Array): Uint8Array => body.slice(0, HASH_BYTES);

export const encodeRenewed = (renewed: Renewed): Uint8Array => {
  const [verdict, bytes] =
    "certificate" in renewed
      ? [RENEWED, renewed.certificate]
      : [REFUSED, Buffer.from(renewed.why.slice(0, WHY_LENGTH_MAX), "latin1")];
  const body = new Uint8Array(1 + bytes.length);
  body[0] = verdict;
  body.set(bytes, 1);
  return body;
};

export const decodeRenewed = (body: Uint8Array): Renewed | null => {
  if (body.length < 2 || body[0]! > REFUSED) return null;
  if (body[0] === RENEWED) return { certificate: body.subarray(1) };
  const why = Buffer.from(body.subarray(1, 1 + WHY_LENGTH_MAX)).toString("latin1");
  return { why: why.replace(/[^ -~]/g, "?") };
};
