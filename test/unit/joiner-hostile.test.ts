/** joiner-hostile — joiners that ask too much, and callees that go while somebody joins. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { test } from "node:test";
import { Stored } from "../../src/control/network/stored.ts";
import { Callee } from "../../src/directory/callee.ts";
import { Callers } from "../../src/directory/callers.ts";
import { makeCard } from "../../src/directory/card.ts";
import { JOINING_NONCE_BYTES, sealRequest } from "../../src/members/joining.ts";
import { encodeRequest } from "../../src/members/request.ts";
import { signingPair } from "../../src/members/sign.ts";
import { tokenKeys } from "../../src/members/token.ts";
import { identityFromSeed } from "../../src/schema/identity.ts";
import { channelKind, PROOF, PURPOSE } from "../../src/wire/channel.ts";
import { encodeJoin, encodeWantPiece, MESSAGE, PIECE_OF } from "../../src/wire/index-messages.ts";
import { makeSockaddr } from "../../src/wire/sockaddr.ts";
import { inviteBy, joinerOf, NOW_S, OFFICE_AT, openOffice } from "./invitation-parts.ts";
import { DEFINITION, seedOf } from "./members-parts.ts";

const JOINER_AT = makeSockaddr(Uint8Array.of(192, 0, 2, 9), 40_000);
const NO_LOCAL = new Uint8Array(0);
const RATE = { perSecond: 1_000, burst: 1_000 };
const random = (bytes: number): Uint8Array => new Uint8Array(randomBytes(bytes));

test("a joiner at an enroller's own port is told fifty datagrams a second", () => {
  const office = openOffice({});
  const { token } = inviteBy(office);
  const { networkId } = DEFINITION;
  const keys = tokenKeys(token.secret);
  const identity = identityFromSeed(seedOf(20));
  const signing = signingPair(seedOf(20));
  const fields = { nodeKey: signing.publicKey, handshakeKey: identity.publicKey };
  const { privateKey } = identity;
  const secrets = { secretKey: signing.secretKey, privateKey, random: random(64) };
  const request = encodeRequest({ ...fields, issuedS: NOW_S, name: "x" }, secrets);
  const body = sealRequest({ networkId, keys }, request, random(JOINING_NONCE_BYTES));
  const callee = new Callee({
    ...{ networkId, sockaddr: OFFICE_AT, nodeKey: null, us: identity, purpose: PURPOSE.joiner },
    proof: () => ({ proof: PROOF.invitation, low: keys.hash[0]!, key: keys.knock }),
    payload: () => encodeJoin({ hash: keys.hash, body }),
    ...{ random: () => 0.5, randomBytes: random },
    send: (datagram) => {
      office.network.datagram(datagram, JOINER_AT, NO_LOCAL);
      return true;
    },
    ...{ onOpen: () => {}, onMessage: () => {}, onOther: () => {} },
  });
  const deliver = (): number => {
    const came = office.sent.splice(0);
    for (const { datagram } of came) {
      const kind = channelKind(datagram);
      if (kind !== null && callee.takes(kind, datagram, OFFICE_AT)) {
        callee.datagram(kind, datagram, office.time.bootMs);
      }
    }
    return came.length;
  };
  callee.call(office.time.bootMs);
  callee.tick(office.time.bootMs);
  for (let i = 0; i < 3; i++) deliver();
  assert.equal(callee.state, "open");
  const want = encodeWantPiece({ what: PIECE_OF.definition, offset: 0 });
  for (let i = 0; i < 150; i++) callee.say(want);
  assert.equal(deliver(), 50);
  assert.equal(office.counts.get("answerRate"), 100);
  office.pass(1);
  for (let i = 0; i < 5; i++) callee.say(want);
  assert.equal(deliver(), 5);
});

test("an index that says BYE while somebody joins is called again, and not at once", () => {
  const office = openOffice({});
  const { token } = inviteBy(office);
  const signing = signingPair(seedOf(90));
  const us = identityFromSeed(seedOf(90));
  const { networkId } = DEFINITION;
  const keys = { nodeKey: signing.publicKey, handshakeKey: us.publicKey };
  const wire: (() => void)[] = [];
  let [nowMs, opens] = [1_000, 0];
  const callers = new Callers({
    us,
    networks: () => [{ networkId, card: makeCard(networkId, keys, signing.secretKey) }],
    ...{ mayKnock: () => true, mayAnswer: () => true, onGone: () => {}, count: () => {} },
    open: () => {
      opens++;
      return Uint8Array.of(0);
    },
    message: (caller) => {
      callers.say(caller, Uint8Array.of(MESSAGE.bye));
      callers.dismiss(caller);
      return true;
    },
    mac: (key, data) => tokenKeys(Buffer.concat([key, data]).subarray(0, 32)).hash,
    randomBytes: random,
    send: (datagram) => wire.push(() => joiner.datagram(datagram, OFFICE_AT, nowMs)) > 0,
    sources: { take: () => true },
    rates: { cards: RATE, opens: RATE, source: RATE, messages: RATE },
    ...{ joinersMax: 8, callersMax: 8 },
  });
  const send = (datagram: Uint8Array): void => {
    const kind = channelKind(datagram)!;
    wire.push(() => callers.datagram(kind, datagram, JOINER_AT, NO_LOCAL, nowMs));
  };
  const joiner = joinerOf(token, 20, send, "x", null);
  joiner.start(nowMs);
  for (const endMs = nowMs + 5_000; nowMs < endMs; nowMs += 20) {
    for (const step of wire.splice(0)) step();
    joiner.tick(nowMs);
  }
  joiner.stop();
  assert.ok(opens >= 5 && opens <= 10, `${opens} in five seconds`);
});

test("what a member stores for others is written when its disk has room again", () => {
  const state = { isFull: true, written: 0, changes: 0 };
  const disk = {
    readStored: () => [],
    writeStored: () => {
      if (!state.isFull) state.written++;
      return !state.isFull;
    },
  };
  const records = {
    get changes() {
      return state.changes;
    },
    pairs: () => [],
  };
  const stored = new Stored(disk as never, records as never, 0);
  state.changes++;
  stored.write();
  state.isFull = false;
  stored.write();
  stored.write();
  assert.equal(state.written, 1);
});
