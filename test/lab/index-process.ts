/**
 * index-process — `p2pvpn-engine index` as a process, here or on a lab's host.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

const PROGRAM = fileURLToPath(new URL("../../../bin/p2pvpn-engine.js", import.meta.url));

/** Its ready line. */
export interface Ready {
  readonly node: string;
  readonly index: string;
  readonly listen: readonly string[];
  readonly networks: readonly { readonly id: string; readonly name: string }[];
  readonly data: string;
}

export class IndexProcess {
  readonly #child: ChildProcess;
  readonly ready: Ready;

  constructor(child: ChildProcess, ready: Ready) {
    this.#child = child;
    this.ready = ready;
  }

  get pid(): number {
    return this.#child.pid!;
  }

  /** Of each place where it listens. */
  get ports(): number[] {
    return this.ready.listen.map((place) => Number(place.slice(place.lastIndexOf(":") + 1)));
  }

  kill(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** Its exit code, when it has ended; null: by a signal. */
  async ended(): Promise<number | null> {
    const { exitCode, signalCode } = this.#child;
    if (exitCode === null && signalCode === null) await once(this.#child, "exit");
    return this.#child.exitCode;
  }

  /** Its exit code; also of one that ended before. */
  stop(): Promise<number | null> {
    this.#child.kill("SIGTERM");
    return this.ended();
  }
}

/**
 * Resolves when it is ready. `before`: words in front of the program's, such as a namespace's.
 * Errors: Error, "CODE: what it said", when it ends before.
 */
export const startIndex = (
  words: readonly string[],
  before: readonly string[] = [],
): Promise<IndexProcess> =>
  new Promise((resolve, reject) => {
    const [command = "", ...rest] = [...before, PROGRAM, "index", "--json", ...words];
    const child = spawn(command, rest, { stdio: ["ignore", "pipe", "pipe"] });
    let [said, wrong] = ["", ""];
    child.stderr.on("data", (text: Buffer) => {
      if (wrong.length < 10_000) wrong += text;
    });
    child.once("exit", (code) => reject(new Error(`${code}: ${wrong}`)));
    child.stdout.on("data", (text: Buffer) => {
      said += text;
      try {
        resolve(new IndexProcess(child, JSON.parse(said) as Ready));
      } catch {
        // More of it comes.
      }
    });
  });
