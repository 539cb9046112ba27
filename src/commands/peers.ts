/**
 * peers — who a running engine knows, and how each is reached.
 */
import type { Command } from "commander";
import { askPeers, chooseEngine } from "../client.ts";
import type { PeerValue } from "../schema/control.ts";
import {
  type EngineOptions,
  formatAge,
  formatBytes,
  formatTable,
  printJson,
  printText,
} from "./print.ts";
import { addExamples, addInterfaceOption, addJsonOption, calledPeer } from "./shared.ts";

/** Tuning: more prefixes than this are told by number; --json has them all. */
const SHOWN_PREFIXES = 3;

const prefixes = (addresses: readonly string[]): string => {
  const more = addresses.length - SHOWN_PREFIXES;
  const shown = addresses.slice(0, SHOWN_PREFIXES).join(", ");
  return more > 0 ? `${shown} and ${more} more` : shown || "none";
};

const endpoint = (peer: PeerValue): string => {
  const { endpoint: address, endpointName: name, endpointProblem } = peer;
  if (name === null) return address ?? "unknown";
  const problem = endpointProblem === null ? null : `${name} does not resolve: ${endpointProblem}`;
  if (address === null) return problem ?? `${name} (not resolved)`;
  return problem === null ? address : `${address} (${problem})`;
};

const peerRow = (peer: PeerValue): string[] => [
  calledPeer(peer),
  prefixes(peer.addresses),
  endpoint(peer),
  peer.path,
  peer.cipher ?? "-",
  formatAge(peer.lastHandshakeMs),
  formatBytes(peer.rxBytes),
  formatBytes(peer.txBytes),
  peer.rttMs === null ? "-" : `${peer.rttMs.toFixed(1)} ms`,
];

const HEAD = ["peer", "addresses", "endpoint", "path", "cipher", "handshake", "in", "out", "rtt"];

/** The text of `peers`. */
export const formatPeers = (peers: readonly PeerValue[]): string =>
  peers.length === 0
    ? "There are no peers; add a [[peer]] to the configuration."
    : formatTable([HEAD, ...peers.map(peerRow)], [6, 7, 8]);

const peers = async (options: EngineOptions): Promise<void> => {
  const value = await askPeers(await chooseEngine(options.interface));
  if (options.json) printJson(value);
  else printText(formatPeers(value));
};

/** Describes `peers`. */
export const define = (command: Command): void => {
  addJsonOption(addInterfaceOption(command)).action(peers);
  addExamples(command, [
    "p2pvpn-engine peers",
    "p2pvpn-engine peers --json | jq -r '.[].endpoint'",
  ]);
};
