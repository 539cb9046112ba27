/** revocations, secrets, push — lists in pieces, what holds, and who gets it until it says so. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Link } from "../../src/control/network/links.ts";
import { Push } from "../../src/control/network/push.ts";
import { Revocations } from "../../src/control/network/revocations.ts";
import { Secrets } from "../../src/control/network/secrets.ts";
import { type RevocationList, standingOf } from "../../src/members/revocation-list.ts";
import { isNewer } from "../../src/wire/digests.ts";
import { FRAME_KINDS } from "../../src/wire/frames.ts";
import {
  decodePiece,
  decodeSecret,
  PIECE_BYTES,
  type Piece,
} from "../../src/wire/network-frames.ts";
import { BORN_S, DEFINITION, identityOf, listOf, secretOf } from "../simulation/members-fleet.ts";

const listWith = (sequence: number, entries: number): RevocationList => {
  const revoked = Array.from({ length: entries }, (_, i) => ({
    identity: identityOf(i),
    beforeS: BORN_S,
  }));
  return listOf(sequence, revoked, BORN_S + sequence);
};

const piecesOf = (list: RevocationList, bytes = list.bytes): Piece[] =>
  Array.from({ length: Math.ceil(bytes.length / PIECE_BYTES) }, (_, i) => ({
    list: standingOf(list),
    total: bytes.length,
    offset: i * PIECE_BYTES,
    bytes: bytes.subarray(i * PIECE_BYTES, (i + 1) * PIECE_BYTES),
  }));

test("a list: newer and signed, or it does not hold", () => {
  const revocations = new Revocations();
  const accept = (bytes: Uint8Array) => revocations.accept(bytes, DEFINITION);
  assert.ok(accept(listWith(3, 2).bytes).ok);
  assert.equal(revocations.standing.sequence, 3);
  const reason = (bytes: Uint8Array): string => {
    const verdict = accept(bytes);
    return verdict.ok ? "" : verdict.reason;
  };
  assert.equal(reason(listWith(2, 0).bytes), "listOld");
  assert.equal(reason(listWith(3, 5).bytes), "listOld");
  const forged = listWith(9, 1).bytes.slice();
  forged[12]! ^= 1;
  assert.equal(reason(forged), "listInvalid");
  assert.equal(reason(new Uint8Array(10)), "listInvalid");
  assert.equal(revocations.standing.sequence, 3);
  assert.match(revocations.problem(identityOf(1).certificate)!, /revoked/);
  assert.equal(revocations.problem(identityOf(4).certificate), null);
});

test("nothing older than the floor is taken, also after a restart with an older file", () => {
  const revocations = new Revocations();
  revocations.setFloor({ chain: 0, sequence: 5 });
  assert.ok(!revocations.accept(listWith(4, 0).bytes, DEFINITION).ok);
  assert.equal(revocations.floor.sequence, 5);
  assert.ok(revocations.accept(listWith(5, 0).bytes, DEFINITION).ok);
  assert.ok(revocations.accept(listWith(6, 0).bytes, DEFINITION).ok);
  assert.equal(revocations.floor.sequence, 6);
  assert.ok(isNewer({ chain: 1, sequence: 1 }, { chain: 0, sequence: 9 }));
});

test("pieces in any order, some twice, of two members at once, make the list", () => {
  const revocations = new Revocations();
  const list = listWith(2, 200);
  const pieces = piecesOf(list);
  assert.ok(pieces.length > 3);
  const [a, b] = [{}, {}];
  for (const piece of [...pieces].reverse().slice(0, -1)) {
    assert.equal(revocations.piece(a, piece, 0), null);
    assert.equal(revocations.piece(b, piece, 0), null);
    assert.equal(revocations.piece(a, piece, 0), null);
  }
  assert.deepEqual(revocations.piece(a, pieces[0]!, 0), list.bytes);
  assert.deepEqual(revocations.piece(b, pieces[0]!, 0), list.bytes);
  assert.equal(revocations.piece(a, pieces[1]!, 0), null, "it begins anew");
});

test("a liar holds its own place alone: another length, too long, too many at a time", () => {
  const revocations = new Revocations();
  const [first, second] = piecesOf(listWith(2, 200));
  const liar = {};
  assert.equal(revocations.piece(liar, first!, 0), null);
  assert.equal(revocations.piece(liar, { ...second!, total: second!.total - 1 }, 0), "invalid");
  assert.equal(revocations.piece(liar, { ...second!, total: 90_000 }, 0), "invalid");
  for (let i = 0; i < 7; i++) assert.equal(revocations.piece({ i }, first!, 0), null);
  assert.equal(revocations.piece({}, first!, 1_000), "invalid", "eight at a time");
  assert.equal(revocations.piece({}, first!, 4_000), null, "an idle one gives way");
  revocations.distrust(liar, 5_000);
  const short = piecesOf(listWith(2, 1))[0]!;
  assert.equal(revocations.piece(liar, short, 6_000), "invalid");
  assert.deepEqual(revocations.piece({}, short, 6_000), listWith(2, 1).bytes);
  assert.deepEqual(revocations.piece(liar, short, 40_000), listWith(2, 1).bytes);
});

test("a secret is taken when the list speaks of it; sixteen are held", () => {
  const secrets = new Secrets();
  const list = listWith(2, 0);
  assert.equal(secrets.take(2, secretOf(3), list), "wrong");
  assert.equal(secrets.take(1, secretOf(1), list), "wrong", "a former one is not asked for");
  assert.equal(secrets.take(2, secretOf(2), list), "taken");
  assert.equal(secrets.take(2, secretOf(9), list), "known");
  assert.equal(secrets.epoch, 2);
  for (let epoch = 3; epoch < 30; epoch++) secrets.load(epoch, secretOf(epoch));
  assert.equal(secrets.all.length, 16);
  assert.equal(secrets.epoch, 29);
  assert.equal(secrets.recordKey(13), null);
  assert.notEqual(secrets.recordKey(14), null);
  const again = new Secrets();
  assert.ok(again.decode(secrets.encode()));
  assert.deepEqual(again.all, secrets.all);
  assert.ok(!new Secrets().decode(secrets.encode().subarray(1)));
  const key = secrets.recordKey(29)!;
  secrets.stop();
  assert.ok(key.every((byte) => byte === 0));
  assert.equal(secrets.newest, null);
});

/** A push with a list of so many entries, and links that get it. */
const openPush = (entries: number, links = 1) => {
  const list = listWith(2, entries);
  const secrets = new Secrets();
  secrets.load(2, secretOf(2));
  const sent: { link: Link; type: number; body: Uint8Array }[] = [];
  const done: Link[] = [];
  const room = { frames: Number.POSITIVE_INFINITY };
  const push = new Push({
    send: (link, type, body) => {
      if (room.frames <= 0) return false;
      room.frames--;
      sent.push({ link, type, body });
      return true;
    },
    list: () => list,
    secret: () => secrets.newest,
    definition: () => ({ standing: { chain: 0, sequence: 0 }, bytes: DEFINITION.bytes }),
    onDone: (link) => done.push(link),
    wakeBy: () => {},
  });
  const all = Array.from(
    { length: links },
    (_, i) => new Link({ publicKey: new Uint8Array(32) }, i, i, 0),
  );
  const ack = (link: Link, nowMs: number): void =>
    push.acknowledged(link, { list: standingOf(list), epoch: 2 }, nowMs);
  return { push, list, sent, done, room, all, ack };
};

test("a push: at once, again each 500 ms, until it is acknowledged", () => {
  const { push, list, sent, done, all, ack } = openPush(3);
  push.all(all, 1_000);
  assert.equal(push.dueMs, 1_000);
  push.tick(1_000);
  assert.deepEqual(
    sent.map(({ type }) => type),
    [FRAME_KINDS.revocations.type, FRAME_KINDS.secret.type],
  );
  assert.deepEqual(decodePiece(sent[0]!.body)!.bytes, list.bytes);
  assert.deepEqual(decodeSecret(sent[1]!.body), { epoch: 2, secret: secretOf(2) });
  push.tick(1_400);
  assert.equal(sent.length, 2);
  push.tick(1_500);
  assert.equal(sent.length, 4);
  push.acknowledged(all[0]!, { list: standingOf(list), epoch: 1 }, 1_600);
  push.tick(2_000);
  assert.equal(sent.length, 5, "the secret alone is missing");
  ack(all[0]!, 2_100);
  assert.deepEqual(done, all);
  assert.equal(push.dueMs, Number.POSITIVE_INFINITY);
});

test("nobody answers: it ends, and begins anew with the next root", () => {
  const { push, sent, all } = openPush(0);
  push.all(all, 0);
  for (let ms = 0; ms < 60_000; ms += 100) push.tick(ms);
  assert.equal(sent.length, 40);
  push.consider(all[0]!, 60_000);
  assert.equal(push.dueMs, 60_000);
});

test("a long list goes at the pace of the link, and goes on where there was no room", () => {
  const { push, list, sent, room, all } = openPush(2_900);
  const pieces = Math.ceil(list.bytes.length / PIECE_BYTES);
  push.all(all, 0);
  push.tick(0);
  assert.ok(sent.length < 30, "not all at once");
  room.frames = 3;
  let nowMs = 0;
  for (; nowMs < 200; nowMs += 5) push.tick(nowMs);
  const before = sent.length;
  room.frames = Number.POSITIVE_INFINITY;
  for (; sent.length < pieces + 1; nowMs += 5) push.tick(nowMs);
  assert.ok(before < pieces);
  assert.ok(nowMs < 1_500, `${nowMs} ms`);
  const offsets = sent.slice(0, pieces).map(({ body }) => decodePiece(body)!.offset);
  assert.deepEqual(
    offsets,
    Array.from({ length: pieces }, (_, i) => i * PIECE_BYTES),
  );
});

test("a hundred links: no tick sends more than it may, and all are served", () => {
  const { push, sent, all, ack } = openPush(1, 100);
  push.all(all, 0);
  let most = 0;
  for (let ms = 0; ms < 100; ms += 5) {
    const before = sent.length;
    push.tick(ms);
    most = Math.max(most, sent.length - before);
  }
  assert.ok(most <= 65, `${most}`);
  assert.equal(new Set(sent.map(({ link }) => link)).size, 100);
  for (const link of all) ack(link, 200);
  assert.equal(push.dueMs, Number.POSITIVE_INFINITY);
});
