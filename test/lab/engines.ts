/**
 * engines — starts ours and wireguard-go on the hosts of a lab.
 *
 * Ours runs as a user runs it (`runCli`), or through node.ts with settings of its own (`runNode`).
 * The configuration files are written by `writeConfig`, the keys by `makeKeys`.
 */
import { generateKeyPairSync, randomBytes } from "node:crypto";
import { appendFileSync, existsSync, rmSync, writeFileSync } from "node:fs";
import { extname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath, pathToFileURL } from "node:url";
import { ask, askPeers, type ClientOptions } from "../../src/client.ts";
import type { ToolResult } from "../../src/demo/tools.ts";
import { formatWireguardKey, makeIdentity, writeSecret } from "../../src/schema/identity.ts";
import type { FloodOptions } from "./flood.ts";
import { type Host, type Lab, LabError, type Program, wireguardName } from "./lab.ts";
import type { NodeOptions, NodeReport, NodeRequest, Sample } from "./node.ts";

export const PORT = 51_820;
/** Tuning: an engine is up in well under a second; not so on a machine that is busy. */
const UP_MS = 20_000;
const POLL_MS = 20;

/** Our own file, in the form (built or not) that this one has. */
export const ours = (path: string): string =>
  fileURLToPath(new URL(`${path}${extname(fileURLToPath(import.meta.url))}`, import.meta.url));

/**
 * For `imports` of runNode(): in place of a module of the engine's, another one is loaded, which
 * reads `plan` as JSON from its own URL. Both are named as seen from here.
 */
export const swapIn = (module: string, standIn: string, plan: unknown = null): string => {
  const to = `${pathToFileURL(ours(standIn))}?plan=${encodeURIComponent(JSON.stringify(plan))}`;
  const query = new URLSearchParams({ from: `${pathToFileURL(ours(module))}`, to });
  return `${pathToFileURL(ours("./swap"))}?${query}`;
};

const CLI = ours("../../src/cli");
const NODE = ours("./node");
const FLOOD = ours("./flood");

export interface Keys {
  /** Path of the secret. */
  readonly file: string;
  /** Base64, as WireGuard writes it. */
  readonly publicKey: string;
  /** Of identities; null for plain WireGuard keys. */
  readonly nodeId: string | null;
}

/** A key file for a host: an identity of ours, or a plain WireGuard key for either program. */
export const makeKeys = (lab: Lab, host: Host, kind: "identity" | "wireguard"): Keys => {
  const file = join(lab.folder, `${host.name}.key`);
  rmSync(file, { force: true });
  if (kind === "identity") {
    const { identity, text } = makeIdentity();
    writeSecret(file, text);
    return { file, publicKey: formatWireguardKey(identity.publicKey), nodeId: identity.nodeId };
  }
  const jwk = generateKeyPairSync("x25519").privateKey.export({ format: "jwk" });
  const base64 = (part = ""): string => Buffer.from(part, "base64url").toString("base64");
  writeSecret(file, `${base64(jwk.d)}\n`);
  return { file, publicKey: base64(jwk.x), nodeId: null };
};

/** A preshared key for both hosts; returns its file. */
export const makePresharedKey = (lab: Lab): string => {
  const file = join(lab.folder, "psk");
  rmSync(file, { force: true });
  writeSecret(file, `${randomBytes(32).toString("base64")}\n`);
  return file;
};

/** How the two hosts of a tunnel know each other. */
export interface Plan {
  /** IP version of the datagrams. */
  readonly outer?: 4 | 6;
  /** False: this host waits until the other one calls. */
  readonly knowsEndpoint?: boolean;
  readonly presharedKeyFile?: string;
  /** Instead of the other host's inner addresses. */
  readonly allowedIps?: readonly string[];
  /** Instead of the host's own inner addresses. */
  readonly addresses?: readonly string[];
  readonly listenPort?: number;
  readonly interfaceName?: string;
  /** Bytes; 1,420 where left out. */
  readonly mtu?: number;
  /** Seconds. */
  readonly persistentKeepalive?: number;
  readonly cipher?: "auto" | "chacha20poly1305" | "aes256gcm";
  /** Host and port, instead of the other host's first address; `knowsEndpoint` false goes first. */
  readonly endpoint?: string;
}

const endpointOf = (peer: Host, outer: 4 | 6): string =>
  outer === 4 ? `${peer.under4}:${PORT}` : `[${peer.under6}]:${PORT}`;

const prefixesOf = (host: Host): string[] => [`${host.inner4}/32`, `${host.inner6}/128`];

/** Name of our interface on a host: unique on the machine, since its WireGuard socket's is. */
export const interfaceOf = (host: Host): string => `p2p${process.pid}${host.name}`;

/** Writes a host's configuration; returns its file. */
export const writeConfig = (
  lab: Lab,
  host: Host,
  keys: Keys,
  peerKey: string,
  plan: Plan = {},
): string => {
  const peer = lab.peerOf(host);
  const { outer = 4, knowsEndpoint = true, presharedKeyFile, allowedIps } = plan;
  const addresses = plan.addresses ?? [`${host.inner4}/24`, `${host.inner6}/64`];
  const name = plan.interfaceName ?? interfaceOf(host);
  const { mtu, persistentKeepalive, endpoint = endpointOf(peer, outer) } = plan;
  const lines = [
    "[interface]",
    `name = "${name}"`,
    `private_key_file = "${keys.file}"`,
    `addresses = ${JSON.stringify(addresses)}`,
    `listen_port = ${plan.listenPort ?? PORT}`,
    `state_dir = "${join(lab.folder, "state")}"`,
    ...(mtu === undefined ? [] : [`mtu = ${mtu}`]),
    ...(plan.cipher === undefined ? [] : [`cipher = "${plan.cipher}"`]),
    "[engine]",
    'log_level = "error"',
    "[[peer]]",
    `public_key = "${peerKey}"`,
    `allowed_ips = ${JSON.stringify(allowedIps ?? prefixesOf(peer))}`,
  ];
  if (knowsEndpoint) lines.push(`endpoint = "${endpoint}"`);
  if (persistentKeepalive !== undefined) {
    lines.push(`persistent_keepalive = ${persistentKeepalive}`);
  }
  if (presharedKeyFile !== undefined) lines.push(`preshared_key_file = "${presharedKeyFile}"`);
  const file = join(lab.folder, `${name}.toml`);
  writeFileSync(file, `${lines.join("\n")}\n`, { mode: 0o600 });
  return file;
};

/** Tuning: peers that fit 10.128.0.0/9 and fd00:1d1e::/32 with an address each. */
const IDLE_PEERS_MAX = 1 << 16;

/**
 * Adds peers that the engine does not call to a configuration of `writeConfig`: each with a key, an
 * endpoint nobody answers at (RFC 5737) and two prefixes. Errors: RangeError.
 */
export const addIdlePeers = (
  file: string,
  count: number,
  keyOf: (i: number) => string = () => randomBytes(32).toString("base64"),
): void => {
  if (count > IDLE_PEERS_MAX) throw new RangeError(`more than ${IDLE_PEERS_MAX} idle peers`);
  const lines = Array.from({ length: count }, (_, i) => {
    const [high, low] = [i >>> 8, i & 255];
    const allowed = [`10.128.${high}.${low}/32`, `fd00:1d1e::${i.toString(16)}/128`];
    return [
      "[[peer]]",
      `public_key = "${keyOf(i)}"`,
      `allowed_ips = ${JSON.stringify(allowed)}`,
      `endpoint = "198.51.100.${low}:${PORT}"`,
    ].join("\n");
  });
  appendFileSync(file, `${lines.join("\n")}\n`);
};

/** A command of our command line on a host. */
export const cliWords = (words: readonly string[], node = process.execPath): string[] => [
  node,
  CLI,
  ...words,
];

/** Runs a command of our command line on a host to its end. */
export const cli = (lab: Lab, host: Host, ...words: string[]): Promise<ToolResult> =>
  lab.run(host, ["env", `P2PVPN_RUN_DIR=${lab.runFolder}`, ...cliWords(words)]);

const QUESTIONS = {
  status: (name: string, options: ClientOptions) => ask(name, { type: "status.get" }, options),
  peers: askPeers,
  stats: (name: string, options: ClientOptions) => ask(name, { type: "stats.get" }, options),
} as const;
export type Question = keyof typeof QUESTIONS;

/**
 * What the command prints with --json, asked of the engine itself: a command takes half a second,
 * and tests ask again and again. Errors: EngineError.
 */
export const askJson = async <Value>(
  folder: string,
  interfaceName: string,
  what: Question,
): Promise<Value> => JSON.parse(JSON.stringify(await QUESTIONS[what](interfaceName, { folder })));

/** The same of an engine on a host of a lab. */
export const hostJson = <Value>(lab: Lab, host: Host, what: Question): Promise<Value> =>
  askJson(lab.runFolder, interfaceOf(host), what);

/** Starts ours as a user does, and waits until it is up. Errors: LabError. */
export const runCli = async (
  lab: Lab,
  host: Host,
  config: string,
  flags: readonly string[] = [],
  node = process.execPath,
): Promise<Program> => {
  const program = lab.start(host, cliWords(["start", "-c", config, ...flags], node));
  await program.says(" is up", UP_MS);
  return program;
};

/** An engine of ours that runs in node.ts. */
export class NodeEngine {
  readonly program: Program;

  constructor(program: Program) {
    this.program = program;
  }

  /** What its shared memory shows now. Errors: LabError. */
  async sample(): Promise<Sample> {
    const report = await this.#ask("sample");
    if (report.type !== "sample") throw new LabError("The engine gave no sample.");
    return report.sample;
  }

  /** Ends one worker thread as a crash would. Errors: LabError when there is none. */
  async endWorker(): Promise<void> {
    const report = await this.#ask("endWorker");
    if (report.type === "failed") throw new LabError(`No worker was ended: ${report.message}.`);
  }

  /** Says what the way to its first peer takes. Units: bytes; 0: unknown. Errors: LabError. */
  async setPathMtu(pathMtu: number): Promise<void> {
    this.program.child.send({ pathMtu } satisfies NodeRequest);
    await this.sample(); // requests are obeyed in order
  }

  #ask(request: NodeRequest): Promise<NodeReport> {
    const answer = nextReport(this.program);
    this.program.child.send(request);
    return answer;
  }
}

/** The next message of a node.ts program. Errors: LabError when it ends or is silent. */
const nextReport = (program: Program): Promise<NodeReport> =>
  new Promise((resolve, reject) => {
    const fail = (why: string): void => reject(new LabError(`The engine said nothing: ${why}`));
    const timer = setTimeout(() => fail("it took too long"), UP_MS);
    const done = (): void => clearTimeout(timer);
    program.child.once("message", (report: NodeReport) => {
      done();
      resolve(report);
    });
    void program.ended.then((code) => {
      done();
      fail(`it ended with ${code}: ${program.errors.trim()}`);
    });
  });

/**
 * Starts ours with settings of its own, and waits until it is up. `imports`: modules that every
 * thread loads first. Errors: LabError.
 */
export const runNode = async (
  lab: Lab,
  host: Host,
  config: string,
  options: NodeOptions = {},
  node = process.execPath,
  imports: readonly string[] = [],
): Promise<NodeEngine> => {
  const flags = imports.flatMap((path) => ["--import", path]);
  const words = [node, ...flags, NODE, config, JSON.stringify(options)];
  const program = lab.start(host, words, { ipc: true });
  const up = await nextReport(program);
  if (up.type !== "up") throw new LabError("The engine did not come up.");
  return new NodeEngine(program);
};

/** Starts wireguard-go on a host with the peer set as `plan` says. Errors: LabError. */
export const runWireguardGo = async (
  lab: Lab,
  host: Host,
  keys: Keys,
  peerKey: string,
  plan: Plan = {},
  binary = "wireguard-go",
): Promise<Program> => {
  const name = wireguardName(host);
  const socket = `/var/run/wireguard/${name}.sock`;
  // One that was killed leaves it.
  rmSync(socket, { force: true });
  const program = lab.start(host, [binary, "-f", name]);
  const answers = async (): Promise<boolean> =>
    existsSync(socket) && (await lab.run(host, ["wg", "show", name])).code === 0;
  for (let waited = 0; !(await answers()); waited += POLL_MS) {
    if (waited > UP_MS || program.child.exitCode !== null) {
      throw new LabError(`${binary} did not come up: ${program.errors.trim()}`);
    }
    await sleep(POLL_MS);
  }
  const own = ["private-key", keys.file, "listen-port", String(plan.listenPort ?? PORT)];
  await lab.must(host, ["wg", "set", name, ...own]);
  await setWireguardPeer(lab, host, peerKey, plan);
  const ip = (...words: string[]) => lab.must(host, ["ip", ...words]);
  for (const address of plan.addresses ?? [`${host.inner4}/24`, `${host.inner6}/64`]) {
    const words = address.includes(":") ? ["nodad"] : [];
    await ip("address", "add", address, "dev", name, ...words);
  }
  await ip("link", "set", name, "mtu", String(plan.mtu ?? 1_420), "up");
  return program;
};

/** Adds the peer to a host's wireguard-go. */
export const setWireguardPeer = async (
  lab: Lab,
  host: Host,
  peerKey: string,
  plan: Plan = {},
): Promise<void> => {
  const peer = lab.peerOf(host);
  const { outer = 4, knowsEndpoint = true, presharedKeyFile, persistentKeepalive } = plan;
  const { endpoint = endpointOf(peer, outer) } = plan;
  const allowed = (plan.allowedIps ?? prefixesOf(peer)).join(",");
  const words = ["wg", "set", wireguardName(host), "peer", peerKey, "allowed-ips", allowed];
  if (knowsEndpoint) words.push("endpoint", endpoint);
  if (persistentKeepalive !== undefined) {
    words.push("persistent-keepalive", String(persistentKeepalive));
  }
  if (presharedKeyFile !== undefined) words.push("preshared-key", presharedKeyFile);
  await lab.must(host, words);
};

/** Takes the peer away: the next packet after it is set again needs a handshake. */
export const removeWireguardPeer = (lab: Lab, host: Host, peerKey: string): Promise<string> =>
  lab.must(host, ["wg", "set", wireguardName(host), "peer", peerKey, "remove"]);

/** Starts a flood of initiations from a host, and waits until it flows. Errors: LabError. */
export const runFlood = async (lab: Lab, host: Host, options: FloodOptions): Promise<Program> => {
  const program = lab.start(host, [process.execPath, FLOOD, JSON.stringify(options)]);
  await program.says("flooding");
  return program;
};
