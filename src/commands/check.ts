/**
 * check — can the engine run here? One line a test: ok, warning, missing or wrong, and what to do.
 *
 * It runs with the privileges of an engine, and ends as `start` would: with 2 where the
 * configuration is missing or wrong, with 1 where something else is; warnings do not count.
 */
import {
  accessSync,
  closeSync,
  constants,
  existsSync,
  openSync,
  readdirSync,
  readFileSync,
  statSync,
} from "node:fs";
import { isIP } from "node:net";
import { release } from "node:os";
import { dirname } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Command } from "commander";
import { runningEngines } from "../client.ts";
import type { Addon } from "../io/native/addon.ts";
import type { NameAnswer } from "../io/native/names.ts";
import {
  AS_CONFIGURED,
  chooseOffloads,
  OFFLOADS,
  type OffloadName,
  type Wanted,
} from "../offloads.ts";
import { kernelQuirks } from "../quirks.ts";
import { DEFAULT_FILE, type EngineConfig } from "../schema/config.ts";
import { EngineError } from "../schema/errors.ts";
import { ipv6Problems } from "../schema/ipv6.ts";
import { loadConfig } from "../schema/load-config.ts";
import { formatAddress } from "../wire/cidr.ts";
import { sockaddrHost } from "../wire/sockaddr.ts";
import { routeWarnings } from "./check-routes.ts";
import { portHolder } from "./holder.ts";
import { formatAmount, formatTable, printJson, printText } from "./print.ts";
import { addExamples, addJsonOption } from "./shared.ts";

/** Missing: it is not there; wrong: it is there and will not do. */
type State = "ok" | "warning" | "missing" | "wrong";

interface Result {
  readonly test: string;
  readonly state: State;
  /** What was found, and what to do where it is not ok. */
  readonly message: string;
}

interface Options {
  readonly config?: string;
  readonly json?: boolean;
}

const result = (test: string, state: State, message: string): Result => ({ test, state, message });

/** Bit of CAP_NET_ADMIN. Source: linux/capability.h. */
const CAP_NET_ADMIN = 12n;

const read = (file: string): string | null => {
  try {
    return readFileSync(file, "latin1").trim();
  } catch {
    return null;
  }
};

const messageOf = (error: unknown): string =>
  error instanceof Error ? error.message.split("\n")[0]! : String(error);

const CONFIGURATION = "configuration";

const checkConfig = (file: string | undefined): [Result[], EngineConfig | null] => {
  const test = CONFIGURATION;
  if (file === undefined && !existsSync(DEFAULT_FILE)) {
    const advice = "write it, or name another with -c FILE";
    return [[result(test, "missing", `${DEFAULT_FILE} is not there; ${advice}`)], null];
  }
  const warnings: Result[] = [];
  const warn = (sentence: string): void =>
    void warnings.push(result(test, "warning", sentence.replace(/\.$/, "")));
  try {
    const config = loadConfig(file ?? DEFAULT_FILE, {}, warn);
    const peers = formatAmount(config.peers.length, "peer");
    return [[result(test, "ok", `${file ?? DEFAULT_FILE}, ${peers}`), ...warnings], config];
  } catch (error) {
    if (!(error instanceof EngineError)) throw error;
    const state = error.code === "CONFIG_MISSING" ? "missing" : "wrong";
    return [error.message.split("\n").map((line) => result(test, state, line)), null];
  }
};

/** What a folder that is there, or the one above, says to who wants to write; null: nothing. */
const folderProblem = (folder: string): string | null => {
  try {
    if (!statSync(folder).isDirectory()) return "it is no folder";
    accessSync(folder, constants.W_OK | constants.X_OK);
    return null;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" && dirname(folder) !== folder) return folderProblem(dirname(folder));
    if (code === "ENOTDIR") return "a part of its path is no folder";
    if (code === "EROFS") return "the disk is read-only";
    return code === "EACCES" ? "permission denied" : (code ?? messageOf(error));
  }
};

/** The engine goes on without it. */
const checkStateDir = ({ host: { stateDir } }: EngineConfig): Result => {
  const test = "state_dir";
  if (stateDir === null) return result(test, "ok", "none: nothing outlives a restart");
  const problem = folderProblem(stateDir);
  if (problem === null) return result(test, "ok", stateDir);
  const cost = "after a restart with an older clock peers will refuse handshakes";
  const advice = "make it writable for its owner, or set another state_dir";
  return result(
    test,
    "warning",
    `${stateDir} cannot be written (${problem}), so ${cost}; ${advice}`,
  );
};

const checkNode = (): Result => {
  const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
  const enough = major > 20 || (major === 20 && minor >= 19);
  const message = enough ? process.version : `${process.version}; install Node 20.19 or newer`;
  return result("node", enough ? "ok" : "wrong", message);
};

const loadAddon = async (): Promise<[Result, Addon | null]> => {
  try {
    const { addon } = await import("../io/native/addon.ts");
    return [result("addon", "ok", "loaded"), addon];
  } catch (error) {
    return [result("addon", "missing", messageOf(error)), null];
  }
};

const checkTun = (): Result => {
  const file = "/dev/net/tun";
  try {
    closeSync(openSync(file, "r+"));
    return result("TUN device", "ok", file);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "EACCES" || code === "EPERM") {
      return result("TUN device", "missing", `${file} may not be opened; run as root`);
    }
    const { message } = new EngineError("TUN_MISSING");
    return result("TUN device", "missing", message);
  }
};

const checkPrivilege = (): Result => {
  const effective = /^CapEff:\s*([0-9a-f]+)$/m.exec(read("/proc/self/status") ?? "")?.[1] ?? "0";
  const held = ((BigInt(`0x${effective}`) >> CAP_NET_ADMIN) & 1n) === 1n;
  return held
    ? result("CAP_NET_ADMIN", "ok", "held")
    : result("CAP_NET_ADMIN", "missing", "run as root, or give the process this capability");
};

const AES_SUITE = "AES suite";

const checkCrypto = async (addon: Addon, config: EngineConfig | null): Promise<Result> => {
  const { openssl, aesHardware } = addon.cryptoProbe();
  if (config?.interface.cipher === "aes256gcm" && (openssl === "" || !aesHardware)) {
    return result(AES_SUITE, "missing", messageOf(new EngineError("CIPHER_MISSING")));
  }
  if (openssl === "") {
    return result(AES_SUITE, "warning", "this Node has no OpenSSL to use; ChaCha20 goes on");
  }
  if (!aesHardware) {
    return result(AES_SUITE, "warning", `no AES instructions (${openssl}); ChaCha20 goes on`);
  }
  const { findAes } = await import("../ciphers.ts");
  if (!findAes().faster) {
    return result(AES_SUITE, "warning", `${openssl}, no faster than ChaCha20, which goes on`);
  }
  return result(AES_SUITE, "ok", `${openssl}, AES instructions, faster than ChaCha20`);
};

/** What an engine without a configuration would want. */
const DEFAULTS: Wanted = { gso: true, gro: true, tunOffload: true, quirks: "avoid" };
/** A device of the kernel's naming that is never up, and gone when it is closed. */
const SCRATCH = "p2pcheck%d";

/** Each offload as the engine would use it, and why not. */
const checkOffloads = async (addon: Addon, wanted: Wanted): Promise<Result[]> => {
  const udp = addon.udpOpen(4, "", 0, 0, "");
  if (udp < 0) return [result("UDP socket", "missing", addon.errorText(-udp))];
  addon.close(udp);
  const tun = addon.tunOpen(SCRATCH, true, true);
  if (tun < 0) {
    const advice = "not tested: no TUN device can be made; run as root";
    return [result("offloads", "warning", advice)];
  }
  const { probe } = await import("../probes.ts");
  const offloads = chooseOffloads(wanted, probe(tun, wanted.tunOffload));
  addon.close(tun);
  return (Object.keys(OFFLOADS) as OffloadName[]).map((name) => {
    const why = offloads[name];
    if (why === null) return result(OFFLOADS[name], "ok", "on");
    if (why === AS_CONFIGURED) return result(OFFLOADS[name], "ok", `off, ${why}`);
    return result(OFFLOADS[name], "warning", `off: ${why}; slower without`);
  });
};

/** Faults that show only where a peer is reached through a device of this kind. */
const checkQuirks = (wanted: Wanted): Result[] => {
  const found = kernelQuirks(release()).find(({ touches }) => touches === "vxlan");
  if (found === undefined || !wanted.gso) return [];
  const links = readdirSync("/sys/class/net").filter((name) =>
    (read(`/sys/class/net/${name}/uevent`) ?? "").includes("DEVTYPE=vxlan"),
  );
  const advice = "if a peer is reached through it, start with --no-gso";
  return links.length === 0
    ? []
    : [result("VXLAN", "warning", `${links[0]} is there, and ${found.why}; ${advice}`)];
};

/**
 * Of the interface: max(all, its own), and one that is made now gets "default" for its own. 1 is
 * strict, 2 loose. Source: Linux ip-sysctl.rst, rp_filter.
 */
const checkReversePath = (name: string | null): Result => {
  const value = (of: string): number =>
    Number(read(`/proc/sys/net/ipv4/conf/${of}/rp_filter`) ?? Number.NaN);
  const own = name === null ? Number.NaN : value(name);
  const strict = Math.max(value("all"), Number.isNaN(own) ? value("default") : own) === 1;
  if (!strict) return result("rp_filter", "ok", "not strict");
  const advice = "run `sysctl -w net.ipv4.conf.all.rp_filter=2` if replies take another way";
  return result("rp_filter", "warning", `strict; ${advice}`);
};

const checkForwarding = (): Result[] => {
  const one = (test: string, file: string, key: string): Result => {
    const value = read(file);
    if (value === null) return result(test, "warning", "this kernel has it switched off");
    if (value !== "0") return result(test, "ok", "on");
    const advice = `run \`sysctl -w ${key}=1\` if others are to be reached through this host`;
    return result(test, "ok", `off; ${advice}`);
  };
  const six = "/proc/sys/net/ipv6/conf/all/forwarding";
  return [
    one("IPv4 forwarding", "/proc/sys/net/ipv4/ip_forward", "net.ipv4.ip_forward"),
    one("IPv6 forwarding", six, "net.ipv6.conf.all.forwarding"),
  ];
};

/** Negative errno of `udpTaken`. Source: errno(3). */
const EADDRINUSE = -98;

/**
 * Binds the port for a moment: alone, as `start` does first, and then as the engine would. An
 * engine that runs may have another than its file has now.
 */
const checkPort = async (addon: Addon, config: EngineConfig, running: boolean): Promise<Result> => {
  const { listenPort: port, listenAddress: address, bindDevice, name } = config.interface;
  if (port > 0 && addon.udpTaken(address, port, bindDevice) === EADDRINUSE) {
    const holder = await portHolder(port);
    if (running && holder?.name === name) {
      return result("UDP port", "ok", `${port}, held by the engine on ${name}`);
    }
    const advice = "stop what uses it or set another listen_port";
    const by = holder === null ? "" : ` by the engine on ${holder.name} (process ${holder.pid})`;
    return result("UDP port", "wrong", `${port} is in use${by}; ${advice}`);
  }
  const family = address.includes(":") ? 6 : 4;
  const fd = addon.udpOpen(family, address, port, 0, bindDevice);
  if (fd >= 0) {
    addon.close(fd);
    return result("UDP port", "ok", port === 0 ? "the kernel chooses" : `${port} is free`);
  }
  const reason = addon.errorText(-fd);
  const advice = "look at listen_port, listen_address and bind_device";
  return result("UDP port", "wrong", `${port}: ${reason}; ${advice}`);
};

/** Tuning: more names of endpoints than this are not looked up, and none for longer. */
const NAMES_MAX = 16;
const LOOKUP_MS = 5_000;

/**
 * Index nodes, members to begin with and endpoints that are names: the engine asks again and again,
 * so that none is needed to start.
 */
const checkNames = async (config: EngineConfig): Promise<Result[]> => {
  const nodes = [...(config.network?.index ?? []), ...(config.network?.bootstrap ?? [])];
  const hosts = [
    ...nodes.map(({ endpoint }) => endpoint.host),
    ...config.peers.map((peer) => peer.endpoint?.host ?? ""),
  ];
  const names = [...new Set(hosts)].filter((host) => host !== "" && isIP(host) === 0);
  return (await askNames(names.slice(0, NAMES_MAX))).map((answer, i) => {
    const name = names[i]!;
    if (typeof answer !== "string") {
      return result("endpoint", "ok", `${name} is ${formatAddress(sockaddrHost(answer[0]!))}`);
    }
    const advice = "write it right, or an address";
    return result("endpoint", "warning", `${name} does not resolve (${answer}); ${advice}`);
  });
};

/** All at once, each in a thread of its own: none waits for one that nobody answers. */
const askNames = async (names: readonly string[]): Promise<NameAnswer[]> => {
  if (names.length === 0) return [];
  const { NameThreads } = await import("../io/native/names.ts");
  const answers = names.map((): NameAnswer => "no answer");
  let left = names.length;
  let done = (): void => {};
  const allCame = new Promise<void>((resolve) => {
    done = resolve;
  });
  const threads = new NameThreads((id, answer) => {
    answers[id] = answer;
    if (--left === 0) done();
  });
  for (const [id, name] of names.entries()) if (threads.ask(id, name) < 0) left--;
  const late = new AbortController();
  const tooLate = sleep(LOOKUP_MS, undefined, { signal: late.signal }).catch(() => {});
  if (left > 0) await Promise.race([allCame, tooLate]);
  late.abort();
  threads.close();
  return answers;
};

const checkLink = (config: EngineConfig, running: boolean): Result => {
  const { name } = config.interface;
  const isLineOf = (line: string): boolean => line.trimStart().startsWith(`${name}:`);
  // /sys shows the devices of the namespace that mounted it.
  const exists = (read("/proc/self/net/dev") ?? "").split("\n").some(isLineOf);
  if (running) return result("interface", "ok", `an engine is running on ${name}`);
  if (!exists) return result("interface", "ok", `${name} is free`);
  return result("interface", "wrong", `${name} is in use; stop what uses it or rename it`);
};

/** What will not be routed into the tunnel. */
const checkRoutes = async (addon: Addon, config: EngineConfig): Promise<Result[]> => {
  const sentences = await routeWarnings(config, addon);
  return sentences.map((sentence) => result("routes", "warning", sentence.replace(/\.$/, "")));
};

const checkSix = (config: EngineConfig, running: boolean): Result[] =>
  ipv6Problems(config, running ? config.interface.name : undefined).map((problem) =>
    result("IPv6", "warning", problem.replace(/\.$/, "")),
  );

const runTests = async (file: string | undefined): Promise<Result[]> => {
  const [configured, config] = checkConfig(file);
  const [loaded, addon] = await loadAddon();
  const engines = await runningEngines().catch((): string[] => []);
  const wanted = config?.engine ?? DEFAULTS;
  const running = config !== null && engines.includes(config.interface.name);
  return [
    ...configured,
    checkNode(),
    loaded,
    checkTun(),
    checkPrivilege(),
    ...(addon === null
      ? []
      : [await checkCrypto(addon, config), ...(await checkOffloads(addon, wanted))]),
    ...checkQuirks(wanted),
    ...(config === null
      ? []
      : [checkStateDir(config), checkLink(config, running), ...checkSix(config, running)]),
    ...(config === null || addon === null
      ? []
      : [await checkPort(addon, config, running), ...(await checkRoutes(addon, config))]),
    ...(config === null || addon === null ? [] : await checkNames(config)),
    checkReversePath(config === null ? null : config.interface.name),
    ...checkForwarding(),
  ];
};

const check = async (options: Options): Promise<void> => {
  const tests = await runTests(options.config);
  const bad = tests.filter(({ state }) => state === "missing" || state === "wrong");
  const configured = !bad.some(({ test }) => test === CONFIGURATION);
  if (bad.length > 0) process.exitCode = configured ? 1 : 2;
  const aes256gcm = tests.some(({ test, state }) => test === AES_SUITE && state === "ok");
  if (options.json) return printJson({ ok: bad.length === 0, features: { aes256gcm }, tests });
  printText(formatTable(tests.map(({ state, test, message }) => [state, test, message])));
};

/** Describes `check`. */
export const define = (command: Command): void => {
  command.option("-c, --config <FILE>", `configuration to test (default: ${DEFAULT_FILE})`);
  addJsonOption(command).action(check);
  addExamples(command, [
    "sudo p2pvpn-engine check",
    "sudo p2pvpn-engine check -c laptop.toml",
    "sudo p2pvpn-engine check -c wg0.conf",
    "p2pvpn-engine check --json | jq '.tests[] | select(.state != \"ok\")'",
  ]);
};
