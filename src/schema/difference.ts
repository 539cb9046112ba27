/**
 * difference — from the configuration that runs to the one that was read anew, for `reload`.
 *
 * Only what differs is in the change, so that a peer that stands the same in both keeps its
 * sessions, its endpoint of the moment and its counts. Prefixes that move between peers are given
 * before they are taken: the old owner's `removedAllowedIps` then finds nothing to take.
 *
 * Pure; any thread.
 */
import { type Cidr, formatCidr } from "../wire/cidr.ts";
import type { Change, PeerChange } from "./change.ts";
import { changeWords } from "./change-words.ts";
import type {
  EngineConfig,
  InterfaceConfig,
  LogLevel,
  NetworkConfig,
  PeerConfig,
} from "./config.ts";
import { formatWireguardKey, sameKey } from "./identity.ts";
import { networkValues } from "./settings.ts";

export interface Difference {
  /** For control, whole or not at all. */
  readonly change: Change;
  /** Of the interface, with their prefix lengths. */
  readonly addresses: { readonly add: readonly Cidr[]; readonly remove: readonly Cidr[] };
  /** Null: as it is. */
  readonly logLevel: LogLevel | null;
  /** What becomes another, old and new, for people; see change-words.ts. */
  readonly changed: readonly string[];
  /** Settings that differ and stay as they are until the next start. */
  readonly needsRestart: readonly string[];
}

/** Prefixes of `these` that are not in `those`. */
const without = (these: readonly Cidr[], those: readonly Cidr[]): Cidr[] => {
  const known = new Set(those.map(formatCidr));
  return these.filter((cidr) => !known.has(formatCidr(cidr)));
};

const newPeer = (peer: PeerConfig): PeerChange => ({
  publicKey: peer.publicKey,
  name: peer.name,
  presharedKey: peer.presharedKey,
  endpoint: peer.endpoint,
  persistentKeepaliveS: peer.persistentKeepaliveS,
  replaceAllowedIps: true,
  allowedIps: peer.allowedIps,
});

/** What differs between two peers of one key; null: nothing does. */
const changedPeer = (before: PeerConfig, after: PeerConfig): PeerChange | null => {
  const added = without(after.allowedIps, before.allowedIps);
  const removed = without(before.allowedIps, after.allowedIps);
  const { endpoint: was } = before;
  const { endpoint: is } = after;
  const parts: readonly (readonly [boolean, Partial<PeerChange>])[] = [
    [before.name !== after.name, { name: after.name }],
    [!sameKey(before.presharedKey, after.presharedKey), { presharedKey: after.presharedKey }],
    [was?.host !== is?.host || was?.port !== is?.port, { endpoint: is }],
    [
      before.persistentKeepaliveS !== after.persistentKeepaliveS,
      { persistentKeepaliveS: after.persistentKeepaliveS },
    ],
    [added.length > 0, { allowedIps: added }],
    [removed.length > 0, { removedAllowedIps: removed }],
  ];
  const differing = parts.flatMap(([differs, part]) => (differs ? [part] : []));
  if (differing.length === 0) return null;
  return Object.assign({ publicKey: after.publicKey }, ...differing) as PeerChange;
};

const keyOf = (peer: { readonly publicKey: Uint8Array }): string =>
  formatWireguardKey(peer.publicKey);

/** Those that leave first, so that their places are free for those that come. */
const peerChanges = (
  before: ReadonlyMap<string, PeerConfig>,
  after: readonly PeerConfig[],
): PeerChange[] => {
  const kept = new Set(after.map(keyOf));
  const gone = [...before].flatMap(([key, { publicKey }]): PeerChange[] =>
    kept.has(key) ? [] : [{ publicKey, remove: true }],
  );
  const changed = after.flatMap((peer): PeerChange[] => {
    const known = before.get(keyOf(peer));
    const change = known === undefined ? newPeer(peer) : changedPeer(known, peer);
    return change === null ? [] : [change];
  });
  return [...gone, ...changed];
};

/** The live settings of [interface] that differ. */
const linkChange = (before: InterfaceConfig, after: InterfaceConfig): Change => ({
  ...(isNewKey(before, after) && keyIsLive(before, after)
    ? { privateKey: after.identity?.privateKey ?? null }
    : {}),
  ...(before.listenPort === after.listenPort ? {} : { listenPort: after.listenPort }),
  ...(before.fwmark === after.fwmark ? {} : { fwmark: after.fwmark }),
  ...(before.mtu === after.mtu ? {} : { mtu: after.mtu }),
});

const isNewKey = (before: InterfaceConfig, after: InterfaceConfig): boolean =>
  !sameKey(before.identity?.privateKey ?? null, after.identity?.privateKey ?? null) ||
  before.identity?.nodeId !== after.identity?.nodeId;

/** A node id stands for one host as long as it runs (security.md 32). */
const keyIsLive = (before: InterfaceConfig, after: InterfaceConfig): boolean =>
  (before.identity?.nodeId ?? null) === null && (after.identity?.nodeId ?? null) === null;

/** Of [network], as texts; what is renewed in its files is no setting. */
const networkRows = (
  before: NetworkConfig | null,
  after: NetworkConfig | null,
): (readonly [name: string, was: unknown, is: unknown])[] => {
  const [was, is] = [networkValues(before), networkValues(after)];
  const names = new Set([...Object.keys(was), ...Object.keys(is)]);
  return [...names].map((name) => [name, String(was[name]), String(is[name])]);
};

/** What only a new start brings, by the settings' names. */
const restartNames = (before: EngineConfig, after: EngineConfig): string[] => {
  const { interface: link, host, engine } = before;
  // biome-ignore format: a table
  const rows: readonly (readonly [name: string, was: unknown, is: unknown])[] = [
    ["interface.name", link.name, after.interface.name],
    ["interface.listen_address", link.listenAddress, after.interface.listenAddress],
    ["interface.bind_device", link.bindDevice, after.interface.bindDevice],
    ["interface.cipher", link.cipher, after.interface.cipher],
    ["interface.routes", host.installRoutes, after.host.installRoutes],
    ["interface.state_dir", host.stateDir, after.host.stateDir],
    ...networkRows(before.network, after.network),
    ["engine.log_file", host.logFile, after.host.logFile],
    ["start --key-log", host.keyLogFile, after.host.keyLogFile],
    ["engine.threads", engine.threads, after.engine.threads],
    ["engine.io_threads", engine.ioThreads, after.engine.ioThreads],
    ["engine.gso", engine.gso, after.engine.gso],
    ["engine.gro", engine.gro, after.engine.gro],
    ["engine.connected_sockets", engine.connectedSockets, after.engine.connectedSockets],
    ["engine.tun_offload", engine.tunOffload, after.engine.tunOffload],
    ["engine.quirks", engine.quirks, after.engine.quirks],
    ["engine.hand_over", engine.handOver, after.engine.handOver],
  ];
  const names = rows.filter(([, was, is]) => was !== is).map(([name]) => name);
  const dead =
    isNewKey(link, after.interface) && !keyIsLive(link, after.interface)
      ? ["interface.private_key_file"]
      : [];
  return [...dead, ...names];
};

/**
 * What has to be done to a running engine so that `before` becomes `after`.
 *
 * Thread: any.   Errors: never.
 */
export const difference = (before: EngineConfig, after: EngineConfig): Difference => {
  const known = new Map(before.peers.map((peer) => [keyOf(peer), peer]));
  const { interface: link, host } = before;
  const peers = peerChanges(known, after.peers);
  const change = {
    ...linkChange(link, after.interface),
    ...(peers.length > 0 ? { peers } : {}),
  };
  const add = without(after.interface.addresses, link.addresses);
  const remove = without(link.addresses, after.interface.addresses);
  const level = after.host.logLevel;
  const newLevel = level !== host.logLevel;
  const words = changeWords(change, {
    ...link,
    privateKey: link.identity?.privateKey ?? null,
    peer: (publicKey) => known.get(formatWireguardKey(publicKey)),
    peers: known.size,
    called: formatWireguardKey,
  });
  const list = (cidrs: readonly Cidr[]): string => cidrs.map(formatCidr).join(" ") || "none";
  const addresses = `${list(link.addresses)} → ${list(after.interface.addresses)}`;
  return {
    change,
    addresses: { add, remove },
    logLevel: newLevel ? level : null,
    changed: [
      ...(add.length + remove.length > 0 ? [`interface.addresses: ${addresses}`] : []),
      ...(newLevel ? [`engine.log_level: ${host.logLevel} → ${level}`] : []),
      ...words,
    ],
    needsRestart: restartNames(before, after),
  };
};
