/**
 * Eight members that know two index nodes and nobody else: they meet, both index nodes are killed,
 * and nothing breaks.
 */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { PeerValue } from "../../src/schema/requests.ts";
import { cannotRun, type Program } from "../lab/lab.ts";
import { type Member, Mesh } from "../lab/mesh.ts";
import { INDEX_PORT } from "../lab/network.ts";
import { until } from "../lab/until.ts";

const skip = cannotRun([]);
const MEMBERS = 8;
/** What the issue asks for: everyone reaches everyone after the last start. */
const MEET_MS = 5_000;
/** And one that comes back with both index nodes dead. */
const BACK_MS = 10_000;

let mesh: Mesh;
const indexes: Program[] = [];
const members = (): readonly Member[] => mesh.members.slice(0, MEMBERS);
const hosts = (): readonly Member[] => mesh.members.slice(MEMBERS);
const places = (): string[] => hosts().map(({ under4 }) => `${under4}:${INDEX_PORT}`);

before(async () => {
  if (skip !== false) return;
  mesh = await Mesh.make(MEMBERS + 2);
});
after(async () => {
  if (skip !== false) return;
  for (const index of indexes) await index.stop();
  mesh.remove();
});

test("no endpoint configured, two index nodes: all reach all", { skip }, async (t) => {
  await mesh.enrollAll();
  for (const host of hosts()) indexes.push(await mesh.startIndex(host));
  for (const member of members()) mesh.configure(member, { index: places() });
  await mesh.startAll(members());
  const ms = await mesh.allReach(members(), MEET_MS);
  t.diagnostic(`measured: everyone reached everyone in ${ms.toFixed(0)} ms after the last start`);
});

test("members say how many index nodes answer", { skip }, async () => {
  const [first] = members() as [Member];
  const { code, output } = await mesh.on(first, "status");
  assert.equal(code, 0);
  assert.match(output, /2 of 2 index nodes/);
});

test("who has an address that nobody is known to have is asked for, once", { skip }, async () => {
  const [first] = members() as [Member];
  assert.equal(await mesh.pings(first, "10.66.77.77", 2), false);
  assert.equal(await mesh.pings(first, "10.66.77.77", 1), false);
  const { code, output, errors } = await mesh.on(first, "explain", "10.66.77.77");
  assert.equal(code, 0, errors);
  assert.match(output, /A packet to 10\.66\.77\.77 came/);
  assert.match(output, /asked: the directory, 2 index nodes/);
  assert.match(output, /They know nobody who has it/);
});

test("both index nodes are killed: no packet is lost", { skip }, async (t) => {
  const [one, two] = members() as [Member, Member];
  const pings = await mesh.keepPinging(one, two.inner4);
  for (const { child } of indexes.splice(0)) child.kill("SIGKILL");
  await sleep(4_000);
  const lost = await pings.lost();
  t.diagnostic(`measured: ${lost} lost`);
  assert.equal(lost, 0);
  await mesh.allReach(members(), MEET_MS);
});

test("one that restarts with both dead comes back", { skip }, async (t) => {
  const back = members()[3]!;
  await mesh.stop(back);
  await sleep(500);
  const begun = performance.now();
  await mesh.start(back);
  for (const other of members()) {
    if (other === back) continue;
    const left = BACK_MS - (performance.now() - begun);
    await until(`it reaches ${other.name}`, () => mesh.pings(back, other.inner4), left);
  }
  t.diagnostic(`measured: back after ${(performance.now() - begun).toFixed(0)} ms`);
});

test("who is revoked is cut, with both index nodes dead", { skip }, async () => {
  const gone = members()[5]!;
  const others = members().filter((one) => one !== gone);
  const revoke = ["network", "revoke", "--authority", mesh.authority, "--name", gone.name];
  const { code, errors } = await mesh.on(members()[1]!, ...revoke);
  assert.equal(code, 0, errors);
  await until(
    "nobody has the peer any more",
    async () => {
      const lists = await Promise.all(others.map((one) => mesh.json<PeerValue[]>(one, "peers")));
      return lists.every((peers) => peers.every(({ name }) => name !== gone.name));
    },
    MEET_MS,
  );
});

test("an index node that comes back is told the list, and refuses who is revoked", {
  skip,
}, async () => {
  const [host] = hosts() as [Member];
  const gone = members()[5]!;
  indexes.push(await mesh.startIndex(host));
  const answering = async (member: Member): Promise<string | undefined> =>
    /(\d) of 2 index nodes/.exec((await mesh.on(member, "status")).output)?.[1];
  // It is called by whoever has something to say; others are a minute later.
  await mesh.stop(members()[0]!);
  await mesh.start(members()[0]!);
  const said = async (): Promise<boolean> => (await answering(members()[0]!)) === "1";
  await until("a member has called it", said, 10_000);
  await sleep(1_000);
  await mesh.stop(gone);
  await mesh.start(gone);
  await sleep(3_000);
  assert.equal(await answering(gone), "0");
});
