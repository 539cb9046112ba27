/**
 * screen — what the output is written to: how wide it is, and whether it takes colour.
 */

/** Tuning: as wide as most windows are at least; for output that goes to no terminal. */
const PIPE_COLUMNS = 100;
/** Where a terminal does not say. */
const TERMINAL_COLUMNS = 80;
/** Tuning: no text is made narrower, and no word of ours wider than any terminal. */
const COLUMNS_MIN = 40;
const COLUMNS_MAX = 1_000;

export interface Screen {
  readonly columns: number;
  readonly colour: boolean;
}

export type Style = "good" | "bad" | "odd" | "faint";

/** Select Graphic Rendition. Source: ECMA-48, 8.3.117. */
const CODES: Readonly<Record<Style, number>> = { good: 32, bad: 31, odd: 33, faint: 2 };

/**
 * The screen behind standard output. COLUMNS counts where there is no terminal; NO_COLOR, when it
 * is not empty, and TERM=dumb take the colour. Source: no-color.org.
 */
export const screenOf = (
  { isTTY, columns }: { readonly isTTY?: boolean; readonly columns?: number } = process.stdout,
  env: NodeJS.ProcessEnv = process.env,
): Screen => {
  const asked = /^\d{1,4}$/.test(env.COLUMNS ?? "") ? Number(env.COLUMNS) : 0;
  const width = isTTY ? columns || TERMINAL_COLUMNS : asked || PIPE_COLUMNS;
  return {
    columns: Math.min(COLUMNS_MAX, Math.max(COLUMNS_MIN, width)),
    colour: isTTY === true && !env.NO_COLOR && env.TERM !== "dumb",
  };
};

export const paint = ({ colour }: Screen, style: Style | null, text: string): string =>
  colour && style !== null ? `\u001b[${CODES[style]}m${text}\u001b[0m` : text;

/** Pieces of a part, none wider than `most` unless a word is. */
const piecesOf = (part: string, most: number): string[] => {
  if (part.length <= most) return [part];
  const pieces: string[] = [];
  let piece = "";
  for (const word of part.split(" ")) {
    if (piece !== "" && piece.length + 1 + word.length > most) {
      pieces.push(piece);
      piece = word;
    } else piece = piece === "" ? word : `${piece} ${word}`;
  }
  return [...pieces, piece];
};

/**
 * Parts side by side, two spaces (or `gap`) apart, in as many lines as they need; all but the first
 * begin two spaces further in than `first`. A part that is wider than the screen is cut at its
 * spaces.
 */
export const wrap = (
  parts: readonly string[],
  { columns }: Screen,
  { gap = "  ", first = "" }: { readonly gap?: string; readonly first?: string } = {},
): string => {
  const further = `${first}  `;
  const lines: string[] = [];
  let line = "";
  for (const part of parts) {
    const [piece = "", ...pieces] = piecesOf(part, columns - further.length - gap.trimEnd().length);
    if (line === "") line = `${first}${piece}`;
    else if (line.length + gap.length + piece.length + gap.trimEnd().length <= columns)
      line += `${gap}${piece}`;
    else {
      lines.push(line.concat(gap).trimEnd());
      line = `${further}${piece}`;
    }
    for (const next of pieces) {
      lines.push(line);
      line = `${further}${next}`;
    }
  }
  return [...lines, line].join("\n");
};
