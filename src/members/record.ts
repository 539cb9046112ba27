/**
 * record — what a member says of itself now: where it may be reached, what it announces. Signed by
 * the node; all but its head is sealed with the network's secret. Pure.
 *
 *    0 version u8 = 1 · 1 flags u8 (none yet) · 2 epoch of the secret u32 · 6 node key (32)
 *   38 certificate hash (16) · 54 sequence u64 (unix ms, growing) · 62 issued u64 · 70 expires
 *      u64 (s, at most 24 h later) · 78 nonce (24)
 *  102 extensions, for all to read · length u16, sealed content · signature (64, kind record)
 *
 *   content: start id (16) · suites u16
 *     candidates: count u8 (<= 8), each { kind u8 (0 configured, 1 local, 2 observed), family u8,
 *     port u16, 4 or 16 bytes } · prefixes: count u8 (<= 16), ascending, each { prefix,
 *     metric u16 } · extensions
 *
 * Sealed: XChaCha20-Poly1305 under the secret's key "record"; associated data is all before the
 * length. Whoever has no secret of that epoch can check the record, keep it, and open it later.
 */
import sodium from "sodium-native";
import type { Cidr } from "../wire/cidr.ts";
import { copyOf, type Decoded, Reader, refused, Writer } from "./bytes.ts";
import {
  type Extension,
  type KnownExtensions,
  putExtensions,
  takeExtensions,
} from "./extensions.ts";
import {
  comparePrefixes,
  familyOf,
  KEY_BYTES,
  putPrefix,
  takeAscending,
  takeFamily,
  takePrefix,
} from "./fields.ts";
import { SIGNATURE_BYTES, sign, verify } from "./sign.ts";

/** Protocol. */
export const RECORD_BYTES_MAX = 400;
export const RECORD_LIFE_MAX_S = 86_400;
export const CANDIDATES_MAX = 8;
export const ANNOUNCED_MAX = 16;
export const START_ID_BYTES = 16;
export const CANDIDATE_KIND = { configured: 0, local: 1, observed: 2 } as const;
const HASH_BYTES = 16;
const NONCE_BYTES = 24;
const SEAL_BYTES = 16;
/** Where the extensions begin that are not sealed. */
const NONCE_END = 102;

/** A place where the member may be; of an unknown kind it is a place all the same. */
export interface Candidate {
  readonly kind: number;
  /** 4 or 16 bytes. */
  readonly address: Uint8Array;
  readonly port: number;
}

export interface Announced {
  readonly prefix: Cidr;
  readonly metric: number;
}

/** What is sealed. */
export interface RecordContent {
  /** Random of this start of the process: two that live tell of a cloned identity. */
  readonly startId: Uint8Array;
  /** A mask of 1 << SUITE. */
  readonly suites: number;
  readonly candidates: readonly Candidate[];
  readonly announced: readonly Announced[];
  readonly extensions?: readonly Extension[];
}

/** What is in clear. Units: seconds since 1970; `sequence` ms. */
export interface RecordHead {
  readonly epoch: number;
  readonly nodeKey: Uint8Array;
  readonly certificateHash: Uint8Array;
  readonly sequence: number;
  readonly issuedS: number;
  readonly expiresS: number;
  readonly extensions?: readonly Extension[];
}

/** Decoded, not opened; verified by `recordSigned` alone. */
export interface RecordView extends Required<RecordHead> {
  readonly bytes: Uint8Array;
  readonly nonce: Uint8Array;
  /** All before the sealed part's length. */
  readonly head: Uint8Array;
  readonly sealed: Uint8Array;
  readonly signature: Uint8Array;
}

/** Reads the clear part. Thread: any. Errors: never. */
export const decodeRecord = (given: Uint8Array, known?: KnownExtensions): Decoded<RecordView> => {
  if (given.length > RECORD_BYTES_MAX) return refused("it is too long");
  const bytes = copyOf(given);
  const reader = new Reader(bytes);
  reader.version();
  reader.u8();
  const epoch = reader.u32();
  const nodeKey = reader.take(KEY_BYTES);
  const certificateHash = reader.take(HASH_BYTES);
  const sequence = reader.u64();
  const issuedS = reader.u64();
  const expiresS = reader.u64();
  const nonce = reader.take(NONCE_BYTES);
  const extensions = takeExtensions(reader, known);
  const head = bytes.subarray(0, reader.at);
  const sealed = reader.take(reader.u16());
  const signature = reader.take(SIGNATURE_BYTES);
  reader.end();
  if (expiresS < issuedS) reader.fail("it expires before it is issued");
  if (expiresS - issuedS > RECORD_LIFE_MAX_S) reader.fail("it lives longer than a day");
  if (sealed.length < SEAL_BYTES) reader.fail("it ends too early");
  if (reader.why !== null) return refused(reader.why);
  const who = { epoch, nodeKey, certificateHash, sequence };
  const rest = { issuedS, expiresS, nonce, extensions, head, sealed, signature };
  return { ok: true, value: { bytes, ...who, ...rest } };
};

/** Did the node say this? */
export const recordSigned = (
  { bytes, signature, nodeKey }: RecordView,
  networkId: Uint8Array,
): boolean => {
  const said = bytes.subarray(0, bytes.length - SIGNATURE_BYTES);
  return verify("record", networkId, said, signature, nodeKey);
};

const takeCandidates = (reader: Reader): Candidate[] => {
  const candidates: Candidate[] = [];
  const count = reader.count(CANDIDATES_MAX, "candidates");
  for (let i = 0; i < count && reader.why === null; i++) {
    const kind = reader.u8();
    const length = takeFamily(reader);
    const port = reader.u16();
    candidates.push({ kind, address: reader.take(length), port });
  }
  return candidates;
};

const takeAnnounced = (reader: Reader): Announced => {
  const prefix = takePrefix(reader);
  return { prefix, metric: reader.u16() };
};

const decodeContent = (bytes: Uint8Array): Decoded<RecordContent> => {
  const reader = new Reader(bytes);
  const startId = reader.take(START_ID_BYTES);
  const suites = reader.u16();
  const candidates = takeCandidates(reader);
  const announced = takeAscending(reader, ANNOUNCED_MAX, "prefixes", takeAnnounced, (a, b) =>
    comparePrefixes(a.prefix, b.prefix),
  );
  const extensions = takeExtensions(reader);
  reader.end();
  if (reader.why !== null) return refused(reader.why);
  return { ok: true, value: { startId, suites, candidates, announced, extensions } };
};

/**
 * Opens a record. `key`: `derive(secret, "record")` of the secret of its epoch.
 *
 * Thread: any. Errors: never.
 */
export const openRecord = (view: RecordView, key: Uint8Array): Decoded<RecordContent> => {
  const plain = new Uint8Array(view.sealed.length - SEAL_BYTES);
  try {
    sodium.crypto_aead_xchacha20poly1305_ietf_decrypt(
      plain,
      null,
      view.sealed,
      view.head,
      view.nonce,
      key,
    );
  } catch {
    return refused("it is not sealed with the network's secret");
  }
  return decodeContent(plain);
};

const encodeContent = (content: RecordContent): Uint8Array => {
  const writer = new Writer(RECORD_BYTES_MAX);
  writer.put(content.startId, START_ID_BYTES).u16(content.suites).u8(content.candidates.length);
  for (const { kind, address, port } of content.candidates) {
    writer.u8(kind).u8(familyOf(address)).u16(port).put(address);
  }
  const order = [...content.announced].sort((a, b) => comparePrefixes(a.prefix, b.prefix));
  writer.u8(order.length);
  for (const { prefix, metric } of order) {
    putPrefix(writer, prefix);
    writer.u16(metric);
  }
  putExtensions(writer, content.extensions);
  return writer.done();
};

/** What a record is made with. */
export interface RecordKeys {
  readonly networkId: Uint8Array;
  /** The node's, 64 bytes. */
  readonly secretKey: Uint8Array;
  /** `derive(secret, "record")`. */
  readonly recordKey: Uint8Array;
  /** Random, used once: 24 bytes. */
  readonly nonce: Uint8Array;
}

/**
 * Seals and signs one. Errors: RangeError for what does not fit; `recordFits` tells before.
 */
export const encodeRecord = (
  head: RecordHead,
  content: RecordContent,
  keys: RecordKeys,
): Uint8Array => {
  const plain = encodeContent(content);
  const writer = new Writer(RECORD_BYTES_MAX);
  writer.u8(1).u8(0).u32(head.epoch).put(head.nodeKey, KEY_BYTES);
  writer.put(head.certificateHash, HASH_BYTES);
  writer.u64(head.sequence).u64(head.issuedS).u64(head.expiresS).put(keys.nonce, NONCE_BYTES);
  putExtensions(writer, head.extensions);
  const sealed = new Uint8Array(plain.length + SEAL_BYTES);
  sodium.crypto_aead_xchacha20poly1305_ietf_encrypt(
    sealed,
    plain,
    writer.done(),
    null,
    keys.nonce,
    keys.recordKey,
  );
  writer.u16(sealed.length).put(sealed);
  return writer.put(sign("record", keys.networkId, writer.done(), keys.secretKey)).done();
};

/** Has a record without extensions in clear room for this content? */
export const recordFits = (content: RecordContent): boolean => {
  try {
    const sealed = encodeContent(content).length + SEAL_BYTES;
    return NONCE_END + 1 + 2 + sealed + SIGNATURE_BYTES <= RECORD_BYTES_MAX;
  } catch {
    return false;
  }
};
