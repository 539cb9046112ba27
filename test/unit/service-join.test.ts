/** service-join — invitations at a callee: TOKENS, JOIN, JOIN_WAITS, JOIN_ANSWER, JOINED. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { identityFromSeed } from "../../src/schema/identity.ts";
import { PURPOSE } from "../../src/wire/channel.ts";
import {
  decodeJoinWaits,
  encodeJoin,
  encodePassed,
  encodeTokens,
  MESSAGE,
} from "../../src/wire/index-messages.ts";
import { Client, enroller, Index, Lab, Member, random } from "./service-parts.ts";

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
