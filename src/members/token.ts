/**
 * token — an invitation, as one line of text: whoever has it may become a member, once. Pure.
 *
 *   p2pvpn-invitation-1:<base64url of the bytes, and the first 4 of their BLAKE2b-256>
 *
 *    0 flags u8 (1 the name is fixed) · 1 secret (32) · 33 expires u64 (s) · network's name
 *      number of the authority's newest key u8 (<= 8) · first authority key (32)
 *      newest authority key (32), when its number is not 0 · name, when it is fixed
 *      indexes: count u8 (<= 4), each a place · enrollers: count u8 (<= 4), each
 *        { node key (32), places: count u8 (1 to 4) } · extensions
 *      place: 1 flags u8 (1 a node key follows) · node key (32) · text u8 length, "host:port"
 *
 * The authority's keys are there whole: a definition of the network, from whomever it comes, begins
 * with the first and has the newest at its number (security.md 23). An enroller's handshake key is
 * on its card, which its node key signs.
 *
 * Of the secret keys are made, each with a label: its hash, which is all that an index sees; one
 * for KNOCKs; one that seals requests, one that seals answers. What opens under one of them was
 * sealed by somebody who has the token.
 */
import sodium from "sodium-native";
import { copyOf, type Decoded, Reader, refused, sameBytes, Writer } from "./bytes.ts";
import { type Definition, newestAuthority, SUCCESSIONS_MAX } from "./definition.ts";
import { type Extension, putExtensions, takeExtensions } from "./extensions.ts";
import { KEY_BYTES, putName, takeName } from "./fields.ts";
import { hashOf, networkIdOf } from "./sign.ts";

/** Protocol. */
export const TOKEN_PLACES_MAX = 4;
const TOKEN_BYTES_MAX = 1_500;
const CHECK_BYTES = 4;
const HASH_BYTES = 16;
const HEAD = "p2pvpn-invitation-1:";
const HEADS = /^p2pvpn-invitation-(\d+):/;
/** Longer than the longest token, with what mail puts between. */
const TEXT_LENGTH_MAX = 4_096;
const NAME_FIXED = 1;
const WITH_KEY = 1;

/** Where an index is. */
export interface TokenPlace {
  /** Nobody else is believed to be there; null: whoever is. */
  readonly nodeKey: Uint8Array | null;
  /** "host:port", as a configuration has it. */
  readonly place: string;
}

/** A member that answers whoever has the token. */
export interface TokenEnroller {
  readonly nodeKey: Uint8Array;
  readonly places: readonly string[];
}

/** Units: `expiresS` seconds since 1970. */
export interface TokenFields {
  /** 32 random bytes. */
  readonly secret: Uint8Array;
  readonly expiresS: number;
  /** The network's name, for people. */
  readonly network: string;
  /** The authority's first key, the number of its newest one, and that. */
  readonly firstAuthority: Uint8Array;
  readonly authority: number;
  readonly newestAuthority: Uint8Array;
  /** What the member will be called; null: it may choose. */
  readonly name: string | null;
  readonly indexes: readonly TokenPlace[];
  readonly enrollers: readonly TokenEnroller[];
  readonly extensions?: readonly Extension[];
}

export interface Token extends Required<TokenFields> {
  readonly networkId: Uint8Array;
}

/** "host:port" with nothing in it that a configuration could take for something else. */
const PLACE = /^[A-Za-z0-9._:[\]-]{3,255}$/;

const takePlace = (reader: Reader): string => {
  const text = Buffer.from(reader.take(reader.u8())).toString("latin1");
  if (!PLACE.test(text)) reader.fail("a place in it is none");
  return text;
};

const putPlace = (writer: Writer, text: string): void => {
  if (!PLACE.test(text)) throw new RangeError(`${text} is no place`);
  writer.u8(text.length).put(Buffer.from(text, "latin1"));
};

const takeIndexes = (reader: Reader): TokenPlace[] => {
  const found: TokenPlace[] = [];
  const count = reader.count(TOKEN_PLACES_MAX, "indexes");
  for (let i = 0; i < count && reader.why === null; i++) {
    const nodeKey = (reader.u8() & WITH_KEY) === 0 ? null : reader.take(KEY_BYTES);
    found.push({ nodeKey, place: takePlace(reader) });
  }
  return found;
};

const takeEnrollers = (reader: Reader): TokenEnroller[] => {
  const found: TokenEnroller[] = [];
  const count = reader.count(TOKEN_PLACES_MAX, "enrollers");
  for (let i = 0; i < count && reader.why === null; i++) {
    const nodeKey = reader.take(KEY_BYTES);
    const places: string[] = [];
    const placed = reader.count(TOKEN_PLACES_MAX, "places");
    for (let at = 0; at < placed; at++) places.push(takePlace(reader));
    found.push({ nodeKey, places });
  }
  return found;
};

const decodeToken = (given: Uint8Array): Decoded<Token> => {
  const reader = new Reader(copyOf(given));
  const flags = reader.u8();
  const secret = reader.take(KEY_BYTES).slice();
  const expiresS = reader.u64();
  const network = takeName(reader, "network's name");
  const authority = reader.count(SUCCESSIONS_MAX, "authorities");
  const firstAuthority = reader.take(KEY_BYTES);
  const newest = authority === 0 ? firstAuthority : reader.take(KEY_BYTES);
  const name = (flags & NAME_FIXED) === 0 ? null : takeName(reader);
  const indexes = takeIndexes(reader);
  const enrollers = takeEnrollers(reader);
  const extensions = takeExtensions(reader);
  reader.end();
  if (indexes.length + enrollers.length === 0) reader.fail("it names nobody to ask");
  if (reader.why !== null) return refused(reader.why);
  const keys = { firstAuthority, authority, newestAuthority: newest };
  const networkId = networkIdOf(firstAuthority);
  const rest = { name, indexes, enrollers, extensions, networkId };
  return { ok: true, value: { secret, expiresS, network, ...keys, ...rest } };
};

/** The token's text. Errors: RangeError for what has no place in one. */
export const formatToken = (fields: TokenFields): string => {
  const { authority, name, indexes, enrollers } = fields;
  const writer = new Writer(TOKEN_BYTES_MAX);
  writer
    .u8(name === null ? 0 : NAME_FIXED)
    .put(fields.secret, KEY_BYTES)
    .u64(fields.expiresS);
  putName(writer, fields.network);
  writer.u8(authority).put(fields.firstAuthority, KEY_BYTES);
  if (authority !== 0) writer.put(fields.newestAuthority, KEY_BYTES);
  if (name !== null) putName(writer, name);
  writer.u8(indexes.length);
  for (const { nodeKey, place } of indexes) {
    writer.u8(nodeKey === null ? 0 : WITH_KEY);
    if (nodeKey !== null) writer.put(nodeKey, KEY_BYTES);
    putPlace(writer, place);
  }
  writer.u8(enrollers.length);
  for (const { nodeKey, places } of enrollers) {
    writer.put(nodeKey, KEY_BYTES).u8(places.length);
    for (const place of places) putPlace(writer, place);
  }
  putExtensions(writer, fields.extensions);
  const bytes = writer.done();
  writer.wipe();
  const whole = Buffer.concat([bytes, hashOf(32, bytes).subarray(0, CHECK_BYTES)]);
  const text = HEAD + whole.toString("base64url");
  bytes.fill(0);
  whole.fill(0);
  return text;
};

/**
 * Reads a token, with whatever a mail has put between its characters. Errors: never; `why` is a
 * clause that says what to do.
 */
export const parseToken = (text: string): Decoded<Token> => {
  const line = text.length > TEXT_LENGTH_MAX ? "" : text.replace(/\s+/g, "");
  const version = HEADS.exec(line)?.[1];
  if (version === undefined) {
    return refused("this is no invitation; copy the whole line that `invite` printed");
  }
  if (version !== "1") {
    return refused(`it is of version ${version}, which is not known here; take a newer engine`);
  }
  const body = line.slice(HEAD.length);
  const bytes = Buffer.from(body, "base64url");
  const said = bytes.subarray(0, -CHECK_BYTES);
  const isWhole =
    bytes.length > CHECK_BYTES &&
    bytes.toString("base64url") === body &&
    sameBytes(hashOf(32, said).subarray(0, CHECK_BYTES), bytes.subarray(-CHECK_BYTES));
  if (!isWhole) return refused("it is damaged; copy the whole line that `invite` printed");
  const token = decodeToken(said);
  bytes.fill(0);
  return token;
};

/** Why a definition is not that of the token's network, as a clause; null: it is. */
export const definitionDoubt = (token: Token, definition: Definition): string | null => {
  if (!sameBytes(definition.networkId, token.networkId)) return "it is of another network";
  const { authority } = token;
  const held = definition.authorities[authority]?.key;
  if (newestAuthority(definition) < authority || held === undefined) {
    return "it is older than the invitation";
  }
  return sameBytes(held, token.newestAuthority) ? null : "its authority is another";
};

type TokenLabel = "hash" | "knock" | "request" | "answer";

const LABEL = "p2pvpn/1/invitation/";

const derived = (bytes: number, secret: Uint8Array, label: TokenLabel): Uint8Array => {
  const out = new Uint8Array(bytes);
  sodium.crypto_generichash(out, Buffer.from(`${LABEL}${label}`), secret);
  return out;
};

/** What is made of a token's secret: BLAKE2b, keyed with it, over the label. */
export interface TokenKeys {
  /** What names the invitation to others, and tells nothing of it. 16 bytes. */
  readonly hash: Uint8Array;
  /** Of KNOCKs. 32 bytes. */
  readonly knock: Uint8Array;
  /** Seals what the joiner says, and what it is told. 32 bytes each. */
  readonly request: Uint8Array;
  readonly answer: Uint8Array;
}

export const tokenKeys = (secret: Uint8Array): TokenKeys => ({
  hash: derived(HASH_BYTES, secret, "hash"),
  knock: derived(KEY_BYTES, secret, "knock"),
  request: derived(KEY_BYTES, secret, "request"),
  answer: derived(KEY_BYTES, secret, "answer"),
});
