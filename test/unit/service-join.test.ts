/** service-join — invitations at a callee: TOKENS, JOIN, JOIN_WAITS, JOIN_ANSWER, JOINED. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Caller } from "../../src/directory/callers.ts";
import { Mailbox } from "../../src/directory/mailbox.ts";
import { identityFromSeed } from "../../src/schema/identity.ts";
import { PURPOSE } from "../../src/wire/channel.ts";
import {
  decodeJoinWaits,
  encodeJoin,
  encodePassed,
  encodeTokens,
  encodeWantPiece,
  MESSAGE,
  PIECE_OF,
} from "../../src/wire/index-messages.ts";
import { Client, enroller, Index, Lab, Member, random, report } from "./service-parts.ts";

const joiner = (index: Index, lab: Lab, hash: Uint8Array, body = random(100)): Client =>
  new Client(
    index,
    lab,
    identityFromSeed(random(32)),
    encodeJoin({ hash, body }),
    PURPOSE.joiner,
  ).call();

const scene = () => {
  const lab = new Lab();
  const index = new Index([lab]);
  const member = enroller(lab, 1);
  const host = Client.of(index, member);
  index.run(200);
  const hash = random(16);
  host.callee.say(encodeTokens([hash]));
  index.run(50);
  return { lab, index, host, hash, member };
};

test("a wish reaches the enroller, and its answer the joiner", () => {
  const { lab, index, host, hash } = scene();
  const body = random(200);
  const client = joiner(index, lab, hash, body);
  index.run(200);
  const waits = decodeJoinWaits(host.last(MESSAGE.joinWaits)!)!;
  assert.deepEqual([waits.hash, waits.body.slice()], [hash, body]);
  assert.equal(client.callee.state, "open");
  const answer = random(700);
  host.callee.say(encodePassed(MESSAGE.joinAnswer, { id: waits.id, body: answer }));
  index.run(100);
  assert.deepEqual(client.last(MESSAGE.joined)!.subarray(1), answer);
  // It was lost on its way: the same wish once more has the same answer, and asks nobody.
  const waited = host.kinds.filter((kind) => kind === MESSAGE.joinWaits).length;
  client.callee.say(encodeJoin({ hash, body }));
  index.run(200);
  assert.equal(client.kinds.filter((kind) => kind === MESSAGE.joined).length, 2);
  assert.equal(host.kinds.filter((kind) => kind === MESSAGE.joinWaits).length, waited);
});

test("a wish waits for an enroller that comes back, ten minutes", () => {
  const { lab, index, host, hash, member } = scene();
  host.callee.say(Uint8Array.of(MESSAGE.bye));
  index.run(50);
  host.callee.close();
  joiner(index, lab, hash);
  index.run(200);
  assert.equal(index.services.get(lab)!.wishes, 1);
  const again = Client.of(index, member);
  index.run(200);
  again.callee.say(encodeTokens([hash]));
  index.run(200);
  assert.ok(again.last(MESSAGE.joinWaits) !== undefined);
  index.run(602_000, 1_000);
  assert.equal(index.services.get(lab)!.wishes, 0);
});

test("nobody joins by an invitation that is not there, or registers one without the flag", () => {
  const { lab, index, host, hash } = scene();
  const stranger = joiner(index, lab, random(16));
  index.run(1_000);
  assert.equal(stranger.callee.state, "opening");
  assert.ok(index.counted("joinUnknown") > 0);
  assert.equal(index.services.get(lab)!.wishes, 0);
  const plain = Client.of(index, new Member(lab, 2));
  index.run(200);
  plain.callee.say(encodeTokens([random(16)]));
  plain.callee.say(encodePassed(MESSAGE.joinAnswer, { id: 1, body: random(5) }));
  index.run(50);
  assert.equal(index.counted("tokensRefused"), 2);
  assert.equal(index.services.get(lab)!.enrollers, 1);
  // One enroller does not answer for another.
  const other = Client.of(index, enroller(lab, 3));
  joiner(index, lab, hash);
  index.run(200);
  const { id } = decodeJoinWaits(host.last(MESSAGE.joinWaits)!)!;
  other.callee.say(encodePassed(MESSAGE.joinAnswer, { id, body: random(5) }));
  index.run(50);
  assert.equal(index.counted("joinAnswerUnknown"), 1);
});

test("joiners have few places, the oldest goes, and no member does", () => {
  const { lab, index, host, hash } = scene();
  const hashes = [hash, random(16), random(16), random(16)];
  host.callee.say(encodeTokens(hashes));
  index.run(50);
  const all = hashes.map((one) => {
    const client = joiner(index, lab, one);
    index.run(100);
    return client;
  });
  assert.equal(index.callers.joiners, 2);
  assert.equal(index.counted("joinersEvicted"), 2);
  assert.ok(index.services.get(lab)!.guests.size === 1);
  const waits = decodeJoinWaits(host.last(MESSAGE.joinWaits)!)!;
  host.callee.say(encodePassed(MESSAGE.joinAnswer, { id: waits.id, body: random(9) }));
  index.run(100);
  assert.ok(all[3]!.last(MESSAGE.joined) !== undefined);
  // A joiner says nothing but JOIN and BYE.
  all[3]!.callee.say(encodeTokens([random(16)]));
  index.run(50);
  assert.equal(index.counted("channelInvalid"), 1);
});

test("who has an invitation floods neither its enroller nor others that join", () => {
  const { lab, index, host, hash } = scene();
  const other = random(16);
  host.callee.say(encodeTokens([hash, other]));
  index.run(50);
  const liar = joiner(index, lab, hash);
  index.run(200);
  const told = () => host.kinds.filter((kind) => kind === MESSAGE.joinWaits).length;
  const before = told();
  for (let i = 0; i < 500; i++) {
    liar.callee.say(encodeJoin({ hash, body: random(900) }));
    index.run(10);
  }
  assert.ok(told() - before <= 4, `${told() - before} in five seconds`);
  const asked = host.kinds.length;
  host.callee.say(report(null));
  joiner(index, lab, other);
  index.run(200);
  assert.ok(host.kinds.slice(asked).includes(MESSAGE.observed), "it is answered");
  const last = decodeJoinWaits(host.last(MESSAGE.joinWaits)!)!;
  assert.deepEqual(last.hash, other);
  // What was said last by the first is told in its turn.
  index.run(2_500);
  assert.deepEqual(decodeJoinWaits(host.last(MESSAGE.joinWaits)!)!.hash, hash);
});

test("an invitation is one channel, whatever keys it is opened with", () => {
  const { lab, index, hash } = scene();
  const body = random(100);
  const list = lab.list(4, [], 3_000);
  assert.equal(index.services.get(lab)!.take(PIECE_OF.revocations, list.bytes), null);
  const fromMs = index.nowMs;
  const clients = Array.from({ length: 20 }, () => {
    const client = joiner(index, lab, hash, body);
    index.run(60);
    for (let at = 0; at < 60; at++) {
      client.callee.say(encodeWantPiece({ what: PIECE_OF.revocations, offset: at * 1_024 }));
    }
    index.run(20);
    return client;
  });
  assert.equal(index.callers.joiners, 1);
  assert.equal(index.counted("joinersEvicted"), 0);
  const pieces = clients.reduce(
    (sum, { kinds }) => sum + kinds.filter((kind) => kind === MESSAGE.piece).length,
    0,
  );
  const most = 50 + (50 * (index.nowMs - fromMs)) / 1_000;
  assert.ok(pieces <= most, `${pieces} pieces, ${most} may be`);
});

test("wishes for invitations that nobody has any more leave their room to others", () => {
  const mailbox = new Mailbox(() => Math.floor(Math.random() * 2 ** 53));
  const caller = {} as Caller;
  const [liar, honest] = [1, 2];
  const kept = random(16);
  mailbox.register(honest, [kept], 0);
  for (let times = 0; times < 70; times++) {
    const hashes = Array.from({ length: 64 }, () => random(16));
    mailbox.register(liar, hashes, times);
    for (const hash of hashes) mailbox.wish(caller, { hash, body: Uint8Array.of(1) }, times);
  }
  const made = mailbox.wish(caller, { hash: kept, body: Uint8Array.of(1) }, 100);
  assert.ok(made !== "full" && made !== null);
  assert.ok(mailbox.wishes <= 4_096);
});

test("an enroller answers what it was told of, also when the invitation is taken by that", () => {
  const { lab, index, host, hash } = scene();
  const body = random(200);
  const client = joiner(index, lab, hash, body);
  index.run(200);
  const { id } = decodeJoinWaits(host.last(MESSAGE.joinWaits)!)!;
  const answer = random(700);
  // As an enroller does it: the invitation is taken, and says so to all indexes, then it answers.
  host.callee.say(encodeTokens([]));
  host.callee.say(encodePassed(MESSAGE.joinAnswer, { id, body: answer }));
  index.run(100);
  assert.deepEqual(client.last(MESSAGE.joined)!.subarray(1), answer);
  // It was lost on its way, and whoever sent the JOIN asks again.
  client.callee.say(encodeJoin({ hash, body }));
  index.run(200);
  assert.equal(client.kinds.filter((kind) => kind === MESSAGE.joined).length, 2);
  const other = joiner(index, lab, hash);
  index.run(500);
  assert.equal(other.callee.state, "opening", "it is taken");
});
