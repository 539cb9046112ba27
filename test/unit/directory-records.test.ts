/** directory-records — what a storer keeps, and what it refuses; targets; its file. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { nameOf, placeOf } from "../../src/directory/names.ts";
import { PairChecker } from "../../src/directory/pairs.ts";
import { Records } from "../../src/directory/records.ts";
import { decodeRecords, encodeRecords } from "../../src/directory/records-file.ts";
import {
  addressTarget,
  nodeTarget,
  prefixTarget,
  TARGET_BYTES,
  targetsOf,
} from "../../src/directory/targets.ts";
import { CERTIFICATE_FLAG } from "../../src/members/certificate.ts";
import { decodeDefinition, encodeDefinition, succeed } from "../../src/members/definition.ts";
import { signingPair } from "../../src/members/sign.ts";
import { decodePair, type Pair } from "../../src/wire/intro.ts";
import { counter, FleetLaw, pairOf, type Said } from "../simulation/directory-fleet.ts";
import {
  AUTHORITY,
  addressOf,
  BORN_S,
  certify,
  DEFINITION,
  identityOf,
  listOf,
  routeOf,
  STRANGER,
} from "../simulation/members-fleet.ts";
import { Random } from "../simulation/random.ts";

const NETWORK_ID = DEFINITION.networkId;
const nodeOf = (number: number): Uint8Array =>
  nodeTarget(NETWORK_ID, identityOf(number).signing.publicKey).target;

const storer = (entriesMax?: number) => {
  let nowMs = 0;
  const law = new FleetLaw(() => nowMs);
  const { counted, count } = counter();
  const checker = new PairChecker(law);
  const records = new Records({ checker, count, ...(entriesMax && { entriesMax }) });
  const put = (number: number, said: Said = {}, target: Uint8Array | null = null): string => {
    const outcome = records.put(pairOf(identityOf(number), said), target);
    return outcome.ok ? outcome.was : outcome.reason;
  };
  const setMs = (ms: number): void => {
    nowMs = ms;
  };
  return { law, counted, records, put, setMs };
};

/** Whose pair was found. */
const sequenceOf = (records: Records, target: Uint8Array): number | undefined =>
  records.get(target)?.sequence;

test("a member is found by node key, address and prefix, and by nothing else", () => {
  const { records, put } = storer();
  assert.equal(put(1), "taken");
  assert.equal(put(1), "kept");
  const pair = pairOf(identityOf(1));
  const targets = targetsOf(NETWORK_ID, identityOf(1).certificate);
  assert.deepEqual(
    targets.map(({ target }) => target),
    [
      nodeOf(1),
      addressTarget(NETWORK_ID, addressOf(1)).target,
      prefixTarget(NETWORK_ID, routeOf(1)).target,
    ],
  );
  for (const { target } of targets) {
    assert.equal(target.length, TARGET_BYTES);
    assert.deepEqual(decodePair(records.get(target)!.bytes), {
      certificate: pair.certificate,
      record: new Uint8Array(pair.record),
    });
  }
  assert.equal(records.get(nodeOf(2)), null);
  assert.equal(records.get(addressTarget(new Uint8Array(16), addressOf(1)).target), null);
  assert.equal(records.targets, 3);
});

test("the newer record counts; an older one, or another with its number, is refused", () => {
  const { records, put } = storer();
  assert.equal(put(1, { atMs: 2_000 }), "taken");
  assert.equal(put(1, { atMs: 1_000 }), "recordOld");
  assert.equal(put(1, { atMs: 2_000, expiresS: BORN_S + 77 }), "pairInvalid");
  assert.equal(put(1, { atMs: 3_000 }), "taken");
  assert.equal(sequenceOf(records, nodeOf(1)), BORN_S * 1_000 + 3_000);
  assert.equal(records.size, 1);
});

test("what is wrong is refused, by reason", () => {
  const { records, put, counted } = storer();
  const other = identityOf(2);
  const stranger = certify(identityOf(3), {}, STRANGER);
  const ended = certify(identityOf(3), { notAfterS: BORN_S - 1 });
  const early = certify(identityOf(3), { notBeforeS: BORN_S + 9_000 });
  const forged = { secretKey: other.signing.secretKey };
  assert.equal(put(3, { certificate: stranger }), "pairInvalid");
  assert.equal(put(3, { certificate: other.certificate }), "pairInvalid");
  assert.equal(put(3, { certificate: ended }), "certificateTime");
  assert.equal(put(3, { certificate: early }), "certificateTime");
  assert.equal(put(3, forged), "pairInvalid");
  assert.equal(put(3, { expiresS: BORN_S }), "recordExpired");
  assert.equal(put(3, { atMs: 301_000 }), "recordAhead");
  assert.equal(put(3, { sequence: (BORN_S + 301) * 1_000 }), "recordAhead");
  assert.equal(put(3, {}, nodeOf(2)), "targetWrong");
  assert.equal(records.size, 0);
  assert.equal(records.targets, 0);
  assert.equal(put(3, {}, nodeOf(3)), "taken");
  assert.equal(put(3, {}, nodeOf(2)), "targetWrong");
  assert.equal(
    [...counted.values()].reduce((sum, many) => sum + many, 0),
    11,
  );
});

test("what is stored is believed as it came, while it counts; what differs is not", () => {
  const { law, records, put } = storer();
  const pair = pairOf(identityOf(1));
  const verdict = (one: Pair): string => {
    const verified = records.verify(one);
    return verified.ok ? verified.value.certificate.name : verified.reason;
  };
  const last = pair.record.length - 1;
  const forged = { ...pair, record: pair.record.map((byte, i) => (i === last ? ~byte : byte)) };
  assert.deepEqual([verdict(pair), verdict(forged)], ["node-1", "pairInvalid"]);
  assert.equal(put(1), "taken");
  assert.deepEqual([verdict(pair), verdict(forged)], ["node-1", "pairInvalid"]);
  law.currentList = listOf(2, [{ identity: identityOf(1), beforeS: BORN_S }], BORN_S);
  assert.equal(verdict(pair), "certificateRevoked");
  law.currentList = listOf(3, [], BORN_S);
  assert.equal(records.size, 0);
  assert.equal(verdict(pair), "node-1");
});

test("who expires or is revoked is not given out from that moment, and its room is free", () => {
  const { law, records, put, setMs } = storer();
  put(1, { expiresS: BORN_S + 100 });
  const short = certify(identityOf(2), { notAfterS: BORN_S + 200 });
  put(2, { certificate: short });
  put(3);
  put(4);
  setMs(101_000);
  assert.equal(records.get(nodeOf(1)), null);
  assert.equal(records.size, 3);
  setMs(201_000);
  records.sweep(10);
  assert.equal(records.size, 2);
  law.currentList = listOf(2, [{ identity: identityOf(3), beforeS: BORN_S }], BORN_S);
  assert.equal(records.get(nodeOf(3)), null);
  assert.equal(put(3), "certificateRevoked");
  assert.ok(records.get(nodeOf(4)));
  assert.equal(records.targets, 3);
});

test("another authority: what the former signed since counts for nobody", () => {
  const { law, records, put } = storer();
  put(1);
  const early = certify(identityOf(2), { notBeforeS: BORN_S - 19 * 86_400 });
  put(2, { certificate: early });
  const next = signingPair(new Uint8Array(32).fill(9));
  const at = { key: next.publicKey, atS: BORN_S - 15 * 86_400, untilS: Number.POSITIVE_INFINITY };
  const chain = succeed(DEFINITION.chain, at, NETWORK_ID, AUTHORITY.secretKey);
  const fields = { ...DEFINITION, sequence: 2 };
  const decoded = decodeDefinition(encodeDefinition(fields, chain, next.secretKey));
  assert.ok(decoded.ok);
  law.currentDefinition = decoded.value;
  assert.equal(records.get(nodeOf(1)), null);
  assert.equal(put(1), "pairInvalid");
  assert.ok(records.get(nodeOf(2)), "what it signed before counts");
  assert.equal(records.size, 1);
});

test("an address that was given to another leads to who has it now", () => {
  const { records, put } = storer();
  const before = certify(identityOf(1), { addresses: [addressOf(77)], routes: [routeOf(9)] });
  const now = certify(identityOf(2), {
    addresses: [addressOf(77)],
    routes: [routeOf(9)],
    notBeforeS: BORN_S - 100,
  });
  put(2, { certificate: now, atMs: 1_000 });
  put(1, { certificate: before, atMs: 5_000 });
  const address = addressTarget(NETWORK_ID, addressOf(77)).target;
  assert.equal(sequenceOf(records, address), BORN_S * 1_000 + 1_000);
  const prefix = prefixTarget(NETWORK_ID, routeOf(9)).target;
  assert.equal(sequenceOf(records, prefix), BORN_S * 1_000 + 5_000, "of a prefix, the newest");
});

test("a new certificate takes the targets of the former away", () => {
  const { records, put } = storer();
  put(1);
  const moved = certify(identityOf(1), { addresses: [addressOf(50)], routes: [] });
  assert.equal(put(1, { certificate: moved, atMs: 1_000 }), "taken");
  assert.equal(records.get(addressTarget(NETWORK_ID, addressOf(1)).target), null);
  assert.ok(records.get(addressTarget(NETWORK_ID, addressOf(50)).target));
  assert.equal(records.targets, 2);
});

test("many share a prefix: a bound, and the newest are found", () => {
  const { records, put } = storer();
  for (let i = 0; i < 40; i++) {
    const certificate = certify(identityOf(i), { routes: [routeOf(500)] });
    assert.equal(put(i, { certificate, atMs: 100 * i }), "taken");
  }
  const prefix = prefixTarget(NETWORK_ID, routeOf(500)).target;
  assert.equal(sequenceOf(records, prefix), BORN_S * 1_000 + 3_900);
  for (let i = 0; i < 40; i++) assert.ok(records.get(nodeOf(i)));
});

test("who may store is told by the certificate, while it counts", () => {
  const { records, put, setMs } = storer();
  put(1);
  put(2, { certificate: certify(identityOf(2), { flags: CERTIFICATE_FLAG.relay }) });
  put(3, {
    certificate: certify(identityOf(3), { flags: CERTIFICATE_FLAG.relay | CERTIFICATE_FLAG.exit }),
    expiresS: BORN_S + 100,
  });
  const keys = (): string[] =>
    [...records.storers()].map((key) => Buffer.from(key).toString("hex"));
  const hex = (i: number): string => Buffer.from(identityOf(i).signing.publicKey).toString("hex");
  assert.deepEqual(keys(), [hex(2), hex(3)]);
  setMs(101_000);
  assert.deepEqual(keys(), [hex(2)]);
});

test("a full store takes no more members, and those that it has go on", () => {
  const { records, put, setMs } = storer(3);
  for (let i = 0; i < 3; i++) assert.equal(put(i), "taken");
  assert.equal(put(3), "storeFull");
  setMs(1_000);
  assert.equal(put(1, { atMs: 1_000 }), "taken");
  assert.equal(records.size, 3);
  // Who has expired makes room at once.
  setMs(90_000_000);
  const fresh = { atMs: 90_000_000 };
  for (let i = 3; i < 6; i++) assert.equal(put(i, fresh), "taken");
  assert.equal(put(6, fresh), "storeFull");
});

test("70,000 puts of junk: the one legitimate record stays, and nothing else is stored", () => {
  const { records, put, counted } = storer();
  put(0);
  const random = new Random(7, 1);
  const pair = pairOf(identityOf(0));
  const own = certify(identityOf(1), {}, STRANGER);
  const selfSigned = pairOf(identityOf(1), { certificate: own });
  const target = nodeOf(0);
  for (let i = 0; i < 70_000; i++) {
    const record = Uint8Array.from(selfSigned.record);
    // A junk sequence, a junk byte, a junk target: what a stranger can make without end.
    record[54 + random.below(2)] = random.below(256);
    const certificate = Uint8Array.from(i % 2 === 0 ? own.bytes : pair.certificate);
    if (i % 4 > 1) certificate[random.below(certificate.length)]! ^= 1 + random.below(255);
    const outcome = records.put({ certificate, record }, i % 3 === 0 ? target : random.bytes(32));
    assert.equal(outcome.ok, false);
  }
  assert.equal(records.size, 1);
  assert.equal(records.targets, 3);
  assert.ok(records.get(target));
  const refused = ["pairInvalid", "targetWrong", "recordOld"] as const;
  const sum = refused.reduce((many, reason) => many + (counted.get(reason) ?? 0), 0);
  assert.equal(sum, 70_000);
  assert.ok(counted.get("pairInvalid")! > 10_000);
});

test("70,000 puts by one member of its own records: one is stored, the newest", () => {
  const { records, put } = storer();
  put(0);
  const pairs: Pair[] = [];
  for (let i = 0; i < 100; i++) pairs.push(pairOf(identityOf(1), { atMs: i }));
  for (let i = 0; i < 70_000; i++) records.put(pairs[i % 100]!, null);
  assert.equal(records.size, 2);
  assert.equal(sequenceOf(records, nodeOf(1)), BORN_S * 1_000 + 99);
});

test("its file: what is written is read, what is damaged or another network's is not", () => {
  const { records, put } = storer();
  for (let i = 0; i < 5; i++) put(i);
  const file = encodeRecords(NETWORK_ID, records.pairs());
  const pairs = decodeRecords(NETWORK_ID, file)!;
  assert.equal(pairs.length, 5);
  const again = storer();
  for (const pair of pairs) assert.ok(again.records.put(pair, null).ok);
  for (let i = 0; i < 5; i++) assert.ok(again.records.get(nodeOf(i)));
  assert.deepEqual(decodeRecords(NETWORK_ID, encodeRecords(NETWORK_ID, [])), []);
  assert.equal(decodeRecords(new Uint8Array(16), file), null);
  for (let at = 0; at < file.length; at += 7) {
    const damaged = Uint8Array.from(file);
    damaged[at]! ^= 1;
    assert.equal(decodeRecords(NETWORK_ID, damaged), null);
  }
  for (let end = 0; end < 60; end++)
    assert.equal(decodeRecords(NETWORK_ID, file.subarray(0, end)), null);
});

test("names: the same for a key, no two alike here, none of this host or a group", () => {
  const names = new Set<string>();
  for (let i = 0; i < 2_000; i++) {
    const name = nameOf(identityOf(i).signing.publicKey);
    const { host, port } = placeOf(name);
    const first = Number(host.split(".")[0]);
    assert.ok(first >= 1 && first <= 126 && port >= 1 && port <= 65_535, name);
    names.add(name);
  }
  assert.equal(names.size, 2_000);
  assert.equal(nameOf(identityOf(0).signing.publicKey), nameOf(identityOf(0).signing.publicKey));
});
