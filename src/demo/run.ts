/**
 * run — the demo: a network of an index node and three members that know nothing but the index
 * node; they find each other, the index node is killed, and the network goes on. Then all is
 * removed.
 *
 *   1. remove what a crashed demo left        topology.ts
 *   2. namespaces and a switch                topology.ts
 *   3. authority, keys, certificates          members.ts
 *   4. an index node and three engines        programs.ts
 *   5. every member pings every other one     meet.ts
 *   6. the index node is killed; again        meet.ts
 *   7. ping and TCP through the tunnel        measure.ts
 *   8. peers and status of the first member
 *   9. remove all, on error and Ctrl-C too    cleanUp
 */
import type { ChildProcess } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { ask, askPeers } from "../client.ts";
import { EngineError } from "../schema/errors.ts";
import type { PeerValue, StatusValue } from "../schema/requests.ts";
import { measureRoundTrips, measureTcp, type RoundTrips, type Throughput } from "./measure.ts";
import { type Meeting, meet } from "./meet.ts";
import {
  addressesOf,
  configFile,
  indexPlace,
  interfaceOf,
  makeMembers,
  networkFile,
} from "./members.ts";
import { endProgram, isUp, killProgram, startCommand } from "./programs.ts";
import { mustRun } from "./tools.ts";
import {
  folderPrefix,
  INDEX,
  MEMBERS,
  makeTopology,
  namespaceOf,
  namespaces,
  removeLeftovers,
  removeNamespace,
} from "./topology.ts";

export interface DemoResult {
  /** From the last start until every member had pinged every other one. */
  readonly met: Meeting;
  /** The same with the index node dead. */
  readonly withoutIndex: Meeting;
  readonly ping4: RoundTrips;
  readonly ping6: RoundTrips;
  readonly tcp: Throughput;
  readonly peers: readonly PeerValue[];
  readonly status: StatusValue;
}

export interface DemoOptions {
  /** How long TCP runs. */
  readonly seconds: number;
  readonly signal: AbortSignal;
  readonly progress: (sentence: string) => void;
}

/** Removes everything, and goes on where one thing cannot be removed. */
const cleanUp = async (programs: readonly ChildProcess[], folder: string): Promise<void> => {
  await Promise.all(programs.map(endProgram));
  for (const namespace of namespaces(process.pid)) await removeNamespace(namespace);
  rmSync(folder, { recursive: true, force: true });
};

/** Everything of the demo that is to be removed. */
interface Stage {
  readonly folder: string;
  readonly runFolder: string;
  readonly programs: ChildProcess[];
}

const startIndex = async (stage: Stage, signal: AbortSignal): Promise<ChildProcess> => {
  const { folder, runFolder, programs } = stage;
  const files = ["--network", networkFile(folder), "--data", join(folder, "index")];
  const words = ["index", "--listen", indexPlace, ...files];
  const index = startCommand(namespaceOf(process.pid, INDEX), words, runFolder);
  programs.push(index);
  await isUp(index, "the index node", " is up at ", signal);
  return index;
};

const startMembers = async (stage: Stage, signal: AbortSignal): Promise<void> => {
  const { folder, runFolder, programs } = stage;
  await Promise.all(
    MEMBERS.map((member) => {
      const words = ["start", "-c", configFile(folder, member)];
      const engine = startCommand(namespaceOf(process.pid, member), words, runFolder);
      programs.push(engine);
      const name = interfaceOf(member);
      return isUp(engine, name, `${name} is up`, signal);
    }),
  );
};

const measure = async (
  runFolder: string,
  { signal, progress, seconds }: DemoOptions,
): Promise<Omit<DemoResult, "met" | "withoutIndex">> => {
  const pair = [namespaceOf(process.pid, "a"), namespaceOf(process.pid, "b")] as const;
  const [address4, address6] = addressesOf("b");
  const first = interfaceOf("a");
  const control = { folder: runFolder };
  progress(`pinging ${address4} and ${address6} through the tunnel`);
  const ping4 = await measureRoundTrips(pair, address4, signal);
  const ping6 = await measureRoundTrips(pair, address6, signal);
  progress(`sending TCP through the tunnel for ${seconds} s`);
  const tcp = await measureTcp(pair, address4, seconds, signal);
  const peers = await askPeers(first, control);
  const status = await ask(first, { type: "status.get" }, control);
  return { ping4, ping6, tcp, peers, status };
};

const play = async (stage: Stage, options: DemoOptions): Promise<DemoResult> => {
  const { signal, progress } = options;
  progress("making four network namespaces and a switch between them");
  await makeTopology(process.pid, signal);
  progress("making an authority, and a key and a certificate for each of three members");
  await makeMembers(stage.folder, signal);
  progress(`starting an index node at ${indexPlace}, and three members that know it alone`);
  const index = await startIndex(stage, signal);
  await startMembers(stage, signal);
  const met = await meet(signal);
  progress(`every member has pinged every other one, ${met.seconds.toFixed(1)} s after the start`);
  progress("killing the index node");
  await killProgram(index);
  const withoutIndex = await meet(signal);
  progress("every member has pinged every other one again");
  return { met, withoutIndex, ...(await measure(stage.runFolder, options)) };
};

/**
 * Runs the demo, and removes everything that it made however it ends.
 *
 * Thread: main.   Errors: EngineError PRIVILEGE, TOOL_MISSING, DEMO_FAILED.
 */
export const runDemo = async (options: DemoOptions): Promise<DemoResult> => {
  const { signal, progress } = options;
  if (process.geteuid?.() !== 0) throw new EngineError("PRIVILEGE", { what: "The demo" });
  await mustRun(["ip", "-V"]);
  await removeLeftovers();
  const folder = mkdtempSync(folderPrefix(process.pid));
  const stage: Stage = { folder, runFolder: join(folder, "run"), programs: [] };
  try {
    return await play(stage, options);
  } catch (error) {
    if (signal.aborted) throw new EngineError("DEMO_FAILED", { reason: "it was interrupted" });
    throw error;
  } finally {
    progress("removing all of it");
    await cleanUp(stage.programs, folder);
  }
};
