/**
 * prefixes — tables of routes for benchmarks, repeatable.
 *
 * `spread`: prefixes of many lengths all over the address space. `dense`: single addresses one
 * behind the other (10.0.0.0/8, one fd00::/64). `mixed`: mostly such, with networks far away and a
 * default route.
 */
import type { Cidr } from "../src/wire/cidr.ts";

export const SHAPES = ["spread", "dense", "mixed"] as const;
export type Shape = (typeof SHAPES)[number];
export type Version = Cidr["version"];

/** Repeatable: xorshift. */
let seed = 0x9e37_79b9;

/** A word. */
export const randomWord = (): number => {
  seed ^= seed << 13;
  seed ^= seed >>> 17;
  seed ^= seed << 5;
  return seed >>> 0;
};

const prefix = (version: Version, words: readonly number[], prefixLength: number): Cidr => {
  const bytes = new Uint8Array(version === 4 ? 4 : 16);
  const view = new DataView(bytes.buffer);
  for (let i = 0; i < bytes.length / 4; i++) view.setUint32(4 * i, words[i] ?? 0);
  return { version, bytes, prefixLength };
};

const spread = (version: Version): Cidr =>
  version === 4
    ? prefix(4, [randomWord()], 12 + (randomWord() % 21))
    : prefix(6, [0x2000_0000 | (randomWord() >>> 3), randomWord()], 32 + (randomWord() % 33));

const dense = (version: Version, i: number): Cidr =>
  version === 4
    ? prefix(4, [0x0a00_0000 + 2 * i], 32)
    : prefix(6, [0xfd12_3456, 0x789a_0001, 0, 2 * i], 128);

/** Prefix `i` of a table. */
export const makePrefix = (shape: Shape, version: Version, i: number): Cidr => {
  if (shape === "spread") return spread(version);
  if (shape === "dense") return dense(version, i);
  if (i === 0) return prefix(version, [], 0);
  return i % 100 === 0 ? spread(version) : dense(version, i);
};

/** Words of an address within a prefix; host bits are random. */
export const addressIn = ({ bytes, prefixLength }: Cidr): number[] => {
  const view = new DataView(bytes.buffer);
  return Array.from({ length: bytes.length / 4 }, (_, i) => {
    const kept = Math.min(32, Math.max(0, prefixLength - 32 * i));
    const host = kept === 32 ? 0 : randomWord() >>> kept;
    return (view.getUint32(4 * i) | host) >>> 0;
  });
};
