/**
 * identity — who this host is: 32 random bytes in a file, and the two key pairs made from them.
 *
 *   p2pvpn-identity-1
 *   <base64url of the 32 bytes, 43 characters>
 *
 * The ed25519 pair of the seed signs, and its public key is the node id. The X25519 secret of the
 * handshake is derived one-way (keyed BLAKE2b), so that revealing it cannot be turned into a
 * signature of the node (security.md 4): it signs the proof of itself in a request, and nothing
 * else. A plain WireGuard private key (44 characters of base64) is taken too; such a host has no
 * node id.
 *
 * Files are read only when nobody else may read them, and written new, 0600, whole or not at all.
 */
import { randomBytes } from "node:crypto";
import { closeSync, constants, fstatSync, openSync, readSync } from "node:fs";
import { createRequire } from "node:module";
import { EngineError } from "./errors.ts";
import { errnoText, writeNewFile } from "./new-file.ts";

/** Public and handshake keys of this host. X25519 keys are 32 bytes each. */
export interface Identity {
  /** `p2p:` and base64url of the ed25519 public key; null for a plain WireGuard key. */
  readonly nodeId: string | null;
  /** Of the pair that signs, 32 bytes; null for a plain WireGuard key. */
  readonly seed: Uint8Array | null;
  readonly privateKey: Uint8Array;
  readonly publicKey: Uint8Array;
}

/** Protocol: a change makes every host another one. */
const FILE_HEAD = "p2pvpn-identity-1";
const HANDSHAKE_LABEL = "p2pvpn/1/handshake-key";
const KEY_BYTES = 32;
/** Tuning: a key file is under 100 bytes; anything beyond this is another kind of file. */
const FILE_BYTES_MAX = 4_096;

/** What is used here of libsodium. */
interface Sodium {
  crypto_generichash(out: Uint8Array, message: Uint8Array, key: Uint8Array): void;
  crypto_scalarmult(out: Uint8Array, secret: Uint8Array, publicKey: Uint8Array): void;
  crypto_scalarmult_base(out: Uint8Array, secret: Uint8Array): void;
  crypto_sign_seed_keypair(publicKey: Uint8Array, secret: Uint8Array, seed: Uint8Array): void;
}

/** Loaded at first use: most commands need no key. */
const sodium = (): Sodium => createRequire(import.meta.url)("sodium-native") as Sodium;

/** X25519 secrets have fixed bits. Source: RFC 7748 5. */
const clamp = (secret: Uint8Array): void => {
  secret[0]! &= 248;
  secret[31] = (secret[31]! & 127) | 64;
};

/** The X25519 public key of a secret. Units: 32 bytes each.   Thread: main, control. */
const handshakePublicKey = (privateKey: Uint8Array): Uint8Array => {
  const publicKey = new Uint8Array(KEY_BYTES);
  sodium().crypto_scalarmult_base(publicKey, privateKey);
  return publicKey;
};

/**
 * Both key pairs of a seed.
 *
 * Units: 32 bytes.   Thread: main.   Borrows: `seed`; the caller zeroes it.
 */
export const identityFromSeed = (seed: Uint8Array): Identity => {
  const { crypto_generichash, crypto_sign_seed_keypair } = sodium();
  const signPublic = new Uint8Array(KEY_BYTES);
  const signSecret = new Uint8Array(2 * KEY_BYTES);
  crypto_sign_seed_keypair(signPublic, signSecret, seed);
  signSecret.fill(0);
  const privateKey = new Uint8Array(KEY_BYTES);
  crypto_generichash(privateKey, Buffer.from(HANDSHAKE_LABEL), seed);
  clamp(privateKey);
  const nodeId = formatNodeId(signPublic);
  const publicKey = handshakePublicKey(privateKey);
  return { nodeId, seed: Uint8Array.from(seed), privateKey, publicKey };
};

/** A host with a plain WireGuard private key. Units: 32 bytes.   Takes: `privateKey`. */
export const identityFromKey = (privateKey: Uint8Array): Identity => {
  clamp(privateKey);
  return { nodeId: null, seed: null, privateKey, publicKey: handshakePublicKey(privateKey) };
};

/** A WireGuard key as text: 44 characters of base64 that stand for exactly 32 bytes, or null. */
export const parseWireguardKey = (text: string): Uint8Array | null => {
  if (!/^[A-Za-z0-9+/]{43}=$/.test(text)) return null;
  const bytes = Buffer.from(text, "base64");
  return bytes.toString("base64") === text ? Uint8Array.from(bytes) : null;
};

/**
 * Could this be somebody's X25519 public key? A point of small order gives the same product with
 * every secret, so nobody's handshake may depend on it. Source: RFC 7748 6.1.
 */
export const isPublicKey = (key: Uint8Array): boolean => {
  const product = new Uint8Array(KEY_BYTES);
  try {
    sodium().crypto_scalarmult(product, new Uint8Array(KEY_BYTES), key);
  } catch {
    return false;
  }
  return product.some((byte) => byte !== 0);
};

/** "p2p:" and base64url of a node key. Units: 32 bytes. */
export const formatNodeId = (nodeKey: Uint8Array): string =>
  `p2p:${Buffer.from(nodeKey).toString("base64url")}`;

/** The node key of a node id; null when it is none. */
export const parseNodeId = (text: string): Uint8Array | null =>
  text.startsWith("p2p:") ? parseSeed(text.slice(4)) : null;

/** Not in constant time: for those who may know both. Null is like null alone. */
export const sameKey = (a: Uint8Array | null, b: Uint8Array | null): boolean =>
  a === b || (a !== null && b !== null && Buffer.compare(a, b) === 0);

/** base64 of a key, as `wg` prints it. */
export const formatWireguardKey = (key: Uint8Array): string => Buffer.from(key).toString("base64");

const parseSeed = (line: string): Uint8Array | null => {
  if (!/^[A-Za-z0-9_-]{43}$/.test(line)) return null;
  const bytes = Buffer.from(line, "base64url");
  return bytes.toString("base64url") === line ? Uint8Array.from(bytes) : null;
};

/**
 * Text of a file that only its owner may read; `absent` is said when there is none. A pipe without
 * a writer would block its opening, hence O_NONBLOCK. Errors: KEY_UNREADABLE, KEY_EXPOSED.
 */
const readSecret = (
  file: string,
  absent = "there is no such file; make one with `wg genpsk`",
): Buffer => {
  let fd: number;
  try {
    fd = openSync(file, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (error) {
    const gone = (error as NodeJS.ErrnoException).code === "ENOENT";
    const reason = gone ? absent : `${errnoText(error)}; run as its owner, or name another`;
    throw new EngineError("KEY_UNREADABLE", { file, reason, cause: error });
  }
  try {
    const stat = fstatSync(fd);
    if (!stat.isFile()) {
      throw new EngineError("KEY_UNREADABLE", {
        file,
        reason: "it is no plain file; name another",
      });
    }
    if ((stat.mode & 0o077) !== 0) throw new EngineError("KEY_EXPOSED", { file });
    const bytes = Buffer.alloc(FILE_BYTES_MAX);
    return bytes.subarray(0, readSync(fd, bytes, 0, FILE_BYTES_MAX, 0));
  } finally {
    closeSync(fd);
  }
};

/** The seed of an identity file; null: it is none. */
const parseIdentitySeed = (bytes: Buffer): Uint8Array | null => {
  const [head, line = "", ...rest] = bytes.toString("latin1").trim().split(/\r?\n/);
  return head === FILE_HEAD && rest.length === 0 ? parseSeed(line) : null;
};

/**
 * The identity, or the plain WireGuard private key, that a file's bytes are; null: neither.
 *
 * Thread: main.   Borrows: `bytes`; the caller zeroes them.
 */
export const parseIdentity = (bytes: Buffer): Identity | null => {
  const plain = parseWireguardKey(bytes.toString("latin1").trim());
  if (plain !== null) return identityFromKey(plain);
  const seed = parseIdentitySeed(bytes);
  if (seed === null) return null;
  const identity = identityFromSeed(seed);
  seed.fill(0);
  return identity;
};

/**
 * Reads an identity, or a plain WireGuard private key.
 *
 * Thread: main.   Errors: EngineError KEY_UNREADABLE, KEY_EXPOSED, KEY_INVALID.
 */
export const loadIdentity = (file: string): Identity => {
  const remedy = `there is no such file; make one with \`p2pvpn-engine keygen --out ${file}\``;
  const bytes = readSecret(file, remedy);
  const identity = parseIdentity(bytes);
  bytes.fill(0);
  if (identity === null) throw new EngineError("KEY_INVALID", { file });
  return identity;
};

/**
 * Reads a preshared key: 44 characters of base64.
 *
 * Units: 32 bytes.   Thread: main.   Errors: EngineError KEY_UNREADABLE, KEY_EXPOSED, PSK_INVALID.
 */
export const loadPresharedKey = (file: string): Uint8Array => {
  const bytes = readSecret(file);
  const key = parseWireguardKey(bytes.toString("latin1").trim());
  bytes.fill(0);
  if (key === null) throw new EngineError("PSK_INVALID", { file });
  return key;
};

/** An identity that signs. `secretKey`: 64 bytes, as libsodium has it; the holder zeroes it. */
export interface Signer {
  readonly identity: Identity;
  readonly nodeKey: Uint8Array;
  readonly secretKey: Uint8Array;
}

/**
 * Reads an identity that is to sign.
 *
 * Thread: main.   Errors: EngineError KEY_UNREADABLE, KEY_EXPOSED, KEY_INVALID, KEY_SIGNS_NOTHING.
 */
export const loadSigner = (file: string): Signer => {
  const remedy = `there is no such file; make one with \`p2pvpn-engine keygen --out ${file}\``;
  const bytes = readSecret(file, remedy);
  const seed = parseIdentitySeed(bytes);
  const plain = seed === null && parseIdentity(bytes) !== null;
  bytes.fill(0);
  if (seed === null) throw new EngineError(plain ? "KEY_SIGNS_NOTHING" : "KEY_INVALID", { file });
  const nodeKey = new Uint8Array(KEY_BYTES);
  const secretKey = new Uint8Array(2 * KEY_BYTES);
  sodium().crypto_sign_seed_keypair(nodeKey, secretKey, seed);
  const identity = identityFromSeed(seed);
  seed.fill(0);
  return { identity, nodeKey, secretKey };
};

/** Makes a new identity and the text of its file, which ends in a newline. Thread: main. */
export const makeIdentity = (): { readonly identity: Identity; readonly text: string } => {
  const seed = randomBytes(KEY_BYTES);
  const text = `${FILE_HEAD}\n${seed.toString("base64url")}\n`;
  const identity = identityFromSeed(seed);
  seed.fill(0);
  return { identity, text };
};

/** Makes a plain WireGuard private key and the text of its file, which `wg` reads. Thread: main. */
export const makeWireguardKey = (): { readonly identity: Identity; readonly text: string } => {
  const identity = identityFromKey(Uint8Array.from(randomBytes(KEY_BYTES)));
  return { identity, text: `${formatWireguardKey(identity.privateKey)}\n` };
};

/** Writes a new file that only its owner may read. Errors: EngineError as `writeNewFile`. */
export const writeSecret = (file: string, text: string): void => writeNewFile(file, text, 0o600);
