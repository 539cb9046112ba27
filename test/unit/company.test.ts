/** company, neighbours — with whom sessions are kept, who is found dead, who is replaced. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Neighbours } from "../../src/control/network/neighbours.ts";
import { FRAME_KINDS } from "../../src/wire/frames.ts";
import { identityOf } from "../simulation/members-fleet.ts";
import type { VirtualNode } from "../simulation/members-node.ts";
import { membersOf, openScene, statementOf } from "./network-room.ts";

const COUNT = 60;
const all = Array.from({ length: COUNT }, (_, i) => statementOf(identityOf(i)));

const make = (wanted = 4, salt = 1) => {
  const members = membersOf(all);
  const ownId = all[0]!.id;
  const own = members.byId(ownId);
  const out = new Set<number>([own]);
  const neighbours = new Neighbours({
    members,
    ownId,
    wanted,
    salt,
    eligible: (slot) => !out.has(slot),
  });
  const none = () => false;
  const choose = (nowMs = 0, inbound: (slot: number) => boolean = none, more = 0) =>
    [...neighbours.choose(nowMs, inbound, none, more)].map((slot) => members.at(slot).id);
  return { members, neighbours, choose, out, ownId };
};

/** Ids around the ring from ours on. */
const order = (ownId: number): number[] => {
  const ids = all.map(({ id }) => id).sort((a, b) => a - b);
  const at = ids.indexOf(ownId);
  return [...ids.slice(at + 1), ...ids.slice(0, at)];
};

test("two of the ring, the next and the one before; two by a hash that is ours alone", () => {
  const { choose, ownId } = make();
  const ring = order(ownId);
  const [next, before, ...extra] = choose();
  assert.equal(next, ring[0]);
  assert.equal(before, ring.at(-1));
  assert.equal(extra.length, 2);
  const others = new Set(Array.from({ length: 20 }, (_, salt) => make(4, salt).choose()[2]));
  assert.ok(others.size > 8, "another process chooses others");
  assert.deepEqual(make(1).choose(), [ring[0]]);
  assert.equal(make(2).choose().length, 2);
  assert.equal(make(8).choose().length, 8);
});

test("who keeps us counts for the others; a silent one is tried again later", () => {
  const { choose, neighbours, members, ownId } = make();
  const ring = order(ownId);
  const inbound = new Set([ring[5]!, ring[6]!].map((id) => members.byId(id)));
  assert.equal(choose(0, (slot) => inbound.has(slot)).length, 3, "one at least is our own choice");
  neighbours.fellSilent(ring[0]!, 1_000);
  assert.ok(neighbours.isStale);
  assert.equal(choose(1_000)[0], ring[1]);
  assert.equal(neighbours.retryMs, 21_000);
  assert.equal(choose(21_000)[0], ring[0], "it may live again");
  assert.equal(neighbours.retryMs, Number.POSITIVE_INFINITY);
  for (let i = 0; i < 9; i++) neighbours.fellSilent(ring[0]!, 30_000);
  assert.equal(neighbours.retryMs, 630_000, "ever more seldom");
  assert.equal(neighbours.silences(ring[0]!), 10);
  neighbours.spoke(ring[0]!);
  assert.equal(choose(30_000)[0], ring[0]);
  neighbours.declined(ring[0]!, 40_000);
  assert.ok(!choose(3_600_000).includes(ring[0]!));
  assert.equal(choose(3_600_000, () => false, 9)[0], ring[0], "there is nobody else");
  neighbours.forgive();
  assert.equal(choose(50_000)[0], ring[0]);
});

test("a member that comes is a reason to choose again when it would be chosen", () => {
  const { members, neighbours, choose, out, ownId } = make();
  const ring = order(ownId);
  const near = members.byId(ring[0]!);
  out.add(near);
  choose();
  assert.ok(!neighbours.isStale);
  neighbours.learned(members.byId(ring[30]!));
  assert.ok(!neighbours.isStale);
  neighbours.learned(near);
  assert.ok(!neighbours.isStale, "there can be no session with it");
  out.delete(near);
  neighbours.learned(near);
  assert.ok(neighbours.isStale);
});

/** So many nodes that know each other. */
const openMany = (count: number, options: (i: number) => object = () => ({})) => {
  const scene = openScene();
  const nodes = Array.from({ length: count }, (_, i) => {
    const node = scene.add(i, i === 0 ? 1 : 0, options(i));
    node.start();
    return node;
  });
  scene.pass(20_000);
  return { ...scene, nodes };
};

const degreeOf = (node: VirtualNode): number => node.network!.parts.company.links.size;

test("thirty nodes: each has four neighbours or a few more, kept for hours", () => {
  const { nodes, pass, counts } = openMany(30);
  for (let hour = 0; hour < 2; hour++) {
    pass(3_600_000);
    for (const node of nodes) {
      assert.ok(degreeOf(node) >= 4 && degreeOf(node) <= 12, `${degreeOf(node)}`);
      assert.ok(node.network!.parts.links.size <= degreeOf(node) + 2, "others have ended");
    }
  }
  assert.equal(counts.get("neighboursLost") ?? 0, 0);
});

test("a neighbour that dies is replaced within 90 s; one that stops, at once", () => {
  const { nodes, pass } = openMany(12);
  pass(200_000);
  const [gone, quiet, ...rest] = nodes;
  // One that is asked again whether it lives is no neighbour yet.
  const keeps = (who: VirtualNode) =>
    rest.flatMap((node) =>
      [...node.network!.parts.company.links]
        .filter(({ handle, asking }) => handle === who.identity && !asking)
        .map(() => node.name),
    );
  assert.ok(keeps(gone!).length > 0);
  gone!.stop(true);
  pass(1_000);
  assert.deepEqual(keeps(gone!), []);
  quiet!.stop(false);
  pass(90_000);
  assert.deepEqual(keeps(quiet!), []);
  for (const node of rest) assert.ok(degreeOf(node) >= 4, `${node.name} ${degreeOf(node)}`);
});

test("who pays for each byte has one neighbour, and declines others", () => {
  const { nodes, pass, counts } = openMany(12, (i) => (i === 5 ? { neighbours: 1 } : {}));
  pass(400_000);
  assert.equal(degreeOf(nodes[5]!), 1);
  const sent = nodes[5]!.bytesOut + nodes[5]!.bytesIn;
  // Once in hours the session is lost, and all are called: an hour is no measure.
  pass(12 * 3_600_000);
  const bytesADay = 2 * (nodes[5]!.bytesOut + nodes[5]!.bytesIn - sent);
  assert.ok(bytesADay < 1.7e6, `${bytesADay}`);
  assert.ok(counts.size > 0);
});

test("sessions that carry data alone cost nothing: nobody looks at them", () => {
  const { nodes, pass } = openMany(40);
  const [hub, ...others] = nodes as [VirtualNode, ...VirtualNode[]];
  pass(200_000);
  for (const node of others) if (!node.hasSession(hub.identity)) node.call(hub.identity, null);
  pass(5_000);
  const { links, company } = hub.network!.parts;
  assert.equal(links.size, 39);
  assert.ok(company.timed <= 14, `${company.timed} of ${links.size}`);
});

test("a partition that was: both sides find each other again", () => {
  const { nodes, pass, stage } = openMany(10);
  stage.air.side = (node) => node.place % 2;
  pass(400_000);
  const across = () =>
    nodes.filter((node) =>
      [...node.network!.parts.company.links].some(
        ({ handle }) => (handle as (typeof node)["identity"]).number % 2 !== node.place % 2,
      ),
    ).length;
  assert.equal(across(), 0);
  stage.air.side = () => 0;
  pass(700_000);
  assert.ok(across() >= 8, `${across()} of 10`);
});

test("bodies that are not as their kind has to be are counted, and change nothing", () => {
  const { nodes, counts, pass } = openMany(3);
  const [a, b] = nodes as [VirtualNode, VirtualNode];
  const { digest, want, record, revocations, ack, secret, echo } = FRAME_KINDS;
  for (const { type } of [digest, want, record, revocations, ack, secret, echo]) {
    const refused = a.network!.frame(b.identity, type, new Uint8Array(5).fill(250));
    assert.equal(refused, "frameInvalid", `type ${type}`);
  }
  assert.equal(a.network!.frame(b.identity, 99, new Uint8Array(5)), "frameInvalid");
  assert.equal(counts.get("frameInvalid"), 8);
  assert.equal(a.network!.frame(identityOf(77), echo.type, new Uint8Array(17)), "frameStranger");
  pass(1_000);
  assert.equal(a.network!.parts.links.size, 2);
});
