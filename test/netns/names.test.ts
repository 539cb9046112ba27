/**
 * names — the endpoint is a name, each host has a hosts file of its own: a name that comes late is
 * found, and one that moves is asked again once the session is over.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { PeerValue } from "../../src/schema/requests.ts";
import { hostJson, type NodeEngine, type Plan, PORT, runNode } from "../lab/engines.ts";
import { LINK, writeEtc } from "../lab/lab.ts";
import { firstPing, ping } from "../lab/measure.ts";
import { measured, Scene, SHORT } from "./scene.ts";
import { WIREGUARDS } from "./versions.ts";

const NAME = "b.tunnel.example";
const MOVED = "192.0.2.66";
/** Tries of a second each. */
const TRIES = 30;
/** A name is asked for again this often; else half a minute. */
const ASK_EVERY_MS = 2_000;

const scene = new Scene([], async (lab) => {
  // No name server can be reached from here; the file alone is asked.
  writeEtc(lab.a, "nsswitch.conf", "hosts: files\n");
  writeEtc(lab.a, "resolv.conf", "");
});

const isAt = (address: string | null): void =>
  writeEtc(
    scene.lab.a,
    "hosts",
    `127.0.0.1 localhost\n${address === null ? "" : `${address} ${NAME}\n`}`,
  );

const ours: Plan = { endpoint: `${NAME}:${PORT}` };
const theirs: Plan = { knowsEndpoint: false };
// What is asked and when is ours alone: one wireguard-go does.
const wireguard = WIREGUARDS.find(({ skip }) => skip === false) ?? WIREGUARDS[0]!;

/** Ours with timers of a fifth, so that a session does not outlive its peer for long. */
const startOurs = (): Promise<NodeEngine> =>
  runNode(scene.lab, scene.lab.a, scene.configureOurs(ours), {
    ...SHORT,
    timing: { ...SHORT.timing, askEveryMs: ASK_EVERY_MS },
  });

const endpointKnown = async (): Promise<string | null> => {
  const [peer] = await hostJson<PeerValue[]>(scene.lab, scene.lab.a, "peers");
  return peer?.endpoint ?? null;
};

test("a name that moves while the peer is away", {
  skip: scene.skipFor(wireguard),
}, async (context) => {
  const { lab } = scene;
  isAt(lab.b.under4);
  const first = await scene.startTheirs(wireguard, theirs);
  const engine = await startOurs();
  try {
    await firstPing(lab, lab.a, lab.b.inner4);
    assert.equal(await endpointKnown(), `${lab.b.under4}:${PORT}`);
    await first.stop();
    const readdress = (...words: string[]) => lab.must(lab.b, ["ip", "address", ...words]);
    await readdress("delete", `${lab.b.under4}/24`, "dev", LINK);
    await readdress("add", `${MOVED}/24`, "dev", LINK);
    isAt(MOVED);
    // A program that has not met ours: it cannot call, so that only the name leads there.
    const second = await scene.startTheirs(wireguard, theirs);
    try {
      const seconds = await firstPing(lab, lab.a, lab.b.inner4, TRIES);
      measured(context, `first answer from the new address after ${seconds.toFixed(0)} s`);
      assert.equal(await endpointKnown(), `${MOVED}:${PORT}`);
      const { lost } = await ping(lab, lab.a, lab.b.inner4, 10, 10);
      assert.equal(lost, 0);
    } finally {
      await second.stop();
    }
  } finally {
    await first.stop();
    await engine.program.stop();
    await lab.must(lab.b, ["ip", "address", "replace", `${lab.b.under4}/24`, "dev", LINK]);
  }
});

test("a name that nobody knows at first", {
  skip: scene.skipFor(wireguard),
}, async (context) => {
  const { lab } = scene;
  isAt(null);
  const program = await scene.startTheirs(wireguard, theirs);
  const engine = await startOurs();
  try {
    const { times } = await ping(lab, lab.a, lab.b.inner4, 2, 200);
    assert.equal(times.length, 0);
    isAt(lab.b.under4);
    const seconds = await firstPing(lab, lab.a, lab.b.inner4, TRIES);
    measured(context, `found after ${seconds.toFixed(0)} s`);
    assert.equal(await endpointKnown(), `${lab.b.under4}:${PORT}`);
  } finally {
    await program.stop();
    await engine.program.stop();
  }
});
