/** hashes — the addon's keyed BLAKE2s, as handshakes and the limiter want it. */
import { addon } from "../../io/native/addon.ts";
import type { Mac } from "../../noise/mac.ts";
import { type SourceHash, sourceHashOf } from "./limiter.ts";

/** BLAKE2s with a key, 16 bytes. */
export const mac: Mac = (key, data) => {
  const out = new Uint8Array(16);
  addon.blake2sMac(out, key, data);
  return out;
};

/** Nobody outside can make sources meet in the limiter's table. */
export const makeSourceHash = (key: Uint8Array): SourceHash =>
  sourceHashOf((out, source) => addon.blake2sMac(out, key, source));
