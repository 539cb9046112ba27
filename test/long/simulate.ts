/**
 * simulate — many seeds of the simulation (test/simulation), with what they covered.
 *
 *   npm run simulate -- --seeds 10000 [--from 1] [--engines 2|5] [--trace]
 *
 * Engines on virtual time under loss, reorder, duplication, damage, clock jumps, restarts and
 * moves. Exit code 1 when a seed failed; it says how to see that run again. `--trace` prints every
 * event of it.
 */
import { parseArgs } from "node:util";
import { LabError } from "../lab/lab.ts";
import { runMain } from "../lab/main.ts";
import { openTheatre, type Run, SimulationError, simulate } from "../simulation/simulation.ts";

/** A run that was seen to fail is enough; more are for the summary. */
const FAILURES_MAX = 10;
const PROGRESS_MS = 10_000;

const print = (text: string): void => void process.stdout.write(`${text}\n`);

const whole = (name: string, text: string, least: number, most: number): number => {
  const value = Number(text);
  if (Number.isInteger(value) && value >= least && value <= most) return value;
  throw new LabError(`--${name} must be a whole number from ${least} to ${most}, not '${text}'.`);
};

/** Sums over runs. */
class Summary {
  readonly counts = new Map<string, number>();
  runs = 0;
  packets = 0;
  delivered = 0;
  nonces = 0;
  virtualMs = 0;
  worst: Run | null = null;

  add(run: Run): void {
    this.runs++;
    this.packets += run.packets;
    this.delivered += run.delivered;
    this.nonces += run.nonces;
    this.virtualMs += run.virtualMs;
    if (this.worst === null || run.recoveryMs > this.worst.recoveryMs) this.worst = run;
    for (const [what, amount] of run.counts) {
      this.counts.set(what, (this.counts.get(what) ?? 0) + amount);
    }
  }

  print(): void {
    const rows = [...this.counts].sort(([a], [b]) => (a < b ? -1 : 1));
    for (const [what, amount] of rows) print(`  ${what.padEnd(28)} ${amount}`);
    const days = (this.virtualMs / 86_400_000).toFixed(1);
    print(`${this.runs} runs, ${days} virtual days: ${this.packets} packets, of which`);
    print(`${this.delivered} arrived; ${this.nonces} nonces, none twice`);
    if (this.worst === null) return;
    const { seed, recoveryMs } = this.worst;
    print(`slowest to come back: ${(recoveryMs / 1_000).toFixed(1)} s, seed ${seed}`);
  }
}

const main = async (): Promise<number> => {
  const { values } = parseArgs({
    options: {
      seeds: { type: "string", default: "1000" },
      from: { type: "string", default: "1" },
      engines: { type: "string", default: "2" },
      trace: { type: "boolean", default: false },
    },
  });
  const seeds = whole("seeds", values.seeds, 1, 1e9);
  const from = whole("from", values.from, 0, Number.MAX_SAFE_INTEGER - seeds);
  const theatre = openTheatre(whole("engines", values.engines, 2, 5));
  const summary = new Summary();
  let failures = 0;
  let saidMs = performance.now();
  for (let seed = from; seed < from + seeds && failures < FAILURES_MAX; seed++) {
    try {
      const run = await simulate(seed, theatre, values.trace);
      summary.add(run);
      if (values.trace) print(run.trace.join("\n"));
    } catch (error) {
      if (!(error instanceof SimulationError)) throw error;
      failures++;
      if (values.trace) print(`${error.trace.join("\n")}\n${(error.cause as Error).stack}`);
      print(error.message);
    }
    if (performance.now() - saidMs < PROGRESS_MS) continue;
    saidMs = performance.now();
    print(`seed ${seed}: ${seed - from + 1} of ${seeds}, ${failures} failed`);
  }
  theatre.close();
  summary.print();
  return failures === 0 ? 0 : 1;
};

void runMain(main);
