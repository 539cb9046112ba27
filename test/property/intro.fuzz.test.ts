/**
 * intro.fuzz — damaged INTROs, WHOs, HEREs, CHALLENGEs and beacons, with a bad tag and with a good
 * one: nothing is thrown, no answer is longer than its request, nobody is introduced, no table
 * grows. And certificate and record in a seal, beside a slow and obvious twin.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Beacon } from "../../src/control/network/beacon.ts";
import { decodePair, encodePair, INTRO_PLAIN_BYTES, strangeKind } from "../../src/wire/intro.ts";
import { makeSockaddr } from "../../src/wire/sockaddr.ts";
import {
  call,
  type Flying,
  hex,
  keysOf,
  type Node,
  SECRETS,
  Wire,
  withTag,
} from "../unit/intro-parts.ts";
import { fixedBytes, mac } from "../unit/noise-parties.ts";
import { changes, mutate, runs } from "./fuzzing.ts";

/** Two members, and one of each datagram that is right where and when it is. */
const scene = () => {
  const wire = new Wire();
  const [a, b] = [wire.join(1), wire.join(2)];
  const held: Flying[] = [];
  wire.carries = (flying) => {
    held.push(flying);
    return true;
  };
  call(wire, a, b);
  wire.pass(1_000);
  a.intro.ask(b.address, wire.nowMs);
  wire.pass(1_000);
  wire.carries = () => true;
  assert.equal(held.length, 5);
  // Once more under way, so that a CHALLENGE and a HERE are expected.
  return { wire, a, b, held };
};

const { wire, a, b, held } = scene();
const base = { a: a.introduced.length, b: b.introduced.length };
const heldBefore = (node: Node): string => JSON.stringify(node.intro.held);
const marks = { a: heldBefore(a), b: heldBefore(b) };
const whole = held.map(({ datagram }) => datagram);
const damaged = fc
  .constantFrom(...whole)
  .chain((datagram) => changes(datagram.length).map((all) => mutate(datagram, all)));

/** Brings it to both, each as from the other; what they sent. */
const bring = (datagram: Uint8Array): readonly Flying[] => {
  wire.nowMs += 60;
  wire.sent.length = 0;
  const before = datagram.slice();
  wire.bring({ datagram, from: a.address, to: b.address });
  wire.bring({ datagram, from: b.address, to: a.address });
  assert.deepEqual(datagram, before, "what is borrowed stays as it is");
  wire.flying.length = 0;
  return wire.sent;
};

test("damaged on their way: no answer, nobody introduced, nothing kept", () => {
  fc.assert(
    fc.property(damaged, (datagram) => {
      const known = whole.some((one) => hex(one) === hex(datagram));
      const sent = bring(datagram);
      if (!known) assert.equal(sent.length, 0);
      for (const { datagram: answer } of sent) assert.ok(answer.length <= datagram.length);
    }),
    runs(2_000),
  );
  assert.deepEqual({ a: a.introduced.length, b: b.introduced.length }, base);
  assert.deepEqual({ a: heldBefore(a), b: heldBefore(b) }, marks);
});

test("damaged by one who has the secret: no answer is longer, nobody introduced", () => {
  let answers = 0;
  fc.assert(
    fc.property(damaged, fc.constantFrom(...SECRETS), (datagram, secret) => {
      const isWhole = whole.some((one) => hex(one) === hex(datagram));
      if (datagram.length > 5) datagram[5] = secret.epoch;
      withTag(datagram, keysOf(secret));
      const sent = bring(datagram);
      for (const { datagram: answer } of sent) assert.ok(answer.length <= datagram.length);
      assert.ok(sent.length <= 2, "one of each");
      answers += sent.length;
      assert.ok(isWhole || strangeKind(datagram) !== null || sent.length === 0);
    }),
    runs(2_000),
  );
  assert.ok(answers > 20, `${answers} answers`);
  // A WHO's bytes may be anything, and an INTRO with its ticket opens while its seal is whole.
  assert.deepEqual({ a: a.introduced.length, b: b.introduced.length }, base);
  const { calls, asked, seen } = b.intro.held;
  assert.deepEqual([calls, asked], [0, 0]);
  assert.ok(seen <= 2_048);
});

test("beacons: damaged ones have nobody asked", () => {
  let heard = 0;
  const beacon = (name: string, secret = SECRETS) =>
    new Beacon({
      world: {
        unixMs: () => 1_800_000_000_000,
        randomBytes: (bytes) => fixedBytes(name, bytes),
        mac,
        count: () => undefined,
      },
      port: () => 5_000,
      secrets: () => secret,
      heardOf: () => heard++,
    });
  const said = beacon("a").make()!;
  const listening = beacon("b");
  let nowMs = 0;
  fc.assert(
    fc.property(changes(said.length), fc.nat(0xffff), (all, host) => {
      const datagram = mutate(said, all);
      const isWhole = hex(datagram) === hex(said);
      const before = heard;
      nowMs += 1_000;
      const from = makeSockaddr(Uint8Array.of(10, 1, host >> 8, host & 255), 4_739);
      listening.take(datagram, from, nowMs);
      assert.ok(isWhole || heard === before);
    }),
    runs(2_000),
  );
  assert.ok(heard > 0);
});

/** As docs/PROTOCOL.md has it: two lengths, two texts. */
const twin = (plain: readonly number[]): readonly number[][] | null => {
  const parts: number[][] = [];
  let rest = plain;
  for (const most of [512, 400]) {
    const length = rest.length < 2 ? 0 : rest[0]! + 256 * rest[1]!;
    const part = rest.slice(2, 2 + length);
    if (length === 0 || length > most || part.length < length) return null;
    parts.push(part);
    rest = rest.slice(2 + length);
  }
  return parts;
};

test("certificate and record in a seal, beside the twin", () => {
  const texts = (most: number) => fc.uint8Array({ minLength: 1, maxLength: most });
  const pairs = fc.record({ certificate: texts(512), record: texts(400) });
  const plains = pairs.chain((pair) =>
    changes(950, 2).map((all) => mutate(encodePair(pair, INTRO_PLAIN_BYTES).subarray(0, 950), all)),
  );
  const kinds = { read: 0, none: 0 };
  fc.assert(
    fc.property(fc.oneof(plains, fc.uint8Array({ maxLength: 40 })), (plain) => {
      const pair = decodePair(plain);
      const expected = twin([...plain]);
      const read = pair === null ? null : [[...pair.certificate], [...pair.record]];
      assert.deepEqual(read, expected);
      kinds[pair === null ? "none" : "read"]++;
    }),
    runs(1_000),
  );
  assert.ok(kinds.read > 50 && kinds.none > 50, JSON.stringify(kinds));
});
