/**
 * revocation-list — whose certificates do not count any more, and which secret is the newest. Pure.
 *
 *    0 version u8 = 1 · 1 flags u8 (none yet) · 2 sequence u64 · 10 issued u64 · 18 next update
 *      u64 (s) · 26 epoch of the newest secret u32 · 30 its check (32, secret.ts)
 *   62 entries: count u16 (<= 3,000), ascending, each
 *      { first 16 bytes of BLAKE2b-256 of the node key, issued before u64 (s) }
 *      extensions · number of the authority's key u8 · signature (64, kind revocations)
 *
 * A network has one from its first day, empty. Of two, that of the newer authority is the newer
 * one, then that of the higher sequence: so a former authority's key poisons nothing.
 */
import type { Standing } from "../wire/digests.ts";
import { compareBytes, copyOf, type Decoded, Reader, refused, Writer } from "./bytes.ts";
import type { Certificate } from "./certificate.ts";
import { authorityAt, type Definition } from "./definition.ts";
import { type Extension, putExtensions, takeExtensions } from "./extensions.ts";
import { SECRET_BYTES } from "./secret.ts";
import { SIGNATURE_BYTES, shortHash, sign, verify } from "./sign.ts";

/** Protocol. */
export const REVOCATIONS_MAX = 3_000;
export const LIST_BYTES_MAX = 80_000;
const ID_BYTES = 16;
const ENTRY_BYTES = ID_BYTES + 8;

/** Units: seconds since 1970. */
export interface Revocation {
  /** `revokedId` of the node key. */
  readonly id: Uint8Array;
  /** Certificates that begin by then are void. */
  readonly issuedBeforeS: number;
}

/** What a list says. Units: seconds since 1970. */
export interface ListFields {
  readonly sequence: number;
  readonly issuedS: number;
  readonly nextUpdateS: number;
  readonly epoch: number;
  readonly secretCheck: Uint8Array;
  readonly extensions?: readonly Extension[];
  readonly authority: number;
}

/** Decoded; verified by `listProblem` alone. */
export interface RevocationList extends Required<ListFields> {
  readonly bytes: Uint8Array;
  readonly count: number;
  /** As they are written: `count` of 24 bytes, ascending. */
  readonly entries: Uint8Array;
  readonly signature: Uint8Array;
}

/** How a list names a node key. Units: 16 bytes. */
export const revokedId = (nodeKey: Uint8Array): Uint8Array => shortHash(nodeKey);

const takeEntries = (reader: Reader): Uint8Array => {
  const count = reader.u16();
  if (count > REVOCATIONS_MAX) reader.fail(`it has more than ${REVOCATIONS_MAX} entries`);
  const entries = reader.take(count * ENTRY_BYTES);
  const id = (at: number): Uint8Array => entries.subarray(at, at + ID_BYTES);
  for (let at = ENTRY_BYTES; at < entries.length; at += ENTRY_BYTES) {
    if (compareBytes(id(at - ENTRY_BYTES), id(at)) >= 0) reader.fail("its entries do not ascend");
  }
  const times = new Reader(entries);
  for (let at = 0; at < entries.length; at += ENTRY_BYTES) {
    times.take(ID_BYTES);
    times.u64();
  }
  if (times.why !== null) reader.fail(times.why);
  return entries;
};

/** Reads one; not verified. Thread: any. Errors: never. */
export const decodeList = (given: Uint8Array): Decoded<RevocationList> => {
  if (given.length > LIST_BYTES_MAX) return refused("it is too long");
  const bytes = copyOf(given);
  const reader = new Reader(bytes);
  reader.version();
  reader.u8();
  const sequence = reader.u64();
  const issuedS = reader.u64();
  const nextUpdateS = reader.u64();
  const epoch = reader.u32();
  const secretCheck = reader.take(SECRET_BYTES);
  const entries = takeEntries(reader);
  const extensions = takeExtensions(reader);
  const authority = reader.u8();
  const signature = reader.take(SIGNATURE_BYTES);
  reader.end();
  if (nextUpdateS < issuedS) reader.fail("its next update is before it");
  if (reader.why !== null) return refused(reader.why);
  const head = { sequence, issuedS, nextUpdateS, epoch, secretCheck };
  const count = entries.length / ENTRY_BYTES;
  return { ok: true, value: { bytes, ...head, count, entries, extensions, authority, signature } };
};

/** Writes and signs one. Errors: RangeError, also for more than REVOCATIONS_MAX. */
export const encodeList = (
  fields: ListFields,
  revocations: readonly Revocation[],
  networkId: Uint8Array,
  secretKey: Uint8Array,
): Uint8Array => {
  if (revocations.length > REVOCATIONS_MAX) throw new RangeError("too many revocations");
  const writer = new Writer(LIST_BYTES_MAX);
  writer.u8(1).u8(0).u64(fields.sequence).u64(fields.issuedS).u64(fields.nextUpdateS);
  writer.u32(fields.epoch).put(fields.secretCheck, SECRET_BYTES).u16(revocations.length);
  for (const { id, issuedBeforeS } of [...revocations].sort((a, b) => compareBytes(a.id, b.id))) {
    writer.put(id, ID_BYTES).u64(issuedBeforeS);
  }
  putExtensions(writer, fields.extensions);
  writer.u8(fields.authority);
  return writer.put(sign("revocations", networkId, writer.done(), secretKey)).done();
};

/** Why a list is none of the network's, as a clause; null: it is. */
export const listProblem = (list: RevocationList, definition: Definition): string | null => {
  const authority = authorityAt(definition, list.authority, list.issuedS);
  if (authority === null) return "it was issued by no authority of the network";
  const said = list.bytes.subarray(0, list.bytes.length - SIGNATURE_BYTES);
  return verify("revocations", definition.networkId, said, list.signature, authority.key)
    ? null
    : "its signature is wrong";
};

/** How new a list is. */
export const standingOf = ({ authority, sequence }: RevocationList): Standing => ({
  chain: authority,
  sequence,
});

/** Is `a` newer than `b`? */
export const newerList = (a: RevocationList, b: RevocationList): boolean =>
  a.authority !== b.authority ? a.authority > b.authority : a.sequence > b.sequence;

/** All entries. */
export const revocationsOf = ({ entries, count }: RevocationList): Revocation[] => {
  const reader = new Reader(entries);
  return Array.from({ length: count }, () => ({
    id: reader.take(ID_BYTES),
    issuedBeforeS: reader.u64(),
  }));
};

/** Up to when certificates of this node are void; null: it is not revoked. */
export const revokedBefore = (list: RevocationList, nodeKey: Uint8Array): number | null => {
  const id = revokedId(nodeKey);
  let [low, high] = [0, list.count];
  while (low < high) {
    const middle = (low + high) >>> 1;
    const at = middle * ENTRY_BYTES;
    const order = compareBytes(list.entries.subarray(at, at + ID_BYTES), id);
    if (order === 0) return new Reader(list.entries.subarray(at + ID_BYTES)).u64();
    if (order < 0) low = middle + 1;
    else high = middle;
  }
  return null;
};

/**
 * Why a list makes a certificate void, as a clause; null: it does not. A revoked node comes back
 * by a newer certificate of the authority itself, never by an issuer's; and what a revoked issuer
 * signed is void too.
 */
export const revocationProblem = (
  list: RevocationList,
  { signer, nodeKey, notBeforeS }: Certificate,
): string | null => {
  const before = revokedBefore(list, nodeKey);
  if (before !== null && (signer.by === "issuer" || notBeforeS <= before)) return "it is revoked";
  if (signer.by === "authority") return null;
  const issuer = revokedBefore(list, signer.issuer.nodeKey);
  return issuer !== null && signer.issuer.notBeforeS <= issuer ? "its issuer is revoked" : null;
};
