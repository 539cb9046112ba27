/**
 * toml-syntax — from a line that is no TOML to what is to be written instead.
 *
 * smol-toml says where it stopped; what a person has to do follows from the line itself: what
 * stands between key and value, and around the value. Values are repeated only where they are
 * proposed, and never when they may be a part of a key.
 */
import { bare, betterValue, exampleOf, isShown, kindOf } from "./better.ts";
import type { SectionName, Setting } from "./config.ts";
import { quoteEnd } from "./toml-lines.ts";
import { meant, plainWord } from "./words.ts";

/** "[interface]", "[[peer]]". */
export const bracketed = (section: string): string =>
  section === "peer" ? "[[peer]]" : `[${section}]`;

/** By plain words: what people call the sections. */
// biome-ignore format: a table
const SECTION_WORDS: Readonly<Record<string, SectionName>> = {
  interface: "interface", interfaces: "interface", iface: "interface", local: "interface", wireguard: "interface", self: "interface",
  network: "network", net: "network", mesh: "network", member: "network", membership: "network",
  peer: "peer", peers: "peer", wireguardpeer: "peer", remote: "peer",
  engine: "engine", general: "engine", global: "engine", options: "engine", settings: "engine",
};

/** The section that a header means; null: none is near. */
export const sectionOf = (name: string): SectionName | null => {
  const plain = plainWord(name).replace(/["']/g, "");
  const [first = ""] = plain.split(/[.:]/);
  const word = first.replace(/\d+$/, "");
  if (Object.hasOwn(SECTION_WORDS, word)) return SECTION_WORDS[word]!;
  const near = meant(word, Object.keys(SECTION_WORDS));
  return near === null ? null : SECTION_WORDS[near]!;
};

/** A header's words; `exact`: it is written as TOML has it. */
export interface Header {
  readonly name: string;
  readonly exact: boolean;
  /** Brackets that it begins with. */
  readonly brackets: number;
}

/** The header of a line that begins with a bracket. */
export const readHeader = (text: string): Header => {
  const match = /^\s*(\[+)([^\][#=]*)(\]*)\s*(.*)$/s.exec(text)!;
  const [, opened = "", name = "", closed = "", rest = ""] = match;
  const exact = opened.length === closed.length && opened.length <= 2 && /^(#|$)/.test(rest);
  return { name: name.trim().replace(/^["']|["']$/g, ""), exact, brackets: opened.length };
};

/** `key = "value"` as TOML has it. */
export const written = (key: string, value: unknown): string => {
  const text = Array.isArray(value)
    ? `[${value.map((item) => JSON.stringify(item)).join(", ")}]`
    : JSON.stringify(value);
  return `${key} = ${text}`;
};

/** "write mtu = 1420": the setting with the better value, or how it is written. */
export const proposal = (setting: Setting, value: unknown): string | null => {
  const better = betterValue(setting, value);
  if (better === undefined) return null;
  const text = typeof value === "string" ? bare(value) : "";
  if (typeof better === "number" && /^0x/i.test(text)) return `write ${setting.key} = ${text}`;
  return `write ${written(setting.key, isShown(setting.key, better) ? better : "…")}`;
};

/** A statement in its parts. */
export interface Pair {
  readonly key: string;
  /** "=", or what stands in its place; "" where nothing does. */
  readonly sign: string;
  /** All behind it, trimmed, without a comment. */
  readonly value: string;
  /** Column of the value, from 1. */
  readonly column: number;
}

/** From the first # that is outside of quotes. */
const withoutComment = (text: string): string => {
  for (let i = 0; i < text.length; i++) {
    if (text[i] === "#") return text.slice(0, i);
    if (text[i] !== '"' && text[i] !== "'") continue;
    const end = quoteEnd(text, i);
    if (end >= 0) i = end;
  }
  return text;
};

/** Null: this is no key and value at all. */
export const readPair = (text: string): Pair | null => {
  const match = /^(\s*["']?([A-Za-z_][\w.-]*)["']?\s*(:=|={1,3}>?|->|:(?!\/\/)|)\s*)(.*)$/s.exec(
    text,
  );
  if (match === null) return null;
  const [, before = "", key = "", sign = "", value = ""] = match;
  const end = withoutComment(value).trim();
  return { key, sign, value: end, column: before.length + 1 };
};

const CURLY = /[“”„‘’«»`]/;

/** What is wrong with a value that TOML cannot read, as a clause. */
const valueReason = (value: string, setting: Setting, open: boolean): string => {
  const kind = kindOf(setting);
  const [first = ""] = value;
  const quoted = first === '"' || first === "'";
  if (value === "") return "the value is missing";
  if (CURLY.test(value)) return 'quotes must be straight, like "';
  if (/\s(\/\/|--|;)/.test(value)) return "a comment begins with #";
  if (/[^,;][,;]$/.test(value) && kind !== "list") return "nothing may follow the value";
  if (kind === "list") {
    if (first !== "[") return "a list is written in brackets";
    return open ? "the list is not closed" : "items of a list are in quotes, with commas between";
  }
  if (kind === "switch") return "it must be true or false";
  if (kind === "number") return "a number stands alone, in digits";
  if (quoted && quoteEnd(value, 0) < 0) return "the quote is not closed";
  if (quoted) return "nothing may follow the value";
  return "text is written in quotes";
};

/** `value` without a comment of another language. */
const withoutForeignComment = (value: string): string => value.replace(/\s+(\/\/|--|;).*$/s, "");

/** What is wrong with a statement that has a known key, and what to write. */
export const pairProblem = (pair: Pair, setting: Setting, open: boolean): string => {
  const { sign, value } = pair;
  if (sign === "=" && /^".*\\/.test(value) && quoteEnd(value, 0) > 0) {
    return `\\ has a meaning of its own in "…"; write ${setting.key} = '…', in single quotes.`;
  }
  const reason =
    sign === ""
      ? "= is missing between key and value"
      : sign === "="
        ? valueReason(value, setting, open)
        : `= stands between key and value, not ${sign}`;
  const guess = proposal(setting, withoutForeignComment(value));
  if (guess !== null) return `${reason}; ${guess}.`;
  const example = written(setting.key, exampleOf(setting));
  return `${reason}; write it like ${example}.`;
};

/** Spaces that are none, and letters that nobody sees. */
const INVISIBLE = /[\u00a0\u00ad\u2000-\u200f\u2028\u2029\u202f\u205f\u2060\u3000\ufeff]/;
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are looked for
const CONTROL = /[\u0000-\u0008\u000b-\u001f\u007f]/;

const code = (letter: string): string =>
  `U+${letter.charCodeAt(0).toString(16).toUpperCase().padStart(4, "0")}`;

/** A letter that nobody sees and TOML does not take, as a sentence with its column; else null. */
export const unseenProblem = (
  text: string,
): { readonly text: string; readonly column: number } | null => {
  const space = INVISIBLE.exec(text);
  if (space !== null) {
    const what = `the character ${code(space[0])} looks like a space and is none`;
    return { text: `${what}; write a space.`, column: space.index + 1 };
  }
  const control = CONTROL.exec(text);
  if (control === null) return null;
  const what = control[0] === "\r" ? "a line ends in CR alone" : "a control character stands here";
  const remedy = control[0] === "\r" ? "save the file with LF" : "remove it";
  return { text: `${what} (${code(control[0])}); ${remedy}.`, column: control.index + 1 };
};

/** A line that is neither a header nor a key with its value. */
export const strayProblem = (text: string): string =>
  /^\s*(\/\/|\/\*|;|--|<!--|%|\*)/.test(text)
    ? "a comment begins with #; write # in front of this line."
    : "this is neither a [section] nor key = value; write # in front of it if it is a comment.";
