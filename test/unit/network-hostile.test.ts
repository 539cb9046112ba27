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
import type { Handle } from "../../src/control/network/world.ts";
import { encodeRange, ID_MAX } from "../../src/wire/digests.ts";
import { FRAME_KINDS } from "../../src/wire/frames.ts";
import {
  decodePiece,
  decodeWants,
  encodePiece,
  PIECE_BYTES,
} from "../../src/wire/network-frames.ts";
import { AUTHORITY, DEFINITION, FIRST_LIST, identityOf } from "../simulation/members-fleet.ts";
import type { NodeOptions } from "../simulation/members-options.ts";

import {
  fileOf,
  knows,
  listBy,
  NEXT,
  openScene,
  succeeded,
  THIEF,
} from "./network-hostile-parts.ts";

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
