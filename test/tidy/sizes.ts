/**
 * sizes — how long files, functions and lines may be. Rows of tables do not count.
 *
 * Functions are found by their indentation, which the formatter keeps: from a line that opens one
 * to the line that closes it, both counted.
 */
import { type Finding, type SourceFile, tableLines } from "./tree.ts";

export const FILE_LINES = 400;
export const FUNCTION_LINES = 70;
export const LINE_CHARACTERS = 100;

const longFile = (file: SourceFile): Finding[] => {
  const end = file.lines.at(-1) === "" ? 1 : 0;
  const lines = file.lines.length - end - tableLines(file).size;
  return lines > FILE_LINES ? [{ path: file.path, line: 1, text: `${lines} lines` }] : [];
};

const longLines = (file: SourceFile): Finding[] => {
  const rows = tableLines(file);
  return file.lines.flatMap((text, i) => {
    const characters = [...text].length;
    // The list of sources that a C test is built from is one line, as native.test.ts wants it.
    const listed = i === 0 && text.startsWith("/* sources: ");
    if (characters <= LINE_CHARACTERS || listed || rows.has(i + 1)) return [];
    return [{ path: file.path, line: i + 1, text: `${characters} characters` }];
  });
};

/** A line of TypeScript that opens a function's body and ends with its brace. */
const opensFunction = (text: string): boolean => {
  if (!text.endsWith("{")) return false;
  if (/=> \{$/.test(text) || /\bfunction\b.*\{$/.test(text)) return true;
  if (/^\s*(?:\}|if|for|while|switch|do|else|try|catch|class|export class)\b/.test(text)) {
    return false;
  }
  // A method on one line, or the closing line of parameters over several.
  return /^\s*(?:(?:static|async|get|set|override) )*[#\w]+\(.*\).* \{$|^\s*\).*\{$/.test(text);
};

const indentOf = (text: string): number => text.length - text.trimStart().length;

/** The first line that leaves the body's indentation with a brace. */
const closingLine = (lines: readonly string[], from: number): number => {
  if (lines[from] === "{") return lines.indexOf("}", from);
  const first = lines.findIndex((text, i) => i > from && text !== "");
  if (first < 0 || lines[first]!.trimStart().startsWith("}")) return Math.max(first, from);
  const inside = indentOf(lines[first]!);
  for (let i = first + 1; i < lines.length; i++) {
    const text = lines[i]!;
    if (indentOf(text) < inside && text.trimStart().startsWith("}")) return i;
  }
  return lines.length - 1;
};

/** Functions that declare tests are chapters, not functions. */
const declaresTests = (lines: readonly string[]): boolean =>
  lines.some((text) => /^\s+test\(/.test(text));

const longFunctions = (file: SourceFile): Finding[] => {
  const rows = tableLines(file);
  const inC = /\.[ch]$/.test(file.path);
  return file.lines.flatMap((text, i) => {
    const opens = inC ? text === "{" : opensFunction(text);
    if (!opens || rows.has(i + 1)) return [];
    const end = closingLine(file.lines, i) + 1;
    if (end - i <= FUNCTION_LINES || declaresTests(file.lines.slice(i + 1, end))) return [];
    return [{ path: file.path, line: i + 1, text: `a function of ${end - i} lines` }];
  });
};

/** What is too long. */
export const tooLong = (files: readonly SourceFile[]): Finding[] =>
  files.flatMap((file) => [...longFile(file), ...longFunctions(file), ...longLines(file)]);
