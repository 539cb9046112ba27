/**
 * load — a configuration file to what the engine takes: keys read, and peers checked against each
 * other.
 */
import { closeSync, constants, fstatSync, openSync, readFileSync, type Stats } from "node:fs";
import { dirname, resolve } from "node:path";
import { formatCidr } from "../wire/cidr.ts";
import { addressProblem } from "./address.ts";
import {
  type Draft,
  type EngineConfig,
  type Flags,
  IPV6_MTU_MIN,
  type PeerConfig,
  ROUTES_MAX,
} from "./config.ts";
import { EngineError } from "./errors.ts";
import { formatWireguardKey, isPublicKey, loadIdentity, loadPresharedKey } from "./identity.ts";
import { parseConfig } from "./toml.ts";
import { parseWgQuick } from "./wg-quick.ts";

/** Tuning: 10,000 peers with a few prefixes each are under 4 MiB. */
const FILE_BYTES_MAX = 16 * 1_048_576;

const reasonOf = (error: unknown): string => {
  const { code, message } = error as NodeJS.ErrnoException;
  if (code === "ENOENT") return "there is no such file";
  if (code === "EACCES") return "permission denied";
  if (code === "EISDIR") return "it is a folder";
  return code ?? message;
};

/** What the file must be, or why it cannot be read. Errors: CONFIG_MISSING, KEY_EXPOSED. */
const checkFile = (file: string, stat: Stats, secret: boolean): void => {
  const problem = (reason: string): EngineError =>
    new EngineError("CONFIG_MISSING", { file, reason });
  if (stat.isDirectory()) throw problem("it is a folder");
  // A pipe or a device may never end.
  if (!stat.isFile()) throw problem("it is no plain file");
  if (stat.size > FILE_BYTES_MAX) throw problem(`it is larger than ${FILE_BYTES_MAX} bytes`);
  if (secret && (stat.mode & 0o077) !== 0) throw new EngineError("KEY_EXPOSED", { file });
};

/** A pipe without a writer would block its opening, hence O_NONBLOCK. */
const readBytes = (file: string, secret: boolean): Buffer => {
  try {
    const fd = openSync(file, constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      checkFile(file, fstatSync(fd), secret);
      return readFileSync(fd);
    } finally {
      closeSync(fd);
    }
  } catch (error) {
    if (error instanceof EngineError) throw error;
    throw new EngineError("CONFIG_MISSING", { file, reason: reasonOf(error), cause: error });
  }
};

/** `secret`: the file holds keys, so nobody else may read it. */
const readText = (file: string, secret: boolean): string => {
  const bytes = readBytes(file, secret);
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new EngineError("CONFIG_INVALID", { file, reason: "this is no UTF-8 text.", cause });
  }
};

/** What sections and keys are called in a kind of file. */
const TOML_WORDS = {
  interface: "[interface]",
  peer: "[[peer]]",
  publicKey: "public_key",
  allowedIps: "allowed_ips",
  addresses: "addresses",
  mtu: "mtu",
};
type Words = typeof TOML_WORDS;
const WG_QUICK_WORDS: Words = {
  interface: "[Interface]",
  peer: "[Peer]",
  publicKey: "PublicKey",
  allowedIps: "AllowedIPs",
  addresses: "Address",
  mtu: "MTU",
};

const duplicate = (texts: readonly string[]): string | undefined => {
  const seen = new Set<string>();
  return texts.find((text) => seen.size === seen.add(text).size);
};

/** Two peers may not share a key, a name or a prefix. Returns what is wrong, or null. */
const peersProblem = (peers: Draft["peers"], own: string, words: Words): string | null => {
  const byKey = new Map<string, number>();
  const byName = new Map<string, number>();
  const byPrefix = new Map<string, number>();
  const at = (i: number): string => `${words.peer} ${i + 1}`;
  for (const [i, peer] of peers.entries()) {
    const key = formatWireguardKey(peer.public_key);
    if (!isPublicKey(peer.public_key)) {
      return `${words.publicKey} in ${at(i)} is nobody's; copy it again from the peer's keygen.`;
    }
    if (key === own) return `${at(i)} has this host's own public key; remove it.`;
    const twin = byKey.get(key);
    if (twin !== undefined)
      return `${at(twin)} and ${at(i)} have the same ${words.publicKey}; keep one of them.`;
    byKey.set(key, i);
    const name = peer.name?.toLowerCase();
    const namesake = name === undefined ? undefined : byName.get(name);
    if (namesake !== undefined)
      return `${at(namesake)} and ${at(i)} have the same name; change one.`;
    if (name !== undefined) byName.set(name, i);
    for (const allowed of peer.allowed_ips) {
      const prefix = formatCidr(allowed);
      const other = byPrefix.get(prefix) ?? i;
      if (other !== i) {
        const both = `${at(other)} and ${at(i)} both have ${prefix} in ${words.allowedIps}`;
        return `${both}; take it from one of them.`;
      }
      byPrefix.set(prefix, i);
    }
  }
  return byPrefix.size > ROUTES_MAX
    ? `there are more than ${ROUTES_MAX} ${words.allowedIps}.`
    : null;
};

const interfaceProblem = (config: Draft["interface"], words: Words): string | null => {
  const twice = duplicate(config.addresses.map(formatCidr));
  if (twice !== undefined) return `${twice} is in ${words.addresses} twice; remove one.`;
  for (const address of config.addresses) {
    const problem = addressProblem(address);
    if (problem !== null) return `${formatCidr(address)} in ${words.addresses} ${problem}.`;
  }
  if (config.bind_device === config.name) {
    return `bind_device in ${words.interface} is the tunnel; name what leads to the network.`;
  }
  const six = config.addresses.some((address) => address.version === 6);
  if (!six || config.mtu >= IPV6_MTU_MIN) return null;
  const key = `${words.mtu} in ${words.interface}`;
  return `${key} must be at least ${IPV6_MTU_MIN} with IPv6 addresses.`;
};

/** The text of a TOML file with the keys that it names. */
const tomlDraft = (file: string, text: string): Draft => {
  const config = parseConfig(file, text);
  const beside = (name: string): string => resolve(dirname(file), name);
  const { private_key_file, ...link } = config.interface;
  const privateKeyFile = beside(private_key_file);
  return {
    interface: link,
    identity: loadIdentity(privateKeyFile),
    privateKeyFile,
    peers: config.peer.map(({ preshared_key_file: psk, ...peer }) => ({
      ...peer,
      presharedKey: psk === undefined ? null : loadPresharedKey(beside(psk)),
    })),
    engine: config.engine,
  };
};

const peerConfig = (peer: Draft["peers"][number]): PeerConfig => {
  const prefixes = new Map(peer.allowed_ips.map((prefix) => [formatCidr(prefix), prefix]));
  return {
    name: peer.name ?? null,
    publicKey: peer.public_key,
    presharedKey: peer.presharedKey,
    allowedIps: [...prefixes.values()],
    endpoint: peer.endpoint ?? null,
    persistentKeepaliveS: peer.persistent_keepalive,
  };
};

const engineConfig = (file: string, draft: Draft, flags: Flags): EngineConfig => {
  const { interface: link, identity, privateKeyFile } = draft;
  const { key_log, ...settings } = flags;
  const engine = { ...draft.engine, ...settings };
  return {
    source: { file: resolve(file), flags, privateKeyFile },
    interface: {
      name: link.name,
      identity,
      addresses: link.addresses,
      listenPort: link.listen_port,
      listenAddress: link.listen_address,
      bindDevice: link.bind_device,
      fwmark: link.fwmark,
      mtu: link.mtu,
      cipher: link.cipher,
    },
    peers: draft.peers.map(peerConfig),
    host: {
      bringUp: true,
      installRoutes: link.routes === "install",
      stateDir: link.state_dir === "" ? null : resolve(dirname(file), link.state_dir),
      keyLogFile: key_log === undefined ? null : resolve(key_log),
      logLevel: engine.log_level,
    },
    engine: {
      threads: engine.threads,
      ioThreads: engine.io_threads,
      gso: engine.gso,
      gro: engine.gro,
      connectedSockets: engine.connected_sockets,
      tunOffload: engine.tun_offload,
      quirks: engine.quirks,
      handOver: engine.hand_over,
    },
  };
};

/**
 * Reads a configuration file with the keys that it names or holds: a wg-quick file when its name
 * ends in ".conf", else TOML. `flags` go before the file's [engine]; `warn` gets a sentence for
 * each thing in the file that is not done.
 *
 * Thread: main, control.   Errors: EngineError CONFIG_MISSING, CONFIG_INVALID, KEY_UNREADABLE,
 * KEY_EXPOSED, KEY_INVALID, PSK_INVALID.
 */
export const loadConfig = (
  file: string,
  flags: Flags = {},
  warn: (sentence: string) => void = () => {},
): EngineConfig => {
  const wgQuick = file.endsWith(".conf");
  const text = readText(file, wgQuick);
  const { draft, warnings } = wgQuick
    ? parseWgQuick(file, text)
    : { draft: tomlDraft(file, text), warnings: [] };
  const words = wgQuick ? WG_QUICK_WORDS : TOML_WORDS;
  const own = formatWireguardKey(draft.identity.publicKey);
  const reason = interfaceProblem(draft.interface, words) ?? peersProblem(draft.peers, own, words);
  if (reason !== null) throw new EngineError("CONFIG_INVALID", { file, reason });
  for (const warning of warnings) warn(`${file}: ${warning}`);
  return engineConfig(file, draft, flags);
};
