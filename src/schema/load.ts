/**
 * load — a configuration file to what the engine takes: keys read, and peers checked against each
 * other.
 */
import { readFileSync, statSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { formatCidr } from "../wire/cidr.ts";
import {
  type ConfigFile,
  type EngineConfig,
  type EngineSettings,
  IPV6_MTU_MIN,
  type PeerConfig,
  ROUTES_MAX,
} from "./config.ts";
import { EngineError } from "./errors.ts";
import { formatWireguardKey, isPublicKey, loadIdentity, loadPresharedKey } from "./identity.ts";
import { parseConfig } from "./toml.ts";

/** Tuning: 10,000 peers with a few prefixes each are under 4 MiB. */
const FILE_BYTES_MAX = 16 * 1_048_576;

const reasonOf = (error: unknown): string => {
  const { code, message } = error as NodeJS.ErrnoException;
  if (code === "ENOENT") return "there is no such file";
  if (code === "EACCES") return "permission denied";
  if (code === "EISDIR") return "it is a folder";
  return code ?? message;
};

const readText = (file: string): string => {
  let bytes: Buffer;
  try {
    const stat = statSync(file);
    // A pipe or a device may never end. A folder gets its own sentence below.
    if (!stat.isFile() && !stat.isDirectory()) {
      throw new EngineError("CONFIG_MISSING", { file, reason: "it is no plain file" });
    }
    if (stat.size > FILE_BYTES_MAX) {
      const reason = `it is larger than ${FILE_BYTES_MAX} bytes`;
      throw new EngineError("CONFIG_MISSING", { file, reason });
    }
    bytes = readFileSync(file);
  } catch (error) {
    if (error instanceof EngineError) throw error;
    throw new EngineError("CONFIG_MISSING", { file, reason: reasonOf(error), cause: error });
  }
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new EngineError("CONFIG_INVALID", { file, reason: "this is no UTF-8 text.", cause });
  }
};

const duplicate = (texts: readonly string[]): string | undefined => {
  const seen = new Set<string>();
  return texts.find((text) => seen.size === seen.add(text).size);
};

/** Two peers may not share a key or a prefix. Returns what is wrong, or null. */
const peersProblem = (peers: ConfigFile["peer"], own: string): string | null => {
  const byKey = new Map<string, number>();
  const byPrefix = new Map<string, number>();
  for (const [i, peer] of peers.entries()) {
    const key = formatWireguardKey(peer.public_key);
    if (!isPublicKey(peer.public_key)) {
      return `public_key in [[peer]] ${i + 1} is nobody's; copy it again from the peer's keygen.`;
    }
    if (key === own) return `[[peer]] ${i + 1} has this host's own public key; remove it.`;
    const twin = byKey.get(key);
    if (twin !== undefined) {
      return `[[peer]] ${twin + 1} and [[peer]] ${i + 1} have the same public_key.`;
    }
    byKey.set(key, i);
    for (const allowed of peer.allowed_ips) {
      const prefix = formatCidr(allowed);
      const other = byPrefix.get(prefix) ?? i;
      if (other !== i) {
        return `[[peer]] ${other + 1} and [[peer]] ${i + 1} both have ${prefix} in allowed_ips.`;
      }
      byPrefix.set(prefix, i);
    }
  }
  return byPrefix.size > ROUTES_MAX ? `there are more than ${ROUTES_MAX} allowed_ips.` : null;
};

const interfaceProblem = (config: ConfigFile["interface"]): string | null => {
  const twice = duplicate(config.addresses.map(formatCidr));
  if (twice !== undefined) return `${twice} is in addresses twice.`;
  const six = config.addresses.some((address) => address.version === 6);
  if (six && config.mtu < IPV6_MTU_MIN) {
    return `mtu in [interface] must be at least ${IPV6_MTU_MIN} with IPv6 addresses.`;
  }
  // Never silently another cipher than the one that was asked for.
  return config.cipher === "aes256gcm"
    ? 'cipher "aes256gcm" is not built yet; use "auto" or "chacha20poly1305".'
    : null;
};

/**
 * Reads a configuration file with the keys that it names; `flags` go before the file's [engine].
 *
 * Thread: main.   Errors: EngineError CONFIG_MISSING, CONFIG_INVALID, KEY_UNREADABLE,
 * KEY_EXPOSED, KEY_INVALID, PSK_INVALID.
 */
export const loadConfig = (
  file: string,
  flags: Readonly<Partial<EngineSettings>> = {},
): EngineConfig => {
  const config = parseConfig(file, readText(file));
  const beside = (name: string): string => resolve(dirname(file), name);
  const problem = (reason: string | null): void => {
    if (reason !== null) throw new EngineError("CONFIG_INVALID", { file, reason });
  };
  problem(interfaceProblem(config.interface));
  const identity = loadIdentity(beside(config.interface.private_key_file));
  problem(peersProblem(config.peer, formatWireguardKey(identity.publicKey)));
  const peers = config.peer.map((peer): PeerConfig => {
    const psk = peer.preshared_key_file;
    const prefixes = new Map(peer.allowed_ips.map((prefix) => [formatCidr(prefix), prefix]));
    return {
      publicKey: peer.public_key,
      presharedKey: psk === undefined ? null : loadPresharedKey(beside(psk)),
      allowedIps: [...prefixes.values()],
      endpoint: peer.endpoint ?? null,
      persistentKeepaliveS: peer.persistent_keepalive,
    };
  });
  const { threads, io_threads, gso, gro, tun_offload, hand_over } = { ...config.engine, ...flags };
  const { name, addresses, mtu, cipher, fwmark } = config.interface;
  return {
    interface: {
      name,
      identity,
      addresses,
      listenPort: config.interface.listen_port,
      listenAddress: config.interface.listen_address,
      bindDevice: config.interface.bind_device,
      fwmark,
      mtu,
      cipher,
    },
    peers,
    host: {
      bringUp: true,
      installRoutes: true,
      stateDir: null,
      keyLogFile: null,
      logLevel: "info",
    },
    engine: {
      threads,
      ioThreads: io_threads,
      gso,
      gro,
      tunOffload: tun_offload,
      handOver: hand_over,
    },
  };
};
