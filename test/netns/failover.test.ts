/**
 * failover — two gateways lead to one server; which of them gets what a host sends there is one
 * store. Streams flow meanwhile: what is lost, and how long does nothing come?
 *
 *           ┌─ b 192.0.2.2 ─ 198.51.100.0/30 ─┐
 *        a ─┤                                 ├─ x 10.99.0.1, whose answers all go by b
 *           └─ s 192.0.2.3 ─ 198.51.100.4/30 ─┘
 */
import assert from "node:assert/strict";
import { appendFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { compile } from "../lab/compile.ts";
import {
  interfaceOf,
  type Keys,
  makeKeys,
  type NodeEngine,
  PORT,
  runNode,
  swapIn,
  writeConfig,
} from "../lab/engines.ts";
import type { FailoverPlan } from "../lab/failing-control.ts";
import { Field } from "../lab/field.ts";
import { cannotRun, type Host } from "../lab/lab.ts";
import { firstPing, ping } from "../lab/measure.ts";
import { measured } from "./scene.ts";

const skip = cannotRun(["ethtool", "tc"]);
const SERVER = "10.99.0.1";
const PREFIX = "10.99.0.0/24";
const DATA_PORT = "9000";
/** Failovers while a stream flows, and the time between them. */
const TIMES = 20;
const EVERY_MS = 100;
const STREAM_MS = TIMES * EVERY_MS + 1_000;
const RECEIVER_MS = STREAM_MS + 5_000;
const FLOWING_BYTES = 2_000_000;
const UDP_BYTES = 1_200;
const UDP_PER_SECOND = 20_000;
/** A pause that people notice even where others work; how short it is, is told. */
const PAUSE_MS = 500;
/** Of UDP packets: queues of the kernel that no count here shows. */
const LOST_PCT = 0.1;
/** A host waits this long for a gateway that does not answer. */
const WAIT_MS = 1_500;
const SAYING = "failed over\n";
const PLAN = { prefix: PREFIX, everyMs: EVERY_MS, times: TIMES, saying: SAYING };
const OFTEN: FailoverPlan = { ...PLAN, flowingBytes: FLOWING_BYTES };
const NEVER: FailoverPlan = { ...PLAN, flowingBytes: Number.MAX_SAFE_INTEGER };

let lab: Field;
let programs: Readonly<Record<"packets" | "stream", string>>;
const keys = new Map<Host, Keys>();

/** A gateway's link to the server. */
const layBehind = async (gateway: Host, own: string, servers: string): Promise<void> => {
  const ip = (host: Host, ...words: string[]) => lab.must(host, ["ip", ...words]);
  const device = `behind${gateway.name}`;
  const peer = ["type", "veth", "peer", "name", device, "netns", lab.x.namespace];
  await ip(gateway, "link", "add", "behind", ...peer);
  for (const [host, name, address] of [
    [gateway, "behind", own],
    [lab.x, device, servers],
  ] as const) {
    await ip(host, "address", "add", `${address}/30`, "dev", name);
    await ip(host, "link", "set", name, "up");
    await lab.must(host, ["sh", "-c", "echo 0 > /proc/sys/net/ipv4/conf/all/rp_filter"]);
    await lab.must(host, ["sh", "-c", `echo 0 > /proc/sys/net/ipv4/conf/${name}/rp_filter`]);
  }
  await ip(gateway, "route", "add", PREFIX, "via", servers);
  await lab.forward(gateway);
};

before(async () => {
  if (skip !== false) return;
  lab = await Field.lay("attacker");
  programs = { packets: compile(lab, "packets"), stream: compile(lab, "stream") };
  for (const host of [lab.a, lab.b, lab.s]) keys.set(host, makeKeys(lab, host, "wireguard"));
  await layBehind(lab.b, "198.51.100.1", "198.51.100.2");
  await layBehind(lab.s, "198.51.100.5", "198.51.100.6");
  const { x, a } = lab;
  await lab.must(x, ["ip", "address", "add", `${SERVER}/32`, "dev", "lo"]);
  await lab.must(x, ["ip", "route", "add", `${a.inner4}/32`, "via", "198.51.100.1"]);
});
after(() => lab?.remove());

/** The host's engine and those of `gateways`, while `body` runs. */
const withEngines = async (
  gateways: readonly Host[],
  plan: FailoverPlan,
  body: (a: NodeEngine, gateways: readonly NodeEngine[]) => Promise<void>,
): Promise<void> => {
  const { a, b, s } = lab;
  const publicKey = (host: Host): string => keys.get(host)!.publicKey;
  const running: NodeEngine[] = [];
  const start = (host: Host, file: string, imports: readonly string[] = []) =>
    runNode(lab, host, file, { flags: { threads: 0 } }, process.execPath, imports);
  const gatewayPlan = { allowedIps: [`${a.inner4}/32`], knowsEndpoint: false };
  try {
    const starting = gateways.map((host) => {
      const config = { ...gatewayPlan, addresses: [`${host.inner4}/24`] };
      return start(host, writeConfig(lab, host, keys.get(host)!, publicKey(a), config));
    });
    running.push(...(await Promise.all(starting)));
    const file = writeConfig(lab, a, keys.get(a)!, publicKey(b), {
      allowedIps: [`${b.inner4}/32`],
    });
    const second = [
      `public_key = "${publicKey(s)}"`,
      `allowed_ips = ["${s.inner4}/32"]`,
      `endpoint = "${s.under4}:${PORT}"`,
    ];
    appendFileSync(file, `[[peer]]\n${second.join("\n")}\n`);
    const standIn = ["../../src/control/control", "./failing-control"] as const;
    const engine = await start(a, file, [swapIn(...standIn, plan)]);
    running.push(engine);
    await body(engine, running.slice(0, gateways.length));
  } finally {
    await Promise.all(running.map(({ program }) => program.stop()));
  }
};

const lastLine = (output: string) =>
  JSON.parse(output.trim().split("\n").at(-1)!) as Readonly<Record<string, number>>;

/** What a sender on a and a receiver on the server print. */
const send = async (program: string, sends: readonly unknown[]) => {
  const server = [SERVER, DATA_PORT];
  const receiver = lab.start(lab.x, [program, "receive", ...server, String(RECEIVER_MS)]);
  await receiver.says("ready");
  const words = [program, "send", ...server, ...sends.map(String), String(STREAM_MS)];
  const sent = lastLine(await lab.must(lab.a, words));
  await receiver.ended;
  assert.equal(receiver.errors, "");
  return { ...sent, ...lastLine(receiver.output) } as Readonly<Record<string, number>>;
};

interface Run {
  readonly figures: Readonly<Record<string, number>>;
  /** What each gateway wrote to its device. Units: bytes. */
  readonly took: readonly number[];
  /** Packets for which a device or socket had no room: somebody was without a processor. */
  readonly noRoom: number;
}

/** UDP at a steady rate, or TCP as fast as it goes, with failovers or without. */
const measure = async (kind: "UDP" | "TCP", plan: FailoverPlan): Promise<Run> => {
  let run: Run | null = null;
  await withEngines([lab.b, lab.s], plan, async (a, gateways) => {
    for (const { inner4 } of [lab.b, lab.s]) await firstPing(lab, lab.a, inner4);
    const figures =
      kind === "UDP"
        ? await send(programs.packets, [UDP_BYTES, UDP_PER_SECOND])
        : await send(programs.stream, []);
    if (plan === OFTEN) await a.program.says(SAYING);
    const samples = await Promise.all(gateways.map((gateway) => gateway.sample()));
    const { drops } = await a.sample();
    assert.equal(drops.innerSource, 0, "answers of the peer that is not active come in");
    const file = `/sys/class/net/${interfaceOf(lab.a)}/statistics/tx_dropped`;
    const noRoom = Number(await lab.must(lab.a, ["cat", file])) + (figures.dropped ?? 0);
    run = { figures, noRoom, took: samples.map(({ counters }) => counters.tunWrittenBytes!) };
  });
  return run!;
};

const lostOf = ({ figures, noRoom }: Run): number => figures.sent! - figures.received! - noRoom;

const told = (kind: "UDP" | "TCP", run: Run): string => {
  const { sent, bytes, again, longestUs } = run.figures;
  const what =
    kind === "UDP"
      ? `${sent} packets sent, ${run.noRoom} without room, ${lostOf(run)} lost`
      : `${((8 * bytes!) / 1e3 / STREAM_MS).toFixed(0)} Mbit/s, ${again} segments again`;
  return `${kind}: ${what}, longest pause ${(longestUs! / 1e3).toFixed(1)} ms`;
};

for (const kind of ["UDP", "TCP"] as const) {
  test(`${TIMES} failovers under ${kind}`, { skip }, async (context) => {
    const never = await measure(kind, NEVER);
    const often = await measure(kind, OFTEN);
    measured(context, `none: ${told(kind, never)}`);
    measured(context, `${TIMES}: ${told(kind, often)}`);
    for (const run of [never, often]) {
      assert.ok(run.figures.longestUs! < 1e3 * PAUSE_MS);
      if (kind === "UDP") assert.ok(100 * lostOf(run) <= LOST_PCT * run.figures.sent!);
    }
    const [one = 0, two = 0] = often.took;
    assert.ok(one > FLOWING_BYTES && two > FLOWING_BYTES, "both carried what the server got");
    assert.ok(never.took[1]! < FLOWING_BYTES / 10, "without a failover, the first one alone");
  });
}

test("what waits for a gateway that is not there goes by the next", { skip }, async (context) => {
  const plan = { ...PLAN, flowingBytes: 0, everyMs: WAIT_MS, times: 1 };
  await withEngines([lab.s], plan, async (a) => {
    await lab.must(lab.x, ["ip", "route", "replace", `${lab.a.inner4}/32`, "via", "198.51.100.5"]);
    const waits = ping(lab, lab.a, SERVER, 1, 3_000);
    await a.program.says(SAYING);
    const { lost, times } = await waits;
    assert.equal(lost, 0);
    measured(context, `answered after ${times[0]!.toFixed(0)} ms`);
  });
});
