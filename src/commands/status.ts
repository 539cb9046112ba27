/**
 * status — what a running engine is and does.
 */
import type { Command } from "commander";
import { ask, chooseEngine } from "../client.ts";
import { COUNTS, type CounterRow, DROPS } from "../memory/layout.ts";
import { OFFLOADS } from "../offloads.ts";
import type { Counts, StatusValue } from "../schema/control.ts";
import {
  type EngineOptions,
  formatAmount,
  formatCount,
  formatDuration,
  formatTable,
  indent,
  printJson,
  printText,
} from "./print.ts";
import { addExamples, addInterfaceOption, addJsonOption } from "./shared.ts";

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

/** The text of `status`. */
export const formatStatus = (status: StatusValue): string => {
  const feature = (key: keyof StatusValue["features"]): string => {
    const why = status.offBecause[key];
    const off = why === undefined ? "off" : `off (${why})`;
    return `${FEATURES[key]} ${status.features[key] ? "on" : off}`;
  };
  const { state, rung } = status.defence;
  const head = formatTable([
    ["interface", status.up ? status.interface : `${status.interface}, down`],
    ["process", String(status.pid)],
    ["node id", status.nodeId ?? "none (plain WireGuard key)"],
    ["public key", status.wireguardPublicKey || "none yet"],
    ["UDP port", String(status.listenPort)],
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
    head,
    part("counters", counterRows(status.counters, COUNTS)),
    part("drops", counterRows(status.drops, DROPS)),
  ].join("\n\n");
};

const status = async (options: EngineOptions): Promise<void> => {
  const name = await chooseEngine(options.interface);
  const value = await ask(name, { type: "status.get" });
  if (options.json) printJson(value);
  else printText(formatStatus(value));
};

/** Describes `status`. */
export const define = (command: Command): void => {
  addJsonOption(addInterfaceOption(command)).action(status);
  addExamples(command, ["p2pvpn-engine status", "p2pvpn-engine status -i p2p0 --json | jq .drops"]);
};
