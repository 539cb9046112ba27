/** indexes — members that know index nodes alone: what they say, and what they believe. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { encodeObserved, encodeShow, MESSAGE } from "../../src/wire/index-messages.ts";
import {
  BORN_S,
  certify,
  identityOf,
  listOf,
  revocationsFile,
  STRANGER,
} from "../simulation/members-fleet.ts";
import { VirtualIndex } from "../simulation/members-index.ts";
import { missing } from "../simulation/members-ledger.ts";
import type { VirtualNode } from "../simulation/members-node.ts";
import { sockaddrOf } from "../simulation/members-places.ts";
import { openScene, shownOf } from "./network-room.ts";

const INDEX_PLACE = 60_000;

/** Nodes of a scene that know index nodes alone. */
const scene = (count: number, indexes = 1, named = false) => {
  const all = openScene();
  const nodes: VirtualNode[] = [];
  const servers = Array.from(
    { length: indexes },
    (_, i) => new VirtualIndex(all.stage, 900 + i, INDEX_PLACE + i),
  );
  for (const server of servers) server.start();
  const places = servers.map((server) => server.at(named));
  for (let i = 0; i < count; i++) {
    nodes.push(all.add(i, 0, { bootstrap: [], indexes: places }));
  }
  return { ...all, nodes, servers, places };
};

const facts = (node: VirtualNode, at = 0) => node.network!.report.network().indexes[at]!;
const together = (nodes: readonly VirtualNode[]): boolean =>
  nodes.every((node) => missing(node, nodes) === null);

test("members that know an index node alone find each other", () => {
  const { nodes, pass, servers } = scene(8);
  for (const node of nodes) node.start();
  pass(5_000);
  assert.ok(together(nodes));
  assert.equal(servers[0]!.callers, 8);
  const [first] = nodes;
  const { state, nodeId, members, observed, problem } = facts(first!);
  assert.equal(state, "open");
  assert.ok(nodeId?.startsWith("p2p:"));
  assert.ok(members! > 0 && observed!.endsWith(":51820"), `${members} ${observed}`);
  assert.equal(problem, null);
});

test("an index node that dies is said to be silent; members go on, and it comes back", () => {
  const { nodes, pass, servers, counts } = scene(3);
  for (const node of nodes) node.start();
  pass(5_000);
  servers[0]!.stop();
  pass(130_000);
  assert.equal(facts(nodes[0]!).state, "silent");
  assert.match(facts(nodes[0]!).problem!, /does not answer any more/);
  assert.ok(together(nodes));
  assert.equal(counts.get("indexesLost"), 3);
  // One that begins anew is back from its disk.
  nodes[1]!.stop(false);
  nodes[1]!.start();
  pass(10_000);
  assert.ok(together(nodes));
  servers[0]!.start();
  pass(70_000);
  assert.equal(facts(nodes[0]!).state, "open");
});

test("who is at a bare address is pinned at first contact, also by the next start", () => {
  const { nodes, pass, servers, stage, counts } = scene(1);
  const [node] = nodes;
  node!.start();
  pass(2_000);
  const first = facts(node!).nodeId;
  servers[0]!.stop();
  node!.stop(false);
  const other = new VirtualIndex(stage, 950, INDEX_PLACE);
  other.start();
  node!.start();
  pass(5_000);
  assert.equal(facts(node!).nodeId, first);
  assert.match(facts(node!).problem!, /Another index node answers at index-900:1/);
  assert.ok(counts.get("indexOther")! > 0);
  assert.equal(other.callers, 0);
});

test("who is named is nobody else", () => {
  const { nodes, pass, servers, places } = scene(1, 1, true);
  servers[0]!.stop();
  const nodeKey = identityOf(7).signing.publicKey;
  nodes[0]!.options = { ...nodes[0]!.options, indexes: [{ ...places[0]!, nodeKey }] };
  servers[0]!.start();
  nodes[0]!.start();
  pass(5_000);
  assert.notEqual(facts(nodes[0]!).state, "open");
});

test("a name that leads elsewhere is followed when the old address is silent", () => {
  const { nodes, pass, servers, places } = scene(1);
  const [node] = nodes;
  node!.start();
  pass(2_000);
  servers[0]!.stop();
  servers[0]!.place = INDEX_PLACE + 9;
  servers[0]!.start();
  node!.options = { ...node!.options, indexes: [servers[0]!.at(false)] };
  assert.notDeepEqual(node!.options.indexes![0]!.sockaddrs, places[0]!.sockaddrs);
  pass(110_000);
  assert.equal(facts(node!).state, "open");
});

test("a name that leads elsewhere long after the old address fell silent is followed", () => {
  const { nodes, pass, servers } = scene(2);
  for (const node of nodes) node.start();
  pass(2_000);
  servers[0]!.stop();
  pass(200_000);
  assert.equal(facts(nodes[0]!).state, "silent");
  servers[0]!.place = INDEX_PLACE + 9;
  servers[0]!.start();
  for (const node of nodes) node.options = { ...node.options, indexes: [servers[0]!.at(false)] };
  pass(61_000);
  for (const node of nodes) assert.equal(facts(node).state, "open");
});

for (const [others, ms] of [
  [1, 2_000],
  [9, 20_000],
] as const) {
  test(`of ${others + 1} addresses the one that answers is used`, () => {
    const { nodes, pass, places } = scene(1);
    const dead = Array.from({ length: others }, (_, i) => sockaddrOf(INDEX_PLACE + 20 + i));
    const sockaddrs = [...dead, ...places[0]!.sockaddrs];
    nodes[0]!.options = { ...nodes[0]!.options, indexes: [{ ...places[0]!, sockaddrs }] };
    nodes[0]!.start();
    pass(ms);
    assert.equal(facts(nodes[0]!).state, "open");
  });
}

test("a list that an index node has is taken, and one of a member goes there", () => {
  const { nodes, pass, servers } = scene(3);
  for (const node of nodes) node.start();
  pass(5_000);
  const list = listOf(2, [{ identity: identityOf(9), beforeS: BORN_S }], BORN_S);
  nodes[0]!.network!.publish(revocationsFile(list, identityOf(0)));
  pass(1_000);
  assert.equal(servers[0]!.listSequence, 2);
  // One that was away, and knows nobody but the index node.
  const { stage } = nodes[0]!;
  stage.air.side = ({ place }) => (place === 1 || place === 2 ? 1 : 0);
  const next = listOf(3, [{ identity: identityOf(9), beforeS: BORN_S }], BORN_S + 5);
  nodes[0]!.network!.publish(revocationsFile(next, identityOf(0)));
  pass(1_000);
  stage.air.side = (one) => (one === nodes[0] ? 0 : 1);
  pass(130_000);
  for (const node of nodes) {
    assert.equal(node.network!.parts.authority.revocations.list!.sequence, 3, node.name);
  }
});

test("what an index node shows is verified as of a stranger", () => {
  const { nodes, pass, servers, counts } = scene(2);
  const forged = shownOf(identityOf(5), { certificate: certify(identityOf(5), {}, STRANGER) });
  const expired = shownOf(identityOf(6), { issuedS: BORN_S - 90_000, expiresS: BORN_S - 3_600 });
  servers[0]!.lie = (message) =>
    message[0] === MESSAGE.shown
      ? [forged, expired].map((pair) => encodeShow(MESSAGE.shown, pair))
      : [message, Uint8Array.of(99), new Uint8Array(0), Uint8Array.of(MESSAGE.observed)];
  for (const node of nodes) node.start();
  pass(110_000);
  for (const node of nodes) assert.equal(node.network!.report.members().length, 1);
  for (const what of ["certificateInvalid", "recordExpired", "indexInvalid"]) {
    assert.ok((counts.get(what) ?? 0) > 0, what);
  }
});

test("two index nodes have to agree where we are; one of two that lies tells nobody", () => {
  const { nodes, pass, servers } = scene(1, 3);
  const says = (last: number) => (message: Uint8Array) => {
    if (message[0] !== MESSAGE.observed) return [message];
    const standings = {
      list: { chain: 0, sequence: 1 },
      definition: { chain: 0, sequence: 1 },
      epoch: 1,
    };
    const address = Uint8Array.of(203, 0, 113, last);
    const rest = { standings, clockMs: 0 };
    return [encodeObserved({ address, port: 40_000, againS: 60, members: 1, ...rest })];
  };
  servers[0]!.lie = says(1);
  servers[1]!.lie = says(1);
  servers[2]!.lie = says(66);
  nodes[0]!.start();
  pass(5_000);
  assert.deepEqual(nodes[0]!.network!.report.network().observed, ["203.0.113.1:40000"]);
  const content = nodes[0]!.network!.parts.ownRecord.statement!.content(
    nodes[0]!.network!.parts.recordKey,
  );
  assert.deepEqual(
    content!.candidates.map(({ kind }) => kind),
    [1, 2],
  );
});

test("a lifetime that a router renews is no other address: nothing is said of it", () => {
  const { nodes, pass, counts } = scene(2);
  for (const node of nodes) node.start();
  pass(10_000);
  const issued = counts.get("recordsIssued")!;
  for (let i = 0; i < 20; i++) {
    nodes[0]!.network!.addressesChanged();
    pass(10_000);
  }
  assert.equal(counts.get("recordsIssued"), issued);
  nodes[0]!.move(7);
  pass(5_000);
  assert.equal(counts.get("recordsIssued"), issued + 1);
  assert.ok(together(nodes));
});
