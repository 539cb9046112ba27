/**
 * middle — a link on the way takes less than the tunnel needs, and nothing has asked what it takes
 * (the peer is plain WireGuard): datagrams are cut, and large packets arrive all the same.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { PORT } from "../lab/engines.ts";
import { flow, pingWhole } from "../lab/measure.ts";
import { INNER, insertMiddle } from "./middle.ts";
import { measured, Scene } from "./scene.ts";
import { WIREGUARDS } from "./versions.ts";

const LINK_MTU = 1_400;
const SLOWEST_MEGABITS = 20;

const scene = new Scene(["iperf3"], (lab) => insertMiddle(lab, LINK_MTU));
const [wireguard] = WIREGUARDS.filter(({ skip }) => skip === false);
const skip = scene.skip || (wireguard === undefined ? "wireguard-go not installed" : false);

for (const outer of [4, 6] as const) {
  test(`large packets arrive over IPv${outer}`, { skip }, async (context) => {
    const { lab } = scene;
    const endpoint = outer === 4 ? `${INNER.a4}:${PORT}` : `[${INNER.a6}]:${PORT}`;
    const plans = { ours: { outer }, theirs: { outer, endpoint } };
    await scene.withPair({ wireguard: wireguard!, ...plans }, async (pair) => {
      await scene.firstPing("ours");
      let tries = 1;
      while (tries < 5 && !(await pingWhole(lab, lab.a, lab.b.inner4, 1_420))) tries++;
      const { megabitsPerSecond } = await flow(lab, lab.a, lab.b.inner4, { seconds: 1 });
      const { drops, counters } = await pair.engine.sample();
      const speed = `TCP ${megabitsPerSecond.toFixed(0)} Mbit/s`;
      const resends = `${counters.unsegmentedResends} resends without UDP_SEGMENT`;
      measured(context, `whole ping at try ${tries}, ${speed}, ${resends}`);
      assert.ok(megabitsPerSecond > SLOWEST_MEGABITS, speed);
      assert.equal(drops.sendRefused, 0);
    });
  });
}
