/**
 * status — what a person wants to know of a running engine first; all the rest behind `--all`.
 */
import type { Command } from "commander";
import { ask, askPeers } from "../client.ts";
import { COUNTS, type CounterRow, DROPS } from "../memory/layout.ts";
import { OFFLOADS } from "../offloads.ts";
import type { NetworkStatus } from "../schema/answers.ts";
import type { Counts, PeerValue, StatusValue } from "../schema/requests.ts";
import { formatPeers } from "./peers.ts";
import {
  type EngineOptions,
  formatAmount,
  formatCount,
  formatDuration,
  formatShort,
  formatTable,
  formatTraffic,
  indent,
} from "./print.ts";
import { paint, type Screen, screenOf, wrap } from "./screen.ts";
import { addExamples, addInterface, addJsonOption, showEngines } from "./shared.ts";

interface Options extends EngineOptions {
  readonly all?: boolean;
}

/** Tuning: more peers than this are told by number; those that do not answer are shown first. */
const SHOWN_PEERS = 20;
/** Tuning: drop reasons and warnings in the short text. */
const SHOWN_DROPS = 3;
const SHOWN_WARNINGS = 3;

/** Drops of a tunnel in good health: the kernel's own multicast, and what TCP is told by. */
const HARMLESS: readonly string[] = ["linkOnly", "standingQueue"];

const formatDrops = (drops: Counts): string => {
  const rows = Object.entries(drops)
    .filter(([name, count]) => count > 0 && !HARMLESS.includes(name))
    .sort(([, a], [, b]) => b - a);
  if (rows.length === 0) return "none worth a look";
  const more = rows.length - SHOWN_DROPS;
  const shown = rows.slice(0, SHOWN_DROPS).map(([name, count]) => `${formatCount(count)} ${name}`);
  return `${shown.join(", ")}${more > 0 ? ` and ${more} more` : ""} (--all says why)`;
};

/** "1 of 2 peers connected". */
const formatConnected = (peers: readonly PeerValue[]): string => {
  const connected = peers.filter((peer) => peer.state === "connected").length;
  return `${connected} of ${formatAmount(peers.length, "peer")} connected`;
};

const total = (peers: readonly PeerValue[], key: "rxBytes" | "txBytes"): string =>
  formatTraffic(peers.reduce((sum, peer) => sum + peer[key], 0));

/** The network's line, and what is wrong there. */
const formatNetwork = (membership: NetworkStatus | null, screen: Screen): string[] => {
  if (membership === null) return [];
  const { name, self, members, sessions, neighbours, revoked, waiting, indexes } = membership;
  const { stored } = membership.directory;
  const open = indexes.filter(({ state }) => state === "open").length;
  const facts = [
    `${self} of ${name}`,
    formatAmount(members, "member"),
    `${formatAmount(sessions, "session")}, ${neighbours.length} kept up`,
    `${revoked} revoked`,
    ...(indexes.length === 0 ? [] : [`${open} of ${formatAmount(indexes.length, "index node")}`]),
    ...(stored === null ? [] : [`${formatAmount(stored, "record")} stored`]),
  ];
  const { problems, strangers } = membership;
  const worries = [
    ...problems,
    ...(waiting === 0
      ? []
      : [`${formatAmount(waiting, "member")} found no place among the peers.`]),
    ...strangers.map((one) => `${one.name} was refused: ${one.problems.join(" ")}`),
  ];
  const odd = worries.map((line) =>
    paint(screen, "odd", wrap(line.split(" "), screen, { gap: " " })),
  );
  return [wrap(facts, screen), ...odd];
};

/** What is out of the ordinary, a line each. */
const formatWorries = (status: StatusValue, all: boolean, screen: Screen): string[] => {
  const { warnings, defence, keyLog } = status;
  const shown = all ? warnings : warnings.slice(-SHOWN_WARNINGS);
  const older = warnings.length - shown.length;
  const lines = [
    ...(defence.rung === 0 ? [] : [`${defence.state} (rung ${defence.rung})`]),
    ...(keyLog ? ["key log ON: the secrets of every session go into a file"] : []),
    ...(older > 0 ? [`${formatAmount(older, "older warning")}: --all shows them`] : []),
    ...shown.map(({ ageMs, text }) => `warning, ${formatShort(ageMs)} ago: ${text}`),
  ];
  return lines.map((line) => paint(screen, "odd", wrap(line.split(" "), screen, { gap: " " })));
};

/** Those that want to be seen, when there are too many to show all. */
const peersShown = (peers: readonly PeerValue[]): readonly PeerValue[] => {
  if (peers.length <= SHOWN_PEERS) return peers;
  const isSilent = (peer: PeerValue): boolean => peer.state === "silent";
  const others = peers.filter((peer) => !isSilent(peer));
  return [...peers.filter(isSilent), ...others].slice(0, SHOWN_PEERS);
};

/** The text of `status`. */
export const formatStatus = (
  status: StatusValue,
  peers: readonly PeerValue[],
  screen: Screen,
  all = false,
): string => {
  const facts = [
    status.interface,
    status.up ? `up ${formatShort(status.startedMs)}` : "interface is down",
    ...(status.addresses.length === 0 ? [] : [status.addresses.join(" ")]),
    `UDP ${status.listenPort}`,
    `process ${status.pid}`,
  ];
  const sums = `${total(peers, "rxBytes")} in, ${total(peers, "txBytes")} out`;
  const drops = `drops: ${formatDrops(status.drops)}`;
  const head = [
    wrap(facts, screen),
    wrap([formatConnected(peers), sums, drops], screen, { gap: "; " }),
    ...formatNetwork(status.membership, screen),
    ...formatWorries(status, all, screen),
  ];
  const shown = peersShown(peers);
  const more = peers.length - shown.length;
  const list = formatPeers(shown, screen, { roundTrip: false });
  const rest = more > 0 ? `\n  and ${more} more: p2pvpn-engine peers -i ${status.interface}` : "";
  const text = `${head.join("\n")}\n\n${list}${rest}`;
  return all ? `${text}\n\n${formatAll(status)}` : text;
};

/** Rows of the counters that are not 0, in the order of `table`, with unit and meaning. */
const counterRows = (counts: Counts, table: readonly CounterRow[]): string[][] =>
  Object.entries(counts)
    .filter(([, count]) => count !== 0)
    .map(([name, count]) => {
      const row = table.find((one) => one.name === name);
      return [name, formatCount(count), row?.unit ?? "", row?.doc ?? ""];
    });

const FEATURES: Readonly<Record<keyof StatusValue["features"], string>> = {
  ...OFFLOADS,
  connectedSockets: "connected sockets",
  aesHardware: "AES instructions",
  aes256gcm: "AES suite",
};

/** What `--all` adds: what the engine is, and every counter. */
const formatAll = (status: StatusValue): string => {
  const feature = (key: keyof StatusValue["features"]): string => {
    const why = status.offBecause[key];
    const off = why === undefined ? "off" : `off (${why})`;
    return `${FEATURES[key]} ${status.features[key] ? "on" : off}`;
  };
  const { state, rung } = status.defence;
  const facts = formatTable([
    ["interface", status.interface],
    ["node id", status.nodeId ?? "none (plain WireGuard key)"],
    ["public key", status.wireguardPublicKey || "none yet"],
    ["MTU", `${status.mtu} bytes`],
    ["cipher", status.cipher],
    [
      "threads",
      `${formatAmount(status.ioThreads, "I/O thread")}, ${formatAmount(status.threads, "worker")}`,
    ],
    ["features", (Object.keys(FEATURES) as (keyof typeof FEATURES)[]).map(feature).join(", ")],
    ["key log", status.keyLog ? "ON: the secrets of every session go into a file" : "off"],
    ["defence", rung === 0 ? state : `${state} (rung ${rung})`],
    ["up for", formatDuration(status.startedMs)],
  ]);
  const part = (title: string, rows: string[][]): string =>
    rows.length === 0 ? `${title}: none` : `${title}:\n${indent(formatTable(rows, [1]))}`;
  return [
    facts,
    part("counters", counterRows(status.counters, COUNTS)),
    part("drops", counterRows(status.drops, DROPS)),
  ].join("\n\n");
};

const status = async (options: Options): Promise<void> => {
  await showEngines(options, async (name) => {
    const value = await ask(name, { type: "status.get" });
    const peers = options.json ? [] : await askPeers(name);
    return { value, text: () => formatStatus(value, peers, screenOf(), options.all) };
  });
};

/** Describes `status`. */
export const define = (command: Command): void => {
  command.option("--all", "features, public key, and every counter, too");
  addJsonOption(addInterface(command, status));
  addExamples(command, [
    "p2pvpn-engine status",
    "p2pvpn-engine status --all",
    "p2pvpn-engine status -i p2p0 --json | jq .drops",
  ]);
};
