/** load — calm and under load, and which budget each kind of sender uses up. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { CookieChecker, CookieHolder } from "../../src/control/strangers/cookie.ts";
import { Limiter } from "../../src/control/strangers/limiter.ts";
import {
  type Budgets,
  INTERVAL_INITIATIONS,
  INTERVAL_MS,
  INTERVAL_RECEIVES,
  Load,
  STICKY_MS,
} from "../../src/control/strangers/load.ts";
import { makeSockaddr } from "../../src/wire/sockaddr.ts";
import { B, fixedBytes, initiate, mac } from "./noise-parties.ts";

const BUDGETS: Budgets = {
  unverified: { perSecond: 10, burst: 2 },
  verified: { perSecond: 10, burst: 7 },
  answers: { perSecond: 10, burst: 3 },
  cookies: { perSecond: 10, burst: 4 },
  neighbours: { perSecond: 1, burst: 2 },
};
const START_MS = 1_000;
const STRANGER = makeSockaddr(Uint8Array.of(203, 0, 113, 1), 4_000);
/** On our own link; the host does not know it. */
const UNKNOWN = makeSockaddr(Uint8Array.of(198, 51, 100, 1), 4_000);
const LOCAL = makeSockaddr(Uint8Array.of(192, 0, 2, 99), 51_820);
const friend = (n: number): Uint8Array => makeSockaddr(Uint8Array.of(192, 0, 2, n), 51_820);

/** A load, how often it began, and messages with a valid mac2 for it. */
const makeLoad = () => {
  let calls = 0;
  const random = (bytes: number) => fixedBytes(`random ${calls++}`, bytes);
  const checker = new CookieChecker({ publicKey: B.keys.publicKey, mac, random });
  const began = { times: 0 };
  const limiter = new Limiter((_, high, low) => high ^ low);
  const isUnknownNeighbour = (to: Uint8Array, local: Uint8Array): boolean => {
    assert.deepEqual(local, LOCAL);
    return to === UNKNOWN;
  };
  const load = new Load(
    { checker, limiter, isUnknownNeighbour, onLoad: () => began.times++ },
    BUDGETS,
  );
  const strain = (): void => {
    for (let i = 0; i < INTERVAL_RECEIVES; i++) load.full(START_MS);
  };
  const verified = (from: Uint8Array): Uint8Array => {
    const holder = new CookieHolder(B.keys.publicKey, mac);
    const { datagram } = initiate();
    holder.sign(datagram, from, new Uint8Array(0), START_MS);
    assert.ok(holder.take(checker.reply(datagram, from, START_MS), START_MS));
    return datagram;
  };
  return { load, began, strain, verified };
};

/** Verdicts of one message that comes again and again at one moment. */
const verdicts = (
  load: Load,
  message: Uint8Array,
  from: Uint8Array,
  times: number,
  nowMs: number,
) => Array.from({ length: times }, () => load.initiation(message, from, LOCAL, nowMs));

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
  load.initiation(datagram, STRANGER, LOCAL, nowMs);
  assert.equal(load.under(nowMs), true);
  assert.equal(load.under(nowMs + STICKY_MS - 1), true);
  assert.equal(load.under(nowMs + STICKY_MS), false);
  assert.equal(began.times, 1);
});

test("several full receives in an interval are load, which begins no second time", () => {
  const { load, began, strain } = makeLoad();
  for (let i = 1; i < INTERVAL_RECEIVES; i++) load.full(START_MS - INTERVAL_MS);
  assert.equal(load.under(START_MS - INTERVAL_MS), false);
  strain();
  assert.equal(load.under(START_MS), true);
  load.full(START_MS + 1);
  assert.equal(load.under(START_MS + STICKY_MS), true);
  assert.equal(began.times, 1);
  load.full(START_MS + 3 * STICKY_MS);
  assert.equal(load.under(START_MS + 3 * STICKY_MS), false, "one full receive is none");
});

test("without mac2: its budget, then cookie replies, then nothing", () => {
  const { load, strain } = makeLoad();
  strain();
  assert.deepEqual(verdicts(load, initiate().datagram, STRANGER, 8, START_MS), [
    ...Array(2).fill("pass"),
    ...Array(4).fill("cookieAsked"),
    ...Array(2).fill("handshakeUnverified"),
  ]);
});

test("addresses of the link that the host does not know use up a budget of their own", () => {
  const { load, strain } = makeLoad();
  strain();
  assert.deepEqual(verdicts(load, initiate().datagram, UNKNOWN, 6, START_MS), [
    ...Array(2).fill("pass"),
    ...Array(2).fill("cookieAsked"),
    ...Array(2).fill("cookieNeighbour"),
  ]);
  const later = START_MS + 400;
  assert.deepEqual(verdicts(load, initiate().datagram, UNKNOWN, 3, later).slice(2), [
    "cookieNeighbour",
  ]);
  assert.equal(load.initiation(initiate().datagram, STRANGER, LOCAL, later), "cookieAsked");
});

test("with mac2: five of a source, seven of all, whatever strangers send", () => {
  const { load, strain, verified } = makeLoad();
  strain();
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
  const { load, strain, verified } = makeLoad();
  strain();
  const message = verified(friend(1));
  // Somebody writes friend 1's address on messages without a valid mac2.
  verdicts(load, initiate().datagram, friend(1), 50, START_MS);
  const passed = verdicts(load, message, friend(1), 5, START_MS);
  assert.deepEqual(passed, Array(5).fill("passVerified"));
  const later = START_MS + 200;
  assert.equal(load.initiation(initiate().datagram, STRANGER, LOCAL, later), "pass");
});

test("responses are never asked for a cookie", () => {
  const { load, strain } = makeLoad();
  const response = new Uint8Array(92);
  assert.equal(load.response(response, STRANGER, START_MS), "pass");
  strain();
  const all = Array.from({ length: 5 }, () => load.response(response, STRANGER, START_MS));
  assert.deepEqual(all, [...Array(3).fill("pass"), ...Array(2).fill("handshakeUnverified")]);
});
