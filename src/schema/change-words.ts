/**
 * change-words — what a change changes, old and new, for people: the log and `reload`.
 *
 *     interface.mtu: 1420 → 1380
 *     peer laptop: endpoint 203.0.113.7:51820 → 203.0.113.9:51820, allowed_ips + 10.5.0.0/16
 *
 * Names are those of the file. Keys are never told. Pure; any thread.
 */
import { type Cidr, formatCidr } from "../wire/cidr.ts";
import type { Change, PeerChange } from "./change.ts";
import { type Endpoint, formatEndpoint } from "./config.ts";
import { sameKey } from "./identity.ts";

/** A peer before the change. */
export interface PeerBefore {
  readonly name: string | null;
  readonly presharedKey: Uint8Array | null;
  readonly endpoint: Endpoint | null;
  readonly persistentKeepaliveS: number;
  readonly allowedIps: Iterable<Cidr>;
}

/** An engine before the change. */
export interface Before {
  readonly privateKey: Uint8Array | null;
  readonly listenPort: number;
  readonly fwmark: number;
  readonly mtu: number;
  readonly peer: (publicKey: Uint8Array) => PeerBefore | undefined;
  /** Peers that there are. */
  readonly peers: number;
  /** How a peer without a name is called. */
  readonly called: (publicKey: Uint8Array) => string;
}

/** Tuning: prefixes of a peer that are told; the rest by number. */
const SHOWN_PREFIXES = 4;

const prefixes = (sign: "+" | "−", cidrs: readonly Cidr[]): string => {
  const more = cidrs.length - SHOWN_PREFIXES;
  const shown = cidrs.slice(0, SHOWN_PREFIXES).map(formatCidr).join(" ");
  return `${sign} ${shown}${more > 0 ? ` and ${more} more` : ""}`;
};

const allowedIps = (before: Iterable<Cidr>, change: PeerChange): string[] => {
  const had = new Map(Array.from(before, (cidr) => [formatCidr(cidr), cidr]));
  const given = change.allowedIps ?? [];
  const kept = new Set(given.map(formatCidr));
  const added = given.filter((cidr) => !had.has(formatCidr(cidr)));
  const removed = change.replaceAllowedIps
    ? [...had].flatMap(([text, cidr]) => (kept.has(text) ? [] : [cidr]))
    : (change.removedAllowedIps ?? []).filter((cidr) => had.has(formatCidr(cidr)));
  const parts = [
    ...(added.length > 0 ? [prefixes("+", added)] : []),
    ...(removed.length > 0 ? [prefixes("−", removed)] : []),
  ];
  return parts.length > 0 ? [`allowed_ips ${parts.join(" ")}`] : [];
};

const NOBODY: PeerBefore = {
  name: null,
  presharedKey: null,
  endpoint: null,
  persistentKeepaliveS: 0,
  allowedIps: [],
};

const endpointText = (endpoint: Endpoint | null): string =>
  endpoint === null ? "none" : formatEndpoint(endpoint);

/** What differs, a part each; new values alone for a peer that is new. */
const peerParts = (was: PeerBefore | undefined, change: PeerChange): string[] => {
  const before = was ?? NOBODY;
  const arrow = (name: string, from: unknown, to: unknown): string[] => {
    if (from === to) return [];
    return [was === undefined ? `${name} ${to}` : `${name} ${from} → ${to}`];
  };
  const { name, presharedKey, endpoint, persistentKeepaliveS } = change;
  const newKey = presharedKey !== undefined && !sameKey(presharedKey, before.presharedKey);
  return [
    ...(name === undefined || was === undefined ? [] : arrow("name", before.name, name)),
    ...(newKey ? ["preshared_key"] : []),
    ...(endpoint === undefined
      ? []
      : arrow("endpoint", endpointText(before.endpoint), endpointText(endpoint))),
    ...(persistentKeepaliveS === undefined
      ? []
      : arrow("persistent_keepalive", before.persistentKeepaliveS, persistentKeepaliveS)),
    ...allowedIps(before.allowedIps, change),
  ];
};

const peerWords = (change: PeerChange, before: Before): string[] => {
  const was = before.peer(change.publicKey);
  const name = was?.name ?? change.name ?? before.called(change.publicKey);
  if (change.remove) return was === undefined ? [] : [`peer ${name}: removed`];
  if (was === undefined && change.updateOnly) return [];
  const parts = peerParts(was, change).join(", ");
  if (was === undefined) return [`peer ${name}: added${parts === "" ? "" : `, ${parts}`}`];
  return parts === "" ? [] : [`peer ${name}: ${parts}`];
};

/** One text for each setting and each peer that becomes another. Errors: never. */
export const changeWords = (change: Change, before: Before): string[] => {
  const { privateKey, listenPort, fwmark, mtu, peers = [], replacePeers } = change;
  const arrow = (name: string, from: number, to: number | undefined): string[] =>
    to === undefined || from === to ? [] : [`interface.${name}: ${from} → ${to}`];
  const named = peers.filter((one) => before.peer(one.publicKey) !== undefined).length;
  const replaced = replacePeers ? before.peers - named : 0;
  return [
    ...(privateKey === undefined || sameKey(privateKey, before.privateKey)
      ? []
      : ["interface.private_key_file"]),
    ...arrow("listen_port", before.listenPort, listenPort),
    ...arrow("fwmark", before.fwmark, fwmark),
    ...arrow("mtu", before.mtu, mtu),
    ...(replaced > 0 ? [`${replaced} peer${replaced === 1 ? "" : "s"}: removed`] : []),
    ...peers.flatMap((one) => peerWords(one, before)),
  ];
};
