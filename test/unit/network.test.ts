/**
 * network — members that should not be: none succeeds, each is counted, and explained by name; and
 * what a member says of itself and others.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { FRAME_KINDS } from "../../src/wire/frames.ts";
import { encodeShown } from "../../src/wire/network-frames.ts";
import {
  BORN_S,
  certify,
  identityOf,
  listOf,
  revocationsFile,
  routeOf,
  STRANGER,
} from "../simulation/members-fleet.ts";
import { missing } from "../simulation/members-ledger.ts";
import type { VirtualNode } from "../simulation/members-node.ts";
import { explained, openScene, shownOf } from "./network-room.ts";

const DAY_S = 86_400;
const HOUR_MS = 3_600_000;

const together = (nodes: readonly VirtualNode[]): void => {
  for (const node of nodes) {
    const lacks = missing(node, nodes);
    assert.equal(lacks, null, `${lacks?.who.name} ${lacks?.why} at ${node.name}`);
  }
};

/** Three members that know each other. */
const openThree = () => {
  const scene = openScene();
  const nodes = [scene.add(0, 1), scene.add(1, 0), scene.add(2, 0)];
  for (const node of nodes) node.start();
  scene.pass(5_000);
  together(nodes);
  return { ...scene, nodes, a: nodes[0]!, b: nodes[1]!, c: nodes[2]! };
};

test("who knows one member finds all, and says where it knows them from", () => {
  const { nodes, a, c } = openThree();
  const told = nodes.map((node) => explained(node, "node-0"));
  assert.ok(
    told.some((text) => /introduced itself|answered when its address was asked/.test(text)),
  );
  assert.match(explained(a, "node-2"), /with 10\.64\.0\.2\..*authority key 0.*80 d more/);
  assert.match(explained(a, "10.64.0.2"), /^node-2 is p2p:/);
  assert.match(explained(a, a.network!.report.members()[2]!.nodeId), /^node-2 /);
  assert.match(explained(a, "node-0"), /It is this host/);
  assert.equal(a.network!.report.explain("nobody"), null);
  const { publicKey } = c.identity;
  assert.match(explained(a, Buffer.from(publicKey).toString("base64")), /^node-2 /);
  const facts = a.network!.report.network();
  assert.equal(facts.members, 3);
  assert.equal(facts.sessions, 2);
  assert.deepEqual(facts.problems, []);
});

test("an expired certificate: refused by name", () => {
  const { add, pass, a, counts } = openThree();
  const late = { notBeforeS: BORN_S - 5 * DAY_S, notAfterS: BORN_S - DAY_S };
  const node = add(3, 0, { certificate: certify(identityOf(3), late) });
  node.start();
  pass(5_000);
  assert.match(explained(a, "node-3"), /no member here.*Its certificate has expired/);
  assert.ok((counts.get("certificateTime") ?? 0) > 0);
  assert.ok(!a.isPeer(node.identity));
  assert.match(
    node.network!.report.network().problems.join(),
    /certificate of this host has expired/,
  );
});

test("a certificate that expires while it is used ends its sessions", () => {
  const { add, pass, a } = openThree();
  const notAfterS = BORN_S + 60;
  const node = add(3, 0, { certificate: certify(identityOf(3), { notAfterS }) });
  node.start();
  pass(5_000);
  assert.ok(a.isPeer(node.identity));
  assert.match(explained(a, "node-3"), /ends in/);
  pass(120_000);
  assert.ok(!a.isPeer(node.identity));
  assert.match(explained(a, "node-3"), /Its certificate has expired/);
});

test("a certificate of a stranger's authority: refused, and no name is taken for true", () => {
  const { add, pass, a, counts } = openThree();
  const node = add(3, 0, { certificate: certify(identityOf(3), { name: "node-1" }, STRANGER) });
  node.start();
  pass(5_000);
  assert.ok((counts.get("certificateInvalid") ?? 0) > 0);
  assert.match(explained(a, "node-1"), /10\.64\.0\.1/);
  const [unknown] = a.network!.report.strangers();
  assert.equal(unknown?.name, "unknown");
  assert.match(unknown!.problems.join(), /its signature is wrong/);
});

test("a replayed old record: refused, and the newer one stays", () => {
  const { pass, a, b, c, counts } = openThree();
  const old = shownOf(c.identity, { sequence: 1_000 });
  const before = explained(a, "node-2");
  // Asked for by a lie, else it is not looked at: then it is refused by name.
  b.sendFrame(a.identity, FRAME_KINDS.record.type, encodeShown([old]));
  pass(100);
  assert.equal(counts.get("recordUnwanted"), 1);
  const { intake, members } = a.network!.parts;
  assert.ok(intake.take(old, 1, "gossip", null));
  pass(100);
  assert.equal(counts.get("recordOld"), 1);
  assert.match(explained(a, "node-2"), /older than the one here/);
  assert.ok(explained(a, "node-2").startsWith(before.slice(0, 60)));
  assert.ok(members.at(members.byNodeKey(c.identity.signing.publicKey)).sequence > 1_000);
});

test("a prefix that the certificate does not hold, or nobody here accepts, leads nowhere", () => {
  const { add, pass, a, b } = openThree();
  b.stop(true);
  b.options = { ...b.options, acceptRoutes: [routeOf(3), routeOf(1)] };
  b.start();
  const announce = [routeOf(3), routeOf(1)].map((prefix) => ({ prefix, metric: 5 }));
  add(3, 0, { announce }).start();
  pass(10_000);
  const ips = (node: VirtualNode) =>
    node.network!.report.members().find(({ name }) => name === "node-3")!.allowedIps;
  assert.deepEqual(ips(b), ["10.64.0.3/32", "172.16.3.0/24"]);
  assert.match(explained(b, "node-3"), /172\.16\.1\.0\/24, which its certificate does not hold/);
  assert.match(explained(b, "172.16.3.9"), /^node-3 /);
  assert.deepEqual(ips(a), ["10.64.0.3/32"]);
  assert.match(explained(a, "node-3"), /172\.16\.3\.0\/24, which accept_routes does not hold/);
});

test("two certificates for one address: the later one has it, and it is said", () => {
  const { add, pass, a, b } = openThree();
  const { addresses } = b.identity.certificate;
  const newer = certify(identityOf(3), { addresses, notBeforeS: BORN_S - DAY_S });
  const thief = add(3, 0, { certificate: newer });
  thief.start();
  pass(5_000);
  assert.match(explained(a, "10.64.0.1"), /^node-3 /);
  assert.match(
    explained(a, "node-1"),
    /10\.64\.0\.1 leads to node-3, whose certificate has it too/,
  );
  assert.deepEqual(
    a.network!.report.members().find((one) => one.name === "node-1")!.allowedIps,
    [],
  );
  // The authority takes it back: the address is node-1's again.
  const list = listOf(2, [{ identity: thief.identity, beforeS: BORN_S }], BORN_S + 10);
  assert.ok(a.network!.publish(revocationsFile(list, a.identity)).ok);
  assert.match(explained(a, "10.64.0.1"), /^node-1 /);
});

test("one handshake key under two node keys: neither is a peer, and both are told", () => {
  const { add, pass, a, c, stage } = openThree();
  const twin = { ...identityOf(3), handshakeKey: c.identity.handshakeKey };
  const certificate = certify(twin, {});
  const { intake } = a.network!.parts;
  assert.equal(intake.takeNow(shownOf(identityOf(3), { certificate }), "intro"), -1);
  assert.ok(!a.isPeer(c.identity));
  assert.match(explained(a, "node-2"), /It is refused.*handshake key is that of node-3 too/);
  assert.match(explained(a, "node-3"), /handshake key is that of node-2 too/);
  // The twin is revoked: node-2 is welcome again.
  const nowS = BORN_S + Math.floor(stage.time.nowMs / 1_000);
  const list = listOf(2, [{ identity: identityOf(3), beforeS: nowS }], nowS);
  assert.ok(a.network!.publish(revocationsFile(list, a.identity)).ok);
  pass(30_000);
  assert.ok(a.isPeer(c.identity));
  assert.ok(add(9, 0) !== null);
});

test("a clock that is days ahead: its records are refused, and both ends can tell", () => {
  const { add, pass, a, counts } = openThree();
  const node = add(3, 0);
  node.clockMs = 50 * HOUR_MS;
  node.start();
  pass(10_000);
  assert.match(explained(a, "node-3"), /2 d ahead: its clock is wrong, or ours/);
  assert.ok((counts.get("recordAhead") ?? 0) > 0);
  assert.ok(!a.isPeer(node.identity));
  node.clockMs = 0;
  pass(60_000);
  assert.ok(a.isPeer(node.identity), "put right, it comes in");
});

test("a clock of 1970 and no state: the others tell the time, and it comes in", () => {
  const { add, pass, nodes } = openThree();
  const node = add(3, 0);
  node.clockMs = -BORN_S * 1_000;
  node.start();
  assert.match(node.network!.report.network().problems.join(), /The time is not known/);
  pass(15_000);
  assert.ok(node.network!.parts.clock.trusted);
  together([...nodes, node]);
});

test("a jump of the clock is held back, told, and followed when two members agree", () => {
  const { pass, a, b, c, counts } = openThree();
  pass(61_000);
  a.clockMs = 40 * HOUR_MS;
  pass(61_000);
  assert.match(a.network!.report.network().problems.join(), /clock jumped by 40 h/);
  assert.equal(counts.get("clockHeld"), 1);
  assert.ok(Math.abs(a.network!.parts.clock.nowMs() - b.unixMs()) < 1_000);
  for (const node of [b, c]) {
    node.stop(true);
    node.clockMs = 40 * HOUR_MS;
    node.start();
  }
  pass(120_000);
  assert.ok(Math.abs(a.network!.parts.clock.nowMs() - a.unixMs()) < 1_000);
});

test("a cloned identity: both see it, both back off, nobody else is disturbed", () => {
  const { add, pass, nodes, counts } = openThree();
  const [one, other] = [add(3, 0), add(3, 1)];
  other.place = 4;
  one.start();
  pass(1_000);
  other.start();
  pass(300_000);
  for (const node of [one, other]) {
    assert.match(node.network!.report.network().problems.join(), /Another host has this identity/);
  }
  assert.ok((counts.get("clonesSeen") ?? 0) >= 2);
  const before = counts.get("recordsIssued") ?? 0;
  pass(3 * HOUR_MS);
  assert.ok((counts.get("recordsIssued") ?? 0) - before < 20, "they back off");
  together(nodes);
});

test("revoked: cut at once everywhere, back by a new certificate of the authority", () => {
  const { pass, nodes, a, b, c, stage, counts } = openThree();
  const nowS = BORN_S + Math.floor(stage.time.nowMs / 1_000);
  const list = listOf(2, [{ identity: c.identity, beforeS: nowS }], nowS);
  const published = a.network!.publish(revocationsFile(list, a.identity));
  assert.deepEqual(published, { ok: true, sequence: 2, cut: 1 });
  assert.ok(!a.isPeer(c.identity), "here when the call returns");
  pass(200);
  assert.ok(!b.isPeer(c.identity));
  assert.match(explained(b, "node-2"), /no member here\. It is revoked/);
  pass(5_000);
  const publication = a.network!.publication!;
  assert.deepEqual(
    publication.acknowledged.map(({ name }) => name),
    ["node-1"],
  );
  assert.deepEqual(publication.missing, []);
  assert.equal(b.network!.report.network().epoch, 2);
  assert.equal(c.network!.report.network().epoch, 1, "it has not got the new secret");
  // Again the same file: nothing is new.
  assert.deepEqual(a.network!.publish(revocationsFile(list, a.identity)), {
    ok: true,
    sequence: 2,
    cut: 0,
  });
  const certificate = certify(c.identity, { notBeforeS: nowS + 1 });
  c.stop(true);
  c.options = { ...c.options, certificate };
  pass(2_000);
  c.start();
  pass(30_000);
  together(nodes);
  assert.ok((counts.get("membersCut") ?? 0) >= 2);
});

test("after a restart without any address to ask: back from what the disk knows", () => {
  const { pass, nodes, b } = openThree();
  pass(130_000);
  b.stop(false);
  b.options = { ...b.options, bootstrap: [] };
  pass(3_000);
  b.start();
  pass(5_000);
  together(nodes);
  assert.match(explained(b, "node-2"), /There is (a|no) session/);
});

test("a damaged file is said, counted, and does without", () => {
  const { pass, nodes, b, counts, said } = openThree();
  pass(130_000);
  b.stop(true);
  b.damage("members");
  b.damage("own");
  b.start();
  assert.equal(counts.get("fileDamaged"), 2);
  assert.ok(said.some((text) => /node-1 says warn: a file .* damaged/.test(text)));
  pass(10_000);
  together(nodes);
});

test("a member that a file names, too, talks as members do", () => {
  const { add, pass, nodes, a } = openThree();
  const node = add(3, 0);
  a.keepStatic(node.identity);
  node.start();
  pass(5_000);
  together([...nodes, node]);
  assert.match(explained(a, "node-3"), /A file or a person has named its key/);
});

test("it stops: neighbours are told, nothing is sent any more, secrets are gone", () => {
  const { pass, a, b } = openThree();
  const { network } = b;
  b.stop(true);
  assert.equal(network!.parts.authority.secrets.newest, null);
  assert.equal(network!.findPeer(a.identity.publicKey), null);
  assert.equal(
    network!.frame(a.identity, FRAME_KINDS.echo.type, new Uint8Array(17)),
    "frameStranger",
  );
  network!.tick();
  pass(1_000);
  assert.match(explained(a, "node-1"), /It did not answer when it was last called/);
});
