/**
 * folder — what an index node has on disk: its identity, and of each network the definition, the
 * list and the records, each a file that is replaced whole or not at all.
 *
 *     DIR/index.key                   made at the first start, its owner's alone
 *     DIR/<network id>/definition     at once
 *     DIR/<network id>/list           at once
 *     DIR/<network id>/records        each minute and at the end, when it changed
 *     DIR/status.json                 each minute and at the end
 *     DIR/process                     of which process it all is
 */
import { accessSync, constants, existsSync } from "node:fs";
import { join } from "node:path";
import { formatNetworkId } from "../members/sign.ts";
import { makeFolder, readOwnFile, replaceFile, stageFile } from "../schema/atomic-file.ts";
import { EngineError } from "../schema/errors.ts";
import { loadSigner, makeIdentity, type Signer, writeSecret } from "../schema/identity.ts";
import { errnoText } from "../schema/new-file.ts";
import { takeLock } from "../schema/pid-lock.ts";

const IDENTITY = "index.key";
const STATUS = "status.json";
const PROCESS = "process";
/** Tuning: 65,536 members with the longest pairs. */
const FILE_BYTES_MAX = 64 * 1_048_576;

export type FileName = "definition" | "list" | "records";

export class Folder {
  readonly #path: string;
  readonly #onFailed: (file: string, reason: string) => void;
  /** Files that are written beside the event loop now. */
  readonly #under = new Set<string>();

  /** Makes it, and takes it. Errors: EngineError FILE_UNWRITABLE, INDEX_RUNNING. */
  constructor(path: string, onFailed: (file: string, reason: string) => void) {
    this.#path = path;
    this.#onFailed = onFailed;
    this.#make(path);
    this.#take();
  }

  /** Until this process ends. */
  #take(): void {
    const file = join(this.#path, PROCESS);
    try {
      const lock = takeLock(file);
      if ("release" in lock) {
        process.once("exit", lock.release);
        return;
      }
      throw new EngineError("INDEX_RUNNING", { folder: this.#path, pid: lock.heldBy });
    } catch (cause) {
      if (cause instanceof EngineError) throw cause;
      throw new EngineError("FILE_UNWRITABLE", { file, reason: errnoText(cause), cause });
    }
  }

  #make(path: string): void {
    try {
      makeFolder(path);
      // One that is there may be another user's, or no folder.
      accessSync(`${path}/.`, constants.W_OK | constants.X_OK);
    } catch (cause) {
      const reason = errnoText(cause);
      throw new EngineError("FILE_UNWRITABLE", { file: path, reason, cause });
    }
  }

  /** The index node's own; made at the first start. Errors: EngineError, as `loadSigner`. */
  identity(): { readonly signer: Signer; readonly isNew: boolean } {
    const file = join(this.#path, IDENTITY);
    const isNew = !existsSync(file);
    if (isNew) writeSecret(file, makeIdentity().text);
    return { signer: loadSigner(file), isNew };
  }

  /** Makes a network's folder. Errors: EngineError FILE_UNWRITABLE. */
  prepare(networkId: Uint8Array): void {
    this.#make(join(this.#path, formatNetworkId(networkId)));
  }

  #fileOf(networkId: Uint8Array, name: FileName): string {
    return join(this.#path, formatNetworkId(networkId), name);
  }

  /** Null: there is none, or it cannot be read, which is said. */
  read(networkId: Uint8Array, name: FileName): Uint8Array | null {
    const file = this.#fileOf(networkId, name);
    try {
      const text = readOwnFile(file, FILE_BYTES_MAX);
      return text === null ? null : Uint8Array.from(Buffer.from(text, "latin1"));
    } catch (error) {
      this.#onFailed(file, (error as Error).message);
      return null;
    }
  }

  /** On the disk when it returns. False: it is not, which is said. */
  write(networkId: Uint8Array, name: FileName, bytes: Uint8Array): boolean {
    return this.#replace(this.#fileOf(networkId, name), bytes);
  }

  /** Beside the event loop. False: it failed, which is said, or a former one is under way. */
  async writeLater(networkId: Uint8Array, name: FileName, bytes: Uint8Array): Promise<boolean> {
    const file = this.#fileOf(networkId, name);
    if (this.#under.has(file)) return false;
    this.#under.add(file);
    try {
      await (await stageFile(file, bytes)).commit();
      return true;
    } catch (error) {
      this.#onFailed(file, errnoText(error));
      return false;
    } finally {
      this.#under.delete(file);
    }
  }

  writeStatus(value: unknown): void {
    this.#replace(join(this.#path, STATUS), `${JSON.stringify(value, null, 2)}\n`);
  }

  #replace(file: string, content: Uint8Array | string): boolean {
    try {
      replaceFile(file, content);
      return true;
    } catch (error) {
      this.#onFailed(file, errnoText(error));
      return false;
    }
  }
}
