/**
 * bundle — what goes from the authority to others in one file, all of it verified. Pure.
 *
 *   certificate file   certificate (u16 length), secret sealed to its handshake key (80),
 *                      definition (u16 length), newest list (u32 length)
 *   issuer file        issuer (u16 length), secret sealed to the handshake key of its member (80),
 *                      definition, list, certificates that it knows, its own and others: count
 *                      u32, each (u16 length)
 *   revocations file   definition, list, count u32, each { first 16 bytes of BLAKE2b-256 of a
 *                      handshake key, secret sealed to it (80) }, ascending
 *
 * The secret is that of the list's epoch. A revocations file so brings a new list, a new secret
 * and a new authority alike, and any member can take it in.
 */
import { compareBytes, type Decoded, Reader, refused, sameBytes, Writer } from "./bytes.ts";
import { type Certificate, certificateProblem, decodeCertificate } from "./certificate.ts";
import { type Definition, decodeDefinition } from "./definition.ts";
import { decodeIssuer, type Issuer, issuerProblem } from "./issuer.ts";
import { decodeList, listProblem, type RevocationList } from "./revocation-list.ts";
import { SEALED_SECRET_BYTES } from "./secret.ts";
import { shortHash } from "./sign.ts";

/** Protocol: a file holds so many sealed secrets, or certificates, at most. */
export const BUNDLE_MEMBERS_MAX = 65_535;
const ID_BYTES = 16;
const ENTRY_BYTES = ID_BYTES + SEALED_SECRET_BYTES;
/** Above all lengths here. */
const FIXED_BYTES_MAX = 100_000;

/** What each of the files holds. */
interface Network {
  readonly definition: Definition;
  readonly list: RevocationList;
}

/** A file's bytes of the same. */
interface NetworkBytes {
  readonly definition: Uint8Array;
  readonly list: Uint8Array;
}

/** Takes what a decoder makes of some bytes; the reader is refused with the decoder's reason. */
const takeDecoded = <Value>(
  reader: Reader,
  what: string,
  decode: (bytes: Uint8Array) => Decoded<Value>,
  length = reader.u16(),
): Value | null => {
  const decoded = decode(reader.take(length));
  if (decoded.ok) return decoded.value;
  reader.fail(`of its ${what}: ${decoded.why}`);
  return null;
};

const takeNetwork = (reader: Reader): Network | null => {
  const definition = takeDecoded(reader, "network", decodeDefinition);
  const list = takeDecoded(reader, "revocations", decodeList, reader.u32());
  if (definition === null || list === null) return null;
  const problem = listProblem(list, definition);
  if (problem !== null) reader.fail(`of its revocations: ${problem}`);
  return { definition, list };
};

const putNetwork = (writer: Writer, { definition, list }: NetworkBytes): void => {
  writer.u16(definition.length).put(definition).u32(list.length).put(list);
};

/** A certificate, with what its member needs besides. */
export interface MemberFile extends Network {
  readonly bytes: Uint8Array;
  readonly certificate: Certificate;
  /** The secret of the list's epoch, sealed to the member's handshake key. */
  readonly sealed: Uint8Array;
}

/** Reads and verifies one. Errors: never. */
export const decodeMemberFile = (bytes: Uint8Array): Decoded<MemberFile> => {
  const reader = new Reader(bytes);
  const certificate = takeDecoded(reader, "certificate", decodeCertificate);
  const sealed = reader.take(SEALED_SECRET_BYTES).slice();
  const network = takeNetwork(reader);
  reader.end();
  if (reader.why !== null) return refused(reader.why);
  if (certificate === null || network === null) return refused("it ends too early");
  const problem = certificateProblem(certificate, network.definition);
  if (problem !== null) return refused(`of its certificate: ${problem}`);
  return { ok: true, value: { bytes: bytes.slice(), certificate, sealed, ...network } };
};

export const encodeMemberFile = (
  file: NetworkBytes & { readonly certificate: Uint8Array; readonly sealed: Uint8Array },
): Uint8Array => {
  const writer = new Writer(FIXED_BYTES_MAX);
  writer.u16(file.certificate.length).put(file.certificate).put(file.sealed, SEALED_SECRET_BYTES);
  putNetwork(writer, file);
  return writer.done();
};

/** An issuer's block, what it needs to sign, and what it knows. */
export interface IssuerFile extends Network {
  readonly issuer: Issuer;
  /** The secret of the list's epoch, sealed to the handshake key of the issuer's member. */
  readonly sealed: Uint8Array;
  /** Of other members too, so that nothing is given twice. */
  readonly known: readonly Certificate[];
}

const takeKnown = (reader: Reader, definition: Definition): Certificate[] => {
  const known: Certificate[] = [];
  const count = reader.u32();
  if (count > BUNDLE_MEMBERS_MAX) reader.fail("it has too many certificates");
  for (let i = 0; i < count && reader.why === null; i++) {
    const certificate = takeDecoded(reader, "certificates", decodeCertificate);
    if (certificate === null) break;
    const problem = certificateProblem(certificate, definition);
    if (problem !== null) reader.fail(`of its certificates: ${problem}`);
    known.push(certificate);
  }
  return known;
};

/** Reads and verifies one. Errors: never. */
export const decodeIssuerFile = (bytes: Uint8Array): Decoded<IssuerFile> => {
  const reader = new Reader(bytes);
  const issuer = takeDecoded(reader, "issuer", decodeIssuer);
  const sealed = reader.take(SEALED_SECRET_BYTES).slice();
  const network = takeNetwork(reader);
  const known = network === null ? [] : takeKnown(reader, network.definition);
  reader.end();
  if (reader.why !== null) return refused(reader.why);
  if (issuer === null || network === null) return refused("it ends too early");
  const problem = issuerProblem(issuer, network.definition);
  if (problem !== null) return refused(problem);
  return { ok: true, value: { issuer, sealed, known, ...network } };
};

export const encodeIssuerFile = (
  file: NetworkBytes & {
    readonly issuer: Uint8Array;
    readonly sealed: Uint8Array;
    readonly known: readonly Uint8Array[];
  },
): Uint8Array => {
  const more = file.known.reduce((sum, one) => sum + one.length + 2, 0);
  const writer = new Writer(FIXED_BYTES_MAX + more);
  writer.u16(file.issuer.length).put(file.issuer).put(file.sealed, SEALED_SECRET_BYTES);
  putNetwork(writer, file);
  writer.u32(file.known.length);
  for (const one of file.known) writer.u16(one.length).put(one);
  return writer.done();
};

/** A new list, and the secret for each member. */
export interface RevocationsFile extends Network {
  /** 96 bytes each, ascending. */
  readonly entries: Uint8Array;
}

const idOf = (handshakeKey: Uint8Array): Uint8Array => shortHash(handshakeKey);

/** Reads and verifies one. Errors: never. */
export const decodeRevocationsFile = (bytes: Uint8Array): Decoded<RevocationsFile> => {
  const reader = new Reader(bytes);
  const network = takeNetwork(reader);
  const count = reader.u32();
  if (count > BUNDLE_MEMBERS_MAX) reader.fail("it has too many members");
  const entries = reader.take(reader.why === null ? count * ENTRY_BYTES : 0).slice();
  reader.end();
  for (let at = ENTRY_BYTES; at < entries.length; at += ENTRY_BYTES) {
    const [last, next] = [at - ENTRY_BYTES, at].map((from) =>
      entries.subarray(from, from + ID_BYTES),
    );
    if (compareBytes(last!, next!) >= 0) reader.fail("its members do not ascend");
  }
  if (reader.why !== null) return refused(reader.why);
  if (network === null) return refused("it ends too early");
  return { ok: true, value: { ...network, entries } };
};

/** The sealed secret for one member. */
export interface SealedFor {
  readonly handshakeKey: Uint8Array;
  readonly sealed: Uint8Array;
}

export const encodeRevocationsFile = (
  file: NetworkBytes & { readonly members: readonly SealedFor[] },
): Uint8Array => {
  const writer = new Writer(FIXED_BYTES_MAX + ENTRY_BYTES * file.members.length);
  putNetwork(writer, file);
  writer.u32(file.members.length);
  const entries = file.members.map(({ handshakeKey, sealed }) => ({
    id: idOf(handshakeKey),
    sealed,
  }));
  for (const { id, sealed } of entries.sort((a, b) => compareBytes(a.id, b.id))) {
    writer.put(id).put(sealed, SEALED_SECRET_BYTES);
  }
  return writer.done();
};

/** The secret sealed to this handshake key; null: the file has none for it. Borrows: a view. */
export const sealedFor = (
  { entries }: RevocationsFile,
  handshakeKey: Uint8Array,
): Uint8Array | null => {
  const id = idOf(handshakeKey);
  for (let at = 0; at < entries.length; at += ENTRY_BYTES) {
    if (sameBytes(entries.subarray(at, at + ID_BYTES), id)) {
      return entries.subarray(at + ID_BYTES, at + ENTRY_BYTES);
    }
  }
  return null;
};
