/** callers-hostile — strangers and whole networks at a callee: nobody takes another's place. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { type CallerCount, Callers } from "../../src/directory/callers.ts";
import { makeCard, makeKnock } from "../../src/directory/card.ts";
import { createOpen } from "../../src/directory/opening.ts";
import { mac } from "../../src/index-node/hashes.ts";
import { networkIdOf, signingPair } from "../../src/members/sign.ts";
import { identityFromSeed } from "../../src/schema/identity.ts";
import { CARD, CHANNEL_KIND, makeDatagram, PROOF, PURPOSE } from "../../src/wire/channel.ts";
import { field } from "../../src/wire/handshake.ts";
import { encodeJoin, encodeTokens } from "../../src/wire/index-messages.ts";
import { makeSockaddr } from "../../src/wire/sockaddr.ts";
import { Client, enroller, Index, Lab, Member, random } from "./service-parts.ts";

const NO_LOCAL = new Uint8Array(0);
const RATE = { perSecond: 1_000, burst: 1_000 };

/** A caller that lets nobody answer: what comes is left in `came`. */
const silent = (index: Index, lab: Lab) => {
  const client = new Client(index, lab, identityFromSeed(random(32)), new Uint8Array(1));
  const came: Uint8Array[] = [];
  client.take = (datagram) => void came.push(datagram);
  return { client, came };
};

test("a copy of an OPEN takes no channel away, whatever strangers sent meanwhile", () => {
  const lab = new Lab();
  const index = new Index([lab]);
  const opens: Uint8Array[] = [];
  const bring = index.bring.bind(index);
  index.bring = (datagram, from) => {
    if (datagram[4] === CHANNEL_KIND.open) opens.push(datagram.slice());
    bring(datagram, from);
  };
  const victim = Client.of(index, new Member(lab, 1));
  index.run(200);
  victim.callee.say(Uint8Array.of(0));
  victim.callee.call(index.nowMs, true);
  index.run(200);
  index.bring = bring;
  assert.equal(victim.opened, 2);
  const { client, came } = silent(index, lab);
  const none = { proof: PROOF.none, low: 0, key: null };
  index.bring(makeKnock(lab.networkId, random(16), none), client.sockaddr);
  while (index.wire.length > 0) index.wire.shift()!();
  for (let i = 0; i < 4_200; i++) {
    const opening = createOpen({
      ...{ networkId: lab.networkId, purpose: PURPOSE.member, sender: i },
      ...{ ticket: field(came[0]!, CARD.ticket), payload: Uint8Array.of(9) },
      ...{ us: identityFromSeed(random(32)), callee: field(came[0]!, CARD.handshakeKey) },
      ephemeralPrivate: random(32),
    });
    index.bring(opening!.datagram, client.sockaddr);
  }
  assert.equal(index.counted("openRefused"), 4_200);
  for (const open of opens) index.bring(open, victim.sockaddr);
  index.run(20);
  victim.callee.say(Uint8Array.of(1, 0));
  const { opened } = victim;
  const before = index.counted("channelUnknown");
  index.run(20);
  assert.equal(index.counted("channelUnknown"), before, "its channel is there still");
  assert.equal(victim.opened, opened);
  assert.equal(index.counted("openReplayed"), opens.length);
});

test("a ticket is looked at once, however many networks there are", () => {
  const seed = random(32);
  const us = identityFromSeed(seed);
  const signing = signingPair(seed);
  const networks = Array.from({ length: 200 }, () => {
    const networkId = networkIdOf(random(32));
    const keys = { nodeKey: signing.publicKey, handshakeKey: us.publicKey };
    return { networkId, card: makeCard(networkId, keys, signing.secretKey) };
  });
  let macs = 0;
  const counts = new Map<CallerCount, number>();
  const sent: Uint8Array[] = [];
  const callers = new Callers({
    ...{ us, networks: () => networks, mayKnock: () => true, mayAnswer: () => true },
    ...{ open: () => new Uint8Array(1), message: () => true, onGone: () => undefined },
    mac: (key, data) => {
      macs++;
      return mac(key, data);
    },
    randomBytes: random,
    send: (datagram) => sent.push(datagram) > 0,
    count: (what) => counts.set(what, (counts.get(what) ?? 0) + 1),
    sources: { take: () => true },
    rates: { cards: RATE, opens: RATE, source: RATE, messages: RATE },
    ...{ callersMax: 1_000, joinersMax: 10 },
  });
  const at = makeSockaddr(Uint8Array.of(192, 0, 2, 1), 9);
  const garbage = makeDatagram(CHANNEL_KIND.open, 1_232);
  for (let ticket = 0; ticket < 256; ticket++) {
    garbage.set(random(16), 8);
    garbage[8] = ticket;
    callers.datagram("open", garbage, at, NO_LOCAL, 300_000);
  }
  assert.equal(counts.get("openTicket"), 256);
  assert.ok(macs <= 2 * 256, `${macs}`);
  // Each network's own ticket is good for it, and for no other.
  for (const { networkId } of networks) {
    const knock = makeKnock(networkId, random(16), { proof: PROOF.none, low: 0, key: null });
    callers.datagram("knock", knock, at, NO_LOCAL, 300_000);
    const ticket = field(sent.pop()!, CARD.ticket);
    const parts = { purpose: PURPOSE.member, sender: 1, ticket, callee: us.publicKey };
    const payload = new Uint8Array(1);
    for (const id of [networks[7]!.networkId, networkId]) {
      const keys = { us: identityFromSeed(random(32)), ephemeralPrivate: random(32) };
      const open = createOpen({ ...parts, ...keys, payload, networkId: id })!;
      callers.datagram("open", open.datagram, at, NO_LOCAL, 300_000);
    }
  }
  assert.equal(counts.get("openSealed"), 199);
  assert.equal(callers.size, 201);
});

test("a network that fills an index leaves room to the others", () => {
  const [large, small] = [new Lab(), new Lab()];
  const index = new Index([large, small], 6, 2);
  const crowd = Array.from({ length: 8 }, (_, n) => Client.of(index, new Member(large, n + 1)));
  index.run(300);
  assert.equal(index.callers.size, 6);
  assert.ok(index.counted("callersFull") > 0, "among themselves nobody gives way");
  const few = [1, 2, 3].map((n) => Client.of(index, new Member(small, n)));
  index.run(1_000);
  for (const { callee } of few) assert.equal(callee.state, "open");
  assert.equal(index.services.get(small)!.guests.size, 3);
  assert.equal(index.services.get(large)!.guests.size, 3);
  // No further: each has its half.
  Client.of(index, new Member(small, 4));
  for (const { callee } of crowd) callee.call(index.nowMs, true);
  index.run(1_000);
  assert.equal(index.services.get(small)!.guests.size, 3);
});

test("joiners of one network push out none of another", () => {
  const [large, small] = [new Lab(), new Lab()];
  const index = new Index([large, small], 100, 4);
  const hashes = Array.from({ length: 20 }, () => random(16));
  const hosts = [large, small].map((lab) => Client.of(index, enroller(lab, 1)));
  index.run(200);
  for (const host of hosts) host.callee.say(encodeTokens(hashes));
  index.run(50);
  const join = (lab: Lab, hash: Uint8Array): Client =>
    new Client(
      ...([index, lab, identityFromSeed(random(32))] as const),
      encodeJoin({ hash, body: random(50) }),
      PURPOSE.joiner,
    ).call();
  join(small, hashes[0]!);
  index.run(100);
  for (const hash of hashes) {
    join(large, hash);
    index.run(60);
  }
  const left = [...index.callers.all()].filter(({ purpose }) => purpose === PURPOSE.joiner);
  const mine = left.filter(({ networkId }) => Buffer.compare(networkId, small.networkId) === 0);
  assert.deepEqual([left.length, mine.length], [4, 1]);
});

test("who is refused asks ever more rarely", () => {
  const lab = new Lab();
  const index = new Index([lab]);
  const wish = encodeJoin({ hash: random(16), body: random(50) });
  const keys = identityFromSeed(random(32));
  const client = new Client(index, lab, keys, wish, PURPOSE.joiner).call();
  index.run(120_000);
  assert.equal(client.callee.state, "opening");
  const { sent } = client;
  index.run(600_000, 50);
  assert.ok(client.sent - sent < 60 * 1_500, `${client.sent - sent} bytes in ten minutes`);
  client.callee.call(index.nowMs, true);
  const again = client.sent;
  index.run(2_000);
  assert.ok(client.sent - again > 5 * 1_232, "another network may let it through");
});
