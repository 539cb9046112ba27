/**
 * noise — the handshake Noise_IKpsk2, pure: no clock, no randomness, no sockets.
 *
 *     initiator                                responder
 *     createInitiation  ── 1: e, es, s, ss ──▶ beginInitiation   mac1, one X25519: who is it?
 *                                              finishInitiation  with that peer's static-static
 *     consumeResponse   ◀─ 2: e, ee, se, psk ─ createResponse
 *     keys                                     keys
 *
 * The responder's part has two steps, so that a stranger costs one hash, one X25519 and one AEAD,
 * and a known peer's static-static product is computed once and kept. A `Suite` names cipher and
 * labels. Secrets are zeroed as soon as they are used up; states by whoever gives them up: wipe().
 *
 * Source: WireGuard paper, section 5.4; Noise specification, revision 34, section 9.4.
 */
import assert from "node:assert";
import type { DropName } from "../../memory/layout.ts";
import { blake2s, equal, type Mac, zero } from "../../noise/mac.ts";
import {
  begin,
  CHACHA20_POLY1305,
  copyBytes,
  copyOf,
  KEY_BYTES,
  mixEphemeral,
  mixKey,
  mixPresharedKey,
  mixProduct,
  open,
  publicKeyOf,
  type Suite,
  seal,
  split,
  type Transcript,
  x25519,
} from "../../noise/transcript.ts";
import {
  before,
  checkMessage,
  field,
  INITIATION,
  type Range,
  RESPONSE,
  readU32,
  writeU32,
} from "../../wire/handshake.ts";
import type { TransportKeys } from "../sessions/keys.ts";

// ---------------------------------------------------------------------------------------------
// Keys and states

/** Our static pair and what is derived from it once; made by staticKeys(). */
export interface StaticKeys {
  readonly privateKey: Uint8Array;
  readonly publicKey: Uint8Array;
  /** Checks mac1 of what arrives. */
  readonly mac1Key: Uint8Array;
}

/** An initiation on its way; answered at most once. */
export interface InitiatorState extends Transcript {
  readonly ephemeralPrivate: Uint8Array;
  readonly senderIndex: number;
}

/** An initiation whose sender is named and not yet proven. */
export interface PendingInitiation extends Transcript {
  readonly remotePublicKey: Uint8Array;
  readonly remoteEphemeral: Uint8Array;
  readonly sealedTimestamp: Uint8Array;
  readonly remoteIndex: number;
}

/** A proven initiation, to be answered at most once. */
export interface ResponderState extends Transcript {
  readonly remotePublicKey: Uint8Array;
  readonly remoteEphemeral: Uint8Array;
  /** Receiver index that the new session writes. */
  readonly remoteIndex: number;
}

export interface Refused {
  readonly ok: false;
  readonly reason: Extract<DropName, "macInvalid" | "handshakeInvalid">;
}

const MAC_INVALID: Refused = { ok: false, reason: "macInvalid" };
const HANDSHAKE_INVALID: Refused = { ok: false, reason: "handshakeInvalid" };

/** Zeroes the secrets of a state that will not be used again. Takes: the state. */
export const wipe = (state: InitiatorState | PendingInitiation | ResponderState): void => {
  zero(state.chainKey, state.hash);
  if ("ephemeralPrivate" in state) zero(state.ephemeralPrivate);
};

/** Zeroes session keys. Takes: the keys. */
export const wipeKeys = (keys: TransportKeys): void => zero(keys.send, keys.receive);

/** Key of mac1 in messages to the holder of a public key. Source: WireGuard paper 5.4.4. */
export const mac1Key = (publicKey: Uint8Array): Uint8Array =>
  blake2s(Buffer.from("mac1----"), publicKey);

/** Our pair from its private key. Borrows: keeps `privateKey`. */
export const staticKeys = (privateKey: Uint8Array): StaticKeys => {
  const publicKey = publicKeyOf(privateKey);
  return { privateKey, publicKey, mac1Key: mac1Key(publicKey) };
};

/**
 * The static-static product of two nodes, the same at both ends; compute it once per peer.
 * Null when the public key is of small order: no such peer may be configured.
 */
export const staticStatic = (local: StaticKeys, remotePublicKey: Uint8Array): Uint8Array | null =>
  x25519(local.privateKey, remotePublicKey);

/** Is mac1 made with this key? */
export const macValid = (datagram: Uint8Array, range: Range, key: Uint8Array, mac: Mac): boolean =>
  equal(mac(key, before(datagram, range)), field(datagram, range));

const ownedSeed = (seed: Uint8Array): Uint8Array => {
  assert(seed.length === KEY_BYTES);
  return copyBytes(seed);
};

/** Product of a key pair that was checked before; refusing it now is our own mistake. */
const knownProduct = (product: Uint8Array | null): Uint8Array => {
  assert(product !== null, "a public key of small order got past the checks");
  return product;
};

/** Tokens es and ss: mixes a product in and gives the key that seals the next field. */
const mixForKey = (transcript: Transcript, product: Uint8Array): Uint8Array =>
  mixKey(transcript, product, 2)[0] as Uint8Array;

/** Writes mac1. mac2 stays zero: who holds a cookie writes it afterwards, see cookie.ts. */
const finishMessage = (message: Uint8Array, range: Range, remote: Uint8Array, mac: Mac): void =>
  field(message, range).set(mac(mac1Key(remote), before(message, range)));

// ---------------------------------------------------------------------------------------------
// Message 1

export interface InitiationInput {
  /** WireGuard version 1 unless given. */
  readonly suite?: Suite;
  readonly local: StaticKeys;
  readonly remotePublicKey: Uint8Array;
  /** The cached product of staticStatic(); computed here when absent. */
  readonly staticStatic?: Uint8Array;
  /** 32 fresh random bytes. */
  readonly ephemeralSeed: Uint8Array;
  /** A fresh receiver index for the session to come. */
  readonly senderIndex: number;
  /** TAI64N, newer than any sent to this peer before. */
  readonly timestamp: Uint8Array;
  readonly mac: Mac;
}

/**
 * Message 1.
 *
 * Errors: assertion when the peer's key is of small order; staticStatic() tells beforehand.
 */
export const createInitiation = (
  input: InitiationInput,
): { readonly datagram: Uint8Array; readonly state: InitiatorState } => {
  const { local, remotePublicKey, mac, suite = CHACHA20_POLY1305 } = input;
  const { fields } = INITIATION;
  const datagram = new Uint8Array(INITIATION.bytes);
  const transcript = begin(suite, remotePublicKey);
  const ephemeralPrivate = ownedSeed(input.ephemeralSeed);
  const ephemeral = publicKeyOf(ephemeralPrivate);

  writeU32(datagram, fields.type, suite.initiationType);
  writeU32(datagram, fields.senderIndex, input.senderIndex);
  field(datagram, fields.ephemeral).set(ephemeral);
  mixEphemeral(transcript, ephemeral);

  const es = knownProduct(x25519(ephemeralPrivate, remotePublicKey));
  const staticKey = mixForKey(transcript, es);
  seal(transcript, staticKey, local.publicKey, field(datagram, fields.sealedStatic));

  const ss = input.staticStatic ?? knownProduct(staticStatic(local, remotePublicKey));
  const timestampKey = mixForKey(transcript, ss);
  seal(transcript, timestampKey, input.timestamp, field(datagram, fields.sealedTimestamp));
  zero(es);
  if (ss !== input.staticStatic) zero(ss);

  finishMessage(datagram, fields.mac1, remotePublicKey, mac);
  return { datagram, state: { ...transcript, ephemeralPrivate, senderIndex: input.senderIndex } };
};

export interface ReceivedInitiation {
  readonly suite?: Suite;
  readonly local: StaticKeys;
  /** Borrows: nothing refers to it afterwards. */
  readonly datagram: Uint8Array;
  readonly mac: Mac;
}

/**
 * First half of message 1: who claims to send it. Costs mac1, then one X25519 and one AEAD.
 * Look up `pending.remotePublicKey`, then finishInitiation(), or wipe() for a stranger.
 *
 * Errors: never; anything wrong is `reason`, with nothing kept.
 */
export const beginInitiation = (
  input: ReceivedInitiation,
): Refused | { readonly ok: true; readonly pending: PendingInitiation } => {
  const { local, datagram, mac, suite = CHACHA20_POLY1305 } = input;
  const { fields } = INITIATION;
  if (!checkMessage(datagram, INITIATION, suite.initiationType)) return HANDSHAKE_INVALID;
  if (!macValid(datagram, fields.mac1, local.mac1Key, mac)) return MAC_INVALID;

  const remoteEphemeral = copyBytes(field(datagram, fields.ephemeral));
  const es = x25519(local.privateKey, remoteEphemeral);
  if (es === null) return HANDSHAKE_INVALID;
  const transcript = begin(suite, local.publicKey);
  mixEphemeral(transcript, remoteEphemeral);
  const staticKey = mixForKey(transcript, es);
  zero(es);
  const remotePublicKey = open(transcript, staticKey, field(datagram, fields.sealedStatic));
  if (remotePublicKey === null) {
    zero(transcript.chainKey, transcript.hash);
    return HANDSHAKE_INVALID;
  }
  return {
    ok: true,
    pending: {
      ...transcript,
      remotePublicKey,
      remoteEphemeral,
      remoteIndex: readU32(datagram, fields.senderIndex),
      sealedTimestamp: copyBytes(field(datagram, fields.sealedTimestamp)),
    },
  };
};

/** What a whole initiation says; the timestamp must still be compared with the peer's last one. */
export interface ConsumedInitiation {
  readonly ok: true;
  readonly remotePublicKey: Uint8Array;
  readonly senderIndex: number;
  readonly timestamp: Uint8Array;
  readonly state: ResponderState;
}

/**
 * Second half of message 1: proves the sender with the peer's cached static-static product.
 *
 * Takes: `pending`, whatever the outcome.   Errors: never.
 */
export const finishInitiation = (
  pending: PendingInitiation,
  cachedStaticStatic: Uint8Array,
): Refused | ConsumedInitiation => {
  const { remotePublicKey, remoteEphemeral, remoteIndex } = pending;
  const timestampKey = mixForKey(pending, cachedStaticStatic);
  const timestamp = open(pending, timestampKey, pending.sealedTimestamp);
  if (timestamp === null) {
    wipe(pending);
    return HANDSHAKE_INVALID;
  }
  const { suite, chainKey, hash } = pending;
  const state = { suite, chainKey, hash, remotePublicKey, remoteEphemeral, remoteIndex };
  return { ok: true, remotePublicKey, senderIndex: remoteIndex, timestamp, state };
};

// ---------------------------------------------------------------------------------------------
// Message 2

export interface ResponseInput {
  readonly state: ResponderState;
  /** 32 bytes, or null for none. */
  readonly presharedKey: Uint8Array | null;
  /** 32 fresh random bytes. */
  readonly ephemeralSeed: Uint8Array;
  /** A fresh receiver index for the new session. */
  readonly senderIndex: number;
  readonly mac: Mac;
}

/** Message 2 and the responder's session keys. Takes: the state. */
export const createResponse = (
  input: ResponseInput,
): { readonly datagram: Uint8Array; readonly keys: TransportKeys } => {
  const { state, mac } = input;
  const { fields } = RESPONSE;
  const datagram = new Uint8Array(RESPONSE.bytes);
  const ephemeralPrivate = ownedSeed(input.ephemeralSeed);
  const ephemeral = publicKeyOf(ephemeralPrivate);

  writeU32(datagram, fields.type, state.suite.responseType);
  writeU32(datagram, fields.senderIndex, input.senderIndex);
  writeU32(datagram, fields.receiverIndex, state.remoteIndex);
  field(datagram, fields.ephemeral).set(ephemeral);
  mixEphemeral(state, ephemeral);
  mixProduct(state, knownProduct(x25519(ephemeralPrivate, state.remoteEphemeral)));
  mixProduct(state, knownProduct(x25519(ephemeralPrivate, state.remotePublicKey)));
  zero(ephemeralPrivate);
  const key = mixPresharedKey(state, input.presharedKey);
  seal(state, key, new Uint8Array(0), field(datagram, fields.sealedNothing));

  finishMessage(datagram, fields.mac1, state.remotePublicKey, mac);
  const [receive, send] = split(state);
  return { datagram, keys: { send, receive } };
};

export interface ReceivedResponse {
  readonly local: StaticKeys;
  /** The initiation whose senderIndex the response names. */
  readonly state: InitiatorState;
  readonly presharedKey: Uint8Array | null;
  /** Borrows: nothing refers to it afterwards. */
  readonly datagram: Uint8Array;
  readonly mac: Mac;
}

/**
 * Message 2 at the initiator. On success takes the state; a response that is refused leaves it as
 * it was, ready for the true one.
 *
 * Errors: never; anything wrong is `reason`.
 */
export const consumeResponse = (
  input: ReceivedResponse,
): Refused | { readonly ok: true; readonly remoteIndex: number; readonly keys: TransportKeys } => {
  const { local, state, datagram, mac } = input;
  const { fields } = RESPONSE;
  if (!checkMessage(datagram, RESPONSE, state.suite.responseType)) return HANDSHAKE_INVALID;
  if (!macValid(datagram, fields.mac1, local.mac1Key, mac)) return MAC_INVALID;
  if (readU32(datagram, fields.receiverIndex) !== state.senderIndex) return HANDSHAKE_INVALID;

  const ephemeral = field(datagram, fields.ephemeral);
  const transcript = copyOf(state);
  mixEphemeral(transcript, ephemeral);
  const authentic =
    mixProduct(transcript, x25519(state.ephemeralPrivate, ephemeral)) &&
    mixProduct(transcript, x25519(local.privateKey, ephemeral)) &&
    open(
      transcript,
      mixPresharedKey(transcript, input.presharedKey),
      field(datagram, fields.sealedNothing),
    ) !== null;
  if (!authentic) {
    zero(transcript.chainKey, transcript.hash);
    return HANDSHAKE_INVALID;
  }
  wipe(state);
  const [send, receive] = split(transcript);
  const remoteIndex = readU32(datagram, fields.senderIndex);
  return { ok: true, remoteIndex, keys: { send, receive } };
};
