/**
 * kept — the records of an index node as a file. Pure.
 *
 *     "p2pi", version u8 = 1, network id (16)
 *     each: u16 length, pair (wire/intro.ts)
 *     BLAKE2b-128 of all before
 *
 * What is read is verified again, like what comes from others. Integers are little-endian.
 */
import { Reader } from "../members/bytes.ts";
import { hashOf } from "../members/sign.ts";
import { decodePair, encodePair, type Pair } from "../wire/intro.ts";

const MAGIC = Buffer.from("p2pi\x01", "latin1");
const HASH_BYTES = 16;

export const encodeKept = (networkId: Uint8Array, pairs: Iterable<Pair>): Uint8Array => {
  const parts: Uint8Array[] = [MAGIC, networkId];
  for (const pair of pairs) {
    const bytes = encodePair(pair, 4 + pair.certificate.length + pair.record.length);
    parts.push(Uint8Array.of(bytes.length & 0xff, bytes.length >> 8), bytes);
  }
  const content = Buffer.concat(parts);
  return Buffer.concat([content, hashOf(HASH_BYTES, content)]);
};

/** Null: it is damaged, or of another network. Borrows: views into `file`. Errors: never. */
export const decodeKept = (networkId: Uint8Array, file: Uint8Array): Pair[] | null => {
  const head = Buffer.concat([MAGIC, networkId]);
  const end = file.length - HASH_BYTES;
  if (end < head.length || Buffer.compare(file.subarray(0, head.length), head) !== 0) return null;
  const hash = hashOf(HASH_BYTES, file.subarray(0, end));
  if (Buffer.compare(hash, file.subarray(end)) !== 0) return null;
  const reader = new Reader(file.subarray(head.length, end));
  const pairs: Pair[] = [];
  while (reader.why === null && reader.at < end - head.length) {
    const pair = decodePair(reader.take(reader.u16()));
    if (pair === null) return null;
    pairs.push(pair);
  }
  return reader.why === null ? pairs : null;
};
