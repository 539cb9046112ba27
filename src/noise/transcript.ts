/**
 * transcript — running hash and chaining key of a handshake, and what is mixed into them.
 *
 * A transcript is changed in place, so that what it held before is gone. Inputs marked "Takes"
 * are zeroed. X25519 and ChaCha20-Poly1305 are libsodium's, AES-256-GCM and BLAKE2s OpenSSL's.
 *
 * Source: WireGuard paper, section 5.4; Noise specification, revision 34, sections 5 and 12.
 */
import assert from "node:assert";
import { createCipheriv, createDecipheriv, createHmac } from "node:crypto";
import sodium from "sodium-native";
import { SUITE } from "../memory/layout.ts";
import { AES_TYPE_OFFSET, INITIATION, RESPONSE } from "../wire/handshake.ts";
import { blake2s, zero } from "./mac.ts";

export const KEY_BYTES = 32;
const HANDSHAKE_TAG_BYTES = 16;
const EMPTY = new Uint8Array(0);

/** What differs between the two handshakes. */
export interface Suite {
  /** SUITE of the sessions that it makes. */
  readonly id: 0 | 1;
  readonly construction: string;
  readonly identifier: string;
  readonly initiationType: number;
  readonly responseType: number;
  /** Seals under nonce 0; each key of a handshake seals once. */
  seal(sealed: Uint8Array, plain: Uint8Array, associated: Uint8Array, key: Uint8Array): void;
  /** False when the tag does not verify. */
  open(plain: Uint8Array, sealed: Uint8Array, associated: Uint8Array, key: Uint8Array): boolean;
}

/** WireGuard version 1. */
export const CHACHA20_POLY1305: Suite = {
  id: SUITE.chacha20poly1305,
  construction: "Noise_IKpsk2_25519_ChaChaPoly_BLAKE2s",
  identifier: "WireGuard v1 zx2c4 Jason@zx2c4.com",
  initiationType: INITIATION.type,
  responseType: RESPONSE.type,
  seal(sealed, plain, associated, key) {
    const nonce = new Uint8Array(12);
    sodium.crypto_aead_chacha20poly1305_ietf_encrypt(sealed, plain, associated, null, nonce, key);
  },
  open(plain, sealed, associated, key) {
    assert(plain.length + HANDSHAKE_TAG_BYTES === sealed.length && key.length === KEY_BYTES);
    const nonce = new Uint8Array(12);
    try {
      sodium.crypto_aead_chacha20poly1305_ietf_decrypt(plain, null, sealed, associated, nonce, key);
      return true;
    } catch {
      return false;
    }
  },
};

/** Between two engines (security.md 9); nonce 0 is twelve zero bytes here too. */
export const AES_256_GCM: Suite = {
  id: SUITE.aes256gcm,
  construction: "Noise_IKpsk2_25519_AESGCM_BLAKE2s",
  identifier: "p2pvpn-engine v1 AES-256-GCM",
  initiationType: INITIATION.type + AES_TYPE_OFFSET,
  responseType: RESPONSE.type + AES_TYPE_OFFSET,
  seal(sealed, plain, associated, key) {
    assert(plain.length + HANDSHAKE_TAG_BYTES === sealed.length);
    const cipher = createCipheriv("aes-256-gcm", key, new Uint8Array(12));
    cipher.setAAD(associated);
    sealed.set(cipher.update(plain));
    cipher.final();
    sealed.set(cipher.getAuthTag(), plain.length);
  },
  open(plain, sealed, associated, key) {
    assert(plain.length + HANDSHAKE_TAG_BYTES === sealed.length);
    const nonce = new Uint8Array(12);
    const decipher = createDecipheriv("aes-256-gcm", key, nonce, {
      authTagLength: HANDSHAKE_TAG_BYTES,
    });
    decipher.setAAD(associated);
    decipher.setAuthTag(sealed.subarray(plain.length));
    const opened = decipher.update(sealed.subarray(0, plain.length));
    try {
      decipher.final();
      plain.set(opened);
      return true;
    } catch {
      return false;
    } finally {
      zero(opened);
    }
  },
};

/** By SUITE. */
export const SUITES = [CHACHA20_POLY1305, AES_256_GCM] as const;

/** Running hash and chaining key; changed in place. */
export interface Transcript {
  readonly suite: Suite;
  readonly chainKey: Uint8Array;
  readonly hash: Uint8Array;
}

// ---------------------------------------------------------------------------------------------
// Primitives

/** Bytes of their own; slice() of a Buffer would share them. */
export const copyBytes = (bytes: Uint8Array): Uint8Array => new Uint8Array(bytes);

const hmac = (key: Uint8Array, ...parts: readonly Uint8Array[]): Uint8Array => {
  const mac = createHmac("blake2s256", key);
  for (const part of parts) mac.update(part);
  return mac.digest();
};

/**
 * KDF1 to KDF3: `count` keys of 32 bytes from a chaining key and an input.
 *
 * Source: WireGuard paper 5.4, "KDF_n"; RFC 5869 with HMAC-BLAKE2s.
 */
export const kdf = (chainKey: Uint8Array, input: Uint8Array, count: 1 | 2 | 3): Uint8Array[] => {
  const secret = hmac(chainKey, input);
  const keys: Uint8Array[] = [];
  let last: Uint8Array = EMPTY;
  for (let n = 1; n <= count; n += 1) {
    last = hmac(secret, last, Uint8Array.of(n));
    keys.push(last);
  }
  zero(secret);
  return keys;
};

/** X25519; null when the product is all zero, which a point of small order gives. */
export const x25519 = (privateKey: Uint8Array, publicKey: Uint8Array): Uint8Array | null => {
  assert(privateKey.length === KEY_BYTES && publicKey.length === KEY_BYTES);
  const product = new Uint8Array(KEY_BYTES);
  try {
    sodium.crypto_scalarmult(product, privateKey, publicKey);
  } catch {
    return null;
  }
  return sodium.sodium_memcmp(product, new Uint8Array(KEY_BYTES)) ? null : product;
};

/** The X25519 public key of a private key. */
export const publicKeyOf = (privateKey: Uint8Array): Uint8Array => {
  assert(privateKey.length === KEY_BYTES);
  const publicKey = new Uint8Array(KEY_BYTES);
  sodium.crypto_scalarmult_base(publicKey, privateKey);
  return publicKey;
};

// ---------------------------------------------------------------------------------------------
// Mixing

/** The transcript before message 1, which hashes in whom it is for; the prologue before that. */
export const begin = (
  suite: Suite,
  responderPublicKey: Uint8Array,
  prologue: Uint8Array = Buffer.from(suite.identifier),
): Transcript => {
  const chainKey = blake2s(Buffer.from(suite.construction));
  const named = blake2s(chainKey, prologue);
  return { suite, chainKey, hash: blake2s(named, responderPublicKey) };
};

/** A copy to try a message on. */
export const copyOf = (transcript: Transcript): Transcript => ({
  suite: transcript.suite,
  chainKey: copyBytes(transcript.chainKey),
  hash: copyBytes(transcript.hash),
});

/** Hashes data in. */
export const mixHash = (transcript: Transcript, data: Uint8Array): void =>
  transcript.hash.set(blake2s(transcript.hash, data));

/** Mixes an input into the chaining key; gives `count - 1` more keys. */
export const mixKey = (
  transcript: Transcript,
  input: Uint8Array,
  count: 1 | 2 | 3,
): Uint8Array[] => {
  const [chainKey, ...keys] = kdf(transcript.chainKey, input, count) as [
    Uint8Array,
    ...Uint8Array[],
  ];
  transcript.chainKey.set(chainKey);
  zero(chainKey);
  return keys;
};

/** Token e: an ephemeral public key goes into hash and chaining key (psk handshakes do both). */
export const mixEphemeral = (transcript: Transcript, publicKey: Uint8Array): void => {
  mixHash(transcript, publicKey);
  mixKey(transcript, publicKey, 1);
};

/** Tokens ee and se of message 2. Takes: the product. False when it was refused. */
export const mixProduct = (transcript: Transcript, product: Uint8Array | null): boolean => {
  if (product === null) return false;
  mixKey(transcript, product, 1);
  zero(product);
  return true;
};

/** Token psk; gives the key that seals nothing. Without a preshared key it is 32 zero bytes. */
export const mixPresharedKey = (
  transcript: Transcript,
  presharedKey: Uint8Array | null,
): Uint8Array => {
  const input = presharedKey ?? new Uint8Array(KEY_BYTES);
  assert(input.length === KEY_BYTES);
  const [tau, key] = mixKey(transcript, input, 3) as [Uint8Array, Uint8Array];
  mixHash(transcript, tau);
  zero(tau);
  return key;
};

/** Seals into a field of the message. Takes: the key. */
export const seal = (
  transcript: Transcript,
  key: Uint8Array,
  plain: Uint8Array,
  sealed: Uint8Array,
): void => {
  transcript.suite.seal(sealed, plain, transcript.hash, key);
  zero(key);
  mixHash(transcript, sealed);
};

/** Opens a field of the message; null when it is forged. Takes: the key. */
export const open = (
  transcript: Transcript,
  key: Uint8Array,
  sealed: Uint8Array,
): Uint8Array | null => {
  const plain = new Uint8Array(sealed.length - HANDSHAKE_TAG_BYTES);
  const authentic = transcript.suite.open(plain, sealed, transcript.hash, key);
  zero(key);
  if (!authentic) return null;
  mixHash(transcript, sealed);
  return plain;
};

/** The two session keys, the initiator's sending key first. Takes: the transcript. */
export const split = (transcript: Transcript): [Uint8Array, Uint8Array] => {
  const keys = kdf(transcript.chainKey, EMPTY, 2) as [Uint8Array, Uint8Array];
  zero(transcript.chainKey, transcript.hash);
  return keys;
};
