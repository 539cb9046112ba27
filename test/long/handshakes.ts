/**
 * handshakes — many peers call one engine within a minute: does each get a session, how long does
 * it wait, and what does that cost?
 *
 *   npm run handshakes -- [--peers 10000] [--seconds 60] [--json]
 *
 * Exit code 1 when one has none.
 */
import { parseArgs } from "node:util";
import { Lab, LabError, missingTools } from "../lab/lab.ts";
import { describeMachine } from "../lab/machine.ts";
import { runMain } from "../lab/main.ts";
import { runHandshakes } from "./handshaking.ts";

const PEERS_MOST = 16_000;

const main = async (): Promise<number> => {
  const { values } = parseArgs({
    options: {
      peers: { type: "string", default: "10000" },
      seconds: { type: "string", default: "60" },
      json: { type: "boolean", default: false },
    },
  });
  const [peers, seconds] = [Number(values.peers), Number(values.seconds)];
  if (!(Number.isInteger(peers) && peers >= 1 && peers <= PEERS_MOST && seconds >= 1)) {
    throw new LabError(`--peers is a whole number up to ${PEERS_MOST}, --seconds one from 1 on.`);
  }
  const missing = missingTools(["ip"]);
  if (missing !== null) throw new LabError(missing);
  const lab = await Lab.make();
  const run = await runHandshakes(lab, peers, seconds);
  lab.remove();
  const { answered, again, cookies, connected, underLoad, latencyMs } = run;
  const lines = [
    `${peers} peers in ${seconds} s: ${answered} answered, ${connected} in use`,
    `${again} tries again, ${cookies} cookies, under load ${underLoad} times`,
    `waited ${latencyMs.median.toFixed(1)} ms, p99 ${latencyMs.p99.toFixed(1)}, ` +
      `longest ${latencyMs.longest.toFixed(1)}`,
    `control's thread took ${run.controlS.toFixed(2)} s of processor time, ` +
      `the engine ${run.engineS.toFixed(2)} s, in ${run.tookS.toFixed(1)} s`,
  ];
  if (values.json) {
    const machine = describeMachine(process.execPath);
    process.stdout.write(`${JSON.stringify({ machine, peers, seconds, ...run })}\n`);
  } else process.stdout.write(`${lines.join("\n")}\n`);
  return answered === peers && connected === peers ? 0 : 1;
};

void runMain(main);
