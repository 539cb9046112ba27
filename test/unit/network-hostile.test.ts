/**
 * network (hostile) — what a member with other software, somebody revoked, and whoever has a former
 * key of the authority try; none of it succeeds.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Admission } from "../../src/control/network/admission.ts";
import { Epochs } from "../../src/control/network/epochs.ts";
import { Link } from "../../src/control/network/links.ts";
import { Members } from "../../src/control/network/members.ts";
import { Neighbours } from "../../src/control/network/neighbours.ts";
import { Reach } from "../../src/control/network/reach.ts";
import { Refusals } from "../../src/control/network/refusals.ts";
import { Revocations } from "../../src/control/network/revocations.ts";
import { RealVerifier, Statement } from "../../src/control/network/statement.ts";
import { sealIntro } from "../../src/control/network/strange-seal.ts";
import { Wants } from "../../src/control/network/wants.ts";
import type { Handle } from "../../src/control/network/world.ts";
import { encodeRevocationsFile } from "../../src/members/bundle.ts";
import type { Certificate } from "../../src/members/certificate.ts";
import {
  type Definition,
  decodeDefinition,
  encodeDefinition,
  succeed,
} from "../../src/members/definition.ts";
import { type Candidate, decodeRecord, encodeRecord } from "../../src/members/record.ts";
import {
  decodeList,
  encodeList,
  type RevocationList,
  revokedId,
} from "../../src/members/revocation-list.ts";
import { derive, sealSecret, secretCheck } from "../../src/members/secret.ts";
import { signingPair } from "../../src/members/sign.ts";
import type { PeerChange } from "../../src/schema/change.ts";
import { type Cidr, formatCidr, parseCidr } from "../../src/wire/cidr.ts";
import { FRAME_KINDS } from "../../src/wire/frames.ts";
import { CHALLENGE } from "../../src/wire/intro.ts";
import {
  decodePiece,
  decodeWants,
  encodeEcho,
  encodePiece,
  encodeRange,
  ID_MAX,
  PIECE_BYTES,
} from "../../src/wire/network-frames.ts";
import { openStage } from "../simulation/members-calm.ts";
import {
  AUTHORITY,
  addressOf,
  BORN_S,
  certify,
  DEFINITION,
  FIRST_LIST,
  type Identity,
  identityOf,
  SharedVerifier,
  secretOf,
} from "../simulation/members-fleet.ts";
import { type NodeOptions, sockaddrOf, VirtualNode } from "../simulation/members-node.ts";
import { must } from "./members-parts.ts";

const CALM = { loss: 0, duplicates: 0, leastMs: 1, mostMs: 5, jitterMs: 0 };

/** Nodes of the fleet on virtual time. */
const openScene = () => {
  const { stage, counts } = openStage(1, CALM, true, new SharedVerifier());
  const said: string[] = [];
  const told = { ...stage, trace: (text: string) => void said.push(text) };
  const add = (number: number, known: number, options: NodeOptions = {}): VirtualNode => {
    const identity = identityOf(number);
    stage.ledger.signed(identity, identity.certificate);
    return new VirtualNode(told, identity, number, { bootstrap: [sockaddrOf(known)], ...options });
  };
  const pass = (ms: number): void => stage.time.run(stage.time.nowMs + ms);
  return { stage: told, counts, said, add, pass };
};

/** Does a node know somebody as a member? */
const knows = (node: VirtualNode, identity: Identity): boolean =>
  node.network!.parts.members.byNodeKey(identity.signing.publicKey) >= 0;

const NEXT = signingPair(new Uint8Array(32).fill(77));
const THIEF = signingPair(new Uint8Array(32).fill(78));

/** The network's definition after the authority's first key named another. */
const succeeded = (next = NEXT): Definition => {
  const step = { key: next.publicKey, atS: BORN_S - 100, untilS: Number.POSITIVE_INFINITY };
  const { chain, networkId } = DEFINITION;
  const longer = succeed(chain, step, networkId, AUTHORITY.secretKey);
  const fields = { ...DEFINITION, sequence: DEFINITION.sequence + 1 };
  return must(decodeDefinition(encodeDefinition(fields, longer, next.secretKey)));
};

const listBy = (
  by: { readonly secretKey: Uint8Array },
  authority: number,
  sequence: number,
  revoked: readonly Identity[],
): RevocationList => {
  const fields = {
    sequence,
    issuedS: BORN_S - 100,
    nextUpdateS: BORN_S + 8_640_000,
    epoch: sequence,
    secretCheck: secretCheck(sequence, secretOf(sequence)),
    authority,
  };
  const entries = revoked.map(({ signing }) => ({
    id: revokedId(signing.publicKey),
    issuedBeforeS: BORN_S,
  }));
  return must(decodeList(encodeList(fields, entries, DEFINITION.networkId, by.secretKey)));
};

const fileOf = (definition: Definition, list: RevocationList, publisher: Identity): Uint8Array => {
  const { publicKey } = publisher.handshakeKey;
  const members = [
    { handshakeKey: publicKey, sealed: sealSecret(secretOf(list.epoch), publicKey)! },
  ];
  return encodeRevocationsFile({ definition: definition.bytes, list: list.bytes, members });
};

test("after a restart a former key of the authority is a former key, and the list holds", () => {
  const { add, pass } = openScene();
  const node = add(1, 9, { verifier: new RealVerifier(DEFINITION) });
  node.start();
  const published = node.network!.publish(
    fileOf(succeeded(), listBy(NEXT, 1, 2, [identityOf(3)]), node.identity),
  );
  assert.ok(published.ok);
  node.stop(true);
  pass(1_000);
  node.options = { ...node.options, verifier: new RealVerifier(DEFINITION) };
  node.start();
  const { authority } = node.network!.parts;
  assert.deepEqual(authority.definition.bytes, succeeded().bytes);
  assert.equal(authority.revocations.standing.sequence, 2);
  assert.equal(authority.revocations.problem(identityOf(3).certificate), "it is revoked");
  const forked = succeeded(THIEF);
  const stolen = node.network!.publish(fileOf(forked, listBy(THIEF, 1, 9, []), node.identity));
  assert.ok(!stolen.ok);
});

test("a list that is older than the one of before is better than none", () => {
  const revocations = new Revocations();
  revocations.setFloor({ chain: 0, sequence: 5 });
  const old = listBy(AUTHORITY, 0, 3, [identityOf(3)]);
  revocations.load(old.bytes, DEFINITION);
  assert.equal(revocations.problem(identityOf(3).certificate), "it is revoked");
  const taken = (sequence: number): boolean =>
    revocations.accept(listBy(AUTHORITY, 0, sequence, []).bytes, DEFINITION).ok;
  assert.deepEqual([4, 5].map(taken), [false, true]);
});

const linkOf = (number: number, nowMs = 0): Link =>
  new Link({ publicKey: new Uint8Array(32) }, number, number, nowMs);

/** Wants of one node, and what they ask. */
const openWants = () => {
  const asked: { readonly link: Link; readonly id: number }[] = [];
  const counts = new Map<string, number>();
  const wants = new Wants({
    send: (link, body) => {
      for (const { id } of decodeWants(body)!) asked.push({ link, id });
      return !link.isGone;
    },
    count: (what, amount) => void counts.set(what, (counts.get(what) ?? 0) + amount),
    salt: 12_345,
  });
  return { wants, asked, counts };
};

test("a member that announces what is not there leaves room for what others announce", () => {
  const { wants, asked } = openWants();
  const [liar, honest] = [linkOf(1), linkOf(2)];
  for (let id = 1; id < 20_000; id++) wants.announced(liar, id, 1, false, 0);
  wants.pump(liar, 0);
  wants.announced(honest, 1_000_000, 1, false, 0);
  wants.pump(honest, 0);
  assert.ok(asked.some(({ link, id }) => link === honest && id === 1_000_000));
});

test("nobody keeps a record from being asked for by another whose id ends alike", () => {
  const { wants, asked } = openWants();
  const id = 987_654_321;
  for (let i = 1; i < 1_000; i++) wants.announced(linkOf(1), id + i * 2 ** 30, 1, false, 0);
  const honest = linkOf(2);
  wants.announced(honest, id, 1, false, 0);
  wants.pump(honest, 0);
  assert.ok(asked.some((one) => one.id === id));
});

test("who brings an old record does not end the search for the new one", () => {
  const { wants, asked } = openWants();
  const [liar, honest] = [linkOf(1), linkOf(2)];
  wants.announced(liar, 7, 2 ** 53 - 1, true, 0);
  wants.pump(liar, 0);
  wants.announced(honest, 7, 900, true, 0);
  assert.ok(wants.came(liar, 7));
  // It brought one of sequence 500, which is held already.
  wants.done(7, liar, "kept", 500, 10);
  wants.tick(wants.dueMs);
  assert.deepEqual(
    asked.map(({ link }) => link),
    [liar, honest],
  );
  assert.ok(wants.came(honest, 7));
  wants.done(7, honest, "taken", 900, 20);
  assert.equal(wants.size, 0);
});

test("what somebody brought who is gone is asked of others, and of nobody for ever", () => {
  const { wants } = openWants();
  const liar = linkOf(1);
  wants.announced(liar, 7, 1, true, 0);
  wants.pump(liar, 0);
  assert.ok(wants.came(liar, 7));
  liar.isGone = true;
  wants.forget(liar, 5);
  // Its certificate was left out, and is not known.
  wants.done(7, liar, "certificate", -1, 10);
  wants.pump(liar, 10);
  wants.tick(3_000);
  assert.equal(wants.size, 0);
  assert.equal(wants.dueMs, Number.POSITIVE_INFINITY);
});

test("members that begin lists and do not end them keep no other from bringing one", () => {
  const revocations = new Revocations();
  revocations.load(FIRST_LIST.bytes, DEFINITION);
  const many = Array.from({ length: 60 }, (_, i) => identityOf(100 + i));
  const list = listBy(AUTHORITY, 0, 2, many);
  assert.ok(list.bytes.length > PIECE_BYTES);
  const pieceOf = (sequence: number, total: number, offset: number, bytes: Uint8Array) =>
    decodePiece(encodePiece({ list: { chain: 0, sequence }, total, offset, bytes }))!;
  const liars = Array.from({ length: 8 }, () => ({}));
  const lie = (nowMs: number): void => {
    for (const liar of liars) {
      const piece = pieceOf(2 ** 50, 80_000, 0, new Uint8Array(PIECE_BYTES));
      revocations.piece(liar, piece, nowMs);
    }
  };
  const honest = {};
  let whole: Uint8Array | null = null;
  let nowMs = 0;
  for (; nowMs < 5_000 && whole === null; nowMs += 500) {
    lie(nowMs);
    for (let offset = 0; offset < list.bytes.length; offset += PIECE_BYTES) {
      const bytes = list.bytes.subarray(offset, offset + PIECE_BYTES);
      const taken = revocations.piece(honest, pieceOf(2, list.bytes.length, offset, bytes), nowMs);
      if (taken instanceof Uint8Array) whole = taken;
    }
    lie(nowMs + 250);
  }
  assert.ok(whole !== null && nowMs <= 4_000, `after ${nowMs} ms`);
});

test("a range of everything, said again and again, costs little", () => {
  const { add, pass, counts } = openScene();
  const [node, liar] = [add(1, 2), add(2, 1)];
  node.start();
  liar.start();
  pass(5_000);
  const { parts } = node.network!;
  let looked = 0;
  const entries = parts.members.entries.bind(parts.members);
  parts.members.entries = (first, last) => {
    looked++;
    return entries(first, last);
  };
  // As if there were so many.
  Object.defineProperty(parts.members.digests, "count", { value: 10_000 });
  const all = encodeRange(0, ID_MAX, []);
  for (let i = 0; i < 150; i++) {
    node.network!.frame(liar.identity, FRAME_KINDS.digest.type, all);
  }
  assert.ok(looked > 0 && looked < 12, `${looked}`);
  assert.ok((counts.get("rangesFull") ?? 0) > 130);
  assert.ok(knows(node, liar.identity));
});

test("a list of a new key takes effect in time, also when its definition was lost at first", () => {
  const { add, pass } = openScene();
  const real = (): NodeOptions => ({ verifier: new RealVerifier(DEFINITION) });
  const [node, other] = [add(1, 2, real()), add(2, 1, real())];
  node.start();
  other.start();
  pass(10_000);
  const send = node.sendFrame;
  let lost = 0;
  Object.defineProperty(node, "sendFrame", {
    value: (handle: Handle, type: number, body: Uint8Array) =>
      type === FRAME_KINDS.definition.type && lost++ < 2 ? true : send(handle, type, body),
  });
  const list = listBy(NEXT, 1, 2, [identityOf(3)]);
  assert.ok(node.network!.publish(fileOf(succeeded(), list, node.identity)).ok);
  pass(4_000);
  assert.ok(lost > 2);
  assert.equal(other.network!.parts.authority.revocations.standing.chain, 1);
});

test("who answered for an address of bootstrap and is not there does not end the asking", () => {
  const { stage, add, pass } = openScene();
  const [node, gone, there] = [add(1, 2), add(2, 9), add(3, 9)];
  gone.start();
  node.start();
  while (!knows(node, gone.identity)) pass(1);
  assert.equal(node.network!.parts.links.size, 0);
  gone.stop(false);
  there.place = 2;
  there.start();
  pass(180_000);
  assert.ok(stage.time.nowMs > 0 && knows(node, there.identity));
});

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
    world: { endpoint: () => null },
    members,
    cidrs: () => DEFINITION.cidrs,
    recordKey: (epoch) => derive(secretOf(epoch), "record"),
  });
  assert.deepEqual(
    reach.places(slot).map((place) => [...place.subarray(4, 8)]),
    [[192, 0, 2, 5]],
  );
});

test("those who keep us and those who chose their places beside us are never all that we have", () => {
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
