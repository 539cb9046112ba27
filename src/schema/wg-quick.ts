/**
 * wg-quick — the text of a wg-quick file to what a TOML file of the same meaning gives.
 *
 *   1. lines, without what follows "#"; sections; Key = Value      readLine
 *   2. each value through the check of its row in `config.ts`      setValue
 *   3. what is missing has the default of the TOML file            parseWgQuick
 *
 * Only ListenPort differs when it is left out: the kernel chooses a port then, as in WireGuard.
 * Commands in the file (PostUp and its kin) are never run (security.md 31). Values of keys are
 * never repeated in a sentence.
 *
 * Source: wg-quick(8), wg(8) "CONFIGURATION FILE FORMAT".
 */
import { basename } from "node:path";
import * as v from "valibot";
import { LOCAL_ADDRESSES } from "../memory/layout.ts";
import { ALLOWED_IPS_MAX, ConfigFile, type Draft, PEERS_MAX, SETTINGS } from "./config.ts";
import { EngineError } from "./errors.ts";
import { identityFromKey, parseWireguardKey } from "./identity.ts";
import { isInterfaceName } from "./names.ts";
import { nearest, shownKey } from "./toml.ts";

type Section = "interface" | "peer";

/** One key: where it stands, and what is done with its value. */
interface Row {
  readonly section: Section;
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
  /^auto$/i.test(text) ? "install" : /^off$/i.test(text) ? "leave" : text;
const HOOK = "is never run; do what it does yourself";

// biome-ignore format: a table
const ROWS: readonly Row[] = [
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
  { section: "peer", key: "PublicKey", sets: "public_key" },
  { section: "peer", key: "PresharedKey", secret: "presharedKey" },
  { section: "peer", key: "AllowedIPs", sets: "allowed_ips", read: items, listMax: ALLOWED_IPS_MAX },
  { section: "peer", key: "Endpoint", sets: "endpoint" },
  { section: "peer", key: "PersistentKeepalive", sets: "persistent_keepalive", read: wholeOrOff },
];

const TABLE_REMEDY =
  "Table must be auto or off; for a table of its own run `wg-quick up` with " +
  "WG_QUICK_USERSPACE_IMPLEMENTATION=p2pvpn-wireguard.";

/** The values of one section, by keys of the TOML file and names of secrets. */
type Values = Map<string, unknown>;

/** What the lines so far gave. */
interface Reading {
  readonly sections: Record<Section, Values[]>;
  /** Where values go; null before the first section. */
  at: { readonly section: Section; readonly values: Values } | null;
  /** By key, so that there are few of them. */
  readonly warnings: Map<string, string>;
}

const title = (section: Section): string => (section === "peer" ? "[Peer]" : "[Interface]");

/** A mistake; the sentence begins with the line. */
class LineError extends Error {
  override readonly name = "LineError";
}

const sameWord = (one: string, other: string): boolean => one.toLowerCase() === other.toLowerCase();

const unknownKey = (key: string, section: Section): LineError => {
  const short = key.slice(0, 40);
  const home = ROWS.find((row) => sameWord(row.key, key));
  if (home !== undefined) {
    return new LineError(`${home.key} belongs into ${title(home.section)}, not ${title(section)}.`);
  }
  if (SETTINGS.some((setting) => setting.key === key)) {
    return new LineError(`${short} belongs into a TOML file; name that one .toml, not .conf.`);
  }
  const keys = ROWS.filter((row) => row.section === section).map((row) => row.key);
  const near = nearest(
    short.toLowerCase(),
    keys.map((one) => one.toLowerCase()),
  );
  const meant = keys.find((one) => sameWord(one, near))!;
  return new LineError(
    `unknown key ${shownKey(short)} in ${title(section)}; did you mean ${meant}?`,
  );
};

const beginSection = (reading: Reading, name: string): void => {
  const section = name.toLowerCase();
  if (section !== "interface" && section !== "peer") {
    throw new LineError(`unknown section [${shownKey(name)}]; there are [Interface] and [Peer].`);
  }
  const values: Values = new Map();
  reading.sections[section].push(values);
  if (section === "interface" && reading.sections.interface.length > 1) {
    throw new LineError("[Interface] stands there twice.");
  }
  if (reading.sections.peer.length > PEERS_MAX) {
    throw new LineError(`[Peer] may be there ${PEERS_MAX} times at most.`);
  }
  reading.at = { section, values };
};

const setSecret = (values: Values, row: Row, text: string): void => {
  const key = parseWireguardKey(text);
  if (key === null) {
    throw new LineError(`${row.key} must be a WireGuard key, 44 characters of base64.`);
  }
  values.set(row.secret!, key);
};

/** A list of several lines grows; one value stands once. */
const setValue = (values: Values, row: Row, text: string): void => {
  const setting = SETTINGS.find((one) => one.section === row.section && one.key === row.sets)!;
  const raw = row.read === undefined ? text : row.read(text);
  const result = setting.check(raw);
  if ("problem" in result) {
    if (row.key === "Table") throw new LineError(TABLE_REMEDY);
    const shown = text.length > 60 ? `${text.slice(0, 57)}…` : text;
    const value = /Key/.test(row.key) ? "" : `, not ${JSON.stringify(shown)}`;
    throw new LineError(`${row.key} in ${title(row.section)} ${result.problem}${value}.`);
  }
  if (row.listMax === undefined) {
    values.set(row.sets!, result.value);
    return;
  }
  const list = (values.get(row.sets!) ?? []) as unknown[];
  for (const item of result.value as unknown[]) list.push(item);
  if (list.length > row.listMax) {
    throw new LineError(`${row.key} must hold at most ${row.listMax} prefixes.`);
  }
  values.set(row.sets!, list);
};

const readValue = (reading: Reading, key: string, text: string, line: number): void => {
  if (reading.at === null) {
    throw new LineError(`${shownKey(key)} stands before [Interface].`);
  }
  const { section, values } = reading.at;
  const row = ROWS.find((one) => one.section === section && sameWord(one.key, key));
  if (row === undefined) throw unknownKey(key, section);
  if (row.ignored !== undefined) {
    if (!reading.warnings.has(row.key)) {
      reading.warnings.set(row.key, `line ${line}: ${row.key} ${row.ignored}.`);
    }
    return;
  }
  const name = row.sets ?? row.secret!;
  if (row.listMax === undefined && values.has(name)) {
    throw new LineError(`${row.key} stands twice in ${title(section)}; keep one.`);
  }
  if (row.secret === undefined) setValue(values, row, text);
  else setSecret(values, row, text);
};

const readLine = (reading: Reading, whole: string, line: number): void => {
  const text = whole.replace(/#.*$/, "").trim();
  if (text === "") return;
  const section = /^\[([^\]]*)\]$/.exec(text)?.[1];
  if (section !== undefined) {
    beginSection(reading, section.trim());
    return;
  }
  // A WireGuard key alone on a line ends in "=" too; it is longer than any key's name.
  const pair = /^([\w-]{1,40})\s*=\s*(.*)$/.exec(text);
  if (pair === null) throw new LineError("this is neither [Section] nor Key = Value.");
  readValue(reading, pair[1]!, pair[2]!, line);
};

/** Errors: LineError whose sentence begins with the line. */
const readLines = (text: string): Reading => {
  const reading: Reading = {
    sections: { interface: [], peer: [] },
    at: null,
    warnings: new Map(),
  };
  for (const [i, line] of text.split(/\r?\n/).entries()) {
    try {
      readLine(reading, line, i + 1);
    } catch (error) {
      if (!(error instanceof LineError)) throw error;
      throw new LineError(`line ${i + 1}: ${error.message}`);
    }
  }
  return reading;
};

const draftOf = (name: string, { sections }: Reading): Draft => {
  const [link] = sections.interface;
  if (link === undefined) throw new LineError("the section [Interface] is missing.");
  const { privateKey, ...given } = Object.fromEntries(link) as Record<string, unknown>;
  if (privateKey === undefined) throw new LineError("[Interface] needs PrivateKey.");
  // Defaults of the TOML file; the name of its key file is of no account.
  const base = v.parse(ConfigFile, { interface: { private_key_file: "-", listen_port: 0 } });
  const { private_key_file: _, ...defaults } = base.interface;
  return {
    interface: { ...defaults, ...given, name },
    identity: identityFromKey(privateKey as Uint8Array),
    privateKeyFile: null,
    peers: sections.peer.map((values, i) => {
      if (!values.has("public_key")) throw new LineError(`[Peer] ${i + 1} needs PublicKey.`);
      const { presharedKey = null, ...peer } = Object.fromEntries(values);
      const rest = { allowed_ips: [], persistent_keepalive: 0, ...peer };
      return { ...rest, presharedKey } as unknown as Draft["peers"][number];
    }),
    engine: base.engine,
  };
};

/** What a wg-quick file says, and what of it is not done. */
export interface WgQuick {
  readonly draft: Draft;
  /** Sentences, each with its line. */
  readonly warnings: readonly string[];
}

/** "wg0" of "/etc/wireguard/wg0.conf"; what wg-quick would call the interface, or null. */
export const interfaceNameOf = (file: string): string | null => {
  const name = basename(file).replace(/\.conf$/, "");
  return isInterfaceName(name) ? name : null;
};

/**
 * Reads and checks the text of a wg-quick file, whose name is the interface's.
 *
 * Thread: main, control.   Errors: EngineError CONFIG_INVALID.
 */
export const parseWgQuick = (file: string, text: string): WgQuick => {
  try {
    const name = interfaceNameOf(file);
    if (name === null) {
      throw new LineError(
        "the file must be called as its interface, 1 to 15 letters, digits or _ = + . - and .conf.",
      );
    }
    const reading = readLines(text);
    return { draft: draftOf(name, reading), warnings: [...reading.warnings.values()] };
  } catch (error) {
    if (!(error instanceof LineError)) throw error;
    throw new EngineError("CONFIG_INVALID", { file, reason: error.message });
  }
};
