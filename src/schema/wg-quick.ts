/**
 * wg-quick — the text of a wg-quick file to what a TOML file of the same meaning gives.
 *
 *   1. lines, without what follows "#"; sections; Key = Value      readLine
 *   2. each value through the check of its row in `config.ts`      setValue
 *   3. what is missing has the default of the TOML file            draftOf
 *
 * Only ListenPort differs when it is left out: the kernel chooses a port then, as in WireGuard.
 * Commands in the file (PostUp and its kin) are never run (security.md 31). Values of keys are
 * never repeated in a sentence.
 *
 * Source: wg-quick(8), wg(8) "CONFIGURATION FILE FORMAT".
 */
import { basename } from "node:path";
import * as v from "valibot";
import { PEERS_MAX } from "../memory/layout.ts";
import { type Cidr, parseCidr } from "../wire/cidr.ts";
import { bare, betterValue, isShown, shownValue } from "./better.ts";
import { ConfigFile, type Draft, type Setting, settingOf } from "./config.ts";
import { looksLike } from "./file-kind.ts";
import { identityFromKey, parseWireguardKey } from "./identity.ts";
import type { Mistakes } from "./mistakes.ts";
import { isInterfaceName } from "./names.ts";
import { knownMistake } from "./toml.ts";
import type { Path } from "./toml-loose.ts";
import { unseenProblem } from "./toml-syntax.ts";
import {
  keyGuessed,
  type QuickSection,
  ROWS,
  type Row,
  sameWord,
  title,
  unknownQuickKey,
} from "./wg-quick-rows.ts";
import { AMNEZIA_SENTENCE, isAmnezia, meant, shownKey } from "./words.ts";

/** One section as it was read. */
interface Part {
  readonly section: QuickSection;
  readonly line: number;
  /** By keys of the TOML file and names of secrets. */
  readonly values: Map<string, unknown>;
  /** By the same names: the line of the value, or of each of its items. */
  readonly lines: Map<string, number[]>;
  /** Names that a wrong key likely stands for. */
  readonly guessed: Set<string>;
  /** Allowed IPs as they are written, host bits and all. */
  readonly prefixes: Cidr[];
}

/** A command that would have set the private key. */
interface KeyHook {
  readonly line: number;
  readonly key: string;
  /** Null: no plain file. */
  readonly file: string | null;
}

/** What the lines so far gave. */
interface Reading {
  readonly name: string;
  readonly mistakes: Mistakes;
  readonly parts: Record<QuickSection, Part[]>;
  /** Where values go; null before the first section, "none" below one that is unknown. */
  at: Part | "none" | null;
  /** By key, so that there are few of them. */
  readonly warnings: Map<string, string>;
  keyHook: KeyHook | null;
}

const beginSection = (reading: Reading, text: string, line: number): void => {
  const { mistakes, parts } = reading;
  const [, opened = "", words = "", closed = ""] = /^(\[+)([^\]]*)(\]*)/.exec(text)!;
  const name = words.trim();
  const section = meant(name.toLowerCase(), ["interface", "peer"]) as QuickSection | null;
  if (section === null) {
    mistakes.add(line, `unknown section [${shownKey(name)}]; there are [Interface] and [Peer].`);
    reading.at = "none";
    return;
  }
  const exact = opened === "[" && closed === "]" && sameWord(name, section);
  const alone = text.endsWith("]");
  if (!exact || !alone) {
    const where = alone ? "" : ", alone on its line";
    mistakes.add(line, `this section is written ${title(section)}${where}.`);
  }
  const [first] = parts.interface;
  if (section === "interface" && first !== undefined) {
    const what = `[Interface] stands there twice, first in line ${first.line}`;
    mistakes.add(line, `${what}; put all its keys there.`);
    reading.at = first;
    return;
  }
  reading.at = {
    section,
    line,
    values: new Map(),
    lines: new Map(),
    guessed: new Set(),
    prefixes: [],
  };
  parts[section].push(reading.at);
  if (parts.peer.length === PEERS_MAX + 1) {
    mistakes.add(line, `[Peer] may be there ${PEERS_MAX} times at most; remove some.`);
  }
};

const setSecret = (reading: Reading, part: Part, row: Row, text: string, line: number): void => {
  part.lines.set(row.secret!, [line]);
  const key = parseWireguardKey(text);
  if (key !== null) {
    part.values.set(row.secret!, key);
    return;
  }
  const must = "must be a WireGuard key, 44 characters of base64";
  const file = /^[~$./]/.test(text) ? "; write the key itself, no file that holds it" : "";
  const quoted = parseWireguardKey(bare(text)) === null ? file : "; write it without quotes";
  reading.mistakes.add(line, `${row.key} ${must}${quoted}.`);
};

const TABLE_REMEDY =
  "write Table = off and set the routes yourself, or run `wg-quick up` with " +
  "WG_QUICK_USERSPACE_IMPLEMENTATION=p2pvpn-wireguard";

/** "write Endpoint = host:51820"; null: nothing is near. */
const proposal = (row: Row, setting: Setting, text: string): string | null => {
  const better = betterValue(setting, text);
  if (better === undefined) return null;
  const shown = isShown(row.key, better) ? String(better) : "it without quotes";
  return isShown(row.key, better) ? `write ${row.key} = ${shown}` : `write ${shown}`;
};

const valueProblem = (row: Row, setting: Setting, text: string, problem: string): string => {
  const shown = text.startsWith('"') ? text.slice(0, 60) : shownValue(text);
  const known = knownMistake(setting, text);
  const place = `${row.key} in ${title(row.section)}`;
  if (known !== null) return `${place} ${known}.`;
  if (row.key === "Table") return `Table must be auto or off, not ${shown}; ${TABLE_REMEDY}.`;
  const better = proposal(row, setting, text);
  const not = isShown(row.key, text) ? `, not ${shown}` : "";
  return `${place} ${problem}${not}${better === null ? "" : `; ${better}`}.`;
};

/** A list of several lines grows; one value stands once. */
const setValue = (reading: Reading, part: Part, row: Row, text: string, line: number): void => {
  const { mistakes } = reading;
  const setting = settingOf(row.section, row.sets!)!;
  const name = row.sets!;
  const raw = row.read === undefined ? text : row.read(text);
  const items = row.listMax === undefined ? [raw] : (raw as unknown[]);
  for (const item of items) {
    const result = setting.check(row.listMax === undefined ? item : [item]);
    if ("problem" in result) {
      mistakes.add(line, valueProblem(row, setting, String(item), result.problem));
    } else if (row.listMax === undefined) {
      part.values.set(name, result.value);
    } else {
      const list = part.values.get(name) as unknown[] | undefined;
      const [read] = result.value as unknown[];
      if (list === undefined) part.values.set(name, [read]);
      else list.push(read);
      part.prefixes.push(parseCidr(String(item))!);
    }
    const lines = part.lines.get(name);
    if (lines === undefined) part.lines.set(name, [line]);
    else lines.push(line);
    if (row.listMax !== undefined && lines?.length === row.listMax + 1) {
      mistakes.add(line, `${row.key} must hold at most ${row.listMax} prefixes; remove some.`);
    }
  }
};

const ignore = (reading: Reading, row: Row, text: string, line: number): void => {
  if (!reading.warnings.has(row.key)) {
    reading.warnings.set(row.key, `line ${line}: ${row.key} ${row.ignored}.`);
  }
  const file = /\bprivate-key\s+(\S+)/.exec(text)?.[1];
  if (file === undefined || reading.keyHook !== null) return;
  const plain = file.replaceAll("%i", reading.name);
  reading.keyHook = { line, key: row.key, file: /^[\w./@+-]+$/.test(plain) ? plain : null };
};

const nameOf = (row: Row): string => row.sets ?? row.secret ?? row.key;

const readValue = (reading: Reading, key: string, text: string, line: number): void => {
  const { at, mistakes } = reading;
  if (at === "none") return;
  if (at === null) {
    mistakes.add(line, `${shownKey(key)} stands before [Interface]; write it below that.`);
    return;
  }
  if (isAmnezia(key)) {
    mistakes.once(line, AMNEZIA_SENTENCE);
    return;
  }
  const row = ROWS.find((one) => one.section === at.section && sameWord(one.key, key));
  if (row === undefined) {
    mistakes.add(line, unknownQuickKey(key, at.section));
    const guess = ROWS.find((one) => one.key === keyGuessed(key, at.section));
    // So that nobody is told that it is missing.
    if (guess !== undefined) at.guessed.add(nameOf(guess));
    return;
  }
  if (row.ignored !== undefined) {
    ignore(reading, row, text, line);
    return;
  }
  const first = at.lines.get(nameOf(row))?.[0];
  if (row.listMax === undefined && first !== undefined) {
    const what = `${row.key} stands twice in ${title(at.section)}`;
    mistakes.add(line, `${what}, first in line ${first}; keep one.`);
  } else if (row.secret === undefined) setValue(reading, at, row, text, line);
  else setSecret(reading, at, row, text, line);
};

/** A line that is neither a section nor Key = Value. */
const strayLine = (text: string): string => {
  const [, key = "", value = ""] = /^([A-Za-z]+)\s*(?::|\s)\s*(\S.*)/.exec(text) ?? [];
  const row = ROWS.find((one) => sameWord(one.key, key));
  if (row !== undefined) {
    const shown = isShown(row.key, value) ? value.slice(0, 60) : "and the key behind it";
    return `= is missing; write ${row.key} = ${shown}.`;
  }
  return /^(\/\/|\/\*|;|--|%|\*)/.test(text)
    ? "a comment begins with #; write # in front of this line."
    : "this is neither [Section] nor Key = Value; write # in front of it if it is a comment.";
};

const readLine = (reading: Reading, whole: string, line: number): void => {
  const text = whole.replace(/#.*$/, "").trim();
  if (text === "") return;
  const unseen = unseenProblem(text);
  // A WireGuard key alone on a line ends in "=" too; it is longer than any key's name.
  const pair = /^([\w-]{1,40})\s*=\s*(.*)$/.exec(text);
  if (unseen !== null) reading.mistakes.add(line, unseen.text);
  else if (text.startsWith("[")) beginSection(reading, text, line);
  else if (pair === null) reading.mistakes.add(line, strayLine(text));
  else readValue(reading, pair[1]!, pair[2]!, line);
};

/** Says what is to be done where there is no private key. */
const missingKey = ({ mistakes, keyHook }: Reading, link: Part): void => {
  if (link.lines.has("privateKey") || link.guessed.has("privateKey")) return;
  if (keyHook === null) {
    mistakes.add(link.line, "[Interface] needs PrivateKey; write it, as `wg genkey` prints one.");
    return;
  }
  const { line, key, file } = keyHook;
  const from = file === null ? "no key is set by it" : `no key is read from ${file}`;
  const toml = `private_key_file = ${JSON.stringify(file ?? "FILE")}`;
  const what = `${key} is never run, so ${from}`;
  mistakes.add(line, `${what}; write PrivateKey = KEY, or a TOML file with ${toml}.`);
};

const draftOf = (reading: Reading): Draft => {
  const { mistakes, parts, name } = reading;
  const [link] = parts.interface;
  if (link === undefined) {
    const remedy = "write it, with PrivateKey and Address below it";
    mistakes.add(0, `the section [Interface] is missing; ${remedy}.`);
  } else missingKey(reading, link);
  const { privateKey = null, ...given } = Object.fromEntries(link?.values ?? []);
  // Defaults of the TOML file; the name of its key file is of no account.
  const base = v.parse(ConfigFile, { interface: { private_key_file: "-", listen_port: 0 } });
  const { private_key_file: _, ...defaults } = base.interface;
  return {
    interface: { ...defaults, ...given, name },
    identity: privateKey === null ? null : identityFromKey(privateKey as Uint8Array),
    privateKeyFile: null,
    peers: parts.peer.flatMap(({ values, lines, guessed, line }, number) => {
      if (!lines.has("public_key") && !guessed.has("public_key")) {
        const remedy = "write the key that the peer's `wg pubkey` or keygen printed";
        mistakes.add(line, `[Peer] ${number + 1} needs PublicKey; ${remedy}.`);
      }
      if (!values.has("public_key")) return [];
      const { presharedKey = null, ...peer } = Object.fromEntries(values);
      const rest = { allowed_ips: [], persistent_keepalive: 0, ...peer };
      return [{ ...rest, presharedKey, number } as unknown as Draft["peers"][number]];
    }),
    network: null,
    engine: base.engine,
  };
};

/** What a wg-quick file says, and what of it is not done. */
export interface WgQuick {
  readonly draft: Draft;
  /** Of a place in the words of the TOML file. */
  readonly lineOf: (path: Path) => number;
  /** Allowed IPs of a peer as they are written, host bits and all. */
  readonly prefixes: (number: number) => readonly Cidr[];
  /** Sentences, each with its line. */
  readonly warnings: readonly string[];
}

/** "wg0" of "/etc/wireguard/wg0.conf"; what wg-quick would call the interface, or null. */
export const interfaceNameOf = (file: string): string | null => {
  const name = basename(file).replace(/\.conf$/, "");
  return isInterfaceName(name) ? name : null;
};

/**
 * Reads and checks the text of a wg-quick file, whose name is the interface's; each mistake is
 * added to `mistakes`.
 *
 * Thread: main, control.   Errors: never.
 */
export const readWgQuick = (file: string, text: string, mistakes: Mistakes): WgQuick => {
  const name = interfaceNameOf(file);
  if (name === null) {
    const rule = "1 to 15 letters, digits or _ = + . - and .conf";
    mistakes.add(0, `the file must be called as its interface, ${rule}; rename it.`);
  }
  const reading: Reading = {
    name: name ?? "wg0",
    mistakes,
    parts: { interface: [], peer: [] },
    at: null,
    warnings: new Map(),
    keyHook: null,
  };
  const isToml = looksLike(text) === "toml";
  if (isToml) {
    mistakes.add(0, "this is a TOML file; rename it so that it ends in .toml, like p2pvpn.toml.");
  }
  const lines = isToml ? ["[Interface]", `PrivateKey = ${NO_KEY}`] : text.split(/\r?\n/);
  for (const [i, line] of lines.entries()) {
    if (mistakes.full) break;
    readLine(reading, line, i + 1);
  }
  const { parts } = reading;
  const lineOf = ([section, ...path]: Path): number => {
    const peer = section === "peer";
    const part = peer ? parts.peer[Number(path[0])] : parts.interface[0];
    const [key, item = 0] = peer ? path.slice(1) : path;
    return part?.lines.get(String(key))?.[Number(item)] ?? part?.line ?? 0;
  };
  const prefixes = (number: number): readonly Cidr[] => parts.peer[number]?.prefixes ?? [];
  const warnings = [...reading.warnings.values()];
  return { draft: draftOf(reading), lineOf, prefixes, warnings };
};

/** Stands for a file that is not read. */
const NO_KEY = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=";
