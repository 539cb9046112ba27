/**
 * prefix — prefixes between ASCII bytes and `Cidr`, for those who have a hundred thousand of them.
 *
 * The same language as `cidr.ts`, which decides whatever is not plain: "10.0.0.0/8",
 * "2001:db8::/32". Host bits become zero. Pure; any thread.
 */
import { type Cidr, maskCidr, parseCidr } from "./cidr.ts";

const DOT = 0x2e;
const SLASH = 0x2f;
const ZERO = 0x30;
const COLON = 0x3a;
/** No hexadecimal digit. */
const NONE = 0xff;

/** Value of a hexadecimal digit by its character. */
const DIGITS = new Uint8Array(256).fill(NONE);
for (const [value, character] of [..."0123456789abcdef"].entries()) {
  DIGITS[character.charCodeAt(0)] = value;
  DIGITS[character.toUpperCase().charCodeAt(0)] = value;
}

/** A decimal number of up to three digits without leading zeros; -1: not plain. */
const readNumber = (text: Uint8Array, from: number, to: number): number => {
  const digits = to - from;
  if (digits < 1 || digits > 3 || (digits > 1 && text[from] === ZERO)) return -1;
  let value = 0;
  for (let at = from; at < to; at++) {
    const digit = text[at]! - ZERO;
    if (digit < 0 || digit > 9) return -1;
    value = 10 * value + digit;
  }
  return value;
};

const readFour = (text: Uint8Array, from: number, to: number): Uint8Array | null => {
  const bytes = new Uint8Array(4);
  let start = from;
  for (let i = 0; i < 4; i++) {
    let end = start;
    while (end < to && text[end] !== DOT) end++;
    const value = readNumber(text, start, end);
    if (value < 0 || value > 255 || i < 3 === (end === to)) return null;
    bytes[i] = value;
    start = end + 1;
  }
  return bytes;
};

/** Opens the gap that "::" stands for. */
const spread = (bytes: Uint8Array, gap: number, filled: number): Uint8Array | null => {
  if (gap < 0) return filled === 16 ? bytes : null;
  if (filled === 16) return null;
  const tail = 16 - (filled - gap);
  bytes.copyWithin(tail, gap, filled);
  return bytes.fill(0, gap, tail);
};

const readSix = (text: Uint8Array, from: number, to: number): Uint8Array | null => {
  const bytes = new Uint8Array(16);
  let filled = 0;
  let gap = -1;
  let at = from;
  if (text[at] === COLON && text[at + 1] === COLON) {
    gap = 0;
    at += 2;
  }
  while (at < to) {
    const start = at;
    let word = 0;
    for (; at < to && at - start < 4 && DIGITS[text[at]!] !== NONE; at++) {
      word = (word << 4) | DIGITS[text[at]!]!;
    }
    if (at === start || filled === 16) return null;
    bytes[filled++] = word >> 8;
    bytes[filled++] = word & 0xff;
    if (at === to) break;
    if (text[at++] !== COLON || at === to) return null;
    if (text[at] !== COLON) continue;
    if (gap >= 0) return null;
    gap = filled;
    at++;
  }
  return spread(bytes, gap, filled);
};

/** Clears the bits after the prefix, in place. */
const clearHost = (bytes: Uint8Array, prefixLength: number): void => {
  const whole = prefixLength >> 3;
  if (whole === bytes.length) return;
  bytes[whole]! &= 0xff00 >> (prefixLength & 7);
  bytes.fill(0, whole + 1);
};

/**
 * Reads "address/length" from `text[from, to)`, ASCII; null when it is something else. The length
 * may not be left out.
 *
 * Thread: any.   Errors: never.   Borrows: `text`.
 */
export const readPrefix = (text: Uint8Array, from: number, to: number): Cidr | null => {
  let slash = to - 1;
  while (slash > from && text[slash] !== SLASH) slash--;
  if (slash <= from) return null;
  let mark = from;
  while (mark < slash && text[mark] !== COLON && text[mark] !== DOT) mark++;
  const six = text[mark] === COLON;
  const bytes = six ? readSix(text, from, slash) : readFour(text, from, slash);
  const prefixLength = readNumber(text, slash + 1, to);
  if (bytes === null || prefixLength < 0 || prefixLength > 8 * bytes.length) {
    const slow = parseCidr(Buffer.from(text.subarray(from, to)).toString("latin1"));
    return slow === null ? null : maskCidr(slow);
  }
  clearHost(bytes, prefixLength);
  return { version: six ? 6 : 4, bytes, prefixLength };
};

const wordAt = (bytes: Uint8Array, i: number): number => (bytes[2 * i]! << 8) | bytes[2 * i + 1]!;

/** Address text of 16 bytes. Source: RFC 5952 4: the first of the longest runs of zeros is "::". */
const writeSix = (bytes: Uint8Array): string => {
  let gap = 8;
  let gapWords = 1; // a single zero is written as it is
  for (let i = 0; i < 8; i++) {
    const start = i;
    while (i < 8 && wordAt(bytes, i) === 0) i++;
    if (i - start <= gapWords) continue;
    gap = start;
    gapWords = i - start;
  }
  let text = "";
  for (let i = 0; i < 8; i++) {
    if (i === gap) {
      text += "::";
      i += gapWords - 1;
    } else {
      text += i === 0 || i === gap + gapWords ? "" : ":";
      text += wordAt(bytes, i).toString(16);
    }
  }
  return text;
};

/** "10.0.0.0/8", "fd00::/64", as `formatCidr` writes them. Thread: any. */
export const writePrefix = ({ bytes, prefixLength }: Cidr): string =>
  bytes.length === 4
    ? `${bytes[0]}.${bytes[1]}.${bytes[2]}.${bytes[3]}/${prefixLength}`
    : `${writeSix(bytes)}/${prefixLength}`;
