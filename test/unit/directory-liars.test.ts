/** directory-liars — storers that withhold, keep old records, and give others' and forged ones. */
import assert from "node:assert/strict";
import { after, test } from "node:test";
import type { RecordsOptions } from "../../src/directory/records.ts";
import { nodeTarget } from "../../src/directory/targets.ts";
import { sameBytes } from "../../src/members/bytes.ts";
import type { Pair } from "../../src/wire/intro.ts";
import { until } from "../lab/until.ts";
import {
  Air,
  type DirectoryNode,
  FleetLaw,
  makeNode,
  nameOfMember,
  pairOf,
  realTimer,
} from "../simulation/directory-fleet.ts";
import { Lying } from "../simulation/directory-liar.ts";
import { DEFINITION, identityOf } from "../simulation/members-fleet.ts";

const OWNER = 200;
const LIAR = 201;
const TARGET = nodeTarget(DEFINITION.networkId, identityOf(OWNER).signing.publicKey).target;
const OLD = pairOf(identityOf(OWNER), { atMs: 0 });
const NEW = pairOf(identityOf(OWNER), { atMs: 60_000 });

/** What liars answer, by kind. */
const lies: Readonly<Record<string, Pair | null>> = {
  nothing: null,
  old: OLD,
  others: pairOf(identityOf(LIAR), { atMs: 90_000 }),
  forged: pairOf(identityOf(OWNER), {
    atMs: 90_000,
    secretKey: identityOf(LIAR).signing.secretKey,
  }),
  mixed: {
    certificate: identityOf(LIAR).certificate.bytes,
    record: pairOf(identityOf(OWNER), { atMs: 90_000 }).record,
  },
};

const made: DirectoryNode[] = [];
after(async () => {
  for (const { store } of made) await store.stop();
});

/** Storers, of which the first ones lie and answer at once, and one who asks. */
const network = (storers: number, liars: readonly string[]) => {
  const timer = realTimer();
  const law = new FleetLaw(() => 60_000);
  const quick = new Set(liars.map((_, i) => nameOfMember(identityOf(i))));
  const air = new Air(timer, (from, to) => (quick.has(from) || quick.has(to) ? 0 : 15));
  const nodes = Array.from({ length: storers + 1 }, (_, i) => {
    const lie = liars[i];
    const liar =
      lie === undefined ? null : (options: RecordsOptions) => new Lying(options, lies[lie]!);
    return makeNode(identityOf(i), {
      isStorer: i < storers,
      law,
      timer,
      air,
      ...(liar && { liar }),
    });
  });
  made.push(...nodes);
  const names = nodes.slice(0, storers).map(({ name }) => name);
  for (const { store } of nodes) store.setStorers(names);
  return { nodes, asking: nodes[storers]! };
};

const isNew = (pair: Pair | null | undefined): boolean =>
  pair != null && sameBytes(pair.record, NEW.record);

test("liars of each kind, with one honest storer: the honest one's record is found", async () => {
  for (const kind of Object.keys(lies)) {
    const { nodes, asking } = network(3, [kind, kind]);
    nodes[2]!.records.put(NEW, null);
    assert.ok(isNew(await asking.store.get(TARGET)), kind);
    const wrong =
      (asking.counted.get("pairInvalid") ?? 0) + (asking.counted.get("targetWrong") ?? 0);
    assert.equal(wrong, kind === "nothing" || kind === "old" ? 0 : 2, kind);
  }
});

test("nineteen of twenty lie, all that they can: what the one has is found", async () => {
  const kinds = ["others", "forged", "mixed", "nothing"];
  const liars = Array.from({ length: 19 }, (_, i) => kinds[i % kinds.length]!);
  const { nodes, asking } = network(20, liars);
  nodes[19]!.records.put(NEW, null);
  assert.ok(isNew(await asking.store.get(TARGET)));
});

test("liars agree on an old record and answer first: the newer one comes after it", async () => {
  const { nodes, asking } = network(12, ["old", "old", "old", "old"]);
  for (const { records } of nodes.slice(4, 12)) records.put(NEW, null);
  const first = await asking.store.get(TARGET);
  assert.ok(first !== null && (isNew(first) || sameBytes(first.record, OLD.record)));
  await until("it was found", () => isNew(first) || asking.found.some(isNew), 2_000);
});

test("nobody has it, or all lie: null, and in good time", async () => {
  const { asking } = network(6, ["others", "forged", "mixed", "nothing", "forged", "others"]);
  const startMs = performance.now();
  assert.equal(await asking.store.get(TARGET), null);
  assert.ok(performance.now() - startMs < 5_500);
  const { asking: alone } = network(0, []);
  assert.equal(await alone.store.get(TARGET), null);
  assert.equal(await alone.store.put(NEW), 0);
});

test("a put counts storers that have it; what is nobody's word goes nowhere", async () => {
  const { nodes, asking } = network(4, []);
  assert.equal(await asking.store.put(NEW), 4);
  assert.equal(await asking.store.put(OLD), 0, "all have a newer one");
  assert.equal(await asking.store.put(lies.forged!), 0);
  assert.equal(asking.counted.get("pairInvalid"), 1);
  for (const { records } of nodes.slice(0, 4)) assert.equal(records.size, 1);
});

test("who was not there is offered a record again as soon as it is put again", async () => {
  for (const putsOwn of [false, true]) {
    const { nodes, asking } = network(3, []);
    const [late] = nodes;
    const by = putsOwn ? nodes[1]! : asking;
    const others = putsOwn ? 1 : 2;
    late!.port.isUp = false;
    assert.equal(await by.store.put(NEW), others);
    assert.equal(await by.store.put(NEW), others);
    late!.port.isUp = true;
    assert.equal(await by.store.put(NEW), others + 1);
  }
});

test("who stores no more is asked no more, by nobody who knows", async () => {
  const { nodes, asking } = network(4, []);
  const [gone, ...rest] = nodes.slice(0, 4);
  assert.equal(await asking.store.put(NEW), 4);
  const before = gone!.port.gotBytes;
  asking.store.setStorers(rest.map(({ name }) => name));
  assert.ok(isNew(await asking.store.get(TARGET)));
  assert.equal(await asking.store.put(NEW), 3);
  assert.equal(gone!.port.gotBytes, before);
});

test("stopped while it asks: what waits is told, and nothing is asked any more", async () => {
  const { nodes, asking } = network(4, []);
  for (const { port } of nodes.slice(0, 4)) port.isUp = false;
  const asked = asking.store.get(TARGET);
  await asking.store.stop();
  assert.equal(await asked, null);
  assert.equal(await asking.store.get(TARGET), null);
  assert.equal(await asking.store.put(NEW), 0);
});
