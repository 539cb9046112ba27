/**
 * soaking — two engines with short timers under changing traffic, watched; soak.ts prints it.
 */
import { readdirSync, readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { interfaceOf, makeKeys, type NodeEngine, runNode, writeConfig } from "../lab/engines.ts";
import type { Host, Lab } from "../lab/lab.ts";
import { firstPing, flow, ping } from "../lab/measure.ts";
import type { NodeOptions, Sample } from "../lab/node.ts";
import { rise } from "./trend.ts";

/** In the paper's proportions, but for the rekey: well before the end of a session. */
const REKEY_MS = 3_000;
const OPTIONS: NodeOptions = {
  timing: {
    rekeyAfterTimeMs: REKEY_MS,
    rejectAfterTimeMs: 8_000,
    rekeyTimeoutMs: 1_000,
    keepaliveTimeoutMs: 2_000,
    jitterMs: 100,
  },
};
const PING_INTERVAL_MS = 50;
/** Sessions of one peer: previous, current, next, and one that is being cleared. */
const SESSIONS_MAX = 4;
/** Limits of the verdict: what still counts as flat. */
const RSS_RISE_MB = 16;
const FDS_RISE = 1;
/** The share of the run that warms up. */
const WARM_SHARE = 1 / 3;
/** Drops that say nothing against the engine: the kernel's multicast, and what TCP is told by. */
const EXPLAINED = new Set(["linkOnly", "standingQueue"]);

/** One sample of one engine. */
export interface Look extends Sample {
  readonly second: number;
  readonly rssMb: number;
  readonly fds: number;
}

export interface SoakResult {
  readonly looks: readonly (readonly Look[])[];
  readonly rekeys: number;
  readonly pingsSent: number;
  readonly pingsLost: number;
  readonly gigabytes: number;
  /** What is wrong; empty: nothing. */
  readonly faults: readonly string[];
}

const rssMb = (pid: number): number =>
  Number(/^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) / 1_024;

/** A sample of an engine, and what its process holds. Errors: LabError. */
export const lookAt = async (engine: NodeEngine, second: number): Promise<Look> => {
  const { pid } = engine.program;
  const sample = await engine.sample();
  return { ...sample, second, rssMb: rssMb(pid), fds: readdirSync(`/proc/${pid}/fd`).length };
};

/** Traffic until the end: one kind after the other, for two seconds each. Returns bytes. */
const traffic = async (lab: Lab, until: number): Promise<number> => {
  const { a, b } = lab;
  const kinds = [
    () => flow(lab, a, b.inner4, { seconds: 2 }),
    () => flow(lab, b, a.inner6, { seconds: 2 }),
    () => flow(lab, a, b.inner4, { seconds: 2, udpMegabits: 50 }),
    () => sleep(4_000),
    () => flow(lab, a, b.inner6, { seconds: 2, reverse: true }),
    () => flow(lab, b, a.inner4, { seconds: 2, udpMegabits: 5 }),
  ];
  let bytes = 0;
  for (let i = 0; performance.now() < until; i++) {
    const done = await kinds[i % kinds.length]!();
    if (typeof done === "object") bytes += done.bytes;
  }
  return bytes;
};

/** Drops that nothing explains, by name. */
const unexplained = (look: Look): string[] =>
  Object.entries(look.drops)
    .filter(([name, count]) => count > 0 && !EXPLAINED.has(name))
    .map(([name, count]) => `${count} ${name}`);

/** What the samples of one engine say against it. */
export const judge = (name: string, looks: readonly Look[]): string[] => {
  const warm = looks.slice(Math.ceil(looks.length * WARM_SHARE));
  const last = looks.at(-1)!;
  const seconds = warm.map((look) => look.second);
  const rises = (what: "rssMb" | "fds", limit: number, unit: string): string[] => {
    const risen = rise(
      seconds,
      warm.map((look) => look[what]),
    );
    return risen > limit ? [`${name}: ${what} rose by ${risen.toFixed(1)} ${unit}`] : [];
  };
  const sessions = Math.max(...looks.map((look) => look.sessions));
  return [
    ...rises("rssMb", RSS_RISE_MB, "MB"),
    ...rises("fds", FDS_RISE, "descriptors"),
    ...(sessions > SESSIONS_MAX ? [`${name}: ${sessions} sessions of one peer`] : []),
    ...(last.jobsInFlight > 0 ? [`${name}: ${last.jobsInFlight} jobs in flight at the end`] : []),
    ...(last.slotsHeld > 0 ? [`${name}: ${last.slotsHeld} slots held at the end`] : []),
    ...unexplained(last).map((drop) => `${name}: drops: ${drop}`),
  ];
};

/**
 * Packets that the kernel itself dropped on a host, since a queue or a socket buffer was full,
 * as happens when a busy machine does not run us for a while. No engine sees them.
 */
const kernelDrops = async (lab: Lab, host: Host): Promise<number> => {
  const link = ["ip", "-s", "-j", "link", "show", "dev", interfaceOf(host)];
  const [device] = JSON.parse(await lab.must(host, link)) as [
    { stats64: { tx: { dropped: number } } },
  ];
  const snmp = (await lab.must(host, ["cat", "/proc/net/snmp", "/proc/net/snmp6"])).split("\n");
  const [names, values] = snmp
    .filter((line) => line.startsWith("Udp: "))
    .map((line) => line.split(" "));
  const udp4 = Number(values?.[names?.indexOf("RcvbufErrors") ?? -1] ?? 0);
  const six = snmp.find((line) => line.startsWith("Udp6RcvbufErrors"));
  return device.stats64.tx.dropped + udp4 + Number(six?.split(/\s+/)[1] ?? 0);
};

/** Each session is one more; the first is no rekey. */
const rekeysOf = (looks: readonly Look[]): number => (looks.at(-1)?.counters.sessionsMade ?? 1) - 1;

/**
 * Runs a soak in a lab.
 *
 * Units: `minutes` of traffic.   Errors: LabError when an engine or a tool fails.
 */
export const soak = async (
  lab: Lab,
  minutes: number,
  sampleSeconds: number,
  progress: (looks: readonly Look[]) => void,
): Promise<SoakResult> => {
  const a = makeKeys(lab, lab.a, "wireguard");
  const b = makeKeys(lab, lab.b, "wireguard");
  const engines = await Promise.all([
    runNode(lab, lab.a, writeConfig(lab, lab.a, a, b.publicKey), OPTIONS),
    runNode(lab, lab.b, writeConfig(lab, lab.b, b, a.publicKey), OPTIONS),
  ]);
  const looks: [Look[], Look[]] = [[], []];
  const from = performance.now();
  const look = async (): Promise<void> => {
    const second = (performance.now() - from) / 1_000;
    const now = await Promise.all(engines.map((engine) => lookAt(engine, second)));
    for (const [i, one] of now.entries()) looks[i]!.push(one);
    progress(now);
  };
  try {
    await firstPing(lab, lab.a, lab.b.inner4);
    const until = from + minutes * 60_000;
    const pingCount = Math.ceil((minutes * 60_000) / PING_INTERVAL_MS);
    const running = Promise.all([
      traffic(lab, until),
      ping(lab, lab.a, lab.b.inner4, pingCount, PING_INTERVAL_MS),
      ping(lab, lab.b, lab.a.inner6, pingCount, PING_INTERVAL_MS),
    ]);
    const ended = running.then(() => true);
    while (!(await Promise.race([ended, sleep(sampleSeconds * 1_000, false)]))) await look();
    const [bytes, ...pings] = await running;
    await sleep(1_000);
    await look();
    const pingsSent = pings.reduce((sum, { sent }) => sum + sent, 0);
    const pingsLost = pings.reduce((sum, { lost }) => sum + lost, 0);
    const dropped = (await kernelDrops(lab, lab.a)) + (await kernelDrops(lab, lab.b));
    const unknown = pingsLost > dropped;
    const rekeys = rekeysOf(looks[0]);
    const expected = Math.floor((minutes * 60_000) / (3 * REKEY_MS));
    const faults = [
      ...judge("a", looks[0]),
      ...judge("b", looks[1]),
      ...(unknown ? [`${pingsLost} of ${pingsSent} pings lost, ${dropped} by the kernel`] : []),
      ...(rekeys < expected ? [`${rekeys} rekeys, expected ${expected} or more`] : []),
    ];
    return { looks, rekeys, pingsSent, pingsLost, gigabytes: bytes / 1e9, faults };
  } finally {
    for (const engine of engines) await engine.program.stop();
  }
};
