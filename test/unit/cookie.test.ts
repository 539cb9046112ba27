/**
 * cookie — replies and mac2 against the paper's formulas on the @noble packages, and the cases of
 * wireguard-go's device/cookie_test.go (a byte flipped, another port, another address).
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { xchacha20poly1305 } from "@noble/ciphers/chacha.js";
import { concatBytes, utf8ToBytes } from "@noble/hashes/utils.js";
import { COOKIE_AGE_MS, CookieChecker, CookieHolder } from "../../src/control/strangers/cookie.ts";
import { COOKIE, field, INITIATION, RESPONSE, readU32 } from "../../src/wire/handshake.ts";
import { makeSockaddr } from "../../src/wire/sockaddr.ts";
import * as oracle from "./noise-oracle.ts";
import { A, answer, B, fixed, fixedBytes, hex, initiate, mac } from "./noise-parties.ts";

const SOURCE = makeSockaddr(Uint8Array.of(192, 168, 13, 37), 2_570);
const NO_LOCAL = new Uint8Array(0);
const START_MS = 5_000;

/** A checker of B whose random bytes are known: the nth call gives those of "random n". */
const makeChecker = (): CookieChecker => {
  let calls = 0;
  const random = (bytes: number) => fixedBytes(`random ${calls++}`, bytes);
  return new CookieChecker({ publicKey: B.keys.publicKey, mac, random });
};

/** A's initiation to B, signed by a holder that waits for B's cookie. */
const called = (holder: CookieHolder, nowMs: number): Uint8Array => {
  const { datagram } = initiate();
  holder.sign(datagram, SOURCE, NO_LOCAL, nowMs);
  return datagram;
};

const makeHolder = (): CookieHolder => new CookieHolder(B.keys.publicKey, mac);

/** Holder and checker after one cookie was given and taken at START_MS. */
const withCookie = () => {
  const checker = makeChecker();
  const holder = makeHolder();
  const message = called(holder, START_MS);
  assert.ok(holder.take(checker.reply(message, SOURCE, START_MS), START_MS));
  return { checker, holder, message };
};

test("a reply is what paper 5.4.7 says, and opens with another library", () => {
  const checker = makeChecker();
  const { datagram } = initiate();
  const reply = checker.reply(datagram, SOURCE, START_MS);
  assert.equal(reply.length, 64);
  assert.equal(hex(reply.subarray(0, 4)), "03000000");
  assert.equal(readU32(reply, COOKIE.fields.receiverIndex), A.index);
  const nonce = field(reply, COOKIE.fields.nonce);
  const key = oracle.hash(utf8ToBytes("cookie--"), B.keys.publicKey);
  const mac1 = field(datagram, INITIATION.fields.mac1);
  const cookie = xchacha20poly1305(key, nonce, mac1).decrypt(
    field(reply, COOKIE.fields.sealedCookie),
  );
  // The constructor draws one secret, the first use another, then comes the nonce.
  assert.equal(hex(nonce), hex(fixedBytes("random 2", 24)));
  const source = Uint8Array.of(192, 168, 13, 37, 10, 10);
  assert.equal(hex(cookie), hex(oracle.mac(fixedBytes("random 1", 32), source)));
});

test("mac2 is made as paper 5.4.4 says from a reply that another library sealed", () => {
  const holder = makeHolder();
  const message = called(holder, START_MS);
  assert.equal(hex(field(message, INITIATION.fields.mac2)), "00".repeat(16));
  const nonce = fixed("nonce").subarray(0, 24);
  const cookie = fixed("cookie").subarray(0, 16);
  const key = oracle.hash(utf8ToBytes("cookie--"), B.keys.publicKey);
  const mac1 = field(message, INITIATION.fields.mac1);
  const reply = concatBytes(
    Uint8Array.of(3, 0, 0, 0),
    message.subarray(4, 8),
    nonce,
    xchacha20poly1305(key, nonce, mac1).encrypt(cookie),
  );
  assert.ok(holder.take(reply, START_MS));
  const expected = hex(oracle.mac(cookie, message.subarray(0, 132)));
  assert.equal(hex(field(message, INITIATION.fields.mac2)), expected);
  // Later messages carry it too, of either kind, for 120 s.
  const { datagram: response } = answer(initiate().datagram);
  holder.sign(response, SOURCE, NO_LOCAL, START_MS + COOKIE_AGE_MS - 1);
  const ofResponse = hex(oracle.mac(cookie, response.subarray(0, 76)));
  assert.equal(hex(field(response, RESPONSE.fields.mac2)), ofResponse);
  const late = called(holder, START_MS + COOKIE_AGE_MS);
  assert.equal(hex(field(late, INITIATION.fields.mac2)), "00".repeat(16));
});

test("mac2 is valid for its message and its source alone", () => {
  const { checker, message } = withCookie();
  assert.ok(checker.valid(message, SOURCE, START_MS));
  for (const at of [5, 116, 132, 147]) {
    message[at]! ^= 0x20;
    assert.ok(!checker.valid(message, SOURCE, START_MS), `byte ${at}`);
    message[at]! ^= 0x20;
  }
  const port = makeSockaddr(Uint8Array.of(192, 168, 13, 37), 10_241);
  const address = makeSockaddr(Uint8Array.of(192, 168, 13, 38), 2_570);
  assert.ok(!checker.valid(message, port, START_MS));
  assert.ok(!checker.valid(message, address, START_MS));
  assert.ok(checker.valid(message, SOURCE, START_MS));
  assert.ok(!checker.valid(initiate().datagram, SOURCE, START_MS), "mac2 of zero bytes");
});

test("IPv6: the scope id counts, the flow label does not, a mapped address is IPv4", () => {
  const { checker, holder } = withCookie();
  const linkLocal = Uint8Array.from({ length: 16 }, (_, i) => [0xfe, 0x80][i] ?? i);
  const from = makeSockaddr(linkLocal, 51_820, 7);
  const message = called(holder, START_MS);
  assert.ok(holder.take(checker.reply(message, from, START_MS), START_MS));
  const flow = from.slice();
  flow[5] = 0x99;
  assert.ok(checker.valid(message, from, START_MS));
  assert.ok(checker.valid(message, flow, START_MS));
  assert.ok(!checker.valid(message, makeSockaddr(linkLocal, 51_820, 8), START_MS));
  assert.ok(!checker.valid(message, makeSockaddr(linkLocal, 51_820, 7 << 24), START_MS));

  const mapped = new Uint8Array(28);
  mapped.set([10, 0, 10, 10]);
  mapped.set([0xff, 0xff, 192, 168, 13, 37], 18);
  const second = called(holder, START_MS);
  assert.ok(holder.take(checker.reply(second, mapped, START_MS), START_MS));
  assert.ok(checker.valid(second, SOURCE, START_MS));
});

test("a cookie lasts 120 s, whenever its secret changes", () => {
  const checker = makeChecker();
  const holder = makeHolder();
  const first = called(holder, START_MS);
  checker.reply(first, SOURCE, START_MS);
  const lastMs = START_MS + COOKIE_AGE_MS - 1;
  assert.ok(holder.take(checker.reply(first, SOURCE, lastMs), lastMs));
  assert.ok(checker.valid(first, SOURCE, lastMs + COOKIE_AGE_MS - 1), "used with the old secret");
  assert.ok(!checker.valid(first, SOURCE, START_MS + 2 * COOKIE_AGE_MS), "two secrets later");
  const idle = withCookie();
  const idleMs = START_MS + 2 * COOKIE_AGE_MS;
  assert.ok(!idle.checker.valid(idle.message, SOURCE, idleMs), "nothing came for long");
});

test("a holder takes a reply to its last message only", () => {
  const checker = makeChecker();
  const holder = makeHolder();
  const { datagram } = initiate();
  const reply = checker.reply(datagram, SOURCE, START_MS);
  assert.ok(!holder.take(reply, START_MS), "nothing was sent");
  holder.sign(datagram, SOURCE, NO_LOCAL, START_MS);
  for (const at of [0, 4, 8, 31, 32, 63]) {
    const forged = reply.slice();
    forged[at]! ^= 1;
    assert.ok(!holder.take(forged, START_MS), `byte ${at}`);
  }
  assert.ok(!holder.take(reply.subarray(0, 63), START_MS));
  assert.equal(hex(field(datagram, INITIATION.fields.mac2)), "00".repeat(16));
  const other = checker.reply({ ...initiate(B, A) }.datagram, SOURCE, START_MS);
  assert.ok(!holder.take(other, START_MS), "a reply to another message");
  assert.ok(holder.take(reply, START_MS));
  holder.settle();
  assert.ok(!holder.take(reply, START_MS), "nothing is waited for any more");
});
