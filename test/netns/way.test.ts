/** way — two engines: congestion marks, and packets as large as they get. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { StatusValue } from "../../src/schema/requests.ts";
import { hostJson, PORT } from "../lab/engines.ts";
import { cannotRun, type Host, Lab } from "../lab/lab.ts";
import { firstPing, flow, ping } from "../lab/measure.ts";
import { withTunnel } from "./tunnels.ts";

const skip = cannotRun(["iperf3", "nft"]);
/** The link of the lab's cable. */
const LINK = "under";
const SLOWEST_MEGABITS = 20;

let lab: Lab;
before(async () => {
  if (skip === false) lab = await Lab.make();
});
after(() => lab?.remove());

const statusOf = (host: Host): Promise<StatusValue> => hostJson<StatusValue>(lab, host, "status");

/** Largest packets: MTU less what the headers of the tunnel and below it take. */
for (const mtu of [9_000, 34_000, 65_455]) {
  test(`MTU ${mtu} over a path that carries it`, { skip }, async () => {
    for (const host of [lab.a, lab.b]) {
      await lab.must(host, ["ip", "link", "set", LINK, "mtu", "65535"]);
    }
    await withTunnel(lab, { mtu }, { mtu }, async () => {
      await firstPing(lab, lab.a, lab.b.inner4);
      const whole = String(mtu - 28);
      const { code, output } = await lab.run(lab.a, [
        ...["ping", "-n", "-c", "5", "-i", "0.05", "-W", "1", "-M", "do"],
        ...["-s", whole, lab.b.inner4],
      ]);
      assert.equal(code, 0, output);
      assert.match(output, / 0% packet loss/);
      for (const address of [lab.b.inner4, lab.b.inner6]) {
        const tcp = await flow(lab, lab.a, address, { seconds: 1 });
        assert.ok(tcp.megabitsPerSecond > SLOWEST_MEGABITS, `${tcp.megabitsPerSecond} Mbit/s`);
      }
      for (const host of [lab.a, lab.b]) {
        const { drops } = await statusOf(host);
        assert.equal(drops.tunInvalid! + drops.sendRefused! + drops.badType!, 0);
      }
    });
  });
}

test("congestion marks go in and out", { skip }, async () => {
  // The cable's end at b marks what the tunnel's datagrams let it mark.
  await lab.must(lab.b, ["nft", "add", "table", "inet", "marks"]);
  const chain = "{ type filter hook input priority -300 ; }";
  await lab.must(lab.b, ["nft", "add", "chain", "inet", "marks", "input", chain]);
  const { code, errors } = await lab.run(lab.b, [
    ...["nft", "add", "rule", "inet", "marks", "input", "iifname", LINK],
    ...["udp", "dport", String(PORT), "ip", "ecn", "ect0", "counter", "ip", "ecn", "set", "ce"],
  ]);
  assert.equal(code, 0, errors);
  await withTunnel(lab, {}, {}, async () => {
    await firstPing(lab, lab.a, lab.b.inner4);
    const { lost } = await ping(lab, lab.a, lab.b.inner4, 10, 10);
    assert.equal(lost, 0);
    assert.equal((await statusOf(lab.b)).counters.ecnMarked, 0);
    await lab.must(lab.a, [...["ping", "-n", "-c", "5", "-i", "0.05", "-Q", "2", lab.b.inner4]]);
    assert.equal((await statusOf(lab.b)).counters.ecnMarked, 5);
    assert.equal((await statusOf(lab.b)).drops.ecnNotCapable, 0);
    // Outside, a's datagrams said what the packets inside did: else none could be marked.
    const rules = await lab.must(lab.b, ["nft", "list", "table", "inet", "marks"]);
    assert.match(rules, /packets 5 /);
  });
  await lab.must(lab.b, ["nft", "delete", "table", "inet", "marks"]);
});
