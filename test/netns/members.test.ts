/**
 * Members of a network, real engines in namespaces: each knows one other by `bootstrap` alone.
 */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { PeerValue } from "../../src/schema/requests.ts";
import { PORT } from "../lab/engines.ts";
import { Greeter } from "../lab/greeter.ts";
import { cannotRun } from "../lab/lab.ts";
import { type Member, Mesh } from "../lab/mesh.ts";
import { until } from "../lab/until.ts";

const skip = cannotRun([]);
const MEMBERS = 8;
/** What the issue asks for: everyone reaches everyone after the last start. */
const MEET_MS = 5_000;
/** And one that comes back, from its cache. */
const BACK_MS = 10_000;
/** And whoever is revoked is cut. */
const CUT_MS = 5_000;

let mesh: Mesh;
const at = ({ under4 }: Member): string => `${under4}:${PORT}`;

before(async () => {
  if (skip !== false) return;
  mesh = await Mesh.make(MEMBERS);
});
after(() => {
  if (skip === false) mesh.remove();
});

test("eight members, each knows one other: everyone reaches everyone, by TCP too", {
  skip,
}, async (t) => {
  const { members } = mesh;
  const greeters = await Promise.all(
    members.map(async (from) => ({
      greeter: await Greeter.start(from.namespace, from.name),
      whom: members
        .filter((to) => to !== from)
        .map(({ inner4: address, name }) => ({ address, name })),
    })),
  );
  await mesh.enrollAll();
  for (const [i, member] of members.entries()) {
    mesh.configure(member, { bootstrap: [at(members[(i + 1) % MEMBERS]!)] });
  }
  await mesh.startAll(members);
  // Nobody has sent anything to anybody: the first packet of a pair is a ping's or TCP's.
  const begun = performance.now();
  const tcp = Promise.all(
    greeters.map(({ greeter, whom }) => greeter.greet({ whom, withinMs: MEET_MS })),
  );
  const [ms] = await Promise.all([mesh.allReach(members, MEET_MS), tcp]);
  const tcpMs = performance.now() - begun;
  t.diagnostic(
    `measured: everyone reached everyone in ${ms.toFixed(0)} ms after the last start, ` +
      `by TCP in ${tcpMs.toFixed(0)} ms`,
  );
});

test("peers --json names members", { skip }, async () => {
  const [first] = mesh.members as [Member];
  const peers = await mesh.json<PeerValue[]>(first, "peers");
  assert.deepEqual(
    peers.map(({ name }) => name).sort(),
    mesh.members.slice(1).map(({ name }) => name),
  );
  for (const { nodeId, addresses } of peers) {
    assert.match(nodeId ?? "", /^p2p:[A-Za-z0-9_-]{43}$/);
    assert.equal(addresses.length, 1);
  }
});

test("one that restarts without any endpoint comes back from its cache", { skip }, async (t) => {
  const { members } = mesh;
  const back = members[3]!;
  await mesh.stop(back);
  mesh.configure(back, { bootstrap: [] });
  await sleep(500);
  const begun = performance.now();
  await mesh.start(back);
  for (const other of members) {
    if (other === back) continue;
    await until(
      `${back.name} reaches ${other.name}`,
      () => mesh.pings(back, other.inner4),
      BACK_MS,
    );
  }
  const ms = performance.now() - begun;
  t.diagnostic(`measured: back after ${ms.toFixed(0)} ms`);
  assert.ok(ms < BACK_MS, `${ms} ms`);
});

test("who is revoked is cut everywhere", { skip }, async (t) => {
  const { members } = mesh;
  const gone = members[5]!;
  const others = members.filter((one) => one !== gone);
  const publisher = members[1]!;
  const begun = performance.now();
  const revoke = ["network", "revoke", "--authority", mesh.authority, "--name", gone.name];
  const { code, errors, output } = await mesh.on(publisher, ...revoke);
  assert.equal(code, 0, errors);
  t.diagnostic(`it said: ${output.trim()}`);
  await until(
    "nobody has the peer any more",
    async () => {
      const lists = await Promise.all(others.map((one) => mesh.json<PeerValue[]>(one, "peers")));
      return lists.every((peers) => peers.every(({ name }) => name !== gone.name));
    },
    CUT_MS,
  );
  const ms = performance.now() - begun;
  t.diagnostic(`measured: cut everywhere after ${ms.toFixed(0)} ms`);
  const tries = others.map(async (other) => {
    assert.equal(await mesh.pings(other, gone.inner4), false, `${other.name} reaches it`);
    assert.equal(await mesh.pings(gone, other.inner4), false, `it reaches ${other.name}`);
  });
  await Promise.all(tries);
  await mesh.allReach(others, MEET_MS);
});
