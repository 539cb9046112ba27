/**
 * names — the endpoint is a name, each host has a hosts file of its own: a name that comes late is
 * found, and one that moves is asked again once the session is over.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { type Plan, PORT, runNode } from "../../bench/engines.ts";
import { LINK } from "../../bench/lab.ts";
import { firstPing, ping } from "../../bench/measure.ts";
import { measured, Pair, Scene, SHORT } from "./scene.ts";
import { WIREGUARDS } from "./versions.ts";

const NAME = "b.tunnel.example";
const MOVED = "192.0.2.66";
/** Seconds: the engine asks each minute. */
const TRIES = 75;

const scene = new Scene([], async (lab) => {
  // No name server can be reached from here; the file alone is asked.
  lab.writeEtc(lab.a, "nsswitch.conf", "hosts: files\n");
  lab.writeEtc(lab.a, "resolv.conf", "");
});

const isAt = (address: string | null): void =>
  scene.lab.writeEtc(
    scene.lab.a,
    "hosts",
    `127.0.0.1 localhost\n${address === null ? "" : `${address} ${NAME}\n`}`,
  );

const ours: Plan = { endpoint: `${NAME}:${PORT}` };
const theirs: Plan = { knowsEndpoint: false };
// What is asked and when is ours alone: one wireguard-go does.
const wireguard = WIREGUARDS.find(({ skip }) => skip === false) ?? WIREGUARDS[0]!;

test("a name that nobody knew, and that moves after the session", {
  skip: scene.skipFor(wireguard),
}, async (context) => {
  const { lab } = scene;
  isAt(null);
  const first = await scene.startTheirs(wireguard, theirs);
  const engine = await runNode(lab, lab.a, scene.configureOurs(ours), SHORT);
  try {
    const pair = new Pair(lab, engine, first);
    const { times } = await ping(lab, lab.a, lab.b.inner4, 2, 200);
    assert.equal(times.length, 0);
    isAt(lab.b.under4);
    const foundSeconds = await firstPing(lab, lab.a, lab.b.inner4, TRIES);
    assert.equal(await pair.endpointKnown(), `${lab.b.under4}:${PORT}`);
    await first.stop();
    for (const change of [
      ["delete", `${lab.b.under4}/24`],
      ["add", `${MOVED}/24`],
    ]) {
      await lab.must(lab.b, ["ip", "address", ...change, "dev", LINK]);
    }
    isAt(MOVED);
    // A program that has not met ours: it cannot call, so that only the name leads there.
    const second = await scene.startTheirs(wireguard, theirs);
    try {
      const movedSeconds = await firstPing(lab, lab.a, lab.b.inner4, TRIES);
      assert.equal(await pair.endpointKnown(), `${MOVED}:${PORT}`);
      const { lost } = await ping(lab, lab.a, lab.b.inner4, 10, 10);
      assert.equal(lost, 0);
      const seconds = `${foundSeconds.toFixed(0)} s and ${movedSeconds.toFixed(0)} s`;
      measured(context, `found after ${seconds}`);
    } finally {
      await second.stop();
    }
  } finally {
    await first.stop();
    await engine.program.stop();
  }
});
