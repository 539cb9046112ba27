/**
 * door — a listening socket file: it follows a new name, and comes back when it is lost.
 *
 *     /run is cleared, a folder is removed ──▶ the kernel tells ──▶ bound anew; clients stay
 *
 * Nothing is looked at while nothing happens: the folder is watched. Where the kernel gives no
 * watch, or the folder is hidden by a mount, a lost file stays lost. Thread: main or control.
 */
import { existsSync, type FSWatcher, watch } from "node:fs";
import type { Server } from "node:net";
import { dirname } from "node:path";
import { EngineError } from "../../schema/errors.ts";
import { bindSocket, prepareFolder, type SocketErrors } from "./unix.ts";

/** Tuning: whoever removes a folder with what is in it is done by then. */
const AGAIN_MS = 50;
/** Each waits twice as long as the one before: 3 s in all. */
const AGAIN_MAX = 6;

/** What is done about a file that is lost. */
export type OnLost =
  /** It is told, no more. */
  | { readonly removed: () => void }
  /** It is bound anew; `failed`: it cannot be. */
  | { readonly pause: (ms: number) => Promise<void>; readonly failed: (error: Error) => void };

export interface DoorOptions {
  readonly file: string;
  readonly errors: SocketErrors;
  /** A server that does not listen yet. */
  readonly makeServer: () => Server;
  readonly onLost: OnLost;
}

export class Door {
  readonly #options: DoorOptions;
  #file: string;
  #server: Server | null = null;
  #watcher: FSWatcher | null = null;
  #closed = false;
  /** Renaming and coming back, one after the other. */
  #last: Promise<void> = Promise.resolve();

  constructor(options: DoorOptions) {
    this.#options = options;
    this.#file = options.file;
  }

  get file(): string {
    return this.#file;
  }

  /** Errors: those of the options. */
  async open(): Promise<void> {
    await this.#bind(this.#file);
  }

  /** Clients stay. Errors: those of the options; all is as before then. */
  rename(file: string): Promise<void> {
    return this.#inTurn(async () => {
      const before = this.#server;
      if (before === null || this.#closed || file === this.#file) return;
      await this.#bind(file);
      this.#file = file;
      before.close(); // removes the former file
    });
  }

  /** Takes no more clients, and removes the file; resolves when the last client is gone. */
  close(): Promise<void> {
    this.#closed = true;
    this.#watcher?.close();
    const server = this.#server;
    this.#server = null;
    return new Promise((resolve) => {
      if (server === null) resolve();
      else server.close(() => resolve());
    });
  }

  #inTurn(work: () => Promise<void>): Promise<void> {
    const done = this.#last.then(work);
    this.#last = done.catch(() => {});
    return done;
  }

  async #bind(file: string): Promise<void> {
    const { errors, makeServer } = this.#options;
    prepareFolder(dirname(file), errors);
    const server = makeServer();
    await bindSocket(server, file, errors);
    if (this.#closed) server.close();
    else {
      this.#server = server;
      this.#watch(dirname(file));
    }
  }

  #watch(folder: string): void {
    this.#watcher?.close();
    try {
      this.#watcher = watch(folder, () => this.#look());
      this.#watcher.on("error", () => {});
    } catch {
      this.#watcher = null;
    }
  }

  #look(): void {
    if (this.#closed || existsSync(this.#file)) return;
    const { onLost } = this.#options;
    if ("removed" in onLost) onLost.removed();
    else void this.#inTurn(() => this.#comeBack(onLost.pause, onLost.failed));
  }

  async #comeBack(
    pause: (ms: number) => Promise<void>,
    failed: (error: Error) => void,
  ): Promise<void> {
    let failure: EngineError | null = null;
    for (let tries = 0; tries < AGAIN_MAX; tries++) {
      await pause(AGAIN_MS * 2 ** tries);
      if (this.#closed || existsSync(this.#file)) return;
      // Before the new one: closing removes whatever has the name then.
      this.#server?.close();
      try {
        await this.#bind(this.#file);
        // It may have gone again before it was watched.
        return this.#look();
      } catch (error) {
        if (!(error instanceof EngineError)) throw error;
        failure = error;
      }
    }
    if (failure !== null) failed(failure);
  }
}
