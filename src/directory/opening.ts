/**
 * opening — the handshake of a channel, Noise_IK: pure, no clock, no randomness, no sockets.
 *
 *     caller                                callee
 *     createOpen   ── 1: e, es, s, ss ──▶   consumeOpen    who is it, and what does it say?
 *     consumeOpened ◀── 2: e, ee, se ────   createOpened
 *     keys                                  keys
 *
 * The caller's static key goes sealed. The callee's is known: it was on its card, or in an
 * invitation. Secrets are zeroed as soon as they are used up.
 *
 * Source: Noise specification, revision 34, sections 5 and 7.5.
 */
import { zero } from "../noise/mac.ts";
import {
  begin,
  CHACHA20_POLY1305,
  mixHash,
  mixKey,
  mixProduct,
  open,
  publicKeyOf,
  type Suite,
  seal,
  split,
  type Transcript,
  x25519,
} from "../noise/transcript.ts";
import {
  CHANNEL_BYTES_MAX,
  CHANNEL_KIND,
  makeDatagram,
  OPEN,
  OPEN_HEAD_BYTES,
  OPEN_PLAIN_BYTES,
  OPENED,
  OPENED_PAYLOAD_AT,
  senderOf,
} from "../wire/channel.ts";
import { field } from "../wire/handshake.ts";
import { viewOf } from "../wire/u64.ts";

const SEAL_BYTES = 16;
/** The callee's number of the channel, in front of what its answer says. */
const NUMBER_BYTES = 4;
const LABEL = Buffer.from("p2pvpn/1/channel");

export const CHANNEL_SUITE: Suite = {
  ...CHACHA20_POLY1305,
  construction: "Noise_IK_25519_ChaChaPoly_BLAKE2s",
  identifier: LABEL.toString(),
};

/** An X25519 pair. Units: 32 bytes each. */
export interface KeyPair {
  readonly publicKey: Uint8Array;
  readonly privateKey: Uint8Array;
}

/** 32 bytes each. */
export interface ChannelKeys {
  readonly send: Uint8Array;
  readonly receive: Uint8Array;
}

/** An OPEN on its way; answered at most once. */
export interface Opening extends Transcript {
  readonly datagram: Uint8Array;
  readonly ephemeralPrivate: Uint8Array;
  readonly staticPrivate: Uint8Array;
}

export interface OpenParts {
  readonly networkId: Uint8Array;
  /** PURPOSE. */
  readonly purpose: number;
  readonly ticket: Uint8Array;
  /** Our number of the channel. */
  readonly sender: number;
  /** Borrowed. */
  readonly us: KeyPair;
  /** The callee's handshake key. */
  readonly callee: Uint8Array;
  /** OPEN_PLAIN_BYTES at most; zero bytes follow. */
  readonly payload: Uint8Array;
  /** 32 random bytes, used once. Takes. */
  readonly ephemeralPrivate: Uint8Array;
}

const prologueOf = (networkId: Uint8Array, head: Uint8Array): Uint8Array =>
  Buffer.concat([LABEL, networkId, head]);

const tokenKey = (transcript: Transcript, product: Uint8Array): Uint8Array => {
  const [key] = mixKey(transcript, product, 2) as [Uint8Array];
  zero(product);
  return key;
};

/** Message 1; null: the callee's key is nobody's. */
export const createOpen = (parts: OpenParts): Opening | null => {
  const { us, callee, ephemeralPrivate } = parts;
  const datagram = makeDatagram(CHANNEL_KIND.open, CHANNEL_BYTES_MAX);
  datagram[OPEN.purpose.at] = parts.purpose;
  datagram.set(parts.ticket, OPEN.ticket.at);
  viewOf(datagram).setUint32(OPEN.sender.at, parts.sender, true);
  const head = datagram.subarray(0, OPEN_HEAD_BYTES);
  const transcript = begin(CHANNEL_SUITE, callee, prologueOf(parts.networkId, head));
  const es = x25519(ephemeralPrivate, callee);
  const ss = x25519(us.privateKey, callee);
  if (es === null || ss === null) return null;
  const ephemeral = field(datagram, OPEN.ephemeral);
  ephemeral.set(publicKeyOf(ephemeralPrivate));
  mixHash(transcript, ephemeral);
  seal(transcript, tokenKey(transcript, es), us.publicKey, field(datagram, OPEN.static));
  const plain = new Uint8Array(OPEN_PLAIN_BYTES);
  plain.set(parts.payload);
  seal(transcript, tokenKey(transcript, ss), plain, field(datagram, OPEN.payload));
  return { ...transcript, datagram, ephemeralPrivate, staticPrivate: us.privateKey };
};

/** An OPEN that authenticated. */
export interface Opened extends Transcript {
  /** The caller's handshake key, which it holds. */
  readonly caller: Uint8Array;
  readonly callerEphemeral: Uint8Array;
  readonly callerNumber: number;
  /** OPEN_PLAIN_BYTES. */
  readonly payload: Uint8Array;
}

/** Reads message 1; null: it is forged, or for somebody else. Borrows: `datagram`, `us`. */
export const consumeOpen = (
  datagram: Uint8Array,
  networkId: Uint8Array,
  us: KeyPair,
): Opened | null => {
  const head = datagram.subarray(0, OPEN_HEAD_BYTES);
  const transcript = begin(CHANNEL_SUITE, us.publicKey, prologueOf(networkId, head));
  const ephemeral = field(datagram, OPEN.ephemeral).slice();
  const es = x25519(us.privateKey, ephemeral);
  if (es === null) return null;
  mixHash(transcript, ephemeral);
  const caller = open(transcript, tokenKey(transcript, es), field(datagram, OPEN.static));
  const ss = caller && x25519(us.privateKey, caller);
  if (caller === null || ss === null) return null;
  const payload = open(transcript, tokenKey(transcript, ss), field(datagram, OPEN.payload));
  if (payload === null) return null;
  const callerNumber = senderOf(datagram);
  return { ...transcript, caller, callerEphemeral: ephemeral, callerNumber, payload };
};

/** Message 2 and the callee's keys; null: a key is nobody's. Takes: `opened`, the private key. */
export const createOpened = (
  opened: Opened,
  parts: {
    /** The callee's number of the channel. */
    readonly sender: number;
    readonly payload: Uint8Array;
    readonly ephemeralPrivate: Uint8Array;
  },
): { readonly datagram: Uint8Array; readonly keys: ChannelKeys } | null => {
  const { payload, ephemeralPrivate } = parts;
  const bytes = OPENED_PAYLOAD_AT + NUMBER_BYTES + payload.length + SEAL_BYTES;
  const datagram = makeDatagram(CHANNEL_KIND.opened, bytes);
  viewOf(datagram).setUint32(OPENED.receiver.at, opened.callerNumber, true);
  const plain = new Uint8Array(NUMBER_BYTES + payload.length);
  viewOf(plain).setUint32(0, parts.sender, true);
  plain.set(payload, NUMBER_BYTES);
  const ee = x25519(ephemeralPrivate, opened.callerEphemeral);
  const se = x25519(ephemeralPrivate, opened.caller);
  const ephemeral = field(datagram, OPENED.ephemeral);
  ephemeral.set(publicKeyOf(ephemeralPrivate));
  zero(ephemeralPrivate);
  if (se === null) return null;
  mixHash(opened, ephemeral);
  if (!mixProduct(opened, ee)) return null;
  seal(opened, tokenKey(opened, se), plain, datagram.subarray(OPENED_PAYLOAD_AT));
  const [receive, send] = split(opened);
  return { datagram, keys: { send, receive } };
};

/**
 * Reads message 2; null: it is forged, and the opening can be answered still.
 * Borrows: `datagram`; `opening` stays as it was.
 */
export const consumeOpened = (
  opening: Opening,
  datagram: Uint8Array,
): { readonly number: number; readonly payload: Uint8Array; readonly keys: ChannelKeys } | null => {
  const { ephemeralPrivate, staticPrivate, suite } = opening;
  const transcript = { suite, chainKey: opening.chainKey.slice(), hash: opening.hash.slice() };
  const ephemeral = field(datagram, OPENED.ephemeral);
  const ee = x25519(ephemeralPrivate, ephemeral);
  const se = x25519(staticPrivate, ephemeral);
  if (se === null) return null;
  mixHash(transcript, ephemeral);
  if (!mixProduct(transcript, ee)) return null;
  const plain = open(transcript, tokenKey(transcript, se), datagram.subarray(OPENED_PAYLOAD_AT));
  if (plain === null || plain.length < NUMBER_BYTES) return null;
  const [send, receive] = split(transcript);
  const number = viewOf(plain).getUint32(0, true);
  return { number, payload: plain.subarray(NUMBER_BYTES), keys: { send, receive } };
};

/** Zeroes what an opening holds; not to be used afterwards. */
export const wipeOpening = (opening: Opening): void =>
  zero(opening.ephemeralPrivate, opening.chainKey, opening.hash);
