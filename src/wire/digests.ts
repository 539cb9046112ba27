/**
 * digests — what a member holds, in short, as members tell each other: bodies of DIGEST frames.
 *
 *     0 kind u8
 *       0 root     1 flags u8 (1 keep, 2 answer, 4 decline) · 2 root hash (16) · 18 members u32
 *                  22 list: authority u8, sequence u64 · 31 definition: successions u8,
 *                  sequence u64 · 40 newest epoch u32
 *       1 buckets  1 64 x { digest (8) }: bucket = first 6 bits of the id
 *       2 range    1 first id u64 · 9 last id u64 · 17 entries: all that is between the two
 *       3 news     1 entries
 *       entry      id u64 (below 2^53) · sequence u64; ids ascend
 *
 * What is decoded is null when it is not as it has to be; nothing throws. Pure.
 */
import { FRAME_BODY_BYTES } from "./frames.ts";
import { getU64, isSafe, setU64, viewOf } from "./u64.ts";

/** Protocol: ids are the first 53 bits of a hash, so that a number holds one. */
export const ID_MAX = Number.MAX_SAFE_INTEGER;
export const BUCKETS = 64;
/** Protocol: bytes of what a bucket comes to, and of the root. */
export const BUCKET_BYTES = 8;
export const ROOT_HASH_BYTES = 16;
const ENTRY_BYTES = 16;
const RANGE_HEAD_BYTES = 17;
/** Protocol: entries of one news; a range has a few more. */
export const NEWS_MAX = 64;
export const RANGE_MAX = Math.floor((FRAME_BODY_BYTES - RANGE_HEAD_BYTES) / ENTRY_BYTES);

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

/** Of nothing. */
export const NO_STANDING: Standing = { chain: 0, sequence: 0 };

/** Is `a` newer than `b`? */
export const isNewer = (a: Standing, b: Standing): boolean =>
  a.chain !== b.chain ? a.chain > b.chain : a.sequence > b.sequence;

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
