/**
 * channel — datagrams between a caller and a callee: how a channel opens, and what goes in it.
 *
 *     10 KNOCK     192   anybody: who are you, and give me a ticket
 *     10 CARD      192   answer to KNOCK: ticket, keys, and a signature over the keys
 *     10 OPEN    1,232   ticket, Noise message 1
 *     10 OPENED    ...   answer to OPEN: Noise message 2
 *     10 CHANNEL   ...   a message, sealed (index-messages.ts)
 *     14 DIRECTORY ...   bytes of the directory, sealed
 *
 * A callee is an index node, or a member that stores or enrols; a caller is a member, or somebody
 * who joins. Type 10 has one kind more, INTRO's CHALLENGE (intro.ts). Integers are little-endian.
 * Pure.   Source: docs/PROTOCOL.md, "Channels: types 10 and 14"; network.md 2.
 */
import type { Range } from "./handshake.ts";
import { INDEX_TYPE } from "./intro.ts";
import { getU64, isSafe, setU64, viewOf } from "./u64.ts";

/** Protocol: type of what the directory says in a channel. */
export const DIRECTORY_TYPE = 14;

/** Kinds of type 10; 3 is INTRO's CHALLENGE. */
export const CHANNEL_KIND = { knock: 0, card: 1, open: 2, channel: 4, opened: 5 } as const;
/** What proves that a KNOCK is no stranger's. */
export const PROOF = { none: 0, secret: 1, invitation: 2 } as const;
/** Who opens. */
export const PURPOSE = { member: 0, joiner: 1 } as const;

/** Protocol: no datagram is longer. */
export const CHANNEL_BYTES_MAX = 1_232;
/** KNOCK and CARD. */
export const KNOCK_BYTES = 192;
/** AEAD tag. */
const SEAL_BYTES = 16;
const KEY_BYTES = 32;

// biome-ignore format: a table
export const KNOCK = {
  kind: { at: 4, bytes: 1 },
  proof: { at: 5, bytes: 1 },
  low: { at: 6, bytes: 1 },         // lowest byte of the epoch whose secret made the tag, or zero
  networkId: { at: 8, bytes: 16 },
  name: { at: 24, bytes: 16 },      // random; the CARD repeats it
  tag: { at: 40, bytes: 16 },       // keyed BLAKE2b-128 over all other bytes, or zero
} as const satisfies Readonly<Record<string, Range>>;

// biome-ignore format: a table
export const CARD = {
  kind: { at: 4, bytes: 1 },
  ticket: { at: 8, bytes: 16 },
  name: { at: 24, bytes: 16 },
  nodeKey: { at: 40, bytes: 32 },
  handshakeKey: { at: 72, bytes: 32 },
  signature: { at: 104, bytes: 64 },
} as const satisfies Readonly<Record<string, Range>>;

// biome-ignore format: a table
export const OPEN = {
  kind: { at: 4, bytes: 1 },
  purpose: { at: 5, bytes: 1 },
  ticket: { at: 8, bytes: 16 },
  sender: { at: 24, bytes: 4 },     // the caller's number of the channel
  ephemeral: { at: 32, bytes: 32 },
  static: { at: 64, bytes: KEY_BYTES + SEAL_BYTES },
  payload: { at: 112, bytes: CHANNEL_BYTES_MAX - 112 },
} as const satisfies Readonly<Record<string, Range>>;
/** Bytes in front of the ephemeral key, which the handshake hashes in. */
export const OPEN_HEAD_BYTES = 32;
export const OPEN_PLAIN_BYTES = OPEN.payload.bytes - SEAL_BYTES;

// biome-ignore format: a table
export const OPENED = {
  kind: { at: 4, bytes: 1 },
  receiver: { at: 8, bytes: 4 },    // the caller's number
  ephemeral: { at: 16, bytes: 32 },
} as const satisfies Readonly<Record<string, Range>>;
export const OPENED_PAYLOAD_AT = 48;

// biome-ignore format: a table
export const SEALED = {
  kind: { at: 4, bytes: 1 },        // of type 10; zero in type 14
  receiver: { at: 8, bytes: 4 },
  counter: { at: 16, bytes: 8 },
} as const satisfies Readonly<Record<string, Range>>;
export const SEALED_HEAD_BYTES = 24;
/** What a channel carries in one datagram. */
export const CHANNEL_PLAIN_BYTES = CHANNEL_BYTES_MAX - SEALED_HEAD_BYTES - SEAL_BYTES;

export type ChannelKind = "knock" | "card" | "open" | "opened" | "channel" | "directory";

const zeros = (datagram: Uint8Array, from: number, to: number): boolean => {
  for (let at = from; at < to; at++) if (datagram[at] !== 0) return false;
  return true;
};

const isSealed = (datagram: Uint8Array): boolean =>
  datagram.length >= SEALED_HEAD_BYTES + SEAL_BYTES &&
  zeros(datagram, 5, 8) &&
  zeros(datagram, 12, 16);

/**
 * What a datagram is by type, kind, length and reserved bytes; null: nothing of channels that this
 * version knows. Afterwards none of its fields can be out of bounds. Thread: any. Errors: never.
 */
export const channelKind = (datagram: Uint8Array): ChannelKind | null => {
  const { length } = datagram;
  if (length < SEALED_HEAD_BYTES || length > CHANNEL_BYTES_MAX || !zeros(datagram, 1, 4))
    return null;
  const kind = datagram[4]!;
  if (datagram[0] === DIRECTORY_TYPE) return kind === 0 && isSealed(datagram) ? "directory" : null;
  if (datagram[0] !== INDEX_TYPE) return null;
  switch (kind) {
    case CHANNEL_KIND.knock:
      return length === KNOCK_BYTES && datagram[7] === 0 ? "knock" : null;
    case CHANNEL_KIND.card:
      return length === KNOCK_BYTES && zeros(datagram, 5, 8) ? "card" : null;
    case CHANNEL_KIND.open:
      return length === CHANNEL_BYTES_MAX && zeros(datagram, 6, 8) && zeros(datagram, 28, 32)
        ? "open"
        : null;
    case CHANNEL_KIND.opened:
      return length > OPENED_PAYLOAD_AT + SEAL_BYTES &&
        zeros(datagram, 5, 8) &&
        zeros(datagram, 12, 16)
        ? "opened"
        : null;
    case CHANNEL_KIND.channel:
      return isSealed(datagram) ? "channel" : null;
    default:
      return null;
  }
};

/** A datagram of type 10 with its kind; all else is still zero. */
export const makeDatagram = (kind: number, bytes: number, type = INDEX_TYPE): Uint8Array => {
  const datagram = new Uint8Array(bytes);
  datagram[0] = type;
  datagram[4] = kind;
  return datagram;
};

/** The receiver's number of the channel: of CHANNEL, DIRECTORY and OPENED. */
export const receiverOf = (datagram: Uint8Array): number =>
  viewOf(datagram).getUint32(SEALED.receiver.at, true);

/** The caller's number of the channel: of OPEN. */
export const senderOf = (datagram: Uint8Array): number =>
  viewOf(datagram).getUint32(OPEN.sender.at, true);

/** Null: it is not below 2^53. */
export const counterOf = (datagram: Uint8Array): number | null => {
  const counter = getU64(viewOf(datagram), SEALED.counter.at);
  return isSafe(counter) ? counter : null;
};

/** Head of a CHANNEL or DIRECTORY, and room for `plain` bytes sealed. */
export const makeSealed = (
  type: number,
  receiver: number,
  counter: number,
  plain: number,
): Uint8Array => {
  const kind = type === DIRECTORY_TYPE ? 0 : CHANNEL_KIND.channel;
  const datagram = makeDatagram(kind, SEALED_HEAD_BYTES + plain + SEAL_BYTES, type);
  const view = viewOf(datagram);
  view.setUint32(SEALED.receiver.at, receiver, true);
  setU64(view, SEALED.counter.at, counter);
  return datagram;
};
