/**
 * new-file — files that people ask for: written whole or not at all, and never over another.
 */
import { randomBytes } from "node:crypto";
import { closeSync, fsyncSync, linkSync, openSync, unlinkSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { EngineError } from "./errors.ts";

/** Why a file cannot be read or written, as a clause. */
export const errnoText = (error: unknown): string => {
  const { code, message } = error as NodeJS.ErrnoException;
  if (code === "ENOENT") return "there is no such file";
  if (code === "EACCES" || code === "EPERM") return "permission denied";
  if (code === "EISDIR") return "it is a folder";
  if (code === "ENOTDIR") return "a part of its path is no folder";
  if (code === "ENOSPC") return "the disk is full";
  if (code === "EROFS") return "the disk is read-only";
  return code ?? message;
};

/**
 * Writes a new file: a temporary file, fsync, then `link`, which unlike `rename` refuses to replace
 * what is there.
 *
 * Thread: main.   Errors: EngineError FILE_EXISTS, FILE_UNWRITABLE.
 */
export const writeNewFile = (file: string, text: string, mode: number): void => {
  const part = join(dirname(file), `.${basename(file)}.${randomBytes(6).toString("hex")}`);
  let made = false;
  try {
    const fd = openSync(part, "wx", mode);
    made = true;
    try {
      writeFileSync(fd, text);
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
    linkSync(part, file);
    const folder = openSync(dirname(file), "r");
    try {
      fsyncSync(folder);
    } finally {
      closeSync(folder);
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") {
      throw new EngineError("FILE_EXISTS", { file, cause: error });
    }
    const gone = (error as NodeJS.ErrnoException).code === "ENOENT";
    const reason = gone ? "there is no such folder" : errnoText(error);
    throw new EngineError("FILE_UNWRITABLE", { file, reason, cause: error });
  } finally {
    if (made) unlinkSync(part);
  }
};

/** A file that is to be new. */
export interface NewFile {
  readonly file: string;
  readonly text: string;
  readonly mode: number;
}

/** Writes several, or none: those that were written go where one fails. Errors: as one. */
export const writeNewFiles = (files: readonly NewFile[]): void => {
  const written: string[] = [];
  try {
    for (const { file, text, mode } of files) {
      writeNewFile(file, text, mode);
      written.push(file);
    }
  } catch (error) {
    for (const file of written) unlinkSync(file);
    throw error;
  }
};
