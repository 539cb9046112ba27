/** channel — a caller and a callee, end to end: KNOCK, CARD, OPEN, OPENED, messages. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { test } from "node:test";
import sodium from "sodium-native";
import { TICKET_AGE_MS } from "../../src/control/strangers/tickets.ts";
import { Callee } from "../../src/directory/callee.ts";
import { type CallerCount, Callers } from "../../src/directory/callers.ts";
import { makeCard } from "../../src/directory/card.ts";
import { networkIdOf, signingPair } from "../../src/members/sign.ts";
import { publicKeyOf } from "../../src/noise/transcript.ts";
import { channelKind, PROOF, PURPOSE } from "../../src/wire/channel.ts";
import { makeSockaddr } from "../../src/wire/sockaddr.ts";
import { Chance } from "../lab/chance.ts";

const random = (bytes: number): Uint8Array => new Uint8Array(randomBytes(bytes));
const pair = () => {
  const privateKey = random(32);
  return { privateKey, publicKey: publicKeyOf(privateKey) };
};
const mac = (key: Uint8Array, data: Uint8Array): Uint8Array => {
  const out = new Uint8Array(16);
  sodium.crypto_generichash(out, data, key);
  return out;
};
const CALLER = makeSockaddr(Uint8Array.of(192, 0, 2, 1), 51_820);
const CALLEE = makeSockaddr(Uint8Array.of(192, 0, 2, 2), 4_740);
const RATE = { perSecond: 1_000, burst: 1_000 };

/** One in so many KNOCKs and OPENs, where a flood takes the places of the others. */
const ARRIVES = 10;

/** `lose`: is this one lost? */
const world = (lose: (kind: string) => boolean = () => false) => {
  let nowMs = 1_000;
  const wire: (() => void)[] = [];
  const sent: { kind: string; bytes: number; toCallee: boolean }[] = [];
  const heard: string[] = [];
  const counts = new Map<CallerCount, number>();
  const signing = signingPair(random(32));
  const us = pair();
  const networkId = networkIdOf(random(32));
  const keys = { nodeKey: signing.publicKey, handshakeKey: us.publicKey };
  const card = makeCard(networkId, keys, signing.secretKey);
  const carry = (datagram: Uint8Array, toCallee: boolean): boolean => {
    const kind = channelKind(datagram) ?? "none";
    sent.push({ kind, bytes: datagram.length, toCallee });
    if (lose(kind)) return true;
    wire.push(() => {
      if (toCallee) callers.datagram(kind as never, datagram, CALLER, new Uint8Array(0), nowMs);
      else if (callee.takes(kind as never, datagram, CALLEE)) {
        callee.datagram(kind as never, datagram, nowMs);
      }
    });
    return true;
  };
  const callers = new Callers({
    us,
    networks: () => [{ networkId, card }],
    mayKnock: () => true,
    mayAnswer: () => true,
    open: (_, payload) => {
      heard.push(`open ${payload[0]}`);
      return Uint8Array.of(14, 1);
    },
    message: (caller, type, plain) => {
      heard.push(`message ${type} ${plain[0]}`);
      callers.say(caller, Uint8Array.of(plain[0]! + 1), type);
      return true;
    },
    onGone: () => heard.push("gone"),
    mac,
    randomBytes: random,
    send: (datagram) => carry(datagram, false),
    count: (what) => counts.set(what, (counts.get(what) ?? 0) + 1),
    sources: { take: () => true },
    rates: { cards: RATE, opens: RATE, source: RATE, messages: RATE },
    callersMax: 2,
    joinersMax: 1,
  });
  const callee = new Callee({
    networkId,
    sockaddr: CALLEE,
    nodeKey: null,
    us: pair(),
    purpose: PURPOSE.member,
    proof: () => ({ proof: PROOF.none, low: 0, key: null }),
    payload: () => Uint8Array.of(1, 2, 3),
    random: Math.random,
    randomBytes: random,
    send: (datagram) => carry(datagram, true),
    onOpen: (answer) => heard.push(`opened ${[...answer].join(" ")}`),
    onMessage: (type, plain) => heard.push(`answer ${type} ${plain[0]}`),
    onOther: () => heard.push("other"),
  });
  const run = (ms: number): void => {
    for (const endMs = nowMs + ms; nowMs < endMs; nowMs += 10) {
      callee.tick(nowMs);
      while (wire.length > 0) wire.shift()!();
    }
  };
  return { callers, callee, run, heard, sent, counts, signing, now: () => nowMs };
};

test("a channel opens, and carries messages both ways", () => {
  const { callee, run, heard, signing, now } = world();
  callee.call(now());
  run(50);
  assert.deepEqual(heard, ["open 1", "opened 14 1"]);
  assert.equal(callee.state, "open");
  assert.deepEqual(callee.nodeKey, new Uint8Array(signing.publicKey));
  assert.ok(callee.say(Uint8Array.of(7)));
  assert.ok(callee.say(Uint8Array.of(9), 14));
  run(50);
  assert.deepEqual(heard.slice(2), ["message 10 7", "message 14 9", "answer 10 8", "answer 14 10"]);
});

test("what is lost is sent again: KNOCK, CARD, OPEN and OPENED", () => {
  for (const lost of ["knock", "card", "open", "opened"]) {
    let left = 3;
    const { callee, run, heard, now } = world((kind) => kind === lost && left-- > 0);
    callee.call(now());
    run(2_000);
    assert.equal(callee.state, "open", lost);
    assert.deepEqual(heard, ["open 1", "opened 14 1"], lost);
  }
});

test("a ticket that does not hold any more is replaced while its OPEN is sent again", () => {
  let flooded = true;
  const { callee, run, heard, now } = world((kind) => flooded && kind === "open");
  callee.call(now());
  run(TICKET_AGE_MS * 3);
  assert.equal(callee.state, "opening");
  flooded = false;
  run(70_000);
  assert.equal(callee.state, "open");
  assert.deepEqual(heard, ["open 1", "opened 14 1"]);
});

test("who is somewhere else begins anew", () => {
  const { callee, run, sent, now } = world(() => true);
  callee.call(now());
  run(120_000);
  const knocksIn = (ms: number): number => {
    const before = sent.length;
    run(ms);
    return sent.length - before;
  };
  assert.ok(knocksIn(2_000) <= 1, "it has become patient");
  callee.call(now());
  assert.equal(knocksIn(1_000), 1, "asked for, it tries once");
  callee.call(now(), true);
  assert.ok(knocksIn(2_000) > 15, "another network may let it through");
});

test("at a callee that is flooded each one that arrives counts", () => {
  const times: number[] = [];
  for (let seed = 1; seed <= 100; seed++) {
    const chance = new Chance(seed);
    const toCallee = (kind: string): boolean => kind === "knock" || kind === "open";
    const { callee, run, now } = world((kind) => toCallee(kind) && !chance.once(ARRIVES));
    const beganMs = now();
    callee.call(beganMs);
    while (callee.state !== "open" && now() < beganMs + 60_000) run(10);
    times.push(now() - beganMs);
  }
  times.sort((one, two) => one - two);
  assert.ok(times[95]! < 10_000, `${times}`);
});

test("no answer is longer than what it answers, before the channel is open", () => {
  const { callee, run, sent, now } = world();
  callee.call(now());
  run(50);
  const [knock, card, open, opened] = sent;
  assert.ok(knock!.bytes >= card!.bytes && open!.bytes >= opened!.bytes);
});
