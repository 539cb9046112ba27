/** local — two engines, one with two addresses: answers leave from the one that was asked. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { PeerValue, StatusValue } from "../../src/schema/requests.ts";
import { hostJson, PORT } from "../lab/engines.ts";
import { cannotRun, type Host, Lab } from "../lab/lab.ts";
import { firstPing, flow, ping } from "../lab/measure.ts";
import { withTunnel } from "./tunnels.ts";

const skip = cannotRun(["iperf3"]);
/** The link of the lab's cable. */
const LINK = "under";
/** A second address of host b; what the kernel would choose is its first. */
const SECOND4 = "192.0.2.22";
const SECOND6 = "2001:db8::22";
const SLOWEST_MEGABITS = 20;

let lab: Lab;
before(async () => {
  if (skip !== false) return;
  lab = await Lab.make();
  await lab.must(lab.b, ["ip", "addr", "add", `${SECOND4}/24`, "dev", LINK]);
  await lab.must(lab.b, ["ip", "addr", "add", `${SECOND6}/64`, "dev", LINK, "nodad"]);
});
after(() => lab?.remove());

const statusOf = (host: Host): Promise<StatusValue> => hostJson<StatusValue>(lab, host, "status");

for (const [outer, endpoint] of [
  [4, `${SECOND4}:${PORT}`],
  [6, `[${SECOND6}]:${PORT}`],
] as const) {
  test(`answers leave from the address that was asked, over IPv${outer}`, { skip }, async () => {
    await withTunnel(lab, { outer, endpoint }, { outer, knowsEndpoint: false }, async () => {
      await firstPing(lab, lab.a, lab.b.inner4);
      const { lost } = await ping(lab, lab.a, lab.b.inner4, 20, 10);
      assert.equal(lost, 0);
      const tcp = await flow(lab, lab.a, lab.b.inner4, { seconds: 1, reverse: true });
      assert.ok(tcp.megabitsPerSecond > SLOWEST_MEGABITS);
      const [peer] = await hostJson<PeerValue[]>(lab, lab.a, "peers");
      assert.equal(peer?.endpoint, endpoint);
      assert.equal((await statusOf(lab.a)).counters.roamed, 0, "the peer seemed to move");
      assert.equal((await statusOf(lab.b)).counters.localRefused, 0);
    });
  });
}

test("an address that goes away is not sent from any more", { skip }, async () => {
  const endpoint = `${SECOND4}:${PORT}`;
  await withTunnel(lab, { endpoint }, { knowsEndpoint: false }, async () => {
    await firstPing(lab, lab.a, lab.b.inner4);
    await lab.must(lab.b, ["ip", "addr", "del", `${SECOND4}/24`, "dev", LINK]);
    try {
      // Its own sending tells it, or the kernel first. Answers that a sends before it has heard
      // from there go where b was.
      await firstPing(lab, lab.b, lab.a.inner4, 2);
      const { lost } = await ping(lab, lab.b, lab.a.inner4, 10, 10);
      assert.equal(lost, 0);
      const [peer] = await hostJson<PeerValue[]>(lab, lab.a, "peers");
      assert.equal(peer?.endpoint, `${lab.b.under4}:${PORT}`);
    } finally {
      await lab.must(lab.b, ["ip", "addr", "add", `${SECOND4}/24`, "dev", LINK]);
    }
  });
});
