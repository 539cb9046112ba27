/**
 * memory — resident memory of an engine above that of an empty set of the same threads.
 *
 *   npm run bench:memory -- [--peers 1,1000,10000] [--seconds 3] [--json] [--check]
 *
 * For each number of peers, one of which speaks: the engine as a user runs it, after its start and
 * after pings and a TCP stream through it (iperf3); less a node process with as many threads and
 * nothing in them (empty.ts). Medians are not taken: a table has one run a row, and says so.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { addIdlePeers, makeKeys, runCli, writeConfig } from "../test/lab/engines.ts";
import { Lab, LabError, missingTools } from "../test/lab/lab.ts";
import { runMain } from "../test/lab/main.ts";
import { firstPing, flow, ping } from "../test/lab/measure.ts";
import { type Resident, resident } from "../test/lab/process.ts";
import { type Figure, formatValue, TELLING, tell } from "./bounds.ts";

/** Issue 4: MB above an empty set of the same threads, by peers. */
const MOST: Readonly<Record<number, number>> = { 1: 60, 1000: 80, 10000: 250 };
/** Control, one I/O thread and one worker. */
const THREADS = 3;
/** Tuning: what starts late (V8's compilers, a first collection) has ended after this. */
const SETTLE_MS = 1_500;
const PINGS = 100;
const PING_INTERVAL_MS = 5;
const extension = import.meta.url.slice(import.meta.url.lastIndexOf("."));
const EMPTY = fileURLToPath(new URL(`./empty${extension}`, import.meta.url));

interface Row {
  readonly peers: number;
  readonly started: Resident;
  readonly used: Resident;
  readonly megabitsPerSecond: number;
}

const measureEmpty = async (lab: Lab): Promise<Resident> => {
  const program = lab.start(lab.a, [process.execPath, EMPTY, String(THREADS)], { ipc: true });
  await program.says("up");
  await sleep(SETTLE_MS);
  const result = resident(program.pid);
  program.child.kill("SIGKILL");
  await program.ended;
  return result;
};

const measure = async (lab: Lab, peers: number, seconds: number): Promise<Row> => {
  const { a, b } = lab;
  const [keysA, keysB] = [makeKeys(lab, a, "identity"), makeKeys(lab, b, "identity")];
  const fileA = writeConfig(lab, a, keysA, keysB.publicKey);
  addIdlePeers(fileA, peers - 1);
  const flags = ["--threads", "1"];
  const other = await runCli(lab, b, writeConfig(lab, b, keysB, keysA.publicKey), flags);
  const engine = await runCli(lab, a, fileA, flags);
  await sleep(SETTLE_MS);
  const started = resident(engine.pid);
  await firstPing(lab, a, b.inner4);
  await ping(lab, a, b.inner4, PINGS, PING_INTERVAL_MS);
  const { megabitsPerSecond } = await flow(lab, a, b.inner4, { seconds });
  await flow(lab, a, b.inner4, { seconds, reverse: true });
  await sleep(SETTLE_MS);
  const used = resident(engine.pid);
  await engine.stop();
  await other.stop();
  return { peers, started, used, megabitsPerSecond };
};

const figuresOf = (rows: readonly Row[], empty: Resident): Figure[] =>
  rows.flatMap(({ peers, started, used }) => {
    const most = MOST[peers];
    const bound = most === undefined ? {} : { most };
    const above = ({ rssMb }: Resident): number => rssMb - empty.rssMb;
    return [
      { name: `${peers} peers, started`, value: above(started), unit: "MB", ...bound },
      { name: `${peers} peers, after traffic`, value: above(used), unit: "MB", ...bound },
    ];
  });

const describe = (name: string, { rssMb, anonymousMb, filesMb }: Resident): string =>
  `${name}: ${formatValue(rssMb)} MB, ${formatValue(anonymousMb)} its own, ` +
  `${formatValue(filesMb)} of files\n`;

const main = async (): Promise<number> => {
  const { values } = parseArgs({
    options: {
      peers: { type: "string", default: "1,1000,10000" },
      seconds: { type: "string", default: "3" },
      ...TELLING,
    },
  });
  const missing = missingTools(["ping", "iperf3"]);
  if (missing !== null) throw new LabError(missing);
  const counts = values.peers.split(",").map(Number);
  if (counts.some((count) => !Number.isInteger(count) || count < 1 || count > 10_000)) {
    throw new LabError("--peers is a list of whole numbers from 1 to 10000, as 1,1000.");
  }
  const seconds = Number(values.seconds);
  if (!(seconds >= 1 && seconds <= 600)) throw new LabError("--seconds is a number up to 600.");
  const lab = await Lab.make();
  const empty = await measureEmpty(lab);
  const rows: Row[] = [];
  for (const peers of counts) {
    process.stderr.write(`memory: ${peers} peers ...\n`);
    rows.push(await measure(lab, peers, seconds));
  }
  lab.remove();
  const figures = figuresOf(rows, empty);
  const lines = rows.map(
    ({ peers, started, used }) =>
      describe(`${peers} peers, started`, started) +
      describe(`${peers} peers, after traffic`, used),
  );
  const text = `${describe("empty threads", empty)}${lines.join("")}\nAbove the empty threads:\n\n`;
  return tell(figures, values, { empty, rows }, text);
};

void runMain(main);
