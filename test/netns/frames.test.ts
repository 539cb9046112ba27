/**
 * frames — engines find each other, and a path that takes less than its ends know; a plain
 * WireGuard is said one hello and nothing else.
 *
 *     a ──── router, link of 1380 bytes, ICMP goes nowhere ──── b
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { PeerValue } from "../../src/schema/requests.ts";
import { hostJson, makeKeys, type NodeEngine, runNode, writeConfig } from "../lab/engines.ts";
import type { Host } from "../lab/lab.ts";
import { flow, ping, pingWhole } from "../lab/measure.ts";
import { until } from "../lab/until.ts";
import { insertRouter } from "./router.ts";
import { calledBy, measured, Scene, SHORT } from "./scene.ts";
import { FULL, WIREGUARDS } from "./versions.ts";

const scene = new Scene(["iperf3", "nft"]);
const FOUND_MS = 20_000;
const LINK_BYTES = 1_380;
/** IPv4, UDP, data header and tag; then whole steps of the padding. */
const INNER_BYTES = Math.floor((LINK_BYTES - 60) / 16) * 16;

const peerOf = async (host: Host): Promise<PeerValue> =>
  (await hostJson<PeerValue[]>(scene.lab, host, "peers"))[0]!;

const NEWEST = WIREGUARDS.filter(({ skip }) => skip === false).slice(-1);

for (const wireguard of FULL || NEWEST.length === 0 ? WIREGUARDS : NEWEST) {
  test(`${wireguard.name} is said one hello, through session after session`, {
    skip: scene.skipFor(wireguard),
  }, async (context) => {
    const options = { wireguard, node: SHORT, ...calledBy("ours") };
    await scene.withPair(options, async (pair) => {
      await scene.firstPing("ours");
      await until("there is another session, and pings in it", async () => {
        const { counters } = await pair.engine.sample();
        await ping(scene.lab, scene.lab.a, scene.lab.b.inner4, 2, 50);
        await sleep(200);
        return counters.sessionsMade! >= 2;
      });
      const { counters, drops } = await pair.engine.sample();
      assert.equal(counters.framesSent, 1);
      assert.equal(counters.hellosTaken! + counters.probesTaken!, 0);
      assert.equal(drops.controlFrame, 0);
      assert.equal((await peerOf(scene.lab.a)).rttMs, null);
      measured(context, `${counters.sessionsMade} sessions, ${counters.framesSent} frame`);
    });
  });
}

/** Both ends ours, `io` I/O threads each. */
const withEngines = async (
  io: number,
  body: (engines: readonly NodeEngine[]) => Promise<void>,
): Promise<void> => {
  const { lab } = scene;
  const [a, b] = [makeKeys(lab, lab.a, "identity"), makeKeys(lab, lab.b, "identity")];
  const node = { flags: { ioThreads: io, threads: 0 } };
  const engines: NodeEngine[] = [];
  try {
    const called = writeConfig(lab, lab.b, b, a.publicKey, { knowsEndpoint: false });
    const both = [
      runNode(lab, lab.a, writeConfig(lab, lab.a, a, b.publicKey), node),
      runNode(lab, lab.b, called, node),
    ];
    engines.push(...(await Promise.all(both)));
    await body(engines);
    for (const { program } of engines) assert.equal(program.errors, "");
  } finally {
    for (const { program } of engines) await program.stop();
  }
};

/** Milliseconds until both ends have measured the path with pings that go through meanwhile. */
const measuredPath = async (): Promise<number> => {
  const { a, b } = scene.lab;
  const startMs = Date.now();
  for (;;) {
    await ping(scene.lab, a, b.inner4, 2, 100);
    const both = [await peerOf(a), await peerOf(b)];
    const isDone = both.every(({ rttMs, mtu }) => rttMs !== null && mtu === INNER_BYTES);
    if (isDone) return Date.now() - startMs;
    assert.ok(Date.now() - startMs < FOUND_MS, `not found: ${JSON.stringify(both)}`);
  }
};

test("two engines with two I/O threads each know each other", {
  skip: scene.skip,
}, async (context) => {
  const { a, b } = scene.lab;
  await withEngines(2, async (engines) => {
    await scene.firstPing("ours");
    let [one, other] = [await peerOf(a), await peerOf(b)];
    for (let tries = 0; (one.rttMs === null || other.rttMs === null) && tries < 50; tries++) {
      await ping(scene.lab, b, a.inner4, 1, 100);
      [one, other] = [await peerOf(a), await peerOf(b)];
    }
    assert.ok(one.rttMs !== null && other.rttMs !== null, "no round trip was measured");
    assert.equal(one.mtu, 1_420);
    for (const engine of engines) {
      const { counters, drops } = await engine.sample();
      assert.ok(counters.hellosTaken! >= 1 && counters.answersTaken! >= 1);
      assert.equal(drops.frameInvalid! + drops.frameRate! + drops.frameUnexpected!, 0);
      assert.equal(counters.pathMtuChanges, 0);
    }
    measured(context, `round trip ${one.rttMs.toFixed(2)} and ${other.rttMs.toFixed(2)} ms`);
  });
});

test("a link of 1380 bytes on the way, and nobody tells: found, and TCP flows", {
  skip: scene.skip,
}, async (context) => {
  const { lab } = scene;
  const { a, b } = lab;
  const router = await insertRouter(lab, a, 60);
  for (const rule of [
    "add table ip quiet",
    "add chain ip quiet out { type filter hook output priority 0; }",
    "add rule ip quiet out icmp type destination-unreachable drop",
  ]) {
    await lab.must(router, ["nft", rule]);
  }
  for (const link of ["inside", "outside"]) {
    await lab.must(router, ["ip", "link", "set", link, "mtu", String(LINK_BYTES)]);
  }
  await withEngines(1, async () => {
    await scene.firstPing("ours");
    measured(context, `${INNER_BYTES} bytes found in ${await measuredPath()} ms`);
    for (const [host, to] of [
      [a, b],
      [b, a],
    ] as const) {
      assert.ok(await pingWhole(lab, host, to.inner4, INNER_BYTES), `from ${host.name}`);
      assert.equal(await pingWhole(lab, host, to.inner4, INNER_BYTES + 1), false);
    }
    const tcp = await flow(lab, a, b.inner4, { seconds: 1 });
    assert.ok(tcp.megabitsPerSecond > 20, `${tcp.megabitsPerSecond} Mbit/s`);
    assert.equal((await peerOf(a)).mtu, INNER_BYTES);
    measured(context, `TCP ${tcp.megabitsPerSecond.toFixed(0)} Mbit/s`);
  });
});
