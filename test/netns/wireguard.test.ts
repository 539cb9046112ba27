/** wireguard — ours with wireguard-go as its peer: both roles, both IP versions, rekeys. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { makePresharedKey, removeWireguardPeer, setWireguardPeer } from "../lab/engines.ts";
import { ping } from "../lab/measure.ts";
import type { NodeOptions } from "../lab/node.ts";
import { calledBy, measured, Scene } from "./scene.ts";
import { FULL, rowsOf, WIREGUARDS } from "./versions.ts";

const scene = new Scene(["iperf3"]);
/** The paper's REKEY_AFTER_TIME, which wireguard-go keeps, and what a handshake may take. */
const THEIR_REKEY_SECONDS = 125;

/** Ten milliseconds apart. */
const PINGS = FULL ? 800 : 600;
/** Two or three handshakes a second. */
const OFTEN: NodeOptions = {
  timing: {
    rekeyAfterTimeMs: 500,
    rejectAfterTimeMs: 4_000,
    rekeyTimeoutMs: 400,
    keepaliveTimeoutMs: 800,
    jitterMs: 50,
  },
};

interface Row {
  readonly caller: "ours" | "theirs";
  readonly outer: 4 | 6;
  readonly psk: boolean;
}

/** Each value of each column meets each of every other one, in half of all rows. */
const isChosen = ({ caller, outer, psk }: Row): boolean =>
  ((caller === "ours" ? 1 : 0) + (outer === 6 ? 1 : 0) + (psk ? 1 : 0)) % 2 === 0;

const ROWS: readonly Row[] = (["ours", "theirs"] as const).flatMap((caller) =>
  ([4, 6] as const).flatMap((outer) => [false, true].map((psk) => ({ caller, outer, psk }))),
);

for (const wireguard of WIREGUARDS) {
  for (const { caller, outer, psk } of rowsOf(ROWS, isChosen)) {
    const who = caller === "ours" ? "ours calls" : "it calls ours";
    const keys = psk ? ", preshared key" : "";
    test(`${wireguard.name}: ${who} over IPv${outer}, IPv4 and IPv6 inside${keys}`, {
      skip: scene.skipFor(wireguard),
    }, async (context) => {
      const plan = { outer, ...(psk ? { presharedKeyFile: makePresharedKey(scene.lab) } : {}) };
      await scene.withPair({ wireguard, ...calledBy(caller, plan) }, async (pair) => {
        await scene.firstPing(caller);
        await pair.assertPings();
        if (psk || FULL) {
          const [to, from] = await pair.assertTcp(scene.lab.b[outer === 4 ? "inner6" : "inner4"]);
          measured(context, `TCP ${to.toFixed(0)} Mbit/s to it, ${from.toFixed(0)} from it`);
        }
        const { counters, drops } = await pair.engine.sample();
        const made = caller === "ours" ? "handshakesInitiated" : "handshakesAnswered";
        assert.equal(counters[made], 1);
        assert.equal(counters.handshakesInitiated! + counters.handshakesAnswered!, 1);
        assert.equal(drops.openFailed! + drops.replayed! + drops.handshakeInvalid!, 0);
        assert.ok((await pair.handshakeSeen()) > 0);
        const address = outer === 4 ? scene.lab.a.under4 : `[${scene.lab.a.under6}]`;
        assert.equal(await pair.endpointSeen(), `${address}:51820`);
      });
    });
  }

  test(`${wireguard.name}: ours rekeys all the time while traffic flows`, {
    skip: scene.skipFor(wireguard),
  }, async (context) => {
    await scene.withPair({ wireguard, ...calledBy("ours"), node: OFTEN }, async (pair) => {
      await scene.firstPing("ours");
      const first = await pair.handshakeSeen();
      const { a, b } = scene.lab;
      const [out, back] = await Promise.all([
        ping(scene.lab, a, b.inner4, PINGS, 10),
        ping(scene.lab, b, a.inner6, PINGS, 10),
      ]);
      const { counters, drops } = await pair.engine.sample();
      const sessions = counters.sessionsMade!;
      measured(context, `${sessions} sessions, ${out.lost + back.lost} of ${2 * PINGS} pings lost`);
      assert.equal(out.lost + back.lost, 0, "pings were lost over rekeys");
      const least = PINGS / 80;
      assert.ok(
        counters.handshakesInitiated! >= least && sessions >= least,
        `${sessions} sessions`,
      );
      assert.ok((await pair.handshakeSeen()) > first, "it saw no new handshake");
      assert.equal(drops.openFailed! + drops.replayed! + drops.handshakeInvalid!, 0);
    });
  });

  test(`${wireguard.name}: it calls ours, again and again`, {
    skip: scene.skipFor(wireguard),
  }, async () => {
    const rounds = 4;
    await scene.withPair({ wireguard, ...calledBy("theirs") }, async (pair) => {
      for (let round = 1; round <= rounds; round++) {
        await scene.firstPing("theirs");
        const { lost } = await ping(scene.lab, scene.lab.b, scene.lab.a.inner4, 20, 10);
        assert.equal(lost, 0);
        const { counters } = await pair.engine.sample();
        assert.equal(counters.handshakesAnswered, round);
        assert.equal(counters.handshakesInitiated, 0);
        // Its session is gone; ours is not, and must give way to the new one.
        await removeWireguardPeer(scene.lab, scene.lab.b, scene.ours.publicKey);
        await setWireguardPeer(scene.lab, scene.lab.b, scene.ours.publicKey);
      }
    });
  });

  test(`${wireguard.name}: it rekeys by itself after two minutes`, {
    skip: scene.skipFor(wireguard) || (!FULL && "takes two minutes; set P2PVPN_MATRIX=full"),
  }, async (context) => {
    await scene.withPair({ wireguard, ...calledBy("theirs") }, async (pair) => {
      await scene.firstPing("theirs");
      const { a, b } = scene.lab;
      const { lost, sent } = await ping(scene.lab, b, a.inner4, THEIR_REKEY_SECONDS * 20, 50);
      const { counters } = await pair.engine.sample();
      measured(context, `${counters.handshakesAnswered} handshakes, ${lost} of ${sent} pings lost`);
      assert.equal(counters.handshakesAnswered, 2);
      assert.equal(lost, 0);
    });
  });

  test(`${wireguard.name}: a preshared key that it alone has`, {
    skip: scene.skipFor(wireguard),
  }, async () => {
    const theirs = { presharedKeyFile: makePresharedKey(scene.lab), knowsEndpoint: false };
    await scene.withPair({ wireguard, theirs }, async (pair) => {
      const { times } = await ping(scene.lab, scene.lab.a, scene.lab.b.inner4, 3, 200);
      assert.equal(times.length, 0);
      const { counters, drops } = await pair.engine.sample();
      assert.equal(counters.sessionsMade, 0);
      assert.ok(drops.handshakeInvalid! > 0);
    });
  });
}
