/**
 * peers — who a running engine knows, and how each is reached: a table where it fits the screen, a
 * card for each peer where it does not.
 */
import type { Command } from "commander";
import { askPeers } from "../client.ts";
import type { PeerValue } from "../schema/requests.ts";
import { type EngineOptions, formatBoth, formatShort, formatTable, indent } from "./print.ts";
import { paint, type Screen, type Style, screenOf, wrap } from "./screen.ts";
import { addExamples, addInterface, addJsonOption, showEngines } from "./shared.ts";

/** Tuning: more prefixes are told by number in a table; cards and --json have them all. */
const SHOWN_PREFIXES = 2;
/** Tuning: this much of a key is shown at least, and more where another key begins alike. */
const KEY_SHOWN = 8;

const CIPHERS: Readonly<Record<string, string>> = {
  aes256gcm: "AES",
  chacha20poly1305: "ChaCha20",
};

const STYLES: Readonly<Record<PeerValue["state"], Style | null>> = {
  connected: "good",
  silent: "bad",
  calling: "odd",
  idle: null,
  waiting: "faint",
};

/** "connected, AES", "no answer for 40 s". */
export const formatState = (peer: PeerValue): string => {
  switch (peer.state) {
    case "connected":
      return peer.cipher === null ? "connected" : `connected, ${CIPHERS[peer.cipher]}`;
    case "silent":
      return `no answer for ${formatShort(peer.silentMs ?? 0)}`;
    case "calling":
      return "calling";
    case "idle":
      return "idle";
    case "waiting":
      return (peer.endpoint ?? peer.endpointName) ? "never connected" : "has not called yet";
  }
};

/** A prefix of one address as that address. */
const shortPrefix = (prefix: string): string =>
  prefix.replace(prefix.includes(":") ? /\/128$/ : /\/32$/, "");

const addressCell = (addresses: readonly string[], most: number): string => {
  const more = addresses.length - most;
  const shown = addresses.slice(0, most).map(shortPrefix).join(" ");
  return more > 0 ? `${shown} +${more}` : shown || "none";
};

const endpointCell = (peer: PeerValue): string => {
  const { endpoint: address, endpointName: name, endpointProblem } = peer;
  if (name === null) return address ?? "not known yet";
  const problem = endpointProblem === null ? null : `${name} does not resolve: ${endpointProblem}`;
  if (address === null) return problem ?? `${name} (not resolved)`;
  return problem === null ? address : `${address} (${problem})`;
};

const ageCell = (ms: number | null): string => {
  if (ms === null) return "never";
  return ms < 1_000 ? "just now" : `${formatShort(ms)} ago`;
};

const tripCell = (ms: number | null): string => (ms === null ? "-" : `${ms.toFixed(1)} ms`);

/** A peer with what it is called on the screen: its name, or how its key begins. */
interface Called {
  readonly called: string;
  readonly peer: PeerValue;
}

const shortKey = (key: string, keys: readonly string[]): string => {
  for (let length = KEY_SHOWN; length < key.length; length++) {
    const start = key.slice(0, length);
    if (keys.every((other) => other === key || !other.startsWith(start))) return `${start}…`;
  }
  return key;
};

/** In the order in which the engine has them, which is the file's. */
const named = (peers: readonly PeerValue[]): Called[] => {
  const nameless = peers.filter(({ name }) => name === null);
  const keys = nameless.map((peer) => peer.wireguardPublicKey);
  return peers.map((peer) => ({
    called: peer.name ?? shortKey(peer.wireguardPublicKey, keys),
    peer,
  }));
};

interface Wishes {
  /** Prefixes of a peer in its row. */
  readonly prefixes: number;
  readonly roundTrip: boolean;
}

const HEAD = ["peer", "state", "address", "endpoint", "handshake", "in / out"] as const;
const STATE_COLUMN = HEAD.indexOf("state");

const table = (peers: readonly Called[], { prefixes, roundTrip }: Wishes, screen: Screen) => {
  const rows = peers.map(({ called, peer }) => [
    called,
    formatState(peer),
    addressCell(peer.addresses, prefixes),
    endpointCell(peer),
    ageCell(peer.lastHandshakeMs),
    formatBoth(peer.rxBytes, peer.txBytes),
    ...(roundTrip ? [tripCell(peer.rttMs)] : []),
  ]);
  const head = roundTrip ? [...HEAD, "round trip"] : HEAD;
  const styled = (cell: string, row: number, column: number): string => {
    if (row === 0) return paint(screen, "faint", cell);
    return column === STATE_COLUMN ? paint(screen, STYLES[peers[row - 1]!.peer.state], cell) : cell;
  };
  const plain = formatTable([head, ...rows]);
  const fits = Math.max(...plain.split("\n").map((line) => line.length)) + 2 <= screen.columns;
  return fits ? indent(formatTable([head, ...rows], [], styled)) : null;
};

/** Everything of one peer, in lines that fit. */
const card = ({ peer }: Called, roundTrip: boolean, screen: Screen): string => {
  const title = `  ${peer.name ?? peer.wireguardPublicKey}`;
  const state = paint(screen, STYLES[peer.state], formatState(peer));
  const fits = title.length + 2 + formatState(peer).length <= screen.columns;
  const line = (...parts: string[]): string => wrap(parts, screen, { gap: ", ", first: "    " });
  const traffic = `in / out ${formatBoth(peer.rxBytes, peer.txBytes)}`;
  const trip = roundTrip && peer.rttMs !== null ? [`round trip ${tripCell(peer.rttMs)}`] : [];
  return [
    fits ? `${title}  ${state}` : `${title}\n    ${state}`,
    line(...(peer.addresses.length === 0 ? ["no address"] : peer.addresses.map(shortPrefix))),
    line(
      `endpoint ${endpointCell(peer)}`,
      `handshake ${ageCell(peer.lastHandshakeMs)}`,
      traffic,
      ...trip,
    ),
  ].join("\n");
};

/** The text of `peers`, and the second half of that of `status`, which has no round trips. */
export const formatPeers = (
  peers: readonly PeerValue[],
  screen: Screen,
  { roundTrip = true }: { readonly roundTrip?: boolean } = {},
): string => {
  if (peers.length === 0) return "There are no peers; add a [[peer]] to the configuration.";
  const all = named(peers);
  const wide: Wishes = { prefixes: SHOWN_PREFIXES, roundTrip };
  return (
    table(all, wide, screen) ??
    table(all, { ...wide, prefixes: 1 }, screen) ??
    table(all, { prefixes: 1, roundTrip: false }, screen) ??
    all.map((peer) => card(peer, roundTrip, screen)).join("\n")
  );
};

const peers = async (options: EngineOptions): Promise<void> => {
  await showEngines(options, async (name) => {
    const value = await askPeers(name);
    return { value, text: () => formatPeers(value, screenOf()) };
  });
};

/** Describes `peers`. */
export const define = (command: Command): void => {
  addJsonOption(addInterface(command, peers));
  addExamples(command, [
    "p2pvpn-engine peers",
    "p2pvpn-engine peers --json | jq -r '.[].endpoint'",
  ]);
};
