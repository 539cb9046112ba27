/**
 * armor — bytes as text that goes through mail and terminals, and says what it is. Pure.
 *
 *   p2pvpn-certificate-1
 *   # laptop of lab, until 2027-11-29          lines for people; nobody trusts them
 *   AQEBAAcAAAAA…                              base64url, 76 characters a line
 */
import { type Decoded, refused } from "./bytes.ts";

export type ArmorKind =
  | "authority"
  | "certificate"
  | "issuer"
  | "network"
  | "request"
  | "revocations";

/** Tuning: a list, and a sealed secret for each of 65,535 members. */
export const ARMOR_BYTES_MAX = 16_777_216;
const LINE_CHARACTERS = 76;
const HEAD = /^p2pvpn-([a-z]+)-([0-9]+)$/;

/** Text of a file; a comment is one line each. */
export const armor = (
  kind: ArmorKind,
  bytes: Uint8Array,
  comments: readonly string[] = [],
): string => {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("base64url");
  const lines = text.match(new RegExp(`.{1,${LINE_CHARACTERS}}`, "g")) ?? [];
  const told = comments.map((comment) => `# ${comment.replace(/[^ -~]/g, "?")}`);
  return `${[`p2pvpn-${kind}-1`, ...told, ...lines].join("\n")}\n`;
};

/** What a file calls itself, also one of another make: "certificate", "identity"; null: nothing. */
export const armorKind = (text: string): string | null =>
  HEAD.exec(text.slice(0, 64).split(/\r?\n/, 1)[0]!.trim())?.[1] ?? null;

/**
 * Bytes of a file of this kind. Line ends, and how long lines are, do not matter: mail changes
 * them.
 */
export const unarmor = (kind: ArmorKind, text: string): Decoded<Uint8Array> => {
  const [head = "", ...lines] = text.split("\n").map((line) => line.trim());
  const version = HEAD.exec(head)?.[2];
  if (armorKind(text) !== kind || version === undefined) return refused(`it is no ${kind}`);
  if (version !== "1") return refused(`it is of version ${version}, which is not known here`);
  const body = lines.filter((line) => !line.startsWith("#")).join("");
  const bytes = Buffer.from(body, "base64url");
  // Node passes over what is no base64url.
  if (bytes.toString("base64url") !== body) return refused("it is damaged");
  return { ok: true, value: bytes };
};
