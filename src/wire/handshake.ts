/**
 * handshake — bytes of the three messages that make a session.
 *
 *     1 initiation  148   initiator → responder
 *     2 response     92   responder → initiator
 *     3 cookie       64   either, instead of an answer, when under load
 *
 * Offsets are declared once; everything derives from them. Call messageKind() once on a datagram;
 * after it said which message this is, no accessor can go out of bounds. Integers are
 * little-endian. The AES suite uses types 5 to 7 with the same layouts (security.md 9).
 *
 * Source: WireGuard paper, sections 5.4.2, 5.4.3 and 5.4.7.
 */

/** Where a field lies in its message, in bytes. */
export interface Range {
  readonly at: number;
  readonly bytes: number;
}

/** A message's length and its type in the ChaCha20-Poly1305 suite. */
export interface MessageLayout {
  readonly type: number;
  readonly bytes: number;
  readonly fields: Readonly<Record<string, Range>>;
}

/** Added to a message's type in the AES-256-GCM suite: 5 to 8 instead of 1 to 4. */
export const AES_TYPE_OFFSET = 4;

/** Type of transport data. Source: WireGuard paper 5.4.6. */
export const DATA_TYPE = 4;

/** Messages sealed with one key, at most. Source: WireGuard paper 6.1. */
export const REJECT_AFTER_MESSAGES = 2n ** 64n - 2n ** 13n - 1n;

// biome-ignore format: a table
export const INITIATION = {
  type: 1,
  bytes: 148,
  fields: {
    type: { at: 0, bytes: 4 },             // u8 type, three zero bytes
    senderIndex: { at: 4, bytes: 4 },      // the response names it as its receiver
    ephemeral: { at: 8, bytes: 32 },       // X25519 public key
    sealedStatic: { at: 40, bytes: 48 },   // initiator's static public key and a tag
    sealedTimestamp: { at: 88, bytes: 28 },// TAI64N and a tag
    mac1: { at: 116, bytes: 16 },          // over every byte before it
    mac2: { at: 132, bytes: 16 },          // over every byte before it; zero without a cookie
  },
} as const satisfies MessageLayout;

// biome-ignore format: a table
export const RESPONSE = {
  type: 2,
  bytes: 92,
  fields: {
    type: { at: 0, bytes: 4 },
    senderIndex: { at: 4, bytes: 4 },      // the initiator writes it into every data message
    receiverIndex: { at: 8, bytes: 4 },    // senderIndex of the initiation that this answers
    ephemeral: { at: 12, bytes: 32 },
    sealedNothing: { at: 44, bytes: 16 },  // a tag over no bytes
    mac1: { at: 60, bytes: 16 },
    mac2: { at: 76, bytes: 16 },
  },
} as const satisfies MessageLayout;

// biome-ignore format: a table
export const COOKIE = {
  type: 3,
  bytes: 64,
  fields: {
    type: { at: 0, bytes: 4 },
    receiverIndex: { at: 4, bytes: 4 },    // senderIndex of the message that this answers
    nonce: { at: 8, bytes: 24 },           // XChaCha20-Poly1305
    sealedCookie: { at: 32, bytes: 32 },   // 16 bytes and a tag
  },
} as const satisfies MessageLayout;

export type MessageKind = "initiation" | "response" | "cookie";

/** Which message a datagram claims to be, and in which suite. */
export interface Classified {
  readonly kind: MessageKind;
  /** 0 ChaCha20-Poly1305, 1 AES-256-GCM. */
  readonly suite: 0 | 1;
}

// biome-ignore format: a table
const CLASSES: ReadonlyMap<number, Classified & { readonly bytes: number }> = new Map([
  [INITIATION.type, { kind: "initiation", suite: 0, bytes: INITIATION.bytes }],
  [RESPONSE.type, { kind: "response", suite: 0, bytes: RESPONSE.bytes }],
  [COOKIE.type, { kind: "cookie", suite: 0, bytes: COOKIE.bytes }],
  [INITIATION.type + AES_TYPE_OFFSET, { kind: "initiation", suite: 1, bytes: INITIATION.bytes }],
  [RESPONSE.type + AES_TYPE_OFFSET, { kind: "response", suite: 1, bytes: RESPONSE.bytes }],
  [COOKIE.type + AES_TYPE_OFFSET, { kind: "cookie", suite: 1, bytes: COOKIE.bytes }],
]);

/** First bytes of all handshake messages. */
export const HANDSHAKE_TYPES: readonly number[] = [...CLASSES.keys()];

/**
 * The message that a datagram is by type, reserved bytes and exact length; null for anything else.
 *
 * Thread: any.   Errors: never.
 */
export const messageKind = (datagram: Uint8Array): Classified | null => {
  if (datagram.length < 4) return null;
  if (datagram[1] !== 0 || datagram[2] !== 0 || datagram[3] !== 0) return null;
  const found = CLASSES.get(datagram[0] ?? 0);
  return found !== undefined && datagram.length === found.bytes ? found : null;
};

/**
 * True when a datagram has the length and the type of one message; `type` includes the suite's
 * offset.
 */
export const checkMessage = (
  datagram: Uint8Array,
  layout: MessageLayout,
  type: number = layout.type,
): boolean =>
  datagram.length === layout.bytes &&
  datagram[0] === type &&
  datagram[1] === 0 &&
  datagram[2] === 0 &&
  datagram[3] === 0;

/** A field's bytes. Borrows: a view into the message. */
export const field = (message: Uint8Array, range: Range): Uint8Array =>
  message.subarray(range.at, range.at + range.bytes);

/** Everything before a field: what a mac covers. Borrows: a view into the message. */
export const before = (message: Uint8Array, range: Range): Uint8Array =>
  message.subarray(0, range.at);

/** A little-endian u32: a type or an index. */
export const readU32 = (message: Uint8Array, range: Range): number =>
  new DataView(message.buffer, message.byteOffset, message.byteLength).getUint32(range.at, true);

/** Writes a little-endian u32. */
export const writeU32 = (message: Uint8Array, range: Range, value: number): void =>
  new DataView(message.buffer, message.byteOffset, message.byteLength).setUint32(
    range.at,
    value,
    true,
  );
