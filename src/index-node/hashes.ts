/**
 * hashes — keyed hashes for tickets and for the limiter, without the addon. Pure.
 *
 * Source: RFC 7693 (BLAKE2b).
 */
import sodium from "sodium-native";
import { type SourceHash, sourceHashOf } from "../control/strangers/limiter.ts";
import type { Mac } from "../noise/mac.ts";

const MAC_BYTES = 16;

/** Keyed BLAKE2b, 16 bytes. */
export const mac: Mac = (key, data) => {
  const out = new Uint8Array(MAC_BYTES);
  sodium.crypto_generichash(out, data, key);
  return out;
};

/** Nobody outside can make sources meet in a limiter's table. Units: `key` of 32 random bytes. */
export const makeSourceHash = (key: Uint8Array): SourceHash =>
  sourceHashOf((out, source) => sodium.crypto_generichash(out, source, key));
