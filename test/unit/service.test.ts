/** service — what a callee does for members: REPORT, OBSERVED, SHOWN, ASK, FORWARD, BYE. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { hashOf } from "../../src/members/sign.ts";
import {
  decodeFound,
  decodeObserved,
  decodePassed,
  decodeShow,
  encodeAsk,
  encodePassed,
  encodeShow,
  MESSAGE,
} from "../../src/wire/index-messages.ts";
import { decodePair } from "../../src/wire/intro.ts";
import { Client, Index, Lab, Member, report } from "./service-parts.ts";

const lab = new Lab();
const nodeTarget = (member: Member): Uint8Array =>
  hashOf(
    32,
    Buffer.from("p2pvpn/1/target\0"),
    member.lab.networkId,
    Uint8Array.of(0),
    member.signing.publicKey,
  );

test("a member opens a channel, is told where it was seen, and is found", () => {
  const index = new Index([lab]);
  const [one, two] = [new Member(lab, 1), new Member(lab, 2)];
  const first = Client.of(index, one);
  const second = Client.of(index, two);
  index.run(500);
  const observed = decodeObserved(first.heard[0]!)!;
  assert.deepEqual(observed.address, first.sockaddr.slice(4, 8));
  assert.equal(observed.standings.definition.sequence, 1);
  assert.equal(observed.againS, 60);
  second.callee.say(encodeAsk({ question: 7, target: nodeTarget(one) }));
  second.callee.say(encodeAsk({ question: 8, target: new Uint8Array(32) }));
  index.run(100);
  const answers = second.heard
    .filter(([kind]) => kind === MESSAGE.found)
    .map((bytes) => decodeFound(bytes)!);
  assert.deepEqual(
    answers.map(({ question, pair }) => [question, pair !== null]),
    [
      [7, true],
      [8, false],
    ],
  );
  assert.deepEqual(Buffer.from(answers[0]!.pair!.certificate), Buffer.from(one.certificate()));
});

test("who wants to know others is shown some, and is shown none twice", () => {
  const index = new Index([lab]);
  const members = Array.from({ length: 30 }, (_, i) => new Member(lab, i + 1));
  for (const member of members) Client.of(index, member);
  index.run(1_000);
  const late = new Member(lab, 99);
  const client = Client.of(index, late, { others: true });
  index.run(1_000);
  const shown = client.heard
    .filter(([kind]) => kind === MESSAGE.shown)
    .map((bytes) => Buffer.from(decodeShow(bytes)!.certificate).toString("hex"));
  assert.equal(shown.length, 8);
  assert.equal(new Set(shown).size, 8);
  assert.ok(!shown.includes(Buffer.from(late.certificate()).toString("hex")));
  // Those that are next to it in the ring of numbers are among them.
  const ring = [...members, late].sort((a, b) => a.id - b.id);
  const at = ring.indexOf(late);
  for (const neighbour of [ring[(at + 1) % 31]!, ring[(at + 30) % 31]!]) {
    assert.ok(shown.includes(Buffer.from(neighbour.certificate()).toString("hex")));
  }
});

test("what waits for many goes in turns, so that others are served meanwhile", () => {
  const index = new Index([lab], 1_000);
  const clients = Array.from({ length: 100 }, (_, i) =>
    Client.of(index, new Member(lab, i + 1), { others: true }),
  );
  index.run(20);
  const shown = () =>
    clients.reduce(
      (sum, { kinds }) => sum + kinds.filter((kind) => kind === MESSAGE.shown).length,
      0,
    );
  const before = shown();
  index.nowMs += 1_000;
  index.services.get(lab)!.tick(index.nowMs);
  while (index.wire.length > 0) index.wire.shift()!();
  assert.ok(shown() - before <= 500 + 8, `${shown() - before} in one tick`);
  index.run(1_000);
  assert.ok(shown() >= 700, `${shown()} in all`);
});

test("a newer record replaces the one that is held; an older one, and another's, do not", () => {
  const index = new Index([lab]);
  const [one, two] = [new Member(lab, 1), new Member(lab, 2)];
  const client = Client.of(index, one);
  index.run(200);
  const records = index.records.get(lab)!;
  const newer = one.pair(5);
  client.callee.say(encodeShow(MESSAGE.show, newer));
  index.run(50);
  assert.deepEqual(decodePair(records.byId(one.id)!.bytes)!.record, newer.record);
  client.callee.say(encodeShow(MESSAGE.show, one.pair(2)));
  client.callee.say(encodeShow(MESSAGE.show, two.pair(2)));
  client.callee.say(report(one.pair(1)));
  index.run(50);
  assert.deepEqual(decodePair(records.byId(one.id)!.bytes)!.record, newer.record);
  assert.equal(records.byId(two.id), null);
  assert.equal(index.counted("recordOld"), 2);
  assert.equal(index.counted("pairOfAnother"), 1);
  assert.equal(client.last(MESSAGE.observed)![0], MESSAGE.observed);
});

test("one word is passed on to another guest, and one for a pair in two seconds", () => {
  const index = new Index([lab]);
  const [one, two] = [new Member(lab, 1), new Member(lab, 2)];
  const [first, second] = [Client.of(index, one), Client.of(index, two)];
  index.run(200);
  const body = Uint8Array.of(1, 2, 3);
  const forward = (id: number) => first.callee.say(encodePassed(MESSAGE.forward, { id, body }));
  forward(two.id);
  forward(two.id);
  forward(12_345);
  forward(one.id);
  index.run(100);
  const came = second.heard.filter(([kind]) => kind === MESSAGE.forwarded);
  assert.deepEqual(
    came.map((bytes) => decodePassed(bytes)!),
    [{ id: one.id, body }],
  );
  assert.equal(index.counted("forwardRate"), 1);
  assert.equal(index.counted("forwardUnknown"), 2);
  index.run(2_000);
  forward(two.id);
  index.run(100);
  assert.equal(second.heard.filter(([kind]) => kind === MESSAGE.forwarded).length, 2);
});

test("BYE ends a channel; bytes of the directory go to the hook", () => {
  const index = new Index([lab]);
  const member = new Member(lab, 1);
  const client = Client.of(index, member);
  index.run(200);
  client.callee.say(Uint8Array.of(9, 8, 7), 14);
  index.run(50);
  assert.deepEqual(index.dht, [{ id: member.id, bytes: Uint8Array.of(9, 8, 7) }]);
  client.callee.say(Uint8Array.of(MESSAGE.bye));
  index.run(50);
  assert.equal(index.callers.size, 0);
  assert.equal(index.services.get(lab)!.guests.size, 0);
});

test("who opens anew takes the place of the former channel", () => {
  const index = new Index([lab]);
  const member = new Member(lab, 1);
  Client.of(index, member);
  index.run(200);
  const again = Client.of(index, member);
  index.run(200);
  const { guests } = index.services.get(lab)!;
  assert.equal(index.callers.size, 1);
  assert.equal(guests.size, 1);
  assert.deepEqual(guests.byId(member.id)!.caller.sockaddr, again.sockaddr);
});
