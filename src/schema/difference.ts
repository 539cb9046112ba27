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
import type { EngineConfig, InterfaceConfig, LogLevel, PeerConfig } from "./config.ts";
import { formatWireguardKey, sameKey } from "./identity.ts";

export interface Difference {
  /** For control, whole or not at all. */
  readonly change: Change;
  /** Of the interface, with their prefix lengths. */
  readonly addresses: { readonly add: readonly Cidr[]; readonly remove: readonly Cidr[] };
  /** Null: as it is. */
  readonly logLevel: LogLevel | null;
  /** What the change does, for people: "interface.mtu", "peer laptop: endpoint". */
  readonly changed: readonly string[];
  /** Settings that differ and stay as they are until the next start. */
  readonly needsRestart: readonly string[];
}

/** Prefixes of `these` that are not in `those`. */
const without = (these: readonly Cidr[], those: readonly Cidr[]): Cidr[] => {
  const known = new Set(those.map(formatCidr));
  return these.filter((cidr) => !known.has(formatCidr(cidr)));
};

/** "laptop", or the key when it has no name. */
const called = (peer: PeerConfig): string => peer.name ?? formatWireguardKey(peer.publicKey);

const newPeer = (peer: PeerConfig): PeerChange => ({
  publicKey: peer.publicKey,
  name: peer.name,
  presharedKey: peer.presharedKey,
  endpoint: peer.endpoint,
  persistentKeepaliveS: peer.persistentKeepaliveS,
  replaceAllowedIps: true,
  allowedIps: peer.allowedIps,
});

/** What differs between two peers of one key, by the settings' names in the file. */
const changedPeer = (before: PeerConfig, after: PeerConfig): [PeerChange, string[]] => {
  const added = without(after.allowedIps, before.allowedIps);
  const removed = without(before.allowedIps, after.allowedIps);
  const { endpoint: was } = before;
  const { endpoint: is } = after;
  const names: string[] = [];
  const when = (differs: boolean, name: string, part: Partial<PeerChange>): Partial<PeerChange> => {
    if (differs) names.push(name);
    return differs ? part : {};
  };
  const change: PeerChange = {
    publicKey: after.publicKey,
    ...when(before.name !== after.name, "name", { name: after.name }),
    ...when(!sameKey(before.presharedKey, after.presharedKey), "preshared_key", {
      presharedKey: after.presharedKey,
    }),
    ...when(was?.host !== is?.host || was?.port !== is?.port, "endpoint", { endpoint: is }),
    ...when(before.persistentKeepaliveS !== after.persistentKeepaliveS, "persistent_keepalive", {
      persistentKeepaliveS: after.persistentKeepaliveS,
    }),
    ...when(added.length + removed.length > 0, "allowed_ips", {
      ...(added.length > 0 ? { allowedIps: added } : {}),
      ...(removed.length > 0 ? { removedAllowedIps: removed } : {}),
    }),
  };
  return [change, names];
};

/** Those that leave first, so that their places are free for those that come. */
const peerChanges = (
  before: readonly PeerConfig[],
  after: readonly PeerConfig[],
): [PeerChange[], string[]] => {
  const key = (peer: PeerConfig): string => formatWireguardKey(peer.publicKey);
  const old = new Map(before.map((peer) => [key(peer), peer]));
  const kept = new Set(after.map(key));
  const changes: PeerChange[] = [];
  const words: string[] = [];
  for (const peer of before) {
    if (kept.has(key(peer))) continue;
    changes.push({ publicKey: peer.publicKey, remove: true });
    words.push(`peer ${called(peer)}: removed`);
  }
  for (const peer of after) {
    const known = old.get(key(peer));
    if (known === undefined) {
      changes.push(newPeer(peer));
      words.push(`peer ${called(peer)}: added`);
      continue;
    }
    const [change, names] = changedPeer(known, peer);
    if (names.length === 0) continue;
    changes.push(change);
    words.push(`peer ${called(peer)}: ${names.join(", ")}`);
  }
  return [changes, words];
};

/** The live settings of [interface] that differ. */
const linkChange = (before: InterfaceConfig, after: InterfaceConfig): [Change, string[]] => {
  const change: { -readonly [Key in keyof Change]: Change[Key] } = {};
  const words: string[] = [];
  if (isNewKey(before, after) && keyIsLive(before, after)) {
    change.privateKey = after.identity?.privateKey ?? null;
    words.push("interface.private_key_file");
  }
  if (before.listenPort !== after.listenPort) {
    change.listenPort = after.listenPort;
    words.push("interface.listen_port");
  }
  if (before.fwmark !== after.fwmark) {
    change.fwmark = after.fwmark;
    words.push("interface.fwmark");
  }
  if (before.mtu !== after.mtu) {
    change.mtu = after.mtu;
    words.push("interface.mtu");
  }
  return [change, words];
};

const isNewKey = (before: InterfaceConfig, after: InterfaceConfig): boolean =>
  !sameKey(before.identity?.privateKey ?? null, after.identity?.privateKey ?? null) ||
  before.identity?.nodeId !== after.identity?.nodeId;

/** A node id stands for one host as long as it runs (security.md 32). */
const keyIsLive = (before: InterfaceConfig, after: InterfaceConfig): boolean =>
  (before.identity?.nodeId ?? null) === null && (after.identity?.nodeId ?? null) === null;

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
    ["start --key-log", host.keyLogFile, after.host.keyLogFile],
    ["engine.threads", engine.threads, after.engine.threads],
    ["engine.io_threads", engine.ioThreads, after.engine.ioThreads],
    ["engine.gso", engine.gso, after.engine.gso],
    ["engine.gro", engine.gro, after.engine.gro],
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
  const [link, linkWords] = linkChange(before.interface, after.interface);
  const [peers, peerWords] = peerChanges(before.peers, after.peers);
  const add = without(after.interface.addresses, before.interface.addresses);
  const remove = without(before.interface.addresses, after.interface.addresses);
  const level = after.host.logLevel;
  const newLevel = level !== before.host.logLevel;
  return {
    change: { ...link, ...(peers.length > 0 ? { peers } : {}) },
    addresses: { add, remove },
    logLevel: newLevel ? level : null,
    changed: [
      ...linkWords,
      ...(add.length + remove.length > 0 ? ["interface.addresses"] : []),
      ...(newLevel ? ["engine.log_level"] : []),
      ...peerWords,
    ],
    needsRestart: restartNames(before, after),
  };
};
