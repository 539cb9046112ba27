/** load — calm and under load, and which budget each kind of sender uses up. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { CookieChecker, CookieHolder } from "../../src/control/cookie.ts";
import { Limiter } from "../../src/control/limiter.ts";
import {
  type Budgets,
  INTERVAL_INITIATIONS,
  INTERVAL_MS,
  Load,
  STICKY_MS,
} from "../../src/control/load.ts";
import { makeSockaddr } from "../../src/wire/sockaddr.ts";
import { B, fixedBytes, initiate, mac } from "./noise-parties.ts";

const BUDGETS: Budgets = {
  unverified: { perSecond: 10, burst: 2 },
  verified: { perSecond: 10, burst: 7 },
  answers: { perSecond: 10, burst: 3 },
  cookies: { perSecond: 10, burst: 4 },
};
const START_MS = 1_000;
const STRANGER = makeSockaddr(Uint8Array.of(203, 0, 113, 1), 4_000);
const friend = (n: number): Uint8Array => makeSockaddr(Uint8Array.of(192, 0, 2, n), 51_820);

/** A load, how often it began, and messages with a valid mac2 for it. */
const makeLoad = () => {
  let calls = 0;
  const random = (bytes: number) => fixedBytes(`random ${calls++}`, bytes);
  const checker = new CookieChecker({ publicKey: B.keys.publicKey, mac, random });
  const began = { times: 0 };
  const limiter = new Limiter((_, high, low) => high ^ low);
  const load = new Load(checker, limiter, () => began.times++, BUDGETS);
  const verified = (from: Uint8Array): Uint8Array => {
    const holder = new CookieHolder(B.keys.publicKey, mac);
    const { datagram } = initiate();
    holder.sign(datagram, from, new Uint8Array(0), START_MS);
    assert.ok(holder.take(checker.reply(datagram, from, START_MS), START_MS));
    return datagram;
  };
  return { load, began, verified };
};

/** Verdicts of one message that comes again and again at one moment. */
const verdicts = (
  load: Load,
  message: Uint8Array,
  from: Uint8Array,
  times: number,
  nowMs: number,
) => Array.from({ length: times }, () => load.initiation(message, from, nowMs));

test("a few initiations an interval pass; one more, and it is under load for a second", () => {
  const { load, began } = makeLoad();
  const { datagram } = initiate();
  for (let round = 0; round < 3; round++) {
    const nowMs = START_MS + round * INTERVAL_MS;
    const all = verdicts(load, datagram, STRANGER, INTERVAL_INITIATIONS, nowMs);
    assert.ok(all.every((verdict) => verdict === "pass"));
    assert.equal(load.under(nowMs), false);
  }
  const nowMs = START_MS + 2 * INTERVAL_MS;
  load.initiation(datagram, STRANGER, nowMs);
  assert.equal(load.under(nowMs), true);
  assert.equal(load.under(nowMs + STICKY_MS - 1), true);
  assert.equal(load.under(nowMs + STICKY_MS), false);
  assert.equal(began.times, 1);
});

test("a full batch is load at once; while it lasts it begins no second time", () => {
  const { load, began } = makeLoad();
  load.full(START_MS);
  load.full(START_MS + STICKY_MS - 1);
  assert.equal(load.under(START_MS + 2 * STICKY_MS - 2), true);
  assert.equal(began.times, 1);
  load.full(START_MS + 3 * STICKY_MS);
  assert.equal(began.times, 2);
});

test("without mac2: its budget, then cookie replies, then nothing", () => {
  const { load } = makeLoad();
  load.full(START_MS);
  assert.deepEqual(verdicts(load, initiate().datagram, STRANGER, 8, START_MS), [
    ...Array(2).fill("pass"),
    ...Array(4).fill("cookieAsked"),
    ...Array(2).fill("handshakeUnverified"),
  ]);
});

test("with mac2: five of a source, seven of all, whatever strangers send", () => {
  const { load, verified } = makeLoad();
  load.full(START_MS);
  verdicts(load, initiate().datagram, STRANGER, 20, START_MS);
  assert.deepEqual(verdicts(load, verified(friend(1)), friend(1), 6, START_MS), [
    ...Array(5).fill("passVerified"),
    "handshakeSource",
  ]);
  assert.deepEqual(verdicts(load, verified(friend(2)), friend(2), 3, START_MS), [
    ...Array(2).fill("passVerified"),
    "handshakeVerified",
  ]);
});

test("verified senders use up nothing of the others, and no stranger a source's bucket", () => {
  const { load, verified } = makeLoad();
  load.full(START_MS);
  const message = verified(friend(1));
  // Somebody writes friend 1's address on messages without a valid mac2.
  verdicts(load, initiate().datagram, friend(1), 50, START_MS);
  const passed = verdicts(load, message, friend(1), 5, START_MS);
  assert.deepEqual(passed, Array(5).fill("passVerified"));
  const later = START_MS + 200;
  assert.equal(load.initiation(initiate().datagram, STRANGER, later), "pass");
});

test("responses are never asked for a cookie", () => {
  const { load } = makeLoad();
  const response = new Uint8Array(92);
  assert.equal(load.response(response, STRANGER, START_MS), "pass");
  load.full(START_MS);
  const all = Array.from({ length: 5 }, () => load.response(response, STRANGER, START_MS));
  assert.deepEqual(all, [...Array(3).fill("pass"), ...Array(2).fill("handshakeUnverified")]);
});
