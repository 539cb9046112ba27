/**
 * load-config — a configuration file to what the engine takes: keys read, and peers checked against
 * each other.
 */
import { closeSync, constants, fstatSync, openSync, readFileSync, type Stats } from "node:fs";
import { dirname, resolve } from "node:path";
import type { MemberFile } from "../members/bundle.ts";
import { newerDefinition } from "../members/definition.ts";
import { type Cidr, formatAddress, formatCidr } from "../wire/cidr.ts";
import { checkAgreement, doubtsOf, TOML_WORDS, type Told, WG_QUICK_WORDS } from "./agreement.ts";
import type {
  Draft,
  EngineConfig,
  Flags,
  NetworkConfig,
  NetworkSettings,
  PeerConfig,
} from "./config.ts";
import { EngineError } from "./errors.ts";
import { type Identity, loadIdentity, loadPresharedKey } from "./identity.ts";
import {
  memberAddresses,
  networkDoubts,
  notHeld,
  type Read,
  readCertificate,
  readIssuer,
  readNetworkFile,
} from "./membership.ts";
import { Mistakes } from "./mistakes.ts";
import { readToml } from "./toml.ts";
import type { Path } from "./toml-loose.ts";
import { readWgQuick } from "./wg-quick.ts";

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

/** Bit of a file's mode: whoever is neither its owner nor of its group may write. */
const OTHERS_WRITE = 0o002;

/**
 * A pipe without a writer would block its opening, hence O_NONBLOCK. `writable`: by everybody.
 */
const readBytes = (file: string, secret: boolean): { bytes: Buffer; writable: boolean } => {
  try {
    const fd = openSync(file, constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      const stat = fstatSync(fd);
      checkFile(file, stat, secret);
      return { bytes: readFileSync(fd), writable: (stat.mode & OTHERS_WRITE) !== 0 };
    } finally {
      closeSync(fd);
    }
  } catch (error) {
    if (error instanceof EngineError) throw error;
    throw new EngineError("CONFIG_MISSING", { file, reason: reasonOf(error), cause: error });
  }
};

/** The line of the first byte that is no UTF-8. */
const brokenLine = (bytes: Buffer): number => {
  const kept = bytes.toString("utf8").indexOf("\ufffd");
  return bytes.toString("utf8").slice(0, Math.max(0, kept)).split("\n").length;
};

/** What the bytes are, when they are no text in UTF-8. */
const encodingProblem = (bytes: Buffer): string => {
  const [first, second] = bytes;
  const marked = (first === 0xff && second === 0xfe) || (first === 0xfe && second === 0xff);
  if (marked || bytes.subarray(0, 64).includes(0)) return "this is UTF-16; save it as UTF-8.";
  return `line ${brokenLine(bytes)}: this is no UTF-8 text; save it as UTF-8.`;
};

/** `secret`: the file holds keys, so nobody else may read it. */
const readText = (file: string, secret: boolean): { text: string; writable: boolean } => {
  const { bytes, writable } = readBytes(file, secret);
  const refuse = (cause?: unknown): EngineError =>
    new EngineError("CONFIG_INVALID", { file, reason: encodingProblem(bytes), cause });
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    if (/^(\0[^\0]|[^\0]\0)/.test(text)) throw refuse();
    return { text, writable };
  } catch (cause) {
    throw cause instanceof EngineError ? cause : refuse(cause);
  }
};

/** A draft of either kind of file, with all that is to be said of it. */
interface Reading extends Told {
  readonly warnings: readonly string[];
}

/** A key that the file names; null: it cannot be read, and a mistake says so. */
const keyOf = <Key>(read: () => Key, say: (text: string) => void): Key | null => {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof EngineError)) throw error;
    say(error.message.replace(/^The/, "the"));
    return null;
  }
};

/** Settings of [network] that name a file. */
type NetworkFile = "network_file" | "certificate" | "issuer";

/** Reads what [network] names; null: a mistake says why not. */
const networkOf = (
  settings: NetworkSettings,
  identity: Identity | null,
  beside: (name: string) => string,
  say: (key: NetworkFile | "announce", sentence: string) => void,
): { readonly config: NetworkConfig; readonly member: MemberFile } | null => {
  const text = (key: NetworkFile): string | null =>
    keyOf(
      () => readText(beside(settings[key]!), false).text,
      (sentence) => say(key, sentence),
    );
  const value = <Value>(key: NetworkFile, read: Read<Value>): Value | null => {
    if ("value" in read) return read.value;
    say(key, `${key} in [network]: ${read.problem}.`);
    return null;
  };
  const network = text("network_file");
  const certificate = text("certificate");
  const definition = network === null ? null : value("network_file", readNetworkFile(network));
  const issuing = settings.issuer === undefined ? null : text("issuer");
  if (certificate === null || identity === null) return null;
  const issuer =
    issuing === null ? null : value("issuer", readIssuer(issuing, identity, definition));
  const member = value("certificate", readCertificate(certificate, identity, definition));
  if (definition === null || member === null) return null;
  for (const prefix of notHeld(member, settings.announce).map(formatCidr)) {
    const advice = `have its request signed again with --route ${prefix}, or leave it out`;
    say("announce", `announce ${prefix}: this host's certificate does not hold it; ${advice}.`);
  }
  const config = {
    networkFile: beside(settings.network_file),
    certificateFile: beside(settings.certificate),
    index: settings.index,
    bootstrap: settings.bootstrap,
    announce: settings.announce,
    acceptRoutes: settings.accept_routes,
    lan: settings.lan,
    neighbours: settings.neighbours,
    definition: newerDefinition(definition, member.definition).bytes,
    bundle: member.bytes,
    issuer: issuer?.bytes ?? null,
  };
  return { config, member };
};

/** The text of a TOML file with the keys and files that it names. */
const tomlReading = (file: string, text: string, mistakes: Mistakes): Reading => {
  const { config, hasKeyFile, numbers, prefixes, lineOf } = readToml(text, mistakes);
  const beside = (name: string): string => resolve(dirname(file), name);
  const { private_key_file, ...link } = config.interface;
  const privateKeyFile = beside(private_key_file);
  const say =
    (...path: Path) =>
    (sentence: string): void =>
      mistakes.add(lineOf(path), sentence);
  const ownKey = say("interface", "private_key_file");
  const identity = hasKeyFile ? keyOf(() => loadIdentity(privateKeyFile), ownKey) : null;
  const network =
    config.network === undefined
      ? null
      : networkOf(config.network, identity, beside, (key, sentence) =>
          say("network", key)(sentence),
        );
  const given = network === null ? [] : memberAddresses(network.member);
  const warnings = network === null ? [] : networkDoubts(network.member, Date.now());
  const draft: Draft = {
    interface: { ...link, addresses: withAddresses(link.addresses, given) },
    identity,
    privateKeyFile,
    peers: config.peer.map(({ preshared_key_file: psk, ...peer }, i) => {
      const number = numbers[i]!;
      const pskOf = (): Uint8Array => loadPresharedKey(beside(psk!));
      const pskSay = say("peer", number, "preshared_key_file");
      return { ...peer, number, presharedKey: psk === undefined ? null : keyOf(pskOf, pskSay) };
    }),
    network: network?.config ?? null,
    engine: config.engine,
  };
  return { draft, words: TOML_WORDS, lineOf, written: prefixes, warnings };
};

/** Those of a file and of a certificate; who writes an address of both writes its length. */
const withAddresses = (own: readonly Cidr[], given: readonly Cidr[]): Cidr[] => {
  const written = new Set(own.map(({ bytes }) => formatAddress(bytes)));
  return [...own, ...given.filter(({ bytes }) => !written.has(formatAddress(bytes)))];
};

const quickReading = (file: string, text: string, mistakes: Mistakes): Reading => {
  const { draft, lineOf, prefixes, warnings } = readWgQuick(file, text, mistakes);
  return { draft, words: WG_QUICK_WORDS, lineOf, written: prefixes, warnings };
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
    network: draft.network,
    host: {
      bringUp: true,
      installRoutes: link.routes === "install",
      stateDir: link.state_dir === "" ? null : resolve(dirname(file), link.state_dir),
      keyLogFile: key_log === undefined ? null : resolve(key_log),
      logLevel: engine.log_level,
      logFile: engine.log_file === "" ? null : resolve(dirname(file), engine.log_file),
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

const KEY_LOG_AES =
  'with --key-log, cipher = "aes256gcm" cannot be read; leave cipher out to read the traffic.';

/**
 * Reads a configuration file with the keys that it names or holds: a wg-quick file when its name
 * ends in ".conf", else TOML. `flags` go before the file's [engine]; `warn` gets a sentence for
 * each thing in the file that is not done.
 *
 * Thread: main, control.   Errors: EngineError CONFIG_MISSING, KEY_EXPOSED, CONFIG_INVALID with a
 * line of text for each mistake.
 */
export const loadConfig = (
  file: string,
  flags: Flags = {},
  warn: (sentence: string) => void = () => {},
): EngineConfig => {
  const wgQuick = file.endsWith(".conf");
  const { text, writable } = readText(file, wgQuick);
  const mistakes = new Mistakes(file);
  const reading = (wgQuick ? quickReading : tomlReading)(file, text, mistakes);
  checkAgreement(reading, mistakes);
  mistakes.refuse();
  if (writable) warn(`${file} can be changed by everybody; run \`chmod o-w ${file}\`.`);
  for (const doubt of [...reading.warnings, ...doubtsOf(reading)]) warn(`${file}: ${doubt}`);
  if (flags.key_log !== undefined && reading.draft.interface.cipher === "aes256gcm") {
    warn(`${file}: ${KEY_LOG_AES}`);
  }
  return engineConfig(file, reading.draft, flags);
};
