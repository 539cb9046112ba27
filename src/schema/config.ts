/**
 * config — every setting: type, default, limits, help; one table for the file and the flags.
 *
 * The three sections below are the table. From them come the type of a configuration file, its
 * check (`toml.ts`), the flags of `start` and their help (`commands/start.ts`), and `SETTINGS` for
 * docs. `EngineConfig` is what the engine gets: keys read, prefixes parsed (`load.ts`).
 */
import { availableParallelism } from "node:os";
import * as v from "valibot";
import { IO_MAX, LOCAL_ADDRESSES, PEERS_MAX, ROUTES_MAX, WORKERS_MAX } from "../memory/layout.ts";
import { type Cidr, maskCidr, parseAddress, parseCidr } from "../wire/cidr.ts";
import { formatNodeId, type Identity, parseNodeId, parseWireguardKey } from "./identity.ts";
import { isInterfaceName, isPeerName } from "./names.ts";

/** Protocol: a certificate and a record hold no more prefixes. */
const ANNOUNCED_MAX = 16;
/** Tuning: bounds on what one file may ask for. */
const NODES_MAX = 16;
const NEIGHBOURS_MAX = 16;
/** Smallest MTU where IPv6 is spoken. Source: RFC 8200 5. */
export const IPV6_MTU_MIN = 1_280;

export const DEFAULT_FILE = "/etc/p2pvpn/p2pvpn.toml";

export const LOG_LEVELS = ["silent", "error", "warn", "info", "debug"] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** What a row says besides its type. */
interface About {
  readonly help: string;
  /** Placeholder in help, e.g. "N"; also the unit where there is one. */
  readonly value: string;
  /**
   * Flag without dashes, of `start`, or of `peer add` in [[peer]]; a switch that is on by default
   * becomes `--no-…`.
   */
  readonly flag?: string;
}

/** Host and port as written; resolved by the engine, again and again. */
export interface Endpoint {
  /** A name, an address, or a link-local address with its zone: "fe80::1%eth0". */
  readonly host: string;
  readonly port: number;
}

const LABEL = /^[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?$/;

const isHostName = (host: string): boolean => {
  const labels = host.replace(/\.$/, "").split(".");
  const last = labels.at(-1)!;
  return host.length <= 253 && labels.every((label) => LABEL.test(label)) && !/^\d+$/.test(last);
};

/** An IPv6 address; fe80::/10 may have a zone. Source: RFC 4007 11. */
const isSixHost = (host: string): boolean => {
  const percent = host.indexOf("%");
  const address = parseAddress(percent < 0 ? host : host.slice(0, percent));
  if (address?.length !== 16 || percent < 0) return address?.length === 16;
  const linkLocal = address[0] === 0xfe && (address[1]! & 0xc0) === 0x80;
  return linkLocal && isInterfaceName(host.slice(percent + 1));
};

/**
 * Reads "host:port", "203.0.113.7:port", "[fd00::1]:port" or "[fe80::1%eth0]:port"; null when it
 * is none of them.
 */
export const parseEndpoint = (text: string): Endpoint | null => {
  const match = /^(?:\[([^[\]]+)\]|([^:[\]]+)):([1-9]\d{0,4})$/.exec(text);
  if (match === null) return null;
  const port = Number(match[3]);
  const six = match[1];
  const host = six ?? match[2]!;
  const four = six === undefined && (parseAddress(host)?.length === 4 || isHostName(host));
  const known = six === undefined ? four : isSixHost(host);
  return known && port <= 65_535 ? { host, port } : null;
};

/** The text that `parseEndpoint` reads. */
export const formatEndpoint = ({ host, port }: Endpoint): string =>
  host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;

/** Where a node of the network is asked for, and who has to be there. */
export interface NodeAddress {
  /** The node's ed25519 public key, 32 bytes; null: whoever is there. */
  readonly nodeKey: Uint8Array | null;
  readonly endpoint: Endpoint;
}

/** Reads "host:port" or "p2p:…@host:port"; null when it is neither. */
export const parseNodeAddress = (text: string): NodeAddress | null => {
  const at = text.startsWith("p2p:") ? text.indexOf("@") : -1;
  const nodeKey = at < 0 ? null : parseNodeId(text.slice(0, at));
  const endpoint = parseEndpoint(text.slice(at + 1));
  return endpoint === null || (at >= 0 && nodeKey === null) ? null : { nodeKey, endpoint };
};

/** The text that `parseNodeAddress` reads. */
export const formatNodeAddress = ({ nodeKey, endpoint }: NodeAddress): string =>
  `${nodeKey === null ? "" : `${formatNodeId(nodeKey)}@`}${formatEndpoint(endpoint)}`;

const text = v.string("must be text");
const whole = (min: number, max: number) => {
  const message = `must be a whole number from ${min} to ${max}`;
  return v.pipe(
    v.number(message),
    v.integer(message),
    v.minValue(min, message),
    v.maxValue(max, message),
  );
};
const onOff = v.boolean("must be true or false");
const oneOf = <const Options extends readonly string[]>(options: Options) =>
  v.picklist(options, `must be ${options.map((option) => `"${option}"`).join(" or ")}`);
const name = v.pipe(
  text,
  v.check(
    isInterfaceName,
    "must be 1 to 15 letters, digits or _ = + . - but not ., .., all or default",
  ),
);
const nameOrNone = v.union([v.literal(""), name], "must be the name of a network interface");
const peerName = v.pipe(
  text,
  v.check(isPeerName, "must be 1 to 63 letters, digits or hyphens, with none at its ends"),
);
const WHOLE_PATH = "must be a whole path, or one beside this file (only a shell knows ~ and $HOME)";
const isShellPath = (value: string): boolean => /^[~$]/.test(value);
const path = v.pipe(
  text,
  v.check((value) => !value.includes("\0"), "must be a path"),
  v.check((value) => !isShellPath(value), WHOLE_PATH),
);
const addressOrAny = v.pipe(
  text,
  v.check((value) => value === "" || parseAddress(value) !== null, "must be an IP address"),
);
const fileName = v.pipe(
  path,
  v.check((value) => value !== "", "must name a file"),
);
const KEY_FILE = "must name a file that holds the key, not the key itself";
const keyFile = v.pipe(
  text,
  v.check((value) => value !== "" && parseWireguardKey(value) === null, KEY_FILE),
  v.check((value) => !isShellPath(value), WHOLE_PATH),
);
const publicKey = v.pipe(
  text,
  v.check(
    (value) => parseWireguardKey(value) !== null,
    "must be the peer's WireGuard public key, 44 characters of base64 as keygen prints it",
  ),
  v.transform((value) => parseWireguardKey(value)!),
);
const cidr = v.pipe(
  text,
  v.check((value) => parseCidr(value) !== null, 'must be like "10.66.0.1/24" or "fd66::1/64"'),
  v.transform((value): Cidr => parseCidr(value)!),
);
const prefix = v.pipe(cidr, v.transform(maskCidr));
const endpoint = v.pipe(
  text,
  v.check(
    (value) => parseEndpoint(value) !== null,
    'must be like "host:51820", "203.0.113.7:51820" or "[2001:db8::7]:51820"',
  ),
  v.transform((value): Endpoint => parseEndpoint(value)!),
);
const list = <Item extends v.GenericSchema<string, Cidr>>(item: Item, max: number) =>
  v.pipe(
    v.array(item, 'must be a list like ["10.66.0.0/24"]'),
    v.maxLength(max, `must hold at most ${max} prefixes`),
  );

const texts = <Item extends v.GenericSchema<string, unknown>>(item: Item, most: number) =>
  v.pipe(
    v.array(item, "must be a list in brackets"),
    v.maxLength(most, `must hold at most ${most}`),
  );
const nodeAddress = v.pipe(
  text,
  v.check(
    (value) => parseNodeAddress(value) !== null,
    'must be like "203.0.113.7:51820" or "p2p:…@host.example.org:51820"',
  ),
  v.transform((value): NodeAddress => parseNodeAddress(value)!),
);

/** One row: a type and what people read about it. */
const row = <Type extends v.GenericSchema>(type: Type, about: About) =>
  v.pipe(type, v.metadata(about as About & Record<string, unknown>));

// biome-ignore format: a table
const Interface = v.strictObject({
  name: v.optional(row(name, { value: "NAME", help: "Name of the network interface." }), "p2p0"),
  private_key_file: row(keyFile, { value: "FILE", help: "Identity from keygen, or a WireGuard private key; relative to the configuration." }),
  addresses: v.optional(row(list(cidr, LOCAL_ADDRESSES), { value: "PREFIXES", help: "Addresses of the interface, with prefix length." }), []),
  listen_port: v.optional(row(whole(0, 65_535), { value: "PORT", help: "UDP port; 0 lets the kernel choose." }), 51_820),
  listen_address: v.optional(row(addressOrAny, { value: "ADDRESS", help: "Address to receive on; empty is any." }), ""),
  bind_device: v.optional(row(nameOrNone, { value: "NAME", help: "Send and receive through this interface only; empty is any." }), ""),
  fwmark: v.optional(row(whole(0, 0xffff_ffff), { value: "MARK", help: "Firewall mark on outgoing datagrams; 0 is none." }), 0),
  mtu: v.optional(row(whole(576, 65_455), { value: "BYTES", help: "Largest packet inside the tunnel." }), 1_420),
  routes: v.optional(row(oneOf(["install", "leave"]), { value: "RULE", help: "Kernel routes for allowed IPs: install them, or leave them to others." }), "install"),
  state_dir: v.optional(row(path, { value: "FOLDER", help: "What outlives a restart is kept there; empty keeps nothing; relative to the configuration." }), "/var/lib/p2pvpn"),
  cipher: v.optional(row(oneOf(["auto", "chacha20poly1305", "aes256gcm"]), { value: "NAME", help: "Cipher suite; auto is AES-256-GCM with engines where it is faster at both ends, else ChaCha20-Poly1305; the others refuse all else." }), "auto"),
});

// biome-ignore format: a table
const Peer = v.strictObject({
  name: v.optional(row(peerName, { value: "NAME", flag: "name", help: "What commands call the peer; letters count alike in both cases." })),
  public_key: row(publicKey, { value: "KEY", help: "The peer's WireGuard public key, in base64." }),
  preshared_key_file: v.optional(row(keyFile, { value: "FILE", flag: "preshared-key-file", help: "File with a preshared key, as `wg genpsk` makes it; relative to the configuration." })),
  allowed_ips: v.optional(row(list(prefix, ROUTES_MAX), { value: "PREFIXES", flag: "allowed-ips", help: "What is routed to the peer, and what it may send from." }), []),
  endpoint: v.optional(row(endpoint, { value: "HOST:PORT", flag: "endpoint", help: "Where the peer is reached at first; it may roam." })),
  persistent_keepalive: v.optional(row(whole(0, 65_535), { value: "SECONDS", flag: "keepalive", help: "Send something this often, to keep a NAT open; 0 is never." }), 0),
});

// biome-ignore format: a table
const Network = v.strictObject({
  network_file: row(fileName, { value: "FILE", help: "The network's public file, from `network create`; relative to the configuration." }),
  certificate: row(fileName, { value: "FILE", help: "This host's certificate, from `network sign`; its addresses become the interface's; relative to the configuration." }),
  issuer: v.optional(row(fileName, { value: "FILE", help: "What this host may sign as an issuer, from `network issuer`: it renews members, and takes in those that `invite` invited; relative to the configuration." })),
  index: v.optional(row(texts(nodeAddress, NODES_MAX), { value: "NODES", help: "Index nodes, host and port; with a node id in front, nobody else is believed to be it." }), []),
  bootstrap: v.optional(row(texts(nodeAddress, NODES_MAX), { value: "NODES", help: "Members that are asked first, host and port; with a node id in front, nobody else is believed to be it." }), []),
  announce: v.optional(row(list(prefix, ANNOUNCED_MAX), { value: "PREFIXES", help: "Prefixes behind this host that members may reach through it; the certificate has to allow them." }), []),
  accept_routes: v.optional(row(list(prefix, ROUTES_MAX), { value: "PREFIXES", help: "Prefixes outside of the network's own that members may announce to this host." }), []),
  lan: v.optional(row(onOff, { value: "", help: "Find members on the local network by a beacon." }), true),
  neighbours: v.optional(row(whole(1, NEIGHBOURS_MAX), { value: "N", help: "Members with whom a session is kept up all the time; 1 on a metered link." }), 4),
});

/** One core is left to the I/O thread. */
const defaultThreads = (): number => Math.min(WORKERS_MAX, Math.max(1, availableParallelism() - 1));

// biome-ignore format: a table
const Engine = v.strictObject({
  threads: v.optional(row(whole(0, WORKERS_MAX), { value: "N", flag: "threads", help: "Worker threads for encryption; 0 does it in the I/O threads." }), defaultThreads),
  io_threads: v.optional(row(whole(1, IO_MAX), { value: "N", flag: "io-threads", help: "Threads that read and write packets." }), 1),
  gso: v.optional(row(onOff, { value: "", flag: "gso", help: "UDP segmentation offload when sending." }), true),
  gro: v.optional(row(onOff, { value: "", flag: "gro", help: "UDP receive offload." }), true),
  connected_sockets: v.optional(row(onOff, { value: "", flag: "connected-sockets", help: "A connected socket for each busy peer, so that strangers' floods miss it." }), true),
  tun_offload: v.optional(row(onOff, { value: "", flag: "tun-offload", help: "TCP and UDP segmentation offload on the tunnel interface." }), true),
  quirks: v.optional(row(oneOf(["avoid", "ignore"]), { value: "RULE", flag: "quirks", help: "Faults of kernels that only their version tells of: avoid what they touch, or ignore them." }), "avoid"),
  hand_over: v.optional(row(oneOf(["auto", "inline", "always"]), { value: "RULE", flag: "hand-over", help: "When packets go to a worker: auto, inline (never) or always." }), "auto"),
  log_level: v.optional(row(oneOf(LOG_LEVELS), { value: "LEVEL", flag: "log-level", help: "What is logged: nothing, or what is at least as grave." }), "info"),
  log_file: v.optional(row(path, { value: "FILE", flag: "log-file", help: "What is logged goes to the end of this file, which `reload` opens anew; empty is standard error; relative to the configuration." }), ""),
});

/** The whole file. */
export const ConfigFile = v.strictObject({
  interface: Interface,
  peer: v.optional(
    v.pipe(
      v.array(Peer, "must be written [[peer]], with two brackets"),
      v.maxLength(PEERS_MAX, `may be there ${PEERS_MAX} times at most`),
    ),
    [],
  ),
  network: v.optional(Network),
  engine: v.optional(Engine, {}),
});

/** A configuration file after its check. */
export type ConfigFile = v.InferOutput<typeof ConfigFile>;
export type EngineSettings = ConfigFile["engine"];
export type NetworkSettings = NonNullable<ConfigFile["network"]>;

/** What `start` takes besides a file; goes before its [engine]. */
export interface Flags extends Readonly<Partial<EngineSettings>> {
  /** New file for session secrets; never in a configuration (security.md 5). */
  readonly key_log?: string;
}

type Checked = ConfigFile["peer"][number];

/** What a file of either kind says, with its keys read; not yet checked as a whole. */
export interface Draft {
  readonly interface: Omit<ConfigFile["interface"], "private_key_file">;
  /** Null: it could not be read, and a mistake says so. */
  readonly identity: Identity | null;
  /** Null: the key stands in the file itself. */
  readonly privateKeyFile: string | null;
  readonly peers: readonly (Omit<Checked, "preshared_key_file"> & {
    readonly presharedKey: Uint8Array | null;
    /** Its place among the file's, from 0. */
    readonly number: number;
  })[];
  /** Null: the host is a member of none. */
  readonly network: NetworkConfig | null;
  readonly engine: EngineSettings;
}

/** The sections and their rows. */
export const SECTIONS = {
  interface: Interface,
  peer: Peer,
  network: Network,
  engine: Engine,
} as const;
export type SectionName = keyof typeof SECTIONS;

/** One setting, for help and docs. */
export interface Setting extends About {
  readonly section: SectionName;
  readonly key: string;
  readonly required: boolean;
  /** Undefined when there is none. */
  readonly fallback: unknown;
  /** The words that it may be; null when it is no choice of words. */
  readonly words: readonly string[] | null;
  /** Checks a value as the file's reader would; the text says what it must be. */
  readonly check: (value: unknown) => { readonly value: unknown } | { readonly problem: string };
}

/** A pipe begins with the type that it refines. */
const wordsOf = (type: v.GenericSchema): readonly string[] | null => {
  const { pipe } = type as { readonly pipe?: readonly [v.GenericSchema] };
  const { type: kind, options } = (pipe?.[0] ?? type) as {
    readonly type: string;
    readonly options?: readonly string[];
  };
  return kind === "picklist" && options !== undefined ? options : null;
};

const settingsOf = (section: SectionName): Setting[] =>
  Object.entries(SECTIONS[section].entries).map(([key, entry]) => {
    const inner = entry.type === "optional" ? entry.wrapped : entry;
    const about = v.getMetadata(inner as v.GenericSchema) as unknown as About;
    return {
      ...about,
      section,
      key,
      required: entry.type !== "optional",
      fallback: v.getDefault(entry as v.GenericSchema),
      words: wordsOf(inner as v.GenericSchema),
      check: (value) => {
        const result = v.safeParse(inner as v.GenericSchema, value);
        return result.success ? { value: result.output } : { problem: result.issues[0].message };
      },
    };
  });

/** Every setting, in the order of the file. */
export const SETTINGS: readonly Setting[] = (Object.keys(SECTIONS) as SectionName[]).flatMap(
  settingsOf,
);

/** The row of one key; undefined: the section has none. */
export const settingOf = (section: SectionName, key: string): Setting | undefined =>
  SETTINGS.find((one) => one.section === section && one.key === key);

/** The interface as the engine gets it. Units: `mtu` in bytes; keys 32 bytes. */
export interface InterfaceConfig {
  readonly name: string;
  /** Null: none is set yet, so no handshake is possible; UAPI may set one. */
  readonly identity: Identity | null;
  readonly addresses: readonly Cidr[];
  /** 0 lets the kernel choose. */
  readonly listenPort: number;
  /** "" is any. */
  readonly listenAddress: string;
  /** "" is any. */
  readonly bindDevice: string;
  /** 0 is none. */
  readonly fwmark: number;
  readonly mtu: number;
  readonly cipher: "auto" | "chacha20poly1305" | "aes256gcm";
}

/** A peer as the engine gets it; host bits of `allowedIps` are zero. */
export interface PeerConfig {
  /** Null: it has none. */
  readonly name: string | null;
  readonly publicKey: Uint8Array;
  readonly presharedKey: Uint8Array | null;
  readonly allowedIps: readonly Cidr[];
  readonly endpoint: Endpoint | null;
  /** Seconds; 0 is never. */
  readonly persistentKeepaliveS: number;
}

/** What the engine gets of the network that it is a member of. */
export interface NetworkConfig {
  /** Absolute. */
  readonly networkFile: string;
  readonly certificateFile: string;
  readonly index: readonly NodeAddress[];
  readonly bootstrap: readonly NodeAddress[];
  /** Host bits are zero. */
  readonly announce: readonly Cidr[];
  readonly acceptRoutes: readonly Cidr[];
  readonly lan: boolean;
  readonly neighbours: number;
  /** What is in the files, verified (members/): definition, and certificate with its bundle. */
  readonly definition: Uint8Array;
  readonly bundle: Uint8Array;
  readonly issuer: Uint8Array | null;
}

/** What the engine touches of the host besides its device. */
export interface HostConfig {
  /** The interface is set up when all is ready; else somebody else does. */
  readonly bringUp: boolean;
  /** Kernel routes for allowed IPs are installed and removed by the engine. */
  readonly installRoutes: boolean;
  /** Folder for what outlives a restart; null: nothing is kept. */
  readonly stateDir: string | null;
  /** New file for session secrets, for Wireshark (security.md 5); null: none. */
  readonly keyLogFile: string | null;
  readonly logLevel: LogLevel;
  /** Null: standard error. */
  readonly logFile: string | null;
}

/** Where a configuration came from, so that `reload` can read it again. */
export interface ConfigSource {
  /** Absolute. */
  readonly file: string;
  readonly flags: Flags;
  /** Absolute; null: the key stands in the file itself. */
  readonly privateKeyFile: string | null;
}

/** What `createEngine` takes. */
export interface EngineConfig {
  /** Absent when a program made the configuration. */
  readonly source?: ConfigSource;
  readonly interface: InterfaceConfig;
  readonly peers: readonly PeerConfig[];
  /** Null: the host is a member of none. */
  readonly network: NetworkConfig | null;
  readonly host: HostConfig;
  readonly engine: {
    /** Worker threads; 0 is all inline. */
    readonly threads: number;
    readonly ioThreads: number;
    readonly gso: boolean;
    readonly gro: boolean;
    readonly connectedSockets: boolean;
    readonly tunOffload: boolean;
    readonly quirks: "avoid" | "ignore";
    readonly handOver: "auto" | "inline" | "always";
  };
}
