/**
 * network (hostile) — what a member with other software, somebody revoked, and whoever has a former
 * key of the authority try; none of it succeeds.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Link } from "../../src/control/network/links.ts";
import { Revocations } from "../../src/control/network/revocations.ts";
import { RealVerifier } from "../../src/control/network/statement.ts";
import { Wants } from "../../src/control/network/wants.ts";
import { encodeRevocationsFile } from "../../src/members/bundle.ts";
import {
  type Definition,
  decodeDefinition,
  encodeDefinition,
  succeed,
} from "../../src/members/definition.ts";
import {
  decodeList,
  encodeList,
  type RevocationList,
  revokedId,
} from "../../src/members/revocation-list.ts";
import { sealSecret, secretCheck } from "../../src/members/secret.ts";
import { signingPair } from "../../src/members/sign.ts";
import { FRAME_KINDS } from "../../src/wire/frames.ts";
import {
  decodePiece,
  decodeWants,
  encodePiece,
  encodeRange,
  ID_MAX,
  PIECE_BYTES,
} from "../../src/wire/network-frames.ts";
import { openStage } from "../simulation/members-calm.ts";
import {
  AUTHORITY,
  BORN_S,
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
