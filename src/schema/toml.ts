/**
 * toml — configuration text to a checked configuration, or one sentence for each mistake.
 *
 *     whole text ── smol-toml ──▶ valibot ──▶ configuration
 *                       └────── refused ──────┴──▶ read again, loosely ──▶ mistakes with lines
 *
 * An unknown key is an error, since a typing mistake that is ignored is found weeks later. Values
 * of keys are never repeated in a sentence: they may be secrets in the wrong place.
 */
import { TomlError } from "smol-toml";
import * as v from "valibot";
import { PEERS_MAX } from "../memory/layout.ts";
import { type Cidr, parseCidr } from "../wire/cidr.ts";
import { isShown, kindOf, shownValue } from "./better.ts";
import { ConfigFile, SETTINGS, type Setting, settingOf } from "./config.ts";
import { looksLike } from "./file-kind.ts";
import type { Mistakes } from "./mistakes.ts";
import {
  keyGuessed,
  type LooseSection,
  type Path,
  parseStrictly,
  readLoosely,
  unknownKey,
} from "./toml-loose.ts";
import { bracketed, proposal } from "./toml-syntax.ts";
import { AMNEZIA_SENTENCE, isAmnezia } from "./words.ts";

/** Tuning: so many items of one list are told with their own line, the rest with the list's. */
const ITEM_LINES_MAX = 20;

/** What a TOML file says. */
export interface TomlReading {
  /** Where there are mistakes: without the values that are none. */
  readonly config: ConfigFile;
  /** False: there is none, and a mistake says so. */
  readonly hasKeyFile: boolean;
  /** Of each peer of `config`, its place among the file's, from 0. */
  readonly numbers: readonly number[];
  readonly lineOf: (path: Path) => number;
  /** Allowed IPs of a peer as they are written, host bits and all; none with mistakes. */
  readonly prefixes: (number: number) => readonly Cidr[];
}

/** The sentence about a value, for a mistake that its own words tell better; null: none. */
export const knownMistake = (setting: Setting, value: unknown): string | null => {
  if (setting.key !== "public_key" || typeof value !== "string" || !/^p2p:/.test(value)) {
    return null;
  }
  return "is a node id; write the peer's WireGuard public key, which keygen prints below it";
};

const valueProblem = (setting: Setting, place: string, value: unknown, problem: string): string => {
  const known = knownMistake(setting, value);
  if (known !== null) return `${setting.key} in ${place} ${known}.`;
  const shown = isShown(setting.key, value) ? `, not ${shownValue(value)}` : "";
  const better = proposal(setting, value);
  const remedy = better === null ? "" : `; ${better}`;
  return `${setting.key} in ${place} ${problem}${shown}${remedy}.`;
};

/** One section's values, each looked at by itself. */
class SectionCheck {
  readonly #mistakes: Mistakes;
  readonly #lineOf: (path: Path) => number;
  readonly #path: Path;
  readonly #place: string;
  /** What may stay. */
  readonly good: Record<string, unknown> = {};

  constructor(mistakes: Mistakes, lineOf: (path: Path) => number, path: Path) {
    const [section, number] = path;
    this.#mistakes = mistakes;
    this.#lineOf = lineOf;
    this.#path = path;
    const counted = number === undefined ? "" : ` ${Number(number) + 1}`;
    this.#place = `${bracketed(String(section))}${counted}`;
  }

  run({ section, values, broken, line }: LooseSection): void {
    for (const [key, value] of Object.entries(values)) {
      const setting = settingOf(section, key);
      if (setting === undefined && isAmnezia(key)) {
        this.#mistakes.once(this.#lineOf([...this.#path, key]), AMNEZIA_SENTENCE);
      } else if (setting === undefined) {
        this.#add([key], unknownKey(section, this.#place, key));
        const guess = keyGuessed(section, key);
        if (guess !== null) broken.add(guess);
      } else if (kindOf(setting) === "list" && Array.isArray(value)) {
        this.#list(setting, value);
      } else {
        this.#value(setting, value);
      }
    }
    for (const { key, required } of SETTINGS.filter((one) => one.section === section)) {
      if (!required || key in values || broken.has(key)) continue;
      this.#mistakes.add(line, `${this.#place} needs ${key}; ${REQUIRED[key]}.`);
    }
  }

  #add(path: Path, text: string): void {
    this.#mistakes.add(this.#lineOf([...this.#path, ...path]), text);
  }

  #value(setting: Setting, value: unknown): void {
    const result = setting.check(value);
    if ("value" in result) this.good[setting.key] = value;
    else this.#add([setting.key], valueProblem(setting, this.#place, value, result.problem));
  }

  #list(setting: Setting, items: readonly unknown[]): void {
    let wrong = 0;
    const kept = items.filter((item, i) => {
      const result = setting.check([item]);
      if ("value" in result) return true;
      const path = wrong++ < ITEM_LINES_MAX ? [setting.key, i] : [setting.key];
      const better = proposal(setting, [item])?.replace(/^.* = \[(.*)\]$/, "; write $1") ?? "";
      const what = `${shownValue(item)} in ${setting.key} of ${this.#place}`;
      this.#add(path, `${what} ${result.problem}${better}.`);
      return false;
    });
    const whole = setting.check(kept);
    if ("value" in whole) this.good[setting.key] = kept;
    else this.#add([setting.key], `${setting.key} in ${this.#place} ${whole.problem}.`);
  }
}

/** What to do where a key is missing that must be there. */
const REQUIRED: Readonly<Record<string, string>> = {
  private_key_file:
    'write private_key_file = "own.key", and make it with `p2pvpn-engine keygen --out own.key`',
  network_file: 'write network_file = "lab.network", the file of `p2pvpn-engine network create`',
  certificate: 'write certificate = "own.cert", the file of `p2pvpn-engine network sign`',
  public_key: "write the WireGuard public key that the peer's keygen printed",
};

/** Stands in the place of a key file that is not there. */
const NO_FILE = "-";

/** All mistakes of a text, and what is left of it without them. */
const readWithMistakes = (text: string, mistakes: Mistakes): TomlReading => {
  const loose = readLoosely(text, mistakes);
  const { lineOf } = loose;
  const checked = (section: LooseSection, path: Path): Record<string, unknown> => {
    const check = new SectionCheck(mistakes, lineOf, path);
    check.run(section);
    return check.good;
  };
  const once = (section: "interface" | "network" | "engine"): Record<string, unknown> => {
    const read = loose.once[section];
    return read === undefined ? {} : checked(read, [section]);
  };
  if (loose.once.interface === undefined) {
    const remedy = "write it, with private_key_file and addresses below it";
    mistakes.add(0, `the section [interface] is missing; ${remedy}.`);
  }
  if (loose.peers.length > PEERS_MAX) {
    const line = lineOf(["peer", PEERS_MAX]);
    mistakes.add(line, `[[peer]] may be there ${PEERS_MAX} times at most; remove some.`);
  }
  const link = once("interface");
  const network = once("network");
  const isWhole = "network_file" in network && "certificate" in network;
  const peers = loose.peers.slice(0, PEERS_MAX).map((peer, i) => checked(peer, ["peer", i]));
  const kept = peers.flatMap((peer, number) => ("public_key" in peer ? [{ peer, number }] : []));
  const hasKeyFile = "private_key_file" in link;
  const config = v.parse(ConfigFile, {
    interface: { private_key_file: NO_FILE, ...link },
    peer: kept.map(({ peer }) => peer),
    ...(isWhole ? { network } : {}),
    engine: once("engine"),
  });
  const numbers = kept.map(({ number }) => number);
  return { config, hasKeyFile, numbers, lineOf, prefixes: () => [] };
};

/** Null: there is a mistake. */
const readStrictly = (text: string): TomlReading | null => {
  let value: unknown;
  try {
    value = parseStrictly(text);
  } catch (error) {
    if (error instanceof TomlError) return null;
    throw error;
  }
  const result = v.safeParse(ConfigFile, value);
  if (!result.success) return null;
  let loose: ReturnType<typeof readLoosely> | null = null;
  const lineOf = (path: Path): number => {
    loose ??= readLoosely(text);
    return loose.lineOf(path);
  };
  const config = result.output;
  const { peer: peers = [] } = value as v.InferInput<typeof ConfigFile>;
  const prefixes = (number: number): Cidr[] =>
    (peers[number]?.allowed_ips ?? []).map((text) => parseCidr(text)!);
  return { config, hasKeyFile: true, numbers: config.peer.map((_, i) => i), lineOf, prefixes };
};

/** smol-toml's own words, where ours found nothing. */
const addTomlError = (text: string, mistakes: Mistakes): void => {
  let line = 0;
  let column = 0;
  try {
    parseStrictly(text);
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    ({ line, column } = error);
  }
  const what = "this is no TOML; write sections and key = value, as docs/CONFIG.md has them";
  mistakes.add(line, `${what}.`, column);
};

/** Stands for a file that is not read. */
const EMPTY = `[interface]\nprivate_key_file = "${NO_FILE}"`;

/** What the text is, when it is no TOML at all, and what to do; null: it is meant to be. */
const otherKind = (text: string): string | null => {
  if (looksLike(text) === "wg-quick") {
    return "this is a wg-quick file; rename it so that it ends in .conf, like wg0.conf.";
  }
  if (/\r/.test(text) && !/\n/.test(text)) {
    return "its lines end in CR alone; save the file with LF.";
  }
  if (!/^\s*\{/.test(text)) return null;
  return "this is JSON; write it in TOML: [interface], and key = value on lines below.";
};

/**
 * Reads and checks the text of a configuration; each mistake is added to `mistakes`.
 *
 * Thread: main, control.   Errors: never.
 */
export const readToml = (text: string, mistakes: Mistakes): TomlReading => {
  const strict = readStrictly(text);
  if (strict !== null) return strict;
  const other = otherKind(text);
  if (other !== null) {
    mistakes.add(0, other);
    return { ...readStrictly(EMPTY)!, hasKeyFile: false };
  }
  const before = mistakes.count;
  const reading = readWithMistakes(text, mistakes);
  if (mistakes.count === before) addTomlError(text, mistakes);
  return reading;
};
