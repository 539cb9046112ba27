/**
 * machine — what a figure was measured on: processor, kernel, versions, commit.
 */
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { availableParallelism, cpus, release, totalmem } from "node:os";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";

export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryGiB: number;
  readonly kernel: string;
  readonly system: string;
  readonly node: string;
  readonly iperf3: string;
  readonly version: string;
  /** With "+" when files differ from it. */
  readonly commit: string;
}

const here = dirname(fileURLToPath(import.meta.url));

const lineOf = (tool: string, ...words: string[]): string => {
  const { stdout, stderr } = spawnSync(tool, words, { encoding: "utf8", cwd: here });
  return (stdout || stderr || "").trim().split("\n")[0] ?? "";
};

const commit = (): string => {
  const id = lineOf("git", "rev-parse", "--short", "HEAD");
  if (!/^[0-9a-f]+$/.test(id)) return "unknown";
  const sources = [":/", ":(top,exclude)bench/results"];
  return lineOf("git", "status", "--porcelain", "--", ...sources) === "" ? id : `${id}+`;
};

/** package.json lies above test/, or one folder further up when this is built. */
const version = (): string => {
  for (const place of ["../../package.json", "../../../package.json"]) {
    try {
      const text = readFileSync(new URL(place, import.meta.url), "utf8");
      return (JSON.parse(text) as { version: string }).version;
    } catch {
      // Looked for in the next place.
    }
  }
  return "unknown";
};

const system = (): string => {
  try {
    const text = readFileSync("/etc/os-release", "utf8");
    return /^PRETTY_NAME="?([^"\n]*)/m.exec(text)?.[1] ?? "unknown";
  } catch {
    return "unknown";
  }
};

/** `node`: the binary that ours runs under. */
export const describeMachine = (node: string): Machine => ({
  cpu: cpus()[0]?.model.trim() ?? "unknown",
  cores: availableParallelism(),
  memoryGiB: Math.round(totalmem() / 2 ** 30),
  kernel: release(),
  system: system(),
  node: lineOf(node, "--version"),
  iperf3: /iperf (\S+)/.exec(lineOf("iperf3", "--version"))?.[1] ?? "unknown",
  version: version(),
  commit: commit(),
});
