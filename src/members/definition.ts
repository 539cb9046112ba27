/**
 * definition — the network file: what a network is called, its ranges, and who its authority is.
 * Public. Pure.
 *
 *    0 version u8 = 1 · 1 flags u8 (none yet) · 2 sequence u64 · 10 issued u64 (s)
 *   18 name · cidrs: count u8 (1 to 8), prefixes ascending · extensions
 *      first authority key (32) · successions: count u8 (<= 8), each
 *        { next key (32), at u64 (s), until u64 (s; 0: no end), signature (64, kind succession) }
 *      signature (64, kind definition) by the newest key
 *
 * A succession is signed by the key before it, over all of the chain so far: the first key, the
 * successions before, and its own fields but the signature. It says from when the next key is the
 * authority: what the former signed counts when it was issued by then, and until `until` at most.
 * The network's id is made of the first key, so it stays.
 *
 * What is decoded is verified: there is no definition that is not.
 */
import type { Cidr } from "../wire/cidr.ts";
import { copyOf, type Decoded, Reader, refused, sameBytes, Writer } from "./bytes.ts";
import { type Extension, putExtensions, takeExtensions } from "./extensions.ts";
import { KEY_BYTES, putName, putPrefixes, takeName, takePrefixes } from "./fields.ts";
import { networkIdOf, SIGNATURE_BYTES, shortHash, sign, verify } from "./sign.ts";

/** Protocol: it goes in one control frame. */
export const DEFINITION_BYTES_MAX = 1_200;
const CIDRS_MAX = 8;
export const SUCCESSIONS_MAX = 8;
const NEVER = Number.POSITIVE_INFINITY;

/** A key of the authority, by its number: 0 is the first. Units: seconds since 1970. */
export interface Authority {
  readonly key: Uint8Array;
  /** What it issued after this does not count; Infinity: it is the newest. */
  readonly issuesToS: number;
  /** Nothing that it issued counts after this; Infinity: until its own end. */
  readonly countsToS: number;
}

/** A verified network. Units: seconds since 1970. */
export interface Definition {
  readonly bytes: Uint8Array;
  /** First 16 bytes of BLAKE2b-256 over all. */
  readonly hash: Uint8Array;
  readonly networkId: Uint8Array;
  readonly name: string;
  readonly sequence: number;
  readonly issuedS: number;
  readonly cidrs: readonly Cidr[];
  readonly extensions: readonly Extension[];
  /** First to newest; never empty. */
  readonly authorities: readonly Authority[];
  /** The first key, successions and all: a newer definition begins with the same. */
  readonly chain: Uint8Array;
}

/** What a definition says. */
export interface DefinitionFields {
  readonly name: string;
  readonly sequence: number;
  readonly issuedS: number;
  readonly cidrs: readonly Cidr[];
  readonly extensions?: readonly Extension[];
}

/** Number of the newest authority. */
export const newestAuthority = (definition: Definition): number =>
  definition.authorities.length - 1;

/** Keys and times of the chain, each succession verified. */
const takeChain = (reader: Reader, bytes: Uint8Array): Authority[] => {
  const start = reader.at;
  const keys = [reader.take(KEY_BYTES)];
  const networkId = networkIdOf(keys[0]!);
  const ends: { at: number; until: number }[] = [];
  const count = reader.count(SUCCESSIONS_MAX, "successions");
  const counted = reader.at;
  for (let i = 0; i < count && reader.why === null; i++) {
    const key = reader.take(KEY_BYTES);
    const at = reader.u64();
    const until = reader.u64() || NEVER;
    const said = chainSoFar(bytes.subarray(start, start + KEY_BYTES), bytes, counted, reader.at);
    const signature = reader.take(SIGNATURE_BYTES);
    if (until < at) reader.fail("a succession ends before it begins");
    if (at < (ends.at(-1)?.at ?? 0)) reader.fail("its successions are not in order");
    if (keys.some((one) => sameBytes(one, key))) reader.fail("a key succeeds itself");
    if (reader.why === null && !verify("succession", networkId, said, signature, keys.at(-1)!)) {
      reader.fail("a succession is not signed by the key before it");
    }
    keys.push(key);
    ends.push({ at, until });
  }
  return keys.map((key, i) => ({
    key,
    issuesToS: ends[i]?.at ?? NEVER,
    countsToS: ends[i]?.until ?? NEVER,
  }));
};

/** The count is left out: it grows. */
const chainSoFar = (first: Uint8Array, bytes: Uint8Array, from: number, to: number): Uint8Array =>
  Buffer.concat([first, bytes.subarray(from, to)]);

/** Reads and verifies one. Thread: any. Errors: never. */
export const decodeDefinition = (given: Uint8Array): Decoded<Definition> => {
  if (given.length > DEFINITION_BYTES_MAX) return refused("it is too long");
  const bytes = copyOf(given);
  const reader = new Reader(bytes);
  reader.version();
  reader.u8();
  const sequence = reader.u64();
  const issuedS = reader.u64();
  const name = takeName(reader);
  const cidrs = takePrefixes(reader, CIDRS_MAX, "ranges");
  if (cidrs.length === 0) reader.fail("it has no range");
  const extensions = takeExtensions(reader);
  const chainAt = reader.at;
  const authorities = takeChain(reader, bytes);
  const chain = bytes.subarray(chainAt, reader.at);
  const signature = reader.take(SIGNATURE_BYTES);
  reader.end();
  if (reader.why !== null) return refused(reader.why);
  const networkId = networkIdOf(authorities[0]!.key);
  const said = bytes.subarray(0, bytes.length - SIGNATURE_BYTES);
  if (!verify("definition", networkId, said, signature, authorities.at(-1)!.key)) {
    return refused("it is not signed by its authority");
  }
  const hash = shortHash(bytes);
  const fields = { name, sequence, issuedS, cidrs, extensions };
  return { ok: true, value: { ...fields, bytes, hash, networkId, authorities, chain } };
};

/** The chain of a new network. */
export const firstChain = (key: Uint8Array): Uint8Array => Buffer.concat([key, Buffer.of(0)]);

/**
 * A chain with one more key, signed by the newest of before.
 *
 * Units: seconds; `untilS` Infinity: certificates of before count until their own end.
 * Errors: RangeError when the chain is full.
 */
export const succeed = (
  chain: Uint8Array,
  next: { readonly key: Uint8Array; readonly atS: number; readonly untilS: number },
  networkId: Uint8Array,
  secretKey: Uint8Array,
): Uint8Array => {
  const count = chain[KEY_BYTES]!;
  if (count >= SUCCESSIONS_MAX) throw new RangeError("the chain is full");
  const fields = new Writer(KEY_BYTES + 16)
    .put(next.key, KEY_BYTES)
    .u64(next.atS)
    .u64(next.untilS === NEVER ? 0 : next.untilS)
    .done();
  const before = chain.subarray(KEY_BYTES + 1);
  const said = Buffer.concat([chain.subarray(0, KEY_BYTES), before, fields]);
  const signature = sign("succession", networkId, said, secretKey);
  const head = Buffer.concat([chain.subarray(0, KEY_BYTES), Buffer.of(count + 1)]);
  return Buffer.concat([head, before, fields, signature]);
};

/** Writes and signs one with the chain's newest key. Errors: RangeError when it is too long. */
export const encodeDefinition = (
  fields: DefinitionFields,
  chain: Uint8Array,
  secretKey: Uint8Array,
): Uint8Array => {
  const writer = new Writer(DEFINITION_BYTES_MAX);
  writer.u8(1).u8(0).u64(fields.sequence).u64(fields.issuedS);
  putName(writer, fields.name);
  putPrefixes(writer, fields.cidrs);
  putExtensions(writer, fields.extensions);
  writer.put(chain);
  const networkId = networkIdOf(chain.subarray(0, KEY_BYTES));
  return writer.put(sign("definition", networkId, writer.done(), secretKey)).done();
};

/**
 * Why a definition may not take the place of the one that is held, as a clause; null: it may. The
 * longer chain is newer, then the higher sequence; a chain that leaves the held one is another's.
 */
export const successorProblem = (held: Definition, next: Definition): string | null => {
  if (!sameBytes(held.networkId, next.networkId)) return "it is of another network";
  const [count, nextCount] = [newestAuthority(held), newestAuthority(next)];
  const shared = Math.min(held.chain.length, next.chain.length);
  const same =
    sameBytes(held.chain.subarray(0, KEY_BYTES), next.chain.subarray(0, KEY_BYTES)) &&
    sameBytes(
      held.chain.subarray(KEY_BYTES + 1, shared),
      next.chain.subarray(KEY_BYTES + 1, shared),
    );
  if (!same) return "its authorities are not those of the network";
  if (nextCount !== count) return nextCount > count ? null : "it is older than the one here";
  return next.sequence > held.sequence ? null : "it is no newer than the one here";
};

/** The newer one of two of a network. */
export const newerDefinition = (one: Definition, other: Definition): Definition =>
  successorProblem(one, other) === null ? other : one;

/** The authority that issued something then; null: there is none, or it was none any more. */
export const authorityAt = (
  definition: Definition,
  number: number,
  issuedS: number,
): Authority | null => {
  const authority = definition.authorities[number];
  return authority !== undefined && issuedS <= authority.issuesToS ? authority : null;
};
