/**
 * unix — a listening Unix socket that nobody else can connect to.
 *
 *   1. make the folder, 0700, ours                 prepareFolder
 *   2. bind; replace what a dead program left      bindSocket
 */
import { chmodSync, lstatSync, unlinkSync } from "node:fs";
import { connect, type Server } from "node:net";
import { makeFolder } from "../../schema/atomic-file.ts";
import { EngineError } from "../../schema/errors.ts";

/** How a socket says what is wrong with it. */
export interface SocketErrors {
  /** A program that runs has it. */
  readonly taken: (file: string) => EngineError;
  readonly failed: (file: string, reason: string, cause: unknown) => EngineError;
}

/** Code of the system's error, or the message of ours. */
export const errorText = (error: unknown): string =>
  (error as NodeJS.ErrnoException).code ?? (error as Error).message;

/** What is wrong with the folder after making it, or null. */
const folderProblem = (folder: string): string | null => {
  makeFolder(folder);
  const stat = lstatSync(folder);
  if (!stat.isDirectory()) return "it is no folder";
  if (stat.uid !== process.geteuid?.()) return "the folder belongs to another user";
  if ((stat.mode & 0o777) !== 0o700) chmodSync(folder, 0o700);
  return null;
};

/** Makes the folder ours alone; what is in it stays as it is. Errors: `failed`. */
export const prepareFolder = (folder: string, errors: SocketErrors): void => {
  let reason: string | null;
  let cause: unknown;
  try {
    reason = folderProblem(folder);
  } catch (error) {
    reason = errorText(error);
    cause = error;
  }
  if (reason !== null) throw errors.failed(folder, reason, cause);
};

/** Longer ones are cut without an error. Source: unix(7), sun_path, with its final 0. */
const PATH_BYTES_MAX = 107;

/** Binds under umask 177. A worker thread may not set it; there the folder has to do. */
const listenPrivately = (server: Server, file: string): void => {
  let previous: number | undefined;
  try {
    previous = process.umask(0o177);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ERR_WORKER_UNSUPPORTED_OPERATION") throw error;
  }
  server.listen(file);
  if (previous !== undefined) process.umask(previous);
};

const listen = (server: Server, file: string): Promise<void> =>
  new Promise((resolve, reject) => {
    server.once("error", reject);
    server.once("listening", () => {
      server.removeListener("error", reject);
      resolve();
    });
    listenPrivately(server, file);
  });

/** True when somebody answers on the socket file. */
export const isAlive = (file: string): Promise<boolean> =>
  new Promise((resolve) => {
    const probe = connect(file);
    const end = (alive: boolean): void => {
      probe.destroy();
      resolve(alive);
    };
    probe.once("connect", () => end(true));
    probe.once("error", (error: NodeJS.ErrnoException) => end(error.code === "EAGAIN"));
  });

/**
 * Binds a server to a file in a folder that `prepareFolder` made.
 *
 * Thread: main or control.   Errors: `taken`, `failed`.
 */
export const bindSocket = async (
  server: Server,
  file: string,
  errors: SocketErrors,
): Promise<void> => {
  if (Buffer.byteLength(file) > PATH_BYTES_MAX) {
    throw errors.failed(file, `longer than ${PATH_BYTES_MAX} bytes`, undefined);
  }
  try {
    await listen(server, file).catch(async (error: NodeJS.ErrnoException) => {
      if (error.code !== "EADDRINUSE") throw error;
      if (await isAlive(file)) throw errors.taken(file);
      if (!lstatSync(file).isSocket()) throw error;
      unlinkSync(file);
      await listen(server, file);
    });
    chmodSync(file, 0o600);
  } catch (error) {
    server.close();
    if (error instanceof EngineError) throw error;
    throw errors.failed(file, errorText(error), error);
  }
  server.on("error", () => {});
};
