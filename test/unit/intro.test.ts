/** intro — how members that never met introduce themselves. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { makeSockaddr } from "../../src/wire/sockaddr.ts";
import { by, call, type Node, SECRETS, Wire } from "./intro-parts.ts";
import { fixed } from "./noise-parties.ts";

const two = (): { readonly wire: Wire; readonly a: Node; readonly b: Node } => {
  const wire = new Wire();
  return { wire, a: wire.join(1), b: wire.join(2) };
};

const kinds = (wire: Wire): string[] =>
  wire.sent.map(({ datagram }) => `${datagram[0]}.${datagram[4]}`);

test("first contact: INTRO, CHALLENGE, INTRO with the ticket, and message 1 again", () => {
  const { wire, a, b } = two();
  const handle = call(wire, a, b);
  assert.equal(wire.sent.length, 0, "behind message 1");
  assert.equal(a.intro.dueMs, wire.nowMs);
  wire.pass(1);
  assert.deepEqual(kinds(wire), ["9.0", "10.3", "9.0"]);
  assert.deepEqual(b.introduced, [by("intro", a)]);
  assert.deepEqual(a.again, [handle]);
  assert.deepEqual(
    [...b.counts],
    [
      ["introChallenged", 1],
      ["introsTaken", 1],
    ],
  );
  assert.deepEqual(
    [...a.counts],
    [
      ["introsSent", 2],
      ["challengesTaken", 1],
    ],
  );
  assert.equal(a.introduced.length, 0);
});

test("with a ticket the INTRO goes before message 1, and is taken at once", () => {
  const { wire, a, b } = two();
  call(wire, a, b);
  wire.pass(5_000);
  wire.sent.length = 0;
  call(wire, a, b);
  assert.deepEqual(kinds(wire), ["9.0"], "at once");
  wire.deliver();
  assert.deepEqual(b.introduced, [by("intro", a), by("intro", a)]);
  assert.equal(kinds(wire).length, 1);
  // Two minutes later it asks for none that it gave itself: the caller has none.
  wire.pass(120_000);
  call(wire, a, b);
  assert.equal(wire.flying.length, 0);
});

test("where the caller is known, message 2 is first, and the CHALLENGE changes nothing", () => {
  const { wire, a, b } = two();
  call(wire, a, b);
  a.intro.tick(wire.nowMs);
  a.intro.met(b.shows.keys.publicKey);
  wire.deliver();
  assert.deepEqual(kinds(wire), ["9.0", "10.3"]);
  assert.deepEqual([a.again.length, b.introduced.length], [0, 0]);
  assert.equal(a.counts.get("challengesTaken"), 1);
  assert.equal(a.counts.has("challengeUnexpected"), false);
});

test("met before it went: nothing goes", () => {
  const { wire, a, b } = two();
  call(wire, a, b);
  a.intro.met(b.shows.keys.publicKey);
  wire.pass(100);
  assert.equal(wire.sent.length, 0);
  assert.equal(a.intro.dueMs, Number.POSITIVE_INFINITY);
});

test("WHO: an address without a key is asked until it answers", () => {
  const { wire, a, b } = two();
  let lost = 3;
  wire.carries = () => lost-- <= 0;
  assert.equal(a.intro.ask(b.address, wire.nowMs), true);
  wire.pass(60_000);
  assert.deepEqual(kinds(wire), ["9.3", "9.3", "9.3", "9.3", "9.4"]);
  assert.deepEqual(a.introduced, [by("here", b)]);
  assert.deepEqual([a.counts.get("heresTaken"), b.counts.get("whosAnswered")], [1, 1]);
  assert.equal(a.intro.dueMs, Number.POSITIVE_INFINITY, "asked no more");
  const later = new Wire();
  later.join(3).intro.ask(b.address, later.nowMs);
  later.pass(60_000);
  const times = 1 + 5 + Math.floor((60 - 7.75) / 15);
  assert.equal(later.sent.length, times);
});

test("while there are sessions, an address that does not answer is asked each five minutes", () => {
  const { wire, a } = two();
  const dead = makeSockaddr(Uint8Array.of(10, 0, 0, 99), 51_820);
  a.alone = false;
  a.intro.ask(dead, wire.nowMs);
  wire.pass(3_600_000);
  assert.equal(wire.sent.length, 6 + 4 + 11);
  // The last session has ended: it is asked again soon.
  a.alone = true;
  wire.sent.length = 0;
  a.intro.ask(dead, wire.nowMs);
  wire.pass(60_000);
  assert.equal(wire.sent.length, 4);
});

test("after a HERE the first INTRO has its ticket", () => {
  const { wire, a, b } = two();
  a.intro.ask(b.address, wire.nowMs);
  wire.deliver();
  wire.sent.length = 0;
  call(wire, a, b);
  wire.deliver();
  assert.deepEqual(kinds(wire), ["9.0"]);
  assert.deepEqual(b.introduced, [by("intro", a)]);
});

test("asked once, an address gets one WHO; ourselves are met and left alone", () => {
  const { wire, a } = two();
  a.intro.askOnce(makeSockaddr(Uint8Array.of(10, 0, 0, 99), 51_820), 3, wire.nowMs);
  wire.pass(60_000);
  assert.equal(wire.sent.length, 1);
  assert.equal(a.intro.held.asked, 0);
  a.intro.ask(a.address, wire.nowMs);
  wire.pass(60_000);
  assert.equal(wire.sent.length, 3, "WHO and HERE");
  assert.deepEqual([a.intro.held.asked, a.introduced.length], [0, 0]);
});

test("a member with an old secret meets those that have the newest, in both directions", () => {
  const wire = new Wire();
  const a = wire.join(1);
  const old = wire.join(2, { secrets: [SECRETS[1]!] });
  call(wire, old, a);
  wire.pass(1_000);
  assert.deepEqual(a.introduced, [by("intro", old)]);
  const handle = call(wire, a, old);
  wire.pass(1_000);
  assert.deepEqual(old.introduced, [], "it does not know the newest");
  assert.equal(old.counts.get("introEpoch"), 1);
  call(wire, a, old, handle);
  wire.pass(1_000);
  assert.deepEqual(old.introduced, [by("intro", a)]);
  const b = wire.join(3);
  b.intro.ask(old.address, wire.nowMs);
  wire.pass(1_000);
  assert.deepEqual(b.introduced, [by("here", old)]);
  wire.sent.length = 0;
  call(wire, b, old);
  wire.deliver();
  assert.deepEqual(kinds(wire), ["9.0"]);
  assert.deepEqual(old.introduced.at(-1), by("intro", b));
});

test("calls and askings are bounded", () => {
  const wire = new Wire();
  const a = wire.join(1);
  for (let i = 0; i < 5_000; i++) {
    const to = makeSockaddr(Uint8Array.of(10, 7, i >> 8, i & 255), 5_000);
    a.intro.introduce({}, fixed(`${i}`), to, wire.nowMs);
    a.intro.ask(to, wire.nowMs);
  }
  assert.deepEqual(a.intro.held, { calls: 4_096, asked: 256, seen: 0 });
});
