/**
 * toml-lines — the statements of a TOML text and their lines, also where the text is damaged.
 *
 * A statement is a section's header or `key = value`; a value goes on over lines while a bracket or
 * a quote of three is open, but not beyond a line that begins the next statement.
 */

/** A header, or a key with its value. */
export interface Statement {
  /** Of its first line, from 1. */
  readonly line: number;
  readonly text: string;
  /** A bracket is open at its end. */
  readonly open: boolean;
}

/** What is open at the end of a line. */
interface Open {
  readonly brackets: string[];
  quote: '"""' | "'''" | null;
}

const TRIPLES = ['"""', "'''"] as const;

/** Where the quote that begins at `from` ends in this line; -1: it does not. */
export const quoteEnd = (line: string, from: number): number => {
  const quote = line[from];
  for (let i = from + 1; i < line.length; i++) {
    if (line[i] === quote) return i;
    if (line[i] === "\\" && quote === '"') i++;
  }
  return -1;
};

/**
 * Walks over what is neither in quotes nor in a comment, and calls `seen` there. What is open at
 * the end of the line stays in `open`.
 */
const walk = (line: string, open: Open, seen: (letter: string) => void = () => {}): void => {
  let i = 0;
  while (i < line.length) {
    if (open.quote !== null) {
      const end = line.indexOf(open.quote, i);
      if (end < 0) return;
      i = end + 3;
      open.quote = null;
      continue;
    }
    const letter = line[i]!;
    const triple = TRIPLES.find((one) => line.startsWith(one, i));
    if (letter === "#") return;
    if (triple !== undefined) {
      open.quote = triple;
      i += 3;
    } else if (letter === '"' || letter === "'") {
      const end = quoteEnd(line, i);
      if (end < 0) return;
      i = end + 1;
    } else {
      if (letter === "[" || letter === "{") open.brackets.push(letter);
      if (letter === "]" || letter === "}") open.brackets.pop();
      seen(letter);
      i++;
    }
  }
};

/** Does a line look like the beginning of a statement, though a list is open before it? */
const begins = (line: string): boolean =>
  /^\s*(\[+\s*[A-Za-z]|["']?[A-Za-z_][\w-]*["']?\s*=)/.test(line);

const isBlank = (line: string): boolean => /^\s*(#.*)?$/.test(line);

/** The statements of a text; comments between them are left out. Thread: any.   Errors: never. */
export function* statementsOf(text: string): Generator<Statement> {
  const lines = text.split(/\r?\n/);
  for (let i = 0; i < lines.length; i++) {
    const first = i;
    if (isBlank(lines[i]!)) continue;
    const open: Open = { brackets: [], quote: null };
    const isOpen = (): boolean => open.quote !== null || open.brackets.length > 0;
    // A header's brackets are its own.
    if (!/^\s*\[/.test(lines[i]!)) {
      walk(lines[i]!, open);
      while (isOpen() && i + 1 < lines.length) {
        if (open.brackets.at(-1) === "[" && open.quote === null && begins(lines[i + 1]!)) break;
        walk(lines[++i]!, open);
      }
    }
    yield { line: first + 1, text: lines.slice(first, i + 1).join("\n"), open: isOpen() };
  }
}

/** The line of an item of a statement's list; items are counted from 0. */
export const itemLine = ({ line, text }: Statement, item: number): number => {
  const open: Open = { brackets: [], quote: null };
  let commas = 0;
  for (const [i, one] of text.split("\n").entries()) {
    const before = commas;
    walk(one, open, (letter) => {
      if (letter === "," && open.brackets.length === 1) commas++;
    });
    // An item stands before its comma, and the last one may have none.
    const inside = /["'\w]/.test(one.replace(/^[^=]*=/, i === 0 ? "" : "$&"));
    if (
      inside &&
      item >= before &&
      (item < commas || (item === commas && !/,\s*(#.*)?$/.test(one)))
    ) {
      return line + i;
    }
  }
  return line;
};
