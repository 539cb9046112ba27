/**
 * toml — configuration text to a checked configuration, or one sentence about the first mistake.
 *
 * An unknown key names the nearest key, since a typing mistake that is ignored is found weeks
 * later. Values of keys are never repeated in a sentence: they may be secrets in the wrong place.
 */
import { parse, TomlError } from "smol-toml";
import * as v from "valibot";
import { ConfigFile, SECTIONS, type SectionName } from "./config.ts";
import { EngineError } from "./errors.ts";

/** Edits (insert, delete, replace a character) that make one word of the other. */
const distance = (from: string, to: string): number => {
  let row = Array.from({ length: to.length + 1 }, (_, i) => i);
  for (const [i, letter] of [...from].entries()) {
    const next = [i + 1];
    for (const [j, other] of [...to].entries()) {
      const replaced = row[j]! + (letter === other ? 0 : 1);
      next.push(Math.min(replaced, row[j + 1]! + 1, next[j]! + 1));
    }
    row = next;
  }
  return row[to.length]!;
};

/** Tuning: longer keys are cut before they are compared. */
const KEY_CHARACTERS = 40;
/** Of an unknown key so much is repeated: a secret may stand in its place. */
const SHOWN_CHARACTERS = 24;

/** An unknown key for a sentence. */
export const shownKey = (key: string): string =>
  key.length > SHOWN_CHARACTERS ? `${key.slice(0, 4)}…` : key;

/** The word of `known` that takes the fewest edits. Errors: never; `known` is not empty. */
export const nearest = (word: string, known: readonly string[]): string =>
  nearestOf(word, known).word;

/** The nearest known word, or null when it is further than `editsMax`. */
export const nearestWithin = (
  word: string,
  known: readonly string[],
  editsMax: number,
): string | null => {
  const best = nearestOf(word, known);
  return best.edits <= editsMax ? best.word : null;
};

const nearestOf = (word: string, known: readonly string[]): { word: string; edits: number } => {
  const short = word.slice(0, KEY_CHARACTERS);
  let best = { word: known[0]!, edits: Number.POSITIVE_INFINITY };
  for (const candidate of known) {
    const part = candidate.startsWith(short) || short.startsWith(candidate);
    const edits = part ? 0.5 : distance(short, candidate);
    if (edits < best.edits) best = { word: candidate, edits };
  }
  return best;
};

type Path = readonly (string | number)[];

const isSection = (value: unknown): value is SectionName =>
  typeof value === "string" && Object.hasOwn(SECTIONS, value);

const keysOf = (section: SectionName): string[] => Object.keys(SECTIONS[section].entries);

const bracketed = (section: string): string => (section === "peer" ? "[[peer]]" : `[${section}]`);

/** "[interface]", "[[peer]] 2": the section that a path lies in; peers are counted from 1. */
const place = (path: Path): string => {
  const [section, second] = path;
  const number = section === "peer" && typeof second === "number" ? ` ${second + 1}` : "";
  return `${bracketed(String(section))}${number}`;
};

const sectionWith = (key: string): SectionName | undefined =>
  (Object.keys(SECTIONS) as SectionName[]).find((one) => keysOf(one).includes(key));

const SECTION_LIST = "[interface], [[peer]] and [engine]";

const unknownKey = (path: Path): string => {
  const key = String(path.at(-1)).slice(0, KEY_CHARACTERS);
  const [section] = path;
  if (path.length === 1 || !isSection(section)) {
    const home = sectionWith(key);
    if (home !== undefined) return `${key} belongs into ${bracketed(home)}.`;
    const near = bracketed(nearest(key, Object.keys(SECTIONS)));
    const shown = shownKey(key);
    return `unknown section or key ${shown}; the nearest is ${near} (there are ${SECTION_LIST}).`;
  }
  const home = sectionWith(key);
  if (home !== undefined) return `${key} belongs into ${bracketed(home)}, not ${place(path)}.`;
  const near = nearest(key, keysOf(section));
  return `unknown key ${shownKey(key)} in ${place(path)}; did you mean ${near}?`;
};

const shown = (value: unknown): string => {
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 60 ? `${text.slice(0, 57)}…` : text;
};

const keyWords = (path: Path): string => {
  const words = path.filter((_, i) => i > 0 && !(i === 1 && path[0] === "peer"));
  return words.map((word, i) => (i === 0 ? String(word) : `[${String(word)}]`)).join("");
};

const sentence = (issue: v.BaseIssue<unknown>): string => {
  const path = (issue.path ?? []).map((item) => item.key as string | number);
  const [section] = path;
  const key = keyWords(path);
  if (issue.type === "strict_object" && issue.expected === "never") return unknownKey(path);
  if (issue.type === "strict_object" && issue.received === "undefined") {
    return key === "" ? `the section ${place(path)} is missing.` : `${place(path)} needs ${key}.`;
  }
  if (issue.type === "strict_object") {
    return `${String(section)} must be a section, written ${bracketed(String(section))}.`;
  }
  if (key === "") return `${place(path)} ${issue.message}.`;
  const value = /key/.test(key) ? "" : `, not ${shown(issue.input)}`;
  return `${key} in ${place(path)} ${issue.message}${value}.`;
};

const parseToml = (file: string, text: string): Readonly<Record<string, unknown>> => {
  try {
    return parse(text, { unsafeKeyBehaviour: "throw", maxDepth: 8 });
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    const [first = ""] = error.message.replace(/^Invalid TOML document: /, "").split("\n");
    const reason = `line ${error.line}, column ${error.column}: ${first}.`;
    throw new EngineError("CONFIG_INVALID", { file, reason, cause: error });
  }
};

/**
 * Reads and checks the text of a configuration; `file` is only named in errors.
 *
 * Thread: main.   Errors: EngineError CONFIG_INVALID.
 */
export const parseConfig = (file: string, text: string): ConfigFile => {
  if (/^\s*\[Interface\]/m.test(text)) {
    const reason = "this is a wg-quick file; name it after its interface, like wg0.conf.";
    throw new EngineError("CONFIG_INVALID", { file, reason });
  }
  const value = parseToml(file, text);
  for (const section of ["interface", "engine"]) {
    if (!Array.isArray(value[section])) continue;
    const reason = `${section} must be a section, written ${bracketed(section)}.`;
    throw new EngineError("CONFIG_INVALID", { file, reason });
  }
  const result = v.safeParse(ConfigFile, value);
  if (result.success) return result.output;
  const unknown = result.issues.find((issue) => issue.expected === "never");
  throw new EngineError("CONFIG_INVALID", { file, reason: sentence(unknown ?? result.issues[0]) });
};
