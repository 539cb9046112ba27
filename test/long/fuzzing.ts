/**
 * fuzzing — a tunnel whose one end, a member of a network, is sent millions of wrong datagrams,
 * watched; fuzz.ts prints it.
 *
 *     host a: engine, fuzzer (also as the engine: same address, same port) ──▶ host b: engine
 *             ping and TCP through the tunnel, all the while and afterwards
 *
 * The verdict: both engines alive; b's memory, descriptors, slots and sessions as they were; no
 * ping lost but where the kernel dropped; and every datagram that the kernel gave b's engine is
 * under one of its drops or counts.
 */
import { appendFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { CountName } from "../../src/control/network/counts.ts";
import { publicKeyOf } from "../../src/noise/transcript.ts";
import type { StatusValue } from "../../src/schema/requests.ts";
import { Chance } from "../lab/chance.ts";
import {
  hostJson,
  makeKeys,
  type NodeEngine,
  ours,
  PORT,
  runNode,
  writeConfig,
} from "../lab/engines.ts";
import { type Host, type Lab, LabError, type Program } from "../lab/lab.ts";
import { firstPing, flow, type Pings, ping } from "../lab/measure.ts";
import type { NodeOptions } from "../lab/node.ts";
import { type Holder, Papers } from "../lab/papers.ts";
import { type UdpTotals, udpQueues, udpTotals } from "../lab/udp-queues.ts";
import type { FuzzerOptions, FuzzerOrder, FuzzerReport } from "./fuzzer.ts";
import { type Look, lookAt } from "./soaking.ts";
import { rise } from "./trend.ts";

export interface FuzzOptions {
  readonly seed: number;
  readonly datagrams: number;
  /** The run ends after this long, too. */
  readonly seconds: number;
  /** Datagrams a second; 0: as fast as the engine reads. */
  readonly perSecond: number;
  readonly engine?: NodeOptions;
}

export interface FuzzResult {
  readonly fuzzer: FuzzerReport;
  readonly looks: readonly Look[];
  readonly during: Pings;
  readonly after: readonly Pings[];
  /** TCP through the tunnel, in megabits a second: during, then after. */
  readonly flows: readonly number[];
  readonly books: Books;
  readonly seconds: number;
  /** What is wrong; empty: nothing. */
  readonly faults: readonly string[];
}

/** What came, and what became of it; all in datagrams, for b's engine, since the start. */
export interface Books {
  /** Given to the engine by the kernel; of what it merged, each datagram. */
  readonly delivered: number;
  readonly dropped: number;
  readonly accepted: number;
  /** For want of room in a socket; no engine sees them. */
  readonly kernelDropped: number;
  readonly byReason: Readonly<Record<string, number>>;
}

/** Source addresses of the fuzzer, besides the host's own. */
const EXTRA = Array.from({ length: 8 }, (_, i) => i + 100);
const PING_INTERVAL_MS = 50;
const SAMPLE_MS = 1_000;
const FLOW_EVERY_MS = 10_000;
const SETTLE_MS = 1_500;
/** Limits of the verdict: what still counts as flat. */
const RSS_RISE_MB = 16;
/** Above the first sample, which is taken before V8 has compiled what only a flood calls. */
const RSS_ABOVE_MB = 96;
const FDS_RISE = 2;
/** Previous, current, next, and some that wait for I/O threads; of two peers. */
const SESSIONS_MAX = 16;
const WARM_SHARE = 1 / 3;

/** Drops of packets on their way out, or of no datagram at all. */
// biome-ignore format: a table
const OTHERS = new Set([
  "tunInvalid", "noRoute", "linkOnly", "noEndpoint", "stagedFull", "stagedExpired", "nonceExhausted",
  "sendRefused", "sendFull", "queueFull", "frameUnsent", "standingQueue", "tooBig",
]);
/** What becomes of a datagram that is not dropped; a response that is taken has no count. */
// biome-ignore format: a table
const ACCEPTED = ["tunWrittenPackets", "keepalivesReceived", "handshakesAnswered", "responsesTaken", "cookiesTaken", "hellosTaken", "probesTaken", "answersTaken", "introChallenged", "introsTaken", "whosAnswered", "challengesTaken", "heresTaken"];
/** What the network refuses of an INTRO that it opened: it has counts of its own. */
// biome-ignore format: a table
const REFUSED: readonly CountName[] = [
  "recordOld", "recordAhead", "recordInvalid", "certificateInvalid", "certificateTime", "keyConflict",
  "membersFull", "entriesFull",
];

const difference = (
  now: Readonly<Record<string, number>>,
  before: Readonly<Record<string, number>>,
): Record<string, number> =>
  Object.fromEntries(Object.entries(now).map(([name, n]) => [name, n - (before[name] ?? 0)]));

/** A moment of an engine and of its namespace. */
interface Moment {
  readonly look: Look;
  readonly udp: UdpTotals;
  /** What the network counted. */
  readonly network: Readonly<Record<string, number>>;
}

/** Balances what the kernel gave with what the engine counted, between two moments. */
export const balance = (from: Moment, to: Moment): Books => {
  const drops = difference(to.look.drops, from.look.drops);
  const counters = difference(to.look.counters, from.look.counters);
  const byReason: Record<string, number> = {};
  let dropped = 0;
  for (const [name, n] of Object.entries(drops)) {
    if (OTHERS.has(name) || n === 0) continue;
    byReason[name] = n;
    dropped += n;
  }
  const merged = counters.receivedDatagrams! - counters.receives!;
  const network = difference(to.network, from.network);
  for (const name of REFUSED) {
    const refused = network[name] ?? 0;
    if (refused === 0) continue;
    byReason[name] = refused;
    dropped += refused;
  }
  return {
    delivered: to.udp.received - from.udp.received + merged,
    dropped,
    accepted: ACCEPTED.reduce((sum, name) => sum + counters[name]!, 0),
    kernelDropped: to.udp.noRoom - from.udp.noRoom,
    byReason,
  };
};

/** Starts the fuzzer on a host; it talks over its IPC channel. */
const runFuzzer = (lab: Lab, host: Host, options: FuzzerOptions): Program =>
  lab.start(host, [process.execPath, ours("../long/fuzzer"), JSON.stringify(options)], {
    ipc: true,
  });

/** The lab's two engines, and a friend of b's that only the fuzzer is. */
const startEngines = async (lab: Lab, options: FuzzOptions) => {
  const a = makeKeys(lab, lab.a, "wireguard");
  const b = makeKeys(lab, lab.b, "identity");
  const network = await makeNetwork(lab, b.file);
  const friendKey = new Chance(options.seed).fill(new Uint8Array(32));
  const friend = Buffer.from(publicKeyOf(friendKey)).toString("base64");
  const config = writeConfig(lab, lab.b, b, a.publicKey);
  const allowed = 'allowed_ips = ["10.66.0.3/32", "fd66::3/128"]';
  appendFileSync(config, `[[peer]]\npublic_key = "${friend}"\n${allowed}\n${network.section}`);
  const engineB = await runNode(lab, lab.b, config, options.engine);
  const engineA = await runNode(lab, lab.a, writeConfig(lab, lab.a, a, b.publicKey));
  const { insider } = network;
  return { a: engineA, b: engineB, keyFile: a.file, publicKey: b.publicKey, friendKey, insider };
};

/** A network that b is a member of, and its members that are the fuzzer alone. */
const makeNetwork = async (lab: Lab, key: string) => {
  const papers = Papers.found(lab.folder, "fuzz", ["10.99.0.0/16"]);
  const holder = (name: string): Holder => ({
    name,
    key: join(lab.folder, `${name}.key`),
    certificate: join(lab.folder, `${name}.cert`),
  });
  const [own, insider, other] = [{ ...holder("b"), key }, holder("insider"), holder("other")];
  await papers.certify(own, { ips: ["10.99.0.1"] });
  await papers.enroll(insider, { ips: ["10.99.0.2"] });
  await papers.enroll(other, { ips: ["10.99.0.3"] });
  const lines = [
    `network_file = "${papers.networkFile}"`,
    `certificate = "${own.certificate}"`,
    "lan = false",
  ];
  return {
    section: `[network]\n${lines.join("\n")}\n`,
    insider: { ...insider, other: other.certificate },
  };
};

const UNDER = "under";

/** Whole datagrams of any size cross the cable; the fuzzer gets its addresses. */
const prepare = async (lab: Lab): Promise<string[]> => {
  const ip = (host: Host, ...words: string[]) => lab.must(host, ["ip", ...words]);
  for (const host of [lab.a, lab.b]) await ip(host, "link", "set", UNDER, "mtu", "65535");
  const four = EXTRA.map((n) => `192.0.2.${n}`);
  const six = EXTRA.map((n) => `2001:db8::${n}`);
  for (const address of four) await ip(lab.a, "address", "add", `${address}/24`, "dev", UNDER);
  for (const address of six)
    await ip(lab.a, "address", "add", `${address}/64`, "dev", UNDER, "nodad");
  return [...four, ...six];
};

/** Samples and traffic until the fuzzer is done. */
class Watch {
  readonly looks: Look[] = [];
  readonly flows: number[] = [];
  report: FuzzerReport | null = null;
  readonly #lab: Lab;
  readonly #engine: NodeEngine;
  readonly #fuzzer: Program;
  readonly #fromMs = performance.now();

  constructor(lab: Lab, engine: NodeEngine, fuzzer: Program) {
    this.#lab = lab;
    this.#engine = engine;
    this.#fuzzer = fuzzer;
    fuzzer.child.on("message", (report: FuzzerReport) => {
      this.report = report;
    });
  }

  get done(): boolean {
    return this.report?.done === true || this.#fuzzer.child.exitCode !== null;
  }

  async sample(progress: (look: Look, report: FuzzerReport | null) => void): Promise<void> {
    while (!this.done) {
      const look = await lookAt(this.#engine, (performance.now() - this.#fromMs) / 1_000);
      this.looks.push(look);
      const order: FuzzerOrder = { indexes: look.indexes };
      if (this.#fuzzer.child.connected) this.#fuzzer.child.send(order);
      progress(look, this.report);
      await sleep(SAMPLE_MS);
    }
  }

  /** TCP through the tunnel, again and again; the first one counts even when the run is short. */
  async tcp(): Promise<void> {
    const { a, b } = this.#lab;
    for (let i = 0; i === 0 || !this.done; i++) {
      const reverse = i % 2 === 1;
      const address = i % 4 < 2 ? b.inner4 : b.inner6;
      this.flows.push(
        (await flow(this.#lab, a, address, { seconds: 1, reverse })).megabitsPerSecond,
      );
      for (let ms = 0; ms < FLOW_EVERY_MS && !this.done; ms += 200) await sleep(200);
    }
  }

  /** Pings in rounds of a second until the end. */
  async pings(): Promise<Pings> {
    let [sent, lost] = [0, 0];
    const times: number[] = [];
    while (!this.done) {
      const round = await ping(this.#lab, this.#lab.a, this.#lab.b.inner4, 20, PING_INTERVAL_MS);
      sent += round.sent;
      lost += round.lost;
      times.push(...round.times);
    }
    return { sent, lost, times };
  }
}

/** What the samples say against the engine. */
export const judgeLooks = (first: Look, looks: readonly Look[], last: Look): string[] => {
  const warm = looks.slice(Math.ceil(looks.length * WARM_SHARE));
  const seconds = warm.map((look) => look.second);
  const risen = (what: "rssMb" | "fds"): number =>
    rise(
      seconds,
      warm.map((look) => look[what]),
    );
  const highest = Math.max(...looks.map((look) => look.rssMb), last.rssMb);
  const sessions = Math.max(...looks.map((look) => look.sessions), last.sessions);
  const faults: string[] = [];
  const fault = (wrong: boolean, text: string): void => void (wrong && faults.push(text));
  fault(risen("rssMb") > RSS_RISE_MB, `memory rose by ${risen("rssMb").toFixed(1)} MB`);
  fault(
    highest > first.rssMb + RSS_ABOVE_MB,
    `memory went from ${first.rssMb.toFixed(0)} to ${highest.toFixed(0)} MB`,
  );
  fault(last.fds > first.fds + FDS_RISE, `descriptors went from ${first.fds} to ${last.fds}`);
  fault(sessions > SESSIONS_MAX, `${sessions} sessions of two peers`);
  fault(last.jobsInFlight > 0, `${last.jobsInFlight} jobs in flight at the end`);
  fault(last.slotsHeld > 0, `${last.slotsHeld} slots held at the end`);
  return faults;
};

/** What the books say against it. */
export const judgeBooks = (books: Books): string[] => {
  const accounted = books.dropped + books.accepted;
  return books.delivered === accounted
    ? []
    : [`the kernel delivered ${books.delivered} datagrams, the engine accounts for ${accounted}`];
};

const judgeTunnel = (during: Pings, after: readonly Pings[], kernelDropped: number): string[] => {
  const faults: string[] = [];
  if (during.sent === 0 || during.lost > kernelDropped) {
    faults.push(
      `${during.lost} of ${during.sent} pings lost during it, ${kernelDropped} by the kernel`,
    );
  }
  const lost = after.reduce((sum, pings) => sum + pings.lost, 0);
  if (lost > 0) faults.push(`${lost} pings lost after it`);
  return faults;
};

/** A moment at which nothing waits in a socket any more. */
const quiet = async (lab: Lab, engine: NodeEngine): Promise<Moment> => {
  const { pid } = engine.program;
  for (let i = 0; i < 100 && udpQueues(pid, PORT).bytes > 0; i++) await sleep(100);
  await sleep(SETTLE_MS);
  // The engine's counters before and after: nothing may arrive between them and the kernel's.
  for (let i = 0; i < 50; i++) {
    const before = udpTotals(pid);
    const look = await lookAt(engine, 0);
    const udp = udpTotals(pid);
    const still = before.received === udp.received && udpQueues(pid, PORT).bytes === 0;
    if (!still) continue;
    const { membership } = await hostJson<StatusValue>(lab, lab.b, "status");
    if (membership === null) throw new LabError("The engine is no member of the network.");
    return { look, udp, network: membership.counts };
  }
  throw new LabError("The engine is never quiet.");
};

/**
 * Runs it in a lab.
 *
 * Errors: LabError when an engine, the fuzzer or a tool fails.
 */
export const fuzz = async (
  lab: Lab,
  options: FuzzOptions,
  progress: (look: Look, report: FuzzerReport | null) => void,
): Promise<FuzzResult> => {
  const from = await prepare(lab);
  const { a, b, keyFile, publicKey, friendKey, insider } = await startEngines(lab, options);
  try {
    await firstPing(lab, lab.a, lab.b.inner4);
    const start = await quiet(lab, b);
    const startMs = performance.now();
    const fuzzer = runFuzzer(lab, lab.a, {
      to: [lab.b.under4, lab.b.under6],
      port: PORT,
      from,
      publicKey,
      friendKey: Buffer.from(friendKey).toString("base64"),
      insider,
      peerKeyFile: keyFile,
      enginePid: b.program.pid,
      seed: options.seed,
      datagrams: options.datagrams,
      seconds: options.seconds,
      perSecond: options.perSecond,
    });
    const watch = new Watch(lab, b, fuzzer);
    const [during] = await Promise.all([watch.pings(), watch.sample(progress), watch.tcp()]);
    const ended = await fuzzer.ended;
    if (ended !== 0 || watch.report?.done !== true) {
      throw new LabError(`The fuzzer ended with ${ended}: ${fuzzer.errors.trim()}`);
    }
    const seconds = (performance.now() - startMs) / 1_000;
    const end = await quiet(lab, b);
    const after = [
      await ping(lab, lab.a, lab.b.inner4, 100, 10),
      await ping(lab, lab.b, lab.a.inner6, 100, 10),
    ];
    const flows = [
      ...watch.flows,
      (await flow(lab, lab.a, lab.b.inner4, { seconds: 1 })).megabitsPerSecond,
    ];
    const books = balance(start, end);
    const faults = [
      ...judgeLooks(start.look, watch.looks, end.look),
      ...judgeBooks(books),
      ...judgeTunnel(during, after, books.kernelDropped),
      ...(flows.some((megabits) => megabits < 1) ? ["TCP through the tunnel stood still"] : []),
      ...(watch.report.friendSessions === 0 ? ["the friend never had a session"] : []),
    ];
    const { report } = watch;
    return { fuzzer: report, looks: watch.looks, during, after, flows, books, seconds, faults };
  } finally {
    for (const engine of [a, b]) await engine.program.stop();
  }
};
