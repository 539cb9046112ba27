/**
 * mtu — small, usual and jumbo tunnels: packets of exactly the MTU that nobody may cut, and TCP.
 * The link under the tunnel takes 80 bytes more, which is what IPv6, UDP and WireGuard add.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { LINK } from "../lab/lab.ts";
import { pingWhole } from "../lab/measure.ts";
import { calledBy, measured, Scene } from "./scene.ts";
import { rowsOf, WIREGUARDS } from "./versions.ts";

const scene = new Scene(["iperf3"]);
/** IPv6 40, UDP 8, header 16, tag 16. */
const OVERHEAD = 80;
const MTUS = [1_280, 1_420, 9_000, 34_000];

const ROWS = WIREGUARDS.flatMap((wireguard, row) => MTUS.map((mtu) => ({ wireguard, row, mtu })));
/** The usual MTU is in every other test. */
const isChosen = ({ row, mtu }: { row: number; mtu: number }): boolean =>
  mtu === 34_000 || (mtu === 1_280) === (row % 2 === 0);

const setLink = async (mtu: number): Promise<void> => {
  for (const host of [scene.lab.a, scene.lab.b]) {
    await scene.lab.must(host, ["ip", "link", "set", LINK, "mtu", String(mtu)]);
  }
};

/** Datagrams that a host cut in two. */
const cuts = async (): Promise<number> => {
  let found = 0;
  for (const host of [scene.lab.a, scene.lab.b]) {
    const table = await scene.lab.must(host, ["cat", "/proc/net/snmp6"]);
    found += Number(/^Ip6FragCreates\s+(\d+)$/m.exec(table)![1]);
  }
  return found;
};

for (const { wireguard, mtu } of rowsOf(ROWS, isChosen)) {
  test(`${wireguard.name}: MTU ${mtu}`, { skip: scene.skipFor(wireguard) }, async (context) => {
    const { a, b } = scene.lab;
    await setLink(mtu + OVERHEAD);
    await scene.withPair({ wireguard, ...calledBy("ours", { outer: 6, mtu }) }, async (pair) => {
      await scene.firstPing("ours");
      const cutBefore = await cuts();
      for (const [from, to] of [
        [a, b],
        [b, a],
      ] as const) {
        for (const address of [to.inner4, to.inner6]) {
          for (const size of [mtu, mtu - 1, mtu - 15, mtu - 16]) {
            const answered = await pingWhole(scene.lab, from, address, size);
            assert.ok(answered, `${size} bytes from ${from.name} to ${address}`);
          }
          assert.equal(await pingWhole(scene.lab, from, address, mtu + 1), false);
        }
      }
      const [to, from] = await pair.assertTcp(mtu === 1_280 ? b.inner6 : b.inner4);
      measured(context, `TCP ${to.toFixed(0)} Mbit/s to it, ${from.toFixed(0)} from it`);
      assert.equal(await cuts(), cutBefore, "a datagram was cut");
      const { drops } = await pair.engine.sample();
      assert.equal(drops.tunInvalid! + drops.innerInvalid! + drops.openFailed!, 0);
    });
  });
}
