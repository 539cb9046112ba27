/** authority, upkeep — a succession, an issuer that is revoked, a list in pieces, what expires. */
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  type Definition,
  decodeDefinition,
  encodeDefinition,
  succeed,
} from "../../src/members/definition.ts";
import { decodeIssuer, encodeIssuer } from "../../src/members/issuer.ts";
import { signingPair } from "../../src/members/sign.ts";
import { encodeRange, ID_MAX } from "../../src/wire/digests.ts";
import { FRAME_KINDS } from "../../src/wire/frames.ts";
import { encodeAck, encodeSecret } from "../../src/wire/network-frames.ts";
import {
  AUTHORITY,
  BORN_S,
  certify,
  DEFINITION,
  identityOf,
  listOf,
  revocationsFile,
  routeOf,
} from "../simulation/members-fleet.ts";
import { missing } from "../simulation/members-ledger.ts";
import type { VirtualNode } from "../simulation/members-node.ts";
import { explained, openScene } from "./network-room.ts";

const DAY_S = 86_400;

const open = (count: number, options: (i: number) => object = () => ({})) => {
  const scene = openScene();
  const nodes = Array.from({ length: count }, (_, i) => scene.add(i, i === 0 ? 1 : 0, options(i)));
  for (const node of nodes) node.start();
  scene.pass(6_000);
  for (const node of nodes) assert.equal(missing(node, nodes), null, node.name);
  return { ...scene, nodes, a: nodes[0]!, b: nodes[1]! };
};

/** A definition that goes on from that of the fleet. */
const nextDefinition = (): { readonly definition: Definition; readonly next: Uint8Array } => {
  const next = signingPair(new Uint8Array(32).fill(77));
  const chain = succeed(
    DEFINITION.chain,
    { key: next.publicKey, atS: BORN_S + 100, untilS: BORN_S + DAY_S / 4 },
    DEFINITION.networkId,
    AUTHORITY.secretKey,
  );
  const fields = { name: "fleet", sequence: 2, issuedS: BORN_S + 100, cidrs: DEFINITION.cidrs };
  const decoded = decodeDefinition(encodeDefinition(fields, chain, next.secretKey));
  assert.ok(decoded.ok);
  return { definition: decoded.value, next: next.secretKey };
};

const definedBy = (node: VirtualNode): number =>
  node.network!.parts.authority.definition.authorities.length;

test("a succession goes to all, stays over a restart, and ends what the former one signed", () => {
  const { nodes, a, b, pass } = open(5);
  const { definition } = nextDefinition();
  a.network!.parts.authority.define([...a.network!.parts.links.values()][0]!, definition.bytes, 1);
  pass(2_000);
  for (const node of nodes) assert.equal(definedBy(node), 2, node.name);
  b.stop(true);
  b.start();
  assert.equal(definedBy(b), 2, "from its disk");
  assert.match(explained(a, "node-3"), /counts for 6 h more/);
  pass(5 * 3_600_000);
  assert.ok(a.isPeer(nodes[3]!.identity));
  pass(2 * 3_600_000);
  assert.ok(!a.isPeer(nodes[3]!.identity), "the former authority's certificates have ended");
});

test("a definition of somebody else, or an older one, changes nothing", () => {
  const { a, b, counts } = open(2);
  const other = signingPair(new Uint8Array(32).fill(78));
  const fields = { name: "fleet", sequence: 9, issuedS: BORN_S, cidrs: DEFINITION.cidrs };
  const forged = encodeDefinition(fields, DEFINITION.chain, other.secretKey);
  assert.equal(a.network!.frame(b.identity, FRAME_KINDS.definition.type, forged), null);
  assert.equal(counts.get("definitionInvalid"), 1);
  assert.match(explained(a, "node-1"), /A definition: it is not signed by its authority/);
  a.network!.frame(b.identity, FRAME_KINDS.definition.type, DEFINITION.bytes);
  assert.equal(counts.get("definitionInvalid"), 1, "the same one is no news");
  assert.equal(definedBy(a), 1);
});

test("an issuer that is revoked takes all with it that it signed", () => {
  const issuer = identityOf(9);
  const block = encodeIssuer(
    {
      flags: 3,
      serial: 1,
      nodeKey: issuer.signing.publicKey,
      notBeforeS: BORN_S - 10 * DAY_S,
      notAfterS: BORN_S + 50 * DAY_S,
      lifeS: 90 * DAY_S,
      givesFlags: 0,
      prefixes: DEFINITION.cidrs,
      groups: [],
      authority: 0,
    },
    DEFINITION.networkId,
    AUTHORITY.secretKey,
  );
  const decoded = decodeIssuer(block);
  assert.ok(decoded.ok);
  const signed = certify(
    identityOf(2),
    {
      signer: { by: "issuer", issuer: decoded.value },
      routes: [],
      notBeforeS: BORN_S - DAY_S,
      notAfterS: BORN_S + 9 * DAY_S,
    },
    issuer.signing,
  );
  const { nodes, a, pass } = open(3, (i) => (i === 2 ? { certificate: signed } : {}));
  assert.match(explained(a, "node-2"), /signed by issuer p2p:/);
  const list = listOf(2, [{ identity: issuer, beforeS: BORN_S }], BORN_S + 60);
  assert.deepEqual(a.network!.publish(revocationsFile(list, a.identity)), {
    ok: true,
    sequence: 2,
    cut: 1,
  });
  pass(3_000);
  assert.match(explained(nodes[1]!, "node-2"), /Its issuer is revoked/);
  assert.match(nodes[2]!.name, /node-2/);
});

test("a list of thousands goes in pieces from node to node, and holds in seconds", () => {
  const { nodes, a, pass, counts, stage } = open(8);
  stage.air.weather.loss = 0.05;
  const revoked = Array.from({ length: 2_900 }, (_, i) => ({
    identity: identityOf(100 + i),
    beforeS: BORN_S,
  }));
  const list = listOf(2, revoked, BORN_S + 60);
  assert.ok(list.bytes.length > 60_000);
  assert.ok(a.network!.publish(revocationsFile(list, a.identity)).ok);
  pass(5_000);
  for (const node of nodes) {
    const { listSequence, epoch } = node.network!.report.network();
    assert.deepEqual([listSequence, epoch], [2, 2], node.name);
  }
  assert.equal(counts.get("frameRate") ?? 0, 0);
  const publication = a.network!.publication!;
  assert.equal(publication.acknowledged.length + publication.missing.length, 7);
  pass(5_000);
  assert.deepEqual(a.network!.publication!.missing, []);
});

test("a file of nobody's, or of what is known, is refused or is no news", () => {
  const { a } = open(2);
  assert.equal(a.network!.publish(new Uint8Array(50)).ok, false);
  assert.equal(a.network!.publication, null);
  const file = revocationsFile(listOf(3, [], BORN_S + 5), a.identity);
  assert.ok(a.network!.publish(file).ok);
  assert.equal(a.network!.report.network().epoch, 3);
  assert.ok(a.network!.publish(file).ok);
  const older = revocationsFile(listOf(2, [], BORN_S + 5), a.identity);
  const published = a.network!.publish(older);
  assert.ok(published.ok && published.cut === 0);
  assert.equal(a.network!.report.network().listSequence, 3);
});

test("who says that it has everything gets nothing; a secret before its list waits for it", () => {
  const { a, b, pass, counts } = open(2);
  const list = listOf(2, [], BORN_S + 5);
  b.network!.frame(a.identity, FRAME_KINDS.secret.type, encodeSecret(2, new Uint8Array(32)));
  assert.equal(counts.get("secretInvalid") ?? 0, 0, "it is early");
  assert.ok(a.network!.publish(revocationsFile(list, a.identity)).ok);
  const lie = encodeAck({ list: { chain: 9, sequence: 9 }, epoch: 9 });
  a.network!.frame(b.identity, FRAME_KINDS.ack.type, lie);
  pass(1_000);
  assert.equal(b.network!.report.network().listSequence, 1, "it harmed itself alone");
  pass(70_000);
  assert.equal(b.network!.report.network().epoch, 2, "until its next root");
});

test("an expired record leads nowhere but to its addresses, and goes in a week", () => {
  const announce = [{ prefix: routeOf(1), metric: 1 }];
  const { a, b, pass, counts } = open(3, (i) =>
    i === 1 ? { announce } : { acceptRoutes: [routeOf(1)] },
  );
  const { members } = a.network!.parts;
  const ips = () => a.network!.report.members().find(({ name }) => name === "node-1")!.allowedIps;
  assert.equal(ips().length, 2);
  b.stop(false);
  pass(25 * 3_600_000);
  assert.deepEqual(ips(), ["10.64.0.1/32"]);
  assert.match(explained(a, "node-1"), /Its record expired .* ago/);
  assert.ok(a.isPeer(b.identity), "its certificate counts");
  assert.equal(members.digests.count, 2);
  pass(8 * DAY_S * 1_000);
  assert.equal(a.network!.report.explain("node-1"), null);
  assert.ok(!a.isPeer(b.identity));
  assert.equal(counts.get("certificateTime") ?? 0, 0);
});

test("wide ranges again and again are compared with nothing", () => {
  const { a, b, counts } = open(2);
  const { members } = a.network!.parts;
  Object.defineProperty(members.digests, "count", { get: () => 10_000 });
  const body = encodeRange(0, ID_MAX, []);
  for (let i = 0; i < 9; i++) a.network!.frame(b.identity, FRAME_KINDS.digest.type, body);
  assert.equal(counts.get("rangesFull"), 5);
});
