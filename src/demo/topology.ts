/**
 * topology — the two hosts of the demo.
 *
 *   p2pvpn-demo-<pid>-a                            p2pvpn-demo-<pid>-b
 *   under  192.0.2.1/24  ──────── veth ────────    under  192.0.2.2/24
 *   p2pdemo0  10.66.0.1/24, fd66::1/64             p2pdemo1  10.66.0.2/24, fd66::2/64
 *
 * Names hold the demo's process id, so that what a crashed demo left can be told from a running
 * one and removed.
 */
import { readdirSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { inside, mustRun, runTool } from "./tools.ts";

const PREFIX = "p2pvpn-demo-";
/** Protocol: documentation addresses, RFC 5737; nobody's own. */
export const UNDER = ["192.0.2.1", "192.0.2.2"] as const;
const LINK = "under";

/** Names of the namespaces of one demo. */
export const namespaces = (pid: number): readonly [string, string] => [
  `${PREFIX}${pid}-a`,
  `${PREFIX}${pid}-b`,
];

/** Prefix of the temporary folder of one demo. */
export const folderPrefix = (pid: number): string => join(tmpdir(), `${PREFIX}${pid}-`);

const isAlive = (pid: number): boolean => {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
};

/** Process ids inside a namespace. */
const processesIn = async (namespace: string): Promise<number[]> => {
  const { output } = await runTool(["ip", "netns", "pids", namespace]);
  return output.split("\n").filter(Boolean).map(Number);
};

/** Ends what runs in a namespace and removes it; its links go with it. */
export const removeNamespace = async (namespace: string): Promise<void> => {
  for (const pid of await processesIn(namespace)) {
    try {
      process.kill(pid, "SIGKILL");
    } catch {
      // Ended by itself meanwhile.
    }
  }
  await runTool(["ip", "netns", "delete", namespace]);
};

/** The demo whose process id is in a name, when that process is gone. */
const isLeftover = (name: string): boolean => {
  const pid = new RegExp(`^${PREFIX}(\\d+)-`).exec(name)?.[1];
  return pid !== undefined && !isAlive(Number(pid));
};

/** Removes what demos left whose process is gone. Errors: EngineError TOOL_MISSING. */
export const removeLeftovers = async (): Promise<void> => {
  const { output } = await runTool(["ip", "netns", "list"]);
  const names = output.split("\n").map((line) => line.split(" ")[0] ?? "");
  for (const name of names.filter(isLeftover)) await removeNamespace(name);
  for (const entry of readdirSync(tmpdir(), { withFileTypes: true })) {
    const folder = join(tmpdir(), entry.name);
    if (!entry.isDirectory() || !isLeftover(entry.name)) continue;
    if (statSync(folder).uid === process.geteuid?.()) rmSync(folder, { recursive: true });
  }
};

const CONTROL = "/proc/sys/net/ipv4/tcp_congestion_control";
const ALLOWED = "/proc/sys/net/ipv4/tcp_allowed_congestion_control";

/** True when the namespace took cubic, which the figures of the demo are made with. */
const setCubic = async (namespace: string, signal: AbortSignal): Promise<boolean> => {
  const script = `echo cubic > ${CONTROL}`;
  const { code } = await runTool(inside(namespace, ["sh", "-c", script]), signal);
  return code === 0;
};

/** Where cubic is not allowed to namespaces, allows it for a moment; failure does no harm. */
const useCubic = async (pair: readonly string[], signal: AbortSignal): Promise<void> => {
  const done = await Promise.all(pair.map((namespace) => setCubic(namespace, signal)));
  if (done.every(Boolean)) return;
  const allow = `before=$(cat ${ALLOWED}) && echo "$before cubic" > ${ALLOWED} && echo "$before"`;
  const { code, output } = await runTool(["sh", "-c", allow], signal);
  if (code !== 0) return;
  await Promise.all(pair.map((namespace) => setCubic(namespace, signal)));
  await runTool(["sh", "-c", `echo "$1" > ${ALLOWED}`, "sh", output.trim()]);
};

/** Makes both namespaces and the cable between them. Errors: EngineError; abort. */
export const makeTopology = async (pid: number, signal: AbortSignal): Promise<void> => {
  const pair = namespaces(pid);
  const [a, b] = pair;
  for (const namespace of pair) await mustRun(["ip", "netns", "add", namespace], signal);
  const cable = ["type", "veth", "peer", "name", LINK, "netns", b];
  await mustRun(["ip", "link", "add", LINK, "netns", a, ...cable], signal);
  for (const [i, namespace] of pair.entries()) {
    const ip = (...words: string[]): Promise<string> =>
      mustRun(["ip", "-netns", namespace, ...words], signal);
    await ip("link", "set", "lo", "up");
    await ip("address", "add", `${UNDER[i]}/24`, "dev", LINK);
    await ip("link", "set", LINK, "up");
  }
  await useCubic(pair, signal);
};
