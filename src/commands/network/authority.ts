/**
 * authority — opens the authority's file, lets a command work on its book, and replaces it.
 *
 *   passphrase ── lock ── read, open ── the command ── save, if unchanged ── keys cleared
 *
 * What is signed is in the book before it is in any other file: so nothing that counts is unknown
 * to the authority.
 */
import { randomBytes } from "node:crypto";
import { realpathSync } from "node:fs";
import type { Command } from "commander";
import { armor } from "../../members/armor.ts";
import {
  type Book,
  type BookKey,
  bookSealing,
  newBookKey,
  openBook,
  sealBook,
  WRONG_PASSPHRASE,
  wipe,
} from "../../members/book.ts";
import { formatNetworkId } from "../../members/sign.ts";
import { replaceFile } from "../../schema/atomic-file.ts";
import { EngineError } from "../../schema/errors.ts";
import { errnoText } from "../../schema/new-file.ts";
import { unixS } from "./clock.ts";
import { bytesOfText, readText } from "./files.ts";
import { locked } from "./lock.ts";
import { askPassphrase } from "./passphrase.ts";
import { formatMoment } from "./texts.ts";

/** Options of every command that opens an authority. */
export interface AuthorityOptions {
  readonly authority: string;
  readonly passphraseFile?: string;
}

const NONCE_BYTES = 24;
const SALT_BYTES = 16;

/** `--passphrase-file`. */
export const addPassphraseOption = (command: Command): Command =>
  command.option(
    "--passphrase-file <FILE>",
    "take the authority's passphrase from the first line of a file, - is standard input",
  );

/** `--authority`, `--passphrase-file`. */
export const addAuthorityOptions = (command: Command): Command =>
  addPassphraseOption(
    command.requiredOption("--authority <FILE>", "the authority, from `network create`"),
  );

/** Text of an authority's file; `key` null: not sealed. */
export const authorityText = (book: Book, key: BookKey | null): string => {
  const bytes = sealBook(book, key, randomBytes(NONCE_BYTES));
  const { name, networkId } = book.definition;
  const comments = [
    `the authority of ${name}, network ${formatNetworkId(networkId)}: secret`,
    key === null ? "not sealed: whoever reads it is the authority" : "sealed with a passphrase",
  ];
  const text = armor("authority", bytes, comments);
  bytes.fill(0);
  return text;
};

/** A key for a new authority file. Takes: `passphrase`. Errors: EngineError MEMORY. */
export const keyForPassphrase = (passphrase: Buffer): BookKey => {
  try {
    return newBookKey(passphrase, randomBytes(SALT_BYTES));
  } catch (cause) {
    throw new EngineError("MEMORY", { reason: "sealing with a passphrase takes 256 MiB", cause });
  } finally {
    passphrase.fill(0);
  }
};

/** Opens a text. Borrows: `passphrase`. Errors: PASSPHRASE_WRONG, FILE_DAMAGED, MEMORY. */
export const openText = (
  file: string,
  text: string,
  passphrase: Buffer | null,
): { readonly book: Book; readonly key: BookKey | null } => {
  const bytes = bytesOfText("authority", file, text);
  let opened: ReturnType<typeof openBook>;
  try {
    opened = openBook(bytes, passphrase);
  } catch (cause) {
    throw new EngineError("MEMORY", { reason: `opening ${file} takes 256 MiB and more`, cause });
  } finally {
    bytes.fill(0);
  }
  if (opened.ok) return opened;
  if (opened.why === WRONG_PASSPHRASE) throw new EngineError("PASSPHRASE_WRONG", { file });
  throw new EngineError("FILE_DAMAGED", { file, reason: opened.why });
};

/** Where a file has its salt, or the first half of its seed: only its readers know it. */
const KNOWN = [2, 18] as const;

/** Is the file sealed? And what its readers know of it. Errors: EngineError of files.ts. */
const lookInto = (file: string, text: string) => {
  const bytes = bytesOfText("authority", file, text);
  const sealing = bookSealing(bytes);
  if (!sealing.ok) throw new EngineError("FILE_DAMAGED", { file, reason: sealing.why });
  const known = bytes.slice(...KNOWN);
  bytes.fill(0);
  return { sealed: sealing.value !== null, known };
};

/** An authority that is open. */
export interface Authority {
  readonly book: Book;
  /** When this command signs. Units: seconds since 1970. */
  readonly nowS: number;
  /** Replaces the file. Errors: EngineError AUTHORITY_CHANGED, FILE_UNWRITABLE. */
  readonly save: (book: Book) => void;
}

const replace = (file: string, before: string, after: string): void => {
  if (readText(file) !== before) throw new EngineError("AUTHORITY_CHANGED", { file });
  try {
    replaceFile(file, after);
  } catch (error) {
    throw new EngineError("FILE_UNWRITABLE", { file, reason: errnoText(error), cause: error });
  }
};

/** A clock that went back would sign what is older than what it replaces. */
const refuseOldClock = (file: string, { definition, list }: Book, nowS: number): void => {
  const lastS = Math.max(definition.issuedS, list.issuedS);
  if (nowS >= lastS) return;
  const [now, last] = [nowS, lastS].map(formatMoment);
  throw new EngineError("CLOCK_BEHIND", { file, now, last });
};

/**
 * Does something with an authority, alone.
 *
 * Errors: EngineError of the file and the passphrase, CLOCK_BEHIND, AUTHORITY_BUSY, and its own.
 */
export const withAuthority = async <Value>(
  { authority: named, passphraseFile }: AuthorityOptions,
  act: (authority: Authority) => Promise<Value> | Value,
): Promise<Value> => {
  const { sealed, known } = lookInto(named, readText(named, true));
  // A link stays one: what it leads to is replaced.
  const file = realpathSync(named);
  const source = { file: passphraseFile, option: "passphrase-file", of: named };
  const passphrase = sealed ? await askPassphrase(source) : null;
  try {
    return await locked(file, known, async () => {
      let text = readText(file, true);
      const { book, key } = openText(named, text, passphrase);
      const nowS = unixS();
      refuseOldClock(named, book, nowS);
      const save = (next: Book): void => {
        const after = authorityText(next, key);
        replace(file, text, after);
        text = after;
      };
      try {
        return await act({ book, nowS, save });
      } finally {
        wipe(book);
        key?.key.fill(0);
      }
    });
  } finally {
    passphrase?.fill(0);
    known.fill(0);
  }
};
