/**
 * stats — what each thread of a running engine did.
 */
import type { Command } from "commander";
import { ask } from "../client.ts";
import type { StatsValue } from "../schema/requests.ts";
import { type EngineOptions, formatBytes, formatCount, formatTable } from "./print.ts";
import { addExamples, addInterface, addJsonOption, showEngines } from "./shared.ts";

/** Counters down, threads across; rows of zeros are left out. */
const counterTable = (threads: StatsValue["threads"]): string => {
  const names = new Set(threads.flatMap((thread) => Object.keys(thread.counters)));
  const rows = [...names]
    .filter((name) => threads.some((thread) => (thread.counters[name] ?? 0) !== 0))
    .map((name) => [name, ...threads.map((thread) => formatCount(thread.counters[name] ?? 0))]);
  const head = ["counter", ...threads.map((thread) => thread.name)];
  return formatTable(
    [head, ...rows],
    threads.map((_, i) => i + 1),
  );
};

/** The text of `stats`. */
export const formatStats = ({ threads, workers, memory }: StatsValue): string => {
  const workerRows = workers.map(({ name, state, jobs }) => [name, state, formatCount(jobs)]);
  const workerTable = formatTable([["worker", "state", "jobs"], ...workerRows], [2]);
  const memoryText =
    `memory: ${formatBytes(memory.arenaBytes)} shared by the threads, ` +
    `${formatBytes(memory.rssBytes)} resident in all`;
  const parts = [counterTable(threads), workers.length === 0 ? "workers: none" : workerTable];
  return [...parts, memoryText].join("\n\n");
};

const stats = async (options: EngineOptions): Promise<void> => {
  await showEngines(options, async (name) => {
    const value = await ask(name, { type: "stats.get" });
    return { value, text: () => formatStats(value) };
  });
};

/** Describes `stats`. */
export const define = (command: Command): void => {
  addJsonOption(addInterface(command, stats));
  addExamples(command, ["p2pvpn-engine stats", "p2pvpn-engine stats -i p2p0 --json | jq .memory"]);
};
