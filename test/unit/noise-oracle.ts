/**
 * noise-oracle — the handshake a second time, by other hands: a transcription of WireGuard paper
 * 5.4.2 and 5.4.3 line by line, with the paper's letters (C, H, kappa), on the @noble packages.
 * It shares no code with src and checks nothing that the paper does not. Between two engines the
 * same with another cipher, name and types (docs/PROTOCOL.md, "Suites").
 */
import { gcm } from "@noble/ciphers/aes.js";
import { chacha20poly1305 } from "@noble/ciphers/chacha.js";
import { x25519 } from "@noble/curves/ed25519.js";
import { blake2s } from "@noble/hashes/blake2.js";
import { hmac as nobleHmac } from "@noble/hashes/hmac.js";
import { concatBytes, utf8ToBytes } from "@noble/hashes/utils.js";

export const CONSTRUCTION = "Noise_IKpsk2_25519_ChaChaPoly_BLAKE2s";
export const IDENTIFIER = "WireGuard v1 zx2c4 Jason@zx2c4.com";

/** One of the two handshakes. */
export interface Kind {
  readonly construction: string;
  readonly identifier: string;
  /** Types of initiation, response and data. */
  readonly types: readonly [number, number, number];
  readonly aead: typeof chacha20poly1305 | typeof gcm;
  /** Where the counter's lowest byte stands in the 12 bytes of a nonce of data. */
  readonly bigEndian: boolean;
}

export const WIREGUARD: Kind = {
  construction: CONSTRUCTION,
  identifier: IDENTIFIER,
  types: [1, 2, 4],
  aead: chacha20poly1305,
  bigEndian: false,
};

export const AES: Kind = {
  construction: "Noise_IKpsk2_25519_AESGCM_BLAKE2s",
  identifier: "p2pvpn-engine v1 AES-256-GCM",
  types: [5, 6, 8],
  aead: gcm,
  bigEndian: true,
};
const LABEL_MAC1 = "mac1----";
const EMPTY = new Uint8Array(0);

export const hash = (...parts: Uint8Array[]): Uint8Array => blake2s(concatBytes(...parts));
/** Keyed-BLAKE2s with a 16-byte output. */
export const mac = (key: Uint8Array, data: Uint8Array): Uint8Array =>
  blake2s(data, { key, dkLen: 16 });
const hmac = (key: Uint8Array, ...parts: Uint8Array[]): Uint8Array =>
  nobleHmac(blake2s, key, concatBytes(...parts));
export const publicKey = (privateKey: Uint8Array): Uint8Array => x25519.getPublicKey(privateKey);
const dh = (privateKey: Uint8Array, point: Uint8Array): Uint8Array =>
  x25519.getSharedSecret(privateKey, point);

const kdf = (key: Uint8Array, input: Uint8Array): [Uint8Array, Uint8Array, Uint8Array] => {
  const t0 = hmac(key, input);
  const t1 = hmac(t0, Uint8Array.of(1));
  const t2 = hmac(t0, t1, Uint8Array.of(2));
  return [t1, t2, hmac(t0, t2, Uint8Array.of(3))];
};
const ZERO_NONCE = new Uint8Array(12);
const u64 = (n: number, bigEndian: boolean): Uint8Array => {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(n), !bigEndian);
  return bytes;
};
const u32 = (n: number): Uint8Array => Uint8Array.of(n, n >>> 8, n >>> 16, n >>> 24);
const mac1 = (message: Uint8Array, receiver: Uint8Array): Uint8Array =>
  mac(hash(utf8ToBytes(LABEL_MAC1), receiver), message);

type Aead = (key: Uint8Array, text: Uint8Array, ad: Uint8Array) => Uint8Array;
const sealer =
  ({ aead }: Kind): Aead =>
  (key, plain, ad) =>
    aead(key, ZERO_NONCE, ad).encrypt(plain);
const opener =
  ({ aead }: Kind): Aead =>
  (key, sealed, ad) =>
    aead(key, ZERO_NONCE, ad).decrypt(sealed);

/** A data message: paper 5.4.6, the packet padded already. */
export const data = (
  key: Uint8Array,
  index: number,
  counter: number,
  padded: Uint8Array,
  kind: Kind = WIREGUARD,
): Uint8Array => {
  const header = concatBytes(u32(kind.types[2]), u32(index), u64(counter, false));
  const nonce = concatBytes(new Uint8Array(4), u64(counter, kind.bigEndian));
  return concatBytes(header, kind.aead(key, nonce).encrypt(padded));
};

export interface OracleState {
  C: Uint8Array;
  H: Uint8Array;
}

/** Message 1 as the paper's initiator makes it. */
export const initiation = (
  sPriv: Uint8Array,
  peer: Uint8Array,
  ePriv: Uint8Array,
  index: number,
  timestamp: Uint8Array,
  kind: Kind = WIREGUARD,
): { message: Uint8Array; state: OracleState } => {
  const aead = sealer(kind);
  let C = hash(utf8ToBytes(kind.construction));
  let H = hash(hash(C, utf8ToBytes(kind.identifier)), peer);
  const ePub = publicKey(ePriv);
  [C] = kdf(C, ePub);
  H = hash(H, ePub);
  let kappa: Uint8Array;
  [C, kappa] = kdf(C, dh(ePriv, peer));
  const sealedStatic = aead(kappa, publicKey(sPriv), H);
  H = hash(H, sealedStatic);
  [C, kappa] = kdf(C, dh(sPriv, peer));
  const sealedTimestamp = aead(kappa, timestamp, H);
  H = hash(H, sealedTimestamp);
  const body = concatBytes(u32(kind.types[0]), u32(index), ePub, sealedStatic, sealedTimestamp);
  return {
    message: concatBytes(body, mac1(body, peer), new Uint8Array(16)),
    state: { C, H },
  };
};

/** What the paper's responder reads in message 1; throws when it does not authenticate. */
export const readInitiation = (
  sPriv: Uint8Array,
  m: Uint8Array,
  kind: Kind = WIREGUARD,
): { peer: Uint8Array; timestamp: Uint8Array; index: Uint8Array; state: OracleState } => {
  const unaead = opener(kind);
  let C = hash(utf8ToBytes(kind.construction));
  let H = hash(hash(C, utf8ToBytes(kind.identifier)), publicKey(sPriv));
  const ePub = m.slice(8, 40);
  [C] = kdf(C, ePub);
  H = hash(H, ePub);
  let kappa: Uint8Array;
  [C, kappa] = kdf(C, dh(sPriv, ePub));
  const peer = unaead(kappa, m.slice(40, 88), H);
  H = hash(H, m.slice(40, 88));
  [C, kappa] = kdf(C, dh(sPriv, peer));
  const timestamp = unaead(kappa, m.slice(88, 116), H);
  H = hash(H, m.slice(88, 116));
  return { peer, timestamp, index: m.slice(4, 8), state: { C, H } };
};

/** Message 2 as the paper's responder makes it, and [its sending key, its receiving key]. */
export const response = (
  read: { peer: Uint8Array; index: Uint8Array; state: OracleState },
  initiatorEphemeral: Uint8Array,
  ePriv: Uint8Array,
  psk: Uint8Array,
  index: number,
  kind: Kind = WIREGUARD,
): { message: Uint8Array; send: Uint8Array; receive: Uint8Array } => {
  let { C, H } = read.state;
  const ePub = publicKey(ePriv);
  [C] = kdf(C, ePub);
  H = hash(H, ePub);
  [C] = kdf(C, dh(ePriv, initiatorEphemeral));
  [C] = kdf(C, dh(ePriv, read.peer));
  const [next, tau, kappa] = kdf(C, psk);
  C = next;
  H = hash(H, tau);
  const nothing = sealer(kind)(kappa, EMPTY, H);
  const body = concatBytes(u32(kind.types[1]), u32(index), read.index, ePub, nothing);
  const [receive, send] = kdf(C, EMPTY);
  const message = concatBytes(body, mac1(body, read.peer), new Uint8Array(16));
  return { message, send, receive };
};

/** What the paper's initiator makes of message 2; throws when it does not authenticate. */
export const readResponse = (
  sPriv: Uint8Array,
  ePriv: Uint8Array,
  state: OracleState,
  psk: Uint8Array,
  m: Uint8Array,
  kind: Kind = WIREGUARD,
): { send: Uint8Array; receive: Uint8Array } => {
  let { C, H } = state;
  const ePub = m.slice(12, 44);
  [C] = kdf(C, ePub);
  H = hash(H, ePub);
  [C] = kdf(C, dh(ePriv, ePub));
  [C] = kdf(C, dh(sPriv, ePub));
  const [next, tau, kappa] = kdf(C, psk);
  C = next;
  H = hash(H, tau);
  opener(kind)(kappa, m.slice(44, 60), H);
  const [send, receive] = kdf(C, EMPTY);
  return { send, receive };
};
