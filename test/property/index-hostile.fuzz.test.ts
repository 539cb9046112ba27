/**
 * index-hostile.fuzz — strangers, callers and liars at an index: no answer is longer than its
 * request before an address is proved, nobody who has proved nothing is remembered, a caller has
 * its share and no more, networks on one index are apart, and what is refused is counted by name.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { makeKnock } from "../../src/directory/card.ts";
import { identityFromSeed } from "../../src/schema/identity.ts";
import { CHANNEL_KIND, makeDatagram, PROOF, PURPOSE } from "../../src/wire/channel.ts";
import {
  decodeObserved,
  encodeAsk,
  encodeJoin,
  encodePassed,
  encodeTokens,
  MESSAGE,
  PIECE_OF,
} from "../../src/wire/index-messages.ts";
import { makeSockaddr } from "../../src/wire/sockaddr.ts";
import {
  Client,
  enroller,
  Index,
  Lab,
  Member,
  NOW_S,
  random,
  report,
} from "../unit/service-parts.ts";
import { changes, mutate, runs } from "./fuzzing.ts";

const STRANGER = makeSockaddr(Uint8Array.of(203, 0, 113, 9), 9_999);
const lab = new Lab();

/** An index with a caller, and all that the caller sent. */
const scene = () => {
  const index = new Index([lab]);
  const client = Client.of(index, new Member(lab, 1));
  const held: Uint8Array[] = [];
  const bring = index.bring.bind(index);
  index.bring = (datagram, from) => {
    held.push(datagram.slice());
    bring(datagram, from);
  };
  index.run(300);
  client.callee.say(encodeAsk({ question: 1, target: new Uint8Array(32) }));
  client.callee.say(Uint8Array.of(1, 2, 3), 14);
  index.run(50);
  index.bring = bring;
  assert.equal(held.length, 4);
  return { index, client, held };
};

/** Bytes that were answered to what came from there. */
const answered = (index: Index, datagram: Uint8Array, from = STRANGER): number => {
  index.passed.length = 0;
  index.nowMs += 5;
  index.bring(datagram, from);
  return index.passed.filter(({ toIndex }) => !toIndex).reduce((sum, { bytes }) => sum + bytes, 0);
};

test("a stranger, with every kind and length, replayed and damaged", () => {
  const { index, held } = scene();
  const lengths = [0, 1, 8, 23, 24, 39, 40, 64, 191, 192, 193, 1_231, 1_232, 1_233, 1_400];
  for (const type of [9, 10, 14]) {
    for (let kind = 0; kind < 256; kind++) {
      for (const length of lengths) {
        const datagram = length < 8 ? new Uint8Array(length) : makeDatagram(kind, length, type);
        assert.equal(answered(index, datagram), 0);
      }
    }
  }
  for (const datagram of held) assert.ok(answered(index, datagram) <= datagram.length);
  let cards = 0;
  const damaged = fc
    .constantFrom(...held)
    .chain((datagram) => changes(datagram.length).map((all) => mutate(datagram, all)));
  fc.assert(
    fc.property(damaged, (datagram) => {
      const bytes = answered(index, datagram);
      assert.ok(bytes <= datagram.length);
      if (bytes > 0) cards++;
      // A KNOCK is the only one that has an answer.
      if (bytes > 0) assert.equal(datagram[4], CHANNEL_KIND.knock);
    }),
    runs(3_000),
  );
  assert.ok(cards > 50, `${cards} were answered`);
  const none = { proof: PROOF.none, low: 0, key: null };
  assert.equal(answered(index, makeKnock(random(16), random(16), none)), 0);
  assert.equal(index.callers.size, 1);
  assert.equal(index.services.get(lab)!.guests.size, 1);
  for (const name of ["knockUnknown", "openTicket", "channelMoved", "channelUnknown"] as const) {
    assert.ok(index.counted(name) > 0, name);
  }
});

test("what a caller itself replays or damages does nothing", () => {
  const { index, client, held } = scene();
  const [, open, ask] = held as [Uint8Array, Uint8Array, Uint8Array];
  assert.equal(answered(index, open, client.sockaddr), 0);
  assert.equal(answered(index, ask, client.sockaddr), 0);
  assert.equal(index.counted("openReplayed"), 1);
  assert.equal(index.counted("channelSealed"), 1);
  fc.assert(
    fc.property(changes(ask.length), (all) => {
      const datagram = mutate(ask, all);
      const isKnock = datagram[0] === 10 && datagram[4] === 0;
      if (!isKnock) assert.equal(answered(index, datagram, client.sockaddr), 0);
    }),
    runs(500),
  );
  assert.equal(index.callers.size, 1);
});

test("a caller that floods is told fifty a second, and throws nothing over", () => {
  const index = new Index([lab]);
  const client = Client.of(index, enroller(lab, 1));
  index.run(300);
  const fromMs = index.nowMs;
  let told = 0;
  fc.assert(
    fc.property(fc.nat(20), fc.uint8Array({ maxLength: 1_100 }), (kind, body) => {
      // It stays: BYE ends its channel.
      if (kind === MESSAGE.bye) return;
      index.passed.length = 0;
      client.callee.say(Uint8Array.of(kind, ...body));
      client.callee.say(encodeAsk({ question: kind, target: new Uint8Array(32) }));
      client.callee.say(report(null, { others: true }));
      index.run(2, 1);
      told += index.passed.filter(({ toIndex }) => !toIndex).length;
    }),
    runs(1_500),
  );
  const seconds = (index.nowMs - fromMs) / 1_000;
  assert.ok(told <= 50 + 50 * seconds, `${told} in ${seconds} s`);
  assert.ok(told > 20);
  assert.ok(index.counted("answerRate") > 0 && index.counted("channelRate") > 0);
  assert.equal(client.callee.state, "open");
  assert.ok(index.services.get(lab)!.enrollers <= 1);
});

test("two networks on one index do not see each other", () => {
  const other = new Lab();
  const index = new Index([lab, other]);
  const here = enroller(lab, 1);
  // The same identity in both networks: two channels, neither in the other's way.
  const there = new Member(other, 1, 0, here.seed);
  const client = Client.of(index, here);
  const foreign = Client.of(index, there, { others: true });
  index.run(300);
  const hash = random(16);
  client.callee.say(encodeTokens([hash]));
  foreign.callee.say(encodePassed(MESSAGE.forward, { id: here.id, body: random(9) }));
  index.run(300);
  assert.equal(index.callers.size, 2);
  assert.ok(!foreign.kinds.includes(MESSAGE.shown));
  assert.ok(!client.kinds.includes(MESSAGE.forwarded));
  assert.equal(index.counted("forwardUnknown"), 1);
  const body = encodeJoin({ hash, body: random(20) });
  new Client(index, other, identityFromSeed(random(32)), body, PURPOSE.joiner).call();
  // A member of one is none of the other, whatever it shows.
  new Client(index, other, here.identity, report(here.pair())).call();
  index.run(500);
  assert.ok(index.counted("joinUnknown") > 0);
  assert.ok(index.counted("pairInvalid") > 0);
  assert.ok(!client.kinds.includes(MESSAGE.joinWaits));
  assert.equal(index.services.get(other)!.guests.size, 1);
  assert.equal(index.counted("recordsTaken"), 2);
});

test("whose record is of another time has a channel, and no record of it is kept or shown", () => {
  for (const [reason, issuedS] of [
    ["recordExpired", NOW_S - 3 * 86_400],
    ["recordAhead", NOW_S + 4_000],
  ] as const) {
    const index = new Index([lab]);
    const [honest, wrong] = [new Member(lab, 1), new Member(lab, 2)];
    const payload = report(wrong.pair(1, wrong.certificate(), issuedS), { others: true });
    const client = new Client(index, lab, wrong.identity, payload).call();
    const other = Client.of(index, honest, { others: true });
    index.run(1_000);
    assert.ok(index.counted(reason) > 0, reason);
    assert.deepEqual([client.callee.state, other.callee.state], ["open", "open"]);
    assert.equal(index.records.get(lab)!.size, 1);
    assert.ok(!other.kinds.includes(MESSAGE.shown), reason);
    client.callee.say(payload);
    index.run(1_000);
    assert.ok(client.kinds.includes(MESSAGE.shown), "it hears of others");
    const observed = decodeObserved(client.last(MESSAGE.observed)!)!;
    assert.ok(Math.abs(observed.clockMs - NOW_S * 1_000) < 60_000, `${observed.clockMs}`);
  }
  // What it shows is no other's, and its certificate has to count.
  const index = new Index([lab]);
  const [honest, liar] = [new Member(lab, 1), new Member(lab, 2)];
  const early = NOW_S - 3 * 86_400;
  const ended = liar.certificate(NOW_S - 10);
  new Client(index, lab, liar.identity, report(honest.pair(1, undefined, early))).call();
  new Client(index, lab, liar.identity, report(liar.pair(1, ended, early))).call();
  index.run(1_000);
  assert.ok(index.counted("pairOfAnother") > 0 && index.counted("openRefused") > 1);
  assert.equal(index.callers.size + index.records.get(lab)!.size, 0);
});

test("who lies in OPEN has no channel, and is counted by what was wrong", () => {
  const elsewhere = new Lab();
  const [honest, liar] = [new Member(lab, 1), new Member(lab, 2)];
  const good = liar.pair();
  const cases = [
    ["pairOfAnother", report(honest.pair())],
    ["pairInvalid", report({ certificate: honest.certificate(), record: good.record })],
    ["pairInvalid", report(liar.pair(1, liar.certificate(undefined, elsewhere.pair)))],
    ["certificateTime", report(liar.pair(1, liar.certificate(NOW_S - 10)))],
    ["openInvalid", report(null)],
    ["openInvalid", encodeJoin({ hash: random(16), body: random(9) })],
    ["openInvalid", new Uint8Array(0)],
  ] as const;
  for (const [reason, payload] of cases) {
    const index = new Index([lab]);
    const client = new Client(index, lab, liar.identity, payload).call();
    index.run(1_000);
    assert.equal(client.callee.state, "opening", reason);
    assert.ok(index.counted(reason) > 0, reason);
    assert.ok(index.counted("openRefused") > 0);
    assert.equal(index.callers.size + index.services.get(lab)!.guests.size, 0);
    assert.equal(index.counted("recordsTaken"), 0);
  }
  const index = new Index([lab]);
  const service = index.services.get(lab)!;
  assert.equal(service.take(PIECE_OF.revocations, lab.list(3, [liar]).bytes), null);
  Client.of(index, liar);
  index.run(1_000);
  assert.ok(index.counted("certificateRevoked") > 0);
  assert.equal(index.callers.size, 0);
});
