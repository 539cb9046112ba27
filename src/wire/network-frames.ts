/**
 * network-frames — what members say to each other inside their sessions: bodies of control frames.
 *
 *   DIGEST  0 kind u8
 *     0 root     1 flags u8 (1 keep, 2 answer, 4 decline) · 2 root hash (16) · 18 members u32
 *                22 list: authority u8, sequence u64 · 31 definition: successions u8, sequence u64
 *                40 newest epoch u32
 *     1 buckets  1 64 x { digest (8) }: bucket = first 6 bits of the id
 *     2 range    1 first id u64 · 9 last id u64 · 17 entries: all that there is between the two
 *     3 news     1 entries
 *     entry      id u64 (below 2^53) · sequence u64; ids ascend
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
 *
 * Integers are little-endian. What is decoded is null when it is not as it has to be; nothing
 * throws. Bodies of fixed layout may be longer: what a later version adds is not read.
 */
import { FRAME_BODY_BYTES } from "./frames.ts";

/** Protocol: ids are the first 53 bits of a hash, so that a number holds one. */
export const ID_MAX = Number.MAX_SAFE_INTEGER;
export const BUCKETS = 64;
/** Protocol: bytes of what a bucket comes to, and of the root. */
export const BUCKET_BYTES = 8;
export const ROOT_HASH_BYTES = 16;
export const WANTS_MAX = 32;
const SECRET_BYTES = 32;
const ENTRY_BYTES = 16;
const RANGE_HEAD_BYTES = 17;
const WANT_BYTES = 9;
const PIECE_HEAD_BYTES = 17;
/** Protocol: entries of one news; a range has a few more. */
export const NEWS_MAX = 64;
export const RANGE_MAX = Math.floor((FRAME_BODY_BYTES - RANGE_HEAD_BYTES) / ENTRY_BYTES);
/** Protocol: bytes of a list in one frame. */
export const PIECE_BYTES = FRAME_BODY_BYTES - PIECE_HEAD_BYTES;

const TWO_32 = 2 ** 32;
const SAFE_HIGH = 2 ** 21;

const DIGEST = { root: 0, buckets: 1, range: 2, news: 3 } as const;

/** What a member knows, in short. */
export interface Root {
  readonly kind: "root";
  /** The other end is a neighbour of mine. */
  readonly keep: boolean;
  /** Say yours. */
  readonly answer: boolean;
  /** I do not want to be your neighbour. */
  readonly decline: boolean;
  readonly hash: Uint8Array;
  readonly members: number;
  readonly list: Standing;
  readonly definition: Standing;
  readonly epoch: number;
}

/** Which of two is newer: by `chain` first (authority, successions), then by `sequence`. */
export interface Standing {
  readonly chain: number;
  readonly sequence: number;
}

/** A member and the sequence of its record. */
export interface Entry {
  readonly id: number;
  readonly sequence: number;
}

/** Entries as they stand in a body: thousands come a second, and none is made an object. */
export class Entries {
  readonly #view: DataView;
  readonly count: number;

  /** Of bytes that were checked. Borrows. */
  constructor(bytes: Uint8Array) {
    this.#view = viewOf(bytes);
    this.count = bytes.length / ENTRY_BYTES;
  }

  id(i: number): number {
    return getU64(this.#view, i * ENTRY_BYTES);
  }

  sequence(i: number): number {
    return getU64(this.#view, i * ENTRY_BYTES + 8);
  }
}

export interface Buckets {
  readonly kind: "buckets";
  /** BUCKETS of BUCKET_BYTES. Borrowed. */
  readonly digests: Uint8Array;
}

export interface Range {
  readonly kind: "range";
  readonly first: number;
  readonly last: number;
  readonly entries: Entries;
}

export interface News {
  readonly kind: "news";
  readonly entries: Entries;
}

export type Digest = Root | Buckets | Range | News;

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

const viewOf = (bytes: Uint8Array): DataView =>
  new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

const setU64 = (view: DataView, at: number, value: number): void => {
  view.setUint32(at, value % TWO_32, true);
  view.setUint32(at + 4, Math.floor(value / TWO_32), true);
};

/** Infinity when it is not below 2^53. */
const getU64 = (view: DataView, at: number): number => {
  const high = view.getUint32(at + 4, true);
  return high < SAFE_HIGH ? high * TWO_32 + view.getUint32(at, true) : Number.POSITIVE_INFINITY;
};

const isSafe = (value: number): boolean => value !== Number.POSITIVE_INFINITY;

// ---------------------------------------------------------------------------------------------
// DIGEST

const ROOT_BYTES = 44;
const KEEP = 1;
const ANSWER = 2;
const DECLINE = 4;

export const encodeRoot = (root: Omit<Root, "kind">): Uint8Array => {
  const body = new Uint8Array(ROOT_BYTES);
  const view = viewOf(body);
  body[0] = DIGEST.root;
  body[1] = (root.keep ? KEEP : 0) | (root.answer ? ANSWER : 0) | (root.decline ? DECLINE : 0);
  body.set(root.hash.subarray(0, ROOT_HASH_BYTES), 2);
  view.setUint32(18, root.members, true);
  body[22] = root.list.chain;
  setU64(view, 23, root.list.sequence);
  body[31] = root.definition.chain;
  setU64(view, 32, root.definition.sequence);
  view.setUint32(40, root.epoch, true);
  return body;
};

const decodeRoot = (body: Uint8Array): Root | null => {
  if (body.length < ROOT_BYTES) return null;
  const view = viewOf(body);
  const flags = body[1]!;
  const list = { chain: body[22]!, sequence: getU64(view, 23) };
  const definition = { chain: body[31]!, sequence: getU64(view, 32) };
  if (!isSafe(list.sequence) || !isSafe(definition.sequence)) return null;
  return {
    kind: "root",
    keep: (flags & KEEP) !== 0,
    answer: (flags & ANSWER) !== 0,
    decline: (flags & DECLINE) !== 0,
    hash: body.slice(2, 2 + ROOT_HASH_BYTES),
    members: view.getUint32(18, true),
    list,
    definition,
    epoch: view.getUint32(40, true),
  };
};

/** Takes: `digests` of BUCKETS x BUCKET_BYTES, copied. */
export const encodeBuckets = (digests: Uint8Array): Uint8Array => {
  const body = new Uint8Array(1 + BUCKETS * BUCKET_BYTES);
  body[0] = DIGEST.buckets;
  body.set(digests, 1);
  return body;
};

const putEntries = (body: Uint8Array, from: number, entries: readonly Entry[]): Uint8Array => {
  const view = viewOf(body);
  let at = from;
  for (const { id, sequence } of entries) {
    setU64(view, at, id);
    setU64(view, at + 8, sequence);
    at += ENTRY_BYTES;
  }
  return body;
};

/** Entries to the body's end, ids ascending; null: they are not so. */
const takeEntries = (body: Uint8Array, from: number, most: number): Entries | null => {
  const bytes = body.length - from;
  if (bytes % ENTRY_BYTES !== 0 || bytes < 0 || bytes > most * ENTRY_BYTES) return null;
  const entries = new Entries(body.subarray(from));
  let before = -1;
  for (let i = 0; i < entries.count; i++) {
    const id = entries.id(i);
    if (id <= before || !isSafe(id) || !isSafe(entries.sequence(i))) return null;
    before = id;
  }
  return entries;
};

/** Entries lie between `first` and `last`, ids ascending, RANGE_MAX of them at most. */
export const encodeRange = (first: number, last: number, entries: readonly Entry[]): Uint8Array => {
  const body = new Uint8Array(RANGE_HEAD_BYTES + entries.length * ENTRY_BYTES);
  body[0] = DIGEST.range;
  setU64(viewOf(body), 1, first);
  setU64(viewOf(body), 9, last);
  return putEntries(body, RANGE_HEAD_BYTES, entries);
};

const decodeRange = (body: Uint8Array): Range | null => {
  if (body.length < RANGE_HEAD_BYTES) return null;
  const view = viewOf(body);
  const [first, last] = [getU64(view, 1), getU64(view, 9)];
  const entries = takeEntries(body, RANGE_HEAD_BYTES, RANGE_MAX);
  if (entries === null || !isSafe(last) || first > last) return null;
  const { count } = entries;
  const inside = count === 0 || (entries.id(0) >= first && entries.id(count - 1) <= last);
  return inside ? { kind: "range", first, last, entries } : null;
};

/** Ids ascending, 1 to NEWS_MAX of them. */
export const encodeNews = (entries: readonly Entry[]): Uint8Array => {
  const body = new Uint8Array(1 + entries.length * ENTRY_BYTES);
  body[0] = DIGEST.news;
  return putEntries(body, 1, entries);
};

/** Reads a DIGEST. Thread: any. Errors: never. */
export const decodeDigest = (body: Uint8Array): Digest | null => {
  switch (body[0]) {
    case DIGEST.root:
      return decodeRoot(body);
    case DIGEST.buckets: {
      const end = 1 + BUCKETS * BUCKET_BYTES;
      return body.length < end ? null : { kind: "buckets", digests: body.subarray(1, end) };
    }
    case DIGEST.range:
      return decodeRange(body);
    case DIGEST.news: {
      const entries = takeEntries(body, 1, NEWS_MAX);
      return entries === null || entries.count === 0 ? null : { kind: "news", entries };
    }
    default:
      return null;
  }
};

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
