/**
 * network-files — what the network keeps on disk: small files in a folder of its own, each replaced
 * whole or not at all.
 *
 * What may not be lost (revocations, secrets, our own sequence) is on the disk when `write`
 * returns. The rest is written beside the event loop, one at a time for each file; of several that
 * wait the last counts, and what fails is tried again. Thread: control.
 */
import { dirname, join } from "node:path";
import type { Say } from "../log.ts";
import { makeFolder, readOwnFile, replaceFile, stageFile } from "../schema/atomic-file.ts";
import type { Store } from "./network/world.ts";
import { later } from "./timer.ts";

/** Tuning: ten thousand members are under 10 MB. */
const FILE_BYTES_MAX = 32 * 1_048_576;
/** Tuning: a full disk may have room again after so long. */
const AGAIN_MS = 60_000;

/** Files of a network; `folder` null: nothing outlives the process. */
export class NetworkFiles implements Store {
  readonly #folder: string | null;
  readonly #say: Say;
  readonly #againMs: number;
  readonly #kept = new Map<string, Uint8Array>();
  /** By name: what is to be written next; null: nothing waits behind what is under way. */
  readonly #under = new Map<string, Uint8Array | null>();

  constructor(folder: string | null, say: Say, againMs = AGAIN_MS) {
    this.#folder = folder;
    this.#say = say;
    this.#againMs = againMs;
  }

  read(name: string): Uint8Array | null {
    if (this.#folder === null) return this.#kept.get(name) ?? null;
    const file = join(this.#folder, name);
    try {
      const text = readOwnFile(file, FILE_BYTES_MAX);
      return text === null ? null : Uint8Array.from(Buffer.from(text, "latin1"));
    } catch (error) {
      this.#failed("a file of the network cannot be read, and is left out", file, error);
      return null;
    }
  }

  write(name: string, bytes: Uint8Array, durable: boolean): boolean {
    if (this.#folder === null) {
      this.#kept.set(name, bytes.slice());
      return true;
    }
    const file = join(this.#folder, name);
    try {
      if (durable) {
        // Somebody may have taken it away since.
        makeFolder(this.#folder);
        replaceFile(file, bytes);
        // What is under way is older, and would come after.
        if (this.#under.has(name)) this.#under.set(name, bytes.slice());
      } else this.#later(name, file, bytes.slice());
      return true;
    } catch (error) {
      this.#failed("a file of the network cannot be written", file, error);
      return false;
    }
  }

  #later(name: string, file: string, bytes: Uint8Array): void {
    if (this.#under.has(name)) {
      this.#under.set(name, bytes);
      return;
    }
    this.#under.set(name, null);
    void this.#stage(file, bytes)
      .catch(async (error: Error) => {
        this.#failed("a file of the network cannot be written", file, error);
        await new Promise<void>((resolve) => later(this.#againMs, resolve));
        if (this.#under.get(name) === null) this.#under.set(name, bytes);
      })
      .then(() => {
        const next = this.#under.get(name) ?? null;
        this.#under.delete(name);
        if (next !== null) this.#later(name, file, next);
      });
  }

  async #stage(file: string, bytes: Uint8Array): Promise<void> {
    makeFolder(dirname(file));
    const staged = await stageFile(file, bytes);
    await staged.commit();
  }

  #failed(text: string, file: string, error: unknown): void {
    this.#say("warn", text, { file, reason: (error as Error).message });
  }
}
