/** service-share — one caller and its share: what it takes, it takes of nobody else. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { PURPOSE } from "../../src/wire/channel.ts";
import {
  encodeAsk,
  encodePassed,
  encodeShow,
  encodeWantPiece,
  MESSAGE,
  PIECE_OF,
} from "../../src/wire/index-messages.ts";
import { Client, Index, Lab, Member, random, report } from "./service-parts.ts";

const BYE = Uint8Array.of(MESSAGE.bye);

/** Says BYE, and opens anew. */
const again = (index: Index, client: Client): void => {
  client.callee.say(BYE);
  index.run(20);
  client.callee.close();
  client.call();
  index.run(60);
};

test("who says BYE and opens anew is told no more than fifty datagrams a second", () => {
  const lab = new Lab();
  const index = new Index([lab]);
  const list = lab.list(4, [], 3_000);
  assert.equal(index.services.get(lab)!.take(PIECE_OF.revocations, list.bytes), null);
  const client = Client.of(index, new Member(lab, 1));
  index.run(100);
  const fromMs = index.nowMs;
  for (let times = 0; times < 10; times++) {
    for (let at = 0; at < 60; at++) {
      client.callee.say(encodeWantPiece({ what: PIECE_OF.revocations, offset: at * 1_024 }));
    }
    again(index, client);
  }
  const pieces = client.kinds.filter((kind) => kind === MESSAGE.piece).length;
  const most = 50 + (50 * (index.nowMs - fromMs)) / 1_000;
  assert.ok(pieces <= most, `${pieces} pieces, ${most} may be`);
});

test("who says BYE and opens anew is believed no sooner", () => {
  const lab = new Lab();
  const index = new Index([lab]);
  const standings = {
    definition: { chain: 0, sequence: 1 },
    list: { chain: 0, sequence: 9 },
    epoch: 0,
  };
  const liars = [1, 2, 3, 4].map((n) => Client.of(index, new Member(lab, n), { standings }));
  index.run(21_000);
  assert.equal(index.counted("pullsEnded"), 4);
  for (const liar of liars) again(index, liar);
  const honest = Client.of(index, new Member(lab, 5), { standings });
  index.run(500);
  assert.ok(honest.kinds.includes(MESSAGE.wantPiece), "nobody else is in its way");
});

test("one that shows pair after pair has few of them verified, and no other has fewer", () => {
  const lab = new Lab();
  const index = new Index([lab]);
  const [one, two] = [new Member(lab, 1), new Member(lab, 2)];
  const [first, second] = [Client.of(index, one), Client.of(index, two)];
  index.run(200);
  const before = index.counted("recordsTaken");
  for (let sequence = 2; sequence < 202; sequence++) {
    first.callee.say(encodeShow(MESSAGE.show, one.pair(sequence)));
    index.run(10);
  }
  assert.ok(index.counted("recordsTaken") - before <= 40, `${index.counted("recordsTaken")}`);
  second.callee.say(encodeShow(MESSAGE.show, two.pair(2)));
  index.run(20);
  assert.equal(index.records.get(lab)!.byId(two.id)!.sequence, two.lab.nowS * 1_000 + 2);
});

test("one that asks for what is nowhere leaves others their questions", () => {
  const lab = new Lab();
  const index = new Index([lab]);
  const [first, second] = [1, 2].map((n) => Client.of(index, new Member(lab, n)));
  index.run(200);
  // Those that store are silent: a question is open for five seconds.
  index.isSilentElsewhere = true;
  for (let question = 0; question < 300; question++) {
    first!.callee.say(encodeAsk({ question, target: random(32) }));
    index.run(20);
  }
  const asked = index.lookedUp;
  second!.callee.say(encodeAsk({ question: 1, target: random(32) }));
  index.run(20);
  assert.equal(index.lookedUp, asked + 1);
  assert.ok(asked <= 64 + 10 * 6.3, `${asked} of 300 in six seconds`);
  // What is here is answered, whatever it asked before.
  const target = new Member(lab, 3);
  Client.of(index, target);
  index.run(1_000);
});

test("what was not said is not counted as said", () => {
  const lab = new Lab();
  const index = new Index([lab], 1_000);
  const target = new Member(lab, 1);
  const taker = Client.of(index, target);
  const many = Array.from({ length: 100 }, (_, n) => Client.of(index, new Member(lab, n + 2)));
  index.run(200);
  const body = Uint8Array.of(1);
  for (const one of many) {
    one.callee.say(encodePassed(MESSAGE.forward, { id: target.id, body }));
  }
  index.run(20);
  const came = taker.kinds.filter((kind) => kind === MESSAGE.forwarded).length;
  assert.ok(came < 100);
  assert.equal(index.counted("forwarded"), came);
  // Members are shown as far as there is room for them to wait.
  const shown = () => taker.kinds.filter((kind) => kind === MESSAGE.shown).length - shownBefore;
  const shownBefore = taker.kinds.filter((kind) => kind === MESSAGE.shown).length;
  const countedBefore = index.counted("shown");
  for (let i = 0; i < 20; i++) taker.callee.say(report(null, { others: true }));
  index.run(5_000);
  assert.equal(index.counted("shown") - countedBefore, shown());
});

test("who opens as a joiner, or as what is not known, is no member", () => {
  const lab = new Lab();
  const index = new Index([lab]);
  for (const [n, purpose] of [PURPOSE.joiner, 2, 255].entries()) {
    const member = new Member(lab, n + 1);
    new Client(index, lab, member.identity, report(member.pair()), purpose).call();
  }
  index.run(300);
  assert.equal(index.callers.size, 0);
  assert.ok(index.counted("openInvalid") >= 3);
});
