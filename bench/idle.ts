/**
 * idle — how often an engine with nothing to do wakes the machine up.
 *
 *   npm run bench:idle -- [--seconds 20] [--peers 0,1000] [--threads] [--json] [--check]
 *
 * Two engines with a session and, for each number of `--peers`, as many others that never speak.
 * The figures are the sum of the voluntary context switches of all threads of the first one while
 * nothing is sent, a second, and its processor time. `--threads` prints the former by thread.
 * `--check`: exit code 1 above 20 switches.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { addIdlePeers, makeKeys, runCli, writeConfig } from "../test/lab/engines.ts";
import { Lab, LabError, missingTools } from "../test/lab/lab.ts";
import { runMain } from "../test/lab/main.ts";
import { firstPing, programSeconds } from "../test/lab/measure.ts";
import { type Switches, switches, switchesBetween } from "../test/lab/process.ts";
import { type Figure, TELLING, tell } from "./bounds.ts";

/** Issue 4: idle wake-ups a second of the whole process. */
const MOST = 20;
/** Tuning: after the last packet, keepalives (10 s) and the answers to them are over. */
const QUIET_MS = 12_000;

interface Idle {
  readonly peers: number;
  readonly perSecond: number;
  /** Processor time. Milliseconds a minute. */
  readonly busyMs: number;
  readonly threads: readonly Switches[];
}

const measure = async (peers: number, seconds: number): Promise<Idle> => {
  const lab = await Lab.make();
  const { a, b } = lab;
  const [keysA, keysB] = [makeKeys(lab, a, "identity"), makeKeys(lab, b, "identity")];
  const fileA = writeConfig(lab, a, keysA, keysB.publicKey);
  addIdlePeers(fileA, peers);
  await runCli(lab, b, writeConfig(lab, b, keysB, keysA.publicKey));
  const { pid } = await runCli(lab, a, fileA);
  await firstPing(lab, a, b.inner4);
  await sleep(QUIET_MS);
  const before = switches(pid);
  const busyS = programSeconds([pid]);
  const startMs = performance.now();
  await sleep(seconds * 1_000);
  const threads = switchesBetween(before, switches(pid));
  const tookS = (performance.now() - startMs) / 1_000;
  const busyMs = ((programSeconds([pid]) - busyS) * 60_000) / tookS;
  lab.remove();
  const total = threads.reduce((sum, { voluntary }) => sum + voluntary, 0);
  return { peers, perSecond: total / tookS, busyMs, threads };
};

const main = async (): Promise<number> => {
  const { values } = parseArgs({
    options: {
      seconds: { type: "string", default: "20" },
      peers: { type: "string", default: "0,1000" },
      threads: { type: "boolean", default: false },
      ...TELLING,
    },
  });
  const missing = missingTools(["ping"]);
  if (missing !== null) throw new LabError(missing);
  const seconds = Number(values.seconds);
  const counts = values.peers.split(",").map(Number);
  if (!(seconds >= 1 && seconds <= 3_600)) throw new LabError("--seconds is a number up to 3600.");
  if (counts.some((count) => !Number.isInteger(count) || count < 0 || count > 10_000)) {
    throw new LabError("--peers is a list of whole numbers up to 10000, as 0,1000.");
  }
  const rows: Idle[] = [];
  for (const peers of counts) {
    process.stderr.write(`idle: ${peers} silent peers, ${seconds} s ...\n`);
    rows.push(await measure(peers, seconds));
  }
  const figures = rows.flatMap(({ peers, perSecond, busyMs }): Figure[] => {
    const beside = `one peer with a session, ${peers} silent ones`;
    return [
      { name: `idle wake-ups, ${beside}`, value: perSecond, unit: "a second", most: MOST },
      { name: `processor time, ${beside}`, value: busyMs, unit: "ms a minute" },
    ];
  });
  const code = tell(figures, values, { seconds, rows });
  if (values.threads) {
    for (const { peers, threads } of rows) {
      for (const { thread, name, voluntary } of threads) {
        process.stdout.write(`${peers} silent peers: thread ${thread} ${name}: ${voluntary}\n`);
      }
    }
  }
  return code;
};

void runMain(main);
