/**
 * mac — hashes and comparisons of what strangers send, before anything else is done with it. Pure.
 *
 * Source: RFC 7693 (BLAKE2); WireGuard paper, section 5.4.
 */
import { createHash } from "node:crypto";
import sodium from "sodium-native";

/** Keyed BLAKE2s with 16 bytes of output; the addon's, in the engine. */
export type Mac = (key: Uint8Array, data: Uint8Array) => Uint8Array;

/** BLAKE2s-256 over the parts, one after the other. */
export const blake2s = (...parts: readonly Uint8Array[]): Uint8Array => {
  const hash = createHash("blake2s256");
  for (const part of parts) hash.update(part);
  return hash.digest();
};

/** True when two byte strings of one length are equal; takes the same time wherever they differ. */
export const equal = (a: Uint8Array, b: Uint8Array): boolean => sodium.sodium_memcmp(a, b);

/** Zeroes secrets in a way that no optimiser removes. */
export const zero = (...secrets: readonly Uint8Array[]): void => {
  for (const secret of secrets) sodium.sodium_memzero(secret);
};
