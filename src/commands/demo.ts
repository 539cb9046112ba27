/**
 * demo — an index node and three members on this machine, that find each other and go on without
 * it; ping, throughput and status; leaves nothing behind.
 */
import { type Command, InvalidArgumentError } from "commander";
import type { DemoResult } from "../demo/run.ts";
import { formatPeers } from "./peers.ts";
import { formatBytes, formatTable, printJson, printText } from "./print.ts";
import { screenOf } from "./screen.ts";
import { addExamples, addJsonOption } from "./shared.ts";
import { formatStatus } from "./status.ts";

interface Options {
  readonly seconds: number;
  readonly json?: boolean;
}

const SECONDS_MAX = 30;

const seconds = (text: string): number => {
  const value = /^\d+$/.test(text) ? Number(text) : 0;
  if (value >= 1 && value <= SECONDS_MAX) return value;
  throw new InvalidArgumentError(`must be a whole number from 1 to ${SECONDS_MAX}`);
};

const formatResult = (result: DemoResult): string => {
  const { met, withoutIndex, ping4, ping6, tcp, peers, status } = result;
  const screen = screenOf();
  const trips = ({ medianMs, sent, lost, with: kind }: DemoResult["ping4"]): string =>
    `median ${medianMs.toFixed(3)} ms of ${sent - lost} (${kind}), ${lost} lost`;
  const rate = `${Math.round(tcp.megabitsPerSecond)} Mbit/s`;
  const all = (pairs: readonly string[]): string => `all ${pairs.length} ways answer`;
  const figures = formatTable([
    ["three members", `${all(met.pairs)} ${met.seconds.toFixed(1)} s after the start`],
    ["index node killed", all(withoutIndex.pairs)],
    ["IPv4 round trip", trips(ping4)],
    ["IPv6 round trip", trips(ping6)],
    ["TCP", `${rate}, ${formatBytes(tcp.bytes)} in ${tcp.seconds.toFixed(2)} s`],
  ]);
  const part = (title: string, text: string): string => `\n${title}\n\n${text}`;
  return [
    figures,
    part("p2pvpn-engine peers -i p2pdemo-a", formatPeers(peers, screen)),
    part("p2pvpn-engine status -i p2pdemo-a", formatStatus(status, peers, screen)),
  ].join("\n");
};

const demo = async (options: Options): Promise<void> => {
  const { runDemo } = await import("../demo/run.ts");
  const interrupt = new AbortController();
  const onSignal = (): void => interrupt.abort();
  // They stay on during the clean-up, which a second Ctrl-C must not cut short.
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, onSignal);
  // Nobody reads on, as after `| head`.
  process.stderr.on("error", onSignal);
  const result = await runDemo({
    seconds: options.seconds,
    signal: interrupt.signal,
    progress: (sentence) => process.stderr.write(`p2pvpn-engine: ${sentence}\n`),
  });
  if (options.json) printJson(result);
  else printText(`\n${formatResult(result)}`);
};

/** Describes `demo`. */
export const define = (command: Command): void => {
  command.option("--seconds <N>", "how long TCP runs", seconds, 5);
  addJsonOption(command).action(demo);
  addExamples(command, [
    "sudo p2pvpn-engine demo",
    "sudo p2pvpn-engine demo --seconds 10 --json | jq .tcp",
  ]);
};
