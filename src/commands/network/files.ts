/**
 * files — reads and writes the files of a network, and says what a wrong one is.
 */
import { closeSync, constants, existsSync, fstatSync, openSync, readFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { ARMOR_BYTES_MAX, type ArmorKind, armor, armorKind, unarmor } from "../../members/armor.ts";
import type { Decoded } from "../../members/bytes.ts";
import { EngineError } from "../../schema/errors.ts";
import { looksLike } from "../../schema/file-kind.ts";
import { errnoText, type NewFile, writeNewFiles } from "../../schema/new-file.ts";

/** What each kind is called, and who writes it. */
// biome-ignore format: a table
const KINDS: Readonly<Record<ArmorKind, { readonly a: string; readonly command: string }>> = {
  authority: { a: "an authority", command: "p2pvpn-engine network create" },
  certificate: { a: "a certificate", command: "p2pvpn-engine network sign" },
  issuer: { a: "an issuer certificate", command: "p2pvpn-engine network issuer" },
  network: { a: "a network file", command: "p2pvpn-engine network create" },
  request: { a: "a request", command: "p2pvpn-engine request" },
  revocations: { a: "a file of revocations", command: "p2pvpn-engine network revoke" },
};

/** Secret files are their owner's alone; the others are for everybody to read. */
const SECRET_MODE = 0o600;
export const PUBLIC_MODE = 0o644;
const SECRET_KINDS: readonly ArmorKind[] = ["authority", "issuer"];

export const isArmorKind = (kind: string | null): kind is ArmorKind =>
  kind !== null && Object.hasOwn(KINDS, kind);

/** What a file is, for people: "a request". */
export const describeText = (text: string): string => {
  const kind = armorKind(text);
  if (isArmorKind(kind)) return KINDS[kind].a;
  if (kind === "identity") return "an identity, which is secret";
  if (/^[A-Za-z0-9+/]{43}=\s*$/.test(text)) return "a WireGuard key";
  const config = looksLike(text);
  if (config !== null) return config === "toml" ? "a configuration" : "a file of wg-quick";
  return text.trim() === "" ? "empty" : "none of this program's files";
};

/**
 * Text of a file of any kind. `secret`: nobody else may be able to read it.
 *
 * Errors: EngineError FILE_UNREADABLE, AUTHORITY_EXPOSED.
 */
export const readText = (file: string, secret = false): string => {
  let fd: number;
  try {
    // A pipe without a writer would block its opening.
    fd = openSync(file, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (error) {
    throw new EngineError("FILE_UNREADABLE", { file, reason: errnoText(error), cause: error });
  }
  try {
    const stat = fstatSync(fd);
    const reason = stat.isDirectory()
      ? "it is a folder"
      : stat.size > 2 * ARMOR_BYTES_MAX
        ? "it is too large to be one of this program's"
        : null;
    if (reason !== null) throw new EngineError("FILE_UNREADABLE", { file, reason });
    const text = readFileSync(fd, "latin1");
    const exposed = secret && stat.isFile() && (stat.mode & 0o077) !== 0;
    if (exposed && armorKind(text) === "authority") {
      throw new EngineError("AUTHORITY_EXPOSED", { file });
    }
    return text;
  } finally {
    closeSync(fd);
  }
};

/** Bytes of a text that was read. Errors: EngineError FILE_WRONG_KIND, FILE_DAMAGED. */
export const bytesOfText = (kind: ArmorKind, file: string, text: string): Uint8Array => {
  const { a: wanted, command } = KINDS[kind];
  if (armorKind(text) !== kind) {
    throw new EngineError("FILE_WRONG_KIND", { file, what: describeText(text), wanted, command });
  }
  const bytes = unarmor(kind, text);
  if (!bytes.ok) throw new EngineError("FILE_DAMAGED", { file, reason: bytes.why });
  return bytes.value;
};

/**
 * What a file of this kind holds.
 *
 * Errors: EngineError FILE_UNREADABLE, FILE_WRONG_KIND, FILE_DAMAGED.
 */
export const readFileOf = <Value>(
  kind: ArmorKind,
  file: string,
  decode: (bytes: Uint8Array) => Decoded<Value>,
): Value => {
  const decoded = decode(bytesOfText(kind, file, readText(file)));
  if (decoded.ok) return decoded.value;
  throw new EngineError("FILE_DAMAGED", { file, reason: decoded.why });
};

/** Refuses before anything is signed what could not be written after. Errors: FILE_EXISTS. */
export const refuseExisting = (files: readonly string[]): void => {
  const file = files.find((one) => existsSync(one));
  if (file !== undefined) throw new EngineError("FILE_EXISTS", { file });
  const lost = files.find((one) => !existsSync(dirname(one)));
  if (lost === undefined) return;
  throw new EngineError("FILE_UNWRITABLE", { file: lost, reason: "there is no such folder" });
};

/** A new file of a kind. */
export const newFileOf = (
  kind: ArmorKind,
  file: string,
  bytes: Uint8Array,
  comments: readonly string[],
): NewFile => ({
  file,
  text: armor(kind, bytes, comments),
  mode: SECRET_KINDS.includes(kind) ? SECRET_MODE : PUBLIC_MODE,
});

/** Writes a new file. Errors: EngineError FILE_EXISTS, FILE_UNWRITABLE. */
export const writeFileOf = (...given: Parameters<typeof newFileOf>): void =>
  writeNewFiles([newFileOf(...given)]);

/** "dir/lab.network" for "dir/lab.authority". */
export const besides = (authority: string, name: string): string => join(dirname(authority), name);

/** "lab" of "dir/lab.authority". */
export const stemOf = (file: string): string => basename(file).replace(/\.authority$/, "");
