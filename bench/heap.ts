/**
 * heap — what moving packets leaves on the JavaScript heaps: nothing, on the AES path.
 *
 *     npm run bench:heap [-- --packets N] [--suite NAME]
 *
 * One real I/O thread sends to itself over loopback, inline and with a worker; packets come in runs
 * of 45 segments, and one by one, a quarter as many. Bytes allocated are counted to the last one
 * (heap-meter.ts), by all windows after the warm-up; what V8 allocates to compile is in the first.
 * An exception, a BigInt or a boxed number for each packet would show as millions of bytes.
 *
 * Exit code 1 when a thread allocated over a byte for each job in the last half of the windows.
 */
import { parseArgs } from "node:util";
import { describeMachine } from "../test/lab/machine.ts";
import type { HeapWindow } from "../test/threads/heap-io.ts";
import type { Reading } from "../test/threads/heap-meter.ts";
import { type HeapOptions, measureHeap } from "../test/threads/heaping.ts";

const PACKETS = 10_000_000;
/** Windows that all packets are cut into. */
const WINDOWS = 8;
/** Share of packets to warm up with, at least so many. */
const WARM_SHARE = 0.02;
const WARM_LEAST = 200_000;
const SINGLE_SHARE = 0.25;
const BYTES_A_JOB = 1;

const { values } = parseArgs({
  options: { packets: { type: "string" }, suite: { type: "string" } },
});
const total = Number(values.packets ?? PACKETS);
const suite = values.suite === "chacha20poly1305" ? "chacha20poly1305" : "aes256gcm";

const sum = (numbers: readonly number[]): number => numbers.reduce((all, one) => all + one, 0);

const jobsOf = ({ counters }: HeapWindow): number =>
  counters.jobsInline! + counters.jobsHandedOver!;

/** A row of one thread over all windows. True: no garbage in the last half of them. */
const printRow = (
  name: string,
  windows: readonly HeapWindow[],
  of: (window: HeapWindow) => Reading,
): boolean => {
  const millions = sum(windows.map(({ packets }) => packets)) / 1e6;
  const all = windows.map(of);
  const settled = windows.slice(windows.length / 2);
  const bytes = sum(settled.map((window) => of(window).allocatedBytes));
  const eachJob = bytes / sum(settled.map(jobsOf));
  const cells = [
    name,
    millions.toFixed(2),
    (millions / sum(windows.map(({ seconds }) => seconds))).toFixed(3),
    String(sum(windows.map(jobsOf))),
    String(sum(windows.map(({ counters }) => counters.loops!))),
    String(sum(all.map(({ allocatedBytes }) => allocatedBytes))),
    eachJob.toFixed(3),
    Math.round(sum(all.map(({ keptBytes }) => keptBytes)) / millions),
    String(sum(all.map(({ collections }) => collections))),
    sum(all.map(({ pauseMs }) => pauseMs)).toFixed(1),
  ];
  console.log(`| ${cells.join(" | ")} |`);
  return eachJob <= BYTES_A_JOB;
};

const measure = async (packets: HeapOptions["packets"], handedOver: boolean): Promise<boolean> => {
  const count = packets === "single" ? total * SINGLE_SHARE : total;
  const windows = await measureHeap({
    packets,
    handedOver,
    suite,
    warmUp: Math.max(WARM_LEAST, WARM_SHARE * count),
    window: count / WINDOWS,
    windowsMax: WINDOWS,
  });
  const what = packets === "single" ? "one by one" : "runs of 45";
  const how = handedOver ? "handed over" : "inline";
  const clean = printRow(`${what}, ${how}: I/O thread`, windows, ({ io }) => io);
  if (!handedOver) return clean;
  return printRow(`${what}, ${how}: worker`, windows, ({ worker }) => worker!) && clean;
};

const main = async (): Promise<void> => {
  const { cpu, cores, kernel, node, commit } = describeMachine(process.execPath);
  console.log(
    `${cpu}, ${cores} cores, Linux ${kernel}, Node ${node}, commit ${commit}; ${suite}\n`,
  );
  const head = ["packets, thread", "millions", "million/s", "jobs", "turns"];
  const bytes = ["bytes allocated", "a job, last half", "kept, a million packets"];
  const columns = [...head, ...bytes, "collections", "pauses, ms"];
  console.log(`| ${columns.join(" | ")} |\n|${" --- |".repeat(columns.length)}`);
  let clean = true;
  for (const packets of ["segments", "single"] as const) {
    for (const handedOver of [false, true]) {
      clean = (await measure(packets, handedOver)) && clean;
    }
  }
  const verdict = clean ? "No packet and no job allocates." : "Something allocates for each job.";
  console.log(`\n${verdict}`);
  if (!clean) process.exitCode = 1;
};

void main();
