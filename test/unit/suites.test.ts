/** suites — which handshakes two controls make of each other's settings, kinds and losses. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { PLAIN_ROW, UPGRADE_AFTER_MS } from "../../src/control/handshake/suites.ts";
import { SESSION } from "../../src/memory/layout.ts";
import { doubleAt } from "../../src/memory/region.ts";
import { sessionWord } from "../../src/memory/sessions.ts";
import { type End, type EndOptions, Pair } from "./control-pair.ts";

const AUTO: EndOptions = { cipher: "auto" };
const CHACHA: EndOptions = { cipher: "chacha20poly1305" };
const AES: EndOptions = { cipher: "aes256gcm" };
const SLOW: EndOptions = { cipher: "auto", aes: { usable: true, faster: false } };
const WITHOUT: EndOptions = { cipher: "auto", aes: { usable: false, faster: false } };
const RETRY_MS = 5_500;

const suitesOf = (pair: Pair) => [pair.a.current?.suite ?? null, pair.b.current?.suite ?? null];
const isAes = (type: number): boolean => type >= 5;

test("what each setting takes, and what its hello offers", async () => {
  for (const [options, taken, offered] of [
    [AUTO, 3, 3],
    [SLOW, 3, 1],
    [WITHOUT, 1, 1],
    [CHACHA, 1, 1],
    [AES, 2, 2],
  ] as const) {
    const { suites } = (await Pair.make(options, AUTO)).a.control;
    assert.deepEqual([suites.taken, suites.offered], [taken, offered], JSON.stringify(options));
  }
});

test("of unknown kind: message 1; after both hellos its initiator upgrades, once", async () => {
  const pair = await Pair.make(AUTO, AUTO);
  pair.call(pair.a);
  assert.deepEqual(suitesOf(pair), [0, 0]);
  pair.run(60_000);
  assert.deepEqual([...pair.a.types(), ...pair.b.types()], [1, 2], "nothing but message 1");
  pair.hello(pair.a, pair.b);
  pair.run(UPGRADE_AFTER_MS - 1);
  assert.deepEqual(pair.a.types(), []);
  pair.run(2);
  assert.deepEqual(suitesOf(pair), [1, 1]);
  assert.deepEqual([pair.a.types(), pair.b.types()], [[5], [6]]);
  // Another hello changes nothing any more, and rekeying stays with AES, from either end.
  pair.hello(pair.a, pair.b);
  pair.run(10_000);
  assert.deepEqual([pair.a.types(), pair.b.types()], [[], []]);
  pair.call(pair.b);
  assert.deepEqual([pair.a.types(), pair.b.types()], [[6], [5]]);
});

test("an upgrade without an answer: ChaCha20 goes on, the next comes after a hello", async () => {
  const pair = await Pair.make(AUTO, AUTO);
  pair.call(pair.a);
  pair.carries = (datagram) => !isAes(datagram[0]!);
  pair.hello(pair.a, pair.b);
  pair.a.types();
  pair.run(60_000);
  assert.deepEqual(pair.a.types(), [5, 1]);
  assert.deepEqual(suitesOf(pair), [0, 0]);
  pair.hello(pair.a);
  pair.carries = () => true;
  pair.run(1_000);
  assert.deepEqual([pair.a.types(), suitesOf(pair)], [[5], [1, 1]]);
});

test("no upgrade when one end does not prefer AES, or does not take it", async () => {
  for (const [one, other] of [
    [AUTO, SLOW],
    [SLOW, AUTO],
    [AUTO, CHACHA],
    [CHACHA, AUTO],
    [AUTO, WITHOUT],
  ] as const) {
    const pair = await Pair.make(one, other);
    pair.call(pair.a);
    pair.hello(pair.a, pair.b);
    pair.run(5_000);
    pair.call(pair.b);
    const all = [...pair.a.types(), ...pair.b.types()];
    assert.ok(!all.some(isAes), `${one.cipher}, ${other.cipher}: ${all}`);
    assert.deepEqual(suitesOf(pair), [0, 0]);
  }
});

test("a peer that was never heard of gets no message 5, however long it is silent", async () => {
  const pair = await Pair.make(AUTO, AUTO);
  pair.carries = () => false;
  pair.call(pair.a);
  pair.run(100_000);
  const types = pair.a.types();
  assert.ok(types.length > 10 && types.every((type) => type === 1), types.join());
});

test("retries to an engine alternate, and begin with AES again in the next attempt", async () => {
  const pair = await Pair.make(AUTO, AUTO);
  pair.hello(pair.a);
  pair.carries = () => false;
  pair.call(pair.a);
  pair.run(4 * RETRY_MS);
  assert.deepEqual(pair.a.types(), [5, 1, 5, 1, 5]);
  pair.run(100_000);
  pair.a.types();
  pair.call(pair.a);
  assert.deepEqual(pair.a.types(), [5]);
});

test("an engine that became a plain WireGuard is forgotten after a few calls", async () => {
  const pair = await Pair.make(AUTO, AUTO);
  pair.call(pair.a);
  pair.hello(pair.a, pair.b);
  pair.run(1_000);
  assert.deepEqual(suitesOf(pair), [1, 1]);
  await pair.b.start(pair, CHACHA); // refuses 5 to 8, as a plain WireGuard does
  for (let round = 1; round <= PLAIN_ROW; round++) {
    pair.a.types();
    pair.call(pair.a);
    pair.run(RETRY_MS);
    assert.deepEqual(
      [pair.a.types(), suitesOf(pair)],
      [
        [5, 1],
        [0, 0],
      ],
    );
  }
  assert.equal(pair.a.control.suites.of(pair.a.peer), 0);
  pair.call(pair.a);
  pair.run(RETRY_MS);
  assert.deepEqual(pair.a.types(), [1]);
});

test("one handshake of ChaCha20 now and then does not make an engine plain", async () => {
  const pair = await Pair.make(AUTO, AUTO);
  pair.hello(pair.a, pair.b);
  for (let round = 0; round < 3 * PLAIN_ROW; round++) {
    pair.carries = (datagram) => round % 2 === 1 || !isAes(datagram[0]!);
    pair.call(pair.a);
    pair.run(RETRY_MS);
    assert.deepEqual(suitesOf(pair), round % 2 === 1 ? [1, 1] : [0, 0]);
  }
  assert.equal(pair.a.control.suites.of(pair.a.peer), 3);
});

test("aes256gcm calls with 5 alone and takes nothing else; who is called so knows it", async () => {
  const pair = await Pair.make(AES, AUTO);
  pair.call(pair.b);
  assert.deepEqual([pair.b.types(), pair.a.types()], [[1], []]);
  assert.equal(pair.a.count("suiteRefused"), 1);
  pair.call(pair.a);
  assert.deepEqual([pair.a.types(), suitesOf(pair)], [[5], [1, 1]]);
  assert.deepEqual(pair.b.types(), [6]);
  assert.equal(pair.b.control.suites.of(pair.b.peer), 2);
  pair.call(pair.b);
  assert.deepEqual([pair.b.types(), pair.a.types()], [[5], [6]]);
});

test("aes256gcm and an engine that takes AES without preferring it speak AES", async () => {
  const pair = await Pair.make(AES, SLOW);
  pair.call(pair.a);
  assert.deepEqual(suitesOf(pair), [1, 1]);
  pair.call(pair.b);
  assert.deepEqual([pair.b.types().slice(1), suitesOf(pair)], [[5], [1, 1]]);
});

test("chacha20poly1305 refuses 5 to 7, aes256gcm 1 to 3, both counted and unanswered", async () => {
  const pair = await Pair.make(AES, CHACHA);
  pair.call(pair.a);
  pair.call(pair.b);
  assert.deepEqual([pair.a.types(), pair.b.types()], [[5], [1]]);
  assert.deepEqual([pair.a.count("suiteRefused"), pair.b.count("suiteRefused")], [1, 1]);
  for (const [type, bytes] of [
    [2, 92],
    [3, 64],
  ] as const) {
    const message = new Uint8Array(bytes);
    message[0] = type;
    pair.inject(pair.a, message);
    message[0] = type + 4;
    pair.inject(pair.b, message);
  }
  assert.deepEqual([pair.a.count("suiteRefused"), pair.b.count("suiteRefused")], [3, 3]);
  assert.deepEqual([pair.a.types(), pair.b.types(), suitesOf(pair)], [[], [], [null, null]]);
});

test("one TAI64N for both suites: an old initiation of the other one is a replay", async () => {
  const pair = await Pair.make(AUTO, AUTO);
  pair.call(pair.a);
  const [first] = pair.a.sent.splice(0);
  pair.hello(pair.a, pair.b);
  pair.run(1_000);
  const [upgrade] = pair.a.sent.splice(0);
  assert.deepEqual([first?.[0], upgrade?.[0]], [1, 5]);
  const before = [pair.b.current, pair.b.held.next];
  for (const old of [first!, upgrade!]) pair.inject(pair.b, old);
  assert.equal(pair.b.count("handshakeReplayed"), 2);
  assert.deepEqual([pair.b.current, pair.b.held.next], before);
  pair.b.types();
  assert.equal(pair.b.types().length, 0);
});

test("whose message 5 is old may take AES alone: it is called in both", async () => {
  const pair = await Pair.make(AUTO, AES);
  pair.carries = () => false;
  pair.call(pair.b);
  const [old] = pair.b.sent.splice(0);
  pair.carries = () => true;
  pair.call(pair.b);
  assert.deepEqual(suitesOf(pair), [1, 1]);
  pair.b.types();
  pair.a.types();
  // `a` starts anew as one that has heard of `b`'s time, and not of its suite.
  pair.a.control.suites.learn(pair.a.peer, 0, pair.nowMs);
  pair.inject(pair.a, old!);
  assert.equal(pair.a.count("handshakeReplayed"), 1);
  pair.call(pair.a);
  pair.run(RETRY_MS);
  assert.deepEqual(pair.a.types(), [1, 5]);
  assert.equal(pair.a.control.suites.of(pair.a.peer) & 2, 2);
});

/** What `b` has sent to nobody: initiations of these suites, which somebody has copied. */
const copies = (pair: Pair, calls: number): Uint8Array[] => {
  pair.carries = () => false;
  for (let i = 0; i < calls; i++) pair.call(pair.b);
  return pair.b.sent.splice(0);
};

test("a copy of an old message 5 says nothing of what its peer takes now", async () => {
  const pair = await Pair.make(AUTO, AUTO);
  pair.hello(pair.b);
  const [old] = copies(pair, 1);
  assert.equal(old?.[0], 5);
  await pair.b.start(pair, CHACHA);
  pair.carries = (datagram) => !isAes(datagram[0]!);
  pair.call(pair.a);
  pair.hello(pair.a);
  pair.run(1_000);
  pair.a.types();
  // `a` has heard no timestamp of `b`, as one that has begun anew.
  pair.inject(pair.a, old!);
  assert.deepEqual(pair.a.types(), [6]);
  assert.equal(pair.a.control.suites.of(pair.a.peer), 1);
  assert(!pair.a.control.suites.upgrades(pair.a.peer));
  pair.run(60_000);
  pair.call(pair.a);
  assert.deepEqual(pair.a.types(), [1]);
});

test("copies of old messages 1 do not make an engine plain", async () => {
  const pair = await Pair.make(AUTO, AUTO);
  const old = copies(pair, PLAIN_ROW + 1);
  pair.hello(pair.a);
  for (const copy of old) {
    pair.inject(pair.a, copy);
    pair.run(1_000);
  }
  assert.deepEqual(pair.a.types(), new Array(PLAIN_ROW + 1).fill(2));
  assert.equal(pair.a.control.suites.of(pair.a.peer), 3);
  pair.carries = () => true;
  pair.call(pair.a);
  assert.deepEqual([pair.a.types(), suitesOf(pair)], [[5], [1, 1]]);
});

test("who may take AES alone is called in both, whatever copies say", async () => {
  const pair = await Pair.make(AUTO, AUTO);
  pair.hello(pair.b);
  const old = copies(pair, 2);
  assert.deepEqual(
    old.map(([type]) => type),
    [5, 1],
  );
  await pair.b.start(pair, AES);
  for (const copy of old) {
    pair.inject(pair.a, copy);
    pair.run(1_000);
  }
  pair.carries = () => true;
  pair.a.types();
  pair.call(pair.a);
  pair.run(RETRY_MS);
  assert.deepEqual(
    [pair.a.types(), suitesOf(pair)],
    [
      [1, 5],
      [1, 1],
    ],
  );
});

test("told of AES while nobody answers: the upgrade follows the attempt", async () => {
  const pair = await Pair.make(AUTO, AUTO);
  pair.call(pair.a);
  pair.carries = () => false;
  pair.call(pair.a);
  pair.run(86_000);
  pair.a.types();
  pair.hello(pair.a);
  pair.carries = () => true;
  pair.run(1_000);
  assert.deepEqual(pair.a.types(), []);
  pair.run(5_000);
  assert.deepEqual([pair.a.types(), suitesOf(pair)], [[5], [1, 1]]);
});

test("one handshake in flight: a late answer in the other suite finds nothing", async () => {
  const pair = await Pair.make(AUTO, AUTO);
  pair.hello(pair.a, pair.b);
  const late: Uint8Array[] = [];
  pair.carries = (datagram) => {
    if (datagram[0] === 6) late.push(datagram);
    return datagram[0] !== 6;
  };
  pair.call(pair.a);
  pair.run(RETRY_MS);
  assert.deepEqual(pair.a.types(), [5, 1]);
  const { current } = pair.a;
  assert.equal(current?.suite, 0);
  assert.equal(late.length, 1);
  pair.inject(pair.a, late[0]!);
  assert.equal(pair.a.count("handshakeInvalid"), 1);
  assert.equal(pair.a.current, current);
});

/** The limit that the data path of an end keeps to. */
const rejectAt = (end: End): bigint => {
  const { arena, current } = end;
  return arena.u64[doubleAt(sessionWord(arena, current!.session), SESSION.fields.rejectAt)]!;
};

test("a session's limit follows its suite, and the largest MTU that it lived with", async () => {
  const pair = await Pair.make(AUTO, AUTO);
  pair.call(pair.a);
  assert.equal(rejectAt(pair.a), 2n ** 64n - 2n ** 13n - 1n);
  pair.hello(pair.a, pair.b);
  pair.run(1_000);
  assert.equal(rejectAt(pair.a), 2n ** 36n / 91n);
  pair.a.control.growMtu(9_000);
  assert.equal(rejectAt(pair.a), 2n ** 36n / 565n);
  pair.a.control.growMtu(1_280);
  assert.equal(rejectAt(pair.a), 2n ** 36n / 565n);
});
