/**
 * directory — the store beside a slow and obvious one; damaged pairs, files and messages: nothing
 * throws, and nothing that was changed is stored.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { COMMAND, Gate, MESSAGE_BYTES_MAX } from "../../src/directory/gate.ts";
import { PairChecker } from "../../src/directory/pairs.ts";
import { Records } from "../../src/directory/records.ts";
import { decodeRecords, encodeRecords } from "../../src/directory/records-file.ts";
import { addressTarget, nodeTarget, prefixTarget } from "../../src/directory/targets.ts";
import { sameBytes } from "../../src/members/bytes.ts";
import type { Certificate } from "../../src/members/certificate.ts";
import { decodePair, encodePair } from "../../src/wire/intro.ts";
import { counter, FleetLaw, pairOf } from "../simulation/directory-fleet.ts";
import {
  addressOf,
  BORN_S,
  certify,
  DEFINITION,
  identityOf,
  listOf,
  routeOf,
} from "../simulation/members-fleet.ts";
import { changes, mutate, runs } from "./fuzzing.ts";

const NETWORK_ID = DEFINITION.networkId;
const CAST = 4;
/** Each member's certificates: its own; one that shares address and prefix; a newer such one. */
const CERTIFICATES: readonly (readonly Certificate[])[] = Array.from({ length: CAST }, (_, i) => {
  const shared = { addresses: [addressOf(90)], routes: [routeOf(90)] };
  const newer = { ...shared, notBeforeS: BORN_S - 1_000 + i };
  return [
    identityOf(i).certificate,
    certify(identityOf(i), shared),
    certify(identityOf(i), { ...newer, notAfterS: BORN_S + 500 }),
  ];
});

const storer = (nowMs: () => number) => {
  const law = new FleetLaw(nowMs);
  const { counted, count } = counter();
  return { law, counted, records: new Records({ checker: new PairChecker(law), count }) };
};

const step = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant("put" as const),
      who: fc.nat(CAST - 1),
      which: fc.nat(2),
      atMs: fc.nat({ max: 600_000 }),
      lifeS: fc.integer({ min: 1, max: 900 }),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant("wait" as const), ms: fc.nat({ max: 200_000 }) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant("revoke" as const), who: fc.nat(CAST - 1) }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("sweep" as const), most: fc.nat(5) }) },
);

/** What the obvious one keeps of a member. */
interface Kept {
  readonly who: number;
  readonly certificate: Certificate;
  readonly sequence: number;
  readonly expiresS: number;
}

test("the store finds what an obvious one finds, whatever is put, passes and is revoked", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
      let nowMs = 0;
      const { law, records } = storer(() => nowMs);
      let kept: Kept[] = [];
      const revoked = new Set<number>();
      const nowS = (): number => BORN_S + Math.floor(nowMs / 1_000);
      const counts = ({ who, certificate, expiresS }: Kept): boolean =>
        expiresS > BORN_S + nowMs / 1_000 && certificate.notAfterS >= nowS() && !revoked.has(who);
      for (const now of steps) {
        if (now.kind === "wait") nowMs += now.ms;
        else if (now.kind === "sweep") records.sweep(now.most);
        else if (now.kind === "revoke") {
          revoked.add(now.who);
          const all = [...revoked].map((who) => ({ identity: identityOf(who), beforeS: BORN_S }));
          law.currentList = listOf(1 + revoked.size, all, BORN_S);
        } else {
          const certificate = CERTIFICATES[now.who]![now.which]!;
          const expiresS = BORN_S + Math.floor(now.atMs / 1_000) + now.lifeS;
          const sequence = BORN_S * 1_000 + now.atMs;
          const pair = pairOf(identityOf(now.who), { atMs: now.atMs, certificate, expiresS });
          const one: Kept = { who: now.who, certificate, sequence, expiresS };
          const held = kept.find(({ who }) => who === now.who);
          // What counts no more is forgotten at some time: until then it is newer all the same.
          const isNewer = held === undefined || sequence > held.sequence;
          const outcome = records.put(pair, null);
          const may = counts(one) && now.atMs - nowMs <= 300_000;
          if (held === undefined || counts(held)) {
            assert.equal(outcome.ok && outcome.was === "taken", may && isNewer);
          }
          if (outcome.ok && outcome.was === "taken") {
            kept = [...kept.filter(({ who }) => who !== now.who), one];
          }
        }
        look(records, kept.filter(counts));
      }
    }),
    runs(150),
  );
});

/** By every target: node, address, prefix. */
const look = (records: Records, kept: readonly Kept[]): void => {
  const newest = (some: readonly Kept[], byCertificate: boolean): number | undefined =>
    [...some].sort((a, b) => {
      const order = byCertificate ? b.certificate.notBeforeS - a.certificate.notBeforeS : 0;
      return order || b.sequence - a.sequence;
    })[0]?.sequence;
  for (const who of [0, 1, 2, 3]) {
    const { target } = nodeTarget(NETWORK_ID, identityOf(who).signing.publicKey);
    const own = kept.filter((one) => one.who === who);
    assert.equal(records.get(target)?.sequence, newest(own, false));
  }
  for (const number of [0, 1, 2, 3, 90]) {
    const address = addressOf(number);
    const byAddress = kept.filter(({ certificate }) =>
      certificate.addresses.some((one) => sameBytes(one, address)),
    );
    const found = records.get(addressTarget(NETWORK_ID, address).target);
    assert.equal(found?.sequence, newest(byAddress, true));
    const route = routeOf(number);
    const byRoute = kept.filter(({ certificate }) =>
      certificate.routes.some((one) => sameBytes(one.bytes, route.bytes)),
    );
    const by = records.get(prefixTarget(NETWORK_ID, route).target);
    assert.equal(by?.sequence, newest(byRoute, false));
  }
};

const PAIR = pairOf(identityOf(1));
const BYTES = encodePair(PAIR);

test("a damaged pair is not stored, and nothing throws", () => {
  const { records } = storer(() => 0);
  fc.assert(
    fc.property(changes(BYTES.length), (all) => {
      const bytes = mutate(BYTES, all);
      const pair = decodePair(bytes);
      if (pair === null) return;
      const isSame = sameBytes(encodePair(pair), BYTES);
      const before = records.size;
      assert.equal(records.put(pair, null).ok, isSame);
      assert.ok(isSame || records.size === before);
    }),
    runs(2_000),
  );
});

test("a damaged file of records is none, and nothing throws", () => {
  const file = encodeRecords(NETWORK_ID, [BYTES, encodePair(pairOf(identityOf(2)))]);
  fc.assert(
    fc.property(changes(file.length), (all) => {
      const bytes = mutate(file, all);
      assert.equal(decodeRecords(NETWORK_ID, bytes) !== null, sameBytes(bytes, file));
    }),
    runs(1_000),
  );
});

test("the gate takes what it takes whole, of its length, and never throws", () => {
  const target = nodeTarget(NETWORK_ID, identityOf(1).signing.publicKey).target;
  const head = Uint8Array.of(0x03, 8 | 16, 7, 0, 9, 9, 9, 9, 1, 1, COMMAND.put);
  const size = Uint8Array.of(0xfd, BYTES.length & 0xff, BYTES.length >> 8);
  const put = Buffer.concat([head, target, size, BYTES]);
  const gate = new Gate({ bootMs: () => 0, count: () => {}, serves: true, mayAsk: () => true });
  assert.ok(gate.admits("1.1.1.1:1", put));
  let name = 0;
  fc.assert(
    fc.property(changes(put.length), (all) => {
      const bytes = mutate(put, all);
      name = (name + 1) % 10_000;
      const isTaken = gate.admits(`1.1.1.${name}:1`, bytes);
      assert.ok(!isTaken || (bytes.length <= MESSAGE_BYTES_MAX && bytes[0] === 0x03));
      if (isTaken && bytes[10] === COMMAND.put) {
        const said = bytes[43]! < 0xfd ? bytes[43]! + 44 : 46 + bytes[44]! + 256 * bytes[45]!;
        assert.ok((bytes[1]! & 1) !== 0 || said === bytes.length);
      }
    }),
    runs(3_000),
  );
});
