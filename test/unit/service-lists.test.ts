/** service-lists — an authority's word at a callee: taken, refused, passed on, put into effect. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { type RevocationList, standingOf } from "../../src/members/revocation-list.ts";
import {
  decodeIndexPiece,
  decodeNotify,
  decodeWantPiece,
  encodeIndexPiece,
  encodeWantPiece,
  INDEX_PIECE_BYTES,
  MESSAGE,
  PIECE_OF,
} from "../../src/wire/index-messages.ts";
import { Client, Index, Lab, Member, NOTHING_KNOWN, report } from "./service-parts.ts";

/** A client that gives pieces of what it has, as it is asked. */
const holder = (client: Client, what: number, bytes: Uint8Array, sequence: number): Client => {
  client.onMessage = (plain) => {
    const want = plain[0] === MESSAGE.wantPiece ? decodeWantPiece(plain) : null;
    if (want?.what !== what) return;
    const { offset } = want;
    const piece = {
      ...{ what, standing: { chain: 0, sequence }, total: bytes.length, offset },
      bytes: bytes.subarray(offset, offset + INDEX_PIECE_BYTES),
    };
    client.callee.say(encodeIndexPiece(piece));
  };
  return client;
};

const saying = (list: RevocationList) => ({
  standings: {
    definition: { chain: 0, sequence: 1 },
    list: standingOf(list),
    epoch: list.epoch,
  },
});

test("a newer list is fetched, put into effect at once, and all are told", () => {
  const lab = new Lab();
  const index = new Index([lab]);
  const [one, two, bad] = [new Member(lab, 1), new Member(lab, 2), new Member(lab, 3)];
  const list = lab.list(4, [bad], 2_900);
  assert.ok(list.bytes.length > 60_000);
  const other = Client.of(index, two);
  const revoked = Client.of(index, bad);
  index.run(200);
  assert.equal(index.callers.size, 2);
  const first = Client.of(index, one, saying(list));
  holder(first, PIECE_OF.revocations, list.bytes, 4);
  index.run(3_000);
  assert.deepEqual(index.lists.get(lab)!.standings.list, { chain: 0, sequence: 4 });
  assert.equal(index.counted("listTaken"), 1);
  assert.equal(index.services.get(lab)!.guests.byId(bad.id), undefined);
  assert.equal(index.records.get(lab)!.byId(bad.id), null);
  assert.equal(index.callers.size, 2);
  assert.equal(decodeNotify(other.last(MESSAGE.notify)!)!.list.sequence, 4);
  assert.equal(first.last(MESSAGE.notify), undefined, "who brought it is not told");
  assert.equal(revoked.last(MESSAGE.notify), undefined);
  revoked.callee.close();
  revoked.call();
  index.run(500);
  assert.ok(index.counted("certificateRevoked") > 0);
  assert.equal(index.callers.size, 2);
});

test("who brings what another has just brought is believed as before", () => {
  const lab = new Lab();
  const index = new Index([lab]);
  const four = lab.list(4, [], 2_900);
  const clients = [1, 2, 3].map((number) => {
    const client = Client.of(index, new Member(lab, number), saying(four));
    return holder(client, PIECE_OF.revocations, four.bytes, 4);
  });
  index.run(5_000);
  assert.equal(index.counted("listTaken"), 1);
  assert.equal(index.counted("listInvalid"), 0);
  for (const [i, client] of clients.entries()) {
    const newer = lab.list(5 + i);
    holder(client, PIECE_OF.revocations, newer.bytes, newer.sequence);
    client.callee.say(report(null, saying(newer)));
    index.run(500);
    assert.equal(index.lists.get(lab)!.list?.sequence, newer.sequence);
  }
});

test("the list is given in pieces, fifty datagrams a second at most", () => {
  const lab = new Lab();
  const index = new Index([lab]);
  const list = lab.list(4, [], 3_000);
  assert.equal(index.services.get(lab)!.take(PIECE_OF.revocations, list.bytes), null);
  const client = Client.of(index, new Member(lab, 1));
  index.run(200);
  const got = new Map<number, Uint8Array>();
  client.onMessage = (plain) => {
    const piece = plain[0] === MESSAGE.piece ? decodeIndexPiece(plain) : null;
    if (piece !== null) got.set(piece.offset, piece.bytes.slice());
  };
  const offsets = Array.from(
    { length: Math.ceil(list.bytes.length / INDEX_PIECE_BYTES) },
    (_, i) => i * INDEX_PIECE_BYTES,
  );
  const ask = () => {
    for (const offset of offsets.filter((one) => !got.has(one))) {
      client.callee.say(encodeWantPiece({ what: PIECE_OF.revocations, offset }));
    }
  };
  ask();
  index.run(20);
  assert.equal(got.size, 50);
  assert.equal(index.counted("answerRate"), offsets.length - 50);
  index.run(1_000);
  ask();
  index.run(20);
  const bytes = Buffer.concat(offsets.map((offset) => got.get(offset)!));
  assert.deepEqual(bytes, Buffer.from(list.bytes));
  for (const offset of [1, 1_000_000, 2 ** 31]) {
    client.callee.say(encodeWantPiece({ what: PIECE_OF.revocations, offset }));
  }
  index.run(20);
  assert.equal(index.counted("pieceUnwanted"), 3);
});

test("a forged list, an old one and a promise that is not kept change nothing", () => {
  const [lab, elsewhere] = [new Lab(), new Lab()];
  const index = new Index([lab]);
  const { lists } = index;
  const list = lab.list(4);
  assert.equal(index.services.get(lab)!.take(PIECE_OF.revocations, list.bytes), null);
  const forged = elsewhere.list(9);
  const liar = Client.of(index, new Member(lab, 1), saying(forged));
  holder(liar, PIECE_OF.revocations, forged.bytes, 9);
  index.run(1_000);
  assert.equal(index.counted("listInvalid"), 1);
  // It is not asked again, however it reports.
  for (let i = 0; i < 5; i++) liar.callee.say(report(null, saying(elsewhere.list(10 + i))));
  index.run(1_000);
  assert.equal(liar.kinds.filter((kind) => kind === MESSAGE.wantPiece).length, 1);
  const old = Client.of(index, new Member(lab, 2), saying(lab.list(5)));
  holder(old, PIECE_OF.revocations, lab.list(3).bytes, 5);
  index.run(1_000);
  assert.equal(index.counted("listInvalid"), 2);
  Client.of(index, new Member(lab, 3), saying(lab.list(6)));
  index.run(21_000);
  assert.equal(index.counted("pullsEnded"), 1);
  assert.equal(lists.get(lab)!.standings.list.sequence, 4);
  // Others are believed still.
  const next = lab.list(7);
  holder(Client.of(index, new Member(lab, 4), saying(next)), 0, next.bytes, 7);
  index.run(1_000);
  assert.equal(lists.get(lab)!.standings.list.sequence, 7);
});

test("a newer definition is taken, and pieces that nobody asked for are not", () => {
  const [lab, elsewhere] = [new Lab(), new Lab()];
  const index = new Index([lab]);
  const next = lab.define(3);
  const client = Client.of(index, new Member(lab, 1));
  index.run(200);
  const push = (bytes: Uint8Array) =>
    client.callee.say(
      encodeIndexPiece({
        ...{ what: PIECE_OF.definition, standing: { chain: 0, sequence: 3 }, offset: 0 },
        ...{ total: bytes.length, bytes },
      }),
    );
  push(next.bytes);
  index.run(50);
  assert.equal(index.counted("pieceUnwanted"), 1);
  const standings = { ...NOTHING_KNOWN, definition: { chain: 0, sequence: 3 } };
  const good = Client.of(index, new Member(lab, 2), { standings });
  holder(good, PIECE_OF.definition, next.bytes, 3);
  index.run(500);
  assert.equal(index.lists.get(lab)!.standings.definition.sequence, 3);
  const liar = Client.of(index, new Member(lab, 3), {
    standings: { ...NOTHING_KNOWN, definition: { chain: 0, sequence: 8 } },
  });
  holder(liar, PIECE_OF.definition, elsewhere.define(8).bytes, 8);
  index.run(500);
  assert.equal(index.counted("definitionInvalid"), 1);
  assert.equal(index.lists.get(lab)!.standings.definition.sequence, 3);
});
