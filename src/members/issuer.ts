/**
 * issuer — what lets a chosen member sign certificates for a while: an authority's word, carried
 * inside each certificate that the member signs. Pure.
 *
 *    0 version u8 = 1 · 1 flags u8 (1 may renew, 2 may enrol) · 2 serial u64 · 10 node key (32)
 *   42 not before u64 · 50 not after u64 (s) · 58 longest life of what it signs u32 (s)
 *   62 flags that it may give u16 · prefixes that it may give addresses and routes from:
 *      count u8 (<= 4), ascending · groups that it may give: count u8 (<= 8), ascending
 *      extensions · number of the authority's key u8 · signature (64, kind issuer)
 *
 * An issuer widens nothing: what it signs lies inside all of these, and ends when it ends.
 */
import type { Cidr } from "../wire/cidr.ts";
import { copyOf, type Decoded, Reader, refused, Writer } from "./bytes.ts";
import { authorityAt, type Definition } from "./definition.ts";
import { type Extension, putExtensions, takeExtensions } from "./extensions.ts";
import {
  hostPrefix,
  KEY_BYTES,
  putGroups,
  putPrefixes,
  someHolds,
  takeGroups,
  takePrefixes,
} from "./fields.ts";
import { SIGNATURE_BYTES, sign, verify } from "./sign.ts";

/** Protocol. */
export const ISSUER_BYTES_MAX = 220;
export const ISSUER_PREFIXES_MAX = 4;
export const ISSUER_GROUPS_MAX = 8;
export const ISSUER_FLAG = { renew: 1, enrol: 2 } as const;

/** Units: seconds since 1970; `lifeS` seconds. */
export interface IssuerFields {
  readonly flags: number;
  readonly serial: number;
  readonly nodeKey: Uint8Array;
  readonly notBeforeS: number;
  readonly notAfterS: number;
  readonly lifeS: number;
  readonly givesFlags: number;
  readonly prefixes: readonly Cidr[];
  readonly groups: readonly string[];
  readonly extensions?: readonly Extension[];
  /** Number of the authority's key that signed it. */
  readonly authority: number;
}

export interface Issuer extends Required<IssuerFields> {
  readonly bytes: Uint8Array;
  readonly signature: Uint8Array;
}

/** Reads one; not verified. Thread: any. Errors: never. */
export const decodeIssuer = (given: Uint8Array): Decoded<Issuer> => {
  if (given.length > ISSUER_BYTES_MAX) return refused("it is too long");
  const bytes = copyOf(given);
  const reader = new Reader(bytes);
  reader.version();
  const flags = reader.u8();
  const serial = reader.u64();
  const nodeKey = reader.take(KEY_BYTES);
  const notBeforeS = reader.u64();
  const notAfterS = reader.u64();
  const lifeS = reader.u32();
  const givesFlags = reader.u16();
  const prefixes = takePrefixes(reader, ISSUER_PREFIXES_MAX, "prefixes");
  const groups = takeGroups(reader, ISSUER_GROUPS_MAX);
  const extensions = takeExtensions(reader);
  const authority = reader.u8();
  const signature = reader.take(SIGNATURE_BYTES);
  reader.end();
  if (notAfterS < notBeforeS) reader.fail("it ends before it begins");
  if (reader.why !== null) return refused(reader.why);
  const life = { notBeforeS, notAfterS, lifeS };
  const gives = { givesFlags, prefixes, groups };
  const rest = { extensions, authority, signature };
  return { ok: true, value: { bytes, flags, serial, nodeKey, ...life, ...gives, ...rest } };
};

/** Writes and signs one. Errors: RangeError when it is too long. */
export const encodeIssuer = (
  fields: IssuerFields,
  networkId: Uint8Array,
  secretKey: Uint8Array,
): Uint8Array => {
  const writer = new Writer(ISSUER_BYTES_MAX);
  writer.u8(1).u8(fields.flags).u64(fields.serial).put(fields.nodeKey, KEY_BYTES);
  writer.u64(fields.notBeforeS).u64(fields.notAfterS).u32(fields.lifeS).u16(fields.givesFlags);
  putPrefixes(writer, fields.prefixes);
  putGroups(writer, fields.groups);
  putExtensions(writer, fields.extensions);
  writer.u8(fields.authority);
  return writer.put(sign("issuer", networkId, writer.done(), secretKey)).done();
};

/** Why the authority's word does not count, as a clause; null: it does. Not of the time. */
export const issuerProblem = (issuer: Issuer, definition: Definition): string | null => {
  const authority = authorityAt(definition, issuer.authority, issuer.notBeforeS);
  if (authority === null) return "its issuer was named by no authority of the network";
  const said = issuer.bytes.subarray(0, issuer.bytes.length - SIGNATURE_BYTES);
  return verify("issuer", definition.networkId, said, issuer.signature, authority.key)
    ? null
    : "its issuer is not signed by the authority";
};

/** What a certificate holds, as far as an issuer limits it. */
export interface Granted {
  readonly flags: number;
  readonly notBeforeS: number;
  readonly notAfterS: number;
  readonly addresses: readonly Uint8Array[];
  readonly routes: readonly Cidr[];
  readonly groups: readonly string[];
}

/** What an issuer may not give and this one did, as a clause; null: nothing. */
export const wideningProblem = (issuer: Issuer, granted: Granted): string | null => {
  if (granted.notBeforeS < issuer.notBeforeS) return "it begins before its issuer";
  if (granted.notAfterS > issuer.notAfterS) return "it ends after its issuer";
  if (granted.notAfterS - granted.notBeforeS > issuer.lifeS) {
    return "it lives longer than its issuer may give";
  }
  if ((granted.flags & ~issuer.givesFlags) !== 0) return "its issuer may not give its flags";
  if (!granted.groups.every((group) => issuer.groups.includes(group))) {
    return "its issuer may not give its groups";
  }
  const prefixes = [...granted.addresses.map(hostPrefix), ...granted.routes];
  return prefixes.every((one) => someHolds(issuer.prefixes, one))
    ? null
    : "its issuer may not give its addresses or routes";
};
