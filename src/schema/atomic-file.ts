/**
 * atomic-file — small files that are replaced whole or not at all, also by a crash at any moment.
 *
 *     .name.part ── write, fsync ──▶ rename to name ── fsync of the folder ──▶ durable
 *
 * Readers see the old text or the new one. `replaceFile` waits for the disk; `stageFile` does the
 * slow part beside the event loop and leaves the moment of the rename to its caller, so that an
 * older text never follows a newer one. Each has a part file of its own, made anew: nobody else's
 * file or link is ever written to.
 *
 * Source: man 2 rename, man 2 fsync ("an explicit fsync() on a file descriptor for the directory
 * is also needed").
 */
import {
  closeSync,
  constants,
  existsSync,
  fstatSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";

const OPEN_NEW = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
const MODE = 0o600;

const partOf = (file: string, suffix: string): string =>
  join(dirname(file), `.${basename(file)}.${suffix}`);

const syncFolder = (folder: string): void => {
  const fd = openSync(folder, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
};

/** A path of 4,096 bytes has no more parts. Source: PATH_MAX, linux/limits.h. */
const PARTS_MAX = 2_048;

/**
 * Makes a folder that is its owner's alone, and those above it, where there are none. Part by
 * part: node's own `recursive` never returns where the kernel answers ENOENT in a folder that is
 * there, as /proc does.
 *
 * Errors: those of node:fs.
 */
export const makeFolder = (folder: string): void => {
  const missing: string[] = [];
  let above = resolve(folder);
  while (!existsSync(above) && missing.length < PARTS_MAX) {
    missing.push(above);
    above = dirname(above);
  }
  for (const part of missing.reverse()) {
    try {
      mkdirSync(part, { mode: 0o700 });
    } catch (error) {
      // Another engine may have made it meanwhile.
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    }
  }
};

/** Replaces a file and waits until the disk has it. Errors: those of node:fs. */
export const replaceFile = (file: string, text: string | Uint8Array, mode = MODE): void => {
  const part = partOf(file, "part");
  rmSync(part, { force: true });
  const fd = openSync(part, OPEN_NEW, mode);
  try {
    try {
      writeFileSync(fd, text);
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
    renameSync(part, file);
  } catch (error) {
    rmSync(part, { force: true });
    throw error;
  }
  syncFolder(dirname(file));
};

/** A text that is on the disk and does not have its name yet. */
export interface Staged {
  /** Gives it the name now; resolves when that is durable too. Errors: those of node:fs. */
  commit(): Promise<void>;
  /** Gives it up. */
  drop(): void;
}

const syncFolderLater = async (folder: string): Promise<void> => {
  const handle = await open(folder, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
};

/** Writes a file's next text beside it; one at a time for each file. Errors: those of node:fs. */
export const stageFile = async (file: string, text: string | Uint8Array): Promise<Staged> => {
  const part = partOf(file, "next");
  const drop = (): void => rmSync(part, { force: true });
  drop();
  let handle: FileHandle | null = null;
  try {
    handle = await open(part, OPEN_NEW, MODE);
    await handle.writeFile(text);
    await handle.sync();
  } catch (error) {
    drop();
    throw error;
  } finally {
    await handle?.close();
  }
  const commit = async (): Promise<void> => {
    renameSync(part, file);
    await syncFolderLater(dirname(file));
  };
  return { commit, drop };
};

/**
 * Text of a small file that only this user and root can have written; null when there is none.
 *
 * Units: `maxBytes`; a longer file is refused.   Errors: those of node:fs; Error with a clause that
 * says what is wrong with the file.
 */
export const readOwnFile = (file: string, maxBytes: number): string | null => {
  let fd: number;
  try {
    // A pipe without a writer would block its opening.
    fd = openSync(file, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOFOLLOW);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return null;
    throw error;
  }
  try {
    const stat = fstatSync(fd);
    if (!stat.isFile()) throw new Error("it is no plain file");
    const mine = stat.uid === process.geteuid?.() || stat.uid === 0;
    if (!mine || (stat.mode & 0o022) !== 0) throw new Error("others could have written it");
    const bytes = Buffer.alloc(maxBytes + 1);
    const length = readSync(fd, bytes, 0, bytes.length, 0);
    if (length > maxBytes) throw new Error(`it is longer than ${maxBytes} bytes`);
    return bytes.toString("latin1", 0, length);
  } finally {
    closeSync(fd);
  }
};
