/** wireguard — ours with Debian's wireguard-go as its peer, in both roles, through rekeys. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import {
  type Keys,
  makeKeys,
  makePresharedKey,
  type NodeEngine,
  type Plan,
  removeWireguardPeer,
  runNode,
  runWireguardGo,
  setWireguardPeer,
  writeConfig,
} from "../../bench/engines.ts";
import { cannotRun, Lab, type Program, wireguardName } from "../../bench/lab.ts";
import { firstPing, flow, ping } from "../../bench/measure.ts";
import type { NodeOptions } from "../../bench/node.ts";

const skip = cannotRun(["iperf3", "wg", "wireguard-go"]);
let lab: Lab;
let ours: Keys;
let theirs: Keys;
before(async () => {
  if (skip !== false) return;
  lab = await Lab.make();
  ours = makeKeys(lab, lab.a, "wireguard");
  theirs = makeKeys(lab, lab.b, "wireguard");
});
after(() => lab?.remove());

/** Rekeys after two seconds; every other duration in the paper's proportions or longer. */
const SHORT: NodeOptions = {
  timing: {
    rekeyAfterTimeMs: 2_000,
    rejectAfterTimeMs: 8_000,
    rekeyTimeoutMs: 1_000,
    keepaliveTimeoutMs: 2_000,
    jitterMs: 100,
  },
};

const withPair = async (
  planA: Plan,
  planB: Plan,
  options: NodeOptions,
  body: (engine: NodeEngine) => Promise<void>,
): Promise<void> => {
  const wireguard: Program = await runWireguardGo(lab, lab.b, theirs, ours.publicKey, planB);
  try {
    const config = writeConfig(lab, lab.a, ours, theirs.publicKey, planA);
    const engine = await runNode(lab, lab.a, config, options);
    try {
      await body(engine);
    } finally {
      assert.equal(await engine.program.stop(), 0, engine.program.errors);
    }
  } finally {
    await wireguard.stop();
  }
};

/** Pings both ways without a loss, and TCP both ways. */
const assertTraffic = async (): Promise<void> => {
  for (const [from, to] of [
    [lab.a, lab.b.inner4],
    [lab.b, lab.a.inner6],
  ] as const) {
    const { lost } = await ping(lab, from, to, 20, 10);
    assert.equal(lost, 0);
  }
  for (const reverse of [false, true]) {
    const tcp = await flow(lab, lab.a, lab.b.inner4, { seconds: 1, reverse });
    assert.ok(tcp.megabitsPerSecond > 20, `${tcp.megabitsPerSecond} Mbit/s`);
  }
};

const handshakesSeen = async (): Promise<number> => {
  const words = ["wg", "show", wireguardName(lab.b), "latest-handshakes"];
  return Number((await lab.must(lab.b, words)).trim().split(/\s+/)[1]);
};

for (const outer of [4, 6] as const) {
  test(`ours calls wireguard-go over IPv${outer}, and rekeys while traffic flows`, {
    skip,
  }, async () => {
    await withPair({ outer }, { outer, knowsEndpoint: false }, SHORT, async (engine) => {
      await firstPing(lab, lab.a, lab.b.inner4);
      await assertTraffic();
      const first = await handshakesSeen();
      const { lost } = await ping(lab, lab.a, lab.b.inner4, 400, 20);
      assert.equal(lost, 0, "pings were lost over rekeys");
      const { counters, drops } = await engine.sample();
      assert.ok(counters.handshakesInitiated! >= 4, `${counters.handshakesInitiated} initiations`);
      assert.ok(counters.sessionsMade! >= 4, `${counters.sessionsMade} sessions`);
      assert.ok((await handshakesSeen()) > first, "wireguard-go saw no new handshake");
      assert.equal(drops.openFailed! + drops.replayed! + drops.handshakeInvalid!, 0);
    });
  });
}

test("wireguard-go calls ours, again and again", { skip }, async () => {
  const rounds = 4;
  await withPair({ knowsEndpoint: false }, {}, {}, async (engine) => {
    for (let round = 1; round <= rounds; round++) {
      await firstPing(lab, lab.b, lab.a.inner4);
      const { lost } = await ping(lab, lab.b, lab.a.inner4, 20, 10);
      assert.equal(lost, 0);
      if (round === 1) await assertTraffic();
      const { counters } = await engine.sample();
      assert.equal(counters.handshakesAnswered, round);
      assert.equal(counters.handshakesInitiated, 0);
      // Its session is gone; ours is not, and must give way to the new one.
      await removeWireguardPeer(lab, lab.b, ours.publicKey);
      await setWireguardPeer(lab, lab.b, ours.publicKey);
    }
  });
});

test("a preshared key with wireguard-go", { skip }, async () => {
  const plan: Plan = { presharedKeyFile: makePresharedKey(lab) };
  await withPair(plan, plan, {}, async () => {
    await firstPing(lab, lab.a, lab.b.inner4);
    await assertTraffic();
  });
  await withPair({}, { ...plan, knowsEndpoint: false }, {}, async (engine) => {
    const { times } = await ping(lab, lab.a, lab.b.inner4, 3, 200);
    assert.equal(times.length, 0);
    assert.equal((await engine.sample()).counters.sessionsMade, 0);
  });
});
