/**
 * vectors — files of test vectors: those of the checkout, and larger sets in a folder that
 * P2PVPN_VECTORS names. What they are and whose: test/vectors/README.md.
 */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "../tidy/tree.ts";

/** Bytes of a hexadecimal text. */
export const bytesOf = (hex: string): Uint8Array => Uint8Array.from(Buffer.from(hex, "hex"));

/** A file of the checkout. */
export const ownVectors = <Value>(name: string): Value =>
  JSON.parse(readFileSync(join(root, "test/vectors", name), "utf8")) as Value;

const folder = process.env.P2PVPN_VECTORS ?? "";

/** Why a file of the larger sets cannot be used, as one clause; false when it can. */
export const noVectors = (name: string): string | false => {
  if (folder === "") return `P2PVPN_VECTORS names no folder with ${name} (test/vectors/README.md)`;
  return existsSync(join(folder, name)) ? false : `${name} is not in ${folder}`;
};

/** A file of the larger sets. */
export const vectors = <Value>(name: string): Value =>
  JSON.parse(readFileSync(join(folder, name), "utf8")) as Value;
