/**
 * handshaking — one engine, many peers that it knows and that call it within some time: how many
 * got a session, and what it cost. See callers.ts.
 */
import { askPeers } from "../../src/client.ts";
import {
  addIdlePeers,
  interfaceOf,
  makeKeys,
  ours,
  PORT,
  runNode,
  writeConfig,
} from "../lab/engines.ts";
import { type Lab, LabError } from "../lab/lab.ts";
import { programSeconds } from "../lab/measure.ts";
import { threadSeconds } from "../lab/process.ts";
import { type Called, type CallersOptions, publicKeyOf } from "./callers.ts";

export interface Handshakes extends Called {
  /** Peers with whom the engine has a session in use. */
  readonly connected: number;
  /** Times that it was under load. */
  readonly underLoad: number;
  /** Processor time of control's thread, which is its busiest, and of all. Units: seconds. */
  readonly controlS: number;
  readonly engineS: number;
  readonly tookS: number;
}

/** Errors: LabError. */
export const runHandshakes = async (
  lab: Lab,
  peers: number,
  seconds: number,
): Promise<Handshakes> => {
  const { a, b } = lab;
  const [keysA, keysB] = [makeKeys(lab, a, "wireguard"), makeKeys(lab, b, "wireguard")];
  const file = writeConfig(lab, b, keysB, keysA.publicKey, { knowsEndpoint: false });
  addIdlePeers(file, peers, publicKeyOf);
  const engine = await runNode(lab, b, file);
  const { pid } = engine.program;
  try {
    const before = { threads: threadSeconds(pid), all: programSeconds([pid]) };
    const startMs = performance.now();
    const options: CallersOptions = {
      ...{ to: b.under4, port: PORT, publicKey: keysB.publicKey, peers, seconds },
    };
    const words = [process.execPath, ours("../long/callers"), JSON.stringify(options)];
    const { code, output, errors } = await lab.run(a, words);
    if (code !== 0) throw new LabError(`The callers failed: ${errors.trim()}`);
    const tookS = (performance.now() - startMs) / 1_000;
    const engineS = programSeconds([pid]) - before.all;
    const used = [...threadSeconds(pid)].map(([id, s]) => s - (before.threads.get(id) ?? 0));
    const known = await askPeers(interfaceOf(b), { folder: lab.runFolder });
    const connected = known.filter(({ state }) => state === "connected").length;
    const { underLoad = 0 } = (await engine.sample()).counters;
    const called = JSON.parse(output) as Called;
    return { ...called, connected, underLoad, controlS: Math.max(...used), engineS, tookS };
  } finally {
    await engine.program.stop();
  }
};
