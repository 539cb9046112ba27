/**
 * sign — signatures of everything that members and authorities say: ed25519, strict. Pure.
 *
 * What is signed is "p2pvpn/1/" kind "\0", the network's id, and the bytes: no signature of one
 * kind, or of one network, passes as another (security.md 14).
 *
 * Source: RFC 8032; libsodium refuses keys of small order and what is not canonical.
 */
import sodium from "sodium-native";

export type SignKind =
  | "certificate"
  | "issuer"
  | "request"
  | "record"
  | "revocations"
  | "definition"
  | "succession"
  | "card";

/** What a handshake key says (xeddsa.ts); nothing of a node or an authority is of that kind. */
type ProofKind = "handshake-proof";

/** Protocol. */
export const SIGNATURE_BYTES = 64;
export const NETWORK_ID_BYTES = 16;
const PUBLIC_BYTES = 32;
const SECRET_BYTES = 64;
const NETWORK_LABEL = Buffer.from("p2pvpn/1/network\0");

/** Stands where a request has no network yet. */
export const NO_NETWORK = new Uint8Array(NETWORK_ID_BYTES);

const prefixOf = (kind: SignKind | ProofKind): Uint8Array => Buffer.from(`p2pvpn/1/${kind}\0`);
const PREFIXES: Readonly<Record<SignKind | ProofKind, Uint8Array>> = {
  certificate: prefixOf("certificate"),
  issuer: prefixOf("issuer"),
  request: prefixOf("request"),
  record: prefixOf("record"),
  revocations: prefixOf("revocations"),
  definition: prefixOf("definition"),
  succession: prefixOf("succession"),
  card: prefixOf("card"),
  "handshake-proof": prefixOf("handshake-proof"),
};

/** What is signed, whole. Units: `networkId` of 16 bytes. */
export const messageOf = (
  kind: SignKind | ProofKind,
  networkId: Uint8Array,
  bytes: Uint8Array,
): Uint8Array => {
  const prefix = PREFIXES[kind];
  const message = new Uint8Array(prefix.length + NETWORK_ID_BYTES + bytes.length);
  message.set(prefix, 0);
  message.set(networkId, prefix.length);
  message.set(bytes, prefix.length + NETWORK_ID_BYTES);
  return message;
};

/** A pair that signs. `secretKey` is seed and public key, as libsodium has it. */
export interface SigningPair {
  readonly publicKey: Uint8Array;
  readonly secretKey: Uint8Array;
}

/** The pair of a seed. Units: 32 bytes. Borrows: `seed`; the caller zeroes it and the secret. */
export const signingPair = (seed: Uint8Array): SigningPair => {
  const publicKey = new Uint8Array(PUBLIC_BYTES);
  const secretKey = new Uint8Array(SECRET_BYTES);
  sodium.crypto_sign_seed_keypair(publicKey, secretKey, seed);
  return { publicKey, secretKey };
};

/** A signature. Units: `secretKey` of 64 bytes. Thread: any. */
export const sign = (
  kind: SignKind,
  networkId: Uint8Array,
  bytes: Uint8Array,
  secretKey: Uint8Array,
): Uint8Array => {
  const signature = new Uint8Array(SIGNATURE_BYTES);
  sodium.crypto_sign_detached(signature, messageOf(kind, networkId, bytes), secretKey);
  return signature;
};

/** Did the holder of the key sign this? Of any lengths; false rather than an error. */
export const verify = (
  kind: SignKind,
  networkId: Uint8Array,
  bytes: Uint8Array,
  signature: Uint8Array,
  publicKey: Uint8Array,
): boolean =>
  networkId.length === NETWORK_ID_BYTES &&
  signature.length === SIGNATURE_BYTES &&
  publicKey.length === PUBLIC_BYTES &&
  sodium.crypto_sign_verify_detached(signature, messageOf(kind, networkId, bytes), publicKey);

/** BLAKE2b of some bytes. */
export const hashOf = (bytes: number, ...parts: readonly Uint8Array[]): Uint8Array => {
  const out = new Uint8Array(bytes);
  sodium.crypto_generichash(out, parts.length === 1 ? parts[0]! : Buffer.concat(parts));
  return out;
};

/** First 16 bytes of BLAKE2b-256: a name for something long. */
export const shortHash = (bytes: Uint8Array): Uint8Array => hashOf(32, bytes).slice(0, 16);

/** Names a network for ever: made of its first authority's key. Units: 16 bytes. */
export const networkIdOf = (firstAuthority: Uint8Array): Uint8Array =>
  hashOf(NETWORK_ID_BYTES, NETWORK_LABEL, firstAuthority);

/** 32 hex digits. */
export const formatNetworkId = (networkId: Uint8Array): string =>
  Buffer.from(networkId).toString("hex");

/** "p2p:" and base64url of a node key. */
export const formatNodeId = (nodeKey: Uint8Array): string =>
  `p2p:${Buffer.from(nodeKey).toString("base64url")}`;

/** The node key of "p2p:…"; null when the text is none. */
export const parseNodeId = (text: string): Uint8Array | null => {
  if (!/^p2p:[A-Za-z0-9_-]{43}$/.test(text)) return null;
  const bytes = Uint8Array.from(Buffer.from(text.slice(4), "base64url"));
  return formatNodeId(bytes) === text ? bytes : null;
};
