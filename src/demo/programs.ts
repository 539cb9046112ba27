/**
 * programs — starts and ends the programs of the demo in their namespaces: engines and index node.
 */
import type { ChildProcess } from "node:child_process";
import { EngineError } from "../schema/errors.ts";
import { inside, mustRun, startTool } from "./tools.ts";

/** Tuning: each is up in well under a second on an idle machine. */
const UP_MS = 20_000;
const STOP_MS = 5_000;
/** Tuning: output beyond this is not of interest. */
const OUTPUT_CHARACTERS = 4_096;

/** This command line. */
const CLI = [process.execPath, process.argv[1]!] as const;

/** Runs a command of ours to its end, in no namespace. Errors: EngineError; abort. */
export const runCommand = (words: readonly string[], signal: AbortSignal): Promise<string> =>
  mustRun([...CLI, ...words], signal);

/** Starts a command of ours in a namespace. */
export const startCommand = (
  namespace: string,
  words: readonly string[],
  runFolder: string,
): ChildProcess => {
  const env = { ...process.env, P2PVPN_RUN_DIR: runFolder };
  return startTool(inside(namespace, [...CLI, ...words]), { env });
};

/**
 * Waits until a program says that it is up: prints `ready`. `name`: for what went wrong.
 * Errors: EngineError DEMO_FAILED, TOOL_MISSING; abort.
 */
export const isUp = (
  program: ChildProcess,
  name: string,
  ready: string,
  signal: AbortSignal,
): Promise<void> =>
  new Promise((resolve, reject) => {
    let output = "";
    let errors = "";
    const fail = (reason: string): void => {
      clearTimeout(timer);
      reject(new EngineError("DEMO_FAILED", { reason: `${name}: ${reason}` }));
    };
    const timer = setTimeout(() => fail(`not up in ${UP_MS / 1_000} seconds`), UP_MS);
    signal.addEventListener("abort", () => fail("interrupted"), { once: true });
    program.stdout?.on("data", (text: Buffer) => {
      output = (output + text.toString()).slice(-OUTPUT_CHARACTERS);
      if (!output.includes(ready)) return;
      clearTimeout(timer);
      resolve();
    });
    program.stderr?.on("data", (text: Buffer) => {
      errors = (errors + text.toString()).slice(-OUTPUT_CHARACTERS);
    });
    program.once("error", (error) => fail(error.message));
    program.once("close", (code) => {
      const line = errors.trim().split("\n").at(-1) ?? "";
      fail(line.replace(/^p2pvpn-engine: (.*?)\.?$/, "$1") || `it ended with exit code ${code}`);
    });
  });

const hasEnded = ({ exitCode, signalCode, pid }: ChildProcess): boolean =>
  exitCode !== null || signalCode !== null || pid === undefined;

/** Asks a program to stop, and ends it when it does not. */
export const endProgram = (program: ChildProcess): Promise<void> =>
  new Promise((resolve) => {
    if (hasEnded(program)) return resolve();
    const timer = setTimeout(() => program.kill("SIGKILL"), STOP_MS);
    program.once("exit", () => {
      clearTimeout(timer);
      resolve();
    });
    program.kill("SIGTERM");
  });

/** Kills a program, which has no time to say goodbye. */
export const killProgram = (program: ChildProcess): Promise<void> =>
  new Promise((resolve) => {
    if (hasEnded(program)) return resolve();
    program.once("exit", () => resolve());
    program.kill("SIGKILL");
  });
