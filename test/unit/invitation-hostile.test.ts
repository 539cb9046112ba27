/**
 * invitation-hostile — who carries an invitation's words, forges them, or repeats them: what they
 * learn, and what they get.
 */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { test } from "node:test";
import { Callers } from "../../src/directory/callers.ts";
import { makeCard, makeKnock } from "../../src/directory/card.ts";
import type { Joiner } from "../../src/directory/joiner.ts";
import { firstChain } from "../../src/members/definition.ts";
import {
  JOINING_NONCE_BYTES,
  openAnswer,
  openRequest,
  sealRequest,
} from "../../src/members/joining.ts";
import { encodeRequest } from "../../src/members/request.ts";
import { signingPair } from "../../src/members/sign.ts";
import { type Token, tokenKeys } from "../../src/members/token.ts";
import { identityFromSeed } from "../../src/schema/identity.ts";
import { channelKind, PROOF } from "../../src/wire/channel.ts";
import {
  decodeJoin,
  decodePassed,
  decodeTokens,
  decodeWantPiece,
  encodeIndexPiece,
  encodeJoinWaits,
  encodeObserved,
  INDEX_PIECE_BYTES,
  type JoinWish,
  MESSAGE,
  PIECE_OF,
} from "../../src/wire/index-messages.ts";
import { makeSockaddr, sockaddrHost } from "../../src/wire/sockaddr.ts";
import {
  inviteBy,
  joinAt,
  joinerOf,
  LIST,
  NOW_S,
  OFFICE_AT,
  openOffice,
  type TestOffice,
} from "./invitation-parts.ts";
import {
  DEFINITION,
  HANDSHAKE,
  makeDefinition,
  must,
  pairOf,
  secretsOf,
  seedOf,
  whyOf,
} from "./members-parts.ts";
import type { MembersVectors } from "./members-vectors.ts";
import { bytesOf, ownVectors } from "./vectors.ts";

const VECTORS = ownVectors<MembersVectors>("members.json");
const NO_LOCAL = new Uint8Array(0);
const JOINER_AT = makeSockaddr(Uint8Array.of(192, 0, 2, 9), 40_000);
const STRANGER_AT = makeSockaddr(Uint8Array.of(192, 0, 2, 66), 40_000);
const RATE = { perSecond: 1_000, burst: 1_000 };
const NOTHING = { chain: 0, sequence: 0 };

const OBSERVED = encodeObserved({
  address: sockaddrHost(JOINER_AT),
  port: 40_000,
  againS: 60,
  members: 1,
  standings: { list: NOTHING, definition: NOTHING, epoch: 1 },
  clockMs: 0,
});

/** What an index may say instead of the truth. */
interface Lies {
  readonly definition?: Uint8Array;
  readonly list?: Uint8Array;
  readonly joined?: (body: Uint8Array) => Uint8Array;
}

/**
 * An index node that hands JOINs to the office, as a mailbox would, and remembers all that it can
 * read. Where the enroller is, nothing answers.
 */
const joinThroughIndex = (office: TestOffice, token: Token, lies: Lies = {}) => {
  const seen: Uint8Array[] = [];
  const signing = signingPair(seedOf(90));
  const us = identityFromSeed(seedOf(90));
  const handshakeKey = us.publicKey;
  const { networkId } = DEFINITION;
  const keys = { nodeKey: signing.publicKey, handshakeKey };
  const card = makeCard(networkId, keys, signing.secretKey);
  const wire: (() => void)[] = [];
  const wholes = [lies.list ?? LIST.bytes, lies.definition ?? DEFINITION.bytes];
  const wishes: JoinWish[] = [];
  const callers = new Callers({
    us,
    networks: () => [{ networkId, card }],
    mayKnock: () => true,
    mayAnswer: () => true,
    open: (caller, payload) => {
      seen.push(payload.slice(), caller.key);
      const wish = decodeJoin(payload);
      if (wish !== null) wishes.push({ hash: wish.hash, body: wish.body.slice() });
      return OBSERVED;
    },
    message: (caller, _, plain) => {
      seen.push(plain.slice());
      const want = plain[0] === MESSAGE.wantPiece ? decodeWantPiece(plain) : null;
      if (want === null) return plain[0] === MESSAGE.bye;
      const whole = wholes[want.what === PIECE_OF.definition ? 1 : 0]!;
      const bytes = whole.subarray(want.offset, want.offset + INDEX_PIECE_BYTES);
      const piece = { ...want, standing: NOTHING, total: whole.length, bytes };
      if (bytes.length > 0) callers.say(caller, encodeIndexPiece(piece));
      return true;
    },
    onGone: () => {},
    mac: (key, data) => tokenKeys(Buffer.concat([key, data]).subarray(0, 32)).hash,
    randomBytes: (bytes) => new Uint8Array(randomBytes(bytes)),
    send: (datagram) => {
      wire.push(() => joiner.datagram(datagram, OFFICE_AT, office.time.bootMs));
      return true;
    },
    count: () => {},
    sources: { take: () => true },
    rates: { cards: RATE, opens: RATE, source: RATE, messages: RATE },
    joinersMax: 8,
    callersMax: 4,
  });
  // The index stands where the token says that somebody is.
  const send = (datagram: Uint8Array): void => {
    const kind = channelKind(datagram)!;
    wire.push(() => callers.datagram(kind, datagram, JOINER_AT, NO_LOCAL, office.time.bootMs));
  };
  const joiner: Joiner = joinerOf(token, 20, send, "secretive", null);
  joiner.start(office.time.bootMs);
  for (let turn = 0; turn < 150 && joiner.state.is === "asking"; turn++) {
    for (const step of wire.splice(0)) step();
    for (const wish of wishes.splice(0)) {
      const answer = office.office!.waiting(encodeJoinWaits({ id: 7, ...wish }));
      const passed = answer && decodePassed(answer);
      const [caller] = callers.all();
      if (passed?.id !== 7 || caller === undefined) continue;
      const said = lies.joined?.(passed.body) ?? passed.body;
      callers.say(caller, Buffer.concat([Uint8Array.of(MESSAGE.joined), said]));
    }
    office.time.bootMs += 20;
    joiner.tick(office.time.bootMs);
  }
  return { state: joiner.state, seen };
};

test("through an index: it joins, and the index saw a hash and keys that are used once", () => {
  const office = openOffice({});
  const { token } = inviteBy(office);
  const { state, seen } = joinThroughIndex(office, token);
  assert.equal(state.is, "joined");
  const all = Buffer.concat(seen);
  const keys = tokenKeys(token.secret);
  assert.ok(all.includes(Buffer.from(keys.hash)));
  const { publicKey } = identityFromSeed(seedOf(20));
  const hidden = [
    token.secret,
    keys.knock,
    keys.request,
    keys.answer,
    publicKey,
    signingPair(seedOf(20)).publicKey,
    Buffer.from("secretive"),
  ];
  for (const secret of hidden) assert.ok(!all.includes(Buffer.from(secret)));
});

test("a lying index: definition, list or answer of its own: nobody joins by it", () => {
  const thief = pairOf(41);
  const foreign = makeDefinition(firstChain(thief.publicKey), thief.secretKey).bytes;
  const flipped = (body: Uint8Array): Uint8Array =>
    body.map((byte, i) => (i === 99 ? ~byte : byte));
  const lies: readonly Lies[] = [
    { definition: foreign },
    { list: LIST.bytes.map((byte, i) => (i === 40 ? ~byte : byte)) },
    { joined: flipped },
    { joined: () => new Uint8Array(randomBytes(700)) },
  ];
  for (const lie of lies) {
    const office = openOffice({});
    const { token } = inviteBy(office);
    assert.equal(joinThroughIndex(office, token, lie).state.is, "asking");
    // And its invitation is not lost: the enroller itself answers it.
    assert.equal(joinAt(office, token, 20, { name: "secretive" }).is, "joined");
  }
});

test("indexes are told the hashes of what nobody took yet, and of nothing else", () => {
  const office = openOffice({});
  const told = (): string[] =>
    decodeTokens(office.office!.tokens())!.map((hash) => Buffer.from(hash).toString("hex"));
  const [first, second] = [inviteBy(office).token, inviteBy(office, { hours: 1 }).token];
  const hashOf = ({ secret }: Token) => Buffer.from(tokenKeys(secret).hash).toString("hex");
  assert.deepEqual(told(), [hashOf(first), hashOf(second)]);
  assert.equal(joinAt(office, first, 20).is, "joined");
  assert.deepEqual(told(), [hashOf(second)]);
  office.pass(3_700);
  assert.deepEqual(told(), []);
});

test("strangers at an enroller's port get nothing, whatever they send", () => {
  const office = openOffice({});
  inviteBy(office);
  office.sent.length = 0;
  const { networkId } = DEFINITION;
  const random = (bytes: number): Uint8Array => new Uint8Array(randomBytes(bytes));
  const send = (datagram: Uint8Array): void =>
    office.network.datagram(datagram, STRANGER_AT, NO_LOCAL);
  for (const proof of Object.values(PROOF)) {
    for (let low = 0; low < 256; low++) {
      send(makeKnock(networkId, random(16), { proof, low, key: proof === 0 ? null : random(32) }));
    }
  }
  for (const kind of [0, 1, 2, 4, 5]) {
    for (const bytes of [24, 40, 192, 1_232]) {
      const datagram = random(bytes);
      datagram.set([10, 0, 0, 0, kind, 0, 0, 0]);
      send(datagram);
    }
  }
  assert.equal(office.sent.length, 0);
  assert.ok((office.counts.get("knockTag") ?? 0) >= 700);
});

test("with an invitation no answer is longer than its request before the address is proved", () => {
  const office = openOffice({});
  const { token } = inviteBy(office);
  const { hash, knock } = tokenKeys(token.secret);
  office.sent.length = 0;
  const proof = { proof: PROOF.invitation, low: hash[0]!, key: knock };
  const datagram = makeKnock(DEFINITION.networkId, new Uint8Array(randomBytes(16)), proof);
  office.network.datagram(datagram, STRANGER_AT, NO_LOCAL);
  assert.deepEqual(
    office.sent.map((one) => one.datagram.length),
    [datagram.length],
  );
});

test("a request that is repeated, by whomever, is answered to its own identity alone", () => {
  const office = openOffice({});
  const { token } = inviteBy(office);
  const wishes: JoinWish[] = [];
  const { enroller } = office.office!;
  const join = enroller.join.bind(enroller);
  Object.assign(enroller, {
    join: (wish: JoinWish) => {
      wishes.push({ hash: wish.hash.slice(), body: wish.body.slice() });
      return join(wish);
    },
  });
  assert.equal(joinAt(office, token, 20).is, "joined");
  const again = join(wishes[0]!);
  assert.ok(again !== null);
  const invited = { networkId: DEFINITION.networkId, keys: tokenKeys(token.secret) };
  const request = openRequest(invited, wishes[0]!.body)!;
  // Also who has the token cannot open what is sealed to another.
  const other = identityFromSeed(seedOf(21));
  assert.match(whyOf(openAnswer(invited, request, other, again)), /sealed to somebody else/);
  assert.ok(openAnswer(invited, request, identityFromSeed(seedOf(20)), again).ok);
  assert.equal(office.counts.get("joinsSigned"), 2);
});

test("a JOIN whose secret is another's, or that is changed anywhere, is dropped unsaid", () => {
  const office = openOffice({});
  const { token } = inviteBy(office);
  const { enroller } = office.office!;
  const { hash } = tokenKeys(token.secret);
  const { networkId } = DEFINITION;
  const keys = tokenKeys(new Uint8Array(32).fill(1));
  const request = new Uint8Array(200);
  const nonce = new Uint8Array(randomBytes(JOINING_NONCE_BYTES));
  const bodies = [sealRequest({ networkId, keys: { ...keys, hash } }, request, nonce)];
  for (let i = 0; i < 50; i++) bodies.push(new Uint8Array(randomBytes(1 + 19 * i)));
  for (const body of bodies) assert.equal(enroller.join({ hash, body }), null);
  assert.equal(enroller.join({ hash: new Uint8Array(16), body: bodies[9]! }), null);
  assert.equal(office.counts.get("joinInvalid"), bodies.length);
  assert.equal(office.counts.get("joinUnknown"), 1);
});

/** What an enroller answers to whoever has the token, whatever it asks with. */
const askedBy = (office: TestOffice, token: Token, request: Uint8Array) => {
  const invited = { networkId: DEFINITION.networkId, keys: tokenKeys(token.secret) };
  const nonce = new Uint8Array(randomBytes(JOINING_NONCE_BYTES));
  const body = sealRequest(invited, request, nonce);
  const answer = office.office!.enroller.join({ hash: invited.keys.hash, body });
  assert.ok(answer !== null);
  return must(openAnswer(invited, request, identityFromSeed(seedOf(20)), answer));
};

test("nobody with a token is signed for another's handshake key; it is said and logged", () => {
  const office = openOffice({});
  const { token } = inviteBy(office);
  // The office's own key: it would be barred.
  const fields = { nodeKey: pairOf(20).publicKey, handshakeKey: HANDSHAKE.publicKey };
  const taken = encodeRequest({ ...fields, issuedS: NOW_S, name: "taken" }, secretsOf(20));
  const answer = askedBy(office, token, taken);
  assert.ok(!answer.signed);
  assert.match(answer.why, /^its request cannot be used: it does not prove its handshake key/);
  assert.match(office.said.at(-1)!, /^an invitation was refused .*does not prove/);
  assert.equal(office.counts.get("joinsRefused"), 1);
  assert.equal(office.counts.get("joinsSigned"), undefined);
  // The invitation is as it was.
  assert.equal(joinAt(office, token, 20).is, "joined");
});

test("a joiner of an older version hears what to do, and what is no request is called so", () => {
  const office = openOffice({});
  const { token } = inviteBy(office);
  const older = askedBy(office, token, bytesOf(VECTORS.requestOfVersion1));
  assert.ok(!older.signed);
  assert.match(
    older.why,
    /it is of version 1, .* make it anew with an engine as new as the signer/,
  );
  const none = askedBy(office, token, new Uint8Array(200));
  assert.deepEqual(none, {
    signed: false,
    why: "its request cannot be used: it is of version 0, which is not known here",
  });
  assert.equal(office.counts.get("joinsRefused"), 2);
});
