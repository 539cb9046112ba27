/**
 * uapi-twin — the configuration protocol, slow and obvious: a device of texts, line by line.
 *
 * Two ways lead to a device: `runLines` does what each line says, in order; `runChange` does what
 * a `Change` says, as its docstrings have it.
 */
import type { Change, DeviceState } from "../../src/schema/change.ts";
import { formatCidr, maskCidr, parseAddress, parseCidr } from "../../src/wire/cidr.ts";

export interface TwinPeer {
  psk: string;
  endpoint: string;
  keepalive: number;
}

export interface Twin {
  key: string;
  port: number;
  mark: number;
  /** By public key. */
  readonly peers: Map<string, TwinPeer>;
  /** Owner by prefix. */
  readonly owners: Map<string, string>;
}

export const ZERO = "0".repeat(64);
const newPeer = (): TwinPeer => ({ psk: ZERO, endpoint: "", keepalive: 0 });

export const emptyTwin = (): Twin => ({
  key: ZERO,
  port: 0,
  mark: 0,
  peers: new Map(),
  owners: new Map(),
});

export const copyTwin = (twin: Twin): Twin => structuredClone(twin);

const hex = (bytes: Uint8Array | null): string =>
  bytes === null ? ZERO : Buffer.from(bytes).toString("hex");

const disown = (twin: Twin, key: string): void => {
  for (const [prefix, owner] of twin.owners) if (owner === key) twin.owners.delete(prefix);
};

const removePeer = (twin: Twin, key: string): void => {
  disown(twin, key);
  twin.peers.delete(key);
};

const isKey = (value: string): boolean => /^[0-9a-fA-F]{64}$/.test(value);
const isWhole = (value: string, max: number): boolean =>
  /^[0-9]{1,10}$/.test(value) && Number(value) <= max;

const isEndpoint = (value: string): boolean => {
  const at = value.lastIndexOf(":");
  const port = value.slice(at + 1);
  if (at < 0 || !/^[0-9]{1,5}$/.test(port) || Number(port) < 1 || Number(port) > 65_535)
    return false;
  const host = value.slice(0, at);
  if (!host.startsWith("[")) return parseAddress(host)?.length === 4;
  const [address = "", scope] = host.slice(1, -1).split(/%(.*)/s);
  if (!host.endsWith("]") || (scope !== undefined && !/^[\w=+.-]{1,15}$/.test(scope))) return false;
  return parseAddress(address)?.length === 16;
};

const prefixOf = (value: string): string | null => {
  const cidr = value.includes("/") ? parseCidr(value) : null;
  return cidr === null ? null : formatCidr(maskCidr(cidr));
};

/** A line of the device. False: it is none. */
const deviceLine = (twin: Twin, key: string, value: string): boolean => {
  if (key === "private_key" && isKey(value)) twin.key = value.toLowerCase();
  else if (key === "listen_port" && isWhole(value, 65_535)) twin.port = Number(value);
  else if (
    key === "fwmark" &&
    (isWhole(value, 2 ** 32 - 1) || /^0[xX][0-9a-fA-F]{1,8}$/.test(value))
  )
    twin.mark = Number(value);
  else if (key === "replace_peers" && value === "true") {
    twin.peers.clear();
    twin.owners.clear();
  } else return false;
  return true;
};

/** A line of the peer `id`; without a peer it is only checked. */
const peerLine = (
  twin: Twin,
  id: string,
  peer: TwinPeer | null,
  key: string,
  value: string,
): boolean => {
  if (key === "allowed_ip") {
    const prefix = prefixOf(value.replace(/^-/, ""));
    if (prefix === null) return false;
    if (peer === null) return true;
    if (!value.startsWith("-")) twin.owners.set(prefix, id);
    else if (twin.owners.get(prefix) === id) twin.owners.delete(prefix);
    return true;
  }
  const kept = peer ?? newPeer();
  if (key === "preshared_key" && isKey(value)) kept.psk = value.toLowerCase();
  else if (key === "endpoint" && isEndpoint(value))
    kept.endpoint = value.replace(/:0+(?=\d+$)/, ":");
  else if (key === "persistent_keepalive_interval" && isWhole(value, 65_535))
    kept.keepalive = Number(value);
  else if (key === "replace_allowed_ips" && value === "true") {
    if (peer !== null) disown(twin, id);
  } else {
    const flag = (key === "remove" || key === "update_only") && value === "true";
    return flag || (key === "protocol_version" && value === "1");
  }
  return true;
};

const splitLine = (line: string): readonly [string, string] => {
  const at = line.indexOf("=");
  return at < 0 ? [line, "\n"] : [line.slice(0, at), line.slice(at + 1)];
};

/**
 * Does what the lines of a `set` say. Null: one of them is wrong.
 *
 * A section that removes its peer, or only updates one that is not there, does nothing else.
 */
export const runLines = (before: Twin, lines: readonly string[]): Twin | null => {
  const twin = copyTwin(before);
  let id: string | null = null;
  let peer: TwinPeer | null = null;
  for (const [i, line] of lines.entries()) {
    const [key, value] = splitLine(line);
    if (line.length > 1_024) return null;
    if (key === "public_key") {
      if (!isKey(value)) return null;
      id = value.toLowerCase();
      const rest = lines.slice(i + 1);
      const next = rest.findIndex((one) => one.startsWith("public_key="));
      const section = next < 0 ? rest : rest.slice(0, next);
      if (section.includes("remove=true")) removePeer(twin, id);
      const known = twin.peers.get(id);
      const silent = section.includes("remove=true") || section.includes("update_only=true");
      if (known === undefined && !silent) twin.peers.set(id, newPeer());
      peer = twin.peers.get(id) ?? null;
    } else if (
      id === null ? !deviceLine(twin, key, value) : !peerLine(twin, id, peer, key, value)
    ) {
      return null;
    }
  }
  return twin;
};

/** Does what a change says. */
export const runChange = (before: Twin, change: Change): Twin => {
  const twin = copyTwin(before);
  if (change.privateKey !== undefined) twin.key = hex(change.privateKey);
  twin.port = change.listenPort ?? twin.port;
  twin.mark = change.fwmark ?? twin.mark;
  const entries = change.peers ?? [];
  if (change.replacePeers) {
    const named = new Set(entries.map((entry) => hex(entry.publicKey)));
    for (const id of [...twin.peers.keys()]) if (!named.has(id)) removePeer(twin, id);
  }
  for (const entry of entries) {
    const id = hex(entry.publicKey);
    if (entry.remove) removePeer(twin, id);
    if (entry.remove || (entry.updateOnly && !twin.peers.has(id))) continue;
    const peer = twin.peers.get(id) ?? newPeer();
    twin.peers.set(id, peer);
    if (entry.presharedKey !== undefined) peer.psk = hex(entry.presharedKey);
    if (entry.endpoint !== undefined) {
      const { host, port } = entry.endpoint ?? { host: "", port: 0 };
      peer.endpoint = host === "" ? "" : `${host.includes(":") ? `[${host}]` : host}:${port}`;
    }
    peer.keepalive = entry.persistentKeepaliveS ?? peer.keepalive;
    if (entry.replaceAllowedIps) disown(twin, id);
    for (const cidr of entry.allowedIps ?? []) twin.owners.set(formatCidr(cidr), id);
    for (const cidr of entry.removedAllowedIps ?? []) {
      if (twin.owners.get(formatCidr(cidr)) === id) twin.owners.delete(formatCidr(cidr));
    }
  }
  return twin;
};

/** A device that can be asked with `get`; peers and prefixes are sorted. */
export const stateOf = (twin: Twin): DeviceState => ({
  privateKey: twin.key === ZERO ? null : Buffer.from(twin.key, "hex"),
  listenPort: twin.port,
  fwmark: twin.mark,
  peers: [...twin.peers].sort().map(([id, peer]) => ({
    publicKey: Buffer.from(id, "hex"),
    presharedKey: peer.psk === ZERO ? null : Buffer.from(peer.psk, "hex"),
    endpoint: peer.endpoint === "" ? null : peer.endpoint,
    persistentKeepaliveS: peer.keepalive,
    allowedIps: [...twin.owners]
      .filter(([, owner]) => owner === id)
      .sort()
      .map(([prefix]) => parseCidr(prefix)!),
    lastHandshakeUnixMs: 0,
    rxBytes: 0,
    txBytes: 0,
  })),
});

/** Errno of an operation's lines; what it makes of a device. */
export const runOperation = (before: Twin, lines: readonly string[]): [number, Twin] => {
  const [head, ...rest] = lines;
  if (head === "get=1") return [rest.length === 0 ? 0 : 22, before];
  const after = head === "set=1" ? runLines(before, rest) : null;
  return after === null ? [22, before] : [0, after];
};
