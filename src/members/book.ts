/**
 * book — what an authority knows: its key, the network's secrets, and all that it ever signed. Kept
 * in one file, sealed with a passphrase. Pure.
 *
 *   file      version u8 = 1 · sealing u8: 0, then the content | 1, then salt (16), passes u32,
 *             memory u32 (KiB), nonce (24), sealed content
 *   content   seed (32) · secrets: count u8 (1 to 16), each { epoch u32, secret (32) }, ascending
 *             definition (u16 length) · list (u32 length) · next serial u64
 *             members: count u32, each { newest certificate (u16 length), latest end of all that
 *             was ever signed for this node u64 (s) }
 *             issuers: count u16, each (u16 length)
 *             revoked: count u32, each { node key (32), at u64 (s), name }
 *
 * Sealed: XChaCha20-Poly1305 under Argon2id of the passphrase; associated data is all before.
 */
import sodium from "sodium-native";
import { BUNDLE_MEMBERS_MAX } from "./bundle.ts";
import { type Decoded, Reader, refused, sameBytes, Writer } from "./bytes.ts";
import { type Certificate, decodeCertificate } from "./certificate.ts";
import { type Definition, decodeDefinition } from "./definition.ts";
import { KEY_BYTES, putName, takeName } from "./fields.ts";
import { decodeIssuer, type Issuer } from "./issuer.ts";
import { decodeList, listProblem, type RevocationList } from "./revocation-list.ts";
import { EPOCHS_HELD, isSecret, SECRET_BYTES } from "./secret.ts";
import { signingPair } from "./sign.ts";

/** Protocol: an authority signs for so many. */
export const MEMBERS_MAX = BUNDLE_MEMBERS_MAX;
const ISSUERS_MAX = 1_000;

export interface Secret {
  readonly epoch: number;
  readonly secret: Uint8Array;
}

/** Somebody who was revoked; kept so that a person can be told who. Units: seconds. */
export interface Revoked {
  readonly nodeKey: Uint8Array;
  readonly name: string;
  readonly atS: number;
}

/** A node that an authority signed for. Units: seconds since 1970. */
export interface Member {
  /** The newest. */
  readonly certificate: Certificate;
  /** By then all that was ever signed for it has ended. */
  readonly endsS: number;
}

/** All that an authority knows. `wipe` clears its keys. */
export interface Book {
  /** Of the newest authority key. */
  readonly seed: Uint8Array;
  /** Oldest first; the last is that of the list. */
  readonly secrets: readonly Secret[];
  readonly definition: Definition;
  readonly list: RevocationList;
  readonly serial: number;
  readonly members: readonly Member[];
  readonly issuers: readonly Issuer[];
  readonly revoked: readonly Revoked[];
}

/** Clears what is secret in a book. */
export const wipe = ({ seed, secrets }: Book): void => {
  sodium.sodium_memzero(seed);
  for (const { secret } of secrets) sodium.sodium_memzero(secret);
};

/** The newest certificate of each node. */
export const certificatesOf = (book: Book): readonly Certificate[] =>
  book.members.map(({ certificate }) => certificate);

/** The newest secret. */
export const newestSecret = (book: Book): Uint8Array => book.secrets.at(-1)!.secret;

// ---------------------------------------------------------------------------------------------
// Content

const takeSecrets = (reader: Reader): Secret[] => {
  const secrets: Secret[] = [];
  const count = reader.count(EPOCHS_HELD, "secrets");
  for (let i = 0; i < count; i++) {
    secrets.push({ epoch: reader.u32(), secret: reader.take(SECRET_BYTES).slice() });
  }
  return secrets;
};

const takeMembers = (reader: Reader): Member[] => {
  const members: Member[] = [];
  const count = reader.u32();
  if (count > MEMBERS_MAX) reader.fail("it has too many members");
  for (let i = 0; i < count && reader.why === null; i++) {
    const decoded = decodeCertificate(reader.take(reader.u16()));
    if (decoded.ok) members.push({ certificate: decoded.value, endsS: reader.u64() });
    else reader.fail(decoded.why);
  }
  return members;
};

const takeIssuers = (reader: Reader): Issuer[] => {
  const issuers: Issuer[] = [];
  const count = reader.u16();
  if (count > ISSUERS_MAX) reader.fail("it has too many issuers");
  for (let i = 0; i < count && reader.why === null; i++) {
    const decoded = decodeIssuer(reader.take(reader.u16()));
    if (decoded.ok) issuers.push(decoded.value);
    else reader.fail(decoded.why);
  }
  return issuers;
};

const takeRevoked = (reader: Reader): Revoked[] => {
  const revoked: Revoked[] = [];
  const count = reader.u32();
  for (let i = 0; i < count && reader.why === null; i++) {
    const nodeKey = reader.take(KEY_BYTES).slice();
    const atS = reader.u64();
    revoked.push({ nodeKey, atS, name: takeName(reader) });
  }
  return revoked;
};

/** What does not go together in a book, as a clause; null: nothing. What it signed is its own. */
const bookProblem = ({ definition, list, secrets, seed }: Omit<Book, "serial">): string | null => {
  const { publicKey, secretKey } = signingPair(seed);
  sodium.sodium_memzero(secretKey);
  if (!sameBytes(publicKey, definition.authorities.at(-1)!.key)) return "its key is another's";
  const newest = secrets.at(-1);
  if (newest === undefined || !isSecret(list, newest.epoch, newest.secret)) {
    return "its secret is another's";
  }
  return listProblem(list, definition);
};

const decodeContent = (bytes: Uint8Array): Decoded<Book> => {
  const reader = new Reader(bytes);
  const seed = reader.take(KEY_BYTES).slice();
  const secrets = takeSecrets(reader);
  const definition = decodeDefinition(reader.take(reader.u16()));
  const list = decodeList(reader.take(reader.u32()));
  const serial = reader.u64();
  const members = takeMembers(reader);
  const issuers = takeIssuers(reader);
  const revoked = takeRevoked(reader);
  reader.end();
  if (reader.why !== null) return refused(reader.why);
  if (!definition.ok) return definition;
  if (!list.ok) return list;
  const known = { serial, members, issuers, revoked };
  const book = { seed, secrets, definition: definition.value, list: list.value, ...known };
  const problem = bookProblem(book);
  return problem === null ? { ok: true, value: book } : refused(problem);
};

/** Above all lengths in a content but those of what it has many of. */
const FIXED_BYTES_MAX = 100_000;
const REVOKED_BYTES_MAX = KEY_BYTES + 8 + 64;

const encodeContent = (book: Book): Uint8Array => {
  const many = [...book.members.map(({ certificate }) => certificate), ...book.issuers];
  const length = many.reduce((sum, { bytes }) => sum + bytes.length + 10, FIXED_BYTES_MAX);
  const writer = new Writer(length + REVOKED_BYTES_MAX * book.revoked.length);
  writer.put(book.seed, KEY_BYTES).u8(book.secrets.length);
  for (const { epoch, secret } of book.secrets) writer.u32(epoch).put(secret, SECRET_BYTES);
  const { bytes: definition } = book.definition;
  const { bytes: list } = book.list;
  writer.u16(definition.length).put(definition).u32(list.length).put(list).u64(book.serial);
  writer.u32(book.members.length);
  for (const { certificate, endsS } of book.members) {
    writer.u16(certificate.bytes.length).put(certificate.bytes).u64(endsS);
  }
  writer.u16(book.issuers.length);
  for (const { bytes } of book.issuers) writer.u16(bytes.length).put(bytes);
  writer.u32(book.revoked.length);
  for (const { nodeKey, atS, name } of book.revoked) {
    writer.put(nodeKey, KEY_BYTES).u64(atS);
    putName(writer, name);
  }
  const content = writer.done();
  writer.wipe();
  return content;
};

// ---------------------------------------------------------------------------------------------
// File

/** Protocol. Argon2id: 256 MiB and 3 passes take a second; a file may ask for four times that. */
const PASSES = 3;
const MEMORY_KIB = 262_144;
const PASSES_MAX = 12;
const MEMORY_KIB_MAX = 1_048_576;
const MEMORY_KIB_LEAST = 8;
const ARGON2ID = 2;
const SALT_BYTES = 16;
const NONCE_BYTES = 24;
const HEAD_BYTES = 2;
const SEALED_HEAD_BYTES = HEAD_BYTES + SALT_BYTES + 8 + NONCE_BYTES;
const PLAIN = 0;
const BY_PASSPHRASE = 1;

/** The key of a file, and what it was made with: so that it is made once in a command. */
export interface BookKey {
  readonly key: Uint8Array;
  readonly salt: Uint8Array;
  readonly passes: number;
  readonly memoryKib: number;
}

/** Key of a passphrase. Takes a second. Errors: Error when the memory is not to be had. */
const stretch = (
  passphrase: Uint8Array,
  { salt, passes, memoryKib }: Omit<BookKey, "key">,
): BookKey => {
  const key = new Uint8Array(KEY_BYTES);
  sodium.crypto_pwhash(key, passphrase, salt, passes, memoryKib * 1_024, ARGON2ID);
  return { key, salt, passes, memoryKib };
};

/** A key for a new file. Units: `salt` 16 random bytes. Borrows: `passphrase`. */
export const newBookKey = (passphrase: Uint8Array, salt: Uint8Array): BookKey =>
  stretch(passphrase, { salt, passes: PASSES, memoryKib: MEMORY_KIB });

/** How a file is sealed: null, not at all; else what its key is made with. */
export const bookSealing = (bytes: Uint8Array): Decoded<Omit<BookKey, "key"> | null> => {
  const reader = new Reader(bytes);
  reader.version();
  const sealing = reader.u8();
  if (reader.why === null && sealing === PLAIN) return { ok: true, value: null };
  if (sealing !== BY_PASSPHRASE) reader.fail("it is sealed in a way that is not known here");
  const salt = reader.take(SALT_BYTES).slice();
  const passes = reader.u32();
  const memoryKib = reader.u32();
  if (passes < 1 || passes > PASSES_MAX) reader.fail("it asks for too much work");
  if (memoryKib < MEMORY_KIB_LEAST || memoryKib > MEMORY_KIB_MAX) {
    reader.fail("it asks for too much memory");
  }
  if (reader.why !== null) return refused(reader.why);
  return { ok: true, value: { salt, passes, memoryKib } };
};

/** What came of opening a file: "passphrase", it is wrong, or the file is damaged. */
export type OpenedBook =
  | { readonly ok: true; readonly book: Book; readonly key: BookKey | null }
  | { readonly ok: false; readonly why: string };

export const WRONG_PASSPHRASE = "the passphrase does not open it";

/** Opens a file that is sealed with a passphrase. Takes a second. Borrows: `passphrase`. */
export const openBook = (bytes: Uint8Array, passphrase: Uint8Array | null): OpenedBook => {
  const sealing = bookSealing(bytes);
  if (!sealing.ok) return sealing;
  if (sealing.value === null) {
    const decoded = decodeContent(bytes.subarray(HEAD_BYTES));
    return decoded.ok ? { ok: true, book: decoded.value, key: null } : decoded;
  }
  if (passphrase === null) return refused(WRONG_PASSPHRASE);
  const key = stretch(passphrase, sealing.value);
  const sealed = bytes.subarray(SEALED_HEAD_BYTES);
  const plain = new Uint8Array(Math.max(0, sealed.length - 16));
  try {
    const head = bytes.subarray(0, SEALED_HEAD_BYTES);
    const nonce = head.subarray(SEALED_HEAD_BYTES - NONCE_BYTES);
    sodium.crypto_aead_xchacha20poly1305_ietf_decrypt(plain, null, sealed, head, nonce, key.key);
  } catch {
    return refused(WRONG_PASSPHRASE);
  }
  const decoded = decodeContent(plain);
  sodium.sodium_memzero(plain);
  return decoded.ok ? { ok: true, book: decoded.value, key } : decoded;
};

/**
 * Bytes of a file; `key` null: not sealed. Units: `nonce` 24 random bytes, used once.
 * Errors: RangeError for more than a book holds.
 */
export const sealBook = (book: Book, key: BookKey | null, nonce: Uint8Array): Uint8Array => {
  const content = encodeContent(book);
  if (key === null) {
    const bytes = new Uint8Array(HEAD_BYTES + content.length);
    bytes.set([1, PLAIN]);
    bytes.set(content, HEAD_BYTES);
    sodium.sodium_memzero(content);
    return bytes;
  }
  const head = new Writer(SEALED_HEAD_BYTES)
    .u8(1)
    .u8(BY_PASSPHRASE)
    .put(key.salt, SALT_BYTES)
    .u32(key.passes)
    .u32(key.memoryKib)
    .put(nonce, NONCE_BYTES)
    .done();
  const sealed = new Uint8Array(content.length + 16);
  sodium.crypto_aead_xchacha20poly1305_ietf_encrypt(sealed, content, head, null, nonce, key.key);
  sodium.sodium_memzero(content);
  return Buffer.concat([head, sealed]);
};
