/**
 * network (claims) — what members say of themselves and of others, and what of it counts.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Admission } from "../../src/control/network/admission.ts";
import { Epochs } from "../../src/control/network/epochs.ts";
import { Members } from "../../src/control/network/members.ts";
import { Neighbours } from "../../src/control/network/neighbours.ts";
import { Reach } from "../../src/control/network/reach.ts";
import { Refusals } from "../../src/control/network/refusals.ts";
import { Statement } from "../../src/control/network/statement.ts";
import { sealIntro } from "../../src/control/network/strange-seal.ts";
import type { Handle } from "../../src/control/network/world.ts";
import type { Certificate } from "../../src/members/certificate.ts";
import { type Candidate, decodeRecord, encodeRecord } from "../../src/members/record.ts";
import { derive } from "../../src/members/secret.ts";
import type { PeerChange } from "../../src/schema/change.ts";
import { type Cidr, formatCidr, parseCidr } from "../../src/wire/cidr.ts";
import { FRAME_KINDS } from "../../src/wire/frames.ts";
import { CHALLENGE } from "../../src/wire/intro.ts";
import { encodeEcho } from "../../src/wire/network-frames.ts";
import {
  addressOf,
  BORN_S,
  certify,
  DEFINITION,
  type Identity,
  identityOf,
  secretOf,
} from "../simulation/members-fleet.ts";
import { sockaddrOf } from "../simulation/members-places.ts";
import { must } from "./members-parts.ts";

import { knows, openScene } from "./network-hostile-parts.ts";
import { shownOf } from "./network-room.ts";

/** A record that announces prefixes, as a statement. */
const announcing = (
  identity: Identity,
  certificate: Certificate,
  prefixes: readonly { readonly prefix: Cidr; readonly metric: number }[],
  sequence = BORN_S * 1_000,
  candidates: readonly Candidate[] = [],
): Statement => {
  const head = {
    epoch: 1,
    nodeKey: identity.signing.publicKey,
    certificateHash: certificate.hash,
    sequence,
    issuedS: BORN_S,
    expiresS: BORN_S + 86_400,
  };
  const content = {
    startId: new Uint8Array(16),
    suites: 3,
    candidates,
    announced: prefixes,
  };
  const bytes = encodeRecord(head, content, {
    networkId: DEFINITION.networkId,
    secretKey: identity.signing.secretKey,
    recordKey: derive(secretOf(1), "record"),
    nonce: new Uint8Array(24).fill(identity.number),
  });
  return new Statement(certificate, must(decodeRecord(bytes)));
};

/** Admission of one node, and what control was told last of each handshake key. */
const openAdmission = () => {
  const members = new Members();
  const told = new Map<string, string[]>();
  const keyOf = (key: Uint8Array): string => Buffer.from(key).toString("hex");
  const tell = ({ publicKey, allowedIps = [] }: PeerChange): void => {
    // A prefix goes to whom it was given last.
    const texts = allowedIps.map(formatCidr);
    for (const [key, others] of told) {
      told.set(
        key,
        others.filter((one) => !texts.includes(one)),
      );
    }
    told.set(keyOf(publicKey), texts);
  };
  const world = {
    bootMs: () => 0,
    admit: (change: PeerChange): Handle => {
      tell(change);
      return { publicKey: change.publicKey };
    },
    amend: (_: Handle, change: PeerChange) => {
      tell(change);
      return true;
    },
    dismiss: ({ publicKey }: Handle) => void told.delete(keyOf(publicKey)),
    hasSession: () => false,
    lastUsedMs: () => 0,
  };
  const admission = new Admission({
    world: world as never,
    members,
    cidrs: () => DEFINITION.cidrs,
    acceptRoutes: [],
    recordKey: (epoch) => derive(secretOf(epoch), "record"),
    needed: () => false,
    onGone: () => {},
    onRouteRefused: () => {},
    onContest: () => {},
    onFull: () => {},
  });
  const learn = (statement: Statement): void => {
    const before = members.byId(statement.id);
    const isNew = before < 0 || members.at(before).owner !== statement.owner;
    const slot = members.put(statement, { way: "gossip", from: -1, heardS: BORN_S });
    members.list(slot, true);
    admission.update(slot, isNew);
  };
  return { learn, leadsTo: (key: Uint8Array) => told.get(keyOf(key)) };
};

test("a prefix of one address that becomes somebody's own is not taken back", () => {
  const { learn, leadsTo } = openAdmission();
  const [thief, owner, other] = [identityOf(6), identityOf(5), identityOf(7)];
  const routes = [parseCidr("10.64.0.0/16")!];
  const wide = (identity: Identity): Certificate => certify(identity, { routes });
  const address = formatCidr({ version: 4, bytes: addressOf(5), prefixLength: 32 });
  const shared = { prefix: parseCidr("10.64.9.0/24")!, metric: 50 };
  const taken = { prefix: parseCidr(address)!, metric: 1 };
  learn(announcing(thief, wide(thief), [shared, taken]));
  learn(announcing(owner, owner.certificate, []));
  assert.deepEqual(leadsTo(owner.publicKey), [address]);
  // Somebody else's record makes the thief's routes be told anew.
  learn(announcing(other, wide(other), [{ ...shared, metric: 10 }]));
  assert.deepEqual(leadsTo(owner.publicKey), [address]);
  assert.ok(!leadsTo(thief.publicKey)!.includes(address));
});

test("a member that was signed anew with another handshake key has the former no more", () => {
  const { learn, leadsTo } = openAdmission();
  const identity = identityOf(5);
  const { handshakeKey } = identityOf(50);
  learn(announcing(identity, identity.certificate, []));
  const anew = certify({ ...identity, handshakeKey }, { notBeforeS: BORN_S - 100 });
  learn(announcing(identity, anew, [], BORN_S * 1_000 + 1));
  assert.equal(leadsTo(identity.publicKey), undefined);
  assert.notEqual(leadsTo(handshakeKey.publicKey), undefined);
});

test("a member that says again and again what it knows of us costs a record or two", () => {
  const { add, pass, counts } = openScene();
  const [node, liar] = [add(1, 2), add(2, 1)];
  node.start();
  liar.start();
  pass(5_000);
  const before = counts.get("recordsIssued") ?? 0;
  for (let i = 0; i < 300; i++) {
    const { sequence } = node.network!.parts.ownRecord.statement!;
    const echo = { answer: false, trusted: false, unixMs: 0, sequence: sequence + 1_000 };
    node.network!.frame(liar.identity, FRAME_KINDS.echo.type, encodeEcho(echo));
    pass(2_000);
  }
  const issued = (counts.get("recordsIssued") ?? 0) - before;
  assert.ok(issued >= 1 && issued <= 5, `${issued}`);
});

test("who shows somebody's certificate is not led to, and needs the very record", () => {
  const { add, pass } = openScene();
  const [node, victim, liar] = [add(1, 2), add(2, 1), add(3, 1)];
  for (const one of [node, victim, liar]) one.start();
  pass(10_000);
  const { parts } = node.network!;
  const slot = parts.members.byNodeKey(victim.identity.signing.publicKey);
  const { record, certificate, id } = parts.members.at(slot);
  const forged = record.map((byte, i) => (i > 110 ? byte ^ 1 : byte));
  assert.equal(parts.intake.takeNow({ record: forged, certificate }, "intro"), -1);
  assert.equal(parts.intake.takeNow({ record, certificate }, "intro"), slot);
  // Nor is an older number one's own.
  new DataView(forged.buffer, forged.byteOffset).setUint32(54, 1, true);
  new DataView(forged.buffer, forged.byteOffset).setUint32(58, 0, true);
  assert.equal(parts.intake.takeNow({ record: forged, certificate }, "intro"), -1);
  // An INTRO of the true ones, from elsewhere, with a ticket.
  parts.reach.seen(id, sockaddrOf(2));
  const epochs = new Epochs();
  epochs.hold([{ epoch: 1, secret: secretOf(1) }]);
  const nowhere = new Uint8Array(0);
  let ticket: Uint8Array = new Uint8Array(16);
  const send = node.sendDatagram;
  Object.defineProperty(node, "sendDatagram", {
    value: (datagram: Uint8Array) => {
      ticket = datagram.slice(CHALLENGE.ticket.at, CHALLENGE.ticket.at + CHALLENGE.ticket.bytes);
      return true;
    },
  });
  const knock = (seed: number): void => {
    const parts = {
      keys: epochs.newest!,
      pair: { certificate, record },
      receiver: node.identity.handshakeKey.publicKey,
      ticket,
      ephemeralSecret: new Uint8Array(32).fill(seed),
    };
    node.network!.datagram(sealIntro(parts, node.mac)!, sockaddrOf(3), nowhere);
  };
  knock(1);
  Object.defineProperty(node, "sendDatagram", { value: send });
  knock(2);
  assert.deepEqual(parts.reach.hint(id), sockaddrOf(2));
});

test("at an address of bootstrap is whom it names, and nobody else", () => {
  const { add, pass, counts } = openScene();
  const [node, liar] = [add(1, 2), add(2, 9)];
  const { publicKey: nodeKey } = identityOf(5).signing;
  const bootstrap = [{ sockaddr: sockaddrOf(2), nodeKey }];
  Object.defineProperty(node, "bootstrap", { value: () => bootstrap });
  liar.start();
  node.start();
  pass(5_000);
  assert.ok((counts.get("bootstrapOther") ?? 0) > 0);
  assert.ok(!knows(node, liar.identity));
});

test("one member does not set the time of a host that has none, whoever else is away", () => {
  const { add, pass } = openScene();
  const [node, liar, away] = [add(1, 2), add(2, 1), add(3, 1)];
  for (const one of [node, liar, away]) one.start();
  pass(70_000);
  away.stop(true);
  node.stop(true);
  node.clockMs = -BORN_S * 1_000;
  node.start();
  pass(4_000);
  assert.ok(node.network!.parts.links.size === 1 && knows(node, away.identity));
  const unixMs = (BORN_S + 10 * 365 * 86_400) * 1_000;
  const echo = encodeEcho({ answer: false, trusted: true, unixMs, sequence: 0 });
  node.network!.frame(liar.identity, FRAME_KINDS.echo.type, echo);
  assert.ok(!node.network!.parts.clock.trusted);
  assert.ok(knows(node, liar.identity) && knows(node, away.identity));
});

test("refusals of ever other names fill no log", () => {
  let lines = 0;
  const refusals = new Refusals(
    () => 0,
    () => {},
    () => lines++,
  );
  for (let i = 0; i < 10_000; i++) refusals.add(`m-${i}`, "certificateRevoked", "it is revoked", 0);
  assert.ok(lines > 0 && lines <= 64, `${lines}`);
});

test("a record leads into our own tunnel no more than to ourselves", () => {
  const identity = identityOf(5);
  const at = (...bytes: number[]): Candidate => ({
    kind: 1,
    address: Uint8Array.from(bytes),
    port: 51_820,
  });
  const mapped = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255];
  const members = new Members();
  const candidates = [
    at(10, 64, 0, 9),
    at(...mapped, 10, 64, 0, 9),
    at(127, 0, 0, 1),
    at(...mapped, 127, 0, 0, 1),
    at(192, 0, 2, 5),
  ];
  const statement = announcing(identity, identity.certificate, [], 1, candidates);
  const slot = members.put(statement, { way: "gossip", from: -1, heardS: 0 });
  const reach = new Reach({
    world: { endpoint: () => null, bootstrap: () => [] },
    members,
    cidrs: () => DEFINITION.cidrs,
    recordKey: (epoch) => derive(secretOf(epoch), "record"),
    refuse: () => {},
  });
  assert.deepEqual(
    reach.places(slot).map((place) => [...place.subarray(4, 8)]),
    [[192, 0, 2, 5]],
  );
});

test("who keeps us and who chose a place beside us are never all that we have", () => {
  const statements = Array.from({ length: 60 }, (_, i) => {
    const identity = identityOf(i + 1);
    return announcing(identity, identity.certificate, []);
  });
  const members = new Members();
  for (const one of statements) members.put(one, { way: "gossip", from: -1, heardS: 0 });
  const ownId = statements[0]!.id;
  const chosenWith = (salt: number): ReadonlySet<number> => {
    const options = { members, ownId, wanted: 4, salt };
    const neighbours = new Neighbours({
      ...options,
      eligible: (slot) => members.at(slot).id !== ownId,
    });
    // Ten of them keep us.
    return neighbours.choose(
      0,
      (slot) => slot > 0 && slot <= 10,
      () => false,
      0,
    );
  };
  const [one, other] = [chosenWith(1), chosenWith(2)];
  assert.ok(
    [...one].some((slot) => !other.has(slot)),
    "the salt has a say",
  );
});

test("whoever is barred for a twin is a peer again when that one's certificate has ended", () => {
  const { stage, add, pass } = openScene();
  const node = add(1, 9);
  node.start();
  const [owner, twin] = [identityOf(5), identityOf(6)];
  stage.ledger.signed(owner, owner.certificate);
  const { intake, members } = node.network!.parts;
  const { handshakeKey } = owner;
  const short = certify({ ...twin, handshakeKey }, { notAfterS: BORN_S + 3_600 });
  assert.ok(intake.takeNow(shownOf(owner), "intro") >= 0);
  assert.equal(intake.takeNow(shownOf(twin, { certificate: short }), "intro"), -1);
  const slot = members.byNodeKey(owner.signing.publicKey);
  assert.ok(members.isBarred(slot));
  pass(3_500_000);
  assert.ok(members.isBarred(slot));
  pass(800_000);
  assert.ok(!members.isBarred(slot));
  assert.ok(node.isPeer(owner));
});

test("where a name of bootstrap led once nobody is asked any more", () => {
  const { add, pass } = openScene();
  const [node, other] = [add(1, 9), add(2, 9, { bootstrap: [] })];
  node.start();
  other.start();
  const lead = (place: number): void => {
    node.options = { ...node.options, bootstrap: [sockaddrOf(place)] };
    node.network!.ask();
    pass(100);
  };
  for (let place = 1_000; place < 1_300; place++) lead(place);
  pass(60_000);
  const before = node.bytesOut;
  pass(60_000);
  assert.ok(node.bytesOut - before <= 5 * 1_300, `${node.bytesOut - before}`);
  lead(2);
  pass(1_000);
  assert.ok(knows(node, other.identity));
});

test("what had ended before the time was known goes when it is", () => {
  const { stage, add, pass } = openScene();
  const node = add(1, 2);
  node.clockMs = -BORN_S * 1_000;
  node.start();
  const gone = identityOf(7);
  const certificate = certify(gone, { notAfterS: BORN_S - 86_400 });
  stage.ledger.signed(gone, certificate);
  const times = { issuedS: BORN_S - 172_800, expiresS: BORN_S - 86_400 };
  const shown = shownOf(gone, { certificate, sequence: (BORN_S - 172_800) * 1_000, ...times });
  assert.ok(node.network!.parts.intake.takeNow(shown, "intro") >= 0);
  for (const number of [2, 3]) add(number, 2).start();
  pass(60_000);
  assert.ok(node.network!.parts.clock.trusted);
  assert.ok(!knows(node, gone));
});
