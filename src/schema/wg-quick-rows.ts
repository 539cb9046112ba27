/**
 * wg-quick-rows — the keys of a wg-quick file, and what others are taken for.
 *
 * Source: wg-quick(8), wg(8) "CONFIGURATION FILE FORMAT".
 */
import { LOCAL_ADDRESSES, ROUTES_MAX } from "../memory/layout.ts";
import { SETTINGS } from "./config.ts";
import { meant, plainWord, shownKey } from "./words.ts";

export type QuickSection = "interface" | "peer";

/** One key: where it stands, and what is done with its value. */
export interface Row {
  readonly section: QuickSection;
  readonly key: string;
  /** Key of the TOML file, whose check counts. */
  readonly sets?: string;
  /** The value as the TOML file would have it; absent: text as it is. */
  readonly read?: (text: string) => unknown;
  /** May stand on several lines, each a list; at most this many items in all. */
  readonly listMax?: number;
  /** A WireGuard key, which stands here itself. */
  readonly secret?: "privateKey" | "presharedKey";
  /** Ignored; says why. */
  readonly ignored?: string;
}

const whole = (text: string): unknown => (/^\d{1,10}$/.test(text) ? Number(text) : text);
const wholeOrOff = (text: string): unknown => (/^off$/i.test(text) ? 0 : whole(text));
const mark = (text: string): unknown =>
  /^0x[0-9a-f]{1,8}$/i.test(text) ? Number(text) : wholeOrOff(text);
const items = (text: string): unknown => text.split(/[\s,]+/).filter((item) => item !== "");
const table = (text: string): unknown =>
  /^(auto|main)$/i.test(text) ? "install" : /^off$/i.test(text) ? "leave" : text;
const HOOK = "is never run; do what it does yourself";
const APP = "is for WireGuard's app on Android, and ignored";

// biome-ignore format: a table
export const ROWS: readonly Row[] = [
  { section: "interface", key: "PrivateKey", secret: "privateKey" },
  { section: "interface", key: "ListenPort", sets: "listen_port", read: whole },
  { section: "interface", key: "FwMark", sets: "fwmark", read: mark },
  { section: "interface", key: "Address", sets: "addresses", read: items, listMax: LOCAL_ADDRESSES },
  { section: "interface", key: "MTU", sets: "mtu", read: whole },
  { section: "interface", key: "Table", sets: "routes", read: table },
  { section: "interface", key: "DNS", ignored: "is ignored; set the name server yourself" },
  { section: "interface", key: "SaveConfig", ignored: "is ignored; this file is never written" },
  { section: "interface", key: "PreUp", ignored: HOOK },
  { section: "interface", key: "PostUp", ignored: HOOK },
  { section: "interface", key: "PreDown", ignored: HOOK },
  { section: "interface", key: "PostDown", ignored: HOOK },
  { section: "interface", key: "IncludedApplications", ignored: APP },
  { section: "interface", key: "ExcludedApplications", ignored: APP },
  { section: "peer", key: "PublicKey", sets: "public_key" },
  { section: "peer", key: "PresharedKey", secret: "presharedKey" },
  { section: "peer", key: "AllowedIPs", sets: "allowed_ips", read: items, listMax: ROUTES_MAX },
  { section: "peer", key: "Endpoint", sets: "endpoint" },
  { section: "peer", key: "PersistentKeepalive", sets: "persistent_keepalive", read: wholeOrOff },
];

/** By plain words: what people write for a key of ours. */
// biome-ignore format: a table
const ALIASES: Readonly<Record<QuickSection, Readonly<Record<string, string>>>> = {
  interface: {
    key: "PrivateKey", private: "PrivateKey", port: "ListenPort", listen: "ListenPort", addresses: "Address", ip: "Address", ipaddress: "Address",
    mark: "FwMark", routes: "Table", firewallmark: "FwMark",
  },
  peer: {
    key: "PublicKey", pubkey: "PublicKey", psk: "PresharedKey", keepalive: "PersistentKeepalive", ips: "AllowedIPs", allowed: "AllowedIPs",
    host: "Endpoint", server: "Endpoint", remote: "Endpoint", address: "Endpoint", port: "Endpoint",
  },
};

export const title = (section: QuickSection): string =>
  section === "peer" ? "[Peer]" : "[Interface]";

export const sameWord = (one: string, other: string): boolean =>
  one.toLowerCase() === other.toLowerCase();

/** The key of this section that is likely meant. */
export const keyGuessed = (key: string, section: QuickSection): string | null => {
  const plain = plainWord(key.slice(0, 40));
  const keys = ROWS.filter((row) => row.section === section).map((row) => row.key);
  const alias = Object.hasOwn(ALIASES[section], plain) ? ALIASES[section][plain]! : null;
  const near = meant(
    plain,
    keys.map((one) => one.toLowerCase()),
  );
  return alias ?? keys.find((one) => near !== null && sameWord(one, near)) ?? null;
};

const NAMES = ["name", "description", "friendlyname", "comment", "label"];

/** What to tell about a key that a section does not have. */
export const unknownQuickKey = (key: string, section: QuickSection): string => {
  const short = key.slice(0, 40);
  const home = ROWS.find((row) => sameWord(row.key, key));
  if (home !== undefined) {
    return `${home.key} belongs into ${title(home.section)}, not ${title(section)}.`;
  }
  const what = `unknown key ${shownKey(short)} in ${title(section)}`;
  const plain = plainWord(short);
  if (plain === "privatekeyfile" || plain === "presharedkeyfile") {
    const itself = plain === "privatekeyfile" ? "PrivateKey" : "PresharedKey";
    return `${what}; write ${itself} with the key itself, or make a TOML file, which has ${short}.`;
  }
  const keys = ROWS.filter((row) => row.section === section).map((row) => row.key);
  const same = keys.find((one) => plainWord(one) === plain);
  const alias = Object.hasOwn(ALIASES[section], plain) ? ALIASES[section][plain] : undefined;
  if (same !== undefined || alias !== undefined) return `${what}; write ${same ?? alias}.`;
  if (NAMES.includes(plain)) return `${what}; write it as a comment, with # in front.`;
  if (SETTINGS.some((setting) => setting.key === short)) {
    return `${what}; only a TOML file has it: leave it out, or write one.`;
  }
  const guess = keyGuessed(key, section);
  return guess === null
    ? `${what}; remove it, the keys there are ${keys.slice(0, -1).join(", ")} and ${keys.at(-1)}.`
    : `${what}; did you mean ${guess}?`;
};
