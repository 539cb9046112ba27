/**
 * nat — one end is behind a router that forgets a mapping after two idle seconds. With a persistent
 * keepalive it stays reachable from outside; without one it does not, until it sends again, from
 * another port, and the outer end follows.
 */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { Plan } from "../lab/engines.ts";
import { ping } from "../lab/measure.ts";
import { insertRouter } from "./router.ts";
import { calledBy, measured, type Pair, Scene } from "./scene.ts";
import { rowsOf, WIREGUARDS } from "./versions.ts";

const MAPPING_SECONDS = 2;
/** Nearly two lives of a mapping. */
const IDLE_MS = 3_500;

/** Either end behind the router, with either program. */
const isChosen = ({ row, inner }: { row: number; inner: Inner }): boolean =>
  (row % 2 === 0) === (inner === "theirs");

type Inner = "ours" | "theirs";

/** Where the outer end thinks that the inner one is. */
const seenAt = async (pair: Pair, inner: Inner): Promise<string> =>
  inner === "ours" ? pair.endpointSeen() : ((await pair.endpointKnown()) ?? "");

const behindRouter = (inner: Inner): void => {
  const scene = new Scene(["nft"], (lab) =>
    insertRouter(lab, lab[inner === "ours" ? "a" : "b"], MAPPING_SECONDS),
  );

  /** Pings from outside to inside. Returns how many of five were answered. */
  const pingInwards = async (): Promise<number> => {
    const { a, b } = scene.lab;
    const [outside, inside] = inner === "ours" ? [b, a] : [a, b];
    return (await ping(scene.lab, outside, inside.inner4, 5, 20)).times.length;
  };

  const plansWith = (inside: Plan) => {
    const { ours, theirs } = calledBy(inner);
    return inner === "ours"
      ? { ours: { ...ours, ...inside }, theirs }
      : { ours, theirs: { ...theirs, ...inside } };
  };

  const rows = WIREGUARDS.map((wireguard, row) => ({ wireguard, row, inner }));
  for (const { wireguard } of rowsOf(rows, isChosen)) {
    const skip = scene.skipFor(wireguard);
    test(`${wireguard.name}, ${inner} inside, persistent keepalive: reachable when idle`, {
      skip,
    }, async (context) => {
      const plans = plansWith({ persistentKeepalive: 1 });
      await scene.withPair({ wireguard, ...plans }, async (pair) => {
        await scene.firstPing(inner);
        const first = await seenAt(pair, inner);
        await sleep(IDLE_MS);
        assert.equal(await pingInwards(), 5);
        assert.equal(await seenAt(pair, inner), first, "the mapping was lost in between");
        measured(context, `still at ${first} after ${IDLE_MS} ms without traffic`);
      });
    });

    test(`${wireguard.name}, ${inner} inside, no keepalive: unreachable until it sends`, {
      skip,
    }, async (context) => {
      await scene.withPair({ wireguard, ...plansWith({}) }, async (pair) => {
        await scene.firstPing(inner);
        const first = await seenAt(pair, inner);
        await sleep(IDLE_MS);
        assert.equal(await pingInwards(), 0, "the router kept the mapping");
        await scene.firstPing(inner);
        assert.equal(await pingInwards(), 5);
        const second = await seenAt(pair, inner);
        measured(context, `moved from ${first} to ${second}`);
        assert.notEqual(second, first, "the router gave the same port again");
        const { counters } = await pair.engine.sample();
        assert.equal(counters.sessionsMade, 1, "a new port needs no handshake");
      });
    });
  }
};

for (const inner of ["ours", "theirs"] as const) {
  describe(`${inner} behind the router`, () => behindRouter(inner));
}
