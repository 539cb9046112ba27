/**
 * works — what scenario `speed` measures of a tunnel from a to b, one after the other.
 *
 * Each has a lab of its own. TCP and latency are measured apart, but for `loaded`. Processor time
 * is that of the whole machine, and, where others work on it, that of the lab's programs alone.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { compile } from "../../test/lab/compile.ts";
import { type Lab, LabError, type Program } from "../../test/lab/lab.ts";
import {
  type Flow,
  firstPing,
  flow,
  type Pings,
  ping,
  programSeconds,
  residentMb,
} from "../../test/lab/measure.ts";
import { quantile } from "../../test/lab/statistics.ts";
import type { Figures } from "../cells.ts";
import { searchRate, type Trial } from "./rate.ts";

const OMIT_SECONDS = 1;
const PINGS = 200;
const PING_INTERVAL_MS = 10;
/** Pings that ping() sends before the ones that count, and its own start. */
const PING_LEAD_SECONDS = 1;
/** ping waits two seconds for a last answer that was lost; twice that on a busy machine. */
const PING_TAIL_SECONDS = 4;
/** With the one that speaks, as many as a configuration may hold. */
const IDLE_PEERS = 9_999;
const PACKET_BYTES = 64;
const PACKET_PORT = 9_064;
const TRIAL_MS = 1_000;
/** The receiver waits for the sender's process to start, and for what comes late. */
const RECEIVER_MS = 3_000;
/** Far more than any of the schemes carries: what is left of it then. */
const OVERLOAD_RATE = 250_000;
const WARM_RATE = 5_000;

export interface Tunnel {
  readonly lab: Lab;
  /** Both ends; a's is the first. */
  readonly programs: readonly Program[];
  /** Of each load. */
  readonly seconds: number;
}

export interface Work {
  readonly id: string;
  /** In tables. */
  readonly title: string;
  readonly offloads: true | "none";
  readonly idlePeers: number;
  /** Name of the figure that tables show. */
  readonly figure: string;
  /** Why the other figures of a row are not there; one sentence. */
  readonly note: string;
  /** Estimate for one cell. */
  readonly takes: (seconds: number) => number;
  readonly measure: (tunnel: Tunnel) => Promise<Figures>;
}

const percentiles = ({ times, lost, sent }: Pings): Figures => ({
  latencyMs: quantile(times, 0.5),
  latencyP99Ms: quantile(times, 0.99),
  lossPct: (100 * lost) / sent,
});

const ofFlow = (tcp: Flow, engineSeconds: number): Figures => {
  const gigabytes = tcp.bytes / 1e9;
  return {
    throughputMbps: tcp.megabitsPerSecond,
    retransmits: tcp.retransmits,
    cpuSecondsPerGb: tcp.cpuSeconds / gigabytes,
    labCpuSecondsPerGb: (engineSeconds + tcp.toolCpuSeconds) / gigabytes,
    engineCpuSecondsPerGb: engineSeconds / gigabytes,
  };
};

const memory = (programs: readonly Program[]): number =>
  Math.max(...programs.map(({ pid }) => residentMb(pid)));

const tcp =
  (streams: number) =>
  async ({ lab, programs, seconds }: Tunnel): Promise<Figures> => {
    const pids = programs.map(({ pid }) => pid);
    const before = programSeconds(pids);
    const told = await flow(lab, lab.a, lab.b.inner4, { seconds, omit: OMIT_SECONDS, streams });
    return { ...ofFlow(told, programSeconds(pids) - before), memoryMb: memory(programs) };
  };

/** After some traffic, as in an engine that has lived for a while. */
const idlePing = async ({ lab, programs }: Tunnel): Promise<Figures> => {
  await flow(lab, lab.a, lab.b.inner4, { seconds: 1 });
  await sleep(500);
  const pings = await ping(lab, lab.a, lab.b.inner4, PINGS, PING_INTERVAL_MS);
  return { ...percentiles(pings), memoryMb: memory(programs) };
};

const loadedPing = async ({ lab, seconds }: Tunnel): Promise<Figures> => {
  const to = lab.b.inner4;
  const whole = seconds + OMIT_SECONDS + PING_LEAD_SECONDS + PING_TAIL_SECONDS;
  let running = true;
  const stream = flow(lab, lab.a, to, { seconds: whole }).finally(() => {
    running = false;
  });
  stream.catch(() => {}); // seen below
  await sleep(1_000 * OMIT_SECONDS);
  const count = Math.round((seconds * 1_000) / PING_INTERVAL_MS);
  const pings = await ping(lab, lab.a, to, count, PING_INTERVAL_MS);
  const beside = running;
  const { megabitsPerSecond } = await stream;
  if (!beside) throw new LabError("The stream ended before the pings beside it did.");
  return { ...percentiles(pings), throughputMbps: megabitsPerSecond };
};

/** What a packets.c says last. Errors: LabError when it said nothing. */
const lastLine = (output: string): Readonly<Record<string, number>> => {
  const line = output.trim().split("\n").at(-1) ?? "";
  if (!line.startsWith("{")) throw new LabError("The program that counts packets gave no count.");
  return JSON.parse(line) as Record<string, number>;
};

/** Sends at a rate and counts what arrives. Errors: LabError. */
const attempt = async (lab: Lab, program: string, rate: number): Promise<Trial> => {
  const [to, port] = [lab.b.inner4, String(PACKET_PORT)];
  const receiver = lab.start(lab.b, [program, "receive", to, port, String(RECEIVER_MS)]);
  await receiver.says("ready");
  const words = ["send", to, port, PACKET_BYTES, rate, TRIAL_MS].map(String);
  const { sent = 0, us = 1 } = lastLine(await lab.must(lab.a, [program, ...words]));
  await receiver.ended;
  const { received = 0 } = lastLine(receiver.output);
  const perSecond = 1e6 / us;
  return {
    asked: rate,
    offered: sent * perSecond,
    received: received * perSecond,
    lossPct: 100 * (1 - received / sent),
  };
};

const smallPackets = async ({ lab, programs }: Tunnel): Promise<Figures> => {
  const program = compile(lab, "packets");
  await attempt(lab, program, WARM_RATE);
  const { best, trials, senderBound } = await searchRate((rate) => attempt(lab, program, rate));
  const over = await attempt(lab, program, OVERLOAD_RATE);
  if (best === null) throw new LabError("Even the lowest rate lost more than 1 %.");
  return {
    packetsPerSecond: best.offered,
    lossPct: best.lossPct,
    throughputMbps: (best.received * PACKET_BYTES * 8) / 1e6,
    senderBound: senderBound ? 1 : 0,
    trials,
    overloadOfferedPerSecond: over.offered,
    overloadReceivedPerSecond: over.received,
    memoryMb: memory(programs),
  };
};

const TCP_NOTE = "latency and loss are measured apart from TCP";
const PING_NOTE = "throughput is measured apart from latency";
const tcpTakes = (seconds: number): number => seconds + 4;

// biome-ignore format: a table
export const WORKS: readonly Work[] = [
  { id: "tcp1", title: "TCP, one stream", offloads: true, idlePeers: 0, figure: "throughputMbps", note: TCP_NOTE, takes: tcpTakes, measure: tcp(1) },
  { id: "tcp4", title: "TCP, four streams", offloads: true, idlePeers: 0, figure: "throughputMbps", note: TCP_NOTE, takes: tcpTakes, measure: tcp(4) },
  { id: "card", title: "TCP, one stream, veth offloads off", offloads: "none", idlePeers: 0, figure: "throughputMbps", note: TCP_NOTE, takes: tcpTakes, measure: tcp(1) },
  { id: "udp64", title: "UDP, 64-byte payload, at most 1 % lost", offloads: true, idlePeers: 0, figure: "packetsPerSecond", note: "latency is measured apart; throughput is UDP payload", takes: () => 30, measure: smallPackets },
  { id: "ping", title: "ping, idle", offloads: true, idlePeers: 0, figure: "latencyMs", note: PING_NOTE, takes: () => 8, measure: idlePing },
  { id: "loaded", title: "ping beside one TCP stream", offloads: true, idlePeers: 0, figure: "latencyMs", note: "throughput is that of the stream with pings beside it", takes: (seconds) => seconds + 9, measure: loadedPing },
  { id: "peers", title: "TCP, one stream, 10,000 peers, all but one idle", offloads: true, idlePeers: IDLE_PEERS, figure: "throughputMbps", note: TCP_NOTE, takes: (seconds) => seconds + 12, measure: tcp(1) },
];

/** Waits until the tunnel carries something. Errors: LabError. */
export const warm = async ({ lab }: Tunnel): Promise<void> => {
  await firstPing(lab, lab.a, lab.b.inner4);
};
