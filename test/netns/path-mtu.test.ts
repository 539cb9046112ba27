/**
 * path-mtu — the way to a peer takes less than the tunnel: inner senders are told, what may be cut
 * is cut, TCP goes on at once, and both ends of a new connection announce what fits.
 *
 *   c 10.77.0.2 (MTU 1500) ──── a (ours) ════ tunnel, MTU 1420; 1300 to the peer ════ b
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { mustRun } from "../../src/demo/tools.ts";
import type { PeerValue } from "../../src/schema/requests.ts";
import { hostJson } from "../lab/engines.ts";
import { type Lab, namespaceOf, type Place, wireguardName } from "../lab/lab.ts";
import { until } from "../lab/until.ts";
import { calledBy, measured, type Pair, Scene } from "./scene.ts";
import { WIREGUARDS } from "./versions.ts";

/** What probes found; packets are padded to 16, so 1,296 bytes fit. */
const PATH_MTU = 1_300;
const FITS = 1_296;
const INNER_HOST = "10.77.0.2";
const PORT = 5_201;
/**
 * TCP stands still for as long as it takes to hear of it; a lost one would take 200 ms more, and
 * TCP's timer. Without that it is the machine that stood still.
 */
const LONGEST_GAP_MS = 200;
const FLOWING_BYTES = 1e6;

/** A host behind a, whose link has the usual MTU. Its namespace goes with the lab. */
const home: Place = { namespace: namespaceOf("r") };

const addInnerHost = async (lab: Lab): Promise<void> => {
  const ip = (place: Place, ...words: string[]) =>
    mustRun(["ip", "-netns", place.namespace, ...words]);
  await mustRun(["ip", "netns", "add", home.namespace]);
  const cable = ["type", "veth", "peer", "name", "home", "netns", home.namespace];
  await ip(lab.a, "link", "add", "home", ...cable);
  await ip(lab.a, "address", "add", "10.77.0.1/24", "dev", "home");
  await ip(lab.a, "link", "set", "home", "up");
  await ip(home, "address", "add", `${INNER_HOST}/24`, "dev", "home");
  await ip(home, "link", "set", "home", "up");
  await ip(home, "route", "add", "default", "via", "10.77.0.1");
  await lab.must(lab.a, ["sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward"]);
};

const scene = new Scene(["iperf3"], addInnerHost);
const [wireguard] = WIREGUARDS.filter(({ skip }) => skip === false);
const skip = scene.skip || (wireguard === undefined ? "wireguard-go not installed" : false);

/** Kernels remember for minutes what they were told. */
const forget = async (): Promise<void> => {
  for (const place of [scene.lab.a, home]) {
    await scene.lab.must(place, ["ip", "route", "flush", "cache"]);
    await scene.lab.must(place, ["ip", "-6", "route", "flush", "cache"]);
  }
};

const withPair = (body: (pair: Pair) => Promise<void>): Promise<void> => {
  const { ours, theirs } = calledBy("ours");
  const { inner4, inner6 } = scene.lab.a;
  const allowedIps = [`${inner4}/32`, `${inner6}/128`, "10.77.0.0/24"];
  const plans = { ours, theirs: { ...theirs, allowedIps } };
  return scene.withPair({ wireguard: wireguard!, ...plans }, async (pair) => {
    const { b } = scene.lab;
    const back = ["ip", "route", "add", "10.77.0.0/24", "dev", wireguardName(b)];
    await scene.lab.must(b, back);
    await forget();
    await scene.firstPing("ours");
    await body(pair);
  });
};

const pingOf = (from: Place, address: string, size: number, way: "do" | "dont") => {
  const headers = address.includes(":") ? 48 : 28;
  const words = ["-n", "-c", "1", "-W", "1", "-M", way, "-s", String(size - headers)];
  return scene.lab.run(from, ["ping", ...words, address]);
};

test("senders are told, and what may be cut is cut", { skip }, async () => {
  await withPair(async ({ engine }) => {
    const { a, b } = scene.lab;
    await engine.setPathMtu(PATH_MTU);
    const [peer] = await hostJson<PeerValue[]>(scene.lab, a, "peers");
    assert.equal(peer?.mtu, FITS);
    // Both ways: what wireguard-go sends back is whole.
    assert.equal((await pingOf(home, b.inner4, 1_420, "dont")).code, 0);
    const cut = await engine.sample();
    assert.equal(cut.counters.fragmented, 1);
    assert.equal(cut.drops.tooBig, 0);
    for (const [from, address] of [
      [home, b.inner4], // first: a would know it, and tell it by itself
      [a, b.inner4],
      [a, b.inner6],
    ] as const) {
      const large = await pingOf(from, address, FITS + 1, "do");
      assert.match(large.output + large.errors, new RegExp(`mtu ?= ?${FITS}`));
      assert.notEqual(large.code, 0);
      assert.equal((await pingOf(from, address, FITS, "do")).code, 0, `${FITS} to ${address}`);
    }
    const told = await engine.sample();
    assert.equal(told.drops.tooBig, 3);
    assert.equal(told.counters.tooBigTold, 3);
    // Unknown again: the tunnel's MTU.
    await engine.setPathMtu(0);
    await forget();
    assert.equal((await pingOf(a, b.inner4, 1_420, "do")).code, 0);
  });
});

/** Times that TCP's timer ran out on host a. Source: Linux net/ipv4/proc.c, TCPTimeouts. */
const timeouts = async (): Promise<number> => {
  const table = await scene.lab.must(scene.lab.a, ["cat", "/proc/net/netstat"]);
  const [names, values] = [...table.matchAll(/^TcpExt: (.*)$/gm)].map(([, row]) => row!.split(" "));
  return Number(values![names!.indexOf("TCPTimeouts")]);
};

test("a TCP stream goes on when the way shrinks", { skip }, async (context) => {
  await withPair(async ({ engine }) => {
    const { lab } = scene;
    const listen = ["iperf3", "-s", "-1", "-p", String(PORT), "--forceflush"];
    const server = lab.start(lab.b, listen);
    await server.says("Server listening");
    const to = ["-c", lab.b.inner4, "-p", String(PORT), "-t", "60", "-i", "0.1", "-J"];
    const timeoutsBefore = await timeouts();
    const client = lab.start(lab.a, ["iperf3", ...to]);
    await until("it flows", async () => (await engine.sample()).counters.tunBytes! > FLOWING_BYTES);
    await sleep(700);
    const before = await engine.sample();
    await engine.setPathMtu(PATH_MTU);
    await until("it meets the end", async () => (await engine.sample()).drops.tooBig! > 0);
    await sleep(1_200);
    client.child.kill("SIGINT"); // it tells what it has
    await client.ended;
    await server.stop();
    const { output } = client;
    const expired = (await timeouts()) - timeoutsBefore;
    const { drops, counters } = await engine.sample();
    const { intervals } = JSON.parse(output) as {
      intervals: { sum: { bytes: number; end: number; retransmits: number } }[];
    };
    const moved = intervals.map(({ sum }) => sum.bytes);
    let gap = 0;
    let longest = 0;
    for (const bytes of moved) {
      gap = bytes === 0 ? gap + 100 : 0;
      longest = Math.max(longest, gap);
    }
    const sum = (rows: number[]): number => rows.reduce((total, bytes) => total + bytes, 0);
    const [early, late] = [sum(moved.slice(2, 8)), sum(moved.slice(-6))];
    assert.equal(before.drops.tooBig, 0);
    assert.ok(drops.tooBig! > 0 && counters.tooBigTold! > 0);
    const share = `${Math.round((100 * late) / early)} % of the speed before`;
    measured(
      context,
      `${drops.tooBig} dropped, ${counters.tooBigTold} told, gap ${longest} ms, ${share}`,
    );
    assert.ok(longest <= LONGEST_GAP_MS || expired === 0, `it stood still for ${longest} ms`);
  });
});

/** What both ends of a TCP connection send at most, as `ss` of each shows. */
const segmentSizes = async (from: Place, address: string): Promise<number[]> => {
  const { lab } = scene;
  const server = lab.start(lab.b, ["iperf3", "-s", "-1", "-p", String(PORT), "--forceflush"]);
  await server.says("Server listening");
  const to = ["-c", address, "-p", String(PORT), "-t", "20", "-b", "1M"];
  const client = lab.start(from, ["iperf3", ...to]);
  let found: number[] = [];
  await until("there are two connections", async () => {
    const sockets = ["ss", "-tinH", "state", "established"];
    const ends = await Promise.all([from, lab.b].map((place) => lab.must(place, sockets)));
    found = [...ends.join().matchAll(/[\s]mss:(\d+)/g)].map(([, mss]) => Number(mss));
    return found.length >= 4;
  });
  await client.stop();
  await server.stop();
  return found;
};

test("both ends of a connection announce what fits", { skip }, async (context) => {
  await withPair(async ({ engine }) => {
    const { lab } = scene;
    for (const mtu of [0, PATH_MTU]) {
      await engine.setPathMtu(mtu);
      const most = (mtu === 0 ? 1_420 : FITS) - 40 - 12; // headers, and TCP's time stamps
      const sizes = await segmentSizes(home, lab.b.inner4);
      measured(context, `path MTU ${mtu}: ${sizes.join(", ")}`);
      assert.equal(sizes.length, 4, "two connections, two ends");
      assert.ok(
        sizes.every((size) => size === most),
        `${sizes.join(", ")}, not ${most}`,
      );
    }
    const { counters, drops } = await engine.sample();
    // Per connection its SYN, and with the lower MTU the answer too.
    assert.equal(counters.mssClamped, 6);
    assert.equal(drops.tooBig, 0);
  });
});
