/** own record — issued when something changed, over every sequence that others know; clones. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Clock } from "../../src/control/network/clock.ts";
import { OwnRecord } from "../../src/control/network/own-record.ts";
import type { HeldSecret } from "../../src/control/network/secrets.ts";
import { Secrets } from "../../src/control/network/secrets.ts";
import type { Statement } from "../../src/control/network/statement.ts";
import type { OwnAddress } from "../../src/control/network/world.ts";
import type { Announced } from "../../src/members/record.ts";
import { parseAddress, parseCidr } from "../../src/wire/cidr.ts";
import { makeSockaddr } from "../../src/wire/sockaddr.ts";
import { BORN_S, BUILT_S, DEFINITION, identityOf, secretOf } from "../simulation/members-fleet.ts";
import { Random } from "../simulation/random.ts";
import { recordKey, type Says, statementOf } from "./network-room.ts";

const HOUR_MS = 3_600_000;
const identity = identityOf(1);

const secretsOf = (...epochs: readonly number[]): Secrets => {
  const secrets = new Secrets();
  for (const epoch of epochs) secrets.load(epoch, secretOf(epoch));
  return secrets;
};

const make = (sequence = 0, announce: readonly Announced[] = [], unixMs = BORN_S * 1_000) => {
  const random = new Random(1, 1);
  const world = {
    nowMs: 1_000,
    unixMs,
    held: secretsOf(1).newest as HeldSecret | null,
    addresses: [] as OwnAddress[],
    observed: [] as OwnAddress[],
    written: [] as number[],
    issued: [] as Statement[],
    clones: 0,
  };
  const bootMs = () => world.nowMs;
  const clock = new Clock({
    bootMs,
    unixMs: () => world.unixMs,
    builtS: BUILT_S,
    others: () => 3,
    onHeld: () => {},
    onSet: () => {},
  });
  const own = new OwnRecord({
    world: {
      bootMs,
      random: random.fraction,
      randomBytes: random.bytes,
      addresses: () => world.addresses,
    },
    clock,
    networkId: DEFINITION.networkId,
    signingKey: identity.signing.secretKey,
    certificate: () => identity.certificate,
    secret: () => world.held,
    suites: 3,
    announce,
    observed: () => world.observed,
    sequence,
    writeSequence: (written) => {
      assert.equal(world.issued.length, world.written.length, "written before it is out");
      world.written.push(written);
    },
    onIssued: (statement) => world.issued.push(statement),
    onForeign: () => {},
    onClone: () => world.clones++,
    wakeBy: () => {},
  });
  const pass = (ms: number): void => {
    for (const endMs = world.nowMs + ms; world.nowMs < endMs; ) {
      const step = Math.min(endMs, Math.max(world.nowMs + 1, own.dueMs)) - world.nowMs;
      world.nowMs += step;
      world.unixMs += step;
      own.tick(world.nowMs);
    }
  };
  own.tick(world.nowMs);
  return { own, world, pass, clock };
};

test("issued at the start, when something changed, and every twelve hours", () => {
  const { own, world, pass } = make();
  assert.equal(world.issued.length, 1);
  const [first] = world.issued;
  assert.equal(first!.expiresS - first!.issuedS, 86_400);
  assert.equal(first!.sequence, BORN_S * 1_000);
  pass(5_000);
  for (let i = 0; i < 10; i++) own.changed(world.nowMs + i);
  pass(1_400);
  assert.equal(world.issued.length, 1, "changes are gathered");
  pass(200);
  assert.equal(world.issued.length, 2);
  assert.ok(world.issued[1]!.sequence > first!.sequence);
  pass(10 * HOUR_MS);
  assert.equal(world.issued.length, 2);
  pass(2 * HOUR_MS);
  assert.equal(world.issued.length, 3);
  assert.deepEqual(
    world.written,
    world.issued.map(({ sequence }) => sequence),
  );
});

test("a clock that was set back: over the sequence of the disk", () => {
  const { world } = make(BORN_S * 1_000 + 60_000);
  assert.equal(world.issued[0]!.sequence, BORN_S * 1_000 + 60_001);
});

test("a clock that is far behind what was signed: no record that has expired already", () => {
  const { own, world, pass, clock } = make();
  const signedS = BORN_S + 3 * 86_400;
  clock.raise(signedS);
  own.changed(world.nowMs);
  pass(2_000);
  const { issuedS, expiresS, sequence } = world.issued[1]!;
  assert.deepEqual([issuedS, expiresS], [signedS, signedS + 86_400]);
  assert.ok(sequence >= signedS * 1_000);
});

test("a sequence that lies in the future is nobody's: the clock was wrong", () => {
  const { world } = make(BORN_S * 1_000 + 100 * HOUR_MS);
  assert.equal(world.issued[0]!.sequence, BORN_S * 1_000);
});

test("who knows a higher one of ours is heard; one from the future is not", () => {
  const { own, world, pass } = make();
  const { sequence } = world.issued[0]!;
  own.echoed(sequence, world.nowMs);
  own.echoed(sequence - 5, world.nowMs);
  own.echoed(sequence + 100 * HOUR_MS, world.nowMs);
  pass(5_000);
  assert.equal(world.issued.length, 1);
  own.echoed(sequence + 200_000, world.nowMs);
  pass(5_000);
  assert.equal(world.issued[1]!.sequence, sequence + 200_001);
});

test("it says our addresses and prefixes, as many as there is room for", () => {
  const announce = Array.from({ length: 16 }, (_, i) => ({
    prefix: parseCidr(`192.168.${i}.0/24`)!,
    metric: i,
  }));
  const { own, world, pass } = make(0, announce);
  world.addresses = Array.from({ length: 9 }, (_, i) => ({
    kind: i === 0 ? ("configured" as const) : ("local" as const),
    sockaddr: makeSockaddr(parseAddress(`fd00::${i + 1}`)!, 51_820 + i),
  }));
  own.changed(world.nowMs);
  pass(2_000);
  const { candidates, announced } = world.issued[1]!.content(recordKey)!;
  assert.equal(announced.length, 16);
  assert.ok(candidates.length >= 1 && candidates.length < 8, `${candidates.length}`);
  assert.deepEqual([candidates[0]!.kind, candidates[0]!.port], [0, 51_820]);
  assert.ok(world.issued[1]!.record.length <= 400);
});

test("without a secret there is none; a new one seals it anew, and not all at once", () => {
  const { own, world, pass } = make();
  world.held = null;
  own.changed(world.nowMs);
  pass(2_000);
  assert.equal(world.issued.length, 1);
  world.held = secretsOf(1, 2).newest;
  own.resealed(world.nowMs, 0);
  pass(1_600);
  assert.equal(world.issued[1]!.epoch, 2);
  const due = Array.from({ length: 20 }, () => {
    const other = make();
    other.own.resealed(other.world.nowMs, 10_000);
    return other.own.dueMs;
  });
  assert.ok(Math.max(...due) < 110_000);
});

/** A record under our key that is not of this process. */
const foreign = (says: Says): Statement => statementOf(identity, says);

test("a record of a former start is gone over, and is no clone", () => {
  const { own, world, pass } = make();
  const startId = new Uint8Array(16).fill(9);
  const sequence = world.issued[0]!.sequence + 1_000;
  own.heard(foreign({ startId, sequence }), world.nowMs);
  pass(5_000);
  assert.ok(world.issued[1]!.sequence > sequence);
  own.heard(foreign({ startId, sequence }), world.nowMs);
  own.heard(foreign({ startId, sequence: sequence - 1 }), world.nowMs);
  assert.equal(world.clones, 0);
  assert.equal(own.cloneSeenMs(world.nowMs), null);
});

test("another process that goes on issuing is a clone: told once, then ever more seldom", () => {
  const { own, world, pass } = make();
  const startId = new Uint8Array(16).fill(9);
  for (let i = 0; i < 300; i++) {
    own.heard(foreign({ startId, sequence: world.unixMs }), world.nowMs);
    pass(60_000);
  }
  assert.equal(world.clones, 1);
  assert.notEqual(own.cloneSeenMs(world.nowMs), null);
  assert.ok(world.issued.length < 20, `${world.issued.length} records in five hours`);
  pass(25 * HOUR_MS);
  assert.equal(own.cloneSeenMs(world.nowMs), null, "a day without it");
});

test("without a time a member moves our numbers to no place behind which there is none", () => {
  const untimed = make(0, [], 0);
  for (const sequence of [Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER - 1, 8e15]) {
    untimed.own.echoed(sequence, untimed.world.nowMs);
    untimed.pass(3_600_000);
    assert.ok(untimed.world.issued.at(-1)!.sequence < 1_000 * identity.certificate.notAfterS);
  }
  // What a former version took in is on the disk.
  const kept = make(Number.MAX_SAFE_INTEGER, [], 0);
  assert.ok(kept.world.issued.at(-1)!.sequence < 1_000 * identity.certificate.notAfterS);
  // One that may be is gone over.
  const likely = BORN_S * 1_000 + 5_000_000;
  untimed.own.echoed(likely, untimed.world.nowMs + 86_400_000);
  untimed.pass(86_500_000);
  assert.ok(untimed.world.issued.at(-1)!.sequence > likely);
});
