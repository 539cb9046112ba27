/**
 * hashes — keyed hashes for tickets and for the limiter, without the addon. Pure.
 *
 * Source: RFC 7693 (BLAKE2b).
 */
import sodium from "sodium-native";
import type { SourceHash } from "../control/strangers/limiter.ts";
import type { Mac } from "../noise/mac.ts";

const MAC_BYTES = 16;

/** Keyed BLAKE2b, 16 bytes. */
export const mac: Mac = (key, data) => {
  const out = new Uint8Array(MAC_BYTES);
  sodium.crypto_generichash(out, data, key);
  return out;
};

/** Nobody outside can make sources meet in a limiter's table. Units: `key` of 32 random bytes. */
export const makeSourceHash = (key: Uint8Array): SourceHash => {
  const words = new Uint32Array(3);
  const bytes = new Uint8Array(words.buffer);
  const out = new Uint8Array(MAC_BYTES);
  const outWords = new Uint32Array(out.buffer);
  return (family, high, low) => {
    words[0] = family;
    words[1] = high;
    words[2] = low;
    sodium.crypto_generichash(out, bytes, key);
    return outWords[0]!;
  };
};
