/** members (of the network), digests, statements — found by each key; what all come to. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { bucketSpan, Digests } from "../../src/control/network/digests.ts";
import { Members } from "../../src/control/network/members.ts";
import { idOfRecord, RealVerifier } from "../../src/control/network/statement.ts";
import { memberId } from "../../src/members/member-id.ts";
import { decodeRecord } from "../../src/members/record.ts";
import { BUCKETS, ID_MAX } from "../../src/wire/digests.ts";
import {
  addressOf,
  BORN_S,
  certify,
  DEFINITION,
  identityOf,
  STRANGER,
} from "../simulation/members-fleet.ts";
import { membersOf, recordKey, shownOf, statementOf } from "./network-room.ts";

const COUNT = 200;
const all = Array.from({ length: COUNT }, (_, i) => statementOf(identityOf(i)));

test("a member is found by id, node key, handshake key and address; nobody else is", () => {
  const members = membersOf(all.slice(0, 100));
  for (const [i, { id, owner }] of all.entries()) {
    const slot = members.byId(id);
    assert.equal(slot >= 0, i < 100);
    assert.equal(members.byNodeKey(owner.nodeKey), slot);
    assert.equal(members.byHandshakeKey(owner.handshakeKey), slot);
    assert.equal(members.byAddress(addressOf(i)), slot);
    if (slot >= 0) assert.equal(members.at(slot), all[i]);
  }
  assert.equal(members.size, 100);
});

test("a newer record takes the slot; a new certificate, its keys and addresses too", () => {
  const identity = identityOf(5);
  const members = membersOf([all[5]!, all[6]!]);
  const slot = members.byId(all[5]!.id);
  const newer = statementOf(identity, { sequence: BORN_S * 1_000 + 1 });
  const origin = { way: "gossip", from: all[6]!.id, heardS: 7 } as const;
  assert.equal(members.put(newer, origin), slot);
  assert.equal(members.byAddress(addressOf(5)), slot);
  assert.deepEqual(members.origin(slot), origin);
  const certificate = certify(identity, { addresses: [addressOf(900)] });
  const moved = statementOf(identity, { certificate, sequence: BORN_S * 1_000 + 2 });
  assert.equal(members.put(moved, origin), slot);
  assert.equal(members.byAddress(addressOf(5)), -1);
  members.own(slot, addressOf(900));
  assert.equal(members.byAddress(addressOf(900)), slot);
  assert.equal(members.size, 2);
});

test("a slot is used again when its member is gone, and nothing of it is left", () => {
  const members = membersOf(all);
  const root = members.digests.root().slice();
  const slots = all.slice(0, 50).map(({ id }) => members.byId(id));
  for (const slot of slots) members.drop(slot);
  for (const { id, owner } of all.slice(0, 50)) {
    assert.equal(members.byId(id), -1);
    assert.equal(members.byHandshakeKey(owner.handshakeKey), -1);
    assert.equal(members.byAddress(owner.addresses[0]!), -1);
  }
  assert.equal(members.digests.count, COUNT - 50);
  assert.notDeepEqual(members.digests.root(), root);
  for (const statement of all.slice(0, 50)) {
    const slot = members.put(statement, { way: "disk", from: -1, heardS: 1 });
    assert.ok(slots.includes(slot));
    assert.equal(members.handle(slot), null);
    assert.ok(!members.isListed(slot) && !members.isBarred(slot));
    members.list(slot, true);
  }
  assert.deepEqual(members.digests.root(), root);
  assert.equal(members.end, COUNT);
});

test("entries between two ids: listed ones, ascending", () => {
  const members = membersOf(all);
  const ids = all.map(({ id }) => id).sort((a, b) => a - b);
  assert.deepEqual(
    members.entries(0, ID_MAX).map(({ id }) => id),
    ids,
  );
  assert.deepEqual(
    members.entries(ids[10]!, ids[20]!).map(({ id }) => id),
    ids.slice(10, 21),
  );
  members.list(members.byId(ids[15]!), false);
  const without = [...ids.slice(10, 15), ...ids.slice(16, 21)];
  assert.deepEqual(
    members.entries(ids[10]!, ids[20]!).map(({ id }) => id),
    without,
  );
});

test("digests do not depend on the order, and differ in one bucket for one record", () => {
  const [a, b] = [new Digests(), new Digests()];
  for (const statement of all) a.add(statement);
  for (const statement of [...all].reverse()) b.add(statement);
  assert.deepEqual(a.root(), b.root());
  assert.deepEqual(a.differing(b.bytes()), []);
  const { id } = all[3]!;
  b.remove(all[3]!);
  b.add(statementOf(identityOf(3), { sequence: BORN_S * 1_000 + 1 }));
  const [bucket, ...more] = a.differing(b.bytes());
  assert.deepEqual(more, []);
  const [first, last] = bucketSpan(bucket!);
  assert.ok(first <= id && id <= last);
  assert.equal(bucketSpan(0)[0], 0);
  assert.equal(bucketSpan(BUCKETS - 1)[1], ID_MAX);
});

test("a statement is read by who has the secret of its epoch", () => {
  const candidates = [{ kind: 1, address: addressOf(1), port: 9 }];
  const statement = statementOf(identityOf(1), { epoch: 4, candidates });
  assert.equal(
    statement.content(() => null),
    null,
  );
  const key = (epoch: number) => (epoch === 4 ? recordKey(4) : null);
  assert.equal(statement.content(key)?.candidates[0]?.port, 9);
  assert.equal(
    statement.content(() => null),
    null,
    "not when it is taken away again",
  );
});

test("ids: of a node key and of its record the same; too short a record has none", () => {
  const identity = identityOf(9);
  const { record } = shownOf(identity);
  assert.equal(idOfRecord(record), memberId(identity.signing.publicKey));
  assert.equal(idOfRecord(record.subarray(0, 37)), null);
});

test("the verifier: certificate, record, and that they belong together", () => {
  const verifier = new RealVerifier(DEFINITION);
  const view = (shown: { record: Uint8Array }) => {
    const decoded = decodeRecord(shown.record);
    assert.ok(decoded.ok);
    return decoded.value;
  };
  const { certificate: owner } = identityOf(1);
  const shown = shownOf(identityOf(1));
  assert.ok(verifier.certificate(owner.bytes).ok);
  assert.equal(verifier.certificate(owner.bytes), verifier.certificate(owner.bytes), "once");
  assert.ok(verifier.record(view(shown), owner).ok);
  const why = (verdict: { ok: boolean; why?: string }) => (verdict.ok ? "" : verdict.why);
  assert.match(why(verifier.certificate(certify(identityOf(1), {}, STRANGER).bytes))!, /signature/);
  assert.match(why(verifier.record(view(shown), identityOf(2).certificate))!, /another node/);
  const other = certify(identityOf(1), { serial: 99 });
  assert.match(why(verifier.record(view(shown), other))!, /another certificate/);
  const forged = shown.record.slice();
  forged[60]! ^= 1;
  assert.match(why(verifier.record(view({ record: forged }), owner))!, /did not sign/);
  for (let i = 0; i < 1_000; i++) verifier.certificate(new Uint8Array(300).fill(i));
  assert.ok(verifier.certificate(owner.bytes).ok, "many others came in between");
});

test("ten thousand members cost little beside their statements", () => {
  const columns = new Members();
  const before = process.memoryUsage().arrayBuffers;
  for (let i = 0; i < 2_000; i++) {
    const statement = all[i % COUNT]!;
    const other = Object.create(statement, { id: { value: i * 2 ** 41 } }) as typeof statement;
    const keys = { nodeKey: statement.owner.nodeKey, handshakeKey: new Uint8Array(32).fill(i) };
    Object.defineProperty(other, "owner", { value: { ...statement.owner, ...keys } });
    keys.handshakeKey[1] = i >> 8;
    columns.put(other, { way: "gossip", from: -1, heardS: 1 });
  }
  const bytes = process.memoryUsage().arrayBuffers - before;
  assert.ok(bytes / 2_000 < 300, `${bytes / 2_000} bytes each`);
});
