import assert from "node:assert/strict";
import { test } from "node:test";
import { messageLimits, REKEY_AFTER_MESSAGES } from "../../src/control/sessions/limits.ts";
import {
  type Action,
  JITTER_MS,
  type Observation,
  PeerTimers,
  type SessionSeen,
  TIMING,
} from "../../src/control/sessions/timers.ts";
import { REJECT_AFTER_MESSAGES } from "../../src/wire/handshake.ts";

const NOTHING: Observation = {
  lastSentMs: 0,
  lastDataSentMs: 0,
  lastReceivedMs: 0,
  lastDataReceivedMs: 0,
  wantedAtMs: 0,
  session: null,
  persistentKeepaliveMs: 0,
};
const T0 = 1_000_000;
const noJitter = (): number => 0;
const LIMITS = messageLimits(0, 1_420);

/** Timers whose session was made at T0, and that have looked at it once. */
const withSession = (initiator: boolean, seen: Partial<Observation> = {}) => {
  const timers = new PeerTimers(noJitter);
  const session: SessionSeen = { bornMs: T0, initiator, sentCounter: 0, limits: LIMITS };
  timers.handshakeDone(T0);
  const base: Observation = { ...NOTHING, session, ...seen };
  assert.deepEqual(timers.step(base, T0), []);
  return { timers, base, session };
};

/** Steps whenever the timers ask to, until `untilMs`; what came out, with its time since T0. */
const run = (
  timers: PeerTimers,
  seen: Observation,
  fromMs: number,
  untilMs: number,
): [number, Action][] => {
  const out: [number, Action][] = [];
  for (let now = timers.nextDueMs(fromMs); now <= untilMs; now = timers.nextDueMs(now)) {
    for (const action of timers.step(seen, now)) {
      out.push([now - T0, action]);
      if (action === "initiate") timers.handshakeSent(now);
    }
    assert.ok(timers.nextDueMs(now) > now, "after a step nothing is due at once");
  }
  return out;
};

test("constants are the paper's", () => {
  const { jitterMs, askEveryMs, ...paper } = TIMING;
  assert.deepEqual(paper, {
    rekeyAfterTimeMs: 120_000,
    rejectAfterTimeMs: 180_000,
    rekeyAttemptTimeMs: 90_000,
    rekeyTimeoutMs: 5_000,
    keepaliveTimeoutMs: 10_000,
  });
  assert.deepEqual(LIMITS, {
    rekeyAfter: 1n << 60n,
    rejectAfter: (1n << 64n) - (1n << 13n) - 1n,
  });
  assert.equal(jitterMs, 333);
  assert.equal(askEveryMs, 30_000);
});

test("a peer that nobody talks to sleeps for ever", () => {
  const timers = new PeerTimers(noJitter);
  assert.equal(timers.nextDueMs(T0), T0);
  assert.deepEqual(timers.step(NOTHING, T0), []);
  assert.equal(timers.nextDueMs(T0), Number.POSITIVE_INFINITY);
});

test("a wanted session: initiations every REKEY_TIMEOUT, given up after REKEY_ATTEMPT_TIME", () => {
  const timers = new PeerTimers(noJitter);
  const out = run(timers, { ...NOTHING, wantedAtMs: T0 }, T0, T0 + 500_000);
  const expected: [number, Action][] = [];
  for (let at = 0; at < 90_000; at += 5_000) expected.push([at, "initiate"]);
  expected.push([90_000, "giveUp"]);
  assert.deepEqual(out, expected);
  assert.equal(timers.attempting, false);
  assert.equal(timers.nextDueMs(T0 + 500_000), T0 + 90_000 + 540_000, "then only zeroing is left");
});

test("retries are spread by the jitter that was passed in", () => {
  for (const random of [0, 0.5, 0.999]) {
    const timers = new PeerTimers(() => random);
    const out = run(timers, { ...NOTHING, wantedAtMs: T0 }, T0, T0 + 6_000);
    assert.equal(out.length, 2);
    const retriedMs = out[1]?.[0] ?? 0;
    assert.ok(Math.abs(retriedMs - 5_000 - random * JITTER_MS) < 1e-6, `${retriedMs}`);
  }
});

test("new packets prolong an attempt, as the paper says", () => {
  const timers = new PeerTimers(noJitter);
  run(timers, { ...NOTHING, wantedAtMs: T0 }, T0, T0 + 80_000);
  const out = run(timers, { ...NOTHING, wantedAtMs: T0 + 80_000 }, T0 + 80_000, T0 + 300_000);
  assert.deepEqual(out.at(-1), [170_000, "giveUp"]);
});

test("after giving up only a newer request starts again", () => {
  const timers = new PeerTimers(noJitter);
  const old = { ...NOTHING, wantedAtMs: T0 };
  run(timers, old, T0, T0 + 100_000);
  assert.deepEqual(timers.step(old, T0 + 100_000), []);
  const again = { ...NOTHING, wantedAtMs: T0 + 100_001 };
  assert.deepEqual(timers.step(again, T0 + 100_001), ["initiate"]);
});

test("a request that a session answered does not count when that session ends", () => {
  const timers = new PeerTimers(noJitter);
  assert.deepEqual(timers.step({ ...NOTHING, wantedAtMs: T0 - 50 }, T0 - 50), ["initiate"]);
  timers.handshakeSent(T0 - 50);
  timers.handshakeDone(T0);
  const session = { bornMs: T0, initiator: true, sentCounter: 1, limits: LIMITS };
  const seen = { ...NOTHING, wantedAtMs: T0 - 50, session };
  assert.deepEqual(run(timers, seen, T0, T0 + 500_000), [[180_000, "expire"]]);
});

test("an initiator that sends rekeys after REKEY_AFTER_TIME; a silent one does not", () => {
  const { timers, base } = withSession(true);
  assert.deepEqual(timers.step({ ...base, lastSentMs: T0 + 119_999 }, T0 + 121_000), []);
  const { timers: sender } = withSession(true);
  const seen = { ...base, lastSentMs: T0 + 120_000 };
  assert.deepEqual(sender.step(seen, T0 + 120_100), ["initiate"]);
});

test("a responder that sends leaves rekeying to the initiator, but for the last 10 s", () => {
  const { timers, base } = withSession(false);
  const early = { ...base, lastSentMs: T0 + 169_999 };
  assert.deepEqual(run(timers, early, T0, T0 + 179_999), []);
  assert.deepEqual(timers.step({ ...base, lastSentMs: T0 + 170_000 }, T0 + 179_999), ["initiate"]);
});

test("either role rekeys after REKEY_AFTER_MESSAGES, counted as bigint or number", () => {
  for (const initiator of [true, false]) {
    for (const sentCounter of [REKEY_AFTER_MESSAGES, Number(REKEY_AFTER_MESSAGES)]) {
      const { timers, base, session } = withSession(initiator);
      const at = T0 + 6_000;
      const seen = { ...base, lastSentMs: at };
      const before = { ...session, sentCounter: REKEY_AFTER_MESSAGES - 1n };
      assert.deepEqual(timers.step({ ...seen, session: before }, at), []);
      assert.deepEqual(timers.step({ ...seen, session: { ...session, sentCounter } }, at), [
        "initiate",
      ]);
    }
  }
});

test("a session ends at REJECT_AFTER_TIME or REJECT_AFTER_MESSAGES, and says so once", () => {
  const { timers, base, session } = withSession(false);
  assert.deepEqual(timers.step(base, T0 + 179_999), []);
  assert.deepEqual(timers.step(base, T0 + 180_000), ["expire"]);
  assert.deepEqual(timers.step(base, T0 + 180_001), []);
  const { timers: other } = withSession(false);
  const used = { ...session, sentCounter: REJECT_AFTER_MESSAGES };
  assert.deepEqual(other.step({ ...base, session: used }, T0 + 1_000), ["expire"]);
});

test("an AES session counts blocks: replaced at 2^35, refused at 2^36", () => {
  // A packet of 1420 bytes is 89 blocks, its length and the tag's mask are two more.
  const limits = messageLimits(1, 1_420);
  assert.deepEqual(limits, { rekeyAfter: 2n ** 35n / 91n, rejectAfter: 2n ** 36n / 91n });
  assert.deepEqual(messageLimits(1, 65_455).rejectAfter, 2n ** 36n / 4_093n);
  for (const mtu of [576, 1_280, 1_420, 9_000, 65_455]) {
    const blocks = BigInt(Math.ceil(mtu / 16) + 2);
    const { rekeyAfter, rejectAfter } = messageLimits(1, mtu);
    assert.ok(rejectAfter * blocks <= 2n ** 36n && (rejectAfter + 1n) * blocks > 2n ** 36n);
    assert.ok(rekeyAfter * blocks <= 2n ** 35n && (rekeyAfter + 1n) * blocks > 2n ** 35n);
  }
  const { timers, base, session } = withSession(false);
  const at = T0 + 6_000;
  const used = (sentCounter: bigint): Observation => ({
    ...base,
    lastSentMs: at,
    session: { ...session, limits, sentCounter },
  });
  assert.deepEqual(timers.step(used(limits.rekeyAfter - 1n), at), []);
  assert.deepEqual(timers.step(used(limits.rekeyAfter), at), ["initiate"]);
  const { timers: other } = withSession(false);
  assert.deepEqual(other.step(used(limits.rejectAfter), at), ["expire"]);
});

test("a session is renewed when that was asked for: once, and after an attempt", () => {
  const { timers, base } = withSession(true);
  timers.renewAt(T0 + 250);
  assert.deepEqual(run(timers, base, T0, T0 + 20_000), [[250, "renew"]]);
  const { timers: trying } = withSession(true);
  trying.renewAt(T0 + 250);
  trying.handshakeSent(T0 + 100);
  assert.deepEqual(run(trying, base, T0, T0 + 4_000), []);
  assert.deepEqual(run(trying, base, T0 + 4_000, T0 + 100_000).slice(-2), [
    [90_100, "giveUp"],
    [90_100, "renew"],
  ]);
  const { timers: needing, session } = withSession(true);
  needing.renewAt(T0 + 121_000);
  const seen = { ...base, session, lastSentMs: T0 + 120_900 };
  assert.deepEqual(needing.step(seen, T0 + 121_000), ["initiate"], "one initiation, not two");
  const none = new PeerTimers(noJitter);
  none.renewAt(T0 + 250);
  assert.deepEqual(run(none, NOTHING, T0, T0 + 4_000), []);
});

test("keys are zeroed three REJECT_AFTER_TIME after the last session", () => {
  const { timers, base } = withSession(false);
  assert.deepEqual(run(timers, base, T0, T0 + 9_000_000), [
    [180_000, "expire"],
    [540_000, "zero"],
  ]);
  assert.equal(timers.nextDueMs(T0 + 9_000_000), Number.POSITIVE_INFINITY);
});

test("a suspend of an hour expires and zeroes in one look", () => {
  const { timers, base } = withSession(true);
  assert.deepEqual(timers.step(base, T0 + 3_600_000), ["expire", "zero"]);
});

test("data received and nothing sent: one keepalive, early by a quarter at most", () => {
  for (const offsetMs of [1, 700, 2_400, 2_600, 7_499]) {
    const { timers, base } = withSession(false);
    // Nothing happens up to the offset; the data path wakes nobody.
    run(timers, base, T0, T0 + offsetMs - 1);
    const seen = {
      ...base,
      lastReceivedMs: T0 + offsetMs,
      lastDataReceivedMs: T0 + offsetMs,
    };
    const out = run(timers, seen, T0 + offsetMs, T0 + 60_000);
    assert.equal(out.length, 1, JSON.stringify(out));
    const [at, action] = out[0] as [number, Action];
    assert.equal(action, "keepalive");
    const afterMs = at - offsetMs;
    assert.ok(afterMs >= 7_500 && afterMs <= 10_000, `${afterMs} ms after the data`);
  }
});

test("data that keeps coming does not put the keepalive off", () => {
  for (const offsetMs of [1, 700, 2_400, 2_600]) {
    const { timers, base } = withSession(false);
    run(timers, base, T0, T0 + offsetMs - 1);
    const out: number[] = [];
    for (let now = T0 + offsetMs; now <= T0 + offsetMs + 10_000; now += 1) {
      if (timers.nextDueMs(now) > now) continue;
      const seen = { ...base, lastReceivedMs: now, lastDataReceivedMs: now };
      if (timers.step(seen, now).includes("keepalive")) out.push(now - T0 - offsetMs);
    }
    assert.equal(out.length, 1);
    assert.ok((out[0] ?? 0) >= 7_500, `${out[0]} ms after the first data`);
  }
});

test("a keepalive is not answered, and sending anything makes one needless", () => {
  const { timers, base } = withSession(false);
  assert.deepEqual(run(timers, { ...base, lastReceivedMs: T0 + 100 }, T0, T0 + 60_000), []);
  const { timers: busy } = withSession(false);
  const seen = { ...base, lastDataReceivedMs: T0 + 100, lastSentMs: T0 + 101 };
  assert.deepEqual(run(busy, seen, T0, T0 + 60_000), []);
});

test("data sent and nothing back: a handshake after 15 s, late by a quarter at most", () => {
  for (const initiator of [true, false]) {
    for (const offsetMs of [1, 1_300, 2_499, 4_000]) {
      const { timers, base } = withSession(initiator);
      run(timers, base, T0, T0 + offsetMs - 1);
      const sentMs = T0 + offsetMs;
      const seen = { ...base, lastSentMs: sentMs, lastDataSentMs: sentMs };
      const [first] = run(timers, seen, sentMs, T0 + 60_000);
      assert.deepEqual(first, [offsetMs + 15_000, "initiate"]);
      const { timers: answered } = withSession(initiator);
      run(answered, base, T0, sentMs - 1);
      const back = { ...seen, lastReceivedMs: sentMs };
      assert.deepEqual(run(answered, back, sentMs, T0 + 60_000), []);
    }
  }
});

test("the last minute: an initiator that only receives asks at 165 s", () => {
  const { timers, base } = withSession(true);
  const early = { ...base, lastReceivedMs: T0 + 164_999 };
  assert.deepEqual(timers.step(early, T0 + 166_000), []);
  const seen = { ...base, lastReceivedMs: T0 + 165_000 };
  assert.deepEqual(timers.step(seen, T0 + 166_000), ["initiate"]);
  const { timers: responder, base: answered } = withSession(false);
  const received = { ...answered, lastReceivedMs: T0 + 165_000 };
  assert.deepEqual(responder.step(received, T0 + 166_000), []);
});

test("persistent keepalives go out at their interval and count from any traffic", () => {
  const interval = { persistentKeepaliveMs: 25_000 };
  const { timers, base } = withSession(true, interval);
  const out = run(timers, base, T0, T0 + 80_000);
  assert.deepEqual(out, [
    [25_000, "keepalive"],
    [50_000, "keepalive"],
    [75_000, "keepalive"],
  ]);
  const { timers: busy } = withSession(true, interval);
  const seen = { ...base, lastSentMs: T0 + 20_000, lastReceivedMs: T0 + 21_000 };
  assert.deepEqual(run(busy, seen, T0, T0 + 46_000), [[46_000, "keepalive"]]);
});

test("a persistent keepalive without a session asks for one, and again after giving up", () => {
  const timers = new PeerTimers(noJitter);
  const out = run(timers, { ...NOTHING, persistentKeepaliveMs: 25_000 }, T0, T0 + 120_000);
  assert.deepEqual(out[0], [0, "initiate"]);
  assert.deepEqual(
    out.filter(([at]) => at >= 90_000),
    [
      [90_000, "giveUp"],
      [115_000, "initiate"],
      [120_000, "initiate"],
    ],
  );
});

test("a handshake message of either kind delays ours by REKEY_TIMEOUT", () => {
  const timers = new PeerTimers(noJitter);
  timers.handshakeReceived(T0);
  const seen = { ...NOTHING, wantedAtMs: T0 + 1 };
  assert.deepEqual(timers.step(seen, T0 + 1), []);
  assert.deepEqual(run(timers, seen, T0 + 1, T0 + 6_000), [[5_000, "initiate"]]);
  timers.handshakeReceived(T0 + 7_000);
  assert.deepEqual(run(timers, seen, T0 + 7_000, T0 + 14_000), [[12_000, "initiate"]]);
  timers.handshakeDone(T0 + 14_000);
  assert.equal(timers.attempting, false);
  assert.equal(timers.handshakeDoneMs, T0 + 14_000);
});

test("shorter timings scale every rule", () => {
  const timing = {
    ...TIMING,
    rekeyAfterTimeMs: 1_200,
    rejectAfterTimeMs: 1_800,
    rekeyAttemptTimeMs: 900,
    rekeyTimeoutMs: 50,
    keepaliveTimeoutMs: 100,
  };
  const timers = new PeerTimers(noJitter, timing);
  timers.handshakeDone(T0);
  const session = { bornMs: T0, initiator: true, sentCounter: 0, limits: LIMITS };
  const idle = { ...NOTHING, session };
  assert.deepEqual(run(timers, idle, T0, T0 + 1_199), []);
  const out = run(timers, { ...idle, lastSentMs: T0 + 1_200 }, T0 + 1_199, T0 + 10_000);
  assert.deepEqual(out[0], [1_200, "initiate"]);
  assert.deepEqual(
    out.filter(([, action]) => action !== "initiate"),
    [
      [1_800, "expire"],
      [2_100, "giveUp"],
      [5_400, "zero"],
    ],
  );
});
