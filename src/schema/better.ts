/**
 * better — from a value that may not stand where it stands to the one that was likely meant.
 *
 * What is proposed has passed the setting's own check, so that whoever writes it is done. Where
 * nothing is near, nothing is proposed, and the check's own words say what the value must be.
 */
import { parseAddress } from "../wire/cidr.ts";
import type { Setting } from "./config.ts";
import { choiceOf } from "./words.ts";

/** A value as an error's sentence shows it. */
export const shownValue = (value: unknown): string => {
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 60 ? `${text.slice(0, 57)}…` : text;
};

/** A table has no text of its own. */
const textOf = (value: unknown): string =>
  typeof value === "object" ? JSON.stringify(value) : String(value);

/** What half a key may look like. */
const SECRET = /[A-Za-z0-9+/_=-]{22,}/;
/** A file's name, of letters that no key has, or short parts. */
const FILE_NAME = /^[\w./~$-]{1,80}$/;
const LONG_PART = /[A-Za-z0-9+_=-]{22,}/;

/** May the value be repeated? A key, or a part of one, may stand in the wrong place. */
export const isShown = (key: string, value: unknown): boolean => {
  const text = textOf(value);
  if (!/key/i.test(key)) return !SECRET.test(text);
  return /_file$/.test(key) && /[./]/.test(text) && FILE_NAME.test(text) && !LONG_PART.test(text);
};

export type Kind = "list" | "number" | "switch" | "text";

/** What a setting's value is. */
export const kindOf = ({ fallback, value, key }: Setting): Kind => {
  if (value === "PREFIXES" || value === "NODES") return "list";
  if (typeof fallback === "boolean") return "switch";
  const counted = typeof fallback === "number" || typeof fallback === "function";
  return counted || key === "threads" ? "number" : "text";
};

/** Without what people put around a value: quotes of all kinds, brackets, a comma at the end. */
export const bare = (text: string): string =>
  text
    .trim()
    .replace(/[,;]+$/, "")
    .replace(/^["'`“”„‘’«»]+|["'`“”„‘’«»]+$/g, "")
    .trim();

/** Bits of "255.255.255.0"; null when it is no mask. */
const maskBits = (text: string): number | null => {
  const bytes = parseAddress(text);
  if (bytes?.length !== 4) return null;
  const bits = Array.from(bytes, (byte) => byte.toString(2).padStart(8, "0")).join("");
  return /^1*0*$/.test(bits) ? bits.replace(/0/g, "").length : null;
};

const betterPrefix = (text: string): string => {
  const plain = bare(text).replace(/^\[(.*)\](\/\d+)?$/, "$1$2");
  const [address = "", mask = ""] = plain.split("/");
  const bits = maskBits(mask);
  if (bits !== null) return `${address}/${bits}`;
  return plain === "any" || plain === "default" ? "0.0.0.0/0" : plain;
};

const betterNode = (text: string): string => {
  const [, nodeId = "", rest = ""] = /^(p2p:[^@]*@)?(.*)$/s.exec(bare(text))!;
  return rest === "" ? "" : `${nodeId}${betterEndpoint(rest)}`;
};

/** Tuning: longer lists are not proposed. */
const ITEMS_MAX = 8;

const betterList = ({ value: unit }: Setting, value: unknown): unknown => {
  const texts = Array.isArray(value) ? value.map(textOf) : textOf(value).split(/[\s,;]+/);
  const items = texts.map((text) =>
    unit === "NODES" ? betterNode(text) : betterPrefix(text.replace(/^[[({]|[\])}]$/g, "")),
  );
  const known = items.filter((item) => item !== "");
  return known.length > ITEMS_MAX ? undefined : known;
};

const betterNumber = (value: unknown): number => {
  const text = bare(textOf(value));
  if (/^(off|none|never|no|false)$/i.test(text)) return 0;
  const digits = /^:?\s*(0x[0-9a-f]+|\d[\d_]*(?:,\d{3})*)(?:\.0+)?\s*[a-z]*$/i.exec(text)?.[1];
  return digits === undefined ? Number.NaN : Number(digits.replace(/[_,]/g, ""));
};

const betterSwitch = (value: unknown): unknown => {
  const text = bare(textOf(value)).toLowerCase();
  if (/^(true|yes|on|1|y|enabled?|auto)$/.test(text)) return true;
  return /^(false|no|off|0|n|disabled?|none)$/.test(text) ? false : undefined;
};

/** The port that WireGuard's examples have. */
const USUAL_PORT = 51_820;

const betterEndpoint = (value: unknown): string => {
  const text = bare(textOf(Array.isArray(value) ? value[0] : value))
    .replace(/^[a-z]+:\/\//i, "")
    .replace(/\/$/, "")
    .replace(/\s*[\s:]\s*(?=\d+$)/, ":");
  if (parseAddress(text)?.length === 16) return `[${text}]:${USUAL_PORT}`;
  const [, six = "", port = ""] = /^\[?([0-9a-f:.]*:[0-9a-f:.]*)\]?:(\d+)$/i.exec(text) ?? [];
  if (parseAddress(six)?.length === 16) return `[${six}]:${port}`;
  return /:\d+$/.test(text) ? text : `${text}:${USUAL_PORT}`;
};

const betterText = ({ key, value: unit, words }: Setting, value: unknown): unknown => {
  const text = bare(textOf(value));
  if (words !== null) return choiceOf(key, text, words) ?? undefined;
  if (unit === "HOST:PORT") return text === "" ? undefined : betterEndpoint(value);
  if (key === "listen_address") return text.replace(/^\[?([^\]]*?)\]?:\d+$/, "$1");
  // A peer's name is a label of a host name.
  return key === "name" ? text.replace(/[_\s]+/g, "-") : text;
};

/**
 * The value that was likely meant, and that may stand there; undefined: none is near. `value` is
 * what was read, or the text that could not be.
 *
 * Thread: any.   Errors: never.
 */
export const betterValue = (setting: Setting, value: unknown): unknown => {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return undefined;
  const kind = kindOf(setting);
  const guess =
    kind === "list"
      ? betterList(setting, value)
      : kind === "number"
        ? betterNumber(value)
        : kind === "switch"
          ? betterSwitch(value)
          : betterText(setting, value);
  if (guess === undefined || guess === "") return undefined;
  return "value" in setting.check(guess) ? guess : undefined;
};

/** What stands in the place of a value that is not proposed, by the unit in help. */
// biome-ignore format: a table
const EXAMPLES: Readonly<Record<string, unknown>> = {
  name: "p2p0", private_key_file: "own.key", addresses: ["10.66.0.1/24"], listen_address: "192.0.2.1", bind_device: "eth0",
  public_key: "…", preshared_key_file: "peer.psk", allowed_ips: ["10.66.0.2/32"], endpoint: "203.0.113.7:51820",
  persistent_keepalive: 25, threads: 2, state_dir: "/var/lib/p2pvpn", network_file: "lab.network", certificate: "own.cert",
  index: ["203.0.113.1:4740"], bootstrap: ["198.51.100.7:51820"], announce: ["192.168.5.0/24"], accept_routes: ["192.168.5.0/24"],
};

/** A value that shows how the setting is written. */
export const exampleOf = ({ key, fallback }: Setting): unknown => EXAMPLES[key] ?? fallback;
