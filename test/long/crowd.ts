/**
 * crowd — one index node and ten thousand members: what does it take, and are all served?
 *
 *   npm run crowd -- [--members 10000] [--start 10] [--curious 30] [--rest 60] [--kill] [--json]
 *
 * All call within --start seconds, and want to be told of others for --curious seconds. With --kill
 * the index node is killed, too. Each member has a socket on an address of its own in 127.0.0.0/8.
 * Exit code 1 when one is not served.
 */
import { parseArgs } from "node:util";
import { LabError } from "../lab/lab.ts";
import { describeMachine } from "../lab/machine.ts";
import { runMain } from "../lab/main.ts";
import { type Cost, type Crowding, runCrowding } from "./crowding.ts";

const MEMBERS_MOST = 16_000;
const ASKERS = 20;

const print = (text: string): void => void process.stdout.write(`${text}\n`);

const tell = (what: string, { tookS, cpuS, rssMb, bytes, datagrams }: Cost): void =>
  print(
    `${what.padEnd(34)} ${tookS.toFixed(1)} s, processor ${cpuS.toFixed(2)} s ` +
      `(${((100 * cpuS) / tookS).toFixed(1)} %), ${rssMb.toFixed(0)} MB, ` +
      `${(bytes / tookS / 1e3).toFixed(1)} kB/s, ${(datagrams / tookS).toFixed(0)} datagrams/s`,
  );

const tellAll = (run: Crowding, members: number): void => {
  tell("all have a channel", run.opening);
  tell("told of others", run.curious);
  tell("at rest, behind NAT", run.restNat);
  tell("at rest, no NAT", run.restOpen);
  tell("all have a new list", run.spread);
  const { put, get, ask } = run.answers;
  for (const [what, waits] of Object.entries({ put, get, ask })) {
    print(`${what}: ${waits.median.toFixed(1)} ms (worst ${waits.worst.toFixed(1)})`);
  }
  for (const [what, restart] of Object.entries({ stopped: run.stopped, killed: run.killed })) {
    if (restart === null) continue;
    const { told, stopMs, readyMs, back } = restart;
    print(`${what}: ${told} told, in ${stopMs.toFixed(0)} ms; ready in ${readyMs.toFixed(0)} ms`);
    tell(`all are back (${what})`, back);
  }
  print(`${run.members} of ${members} are in its store`);
  const counts = Object.entries(run.counts).filter(([, many]) => many > 0);
  print(counts.map(([what, many]) => `${what} ${many}`).join(", "));
};

const main = async (): Promise<number> => {
  const { values } = parseArgs({
    options: {
      members: { type: "string", default: "10000" },
      start: { type: "string", default: "10" },
      // What a network of a thousand takes to tell all of all, by npm run simulate:network.
      curious: { type: "string", default: "30" },
      rest: { type: "string", default: "60" },
      kill: { type: "boolean", default: false },
      json: { type: "boolean", default: false },
    },
  });
  const { members: many, start, curious, rest } = values;
  const [members, startS, curiousS, restS] = [many, start, curious, rest].map(Number);
  if (!(Number.isInteger(members) && members! >= 100 && members! <= MEMBERS_MOST)) {
    throw new LabError(`--members is a whole number from 100 to ${MEMBERS_MOST}.`);
  }
  if (!(startS! >= 0 && curiousS! >= 0 && restS! >= 1)) {
    throw new LabError("--start, --curious and --rest are seconds.");
  }
  const run = await runCrowding(
    {
      members: members!,
      startMs: 1_000 * startS!,
      curiousMs: 1_000 * curiousS!,
      restMs: 1_000 * restS!,
      askers: ASKERS,
      kill: values.kill,
    },
    values.json ? () => undefined : print,
  );
  if (values.json) {
    print(JSON.stringify({ machine: describeMachine(process.execPath), ...run }));
  } else tellAll(run, members!);
  return run.members >= members! - 10 ? 0 : 1;
};

void runMain(main);
