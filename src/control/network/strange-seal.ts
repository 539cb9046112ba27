/**
 * strange-seal — makes and opens INTRO, WHO, HERE and CHALLENGE: tags, seals, the curve. Pure.
 *
 *     tag     keyed BLAKE2s-128 of the network's secret over all other bytes: looked at first
 *     INTRO   XChaCha20-Poly1305, nonce zero, under
 *             BLAKE2b-256(X25519(ephemeral, receiver) ‖ ephemeral ‖ receiver); a key seals once
 *     HERE    XChaCha20-Poly1305 under the network's key, nonce of the sender's own choice in front
 *
 * All bytes before the tag are associated data of both seals: ticket, epoch and ephemeral cannot be
 * exchanged by somebody else who has the secret. The nonce of a HERE is not the asker's: members
 * seal with one key, and one WHO, brought to two of them, would have both use one nonce.
 *
 * Source: docs/PROTOCOL.md, "Before a session: types 9 and 10". Thread: control.
 */
import sodium from "sodium-native";
import { equal, type Mac, zero } from "../../noise/mac.ts";
import { field } from "../../wire/handshake.ts";
import {
  CHALLENGE,
  CHALLENGE_BYTES,
  decodePair,
  encodePair,
  HERE_NONCE_BYTES,
  HERE_PLAIN_BYTES,
  INTRO,
  INTRO_BYTES,
  INTRO_KIND,
  INTRO_PLAIN_BYTES,
  makeChallenge,
  makeIntro,
  type Pair,
  type StrangeKind,
  taggedBytes,
  tagOf,
} from "../../wire/intro.ts";
import type { EpochKeys } from "./epochs.ts";

const KEY_BYTES = 32;
/** The key of an INTRO seals once. */
const NO_NONCE = new Uint8Array(HERE_NONCE_BYTES);
/** What a tag covers, put together here. */
const scratch = new Uint8Array(Math.max(INTRO_BYTES, CHALLENGE_BYTES));

/** An X25519 pair. Units: 32 bytes each. */
export interface KeyPair {
  readonly publicKey: Uint8Array;
  readonly privateKey: Uint8Array;
}

// ---------------------------------------------------------------------------------------------
// Tags

const tagUnder = (datagram: Uint8Array, kind: StrangeKind, keys: EpochKeys, mac: Mac): Uint8Array =>
  mac(keys.intro, taggedBytes(datagram, tagOf(kind), scratch));

/** Writes the tag; the last step of making. */
const putTag = (datagram: Uint8Array, kind: StrangeKind, keys: EpochKeys, mac: Mac): Uint8Array => {
  datagram.set(tagUnder(datagram, kind, keys, mac), tagOf(kind).at);
  return datagram;
};

/** Did somebody make it who has this secret? */
export const tagValid = (
  datagram: Uint8Array,
  kind: StrangeKind,
  keys: EpochKeys,
  mac: Mac,
): boolean => equal(tagUnder(datagram, kind, keys, mac), field(datagram, tagOf(kind)));

// ---------------------------------------------------------------------------------------------
// INTRO

/** Everything before the tag, which the seal covers. */
const headOf = (datagram: Uint8Array): Uint8Array => datagram.subarray(0, INTRO.tag.at);

/**
 * The key of one INTRO, made at either end; null: a product of all zero bytes, of a point of small
 * order (RFC 7748 6.1).
 */
const introKey = (
  secret: Uint8Array,
  point: Uint8Array,
  ephemeral: Uint8Array,
  receiver: Uint8Array,
): Uint8Array | null => {
  const product = new Uint8Array(KEY_BYTES);
  try {
    sodium.crypto_scalarmult(product, secret, point);
  } catch {
    return null;
  }
  const key = new Uint8Array(KEY_BYTES);
  sodium.crypto_generichash(key, Buffer.concat([product, ephemeral, receiver]));
  zero(product);
  return key;
};

/** What an INTRO is made of. */
export interface IntroParts {
  readonly keys: EpochKeys;
  readonly pair: Pair;
  /** Handshake key of whom it is for. */
  readonly receiver: Uint8Array;
  /** 16 bytes. */
  readonly ticket: Uint8Array;
  /** 32 random bytes, used once. Takes: zeroed. */
  readonly ephemeralSecret: Uint8Array;
}

/** An INTRO; null: the receiver's key is nobody's. */
export const sealIntro = (parts: IntroParts, mac: Mac): Uint8Array | null => {
  const { keys, pair, receiver, ticket, ephemeralSecret } = parts;
  const datagram = makeIntro(INTRO_KIND.intro, keys.low);
  datagram.set(ticket, INTRO.ticket.at);
  const ephemeral = field(datagram, INTRO.ephemeral);
  sodium.crypto_scalarmult_base(ephemeral, ephemeralSecret);
  const key = introKey(ephemeralSecret, receiver, ephemeral, receiver);
  zero(ephemeralSecret);
  if (key === null) return null;
  sodium.crypto_aead_xchacha20poly1305_ietf_encrypt(
    field(datagram, INTRO.body),
    encodePair(pair, INTRO_PLAIN_BYTES),
    headOf(datagram),
    null,
    NO_NONCE,
    key,
  );
  zero(key);
  return putTag(datagram, "intro", keys, mac);
};

/** What an INTRO to us holds, not verified yet; null: it does not open. Its tag was looked at. */
export const openIntro = (datagram: Uint8Array, us: KeyPair): Pair | null => {
  const ephemeral = field(datagram, INTRO.ephemeral);
  const key = introKey(us.privateKey, ephemeral, ephemeral, us.publicKey);
  if (key === null) return null;
  const plain = new Uint8Array(INTRO_PLAIN_BYTES);
  try {
    sodium.crypto_aead_xchacha20poly1305_ietf_decrypt(
      plain,
      null,
      field(datagram, INTRO.body),
      headOf(datagram),
      NO_NONCE,
      key,
    );
  } catch {
    return null;
  } finally {
    zero(key);
  }
  return decodePair(plain);
};

/** The bytes by which a CHALLENGE names an INTRO. Borrows: a view. */
export const nameOf = (intro: Uint8Array): Uint8Array =>
  field(intro, INTRO.ephemeral).subarray(0, CHALLENGE.name.bytes);

/** The answer to an INTRO without a ticket. */
export const sealChallenge = (
  intro: Uint8Array,
  ticket: Uint8Array,
  keys: EpochKeys,
  mac: Mac,
): Uint8Array => putTag(makeChallenge(keys.low, ticket, nameOf(intro)), "challenge", keys, mac);

// ---------------------------------------------------------------------------------------------
// WHO and HERE

/** A WHO. Units: `nonce` of 32 random bytes, `ticket` of 16. */
export const sealWho = (
  keys: EpochKeys,
  nonce: Uint8Array,
  ticket: Uint8Array,
  mac: Mac,
): Uint8Array => {
  const datagram = makeIntro(INTRO_KIND.who, keys.low);
  datagram.set(ticket, INTRO.ticket.at);
  datagram.set(nonce, INTRO.ephemeral.at);
  return putTag(datagram, "who", keys, mac);
};

/** The answer to a WHO. Units: `nonce` of 24 random bytes, never used before. */
export const sealHere = (
  parts: {
    readonly who: Uint8Array;
    readonly keys: EpochKeys;
    readonly pair: Pair;
    readonly ticket: Uint8Array;
    readonly nonce: Uint8Array;
  },
  mac: Mac,
): Uint8Array => {
  const { who, keys, pair, ticket, nonce } = parts;
  const datagram = makeIntro(INTRO_KIND.here, keys.low);
  datagram.set(ticket, INTRO.ticket.at);
  datagram.set(field(who, INTRO.ephemeral), INTRO.ephemeral.at);
  const body = field(datagram, INTRO.body);
  body.set(nonce);
  sodium.crypto_aead_xchacha20poly1305_ietf_encrypt(
    body.subarray(HERE_NONCE_BYTES),
    encodePair(pair, HERE_PLAIN_BYTES),
    headOf(datagram),
    null,
    nonce,
    keys.here,
  );
  return putTag(datagram, "here", keys, mac);
};

/** What a HERE holds, not verified yet; null: it does not open. Its tag was looked at. */
export const openHere = (datagram: Uint8Array, keys: EpochKeys): Pair | null => {
  const body = field(datagram, INTRO.body);
  const plain = new Uint8Array(HERE_PLAIN_BYTES);
  try {
    sodium.crypto_aead_xchacha20poly1305_ietf_decrypt(
      plain,
      null,
      body.subarray(HERE_NONCE_BYTES),
      headOf(datagram),
      body.subarray(0, HERE_NONCE_BYTES),
      keys.here,
    );
  } catch {
    return null;
  }
  return decodePair(plain);
};
