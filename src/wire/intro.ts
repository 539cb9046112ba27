/**
 * intro — bytes of what strangers and members say to each other before there is a session.
 *
 *      9 INTRO      1,232   who I am: certificate and record, sealed to the receiver
 *      9 WHO        1,232   who are you? to an address without a key
 *      9 HERE       1,232   answer to WHO: certificate and record, sealed for the network
 *     10 CHALLENGE     64   answer to an INTRO: bring me this ticket
 *
 *     0 type, three zero bytes · 4 kind · 5 lowest byte of the secret's epoch · 6 slot, zero
 *     8 ticket · 24 ephemeral … tag · body
 *
 * Type 9 has more kinds, of later versions. Every one of type 9 has the same length: so no
 * answer is longer than its request, and length tells nothing. Integers are little-endian.
 * Pure.   Source: docs/PROTOCOL.md, "Before a session: types 9 and 10"; network.md 2.
 */
import type { Range } from "./handshake.ts";

/** Protocol: types of what is said outside of sessions, besides handshakes. */
export const INTRO_TYPE = 9;
export const INDEX_TYPE = 10;

/** Kinds of type 9. 1 and 2 are reserved. */
export const INTRO_KIND = { intro: 0, who: 3, here: 4 } as const;
/** Kind of type 10 that is said here; the others are those of channels (channel.ts). */
export const CHALLENGE_KIND = 3;

export const TICKET_BYTES = 16;
/** AEAD tag behind what is sealed. */
const SEAL_BYTES = 16;
/** Nonce of a HERE, in front of what it seals. */
export const HERE_NONCE_BYTES = 24;

/** Protocol: longest certificate and record, in bytes, as members/ has them. */
const CERTIFICATE_BYTES_MAX = 512;
const RECORD_BYTES_MAX = 400;

/** Any datagram of type 9: so long that it fits every path whole, headers and all in 1,280. */
export const INTRO_BYTES = 1_232;
export const CHALLENGE_BYTES = 64;

// biome-ignore format: a table
export const INTRO = {
  kind: { at: 4, bytes: 1 },
  epoch: { at: 5, bytes: 1 },       // lowest byte of the epoch whose secret made the tag
  slot: { at: 6, bytes: 2 },        // zero
  ticket: { at: 8, bytes: 16 },     // HERE: one for the asker; else the receiver's own, or zero
  ephemeral: { at: 24, bytes: 32 }, // INTRO: X25519 public key; WHO: random; HERE: the WHO's
  tag: { at: 56, bytes: 16 },       // keyed BLAKE2s-128 over all other bytes
  body: { at: 72, bytes: INTRO_BYTES - 72 },
} as const satisfies Readonly<Record<string, Range>>;

// biome-ignore format: a table
export const CHALLENGE = {
  kind: { at: 4, bytes: 1 },
  epoch: { at: 5, bytes: 1 },
  slot: { at: 6, bytes: 2 },
  ticket: { at: 8, bytes: 16 },
  name: { at: 24, bytes: 16 },      // the INTRO's ephemeral, its first half
  tag: { at: 40, bytes: 16 },       // as above
  padding: { at: 56, bytes: 8 },    // not read
} as const satisfies Readonly<Record<string, Range>>;

/** What an INTRO and a HERE seal, before the seal: the pair, then zero bytes. */
export const INTRO_PLAIN_BYTES = INTRO.body.bytes - SEAL_BYTES;
export const HERE_PLAIN_BYTES = INTRO_PLAIN_BYTES - HERE_NONCE_BYTES;

/** What a node shows of itself, as the authority and as it itself signed it. */
export interface Pair {
  readonly certificate: Uint8Array;
  readonly record: Uint8Array;
}

export type StrangeKind = "intro" | "who" | "here" | "challenge";

/** What a datagram of type 9 or 10 claims to be. */
export interface Strange {
  readonly kind: StrangeKind;
  /** Lowest byte of the epoch. */
  readonly epoch: number;
}

const KINDS: ReadonlyMap<number, StrangeKind> = new Map([
  [INTRO_KIND.intro, "intro"],
  [INTRO_KIND.who, "who"],
  [INTRO_KIND.here, "here"],
]);

/**
 * What a datagram is by type, length, reserved bytes and kind; null: nothing of types 9 and 10 that
 * this version knows. Afterwards none of its fields can be out of bounds.
 *
 * Thread: any.   Errors: never.
 */
export const strangeKind = (datagram: Uint8Array): Strange | null => {
  const { length } = datagram;
  const isIntro = length === INTRO_BYTES && datagram[0] === INTRO_TYPE;
  if (!isIntro && (length !== CHALLENGE_BYTES || datagram[0] !== INDEX_TYPE)) return null;
  if ((datagram[1]! | datagram[2]! | datagram[3]! | datagram[6]! | datagram[7]!) !== 0) return null;
  const challenge = datagram[4] === CHALLENGE_KIND ? "challenge" : undefined;
  const kind = isIntro ? KINDS.get(datagram[4]!) : challenge;
  return kind === undefined ? null : { kind, epoch: datagram[5]! };
};

/** Of type 10, and its kind is CHALLENGE's: other kinds are those of channels (channel.ts). */
export const isChallenge = (datagram: Uint8Array): boolean =>
  datagram[0] === INDEX_TYPE && datagram[INTRO.kind.at] === CHALLENGE_KIND;

/** Where the tag of a datagram is. */
export const tagOf = (kind: StrangeKind): Range => (kind === "challenge" ? CHALLENGE : INTRO).tag;

/**
 * All bytes but the tag, one after the other, in `out`: what the tag covers. Borrows: `out`.
 * Units: `out` has room for the datagram.
 */
export const taggedBytes = (datagram: Uint8Array, tag: Range, out: Uint8Array): Uint8Array => {
  out.set(datagram.subarray(0, tag.at), 0);
  out.set(datagram.subarray(tag.at + tag.bytes), tag.at);
  return out.subarray(0, datagram.length - tag.bytes);
};

/** A datagram of type 9 whose tag and body are still zero. */
export const makeIntro = (kind: number, epoch: number): Uint8Array => {
  const datagram = new Uint8Array(INTRO_BYTES);
  datagram[0] = INTRO_TYPE;
  datagram[INTRO.kind.at] = kind;
  datagram[INTRO.epoch.at] = epoch;
  return datagram;
};

/** A CHALLENGE whose tag is still zero. Units: 16 bytes each. */
export const makeChallenge = (epoch: number, ticket: Uint8Array, name: Uint8Array): Uint8Array => {
  const datagram = new Uint8Array(CHALLENGE_BYTES);
  datagram[0] = INDEX_TYPE;
  datagram[CHALLENGE.kind.at] = CHALLENGE_KIND;
  datagram[CHALLENGE.epoch.at] = epoch;
  datagram.set(ticket, CHALLENGE.ticket.at);
  datagram.set(name, CHALLENGE.name.at);
  return datagram;
};

/** Bytes of a pair, and nothing behind it. */
export const pairLength = ({ certificate, record }: Pair): number =>
  4 + certificate.length + record.length;

/**
 * {u16 length, certificate, u16 length, record}, then zero bytes if `bytes` is more.
 * Errors: RangeError when one is empty or longer than it may be.
 */
export const encodePair = (pair: Pair, bytes = pairLength(pair)): Uint8Array => {
  const { certificate, record } = pair;
  if (!isPair(certificate.length, record.length)) {
    throw new RangeError(`no pair of ${certificate.length} and ${record.length} bytes`);
  }
  const out = new Uint8Array(bytes);
  const view = new DataView(out.buffer);
  view.setUint16(0, certificate.length, true);
  out.set(certificate, 2);
  view.setUint16(2 + certificate.length, record.length, true);
  out.set(record, 4 + certificate.length);
  return out;
};

/**
 * Reads a pair; what stands behind it is not read. Null: it is none.
 * Borrows: views into `plain`.   Errors: never.
 */
export const decodePair = (plain: Uint8Array): Pair | null => {
  if (plain.length < 4) return null;
  const first = plain[0]! | (plain[1]! << 8);
  const secondAt = 2 + first;
  if (secondAt + 2 > plain.length) return null;
  const second = plain[secondAt]! | (plain[secondAt + 1]! << 8);
  if (!isPair(first, second) || secondAt + 2 + second > plain.length) return null;
  return {
    certificate: plain.subarray(2, secondAt),
    record: plain.subarray(secondAt + 2, secondAt + 2 + second),
  };
};

const isPair = (certificate: number, record: number): boolean =>
  certificate > 0 &&
  certificate <= CERTIFICATE_BYTES_MAX &&
  record > 0 &&
  record <= RECORD_BYTES_MAX;
