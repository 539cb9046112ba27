/** seeker — an address of the network that nobody is known to have: who is asked, how often. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { NetworkWorld } from "../../src/control/network/world.ts";
import { addressTarget } from "../../src/directory/targets.ts";
import { decodeAsk, decodeFound, encodeFound, MESSAGE } from "../../src/wire/index-messages.ts";
import type { Pair } from "../../src/wire/intro.ts";
import { addressOf, DEFINITION, identityOf } from "../simulation/members-fleet.ts";
import { VirtualIndex } from "../simulation/members-index.ts";
import { explained, openScene, shownOf } from "./network-room.ts";

/** Two members that know an index node, which shows nobody; `questions`: what it is asked. */
const scene = (openDirectory: NetworkWorld["openDirectory"] = null) => {
  const all = openScene();
  const server = new VirtualIndex(all.stage, 900, 60_000);
  server.start();
  for (const number of [5, 9]) {
    all.stage.ledger.signed(identityOf(number), identityOf(number).certificate);
  }
  const indexes = [server.at(false)];
  const [one, two] = [0, 1].map((i) => all.add(i, 0, { bootstrap: [], indexes }));
  server.lie = (message) => (message[0] === MESSAGE.shown ? [] : [message]);
  one!.openDirectory = openDirectory;
  one!.start();
  two!.start();
  all.pass(2_000);
  assert.equal(one!.network!.report.find("node-1"), -1);
  return { ...all, server, one: one!, two: two! };
};

const seeks = (counts: ReadonlyMap<string, number>): number => counts.get("seeks") ?? 0;

test("a packet to an unknown address has its member found through an index node", () => {
  const { one, two, pass, counts } = scene();
  assert.match(explained(one, "10.64.0.1"), /No member is known to have 10\.64\.0\.1/);
  one.network!.seek(addressOf(1));
  pass(100);
  assert.ok(one.isPeer(two.identity));
  assert.equal(one.network!.report.members().find(({ name }) => name === "node-1")!.way, "index");
  assert.equal(counts.get("seeksFound"), 1);
});

test("whom nobody knows is asked for once, and again after a pause that grows", () => {
  const { one, pass, counts } = scene();
  for (let i = 0; i < 50; i++) {
    one.network!.seek(addressOf(77));
    pass(100);
  }
  assert.equal(seeks(counts), 1);
  assert.match(
    explained(one, "10.64.0.77"),
    /asked: 1 index node\. They know nobody who has it\. Who has it is asked again .* in 5 s/,
  );
  pass(10_000);
  one.network!.seek(addressOf(77));
  pass(15_000);
  one.network!.seek(addressOf(77));
  assert.equal(seeks(counts), 2);
});

test("a scan of 65,536 addresses costs a bounded number of questions", () => {
  const { one, pass, counts, server } = scene();
  const before = server.bytesIn;
  for (let i = 0; i < 65_536; i++) {
    one.network!.seek(Uint8Array.of(10, 65, i >> 8, i & 0xff));
    if (i % 64 === 0) pass(10);
  }
  pass(5_000);
  // 10 s of scanning, 10 a second.
  assert.ok(seeks(counts) <= 64 + 10 * 11, `${seeks(counts)}`);
  assert.ok(server.bytesIn - before < 200 * 150, `${server.bytesIn - before}`);
  assert.ok(counts.get("seeksBusy")! > 60_000);
});

test("what lies outside of the network's ranges is nobody's business", () => {
  const { one, pass, counts } = scene();
  one.network!.seek(Uint8Array.of(192, 0, 2, 1));
  pass(100);
  assert.equal(seeks(counts), 0);
});

test("an index node that names another member, or an old record, is not believed", () => {
  const { one, pass, counts, server } = scene();
  const wrong: Pair = shownOf(identityOf(5));
  server.lie = (message) => {
    if (message[0] === MESSAGE.shown) return [];
    const found = message[0] === MESSAGE.found ? decodeFound(message) : null;
    return found === null ? [message] : [encodeFound({ ...found, pair: wrong })];
  };
  one.network!.seek(addressOf(1));
  pass(5_000);
  assert.ok(counts.get("indexWrong")! > 0);
  assert.equal(counts.get("seeksFound"), undefined);
  assert.match(explained(one, "10.64.0.1"), /answers were not believed/);
});

test("answers that nobody asked for are nothing, and a silent index node ends the search", () => {
  const { one, pass, server, counts } = scene();
  const withheld: readonly unknown[] = [MESSAGE.found, MESSAGE.shown];
  server.lie = (message) => (withheld.includes(message[0]) ? [] : [message]);
  one.network!.seek(addressOf(1));
  pass(5_000);
  assert.equal(counts.get("seeksFailed"), 1);
  assert.match(explained(one, "10.64.0.1"), /None of them answered/);
});

test("the directory is asked first, and the index nodes when it knows nobody", async () => {
  const asked: Uint8Array[] = [];
  const answers: (Pair | null)[] = [null, shownOf(identityOf(9))];
  const { one, pass, two } = scene(() => ({
    get: (target) => {
      asked.push(target);
      return Promise.resolve(answers.shift() ?? null);
    },
    put: () => Promise.resolve(1),
    setStorers: () => {},
    stop: () => Promise.resolve(),
  }));
  one.network!.seek(addressOf(1));
  await new Promise(setImmediate);
  pass(100);
  assert.ok(one.isPeer(two.identity));
  one.network!.seek(addressOf(9));
  await new Promise(setImmediate);
  pass(100);
  assert.ok(one.isPeer(identityOf(9)));
  const { networkId } = DEFINITION;
  assert.deepEqual(
    asked,
    [1, 9].map((number) => addressTarget(networkId, addressOf(number)).target),
  );
  assert.equal(decodeAsk(Uint8Array.of(MESSAGE.ask)), null);
});
