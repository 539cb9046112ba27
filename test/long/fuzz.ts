/**
 * fuzz — millions of random and mutated datagrams at a running engine, with a tunnel in use.
 *
 *   npm run fuzz -- --datagrams 10000000 [--seed N] [--seconds N] [--per-second N] [--json FILE]
 *
 * Without a rate, as fast as the engine reads. `--hand-over always` lets workers open what comes.
 * Each line of progress is the engine that is sent to. Verdict, exit code 1 when it is no: see
 * fuzzing.ts. What is sent follows from the seed, but for keys, ports and time stamps.
 */
import { writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { Lab, LabError, missingTools } from "../lab/lab.ts";
import { describeMachine } from "../lab/machine.ts";
import { runMain } from "../lab/main.ts";
import { median } from "../lab/statistics.ts";
import { type FuzzResult, fuzz } from "./fuzzing.ts";

const print = (text: string): void => void process.stdout.write(`${text}\n`);

const whole = (name: string, text: string, least: number, most: number): number => {
  const value = Number(text);
  if (Number.isInteger(value) && value >= least && value <= most) return value;
  throw new LabError(`--${name} must be a whole number from ${least} to ${most}, not '${text}'.`);
};

const HAND_OVER = ["auto", "inline", "always"] as const;

const handOver = (text: string): (typeof HAND_OVER)[number] => {
  const found = HAND_OVER.find((one) => one === text);
  if (found !== undefined) return found;
  throw new LabError(`--hand-over must be ${HAND_OVER.join(", ")}, not '${text}'.`);
};

const list = (counts: Readonly<Record<string, number>>): string =>
  Object.entries(counts)
    .sort(([, x], [, y]) => y - x)
    .map(([name, n]) => `${name} ${n}`)
    .join(", ");

const summary = (result: FuzzResult): void => {
  const { fuzzer, books, looks, during } = result;
  const [first, last] = [looks[0]!, looks.at(-1)!];
  const rate = Math.round(fuzzer.sent / result.seconds);
  print(
    `${fuzzer.sent} datagrams in ${result.seconds.toFixed(0)} s (${rate}/s), ` +
      `${fuzzer.spoofed} of them from the peer's own address and port, ` +
      `${fuzzer.refused} refused by the sender's kernel`,
  );
  print(`made: ${list(fuzzer.made)}`);
  print(
    `delivered ${books.delivered} = dropped ${books.dropped} + accepted ${books.accepted}; ` +
      `dropped by the kernel for want of room: ${books.kernelDropped}`,
  );
  print(`drops: ${list(books.byReason)}`);
  print(
    `memory ${first.rssMb.toFixed(0)} to ${last.rssMb.toFixed(0)} MB, ` +
      `${first.fds} to ${last.fds} descriptors, ${last.sessions} sessions, ` +
      `the friend had ${fuzzer.friendSessions}`,
  );
  print(
    `during: ${during.lost} of ${during.sent} pings lost, median ` +
      `${median(during.times).toFixed(2)} ms; TCP ` +
      `${result.flows
        .slice(0, -1)
        .map((rate) => rate.toFixed(0))
        .join(", ")} Mb/s`,
  );
  const lost = result.after.reduce((sum, pings) => sum + pings.lost, 0);
  const sent = result.after.reduce((sum, pings) => sum + pings.sent, 0);
  print(`after: ${lost} of ${sent} pings lost; TCP ${result.flows.at(-1)!.toFixed(0)} Mb/s`);
};

const main = async (): Promise<number> => {
  const { values } = parseArgs({
    options: {
      datagrams: { type: "string", default: "1000000" },
      seconds: { type: "string", default: "3600" },
      seed: { type: "string", default: String(process.pid) },
      "per-second": { type: "string", default: "0" },
      "hand-over": { type: "string", default: "auto" },
      json: { type: "string" },
    },
  });
  const options = {
    datagrams: whole("datagrams", values.datagrams, 1, 1e10),
    seconds: whole("seconds", values.seconds, 1, 1e6),
    seed: whole("seed", values.seed, 0, 2 ** 32 - 1),
    perSecond: whole("per-second", values["per-second"], 0, 1e7),
    engine: { flags: { hand_over: handOver(values["hand-over"]) } },
  };
  const missing = missingTools(["ping", "iperf3"]);
  if (missing !== null) throw new LabError(missing);
  print(`seed ${options.seed}`);
  const lab = await Lab.make();
  const result = await fuzz(lab, options, (look, report) => {
    const rates = `${report?.sent ?? 0} sent, ${look.counters.receivedDatagrams} data received`;
    print(
      `${look.second.toFixed(0).padStart(5)} s   ${look.rssMb.toFixed(0)} MB, ${look.fds} fds, ` +
        `${look.sessions} sessions, ${look.slotsHeld} slots, ${rates}`,
    );
  });
  lab.remove();
  summary(result);
  if (values.json !== undefined) {
    const machine = describeMachine(process.execPath);
    writeFileSync(values.json, `${JSON.stringify({ machine, ...options, ...result }, null, 2)}\n`);
  }
  if (result.faults.length === 0) print("verdict: alive, flat, unharmed, every datagram accounted");
  else print(`verdict: no\n  ${result.faults.join("\n  ")}`);
  return result.faults.length === 0 ? 0 : 1;
};

void runMain(main);
