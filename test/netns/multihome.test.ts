/**
 * multihome — ours has two addresses on the link, and wireguard-go calls the second one: answers
 * come from the address that was asked, or a firewall between would drop them.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { PORT } from "../lab/engines.ts";
import { LINK } from "../lab/lab.ts";
import { ping } from "../lab/measure.ts";
import { measured, Scene } from "./scene.ts";
import { inTurn } from "./versions.ts";

const SECOND = { 4: "192.0.2.101", 6: "2001:db8::101" } as const;
/** An inner address of nobody: ours takes its packets and has nothing to send back. */
const NOBODYS = "10.66.0.99";

const scene = new Scene([], async (lab) => {
  await lab.must(lab.a, ["ip", "address", "add", `${SECOND[4]}/24`, "dev", LINK]);
  // The kernel would choose the newest IPv6 address by itself, but for one that is deprecated.
  const old = ["nodad", "preferred_lft", "0"];
  await lab.must(lab.a, ["ip", "address", "add", `${SECOND[6]}/64`, "dev", LINK, ...old]);
});

for (const wireguard of inTurn(0)) {
  for (const outer of [4, 6] as const) {
    const asked = outer === 4 ? `${SECOND[4]}:${PORT}` : `[${SECOND[6]}]:${PORT}`;
    test(`${wireguard.name} over IPv${outer}: answers come from the address asked`, {
      skip: scene.skipFor(wireguard),
    }, async (context) => {
      const ours = { outer, knowsEndpoint: false };
      const theirs = { outer, endpoint: asked, allowedIps: ["10.66.0.0/24"] };
      await scene.withPair({ wireguard, ours, theirs }, async (pair) => {
        const { a, b } = scene.lab;
        const { times } = await ping(scene.lab, b, NOBODYS, 2, 50);
        assert.equal(times.length, 0);
        assert.ok((await pair.handshakeSeen()) > 0, "there was no handshake");
        assert.equal(await pair.endpointSeen(), asked, "after the handshake");
        await scene.firstPing("theirs");
        const { lost } = await ping(scene.lab, b, a.inner4, 10, 10);
        assert.equal(lost, 0);
        const seen = await pair.endpointSeen();
        measured(context, `asked ${asked}, data comes from ${seen}`);
        assert.equal(seen, asked, "after data");
      });
    });
  }
}
