/**
 * lab — two hosts and a cable, made of network namespaces, for benchmarks and tests.
 *
 *   p2pvpn-bench-<pid>-a                                 p2pvpn-bench-<pid>-b
 *   under  192.0.2.1/24, 2001:db8::1/64  ──── veth ────  under  192.0.2.2/24, 2001:db8::2/64
 *   tunnel 10.66.0.1/24, fd66::1/64                      tunnel 10.66.0.2/24, fd66::2/64
 *
 * Names hold the process id, so that what a crashed program left can be told from a running one.
 * Clean-up is synchronous and hangs on the process's exit: it happens after errors and Ctrl-C too.
 */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import {
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { constants, tmpdir } from "node:os";
import { basename, join } from "node:path";
import { inside, runTool, type ToolResult } from "../../src/demo/tools.ts";
import { useCubic } from "./cubic.ts";

/** Protocol: documentation addresses (RFC 5737, RFC 3849) under, private ones in the tunnel. */
// biome-ignore format: a table
const ADDRESSES = {
  a: { under4: "192.0.2.1", under6: "2001:db8::1", inner4: "10.66.0.1", inner6: "fd66::1" },
  b: { under4: "192.0.2.2", under6: "2001:db8::2", inner4: "10.66.0.2", inner6: "fd66::2" },
  s: { under4: "192.0.2.3", under6: "2001:db8::3", inner4: "10.66.0.3", inner6: "fd66::3" },
  x: { under4: "192.0.2.4", under6: "2001:db8::4", inner4: "10.66.0.4", inner6: "fd66::4" },
} as const;

export const PREFIX = "p2pvpn-bench-";
/** Name of both ends of the cable. */
export const LINK = "under";
/** What lies here in a folder of a namespace's name replaces /etc's. Source: ip-netns(8). */
const NETNS_ETC = "/etc/netns";
const NETNS_NAMES = "/var/run/netns";
/** Where wireguard-go puts its socket, by interface name: not part of a namespace. */
const WIREGUARD_SOCKETS = "/var/run/wireguard";
/** Tuning: a program that was asked to end gets this long. */
const STOP_MS = 5_000;

/** Debian packages of the programs that labs call. */
const PACKAGES: Readonly<Record<string, string>> = {
  ip: "iproute2",
  ping: "iputils-ping",
  iperf3: "iperf3",
  ethtool: "ethtool",
  dumpcap: "tshark",
  tshark: "tshark",
  wg: "wireguard-tools",
  "wg-quick": "wireguard-tools",
  nft: "nftables",
  "wireguard-go": "wireguard-go",
};

/** What a lab cannot do; one sentence. */
export class LabError extends Error {
  override readonly name = "LabError";
  readonly exitCode: number = 1;
}

export interface Host {
  readonly name: keyof typeof ADDRESSES;
  readonly namespace: string;
  readonly under4: string;
  readonly under6: string;
  readonly inner4: string;
  readonly inner6: string;
}

/** An end of the tunnel that is measured. */
export type Peer = Host & { readonly name: "a" | "b" };

/** A network namespace, of a host or of what is between hosts. */
export interface Place {
  readonly namespace: string;
}

export interface LabOptions {
  /** What crosses the cable is, as by a network card, segmented and merged (false) or only cut. */
  readonly offloads?: boolean | "none";
}

/** Name of a namespace of this process; `who` is one letter. */
export const namespaceOf = (who: Host["name"] | "r" | "w", pid = process.pid): string =>
  `${PREFIX}${pid}-${who}`;

export const hostOf = <Name extends Host["name"]>(name: Name, pid: number) => ({
  name,
  namespace: namespaceOf(name, pid),
  ...ADDRESSES[name],
});

/** Runs a program to its end, now. */
const runNow = (...words: string[]): string => {
  const [tool = "", ...rest] = words;
  return spawnSync(tool, rest, { encoding: "utf8" }).stdout ?? "";
};

export const isAlive = (pid: number): boolean => {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
};

/** Ends what runs in a namespace and removes it; links and devices go with it. */
const removeNamespace = (namespace: string): void => {
  for (const pid of runNow("ip", "netns", "pids", namespace).split("\n").filter(Boolean)) {
    try {
      process.kill(Number(pid), "SIGKILL");
    } catch {
      // Ended by itself meanwhile.
    }
  }
  runNow("ip", "netns", "delete", namespace);
};

const entriesOf = (folder: string): string[] => {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
};

const removeOwned = (path: string): void => {
  if (statSync(path, { throwIfNoEntry: false })?.uid !== process.geteuid?.()) return;
  try {
    rmSync(path, { recursive: true, force: true });
  } catch {
    // Another lab removes it too, or something that a dead run left still writes there.
  }
};

/** Name of wireguard-go's interface: unique on the machine, since its socket's name is. */
export const wireguardName = (host: Host): string => `pb${process.pid}${host.name}`;

/** Lies in a NETNS_ETC that a lab made: the last one that leaves removes it. */
const MADE = join(NETNS_ETC, `.${PREFIX}made`);
/** Another lab may come between the two. */
const REMOVE_ETC = `rm -f ${MADE} && rmdir ${NETNS_ETC} || : > ${MADE}`;

/** Removes what the processes that `gone` names have left: namespaces, folders, sockets. */
export const removeOf = (gone: (pid: number) => boolean): void => {
  const pidIn = (name: string, pattern: RegExp): number => Number(pattern.exec(name)?.[1] ?? 0);
  const sweep = (names: string[], pattern: RegExp, remove: (name: string) => void): void => {
    for (const name of names) {
      const pid = pidIn(name, pattern);
      if (pid > 0 && gone(pid)) remove(name);
    }
  };
  sweep(entriesOf(NETNS_NAMES), new RegExp(`^${PREFIX}(\\d+)-([abcrswx]|m\\d+)$`), removeNamespace);
  sweep(entriesOf(NETNS_ETC), new RegExp(`^${PREFIX}(\\d+)-([abs]|m\\d+)$`), (name) =>
    removeOwned(join(NETNS_ETC, name)),
  );
  if (entriesOf(NETNS_ETC).join() === basename(MADE)) runNow("sh", "-c", REMOVE_ETC);
  sweep(entriesOf(tmpdir()), new RegExp(`^${PREFIX}(\\d+)-`), (name) =>
    removeOwned(join(tmpdir(), name)),
  );
  sweep(entriesOf(WIREGUARD_SOCKETS), /^(?:pb|p2p)(\d+)([abcsx]|m\d+)\.sock$/, (name) =>
    removeOwned(join(WIREGUARD_SOCKETS, name)),
  );
};

/**
 * Writes a file of /etc as programs on a host see it that start from now on; those that run see new
 * contents of a file that was there when they started.
 */
export const writeEtc = (host: Place, name: string, text: string): void => {
  const folder = join(NETNS_ETC, host.namespace);
  const made = mkdirSync(folder, { recursive: true, mode: 0o755 });
  if (made === NETNS_ETC) writeFileSync(MADE, "");
  // In place: the file itself is mounted over /etc's.
  writeFileSync(join(folder, name), text, { mode: 0o644 });
};

/** Two hosts and a cable. One at a time in a process. */
export class Lab {
  readonly a: Peer;
  readonly b: Peer;
  /** For keys, configurations and sockets; 0700. */
  readonly folder: string;
  /** The kernel took cubic; figures of other algorithms cannot be compared. */
  readonly cubic: boolean;

  protected constructor(folder: string, cubic: boolean) {
    this.a = hostOf("a", process.pid);
    this.b = hostOf("b", process.pid);
    this.folder = folder;
    this.cubic = cubic;
  }

  /** Makes it. Thread: main.   Errors: LabError, EngineError TOOL_MISSING. */
  static async make({ offloads = true }: LabOptions = {}): Promise<Lab> {
    if (process.geteuid?.() !== 0) throw new LabError("This needs root; run it with sudo.");
    removeOf((pid) => !isAlive(pid));
    cleanUpAtExit();
    const hosts = [hostOf("a", process.pid), hostOf("b", process.pid)] as const;
    const folder = mkdtempSync(join(tmpdir(), `${PREFIX}${process.pid}-`));
    mkdirSync(join(folder, "run"), { mode: 0o700 });
    for (const { namespace } of hosts) await must(["ip", "netns", "add", namespace]);
    const [a, b] = hosts;
    const cable = ["type", "veth", "peer", "name", LINK, "netns", b.namespace];
    await must(["ip", "link", "add", LINK, "netns", a.namespace, ...cable]);
    for (const { namespace, under4, under6 } of hosts) {
      const ip = (...words: string[]) => must(["ip", "-netns", namespace, ...words]);
      await ip("link", "set", "lo", "up");
      await ip("address", "add", `${under4}/24`, "dev", LINK);
      await ip("address", "add", `${under6}/64`, "dev", LINK, "nodad");
      await ip("link", "set", LINK, "up");
      if (offloads === true) continue;
      const gro = offloads === "none" ? "off" : "on";
      await must(inside(namespace, ["ethtool", "-K", LINK, ...WIRE, "gro", gro]));
    }
    return new Lab(folder, await useCubic(hosts));
  }

  /** The other one. */
  peerOf(host: Host): Peer {
    return host.name === "a" ? this.b : this.a;
  }

  /** Runs a program on a host to its end, whatever its exit code. */
  run(host: Place, words: readonly string[]): Promise<ToolResult> {
    return runTool(inside(host.namespace, words));
  }

  /** Runs a program on a host that has to succeed. Errors: LabError, EngineError TOOL_MISSING. */
  must(host: Place, words: readonly string[]): Promise<string> {
    return must(inside(host.namespace, words));
  }

  /** Process ids of what runs on a host. */
  async programs(host: Host): Promise<number[]> {
    const list = await must(["ip", "netns", "pids", host.namespace]);
    return list.split("\n").filter(Boolean).map(Number);
  }

  /** Starts a program on a host; it ends with the lab. `ipc`: with a channel for messages. */
  start(host: Place, words: readonly string[], options: { readonly ipc?: boolean } = {}): Program {
    const env = {
      P2PVPN_RUN_DIR: this.runFolder,
      P2PVPN_STATE_DIR: join(this.folder, "state"),
      LOG_LEVEL: "error",
    };
    return spawnInside(host.namespace, words, env, options.ipc);
  }

  /** Where the control sockets of our engines lie. */
  get runFolder(): string {
    return join(this.folder, "run");
  }

  /** Ends all programs and removes all. */
  remove(): void {
    removeOf((pid) => pid === process.pid);
  }
}

/** What makes a veth segment like a network card. Source: measured with `ethtool -K`. */
export const WIRE = ["tso", "off", "gso", "off", "tx-udp-segmentation", "off"] as const;

export const must = async (words: readonly string[]): Promise<string> => {
  const { code, output, errors } = await runTool(words);
  if (code === 0) return output;
  const line = errors.trim().split("\n")[0] || output.trim().split("\n").at(-1) || `code ${code}`;
  throw new LabError(`\`${words.join(" ")}\` failed: ${line}`);
};

let watching = false;

/** Removes the lab of this process whenever and however it ends, but by SIGKILL. */
export const cleanUpAtExit = (): void => {
  if (watching) return;
  watching = true;
  process.once("exit", () => removeOf((pid) => pid === process.pid));
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    process.once(signal, () => process.exit(128 + constants.signals[signal]));
  }
  // Nobody reads on: `| head`.
  for (const stream of [process.stdout, process.stderr]) {
    stream.on("error", () => process.exit(128 + constants.signals.SIGPIPE));
  }
};

/** A program on a host. */
export class Program {
  readonly child: ChildProcess;
  /** Exit code, or the signal's name. */
  readonly ended: Promise<number | string>;
  output = "";
  errors = "";

  constructor(child: ChildProcess) {
    this.child = child;
    child.stdout?.on("data", (text: Buffer) => {
      this.output += text.toString();
    });
    child.stderr?.on("data", (text: Buffer) => {
      this.errors += text.toString();
    });
    this.ended = new Promise((resolve) => {
      child.once("error", (error) => resolve(error.message));
      child.once("close", (code, signal) => resolve(code ?? signal ?? "unknown"));
    });
  }

  /** Process id. `ip netns exec` becomes the program, so it is the program's own. */
  get pid(): number {
    return this.child.pid ?? 0;
  }

  /** Waits until the output holds a text. Errors: LabError when it ends or takes too long. */
  async says(text: string, waitMs = 20_000): Promise<void> {
    const stop = new AbortController();
    const seen = new Promise<void>((resolve) => {
      const look = (): void => {
        if (this.output.includes(text)) resolve();
      };
      this.child.stdout?.on("data", look);
      look();
    });
    const late = new Promise<string>((resolve) => {
      const timer = setTimeout(() => resolve("it took too long"), waitMs);
      stop.signal.addEventListener("abort", () => clearTimeout(timer));
    });
    const end = this.ended.then((code) => `it ended with ${code}: ${this.errors.trim()}`);
    const why = await Promise.race([seen, late, end]);
    stop.abort();
    if (typeof why !== "string" || this.output.includes(text)) return;
    throw new LabError(`A program did not say "${text}": ${why}`);
  }

  /** Asks it to end; LabError when it has to be killed. */
  async stop(): Promise<number | string> {
    if (this.child.exitCode === null && this.child.signalCode === null) this.child.kill("SIGTERM");
    let killed = false;
    const timer = setTimeout(() => {
      killed = this.child.kill("SIGKILL");
    }, STOP_MS);
    const code = await this.ended;
    clearTimeout(timer);
    if (killed) throw new LabError(`A program did not end in ${STOP_MS} ms: ${this.errors.trim()}`);
    return code;
  }
}

/** Starts a program in a namespace, with more of an environment; it ends with the namespace. */
export const spawnInside = (
  namespace: string,
  words: readonly string[],
  more: Readonly<Record<string, string>>,
  ipc = false,
): Program => {
  const [tool = "", ...rest] = inside(namespace, words);
  const stdio = ["ignore", "pipe", "pipe", ...(ipc ? (["ipc"] as const) : [])] as const;
  const env = { ...process.env, ...more };
  // A session of its own: Ctrl-C reaches this process alone, which then removes the lab.
  return new Program(spawn(tool, rest, { detached: true, stdio: [...stdio], env }));
};

/** Why no lab can be made here, as one sentence; false when one can. For tests to skip with. */
export const cannotRun = (tools: readonly string[]): string | false => {
  if (process.geteuid?.() !== 0) return "needs root";
  const missing = missingTools(["ip", "ping", ...tools]);
  if (missing !== null) return missing;
  try {
    closeSync(openSync("/dev/net/tun", "r+"));
  } catch (error) {
    return `/dev/net/tun cannot be opened (${(error as NodeJS.ErrnoException).code})`;
  }
  const { namespace } = hostOf("a", process.pid);
  const { status, stderr } = spawnSync("ip", ["netns", "add", namespace], { encoding: "utf8" });
  removeNamespace(namespace);
  return status === 0 ? false : `network namespaces cannot be made: ${stderr.trim()}`;
};

/** Tools that are not installed, as one sentence; null when all are there. */
export const missingTools = (tools: readonly string[]): string | null => {
  const missing = tools.filter((tool) => spawnSync(tool, ["--version"]).error !== undefined);
  if (missing.length === 0) return null;
  const packages = [...new Set(missing.map((tool) => PACKAGES[tool] ?? tool))].join(" ");
  return `${missing.join(", ")} not installed; run \`apt-get install ${packages}\`.`;
};
