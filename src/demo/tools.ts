/**
 * tools — runs `ip`, `ping` and our own scripts for the demo.
 *
 * Children get a session of their own, so that Ctrl-C reaches the demo alone, which then ends them
 * in order.
 */
import { type ChildProcess, type SpawnOptions, spawn } from "node:child_process";
import { EngineError } from "../schema/errors.ts";

/** Tuning: output beyond this is not of interest. */
const OUTPUT_CHARACTERS = 262_144;

/** Debian packages of the programs that are called. */
const PACKAGES: Readonly<Record<string, string>> = { ip: "iproute2", ping: "iputils-ping" };

const missing = (tool: string): EngineError =>
  new EngineError("TOOL_MISSING", { tool, packages: PACKAGES[tool] ?? tool });

/** Starts a program. The `error` event has to be heard by the caller. */
export const startTool = (
  words: readonly string[],
  options: Pick<SpawnOptions, "env" | "signal"> = {},
): ChildProcess => {
  const [tool = "", ...rest] = words;
  return spawn(tool, rest, { detached: true, stdio: ["ignore", "pipe", "pipe"], ...options });
};

export interface ToolResult {
  readonly code: number | null;
  readonly output: string;
  readonly errors: string;
}

/** Runs a program to its end, whatever its exit code. Errors: EngineError TOOL_MISSING; abort. */
export const runTool = (words: readonly string[], signal?: AbortSignal): Promise<ToolResult> =>
  new Promise((resolve, reject) => {
    const child = startTool(words, signal === undefined ? {} : { signal });
    let output = "";
    let errors = "";
    child.stdout?.on("data", (text: Buffer) => {
      output = (output + text.toString()).slice(-OUTPUT_CHARACTERS);
    });
    child.stderr?.on("data", (text: Buffer) => {
      errors = (errors + text.toString()).slice(-OUTPUT_CHARACTERS);
    });
    child.once("error", (error: NodeJS.ErrnoException) => {
      reject(error.code === "ENOENT" ? missing(words[0] ?? "") : error);
    });
    child.once("close", (code) => resolve({ code, output, errors }));
  });

/** Runs a program that has to succeed. Errors: EngineError TOOL_MISSING, DEMO_FAILED; abort. */
export const mustRun = async (words: readonly string[], signal?: AbortSignal): Promise<string> => {
  const { code, output, errors } = await runTool(words, signal);
  if (code === 0) return output;
  const [line = ""] = errors.trim().split("\n");
  throw new EngineError("DEMO_FAILED", { reason: `\`${words.join(" ")}\`: ${line || code}` });
};

/** True when the program is there. */
export const hasTool = async (tool: string, flag: string): Promise<boolean> => {
  try {
    await runTool([tool, flag]);
    return true;
  } catch (error) {
    if (error instanceof EngineError) return false;
    throw error;
  }
};

/** Words that run a program inside a network namespace. */
export const inside = (namespace: string, words: readonly string[]): string[] => [
  "ip",
  "netns",
  "exec",
  namespace,
  ...words,
];
