/**
 * measure — round-trip time, throughput and processor time through a tunnel.
 *
 * One machine runs both ends, the sender and the receiver, so processor time is that of all four
 * and of the kernel, from /proc/stat.
 */
import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { type Host, type Lab, LabError, type Program } from "./lab.ts";

/** Clock ticks of /proc/stat. Source: proc(5); USER_HZ is 100 on every Linux that Node runs on. */
const TICKS_PER_SECOND = 100;
/** Tuning: a tunnel that has no answer after this many pings of a second each is not up. */
const FIRST_TRIES = 15;
/** Tuning: answers that take longer than this are lost. */
const LAST_ANSWERS_MS = 400;
const IPERF_PORT = "5201";
/** Tuning: an iperf3 whose tunnel died would wait for minutes. */
const IPERF_GRACE_SECONDS = 15;

/** Processor time spent so far by the whole machine, in seconds; idle, waiting, stolen not. */
export const busySeconds = (): number => {
  const [, user, nice, system, , , irq, softirq] = readFileSync("/proc/stat", "utf8")
    .split("\n")[0]!
    .split(/\s+/)
    .map(Number);
  return (user! + nice! + system! + irq! + softirq!) / TICKS_PER_SECOND;
};

/** Processor time that programs have taken so far, all their threads. Source: proc(5). */
export const programSeconds = (pids: readonly number[]): number =>
  pids.reduce((sum, pid) => {
    // The name in brackets may hold anything; fields 14 and 15 are user and system time.
    const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ").at(-1)!.split(" ");
    return sum + (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
  }, 0);

/** Resident memory of a program. Units: MB of 10^6 bytes. Source: proc(5), VmRSS in KiB. */
export const residentMb = (pid: number): number => {
  const text = readFileSync(`/proc/${pid}/status`, "utf8");
  return (Number(/^VmRSS:\s+(\d+)/m.exec(text)?.[1] ?? Number.NaN) * 1_024) / 1e6;
};

export interface Pings {
  readonly sent: number;
  readonly lost: number;
  /** In milliseconds, of those that were answered; of very many, the last thousands. */
  readonly times: readonly number[];
}

/**
 * Pings an address. ping waits for its last answers for two round trips or one interval, which may
 * be ten milliseconds; on a busy machine that is little, so it sends some more that do not count,
 * until those that do are answered.
 * Units: `intervalMs` in milliseconds, `bytes` of the message. Errors: LabError.
 */
export const ping = async (
  lab: Lab,
  from: Host,
  address: string,
  count: number,
  intervalMs: number,
  bytes = 56,
): Promise<Pings> => {
  const more = Math.ceil(LAST_ANSWERS_MS / intervalMs);
  const interval = (intervalMs / 1_000).toFixed(3);
  const numbers = ["-c", String(count + more), "-i", interval, "-s", String(bytes)];
  const program = lab.start(from, ["ping", "-n", ...numbers, "-W", "2", address]);
  endWhenAnswered(program, count);
  await program.ended;
  const { output, errors } = program;
  const totals = /(\d+) packets transmitted, (\d+) received/.exec(output);
  if (totals === null) throw new LabError(`ping failed: ${errors.trim()}`);
  const answers = [...output.matchAll(/icmp_seq=(\d+) .*time=([\d.]+) ms$/gm)];
  // Sequence numbers have 16 bits and start with 1.
  const counted = answers.filter(([, n]) => ((Number(n) - count - 1) & 0xffff) >= more);
  const received = Number(totals[2]) - (answers.length - counted.length);
  return { sent: count, lost: count - received, times: counted.map((row) => Number(row[2])) };
};

/** Tells ping that it is enough once the first `count` have answers and none is on its way. */
const endWhenAnswered = (program: Program, count: number): void => {
  let answered = 0;
  let rest = "";
  program.child.stdout?.on("data", (text: Buffer) => {
    const lines = `${rest}${text}`.split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) {
      const number = Number(/icmp_seq=(\d+) .*time=/.exec(line)?.[1] ?? 0);
      if (number > 0) answered++;
      // Answers to all up to this one, which is behind those that count.
      if (number >= count && answered === number) program.child.kill("SIGINT");
    }
  });
};

/**
 * One packet of exactly this size, IP header and all, that nobody may cut. True: it was answered.
 * Units: bytes.
 */
export const pingWhole = async (
  lab: Lab,
  from: Host,
  address: string,
  size: number,
): Promise<boolean> => {
  const headers = address.includes(":") ? 48 : 28;
  const whole = ["-M", "do", "-s", String(size - headers)];
  const program = lab.start(from, ["ping", "-n", "-c", "1", "-W", "1", ...whole, address]);
  // The kernel says at once that it is too large, and ping would wait all the same.
  program.child.stderr?.on("data", (text: Buffer) => {
    if (text.includes("too long")) program.child.kill("SIGINT");
  });
  return (await program.ended) === 0;
};

/**
 * Waits for the first answer; the first packet also makes the session. Returns seconds until then.
 * Errors: LabError after `tries` of a second each.
 */
export const firstPing = async (
  lab: Lab,
  from: Host,
  address: string,
  tries = FIRST_TRIES,
): Promise<number> => {
  const start = process.hrtime.bigint();
  for (let i = 0; i < tries; i++) {
    const { code } = await lab.run(from, ["ping", "-n", "-c", "1", "-W", "1", address]);
    if (code === 0) return Number(process.hrtime.bigint() - start) / 1e9;
    await sleep(100);
  }
  throw new LabError(`Nothing came back from ${address} through the tunnel.`);
};

export interface Flow {
  readonly megabitsPerSecond: number;
  /** Everything that was sent, the omitted second too. */
  readonly bytes: number;
  readonly retransmits: number;
  readonly lostPct: number;
  /** Processor time of the whole machine while it ran. */
  readonly cpuSeconds: number;
  /** Of that, what both iperf3 say that they took. */
  readonly toolCpuSeconds: number;
}

interface IperfSum {
  readonly bits_per_second: number;
  readonly bytes: number;
  readonly retransmits?: number;
  readonly lost_percent?: number;
}

interface IperfReport {
  readonly error?: string;
  readonly intervals: readonly { readonly sum: IperfSum }[];
  readonly end: {
    readonly sum?: IperfSum;
    readonly sum_sent?: IperfSum;
    readonly sum_received?: IperfSum;
    readonly cpu_utilization_percent?: {
      readonly host_total: number;
      readonly remote_total: number;
    };
  };
}

export interface FlowOptions {
  readonly seconds: number;
  /** Seconds at the start that do not count. */
  readonly omit?: number;
  /** UDP at this rate instead of TCP; 1,200 bytes a datagram. */
  readonly udpMegabits?: number;
  /** From the server to the client. */
  readonly reverse?: boolean;
  /** Streams side by side; 1 where left out. */
  readonly streams?: number;
}

/** iperf3 from a host to an address of the other. Errors: LabError. */
export const flow = async (
  lab: Lab,
  from: Host,
  address: string,
  { seconds, omit = 0, udpMegabits, reverse = false, streams = 1 }: FlowOptions,
): Promise<Flow> => {
  const listen = ["iperf3", "-s", "-1", "-p", IPERF_PORT, "--forceflush"];
  const server = lab.start(lab.peerOf(from), listen);
  await server.says("Server listening");
  const udp = udpMegabits === undefined ? [] : ["-u", "-b", `${udpMegabits}M`, "-l", "1200"];
  const options = [...udp, ...(omit > 0 ? ["-O", String(omit)] : []), ...(reverse ? ["-R"] : [])];
  if (streams > 1) options.push("-P", String(streams));
  const limit = String(seconds + omit + IPERF_GRACE_SECONDS);
  const to = ["-c", address, "-p", IPERF_PORT, "-t", String(seconds), "-J"];
  const words = ["timeout", limit, "iperf3", ...to, ...options];
  const before = busySeconds();
  const { output } = await lab.run(from, words);
  const cpuSeconds = busySeconds() - before;
  await server.stop();
  const report = readReport(output);
  const { sum, sum_sent, sum_received, cpu_utilization_percent: share } = report.end;
  const received = udp.length > 0 ? sum : sum_received;
  if (received === undefined) throw new LabError("iperf3 gave no result.");
  return {
    megabitsPerSecond: received.bits_per_second / 1e6,
    bytes: report.intervals.reduce((total, interval) => total + interval.sum.bytes, 0),
    retransmits: sum_sent?.retransmits ?? 0,
    lostPct: sum?.lost_percent ?? 0,
    cpuSeconds,
    toolCpuSeconds:
      (((share?.host_total ?? 0) + (share?.remote_total ?? 0)) / 100) * (seconds + omit),
  };
};

const readReport = (output: string): IperfReport => {
  let report: IperfReport;
  try {
    report = JSON.parse(output) as IperfReport;
  } catch (cause) {
    throw new LabError("iperf3 printed no JSON.", { cause });
  }
  if (report.error !== undefined) throw new LabError(`iperf3 failed: ${report.error}.`);
  return report;
};

/** What an iperf3 that receives says of each second. */
const SECOND = /^\[ *\d+\] +([\d.]+)-([\d.]+) +sec +[\d.]+ \w*Bytes +([\d.]+) Mbits\/sec *$/gm;

/** Mean of what came between two moments of an iperf3's time; silence counts. Units: Mbit/s. */
export const meanBetween = (output: string, from: number, to: number): number => {
  let megabits = 0;
  for (const [, begin, end, rate] of output.matchAll(SECOND)) {
    const overlap = Math.min(Number(end), to) - Math.max(Number(begin), from);
    if (overlap > 0) megabits += Number(rate) * overlap;
  }
  return megabits / (to - from);
};
