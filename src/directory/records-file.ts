/**
 * records-file — the records of a storer as a file. Pure.
 *
 *     "p2pd", version u8 = 1, network id (16)
 *     each: u16 length, pair (wire/intro.ts)
 *     BLAKE2b-128 of all before
 *
 * What is read is verified again, like what comes from others. Integers are little-endian.
 */
import { hashOf, NETWORK_ID_BYTES } from "../members/sign.ts";
import { decodePair, type Pair } from "../wire/intro.ts";
import { PAIR_BYTES_MAX } from "./gate.ts";
import { ENTRIES_MAX } from "./records.ts";

const MAGIC = Buffer.from("p2pd\x01", "latin1");
const HEAD_BYTES = MAGIC.length + NETWORK_ID_BYTES;
const HASH_BYTES = 16;

/** Units: pairs as `Records.pairs` gives them. */
export const encodeRecords = (networkId: Uint8Array, pairs: Iterable<Uint8Array>): Uint8Array => {
  const parts: Uint8Array[] = [MAGIC, networkId];
  for (const pair of pairs) parts.push(Uint8Array.of(pair.length & 0xff, pair.length >> 8), pair);
  const content = Buffer.concat(parts);
  return Buffer.concat([content, hashOf(HASH_BYTES, content)]);
};

/** Null: it is damaged, or of another network. Borrows: views into `file`. Errors: never. */
export const decodeRecords = (networkId: Uint8Array, file: Uint8Array): Pair[] | null => {
  const end = file.length - HASH_BYTES;
  if (end < HEAD_BYTES) return null;
  const head = Buffer.concat([MAGIC, networkId]);
  if (Buffer.compare(file.subarray(0, HEAD_BYTES), head) !== 0) return null;
  const hash = hashOf(HASH_BYTES, file.subarray(0, end));
  if (Buffer.compare(file.subarray(end), hash) !== 0) return null;
  const pairs: Pair[] = [];
  for (let at = HEAD_BYTES; at < end; ) {
    const bytes = file[at]! | ((file[at + 1] ?? 0) << 8);
    const next = at + 2 + bytes;
    if (bytes > PAIR_BYTES_MAX || next > end || pairs.length >= ENTRIES_MAX) return null;
    const pair = decodePair(file.subarray(at + 2, next));
    if (pair === null) return null;
    pairs.push(pair);
    at = next;
  }
  return pairs;
};
