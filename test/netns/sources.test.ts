/** sources — what wireguard-go sends from addresses that are not its own is dropped and counted. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Plan } from "../lab/engines.ts";
import { ping } from "../lab/measure.ts";
import { calledBy, measured, Scene } from "./scene.ts";
import { inTurn } from "./versions.ts";

const scene = new Scene();
const STRAY = ["10.66.0.77", "fd66::77"] as const;
const NOBODYS = ["10.66.0.99", "fd66::99"] as const;
const COUNT = 4;

/** Sends pings that have no answer. */
const pingInVain = async (from: "a" | "b", to: string, source?: string): Promise<void> => {
  const bind = source === undefined ? [] : ["-I", source];
  const pings = ["ping", "-n", "-c", String(COUNT), "-i", "0.02", "-W", "1", ...bind, to];
  const { code, output } = await scene.lab.run(scene.lab[from], pings);
  assert.equal(code, 1, output);
};

for (const wireguard of inTurn(1)) {
  test(`${wireguard.name}: sources and destinations outside the allowed IPs`, {
    skip: scene.skipFor(wireguard),
  }, async (context) => {
    const { a, b } = scene.lab;
    const { ours, theirs } = calledBy("ours");
    const strays: Plan = {
      addresses: [`${b.inner4}/24`, `${b.inner6}/64`, `${STRAY[0]}/24`, `${STRAY[1]}/64`],
    };
    await scene.withPair({ wireguard, ours, theirs: { ...theirs, ...strays } }, async (pair) => {
      await scene.firstPing("ours");
      const before = await pair.engine.sample();
      assert.equal(before.drops.innerSource, 0);
      await pingInVain("b", a.inner4, STRAY[0]);
      await pingInVain("b", a.inner6, STRAY[1]);
      const { drops, counters } = await pair.engine.sample();
      measured(context, `${drops.innerSource} packets from elsewhere dropped`);
      assert.equal(drops.innerSource, 2 * COUNT);
      const written = counters.tunWrittenPackets! - before.counters.tunWrittenPackets!;
      assert.equal(written, 0, "something of them reached the interface");
      await pingInVain("a", NOBODYS[0]);
      await pingInVain("a", NOBODYS[1]);
      const after = await pair.engine.sample();
      assert.ok(after.drops.noRoute! - drops.noRoute! >= 2 * COUNT);
      const { lost } = await ping(scene.lab, b, a.inner4, 5, 10);
      assert.equal(lost, 0);
    });
  });
}
