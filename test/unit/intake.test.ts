/** intake, refusals, reach — verified a slice at a time; kept by name; where somebody may be. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { formatAge } from "../../src/control/network/ages.ts";
import { Intake, type Outcome } from "../../src/control/network/intake.ts";
import { Members } from "../../src/control/network/members.ts";
import { Reach } from "../../src/control/network/reach.ts";
import { NOBODY, Refusals } from "../../src/control/network/refusals.ts";
import { Revocations } from "../../src/control/network/revocations.ts";
import { RealVerifier, type Verifier } from "../../src/control/network/statement.ts";
import type { Handle } from "../../src/control/network/world.ts";
import { parseAddress } from "../../src/wire/cidr.ts";
import { formatSockaddr } from "../../src/wire/sockaddr.ts";
import { BORN_S, DEFINITION, identityOf } from "../simulation/members-fleet.ts";
import { sockaddrOf } from "../simulation/members-places.ts";
import { recordKey, shownOf, statementOf } from "./network-room.ts";

/** An intake whose verifier takes so long for each. */
const make = (eachMs: number) => {
  const time = { nowMs: 1_000, wakes: 0 };
  const real = new RealVerifier(DEFINITION);
  const verifier: Verifier = {
    known: () => null,
    redefine: () => {},
    certificate: (bytes) => real.certificate(bytes),
    record: (view, owner) => {
      time.nowMs += eachMs;
      return real.record(view, owner);
    },
  };
  const members = new Members();
  const refusals = new Refusals(
    () => 0,
    () => {},
    () => {},
  );
  const taken: number[] = [];
  const done: Outcome[] = [];
  const clock = {
    trusted: true,
    nowMs: () => BORN_S * 1_000,
    certificateS: () => BORN_S,
    raise() {},
  };
  const intake = new Intake({
    bootMs: () => time.nowMs,
    members,
    verifier,
    definition: () => DEFINITION,
    clock: clock as never,
    revocations: new Revocations(),
    refusals,
    admission: { update() {} } as never,
    nodeKey: identityOf(500).signing.publicKey,
    onOwn: () => {},
    onTaken: (slot) => taken.push(slot),
    onDone: (_id, _link, outcome) => done.push(outcome),
    wakeBy: () => time.wakes++,
  });
  return { intake, time, members, taken, refusals };
};

test("five milliseconds of verifying, then five of rest; nothing is lost or done twice", () => {
  const { intake, time, members, taken } = make(1);
  for (let i = 0; i < 100; i++) assert.ok(intake.take(shownOf(identityOf(i)), i, "disk", null));
  assert.equal(taken.length, 5, "a slice at once");
  let slices = 0;
  while (intake.waiting > 0) {
    assert.ok(intake.dueMs >= time.nowMs + 4, "there is a pause");
    intake.tick(intake.dueMs - 1);
    time.nowMs = intake.dueMs;
    const before = taken.length;
    intake.tick(time.nowMs);
    assert.ok(taken.length - before <= 5);
    assert.ok(++slices < 100);
  }
  assert.equal(intake.dueMs, Number.POSITIVE_INFINITY);
  assert.equal(members.size, 100);
  assert.equal(taken.length, 100);
});

test("quick ones: sixty-four at a time; a queue that is full takes no more", () => {
  const { intake, time, taken } = make(0);
  const all = Array.from({ length: 200 }, (_, i) => shownOf(identityOf(i)));
  for (const [i, shown] of all.entries()) intake.take(shown, i, "disk", null);
  assert.equal(taken.length, 64);
  while (intake.hasRoom) intake.take(all[0]!, 0, "disk", null);
  assert.equal(intake.waiting, 1_024);
  assert.ok(!intake.take(all[0]!, 0, "disk", null));
  while (intake.waiting > 0) {
    time.nowMs = intake.dueMs;
    intake.tick(time.nowMs);
  }
  assert.equal(taken.length, 200);
});

test("what is lent is copied before it waits", () => {
  const { intake, time, members } = make(10);
  intake.take(shownOf(identityOf(1)), 1, "disk", null);
  const lent = shownOf(identityOf(2));
  intake.take(lent, 2, "disk", null);
  lent.record.fill(0);
  lent.certificate.fill(0);
  while (intake.waiting > 0) {
    time.nowMs = intake.dueMs;
    intake.tick(time.nowMs);
  }
  assert.equal(members.size, 2);
});

test("a certificate that is left out has to be the one that is known", () => {
  const { intake, members, refusals } = make(0);
  const { certificate } = shownOf(identityOf(1));
  const newer = {
    ...shownOf(identityOf(1), { sequence: BORN_S * 1_000 + 5 }),
    certificate: new Uint8Array(0),
  };
  assert.equal(intake.takeNow(newer, "intro"), -1, "nobody knows it");
  const slot = intake.takeNow(shownOf(identityOf(1)), "intro");
  assert.equal(intake.takeNow(newer, "intro"), slot);
  assert.equal(members.at(slot).sequence, BORN_S * 1_000 + 5);
  assert.deepEqual(members.at(slot).certificate, certificate);
  for (const record of [new Uint8Array(0), new Uint8Array(120).fill(1)]) {
    assert.equal(intake.takeNow({ record, certificate }, "intro"), -1);
  }
  assert.equal(refusals.of(NOBODY).length, 1);
});

test("refusals: by name and reason, counted, the latest first, bounded", () => {
  const first: string[] = [];
  const counts: string[] = [];
  const refusals = new Refusals(
    () => 0,
    (reason) => counts.push(reason),
    (name) => first.push(name),
  );
  for (let i = 0; i < 5; i++) refusals.add("alice", "recordOld", `the ${i}th`, 100 + i);
  refusals.add("alice", "certificateTime", "it has expired", 200);
  assert.deepEqual(first, ["alice", "alice"]);
  assert.equal(counts.length, 6);
  const [latest, other] = refusals.of("alice");
  assert.equal(latest!.reason, "certificateTime");
  assert.deepEqual(other, {
    reason: "recordOld",
    why: "the 4th",
    firstS: 100,
    lastS: 104,
    count: 5,
  });
  for (let i = 0; i < 2_000; i++) refusals.add(`name-${i}`, "recordOld", "again", i);
  assert.equal(refusals.names().length, 512);
  assert.deepEqual(refusals.of("alice"), []);
});

test("places: its session's, where it was seen, what it says; never nobody's", () => {
  const texts = [
    "127.0.0.1",
    "0.0.0.0",
    "224.0.0.1",
    "255.255.255.255",
    "169.254.1.1",
    "::1",
    "::",
    "ff02::1",
    "fe80::1",
    "10.64.0.9",
    "::ffff:127.0.0.1",
    "192.0.2.9",
    "fd00::9",
  ];
  const candidates = texts.map((text) => ({ kind: 1, address: parseAddress(text)!, port: 7 }));
  const members = new Members();
  const handle: Handle = { publicKey: identityOf(1).publicKey };
  const session = { at: null as Uint8Array | null };
  const cidrs = () => DEFINITION.cidrs;
  const world = { endpoint: () => session.at, bootstrap: () => [] };
  const reach = new Reach({ world, members, cidrs, recordKey, refuse: () => {} });
  const slotOf = (some: typeof candidates): number => {
    const sequence = BORN_S * 1_000 + members.size;
    return members.put(statementOf(identityOf(1), { candidates: some, sequence }), {
      way: "gossip",
      from: -1,
      heardS: 1,
    });
  };
  let slot = slotOf(candidates.slice(0, 6));
  members.setHandle(slot, handle);
  assert.deepEqual(reach.places(slot), []);
  assert.equal(reach.next(slot), null);
  slot = slotOf(candidates.slice(6));
  const places = () => reach.places(slot).map((place) => formatSockaddr(place));
  assert.deepEqual(places(), ["192.0.2.9:7", "[fd00::9]:7"]);
  reach.seen(members.at(slot).id, sockaddrOf(1));
  session.at = sockaddrOf(2);
  assert.deepEqual(places(), [
    "198.18.0.2:51820",
    "198.18.0.1:51820",
    "192.0.2.9:7",
    "[fd00::9]:7",
  ]);
  const tried = Array.from({ length: 5 }, () => formatSockaddr(reach.next(slot)!));
  assert.deepEqual(tried, [...places(), places()[0]], "in turn");
  reach.reached(handle);
  assert.equal(formatSockaddr(reach.next(slot)!), places()[0]);
  for (let id = 0; id < 5_000; id++) reach.remember(id, sockaddrOf(3));
  assert.notEqual(reach.hint(members.at(slot).id), null, "those of the disk come after");
});

test("ages that people read", () => {
  assert.deepEqual([-5, 0, 59, 119, 120, 3_600, 7_200, 86_400, 200_000].map(formatAge), [
    "0 s",
    "0 s",
    "59 s",
    "119 s",
    "2 min",
    "60 min",
    "2 h",
    "24 h",
    "2 d",
  ]);
});

test("a queue that is never empty keeps nothing of what was looked at", () => {
  const { intake, time } = make(0);
  const shown = shownOf(identityOf(1));
  setFlagsFromString("--expose_gc");
  const collect = runInNewContext("gc") as () => void;
  collect();
  const before = process.memoryUsage().heapUsed + process.memoryUsage().arrayBuffers;
  for (let i = 0; i < 600; i++) {
    for (let each = 0; each < 64 || intake.waiting < 100; each++) {
      intake.take(shown, 1, "disk", null);
    }
    time.nowMs = Math.max(time.nowMs, intake.dueMs);
    intake.tick(time.nowMs);
  }
  assert.ok(intake.waiting > 0);
  collect();
  const after = process.memoryUsage().heapUsed + process.memoryUsage().arrayBuffers;
  assert.ok(after - before < 8_000_000, `${after - before}`);
});
