/**
 * topology — the four hosts of the demo: an index node, and three members, on one switch.
 *
 *        a 192.0.2.1 ──┐                 ┌── c 192.0.2.3
 *                      ├── switch in i ──┤
 *        b 192.0.2.2 ──┘                 └── i 192.0.2.4, the index node
 *
 * Names hold the demo's process id, so that what a crashed demo left can be told from a running
 * one and removed.
 */
import { readdirSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { inside, mustRun, runTool } from "./tools.ts";

const PREFIX = "p2pvpn-demo-";
const LINK = "under";
const SWITCH = "switch";

/** Hosts of the demo, members first. */
export const MEMBERS = ["a", "b", "c"] as const;
export const INDEX = "i";
const HOSTS = [...MEMBERS, INDEX] as const;
export type HostName = (typeof HOSTS)[number];
export type MemberName = (typeof MEMBERS)[number];

/** Where a host is on the switch. Protocol: documentation addresses, RFC 5737; nobody's own. */
export const under = (host: HostName): string => `192.0.2.${HOSTS.indexOf(host) + 1}`;

/** The namespace of a host of the demo with this process id. */
export const namespaceOf = (pid: number, host: HostName): string => `${PREFIX}${pid}-${host}`;

/** All namespaces of one demo. */
export const namespaces = (pid: number): readonly string[] =>
  HOSTS.map((host) => namespaceOf(pid, host));

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
const useCubic = async (all: readonly string[], signal: AbortSignal): Promise<void> => {
  const done = await Promise.all(all.map((namespace) => setCubic(namespace, signal)));
  if (done.every(Boolean)) return;
  const allow = `before=$(cat ${ALLOWED}) && echo "$before cubic" > ${ALLOWED} && echo "$before"`;
  const { code, output } = await runTool(["sh", "-c", allow], signal);
  if (code !== 0) return;
  await Promise.all(all.map((namespace) => setCubic(namespace, signal)));
  await runTool(["sh", "-c", `echo "$1" > ${ALLOWED}`, "sh", output.trim()]);
};

/** Makes the namespaces and the switch between them. Errors: EngineError; abort. */
export const makeTopology = async (pid: number, signal: AbortSignal): Promise<void> => {
  const index = namespaceOf(pid, INDEX);
  const ip = (namespace: string, ...words: string[]): Promise<string> =>
    mustRun(["ip", "-netns", namespace, ...words], signal);
  for (const namespace of namespaces(pid)) {
    await mustRun(["ip", "netns", "add", namespace], signal);
    await ip(namespace, "link", "set", "lo", "up");
  }
  await ip(index, "link", "add", SWITCH, "type", "bridge", "forward_delay", "0");
  await ip(index, "address", "add", `${under(INDEX)}/24`, "dev", SWITCH);
  await ip(index, "link", "set", SWITCH, "up");
  for (const member of MEMBERS) {
    const namespace = namespaceOf(pid, member);
    const cable = ["type", "veth", "peer", "name", member, "netns", index];
    await ip(namespace, "link", "add", LINK, ...cable);
    await ip(index, "link", "set", "dev", member, "master", SWITCH, "up");
    await ip(namespace, "address", "add", `${under(member)}/24`, "dev", LINK);
    await ip(namespace, "link", "set", LINK, "up");
  }
  await useCubic(namespaces(pid), signal);
};
