/**
 * soak — two engines, short timers, changing traffic: does anything grow, is anything lost?
 *
 *   npm run soak -- --minutes 5 [--sample-seconds 5] [--json FILE]
 *
 * Sessions are replaced every three seconds. Traffic changes all the time: pings throughout, and
 * TCP both ways, UDP, large and small, pauses. Each sample reads both processes and their shared
 * memory. Verdict, exit code 1 when it is no: memory and descriptors are flat after the first
 * third (which warms up); no ping was lost but by full kernel queues; nothing was dropped but the
 * kernel's own multicast, which has no peer; at the end no job is in flight and no slot is held.
 */
import { writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { Lab, LabError, missingTools } from "../lab/lab.ts";
import { describeMachine } from "../lab/machine.ts";
import { runMain } from "../lab/main.ts";
import { type Look, soak } from "./soaking.ts";

/** One line per sample: both engines. */
const line = (looks: readonly Look[]): string => {
  const parts = looks.map(
    (look) =>
      `${look.rssMb.toFixed(0)} MB, ${look.fds} fds, ${look.sessions} sessions, ` +
      `${look.jobsInFlight} jobs, ${look.slotsHeld} slots, ` +
      `${look.counters.sessionsMade} made`,
  );
  return `${looks[0]!.second.toFixed(0).padStart(5)} s   ${parts.join("   |   ")}`;
};

const positive = (name: string, text: string): number => {
  const value = Number(text);
  if (value > 0 && value <= 10_080) return value;
  throw new LabError(`--${name} must be a number above 0, not '${text}'.`);
};

const main = async (): Promise<number> => {
  const { values } = parseArgs({
    options: {
      minutes: { type: "string", default: "5" },
      "sample-seconds": { type: "string", default: "5" },
      json: { type: "string" },
    },
  });
  const minutes = positive("minutes", values.minutes);
  const sampleSeconds = positive("sample-seconds", values["sample-seconds"]);
  const missing = missingTools(["ping", "iperf3"]);
  if (missing !== null) throw new LabError(missing);
  const lab = await Lab.make();
  const print = (text: string): void => void process.stdout.write(`${text}\n`);
  const result = await soak(lab, minutes, sampleSeconds, (looks) => print(line(looks)));
  lab.remove();
  for (const [i, looks] of result.looks.entries()) {
    const drops = Object.entries(looks.at(-1)!.drops).filter(([, count]) => count > 0);
    print(`${"ab"[i]}: drops ${JSON.stringify(Object.fromEntries(drops))}`);
  }
  print(
    `${minutes} minutes: ${result.rekeys} rekeys, ${result.gigabytes.toFixed(1)} GB, ` +
      `${result.pingsLost} of ${result.pingsSent} pings lost`,
  );
  if (values.json !== undefined) {
    const machine = describeMachine(process.execPath);
    writeFileSync(values.json, `${JSON.stringify({ machine, ...result }, null, 2)}\n`);
  }
  if (result.faults.length === 0)
    print(`verdict: flat, ${result.pingsLost === 0 ? "nothing lost" : "lost in the kernel only"}`);
  else print(`verdict: no\n  ${result.faults.join("\n  ")}`);
  return result.faults.length === 0 ? 0 : 1;
};

void runMain(main);
