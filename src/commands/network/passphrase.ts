/**
 * passphrase — asks a person for a passphrase without showing it, or reads it from a file.
 *
 * It never is an argument, which every user of the host could see, and never a string, which could
 * not be cleared. `--passphrase-file -` reads standard input, so that another program can give it.
 */
import { closeSync, constants, fstatSync, openSync, readSync, writeSync } from "node:fs";
import { ReadStream } from "node:tty";
import { EngineError } from "../../schema/errors.ts";
import { errnoText } from "../../schema/new-file.ts";
import { warn } from "../shared.ts";

/** Tuning: longer than anybody types. */
const PASSPHRASE_BYTES_MAX = 1_024;
/** Tuning: fewer bytes are guessed by somebody who has the file. */
const SHORT_BYTES = 12;
const [CTRL_C, CTRL_D, CTRL_U, BACKSPACE, DELETE] = [3, 4, 21, 8, 127];
const [NEWLINE, RETURN] = [10, 13];
/** As a shell tells of SIGINT. */
const INTERRUPTED = 130;

/** What was typed so far; characters of several bytes are taken back whole. */
class Line {
  readonly #bytes = Buffer.alloc(PASSPHRASE_BYTES_MAX);
  #length = 0;

  put(byte: number): void {
    if (this.#length < this.#bytes.length) this.#bytes[this.#length++] = byte;
  }

  back(): void {
    if (this.#length === 0) return;
    do this.#length--;
    while (this.#length > 0 && (this.#bytes[this.#length]! & 0xc0) === 0x80);
  }

  clear(): void {
    this.#bytes.fill(0);
    this.#length = 0;
  }

  done(): Buffer {
    const line = Buffer.from(this.#bytes.subarray(0, this.#length));
    this.clear();
    return line;
  }
}

/** Reads a line from the terminal; null: there is none. */
const askTerminal = async (question: string): Promise<Buffer | null> => {
  let fd: number;
  try {
    fd = openSync("/dev/tty", constants.O_RDWR | constants.O_NOCTTY);
  } catch {
    return null;
  }
  const terminal = new ReadStream(fd);
  terminal.setRawMode(true);
  writeSync(fd, question);
  const line = new Line();
  const end = (): void => {
    terminal.setRawMode(false);
    writeSync(fd, "\n");
    terminal.destroy();
  };
  return new Promise((resolve) => {
    terminal.on("data", (typed: Buffer) => {
      for (const byte of typed) {
        if (byte === CTRL_C || (byte === CTRL_D && typed.length === 1)) {
          end();
          process.exit(INTERRUPTED);
        } else if (byte === BACKSPACE || byte === DELETE) line.back();
        else if (byte === CTRL_U) line.clear();
        else if (byte === NEWLINE || byte === RETURN) {
          end();
          resolve(line.done());
          break;
        } else line.put(byte);
      }
      typed.fill(0);
    });
  });
};

/** Bytes of the file's first line. */
const readFirstLine = (fd: number): Buffer => {
  const bytes = Buffer.alloc(PASSPHRASE_BYTES_MAX + 2);
  let length = 0;
  while (length < bytes.length && !bytes.subarray(0, length).includes(NEWLINE)) {
    const read = readSync(fd, bytes, length, bytes.length - length, null);
    if (read === 0) break;
    length += read;
  }
  const newline = bytes.subarray(0, length).indexOf(NEWLINE);
  const end = newline < 0 ? length : newline;
  if (end > PASSPHRASE_BYTES_MAX) {
    bytes.fill(0);
    throw new Error(`its first line is longer than ${PASSPHRASE_BYTES_MAX} bytes`);
  }
  const line = Buffer.from(bytes.subarray(0, end - (bytes[end - 1] === RETURN ? 1 : 0)));
  bytes.fill(0);
  return line;
};

/** The first line of a file; "-" is standard input. Errors: EngineError PASSPHRASE_UNREADABLE. */
const readPassphrase = (file: string): Buffer => {
  let fd = 0;
  try {
    // A pipe that another program writes to is waited for.
    if (file !== "-") fd = openSync(file, constants.O_RDONLY);
    const stat = fstatSync(fd);
    if (file !== "-" && stat.isFile() && (stat.mode & 0o077) !== 0) {
      throw new Error(`others can read it; run \`chmod 600 ${file}\``);
    }
    return readFirstLine(fd);
  } catch (error) {
    const reason = (error as NodeJS.ErrnoException).code ? errnoText(error) : String(error);
    const clause = reason.replace(/^Error: /, "");
    throw new EngineError("PASSPHRASE_UNREADABLE", { file, reason: clause, cause: error });
  } finally {
    if (fd !== 0) closeSync(fd);
  }
};

/** Where a passphrase comes from: `file`, or else the terminal. */
export interface PassphraseSource {
  /** Of `--passphrase-file`. */
  readonly file: string | undefined;
  /** Name of that option. */
  readonly option: string;
  /** The file that the passphrase is of. */
  readonly of: string;
}

/**
 * The passphrase of a file; the caller clears it.
 *
 * Errors: EngineError PASSPHRASE_MISSING, PASSPHRASE_UNREADABLE.
 */
export const askPassphrase = async ({ file, option, of }: PassphraseSource): Promise<Buffer> => {
  if (file !== undefined) return readPassphrase(file);
  const line = await askTerminal(`Passphrase of ${of}: `);
  if (line === null) throw new EngineError("PASSPHRASE_MISSING", { file: of, option });
  return line;
};

/**
 * A new passphrase, typed twice; the caller clears it.
 *
 * Errors: as `askPassphrase`, and EngineError PASSPHRASE_EMPTY, PASSPHRASE_DIFFERS.
 */
export const askNewPassphrase = async (source: PassphraseSource): Promise<Buffer> => {
  const { file, option, of } = source;
  let line: Buffer | null;
  if (file !== undefined) line = readPassphrase(file);
  else {
    line = await askTerminal(`New passphrase for ${of}: `);
    const again = line && line.length > 0 ? await askTerminal("The same again: ") : line;
    const differs = line !== null && again !== null && !line.equals(again);
    if (again !== line) again?.fill(0);
    if (differs) throw new EngineError("PASSPHRASE_DIFFERS");
  }
  if (line === null) throw new EngineError("PASSPHRASE_MISSING", { file: of, option });
  if (line.length === 0) throw new EngineError("PASSPHRASE_EMPTY");
  if (line.length < SHORT_BYTES) {
    warn(`a passphrase of ${line.length} bytes can be guessed; \`network backup\` sets another.`);
  }
  return line;
};
