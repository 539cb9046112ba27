/**
 * toml-loose — reads what can be read of a damaged TOML file, and says what of it cannot.
 *
 * Each statement is given to smol-toml alone, so that one mistake hides no other. What comes out is
 * never a configuration: it is looked at for more mistakes, and tells the lines of all.
 */
import { parse, type TomlTable } from "smol-toml";
import { SECTIONS, type SectionName, settingOf } from "./config.ts";
import { Mistakes } from "./mistakes.ts";
import { itemLine, type Statement, statementsOf } from "./toml-lines.ts";
import {
  bracketed,
  pairProblem,
  readHeader,
  readPair,
  sectionOf,
  strayProblem,
  unseenProblem,
} from "./toml-syntax.ts";
import {
  AMNEZIA_SENTENCE,
  aliasOf,
  isAmnezia,
  meant,
  noneOf,
  plainWord,
  shownKey,
} from "./words.ts";

/** "interface", "mtu" or "peer", 0, "allowed_ips", 3; peers and items are counted from 0. */
export type Path = readonly (string | number)[];

export type Table = Record<string, unknown>;

/** A section as it was read. */
export interface LooseSection {
  readonly section: SectionName;
  /** Of its header, or its first key. */
  readonly line: number;
  readonly values: Table;
  /** Keys that are there and could not be read. */
  readonly broken: Set<string>;
  readonly statements: Map<string, Statement>;
}

/** Sections that stand in a file once. */
type OnceSection = Exclude<SectionName, "peer">;

export interface Loose {
  readonly once: Readonly<Partial<Record<OnceSection, LooseSection>>>;
  readonly peers: readonly LooseSection[];
  /** The line of a place, or of the section around it; 0: of none. */
  readonly lineOf: (path: Path) => number;
}

const SECTION_LIST = "[interface], [[peer]], [network] and [engine]";

/** Options of every call: nothing reaches a prototype, and brackets in brackets have an end. */
const STRICT = { unsafeKeyBehaviour: "throw", maxDepth: 8 } as const;

/** Errors: TomlError. */
export const parseStrictly = (text: string): TomlTable => parse(text, STRICT);

const parsed = (text: string): TomlTable | null => {
  try {
    return parseStrictly(text);
  } catch {
    return null;
  }
};

const keysOf = (section: SectionName): string[] => Object.keys(SECTIONS[section].entries);

/** The key of this section that is written in another way, as `Listen-Port` or `keepalive`. */
const keyMeant = (section: SectionName, key: string): string | null => {
  const plain = plainWord(key);
  const same = keysOf(section).find((one) => plainWord(one) === plain);
  return same ?? aliasOf(section, key);
};

/** The key of this section that is likely meant. */
export const keyGuessed = (section: SectionName, key: string): string | null =>
  keyMeant(section, key) ?? meant(key.slice(0, 40).toLowerCase(), keysOf(section));

const inSection = (section: SectionName, key: string): string => {
  const setting = settingOf(section, key);
  const file = key.endsWith("_file") ? ", which names a file" : "";
  const port = setting?.value === "HOST:PORT" ? ', like "203.0.113.7:51820", host and port' : "";
  return `${key}${file}${port}`;
};

/** What to tell about a key that a section does not have; `place` names the section. */
export const unknownKey = (section: SectionName, place: string, key: string): string => {
  const known = keyMeant(section, key);
  const what = `unknown key ${shownKey(key.slice(0, 40))} in ${place}`;
  if (known !== null) return `${what}; write ${inSection(section, known)}.`;
  const others = (Object.keys(SECTIONS) as SectionName[]).filter((one) => one !== section);
  const home = others.find((one) => keysOf(one).includes(key));
  if (home !== undefined) return `${key} belongs into ${bracketed(home)}, not ${place}.`;
  const none = noneOf(key);
  if (none !== null) return `${what}; ${none}.`;
  const near = keyGuessed(section, key);
  if (near !== null) return `${what}; did you mean ${near}?`;
  const there = others.find((one) => keyMeant(one, key) !== null);
  if (there !== undefined) {
    return `${what}; write ${inSection(there, keyMeant(there, key)!)} in ${bracketed(there)}.`;
  }
  return `${what}; remove it, the keys there are ${keysOf(section).join(", ")}.`;
};

/** A key before the first section. */
const rootKey = (key: string): string => {
  const sections = Object.keys(SECTIONS) as SectionName[];
  const home = sections.find((one) => keysOf(one).includes(key));
  if (home !== undefined) return `${key} belongs into ${bracketed(home)}; write it below that.`;
  const near = sections.find((one) => keyMeant(one, key) !== null);
  const meantKey = near === undefined ? null : keyMeant(near, key);
  if (meantKey !== null)
    return `${key} stands before any section; ${meantKey} belongs into ${bracketed(near!)}.`;
  const what = `unknown section or key ${shownKey(key)}`;
  return `${what}; there are ${SECTION_LIST}, and keys stand below them.`;
};

class Reader {
  readonly #mistakes: Mistakes;
  readonly #once: Partial<Record<OnceSection, LooseSection>> = {};
  readonly peers: LooseSection[] = [];
  /** Where keys go; "root" before the first header, null below one that is unknown. */
  #at: LooseSection | "root" | null = "root";

  constructor(mistakes: Mistakes) {
    this.#mistakes = mistakes;
  }

  get once(): Partial<Record<OnceSection, LooseSection>> {
    return this.#once;
  }

  read(statement: Statement): void {
    if (/^\s*\[/.test(statement.text)) this.#header(statement);
    else this.#pair(statement);
  }

  #open(section: SectionName, line: number): LooseSection {
    const made: LooseSection = {
      section,
      line,
      values: Object.create(null) as Table,
      broken: new Set(),
      statements: new Map(),
    };
    if (section === "peer") {
      this.peers.push(made);
      return made;
    }
    const known = this.#once[section];
    if (known !== undefined) {
      const what = `${bracketed(section)} stands here again, first in line ${known.line}`;
      this.#mistakes.add(line, `${what}; put all its keys there.`);
      return known;
    }
    this.#once[section] = made;
    return made;
  }

  #header({ line, text }: Statement): void {
    const { name, exact, brackets } = readHeader(text);
    const section = sectionOf(name);
    const unseen = unseenProblem(text);
    if (unseen !== null) this.#mistakes.add(line, unseen.text, unseen.column);
    if (section === null) {
      const what = `unknown section [${shownKey(name.slice(0, 40))}]`;
      this.#mistakes.add(line, `${what}; there are ${SECTION_LIST}.`);
      this.#at = null;
      return;
    }
    const right = exact && name === section && brackets === (section === "peer" ? 2 : 1);
    if (!right && unseen === null) {
      const with2 = section === "peer" ? ", with two brackets, once for each peer" : "";
      const alone = exact ? "" : ", alone on its line";
      this.#mistakes.add(line, `this section is written ${bracketed(section)}${with2}${alone}.`);
    }
    this.#at = this.#open(section, line);
  }

  #pair(statement: Statement): void {
    const { line, text } = statement;
    const table = parsed(text);
    if (table === null) this.#broken(statement);
    else if (this.#at === "root") this.#root(statement, table);
    else for (const [key, value] of Object.entries(table)) this.#put(key, value, statement);
    if (table !== null && this.#at !== null && Object.keys(table).length === 0) {
      this.#mistakes.add(line, strayProblem(text));
    }
  }

  /** `interface.mtu = 1420`, `engine = { threads = 2 }`, and what belongs below a section. */
  #root(statement: Statement, table: TomlTable): void {
    for (const [key, value] of Object.entries(table)) {
      const lists = Array.isArray(value) ? value : [value];
      const tables = lists.every((one) => typeof one === "object" && one !== null);
      if (!Object.hasOwn(SECTIONS, key)) {
        this.#mistakes.add(statement.line, rootKey(key));
      } else if (!tables || (key === "peer") !== Array.isArray(value)) {
        const what = `${key} must be a section, written ${bracketed(key)}`;
        this.#mistakes.add(statement.line, `${what} on a line of its own.`);
      } else {
        for (const one of lists) this.#inline(key as SectionName, one as Table, statement);
      }
    }
  }

  #inline(section: SectionName, table: Table, statement: Statement): void {
    const known = section === "peer" ? undefined : this.#once[section];
    this.#at = known ?? this.#open(section, statement.line);
    for (const [key, value] of Object.entries(table)) this.#put(key, value, statement);
    this.#at = "root";
  }

  #put(key: string, value: unknown, statement: Statement): void {
    const at = this.#at;
    if (at === null || at === "root") return;
    const first = at.statements.get(key);
    if (first !== undefined) {
      const what = `${shownKey(key)} stands twice in ${bracketed(at.section)}`;
      this.#mistakes.add(statement.line, `${what}, first in line ${first.line}; keep one.`);
      return;
    }
    at.values[key] = value;
    at.statements.set(key, statement);
  }

  /** A statement that is no TOML. */
  #broken(statement: Statement): void {
    const { line, text, open } = statement;
    const unseen = unseenProblem(text);
    const pair = readPair(text);
    const at = this.#at;
    if (unseen !== null) {
      const inside = text.slice(0, unseen.column).split("\n").length - 1;
      const column = inside === 0 ? unseen.column : 0;
      this.#mistakes.add(line + inside, unseen.text, column);
      if (pair !== null) this.#lost(pair.key, statement);
      return;
    }
    const yaml = /^\s*([A-Za-z]+)\s*[:{]?\s*[{]?\s*$/.exec(text)?.[1];
    if (yaml !== undefined && Object.hasOwn(SECTIONS, yaml.toLowerCase())) {
      this.#mistakes.add(line, `a section is written ${bracketed(yaml.toLowerCase())}.`);
      this.#at = this.#open(yaml.toLowerCase() as SectionName, line);
      return;
    }
    if (pair === null || at === null) {
      if (at !== null) this.#mistakes.add(line, strayProblem(text));
      return;
    }
    if (at === "root") {
      this.#mistakes.add(line, pair.sign === "" ? strayProblem(text) : rootKey(pair.key));
      return;
    }
    this.#brokenPair(statement, pair, at, open);
  }

  #brokenPair(
    statement: Statement,
    pair: NonNullable<ReturnType<typeof readPair>>,
    at: LooseSection,
    open: boolean,
  ): void {
    const setting = settingOf(at.section, pair.key);
    const known = keyMeant(at.section, pair.key) !== null || noneOf(pair.key) !== null;
    if (setting === undefined && isAmnezia(pair.key)) {
      this.#mistakes.once(statement.line, AMNEZIA_SENTENCE);
      return;
    }
    if (setting === undefined) {
      // Words without a sign are no key.
      const words = pair.sign === "" && (!known || pair.value === "");
      const sentence = words
        ? strayProblem(statement.text)
        : unknownKey(at.section, bracketed(at.section), pair.key);
      this.#mistakes.add(statement.line, sentence);
      const guess = words ? null : keyGuessed(at.section, pair.key);
      if (guess !== null) at.broken.add(guess);
      return;
    }
    this.#mistakes.add(statement.line, pairProblem(pair, setting, open), pair.column);
    this.#lost(pair.key, statement);
  }

  /** The key is there, so nobody is to be told that it is missing. */
  #lost(key: string, statement: Statement): void {
    const at = this.#at;
    if (at === null || at === "root") return;
    at.broken.add(key);
    at.statements.set(key, statement);
  }
}

const lineIn = (section: LooseSection | undefined, path: Path): number => {
  if (section === undefined) return 0;
  const [key, item] = path;
  const statement = typeof key === "string" ? section.statements.get(key) : undefined;
  if (statement === undefined) return section.line;
  return typeof item === "number" ? itemLine(statement, item) : statement.line;
};

/** Reads what can be read; what cannot is added to `mistakes`. Thread: main, control. */
export const readLoosely = (text: string, mistakes = new Mistakes("")): Loose => {
  const reader = new Reader(mistakes);
  for (const statement of statementsOf(text)) {
    if (mistakes.full) break;
    reader.read(statement);
  }
  const { once, peers } = reader;
  const lineOf = ([section, ...path]: Path): number => {
    if (section === "peer") {
      const [number, ...rest] = path;
      return lineIn(peers[Number(number)], rest);
    }
    return lineIn(once[section as OnceSection], path);
  };
  return { once, peers, lineOf };
};
