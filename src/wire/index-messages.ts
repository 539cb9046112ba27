/**
 * index-messages — what caller and callee say to each other in a channel of type 10.
 *
 *     0 kind u8
 *       1 REPORT      1 flags u8 (1 show me others · 2 the pair follows) · 2 record's sequence u64
 *                     10 standings (22) · in OPEN: the pair
 *      14 OBSERVED    1 flags u8 (none yet) · 2 family u8 (4, 6) · 3 port u16 · 5 address (16)
 *                     21 report again within u16 (s) · 23 members here u32 · 27 standings (22)
 *      15 NOTIFY      1 standings (22)
 *       2 SHOW        1 a pair: the caller's own
 *      16 SHOWN       1 a pair: somebody whom the caller may want to know
 *       3 ASK         1 question u32 · 5 target (32)
 *       4 FOUND       1 question u32 · 5 a pair, or nothing
 *       5 WANT_PIECE  1 what u8 (0 revocations, 1 definition) · 2 offset u32
 *       6 PIECE       1 what u8 · 2 chain u8 · 3 sequence u64 · 11 length of it all u32
 *                     15 offset u32 · 19 bytes (1,024 each, but for the last)
 *       7 FORWARD     1 node id u64 · 9 body (1 to 1,000)
 *       8 FORWARDED   1 node id of the sender u64 · 9 body
 *       9 TOKENS      1 hashes of invitations (16 each, 64 at most)
 *      10 JOIN        1 hash of the invitation (16) · 17 length u16 · 19 body
 *      11 JOIN_WAITS  1 ticket of the mailbox u64 · 9 hash (16) · 25 body
 *      12 JOIN_ANSWER 1 ticket of the mailbox u64 · 9 body
 *      13 JOINED      1 body
 *      17 BYE
 *
 *     standings: list { authority u8, sequence u64 }, definition { successions u8, sequence u64 },
 *     newest epoch u32
 *
 * Integers are little-endian. What is decoded is null when it is not as it has to be; nothing
 * throws. What stands behind a fixed layout is not read: a later version may add to it. Pure.
 */
import type { Standing } from "./digests.ts";
import { decodePair, encodePair, type Pair, pairLength } from "./intro.ts";
import { getU64, isSafe, setU64, viewOf } from "./u64.ts";

// biome-ignore format: a table
export const MESSAGE = {
  report: 1, show: 2, ask: 3, found: 4, wantPiece: 5, piece: 6, forward: 7, forwarded: 8, tokens: 9,
  join: 10, joinWaits: 11, joinAnswer: 12, joined: 13, observed: 14, notify: 15, shown: 16, bye: 17,
} as const;
export const PIECE_OF = { revocations: 0, definition: 1 } as const;

/** Protocol. */
export const FORWARD_BYTES_MAX = 1_000;
export const TOKEN_HASH_BYTES = 16;
export const TOKENS_MAX = 64;
export const TARGET_BYTES = 32;
/** Protocol: body of a JOIN, and of what answers it. */
export const JOIN_BYTES_MAX = 1_000;
const STANDINGS_BYTES = 22;

/** What somebody has of an authority's word. */
export interface Standings {
  readonly list: Standing;
  readonly definition: Standing;
  readonly epoch: number;
}

const putStandings = (out: Uint8Array, at: number, standings: Standings): void => {
  const view = viewOf(out);
  const { list, definition, epoch } = standings;
  out[at] = list.chain;
  setU64(view, at + 1, list.sequence);
  out[at + 9] = definition.chain;
  setU64(view, at + 10, definition.sequence);
  view.setUint32(at + 18, epoch, true);
};

const takeStandings = (message: Uint8Array, at: number): Standings | null => {
  if (message.length < at + STANDINGS_BYTES) return null;
  const view = viewOf(message);
  const list = { chain: message[at]!, sequence: getU64(view, at + 1) };
  const definition = { chain: message[at + 9]!, sequence: getU64(view, at + 10) };
  if (!isSafe(list.sequence) || !isSafe(definition.sequence)) return null;
  return { list, definition, epoch: view.getUint32(at + 18, true) };
};

// ---------------------------------------------------------------------------------------------
// REPORT, OBSERVED, NOTIFY

const REPORT_BYTES = 10 + STANDINGS_BYTES;
const SHOW_OTHERS = 1;
const WITH_PAIR = 2;

export interface Report {
  /** Others are of interest: there may be members that the caller does not know. */
  readonly others: boolean;
  /** Of the caller's newest record. */
  readonly sequence: number;
  readonly standings: Standings;
  /** The caller's certificate and record; null: as they were. Borrowed. */
  readonly pair: Pair | null;
}

export const encodeReport = ({ others, sequence, standings, pair }: Report): Uint8Array => {
  const pairBytes = pair === null ? 0 : pairLength(pair);
  const message = new Uint8Array(REPORT_BYTES + pairBytes);
  message[0] = MESSAGE.report;
  message[1] = (others ? SHOW_OTHERS : 0) | (pair === null ? 0 : WITH_PAIR);
  setU64(viewOf(message), 2, sequence);
  putStandings(message, 10, standings);
  if (pair !== null) message.set(encodePair(pair), REPORT_BYTES);
  return message;
};

export const decodeReport = (message: Uint8Array): Report | null => {
  const standings = takeStandings(message, 10);
  if (standings === null) return null;
  const sequence = getU64(viewOf(message), 2);
  const flags = message[1]!;
  const withPair = (flags & WITH_PAIR) !== 0;
  const pair = withPair ? decodePair(message.subarray(REPORT_BYTES)) : null;
  if (!isSafe(sequence) || (withPair && pair === null)) return null;
  return { others: (flags & SHOW_OTHERS) !== 0, sequence, standings, pair };
};

/** Where the clock stands: earlier versions neither write nor read it. */
const CLOCK_AT = 27 + STANDINGS_BYTES;
const OBSERVED_BYTES = CLOCK_AT + 8;

export interface Observed {
  /** 4 or 16 bytes: where the caller's datagrams come from. */
  readonly address: Uint8Array;
  readonly port: number;
  /** The next REPORT is expected within this. Units: seconds. */
  readonly againS: number;
  /** Members that the callee knows of. */
  readonly members: number;
  readonly standings: Standings;
  /** Which time it is there; 0: it does not say. Units: Unix milliseconds. */
  readonly clockMs: number;
}

export const encodeObserved = (observed: Observed): Uint8Array => {
  const message = new Uint8Array(OBSERVED_BYTES);
  const view = viewOf(message);
  const { address } = observed;
  message[0] = MESSAGE.observed;
  message[2] = address.length === 4 ? 4 : 6;
  view.setUint16(3, observed.port, true);
  message.set(address, 5);
  view.setUint16(21, observed.againS, true);
  view.setUint32(23, observed.members, true);
  putStandings(message, 27, observed.standings);
  setU64(view, CLOCK_AT, observed.clockMs);
  return message;
};

export const decodeObserved = (message: Uint8Array): Observed | null => {
  const standings = takeStandings(message, 27);
  const family = message[2];
  if (standings === null || (family !== 4 && family !== 6)) return null;
  const view = viewOf(message);
  const clockMs = message.length < OBSERVED_BYTES ? 0 : getU64(view, CLOCK_AT);
  return {
    address: message.slice(5, family === 4 ? 9 : 21),
    port: view.getUint16(3, true),
    againS: view.getUint16(21, true),
    members: view.getUint32(23, true),
    standings,
    clockMs: isSafe(clockMs) ? clockMs : 0,
  };
};

export const encodeNotify = (standings: Standings): Uint8Array => {
  const message = new Uint8Array(1 + STANDINGS_BYTES);
  message[0] = MESSAGE.notify;
  putStandings(message, 1, standings);
  return message;
};

export const decodeNotify = (message: Uint8Array): Standings | null => takeStandings(message, 1);

// ---------------------------------------------------------------------------------------------
// Pairs, questions

/** A SHOW, or a SHOWN. */
export const encodeShow = (kind: number, pair: Pair): Uint8Array => {
  const message = new Uint8Array(1 + pairLength(pair));
  message[0] = kind;
  message.set(encodePair(pair), 1);
  return message;
};

/** Borrows. */
export const decodeShow = (message: Uint8Array): Pair | null => decodePair(message.subarray(1));

export interface Ask {
  readonly question: number;
  readonly target: Uint8Array;
}

export const encodeAsk = ({ question, target }: Ask): Uint8Array => {
  const message = new Uint8Array(5 + TARGET_BYTES);
  message[0] = MESSAGE.ask;
  viewOf(message).setUint32(1, question, true);
  message.set(target, 5);
  return message;
};

/** Takes a copy. */
export const decodeAsk = (message: Uint8Array): Ask | null => {
  if (message.length < 5 + TARGET_BYTES) return null;
  const question = viewOf(message).getUint32(1, true);
  return { question, target: message.slice(5, 5 + TARGET_BYTES) };
};

export interface FoundAnswer {
  readonly question: number;
  /** Null: the callee knows none. Borrowed. */
  readonly pair: Pair | null;
}

export const encodeFound = ({ question, pair }: FoundAnswer): Uint8Array => {
  const pairBytes = pair === null ? 0 : pairLength(pair);
  const message = new Uint8Array(5 + pairBytes);
  message[0] = MESSAGE.found;
  viewOf(message).setUint32(1, question, true);
  if (pair !== null) message.set(encodePair(pair), 5);
  return message;
};

export const decodeFound = (message: Uint8Array): FoundAnswer | null => {
  if (message.length < 5) return null;
  const question = viewOf(message).getUint32(1, true);
  if (message.length === 5) return { question, pair: null };
  const pair = decodePair(message.subarray(5));
  return pair === null ? null : { question, pair };
};

// ---------------------------------------------------------------------------------------------
// Pieces

export interface WantPiece {
  readonly what: number;
  readonly offset: number;
}

export const encodeWantPiece = ({ what, offset }: WantPiece): Uint8Array => {
  const message = new Uint8Array(6);
  message[0] = MESSAGE.wantPiece;
  message[1] = what;
  viewOf(message).setUint32(2, offset, true);
  return message;
};

export const decodeWantPiece = (message: Uint8Array): WantPiece | null =>
  message.length < 6 || message[1]! > PIECE_OF.definition
    ? null
    : { what: message[1]!, offset: viewOf(message).getUint32(2, true) };

const PIECE_HEAD_BYTES = 19;
/** Protocol. */
export const INDEX_PIECE_BYTES = 1_024;

/** Some bytes of revocations, or of a definition. */
export interface IndexPiece {
  readonly what: number;
  readonly standing: Standing;
  readonly total: number;
  readonly offset: number;
  /** Borrowed. */
  readonly bytes: Uint8Array;
}

export const encodeIndexPiece = (piece: IndexPiece): Uint8Array => {
  const { what, standing, total, offset, bytes } = piece;
  const message = new Uint8Array(PIECE_HEAD_BYTES + bytes.length);
  const view = viewOf(message);
  message[0] = MESSAGE.piece;
  message[1] = what;
  message[2] = standing.chain;
  setU64(view, 3, standing.sequence);
  view.setUint32(11, total, true);
  view.setUint32(15, offset, true);
  message.set(bytes, PIECE_HEAD_BYTES);
  return message;
};

/** Something that is passed on in pieces. Borrowed. */
export interface IndexWhole {
  readonly standing: Standing;
  readonly bytes: Uint8Array;
}

/** The PIECE that answers a WANT_PIECE; null: there is no whole, or none at that offset. */
export const pieceOf = (
  { what, offset }: WantPiece,
  whole: IndexWhole | null,
): Uint8Array | null => {
  if (whole === null || offset >= whole.bytes.length || offset % INDEX_PIECE_BYTES !== 0) {
    return null;
  }
  const { standing } = whole;
  const bytes = whole.bytes.subarray(offset, offset + INDEX_PIECE_BYTES);
  return encodeIndexPiece({ what, standing, total: whole.bytes.length, offset, bytes });
};

/** Pieces are whole: INDEX_PIECE_BYTES each, but for the last. */
export const decodeIndexPiece = (message: Uint8Array): IndexPiece | null => {
  if (message.length <= PIECE_HEAD_BYTES || message[1]! > PIECE_OF.definition) return null;
  const view = viewOf(message);
  const standing = { chain: message[2]!, sequence: getU64(view, 3) };
  const total = view.getUint32(11, true);
  const offset = view.getUint32(15, true);
  const bytes = message.subarray(PIECE_HEAD_BYTES);
  const whole = Math.min(INDEX_PIECE_BYTES, total - offset);
  if (!isSafe(standing.sequence) || offset % INDEX_PIECE_BYTES !== 0 || bytes.length !== whole)
    return null;
  return { what: message[1]!, standing, total, offset, bytes };
};

// ---------------------------------------------------------------------------------------------
// To others: FORWARD, invitations

/** For whom or of whom, by a number: FORWARD, FORWARDED, JOIN_ANSWER. */
export interface Passed {
  /** Node id, or ticket of the mailbox. */
  readonly id: number;
  /** Borrowed. */
  readonly body: Uint8Array;
}

export const encodePassed = (kind: number, { id, body }: Passed): Uint8Array => {
  const message = new Uint8Array(9 + body.length);
  message[0] = kind;
  setU64(viewOf(message), 1, id);
  message.set(body, 9);
  return message;
};

export const decodePassed = (message: Uint8Array): Passed | null => {
  if (message.length < 10 || message.length > 9 + FORWARD_BYTES_MAX) return null;
  const id = getU64(viewOf(message), 1);
  return isSafe(id) ? { id, body: message.subarray(9) } : null;
};

/** Hashes of all invitations of the caller that live: they replace those of before. */
export const encodeTokens = (hashes: readonly Uint8Array[]): Uint8Array =>
  Buffer.concat([Uint8Array.of(MESSAGE.tokens), ...hashes]);

/** Takes copies. */
export const decodeTokens = (message: Uint8Array): readonly Uint8Array[] | null => {
  const count = (message.length - 1) / TOKEN_HASH_BYTES;
  if (!Number.isInteger(count) || count > TOKENS_MAX) return null;
  return Array.from({ length: count }, (_, i) =>
    message.slice(1 + i * TOKEN_HASH_BYTES, 1 + (i + 1) * TOKEN_HASH_BYTES),
  );
};

export interface JoinWish {
  readonly hash: Uint8Array;
  /** Borrowed. */
  readonly body: Uint8Array;
}

const JOIN_HEAD_BYTES = 3 + TOKEN_HASH_BYTES;

export const encodeJoin = ({ hash, body }: JoinWish): Uint8Array => {
  const message = new Uint8Array(JOIN_HEAD_BYTES + body.length);
  message[0] = MESSAGE.join;
  message.set(hash, 1);
  viewOf(message).setUint16(1 + TOKEN_HASH_BYTES, body.length, true);
  message.set(body, JOIN_HEAD_BYTES);
  return message;
};

export const decodeJoin = (message: Uint8Array): JoinWish | null => {
  if (message.length < JOIN_HEAD_BYTES) return null;
  const bytes = viewOf(message).getUint16(1 + TOKEN_HASH_BYTES, true);
  const end = JOIN_HEAD_BYTES + bytes;
  if (bytes === 0 || bytes > JOIN_BYTES_MAX || end > message.length) return null;
  const hash = message.slice(1, 1 + TOKEN_HASH_BYTES);
  return { hash, body: message.subarray(JOIN_HEAD_BYTES, end) };
};

export interface JoinWaits extends JoinWish {
  readonly id: number;
}

export const encodeJoinWaits = ({ id, hash, body }: JoinWaits): Uint8Array => {
  const message = new Uint8Array(9 + TOKEN_HASH_BYTES + body.length);
  message[0] = MESSAGE.joinWaits;
  setU64(viewOf(message), 1, id);
  message.set(hash, 9);
  message.set(body, 9 + TOKEN_HASH_BYTES);
  return message;
};

export const decodeJoinWaits = (message: Uint8Array): JoinWaits | null => {
  const at = 9 + TOKEN_HASH_BYTES;
  if (message.length <= at) return null;
  const id = getU64(viewOf(message), 1);
  return isSafe(id) ? { id, hash: message.slice(9, at), body: message.subarray(at) } : null;
};
