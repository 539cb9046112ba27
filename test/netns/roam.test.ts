/** roam — an end gets another address or port while pings go through; the tunnel follows. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { PORT } from "../lab/engines.ts";
import { type Host, LINK, wireguardName } from "../lab/lab.ts";
import { ping } from "../lab/measure.ts";
import { calledBy, measured, type Pair, Scene } from "./scene.ts";
import { inTurn } from "./versions.ts";

const scene = new Scene();
const PINGS = 30;
const INTERVAL_MS = 50;
const MOVE_AFTER_MS = 400;
/** A move may cost what the kernel needs to find the new address on the link. */
const LOST_MAX = 10;
const OTHER_PORT = PORT + 79;

/** Addresses that a host moves to; the network is the same. */
const NEXT = {
  a: { 4: "192.0.2.11", 6: "2001:db8::11" },
  b: { 4: "192.0.2.12", 6: "2001:db8::12" },
} as const;

const prefixed = (address: string): string => `${address}/${address.includes(":") ? 64 : 24}`;
const endpoint = (address: string, port = PORT): string =>
  address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`;

/** Takes all addresses of the version from the link and gives it one, as a new lease would. */
const readdress = async (host: Host, to: string): Promise<void> => {
  const six = to.includes(":");
  const script = [
    `ip ${six ? "-6" : "-4"} address flush dev ${LINK}`,
    `ip address add ${prefixed(to)} dev ${LINK} ${six ? "nodad" : ""}`,
  ].join(" && ");
  await scene.lab.must(host, ["sh", "-c", script]);
};

/**
 * Moves wireguard-go. Linux 6.18 refuses a source address that is gone with ENETUNREACH, and
 * 0.0.20220316 waits for EINVAL before it lets go of an IPv4 one; a new endpoint makes it forget.
 */
const moveTheirs = async (to: string): Promise<void> => {
  const { b } = scene.lab;
  await readdress(b, to);
  const seen = await scene.lab.must(b, ["wg", "show", wireguardName(b), "endpoints"]);
  const [peer = "", ours = ""] = seen.trim().split(/\s+/);
  await scene.lab.must(b, ["wg", "set", wireguardName(b), "peer", peer, "endpoint", ours]);
};

/**
 * Pings from the host that moves, and moves it meanwhile; then both ways without a loss. Until it
 * has sent something, nobody can know where it is. Returns lost pings.
 */
const through = async (pair: Pair, mover: Host, move: () => Promise<unknown>): Promise<number> => {
  const { lab } = scene;
  const pings = ping(lab, mover, lab.peerOf(mover).inner4, PINGS, INTERVAL_MS);
  await sleep(MOVE_AFTER_MS);
  await move();
  const { lost } = await pings;
  assert.ok(lost <= LOST_MAX, `${lost} of ${PINGS} pings were lost`);
  await pair.assertPings();
  return lost;
};

for (const wireguard of inTurn(1)) {
  for (const outer of [4, 6] as const) {
    test(`${wireguard.name} over IPv${outer}: our address, its address, its port`, {
      skip: scene.skipFor(wireguard),
    }, async (context) => {
      const { a, b } = scene.lab;
      const under = outer === 4 ? ("under4" as const) : ("under6" as const);
      await scene.withPair({ wireguard, ...calledBy("ours", { outer }) }, async (pair) => {
        const lost: number[] = [];
        await scene.firstPing("ours");
        try {
          lost.push(await through(pair, a, () => readdress(a, NEXT.a[outer])));
          assert.equal(await pair.endpointSeen(), endpoint(NEXT.a[outer]));
          lost.push(await through(pair, b, () => moveTheirs(NEXT.b[outer])));
          assert.equal(await pair.endpointKnown(), endpoint(NEXT.b[outer]));
          const words = ["wg", "set", wireguardName(b), "listen-port", String(OTHER_PORT)];
          lost.push(await through(pair, b, () => scene.lab.must(b, words)));
          assert.equal(await pair.endpointKnown(), endpoint(NEXT.b[outer], OTHER_PORT));
        } finally {
          await readdress(a, a[under]);
          await readdress(b, b[under]);
        }
        const { counters } = await pair.engine.sample();
        assert.equal(counters.roamed, 2);
        assert.equal(counters.sessionsMade, 1, "roaming needs no handshake");
        const every = `${PINGS} pings, ${INTERVAL_MS} ms apart`;
        measured(context, `${lost.join(", ")} lost of ${every}`);
      });
    });
  }
}
