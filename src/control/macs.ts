/** macs — keyed BLAKE2s by the addon, for messages and for the limiter's table. Thread: control. */
import { addon } from "../io/native/addon.ts";
import type { SourceHash } from "./limiter.ts";
import type { Mac } from "./noise.ts";

export const mac: Mac = (key, data) => {
  const out = new Uint8Array(16);
  addon.blake2sMac(out, key, data);
  return out;
};

/** Nobody outside can make sources meet in the limiter's table. */
export const makeSourceHash = (key: Uint8Array): SourceHash => {
  const words = new Uint32Array(3);
  const bytes = new Uint8Array(words.buffer);
  const out = new Uint8Array(16);
  const outWords = new Uint32Array(out.buffer);
  return (family, high, low) => {
    words.set([family, high, low]);
    addon.blake2sMac(out, key, bytes);
    return outWords[0]!;
  };
};
