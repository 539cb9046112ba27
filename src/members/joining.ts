/**
 * joining — what a joiner and an enroller say to each other, sealed so that whoever carries it
 * reads nothing. Pure.
 *
 *   request   nonce (24), sealed under the token's key for requests: the request (request.ts)
 *   answer    nonce (24), sealed under the token's key for answers:
 *               0 verdict u8 = 0 · 1 sealed again, to the request's handshake key (48 more):
 *                 certificate (u16 length), network's secret sealed to that key (80)
 *               0 verdict u8 = 1 · 1 why, a clause (1 to 200 characters of ASCII)
 *
 * XChaCha20-Poly1305. Associated data: a label, the network's id, the hash of the invitation; of an
 * answer also the hash of the request's bytes, so that it answers that one alone. Source:
 * security.md 23.
 */
import sodium from "sodium-native";
import { type Decoded, Reader, refused, Writer } from "./bytes.ts";
import { type Certificate, decodeCertificate } from "./certificate.ts";
import { SEALED_SECRET_BYTES } from "./secret.ts";
import { hashOf } from "./sign.ts";
import type { TokenKeys } from "./token.ts";

/** Protocol. */
export const JOINING_NONCE_BYTES = 24;
const SEAL_BYTES = 16;
const BOX_BYTES = 48;
const WHY_LENGTH_MAX = 200;
const ANSWER_BYTES_MAX = 900;
const REQUEST_LABEL = Buffer.from("p2pvpn/1/join-request\0");
const ANSWER_LABEL = Buffer.from("p2pvpn/1/join-answer\0");
const SIGNED = 0;
const REFUSED = 1;

/** An invitation, as either end of it knows it. */
export interface Invited {
  readonly networkId: Uint8Array;
  readonly keys: TokenKeys;
}

const seal = (key: Uint8Array, nonce: Uint8Array, data: Uint8Array, plain: Uint8Array) => {
  const sealed = new Uint8Array(nonce.length + plain.length + SEAL_BYTES);
  sealed.set(nonce);
  sodium.crypto_aead_xchacha20poly1305_ietf_encrypt(
    sealed.subarray(nonce.length),
    plain,
    data,
    null,
    nonce,
    key,
  );
  return sealed;
};

const open = (key: Uint8Array, sealed: Uint8Array, data: Uint8Array): Uint8Array | null => {
  const length = sealed.length - JOINING_NONCE_BYTES - SEAL_BYTES;
  if (length <= 0) return null;
  const plain = new Uint8Array(length);
  const nonce = sealed.subarray(0, JOINING_NONCE_BYTES);
  const rest = sealed.subarray(JOINING_NONCE_BYTES);
  try {
    sodium.crypto_aead_xchacha20poly1305_ietf_decrypt(plain, null, rest, data, nonce, key);
    return plain;
  } catch {
    return null;
  }
};

const requestData = ({ networkId, keys }: Invited): Uint8Array =>
  Buffer.concat([REQUEST_LABEL, networkId, keys.hash]);

const answerData = ({ networkId, keys }: Invited, request: Uint8Array): Uint8Array =>
  Buffer.concat([ANSWER_LABEL, networkId, keys.hash, hashOf(32, request)]);

/** Body of a JOIN. Units: `nonce` of JOINING_NONCE_BYTES, random. */
export const sealRequest = (invited: Invited, request: Uint8Array, nonce: Uint8Array): Uint8Array =>
  seal(invited.keys.request, nonce, requestData(invited), request);

/** Bytes of one, whatever they are; null: whoever sealed it does not have the token. */
export const openRequest = (invited: Invited, body: Uint8Array): Uint8Array | null =>
  open(invited.keys.request, body, requestData(invited));

/** What an enroller says. */
export type JoinVerdict =
  | {
      readonly signed: true;
      /** The request's: some key, since it was decoded. */
      readonly handshakeKey: Uint8Array;
      readonly certificate: Uint8Array;
      /** The network's secret, sealed to that key. */
      readonly sealed: Uint8Array;
    }
  | { readonly signed: false; readonly why: string };

const verdictBytes = (verdict: JoinVerdict): Uint8Array => {
  if (!verdict.signed) {
    const why = verdict.why.replace(/[^ -~]/g, "?").slice(0, WHY_LENGTH_MAX);
    return Buffer.concat([Uint8Array.of(REFUSED), Buffer.from(why, "latin1")]);
  }
  const { certificate, sealed, handshakeKey } = verdict;
  const inner = new Writer(ANSWER_BYTES_MAX)
    .u16(certificate.length)
    .put(certificate)
    .put(sealed, SEALED_SECRET_BYTES)
    .done();
  const out = new Uint8Array(1 + BOX_BYTES + inner.length);
  out[0] = SIGNED;
  sodium.crypto_box_seal(out.subarray(1), inner, handshakeKey);
  return out;
};

/** Body of a JOINED. `request`: the bytes that are answered. */
export const sealAnswer = (
  invited: Invited,
  request: Uint8Array,
  verdict: JoinVerdict,
  nonce: Uint8Array,
): Uint8Array =>
  seal(invited.keys.answer, nonce, answerData(invited, request), verdictBytes(verdict));

/** What a joiner got. */
export type JoinAnswer =
  | { readonly signed: true; readonly certificate: Certificate; readonly sealed: Uint8Array }
  | { readonly signed: false; readonly why: string };

/** Reads one; refused: it is no answer to this request of somebody who has the token. */
export const openAnswer = (
  invited: Invited,
  request: Uint8Array,
  handshakeKey: { readonly publicKey: Uint8Array; readonly privateKey: Uint8Array },
  body: Uint8Array,
): Decoded<JoinAnswer> => {
  const plain = open(invited.keys.answer, body, answerData(invited, request));
  if (plain === null) return refused("it was not sealed by the token");
  if (plain[0] === REFUSED) {
    const why = Buffer.from(plain.subarray(1, 1 + WHY_LENGTH_MAX)).toString("latin1");
    return { ok: true, value: { signed: false, why: why.replace(/[^ -~]/g, "?") } };
  }
  const length = plain.length - 1 - BOX_BYTES;
  if (plain[0] !== SIGNED || length <= 0) return refused("its verdict is unknown");
  const inner = new Uint8Array(length);
  const { publicKey, privateKey } = handshakeKey;
  if (!sodium.crypto_box_seal_open(inner, plain.subarray(1), publicKey, privateKey)) {
    return refused("it is sealed to somebody else");
  }
  const reader = new Reader(inner);
  const certificate = decodeCertificate(reader.take(reader.u16()));
  const sealed = reader.take(SEALED_SECRET_BYTES);
  reader.end();
  if (reader.why !== null) return refused(reader.why);
  if (!certificate.ok) return certificate;
  return { ok: true, value: { signed: true, certificate: certificate.value, sealed } };
};
