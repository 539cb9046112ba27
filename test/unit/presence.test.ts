/** presence — a peer that owes an answer is seen and said within 20 s, and so is its return. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { peerValue } from "../../src/control/doors/report.ts";
import { type PresenceSeen, presenceOf } from "../../src/control/sessions/presence.ts";
import { PEER } from "../../src/memory/layout.ts";
import { peerWord } from "../../src/memory/peers.ts";
import { doubleAt } from "../../src/memory/region.ts";
import { type End, Pair } from "./control-pair.ts";

const CHACHA = { cipher: "chacha20poly1305" } as const;
const SECOND = 1_000;
/** The issue's: a peer is silent within this long of unanswered traffic. */
const SEEN_MS = 20_000;

// biome-ignore format: a table
const ROWS: readonly (readonly [Partial<PresenceSeen>, string, number | null])[] = [
  [{}, "waiting", null],
  [{ callable: true }, "waiting", null],
  [{ callable: true, attempting: true, owedSinceMs: 99_000 }, "calling", null],
  [{ attempting: true }, "waiting", null],
  [{ callable: true, attempting: true, owedSinceMs: 60_000, overdue: true }, "silent", 40_000],
  [{ callable: true, usable: true, met: true }, "connected", null],
  [{ callable: true, usable: true, met: true, attempting: true, owedSinceMs: 99_000 }, "connected", null],
  [{ callable: true, usable: true, met: true, owedSinceMs: 60_000, overdue: true }, "silent", 40_000],
  [{ callable: true, met: true, owedSinceMs: 60_000, overdue: true }, "silent", 40_000],
  [{ callable: true, met: true }, "idle", null],
];

test("what is seen of a peer says how it is", () => {
  const nothing: PresenceSeen = {
    usable: false,
    attempting: false,
    callable: false,
    met: false,
    owedSinceMs: null,
    overdue: false,
  };
  for (const [seen, state, silentMs] of ROWS) {
    assert.deepEqual(presenceOf({ ...nothing, ...seen }, 100_000), { state, silentMs });
  }
});

type Time = "lastSentMs" | "lastDataSentMs" | "lastReceivedMs" | "lastDataReceivedMs";

/** What I/O threads would write. */
const write = (pair: Pair, end: End, ...times: Time[]): void => {
  const word = peerWord(end.arena, end.peer.entry);
  for (const time of times) end.arena.f64[doubleAt(word, PEER.fields[time])] = pair.nowMs;
};

const seen = (pair: Pair, end: End) => peerValue(end.peer, end.control, pair.nowMs);

/** Lines at info, without the session's first. */
const lines = (end: End): string[] =>
  end.said.filter(([level]) => level !== "debug").map(([, text]) => text);

/** A second of traffic that nobody answers. */
const talk = (pair: Pair, end: End, seconds: number): void => {
  for (let i = 0; i < seconds; i++) {
    write(pair, end, "lastSentMs", "lastDataSentMs");
    pair.run(SECOND);
  }
};

test("data without an answer: silent within 20 s, and connected when it is heard", async () => {
  const pair = await Pair.make(CHACHA, CHACHA);
  const { a } = pair;
  assert.equal(seen(pair, a).state, "waiting");
  pair.call(a);
  assert.equal(seen(pair, a).state, "connected");
  assert.equal(seen(pair, a).path, "direct");
  pair.carries = () => false;
  talk(pair, a, 10);
  assert.equal(seen(pair, a).state, "connected", "its keepalive may still come");
  talk(pair, a, (SEEN_MS - 10_000) / SECOND);
  const silent = seen(pair, a);
  assert.deepEqual([silent.state, silent.path, silent.rttMs], ["silent", "none", null]);
  assert.equal(silent.cipher, "chacha20poly1305", "the session is there");
  assert.ok(silent.silentMs! > 15_000 && silent.silentMs! <= SEEN_MS, `${silent.silentMs} ms`);
  talk(pair, a, 20);
  assert.ok(seen(pair, a).silentMs! > 35_000);
  assert.deepEqual(lines(a), ["peer is connected", "peer does not answer"]);
  pair.carries = () => true;
  talk(pair, a, 6);
  assert.equal(seen(pair, a).state, "connected");
  assert.deepEqual(lines(a).slice(2), ["peer answers again"]);
});

test("an answer on the old session is one, too", async () => {
  const pair = await Pair.make(CHACHA, CHACHA);
  const { a } = pair;
  pair.call(a);
  pair.carries = () => false;
  talk(pair, a, 20);
  assert.equal(seen(pair, a).state, "silent");
  write(pair, a, "lastReceivedMs");
  pair.run(3 * SECOND);
  assert.equal(seen(pair, a).state, "connected");
});

test("a peer that was never there is called, then silent, and stays so", async () => {
  const pair = await Pair.make(CHACHA, CHACHA);
  const { a } = pair;
  pair.carries = () => false;
  a.control.rekey(null);
  assert.equal(seen(pair, a).state, "calling");
  pair.run(SEEN_MS);
  assert.equal(seen(pair, a).state, "silent");
  pair.run(200 * SECOND);
  assert.equal(seen(pair, a).state, "silent", "nobody calls it any more, and it has not answered");
  assert.deepEqual(lines(a), ["peer does not answer"]);
});

test("keepalives call for a handshake when the session is old: that is a debt", async () => {
  const pair = await Pair.make(CHACHA, CHACHA);
  const { a } = pair;
  await a.control.apply({ peers: [{ publicKey: pair.b.publicKey, persistentKeepaliveS: 25 }] });
  pair.run(SECOND);
  pair.carries = () => false;
  for (let i = 0; i < 7; i++) {
    write(pair, a, "lastSentMs");
    pair.run(25 * SECOND);
  }
  assert.equal(seen(pair, a).state, "silent");
});

test("quiet is no silence: a session that is over, an interface that is down", async () => {
  const pair = await Pair.make(CHACHA, CHACHA);
  const { a, b } = pair;
  pair.call(a);
  pair.run(170 * SECOND);
  assert.equal(seen(pair, a).state, "connected");
  pair.run(20 * SECOND);
  for (const end of [a, b]) {
    const { state, path } = seen(pair, end);
    assert.deepEqual([state, path], ["idle", "none"]);
  }
  pair.call(b);
  assert.equal(seen(pair, a).state, "connected");
  assert.equal(seen(pair, b).state, "connected");
  const { lastHandshakeMs } = seen(pair, a);
  assert.equal(typeof lastHandshakeMs, "number");
  await a.control.setUp(false);
  assert.equal(seen(pair, a).state, "idle");
  assert.equal(seen(pair, a).lastHandshakeMs, lastHandshakeMs, "it was, whatever is now");
  assert.deepEqual(lines(a), ["peer is connected", "peer is connected"]);
});

test("new keys are debug, and a peer that moves is one line with both addresses", async () => {
  const pair = await Pair.make(CHACHA, CHACHA);
  const { a } = pair;
  pair.call(a);
  pair.run(10 * SECOND);
  pair.call(a);
  assert.deepEqual(lines(a), ["peer is connected"]);
  assert.ok(a.said.some(([level, text]) => level === "debug" && text === "session has new keys"));
  a.control.entries.setEndpoint(a.peer.entry, a.address);
  pair.run(3 * SECOND);
  const [, text, facts] = a.said.findLast(([level]) => level === "info")!;
  assert.equal(text, "peer moved");
  const { peer, ...moved } = facts!;
  assert.match(String(peer), /^.{8}…$/);
  assert.deepEqual(moved, { from: "192.0.2.2:51820", to: "192.0.2.1:51820" });
});

test("a member that is called at one place after another has not moved", async () => {
  const pair = await Pair.make(CHACHA, CHACHA);
  const { a } = pair;
  a.peer.origin = "network";
  pair.carries = () => false;
  const elsewhere = a.address;
  for (let i = 0; i < 3; i++) {
    a.control.rekey(null);
    a.control.entries.setEndpoint(a.peer.entry, i % 2 === 0 ? elsewhere : pair.b.address);
    pair.run(3 * SECOND);
  }
  assert.ok(!lines(a).includes("peer moved"), lines(a).join());
  assert.ok(a.said.some(([level, text]) => level === "debug" && text === "peer moved"));
  pair.carries = () => true;
  a.control.entries.setEndpoint(a.peer.entry, pair.b.address);
  pair.call(a);
  a.control.entries.setEndpoint(a.peer.entry, elsewhere);
  pair.run(3 * SECOND);
  assert.ok(lines(a).includes("peer moved"), "what goes on elsewhere has moved");
});
