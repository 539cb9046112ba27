/**
 * certificate — who a member is and what it may: keys, name, addresses, routes, groups. Signed by
 * the authority, or by an issuer whom the authority named. Pure.
 *
 *    0 version u8 = 1 · 1 kind u8 (1 member; 2 leaf, not yet) · 2 flags u16 (1 relay, 2 index,
 *      4 exit, 8 enrol) · 4 serial u64 · 12 node key (32) · 44 handshake key (32)
 *   76 not before u64 · 84 not after u64 (s) · 92 name
 *      addresses: count u8 (<= 8), none twice · routes: count u8 (<= 16), ascending
 *      groups: count u8 (<= 16), ascending · extensions
 *      signer: u8 0, number of the authority's key u8 | u8 1, length u16, issuer (issuer.ts)
 *      signature (64, kind certificate) by that key, or by the issuer's node key
 */
import type { Cidr } from "../wire/cidr.ts";
import { copyOf, type Decoded, Reader, refused, sameBytes, Writer } from "./bytes.ts";
import { authorityAt, type Definition } from "./definition.ts";
import {
  type Extension,
  type KnownExtensions,
  putExtensions,
  takeExtensions,
} from "./extensions.ts";
import {
  hostPrefix,
  KEY_BYTES,
  putAddress,
  putGroups,
  putName,
  putPrefixes,
  someHolds,
  takeAddress,
  takeGroups,
  takeName,
  takePrefixes,
} from "./fields.ts";
import { decodeIssuer, type Issuer, issuerProblem, wideningProblem } from "./issuer.ts";
import { SIGNATURE_BYTES, shortHash, sign, verify } from "./sign.ts";

/** Protocol. */
export const CERTIFICATE_BYTES_MAX = 512;
export const ADDRESSES_MAX = 8;
export const ROUTES_MAX = 16;
export const GROUPS_MAX = 16;
export const CERTIFICATE_FLAG = { relay: 1, index: 2, exit: 4, enrol: 8 } as const;

const MEMBER = 1;
const LEAF = 2;
const BY_AUTHORITY = 0;
const BY_ISSUER = 1;
/** Encoding goes on beyond the bound, so that it can be said what is too long. */
const ENCODE_BYTES_MAX = 4_096;

/** Who signed: an authority's key by its number, or an issuer. */
export type Signer =
  | { readonly by: "authority"; readonly authority: number }
  | { readonly by: "issuer"; readonly issuer: Issuer };

/** What a certificate says. Units: seconds since 1970. */
export interface CertificateFields {
  readonly flags: number;
  readonly serial: number;
  readonly nodeKey: Uint8Array;
  readonly handshakeKey: Uint8Array;
  readonly notBeforeS: number;
  readonly notAfterS: number;
  readonly name: string;
  /** 4 or 16 bytes each. */
  readonly addresses: readonly Uint8Array[];
  readonly routes: readonly Cidr[];
  readonly groups: readonly string[];
  readonly extensions?: readonly Extension[];
  readonly signer: Signer;
}

/** Decoded; verified by `certificateProblem` alone. */
export interface Certificate extends Required<CertificateFields> {
  readonly bytes: Uint8Array;
  /** First 16 bytes of BLAKE2b-256 over all but the signature. */
  readonly hash: Uint8Array;
  readonly signature: Uint8Array;
}

const takeSigner = (reader: Reader): Signer => {
  const by = reader.u8();
  if (by === BY_ISSUER) {
    const block = reader.take(reader.u16());
    const issuer = decodeIssuer(block);
    if (issuer.ok) return { by: "issuer", issuer: issuer.value };
    reader.fail(`of its issuer: ${issuer.why}`);
  } else if (by !== BY_AUTHORITY) reader.fail(`there is no signer ${by}`);
  return { by: "authority", authority: reader.u8() };
};

const takeKind = (reader: Reader): void => {
  const kind = reader.u8();
  if (kind === LEAF) reader.fail("it is a leaf's, which is not known here yet");
  else if (kind !== MEMBER) reader.fail(`there is no kind ${kind}`);
};

const takeAddresses = (reader: Reader): Uint8Array[] => {
  const addresses: Uint8Array[] = [];
  const count = reader.count(ADDRESSES_MAX, "addresses");
  for (let i = 0; i < count && reader.why === null; i++) {
    const address = takeAddress(reader);
    if (addresses.some((one) => sameBytes(one, address))) reader.fail("an address is there twice");
    addresses.push(address);
  }
  return addresses;
};

/** Reads one; not verified. Thread: any. Errors: never. */
export const decodeCertificate = (
  given: Uint8Array,
  known?: KnownExtensions,
): Decoded<Certificate> => {
  if (given.length > CERTIFICATE_BYTES_MAX) return refused("it is too long");
  const bytes = copyOf(given);
  const reader = new Reader(bytes);
  reader.version();
  takeKind(reader);
  const flags = reader.u16();
  const serial = reader.u64();
  const nodeKey = reader.take(KEY_BYTES);
  const handshakeKey = reader.take(KEY_BYTES);
  const notBeforeS = reader.u64();
  const notAfterS = reader.u64();
  const name = takeName(reader);
  const addresses = takeAddresses(reader);
  const routes = takePrefixes(reader, ROUTES_MAX, "routes");
  const groups = takeGroups(reader, GROUPS_MAX);
  const extensions = takeExtensions(reader, known);
  const signer = takeSigner(reader);
  const signature = reader.take(SIGNATURE_BYTES);
  reader.end();
  if (notAfterS < notBeforeS) reader.fail("it ends before it begins");
  if (reader.why !== null) return refused(reader.why);
  const hash = shortHash(bytes.subarray(0, bytes.length - SIGNATURE_BYTES));
  const who = { nodeKey, handshakeKey, name, addresses };
  const may = { flags, routes, groups, notBeforeS, notAfterS };
  const rest = { serial, extensions, signer, signature };
  return { ok: true, value: { bytes, hash, ...who, ...may, ...rest } };
};

/**
 * Writes and signs one; it may come out longer than CERTIFICATE_BYTES_MAX, and then no decoder
 * takes it. `secretKey` is the authority's or the issuer's node's, 64 bytes.
 *
 * Errors: RangeError for what has no place in any certificate.
 */
export const encodeCertificate = (
  fields: CertificateFields,
  networkId: Uint8Array,
  secretKey: Uint8Array,
): Uint8Array => {
  const { signer } = fields;
  const writer = new Writer(ENCODE_BYTES_MAX);
  writer.u8(1).u8(MEMBER).u16(fields.flags).u64(fields.serial);
  writer.put(fields.nodeKey, KEY_BYTES).put(fields.handshakeKey, KEY_BYTES);
  writer.u64(fields.notBeforeS).u64(fields.notAfterS);
  putName(writer, fields.name);
  writer.u8(fields.addresses.length);
  for (const address of fields.addresses) putAddress(writer, address);
  putPrefixes(writer, fields.routes);
  putGroups(writer, fields.groups);
  putExtensions(writer, fields.extensions);
  if (signer.by === "authority") writer.u8(BY_AUTHORITY).u8(signer.authority);
  else writer.u8(BY_ISSUER).u16(signer.issuer.bytes.length).put(signer.issuer.bytes);
  return writer.put(sign("certificate", networkId, writer.done(), secretKey)).done();
};

/** The key that must have signed, or why there is none, as a clause. */
const signingKey = (
  certificate: Certificate,
  definition: Definition,
): { readonly key: Uint8Array } | { readonly why: string } => {
  const { signer } = certificate;
  if (signer.by === "authority") {
    const authority = authorityAt(definition, signer.authority, certificate.notBeforeS);
    return authority ?? { why: "it was issued by no authority of the network" };
  }
  const why =
    wideningProblem(signer.issuer, certificate) ?? issuerProblem(signer.issuer, definition);
  return why === null ? { key: signer.issuer.nodeKey } : { why };
};

/**
 * Why a certificate is none of the network's, as a clause; null: it is. Looks at signatures and at
 * what may be given, not at the clock and not at revocations: so the answer holds as long as the
 * definition does, and may be kept by hash.
 *
 * Thread: any. Errors: never. Measured: bench:micro, "members".
 */
export const certificateProblem = (
  certificate: Certificate,
  definition: Definition,
): string | null => {
  const outside = certificate.addresses.find(
    (address) => !someHolds(definition.cidrs, hostPrefix(address)),
  );
  if (outside !== undefined) return "it has an address outside the network's ranges";
  const signing = signingKey(certificate, definition);
  if ("why" in signing) return signing.why;
  const said = certificate.bytes.subarray(0, certificate.bytes.length - SIGNATURE_BYTES);
  const { networkId } = definition;
  return verify("certificate", networkId, said, certificate.signature, signing.key)
    ? null
    : "its signature is wrong";
};

/**
 * From when to when a verified certificate counts: its own times, cut by its issuer's and by a
 * succession that ends what the former authority signed. Units: seconds since 1970.
 */
export const validity = (
  certificate: Certificate,
  definition: Definition,
): { readonly fromS: number; readonly toS: number } => {
  const { signer, notBeforeS, notAfterS } = certificate;
  const number = signer.by === "authority" ? signer.authority : signer.issuer.authority;
  const countsToS = definition.authorities[number]?.countsToS ?? 0;
  return { fromS: notBeforeS, toS: Math.min(notAfterS, countsToS) };
};
