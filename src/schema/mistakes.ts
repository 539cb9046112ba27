/**
 * mistakes — what is wrong in a configuration: each with its line, all of them refused at once.
 */
import { EngineError } from "./errors.ts";

/** Tuning: so many are said; the rest is counted. */
const SHOWN_MAX = 20;
/** Tuning: a reader that has found so many stops. */
const FULL = 1_000;

interface Mistake {
  /** From 1; 0: of the file as a whole. */
  readonly line: number;
  /** From 1; 0: of the whole line. */
  readonly column: number;
  readonly text: string;
}

const place = ({ line, column }: Mistake): string => {
  if (line === 0) return "";
  return column === 0 ? `line ${line}: ` : `line ${line}, column ${column}: `;
};

/** Thread: any. */
export class Mistakes {
  readonly #file: string;
  readonly #kept: Mistake[] = [];
  #count = 0;

  /** `file` is only named. */
  constructor(file: string) {
    this.#file = file;
  }

  get count(): number {
    return this.#count;
  }

  /** So many that nobody needs more. */
  get full(): boolean {
    return this.#count >= FULL;
  }

  /** `text` is a sentence that says what to do. */
  add(line: number, text: string, column = 0): void {
    this.#count++;
    if (this.#count <= FULL) this.#kept.push({ line, column, text });
  }

  /** As `add`, for a text that is said once a file. */
  once(line: number, text: string): void {
    if (!this.#kept.some((one) => one.text === text)) this.add(line, text);
  }

  /** Errors: EngineError CONFIG_INVALID, a line of text each, when there are any. */
  refuse(): void {
    if (this.#count === 0) return;
    const sorted = this.#kept.sort((a, b) => a.line - b.line);
    const lines = sorted.slice(0, SHOWN_MAX).map((one) => `${place(one)}${one.text}`);
    const rest = this.#count - lines.length;
    const more = this.full ? " or more" : "";
    if (rest > 0) lines.push(`${rest}${more} other mistakes follow; put these right first.`);
    const reason = lines.join(`\n${this.#file}: `);
    throw new EngineError("CONFIG_INVALID", { file: this.#file, reason });
  }
}
