/**
 * under-flood — what is measured of a tunnel while a flood flows: latency, TCP, and both at once.
 *
 * Latency is measured without TCP, and TCP without pings; both at once is told and not judged. A
 * tunnel that a flood has silenced is a result and no failure: nothing carried, all pings lost.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { arrived, Field, type Links } from "../../test/lab/field.ts";
import { type Flood, startFlood, type Target, type Tunnel } from "../../test/lab/floods.ts";
import { type Host, LabError, type Program } from "../../test/lab/lab.ts";
import {
  busySeconds,
  firstPing,
  meanBetween,
  ping,
  programSeconds,
} from "../../test/lab/measure.ts";
import { quantile } from "../../test/lab/statistics.ts";
import type { Figures } from "../cells.ts";
import type { WorkFacts } from "../report.ts";
import { checkPrograms, type Rival } from "../rivals/rival.ts";

const PING_INTERVAL_MS = 10;
/** TCP's first second does not count. */
const OMIT_SECONDS = 1;
/** A flood flows for this long before anything is measured. */
const LEAD_MS = 500;
/** Longer than any load lasts beyond its time; a flood that is no longer needed is ended. */
const FLOOD_GRACE_SECONDS = 20;
const IPERF_PORT = "5201";
const CONNECT_MS = "3000";
const IPERF_GRACE_SECONDS = 3;
const MEGABYTES_MIN = 1;

export interface FloodWork extends WorkFacts {
  /** Estimate for one cell. */
  readonly takes: (seconds: number) => number;
  readonly measure: (field: Field, tunnel: Tunnel, seconds: number) => Promise<Figures>;
}

const latency = async (field: Field, { from, to }: Tunnel, seconds: number): Promise<Figures> => {
  const count = Math.round((seconds * 1_000) / PING_INTERVAL_MS);
  const { times, lost, sent } = await ping(field, from, to, count, PING_INTERVAL_MS);
  const lossPct = (100 * lost) / sent;
  if (times.length === 0) return { lossPct };
  return { lossPct, latencyMs: quantile(times, 0.5), latencyP99Ms: quantile(times, 0.99) };
};

/** Processor time per gigabyte of payload; next to nothing carried has no such figure. */
const processorFigures = (megabytes: number, machine: number, engine: number): Figures => {
  if (megabytes < MEGABYTES_MIN) return {};
  const gigabytes = megabytes / 1_000;
  return { cpuSecondsPerGb: machine / gigabytes, engineCpuSecondsPerGb: engine / gigabytes };
};

/**
 * One stream from a to b, as b sees it second by second: a flood that keeps the two iperf3 from
 * agreeing on the result does not take the result away.
 */
const stream = async (field: Field, tunnel: Tunnel, seconds: number): Promise<Figures> => {
  const { from, to } = tunnel;
  const pids = tunnel.programs.map(({ pid }) => pid);
  const listen = ["iperf3", "-s", "-1", "-p", IPERF_PORT, "-f", "m", "-i", "1", "--forceflush"];
  const server = field.start(field.peerOf(from), listen);
  await server.says("Server listening");
  const whole = seconds + OMIT_SECONDS;
  const limit = ["timeout", "--signal=KILL", String(whole + IPERF_GRACE_SECONDS)];
  const connect = ["-c", to, "-p", IPERF_PORT, "--connect-timeout", CONNECT_MS];
  const [machine, engine] = [busySeconds(), programSeconds(pids)];
  await field.run(from, [...limit, "iperf3", ...connect, "-t", String(whole)]);
  const spent = [busySeconds() - machine, programSeconds(pids) - engine] as const;
  await server.stop();
  const megabytes = (meanBetween(server.output, 0, whole) * whole) / 8;
  return {
    throughputMbps: meanBetween(server.output, OMIT_SECONDS, whole),
    ...processorFigures(megabytes, ...spent),
  };
};

const both = async (field: Field, tunnel: Tunnel, seconds: number): Promise<Figures> => {
  const tcp = stream(field, tunnel, seconds + OMIT_SECONDS);
  tcp.catch(() => {}); // seen below
  await sleep(1_000 * OMIT_SECONDS);
  return { ...(await latency(field, tunnel, seconds)), ...(await tcp) };
};

// biome-ignore format: a table
export const FLOOD_WORKS: readonly FloodWork[] = [
  { id: "ping", title: "latency", figure: "latencyMs", note: "throughput is measured apart from latency", takes: (seconds) => seconds + 6, measure: latency },
  { id: "tcp", title: "TCP, one stream", figure: "throughputMbps", note: "latency and loss are measured apart from TCP", takes: (seconds) => seconds + 6, measure: stream },
  { id: "both", title: "latency beside one TCP stream", figure: "latencyMs", note: "both at once; told, not judged", takes: (seconds) => seconds + 8, measure: both },
];

/** Where a scenario's flood goes, and who else sends there. */
export interface Scene {
  readonly links: Links;
  readonly target: (field: Field, tunnel: Tunnel) => Target;
  readonly others: (rival: Rival) => readonly Host["name"][];
}

const checkFlood = ({ child, errors }: Program): void => {
  if (child.exitCode === null && child.signalCode === null) return;
  throw new LabError(`The flood ended before the load did: ${errors.trim() || "its time was up"}.`);
};

const measureFlooded = async (
  field: Field,
  tunnel: Tunnel,
  work: FloodWork,
  { kind, megabits, seconds }: Flood,
  { target, others }: { readonly target: Target; readonly others: readonly Host["name"][] },
): Promise<Figures> => {
  const whole = { kind, megabits, seconds: work.takes(seconds) + FLOOD_GRACE_SECONDS };
  const flooder = await startFlood(field, tunnel, target, whole);
  await sleep(LEAD_MS);
  const before = await field.counters(target.host);
  const figures = await work.measure(field, tunnel, seconds);
  const after = await field.counters(target.host);
  checkFlood(flooder);
  await flooder.stop();
  return { ...figures, ...arrived(before, after, others) };
};

/** One cell: a field, one tunnel in it, one flood or none, one measurement. Errors: LabError. */
export const measureCell = async (
  { links, target, others }: Scene,
  rival: Rival,
  work: FloodWork,
  seconds: number,
  flood: Omit<Flood, "seconds"> | null,
): Promise<Figures> => {
  const field = await Field.lay(links);
  try {
    const started = await rival.start(field);
    const { to, to6 } = started;
    const tunnel =
      flood?.kind.version === 6 && to6 !== undefined ? { ...started, to: to6 } : started;
    await firstPing(field, tunnel.from, tunnel.to);
    if (tunnel.to !== to) await firstPing(field, tunnel.from, to);
    const at = { target: target(field, tunnel), others: others(rival) };
    const figures =
      flood === null
        ? await work.measure(field, tunnel, seconds)
        : await measureFlooded(field, tunnel, work, { ...flood, seconds }, at);
    checkPrograms(tunnel);
    return { ...figures, cubic: field.cubic ? 1 : 0 };
  } finally {
    field.remove();
  }
};
