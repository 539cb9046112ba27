/**
 * connected — a busy peer has a socket of its own: what strangers send stands in another queue, and
 * whatever moves, the peer's address, ours, the port, the interface, the tunnel goes on.
 */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import {
  cli,
  interfaceOf,
  type Keys,
  makeKeys,
  type NodeEngine,
  PORT,
  runFlood,
  runNode,
  writeConfig,
} from "../lab/engines.ts";
import { cannotRun, Lab, LINK, type Peer } from "../lab/lab.ts";
import { firstPing, type Pings, ping } from "../lab/measure.ts";
import { type UdpSocket, udpSockets } from "../lab/udp-queues.ts";
import { until } from "../lab/until.ts";
import { measured } from "./scene.ts";

const skip = cannotRun([]);
/** Large pings this often are a peer that is busy. */
const BUSY_BYTES = 1_300;
const BUSY_MS = 2;
const BUSY = ["-i", "0.002", "-s", String(BUSY_BYTES)] as const;
const PER_SECOND = 1_000 / BUSY_MS;
/** What fills the common queue while the engine is stopped, and pings do not fill. */
const FLOOD_PER_SECOND = 50_000;
const STOPPED_MS = 500;
/** What has to happen soon is looked for this long. */
const SOON_MS = 3_000;
const QUIET_TRIES = 3;
const OTHER_PORT = PORT + 79;
const NEXT = "192.0.2.11";

let lab: Lab;
let keys: { readonly a: Keys; readonly b: Keys };
let engines: { readonly a: NodeEngine; readonly b: NodeEngine };

before(async () => {
  if (skip !== false) return;
  lab = await Lab.make();
  keys = { a: makeKeys(lab, lab.a, "wireguard"), b: makeKeys(lab, lab.b, "wireguard") };
  const [a, b] = await Promise.all([
    runNode(lab, lab.a, writeConfig(lab, lab.a, keys.a, keys.b.publicKey)),
    runNode(lab, lab.b, writeConfig(lab, lab.b, keys.b, keys.a.publicKey)),
  ]);
  engines = { a, b };
  await firstPing(lab, lab.a, lab.b.inner4);
});
after(async () => {
  for (const engine of Object.values(engines ?? {})) {
    assert.equal(await engine.program.stop(), 0, engine.program.errors);
  }
  lab?.remove();
});

/** From a to b through the tunnel, for a while. */
const busy = (seconds: number): Promise<Pings> =>
  ping(lab, lab.a, lab.b.inner4, seconds * PER_SECOND, BUSY_MS, BUSY_BYTES);

/** The same for as long as something takes; what ping counted. */
const busyWhile = async (work: () => Promise<void>): Promise<Pick<Pings, "sent" | "lost">> => {
  const pings = lab.start(lab.a, ["ping", "-n", "-q", ...BUSY, lab.b.inner4]);
  try {
    await work();
  } finally {
    pings.child.kill("SIGINT");
    await pings.ended;
  }
  const totals = /(\d+) packets transmitted, (\d+) received/.exec(pings.output);
  assert(totals !== null, pings.output);
  const [sent, received] = [Number(totals[1]), Number(totals[2])];
  return { sent, lost: sent - received };
};

const sockets = (host: Peer, connected: boolean, port = PORT): UdpSocket[] =>
  udpSockets(engines[host.name].program.pid, port).filter((one) => one.connected === connected);

const soon = async (seen: () => boolean | Promise<boolean>): Promise<void> => {
  for (let ms = 0; ms < SOON_MS && !(await seen()); ms += 20) await sleep(20);
  assert.ok(await seen(), `not within ${SOON_MS} ms`);
};

const sum = (of: readonly UdpSocket[]): number => of.reduce((all, one) => all + one.dropped, 0);

test("a quiet peer has none, a busy one has one, and both directions use it", {
  skip,
}, async () => {
  const none = (): boolean => [lab.a, lab.b].every((host) => sockets(host, true).length === 0);
  // A machine that stood still makes the little that a quiet peer moves look like much at once.
  for (let tries = 0; tries < QUIET_TRIES; tries++) {
    await until("idle sockets are closed", none);
    await firstPing(lab, lab.a, lab.b.inner4);
    if (none()) break;
  }
  const before: number[] = [];
  for (const host of [lab.a, lab.b]) {
    assert.equal(sockets(host, true).length, 0, `host ${host.name} while it is quiet`);
    assert.equal(sockets(host, false).length, 4, "IPv4 and IPv6, I/O and control");
    before.push((await engines[host.name].sample()).counters.connected!);
  }
  const { lost } = await busy(1);
  assert.equal(lost, 0);
  for (const [i, host] of [lab.a, lab.b].entries()) {
    assert.equal(sockets(host, true).length, 1, `host ${host.name} while it is busy`);
    const { counters } = await engines[host.name].sample();
    assert.ok(counters.connected! - before[i]! <= 1, "more than one, one after the other");
    assert.ok(counters.connectedSends! > PER_SECOND / 2, `${counters.connectedSends} sends`);
    assert.ok(counters.connectedReceives! > PER_SECOND / 2, `${counters.connectedReceives}`);
  }
});

test("a stranger's flood fills the common queue and not the peer's", { skip }, async (context) => {
  const flood = await runFlood(lab, lab.a, {
    to: lab.b.under4,
    port: PORT,
    publicKey: keys.b.publicKey,
    kind: "data",
    perSecond: FLOOD_PER_SECOND,
    seconds: 20,
  });
  const { pid } = engines.b.program;
  let lost = 0;
  try {
    // Stopped, it reads neither queue, as when there is more than it can read.
    const stop = async (): Promise<void> => {
      await sleep(500);
      process.kill(pid, "SIGSTOP");
      await sleep(STOPPED_MS);
      process.kill(pid, "SIGCONT");
    };
    [{ lost }] = await Promise.all([busy(2), stop()]);
  } finally {
    process.kill(pid, "SIGCONT");
    await flood.stop();
  }
  const others = sum(sockets(lab.b, false));
  measured(context, `${lost} of ${2 * PER_SECOND} pings lost, ${others} strangers' datagrams`);
  assert.equal(sum(sockets(lab.b, true)), 0, "the peer's queue was full");
  assert.ok(others > 0, "the flood was too weak to fill a queue");
  assert.equal(lost, 0);
});

test("the peer moves, and moves back", { skip }, async (context) => {
  const address = async (next: string): Promise<void> => {
    const change = `ip -4 address flush dev ${LINK} && ip address add ${next}/24 dev ${LINK}`;
    await lab.must(lab.a, ["sh", "-c", change]);
  };
  const own = (): boolean => sockets(lab.b, true).length === 1;
  const { sent, lost } = await busyWhile(async () => {
    await soon(own);
    const before = (await engines.b.sample()).counters;
    for (const [moved, next] of [NEXT, lab.a.under4].entries()) {
      await address(next);
      await soon(async () => {
        const { roamed, connected } = (await engines.b.sample()).counters;
        const moves = [roamed! - before.roamed!, connected! - before.connected!];
        return own() && moves.every((times) => times === moved + 1);
      });
    }
  });
  measured(context, `${lost} of ${sent} pings lost`);
  assert.ok(lost < PER_SECOND / 2, `${lost} pings were lost`);
});

test("the port moves, the mark changes, the interface goes down and up", { skip }, async () => {
  const set = async (name: string, value: string): Promise<void> => {
    const words = ["config", "set", name, value, "-i", interfaceOf(lab.b)];
    const { code, errors } = await cli(lab, lab.b, ...words);
    assert.equal(code, 0, errors);
  };
  const link = (way: "up" | "down") =>
    lab.must(lab.b, ["ip", "link", "set", interfaceOf(lab.b), way]);
  const ownAt = (port: number) => () => sockets(lab.b, true, port).length === 1;
  await busyWhile(async () => {
    await soon(ownAt(PORT));
    await set("interface.listen_port", String(OTHER_PORT));
    await soon(ownAt(OTHER_PORT));
    const made = async () => (await engines.b.sample()).counters.connected!;
    const before = await made();
    await set("interface.fwmark", "7");
    await soon(async () => (await made()) === before + 1 && ownAt(OTHER_PORT)());
    await link("down");
    await soon(() => udpSockets(engines.b.program.pid, OTHER_PORT).length === 0);
    await link("up");
    await firstPing(lab, lab.b, lab.a.inner4);
    await soon(ownAt(OTHER_PORT));
    await set("interface.listen_port", String(PORT));
    await soon(ownAt(PORT));
    assert.equal(udpSockets(engines.b.program.pid, OTHER_PORT).length, 0);
    assert.equal(sockets(lab.b, false).length, 4);
  });
  assert.equal((await busy(0.2)).lost, 0);
});
