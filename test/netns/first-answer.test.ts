/**
 * first-answer — one end begins anew while the other one's session lives on: the answer to the
 * very first packet comes back. Whoever answers a handshake seals in the new session as soon as its
 * first packet is there; the other end knows no other.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import {
  interfaceOf,
  type NodeEngine,
  PORT,
  removeWireguardPeer,
  runNode,
  setWireguardPeer,
  writeConfig,
} from "../lab/engines.ts";
import { type Host, wireguardName } from "../lab/lab.ts";
import { firstPing } from "../lab/measure.ts";
import type { NodeOptions } from "../lab/node.ts";
import { measured, Scene } from "./scene.ts";
import { FULL, rowsOf, WIREGUARDS } from "./versions.ts";

/** Times that an end begins anew; the long form by P2PVPN_MATRIX=full. */
const ROUNDS = FULL ? 100 : 6;
/** A TCP whose first answer is lost asks again after a second. Source: RFC 6298 2.1. */
const CONNECT_MS = 900;
const TCP_PORT = 4_711;

/** How jobs are done, and by how many threads. */
const WAYS: Readonly<Record<string, NodeOptions>> = {
  "one I/O thread": { flags: { threads: 0 } },
  "handed over, two I/O threads": { flags: { threads: 1, hand_over: "always", io_threads: 2 } },
};

const scene = new Scene();

/**
 * WireGuard passes over an initiation within 20 ms of the one before, and its timestamps have steps
 * of 17 ms; who begins anew so fast is not heard. Source: wireguard-go, HandshakeInitationRate.
 */
const APART_MS = 50;

/** Each time: forgets, then one packet. How many had no answer within a second. */
const lostOf = async (from: Host, to: Host, forget: (i: number) => Promise<unknown>) => {
  let lost = 0;
  for (let i = 0; i < ROUNDS; i++) {
    await sleep(APART_MS);
    await forget(i);
    const { code } = await scene.lab.run(from, ["ping", "-n", "-c1", "-W1", to.inner4]);
    if (code !== 0) lost++;
  }
  return lost;
};

/** Milliseconds until a TCP connection stands, after the sender has begun anew. */
const connectMs = async (from: Host, to: Host, forget: () => Promise<unknown>): Promise<number> => {
  const { lab } = scene;
  const listen = `require("net").createServer((s) => s.end())
    .listen(${TCP_PORT}, () => console.log("up"))`;
  const server = lab.start(to, [process.execPath, "-e", listen]);
  try {
    await server.says("up");
    await forget();
    const connect = `const at = performance.now();
      require("net").connect(${TCP_PORT}, "${to.inner4}", () => {
        console.log(performance.now() - at); process.exit(); });`;
    return Number(await lab.must(from, [process.execPath, "-e", connect]));
  } finally {
    await server.stop();
  }
};

/** An interface that is set down forgets its sessions. */
const downUp = async (host: Host): Promise<void> => {
  for (const state of ["down", "up"]) {
    await scene.lab.must(host, ["ip", "link", "set", interfaceOf(host), state]);
  }
};

const assertNone = (lost: number, connected: number): void => {
  assert.equal(lost, 0, `${lost} first answers were lost`);
  assert.ok(connected < CONNECT_MS, `a TCP connection took ${connected.toFixed(0)} ms`);
};

const all = WIREGUARDS.flatMap((wireguard, i) =>
  Object.keys(WAYS).map((way, j) => ({ wireguard, way, chosen: (i + j) % 2 === 0 })),
);
for (const { wireguard, way } of rowsOf(all, ({ chosen }) => chosen)) {
  test(`${wireguard.name}: it begins anew, ours does, it comes from another port; ${way}`, {
    skip: scene.skipFor(wireguard),
  }, async (context) => {
    await scene.withPair({ wireguard, node: WAYS[way]! }, async () => {
      const { a, b } = scene.lab;
      const anew = async (): Promise<void> => {
        await removeWireguardPeer(scene.lab, b, scene.ours.publicKey);
        await setWireguardPeer(scene.lab, b, scene.ours.publicKey);
      };
      const moved = async (i: number): Promise<void> => {
        const port = ["listen-port", String(PORT + 1 + (i % 2))];
        await scene.lab.must(b, ["wg", "set", wireguardName(b), ...port]);
        await anew();
      };
      await firstPing(scene.lab, b, a.inner4);
      const theirs = await lostOf(b, a, anew);
      const connected = await connectMs(b, a, anew);
      const own = await lostOf(a, b, () => downUp(a));
      const ported = await lostOf(b, a, moved);
      const text = `${theirs}, ${own}, ${ported} of ${ROUNDS} lost; TCP ${connected.toFixed(0)} ms`;
      measured(context, text);
      assertNone(theirs + own + ported, connected);
    });
  });
}

for (const [way, node] of rowsOf(
  Object.entries(WAYS),
  ([, { flags }]) => flags?.io_threads === 2,
)) {
  test(`two of ours: either begins anew; ${way}`, { skip: scene.skip }, async (context) => {
    const { lab, ours, theirs } = scene;
    const { a, b } = lab;
    const start = (host: Host): Promise<NodeEngine> => {
      const [keys, peer] = host === a ? [ours, theirs] : [theirs, ours];
      return runNode(lab, host, writeConfig(lab, host, keys, peer.publicKey), node);
    };
    const engines = await Promise.all([start(a), start(b)]);
    try {
      await firstPing(lab, a, b.inner4);
      const lost = await lostOf(a, b, () => downUp(a));
      const connected = await connectMs(b, a, () => downUp(b));
      measured(context, `${lost} of ${ROUNDS} lost; TCP ${connected.toFixed(0)} ms`);
      assertNone(lost, connected);
    } finally {
      for (const { program } of engines) assert.equal(await program.stop(), 0, program.errors);
    }
  });
}
