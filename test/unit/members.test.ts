/** members — definition, revocation list, record, request and secret, each with what is refused. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { decodeCertificate } from "../../src/members/certificate.ts";
import {
  decodeDefinition,
  firstChain,
  newestAuthority,
  SUCCESSIONS_MAX,
  succeed,
  successorProblem,
} from "../../src/members/definition.ts";
import { isGroupName, isMemberName, prefixHolds } from "../../src/members/fields.ts";
import { decodeIssuer, encodeIssuer } from "../../src/members/issuer.ts";
import {
  CANDIDATE_KIND,
  decodeRecord,
  encodeRecord,
  openRecord,
  RECORD_LIFE_MAX_S,
  type RecordContent,
  recordFits,
  recordSigned,
} from "../../src/members/record.ts";
import { decodeRequest, encodeRequest } from "../../src/members/request.ts";
import {
  decodeList,
  encodeList,
  LIST_BYTES_MAX,
  listProblem,
  newerList,
  REVOCATIONS_MAX,
  type Revocation,
  revocationProblem,
  revocationsOf,
  revokedBefore,
  revokedId,
} from "../../src/members/revocation-list.ts";
import { derive, isSecret, openSecret, sealSecret, secretCheck } from "../../src/members/secret.ts";
import { formatNodeId, parseNodeId, type SignKind, sign, verify } from "../../src/members/sign.ts";
import { identityFromSeed } from "../../src/schema/identity.ts";
import { isPeerName } from "../../src/schema/names.ts";
import {
  AUTHORITY,
  address,
  BORN_S,
  certificateOf,
  DAY_S,
  DEFINITION,
  HANDSHAKE,
  makeDefinition,
  must,
  NODE,
  pairOf,
  prefix,
  secretsOf,
  seedOf,
  whyOf,
} from "./members-parts.ts";

const { networkId } = DEFINITION;
const SECRET = seedOf(40);

test("a signature of one kind, network or key passes as no other", () => {
  const bytes = Buffer.from("what is said");
  const signature = sign("record", networkId, bytes, NODE.secretKey);
  const by = NODE.publicKey;
  assert.equal(verify("record", networkId, bytes, signature, by), true);
  const kinds: SignKind[] = ["certificate", "issuer", "request", "revocations", "definition"];
  for (const kind of kinds) assert.equal(verify(kind, networkId, bytes, signature, by), false);
  assert.equal(verify("record", new Uint8Array(16), bytes, signature, by), false);
  assert.equal(verify("record", networkId, bytes, signature, AUTHORITY.publicKey), false);
  assert.equal(verify("record", networkId, bytes, signature.subarray(1), by), false);
  // A point of small order signs whatever one likes where verification is lax.
  const lax = new Uint8Array(64);
  assert.equal(verify("record", networkId, bytes, lax, new Uint8Array(32)), false);
});

test("node ids have one form", () => {
  const text = formatNodeId(NODE.publicKey);
  assert.deepEqual(parseNodeId(text), NODE.publicKey);
  for (const wrong of [text.slice(4), `${text}A`, text.slice(0, -1), `p2p:${"_".repeat(43)}`]) {
    assert.equal(parseNodeId(wrong), null, wrong);
  }
});

test("a member's name is a peer's name in lower case", () => {
  for (const name of ["a", "a-b", "9", "a".repeat(63), "", "-", "a-", "A", "a.b", "a".repeat(64)]) {
    assert.equal(isMemberName(name), isPeerName(name) && name === name.toLowerCase(), name);
  }
  assert.equal(isGroupName("a".repeat(31)), true);
  assert.equal(isGroupName("a".repeat(32)), false);
});

test("a prefix holds what lies inside it", () => {
  const holds = (a: string, b: string) => prefixHolds(prefix(a), prefix(b));
  assert.equal(holds("10.66.0.0/15", "10.67.255.255/32"), true);
  assert.equal(holds("10.66.0.0/15", "10.68.0.0/32"), false);
  assert.equal(holds("10.66.0.0/24", "10.66.0.0/16"), false);
  assert.equal(holds("0.0.0.0/0", "::/0"), false);
  assert.equal(holds("::/0", "fd00::1/128"), true);
  assert.equal(holds("10.66.0.2/32", "10.66.0.2/32"), true);
});

test("a definition says what it was given; its chain grows, and nobody else's replaces it", () => {
  assert.equal(DEFINITION.name, "lab");
  assert.equal(newestAuthority(DEFINITION), 0);
  assert.equal(successorProblem(DEFINITION, makeDefinition(undefined, undefined, 2)), null);
  assert.match(successorProblem(DEFINITION, DEFINITION)!, /no newer/);
  const first = firstChain(AUTHORITY.publicKey);
  const to = (chain: Uint8Array, number: number, by = AUTHORITY) => {
    const next = { key: pairOf(number).publicKey, atS: BORN_S + number, untilS: Infinity };
    return succeed(chain, next, networkId, by.secretKey);
  };
  const rotated = makeDefinition(to(first, 11), pairOf(11).secretKey, 1);
  assert.equal(successorProblem(DEFINITION, rotated), null);
  assert.match(successorProblem(rotated, makeDefinition(undefined, undefined, 9))!, /older/);
  const other = makeDefinition(to(first, 12), pairOf(12).secretKey, 9);
  assert.match(successorProblem(rotated, other)!, /not those of the network/);
  const longer = makeDefinition(to(to(first, 12), 13, pairOf(12)), pairOf(13).secretKey, 9);
  assert.match(successorProblem(rotated, longer)!, /not those of the network/);
  const foreign = makeDefinition(firstChain(NODE.publicKey), NODE.secretKey);
  assert.match(successorProblem(DEFINITION, foreign)!, /another network/);
});

test("a succession that the key before did not sign is none", () => {
  const first = firstChain(AUTHORITY.publicKey);
  const next = { key: NODE.publicKey, atS: BORN_S, untilS: Infinity };
  const forged = succeed(first, next, networkId, NODE.secretKey);
  assert.throws(() => makeDefinition(forged, NODE.secretKey), /not signed by the key before/);
  const again = { key: AUTHORITY.publicKey, atS: BORN_S, untilS: Infinity };
  const circle = succeed(first, again, networkId, AUTHORITY.secretKey);
  assert.throws(() => makeDefinition(circle), /succeeds itself/);
  assert.throws(() => makeDefinition(first, NODE.secretKey), /not signed by its authority/);
});

test("a chain has room for eight successions", () => {
  let chain = firstChain(AUTHORITY.publicKey);
  let by = AUTHORITY;
  for (let i = 0; i < SUCCESSIONS_MAX; i++) {
    const next = pairOf(50 + i);
    const step = { key: next.publicKey, atS: BORN_S + i, untilS: Infinity };
    chain = succeed(chain, step, networkId, by.secretKey);
    by = next;
  }
  const definition = makeDefinition(chain, by.secretKey);
  assert.equal(newestAuthority(definition), SUCCESSIONS_MAX);
  assert.throws(
    () => succeed(chain, { key: SECRET, atS: 0, untilS: Infinity }, networkId, by.secretKey),
    /full/,
  );
  const cut = definition.bytes.slice(0, -1);
  assert.match(whyOf(decodeDefinition(cut)), /too early/);
});

const entryOf = (number: number, issuedBeforeS = BORN_S): Revocation => ({
  id: revokedId(pairOf(number).publicKey),
  issuedBeforeS,
});

const listOf = (entries: readonly Revocation[], sequence = 1, authority = 0, by = AUTHORITY) => {
  const next = { issuedS: BORN_S, nextUpdateS: BORN_S + 30 * DAY_S };
  const secret = { epoch: 4, secretCheck: secretCheck(4, SECRET) };
  const fields = { sequence, authority, ...next, ...secret };
  return must(decodeList(encodeList(fields, entries, networkId, by.secretKey)));
};

test("a list finds whom it revokes and nobody else, empty or full", () => {
  const empty = listOf([]);
  assert.equal(listProblem(empty, DEFINITION), null);
  assert.equal(revokedBefore(empty, NODE.publicKey), null);
  const many = Array.from({ length: 200 }, (_, i) => entryOf(i, BORN_S + i));
  const list = listOf(many);
  for (let i = 0; i < 200; i++) assert.equal(revokedBefore(list, pairOf(i).publicKey), BORN_S + i);
  for (let i = 200; i < 256; i++) assert.equal(revokedBefore(list, pairOf(i).publicKey), null);
  assert.equal(revocationsOf(list).length, 200);
  const most = Array.from({ length: REVOCATIONS_MAX }, (_, i) => ({
    id: revokedId(Buffer.from(`node ${i}`)),
    issuedBeforeS: i,
  }));
  const full = listOf(most);
  assert.equal(full.count, REVOCATIONS_MAX);
  assert.ok(full.bytes.length <= LIST_BYTES_MAX);
  assert.throws(() => listOf([...most, entryOf(1)]), /too many/);
  assert.equal(listProblem(listOf([], 1, 0, NODE), DEFINITION), "its signature is wrong");
  assert.match(listProblem(listOf([], 1, 3), DEFINITION)!, /no authority/);
  assert.equal(newerList(listOf([], 2), listOf([], 1)), true);
  assert.equal(newerList(listOf([], 1), listOf([], 1)), false);
  assert.equal(newerList(listOf([], 1, 1), listOf([], 2 ** 52)), true);
});

test("a list in another order, or with a key twice, is refused", () => {
  const bytes = listOf([entryOf(1), entryOf(2)]).bytes;
  const swapped = Buffer.from(bytes);
  bytes.copyWithin.call(swapped, 64, 88, 112);
  swapped.set(bytes.subarray(64, 88), 88);
  assert.match(whyOf(decodeList(swapped)), /ascend/);
  swapped.set(swapped.subarray(64, 88), 88);
  assert.match(whyOf(decodeList(swapped)), /ascend/);
});

test("what a revocation makes void, and what brings a node back", () => {
  const list = listOf([entryOf(2, BORN_S + DAY_S), entryOf(5, BORN_S + DAY_S)]);
  const problem = (bytes: Uint8Array) => revocationProblem(list, must(decodeCertificate(bytes)));
  assert.equal(problem(certificateOf({})), "it is revoked");
  assert.equal(problem(certificateOf({ notBeforeS: BORN_S + DAY_S })), "it is revoked");
  assert.equal(problem(certificateOf({ notBeforeS: BORN_S + DAY_S + 1 })), null);
  assert.equal(problem(certificateOf({ nodeKey: pairOf(3).publicKey })), null);
  const by = (number: number, notBeforeS: number) => {
    const bytes = encodeIssuer(
      {
        flags: 3,
        serial: 1,
        nodeKey: pairOf(number).publicKey,
        notBeforeS,
        notAfterS: BORN_S + 400 * DAY_S,
        lifeS: 400 * DAY_S,
        givesFlags: 15,
        prefixes: [prefix("0.0.0.0/0"), prefix("::/0")],
        groups: ["ops"],
        authority: 0,
      },
      networkId,
      AUTHORITY.secretKey,
    );
    return { by: "issuer", issuer: must(decodeIssuer(bytes)) } as const;
  };
  // An issuer brings nobody back, whenever.
  const late = { notBeforeS: BORN_S + 9 * DAY_S };
  assert.equal(problem(certificateOf({ ...late, signer: by(6, BORN_S) })), "it is revoked");
  const stranger = { ...late, nodeKey: pairOf(3).publicKey };
  assert.equal(problem(certificateOf({ ...stranger, signer: by(6, BORN_S) })), null);
  const revoked = certificateOf({ ...stranger, signer: by(5, BORN_S) });
  assert.equal(problem(revoked), "its issuer is revoked");
  assert.equal(problem(certificateOf({ ...stranger, signer: by(5, BORN_S + 2 * DAY_S) })), null);
});

const CONTENT: RecordContent = {
  startId: seedOf(3).slice(0, 16),
  suites: 3,
  candidates: [
    { kind: CANDIDATE_KIND.configured, address: address("203.0.113.7"), port: 51_820 },
    { kind: 9, address: address("2001:db8::7"), port: 1 },
  ],
  announced: [{ prefix: prefix("192.168.5.0/24"), metric: 10 }],
};

const HEAD = {
  epoch: 4,
  nodeKey: NODE.publicKey,
  certificateHash: seedOf(6).slice(0, 16),
  sequence: BORN_S * 1_000,
  issuedS: BORN_S,
  expiresS: BORN_S + DAY_S,
};

const RECORD_KEY = derive(SECRET, "record");
const recordOf = (content = CONTENT, head: Partial<typeof HEAD> = {}): Uint8Array =>
  encodeRecord({ ...HEAD, ...head }, content, {
    networkId,
    secretKey: NODE.secretKey,
    recordKey: RECORD_KEY,
    nonce: seedOf(7).slice(0, 24),
  });

test("a record is checked by all, and opened by who has the secret", () => {
  const view = must(decodeRecord(recordOf()));
  assert.equal(recordSigned(view, networkId), true);
  assert.equal(recordSigned(view, new Uint8Array(16)), false);
  assert.equal(view.sequence, HEAD.sequence);
  assert.deepEqual(view.certificateHash, HEAD.certificateHash);
  const content = must(openRecord(view, RECORD_KEY));
  assert.deepEqual(content, { ...CONTENT, extensions: [] });
  assert.match(whyOf(openRecord(view, derive(seedOf(41), "record"))), /not sealed/);
  assert.match(whyOf(openRecord(view, derive(SECRET, "intro"))), /not sealed/);
  assert.match(whyOf(openRecord({ ...view, head: view.head.slice(1) }, RECORD_KEY)), /not sealed/);
});

test("each byte of a record counts", () => {
  const bytes = recordOf();
  for (let at = 0; at < bytes.length; at++) {
    const other = Uint8Array.from(bytes);
    other[at]! ^= 1;
    const decoded = decodeRecord(other);
    if (decoded.ok) assert.equal(recordSigned(decoded.value, networkId), false, `${at}`);
    assert.equal(decodeRecord(bytes.subarray(0, at)).ok, false, `${at}`);
  }
});

test("a record lives a day at most, and holds what fits", () => {
  assert.match(whyOf(decodeRecord(recordOf(CONTENT, { expiresS: BORN_S - 1 }))), /before it is/);
  const long = { expiresS: BORN_S + RECORD_LIFE_MAX_S + 1 };
  assert.match(whyOf(decodeRecord(recordOf(CONTENT, long))), /longer than a day/);
  const eight = Array.from({ length: 8 }, () => CONTENT.candidates[1]!);
  assert.equal(recordFits({ ...CONTENT, candidates: eight }), true);
  assert.equal(decodeRecord(recordOf({ ...CONTENT, candidates: eight })).ok, true);
  const much = {
    ...CONTENT,
    candidates: eight,
    announced: [1, 2, 3].map((n) => ({ prefix: prefix(`fd0${n}::/64`), metric: n })),
  };
  assert.equal(recordFits(much), false);
  assert.throws(() => recordOf(much), RangeError);
});

test("a request is its sender's own", () => {
  const fields = { nodeKey: NODE.publicKey, handshakeKey: HANDSHAKE.publicKey };
  const bytes = encodeRequest({ ...fields, issuedS: BORN_S, name: "laptop" }, secretsOf(2));
  const request = must(decodeRequest(bytes));
  assert.equal(request.name, "laptop");
  assert.deepEqual(request.handshakeKey, HANDSHAKE.publicKey);
  for (let bit = 0; bit < 8 * bytes.length; bit++) {
    const other = Uint8Array.from(bytes);
    other[bit >> 3]! ^= 1 << (bit & 7);
    assert.equal(decodeRequest(other).ok, false, `${bit}`);
  }
  for (let at = 0; at < bytes.length; at++) {
    assert.equal(decodeRequest(bytes.subarray(0, at)).ok, false, `${at}`);
  }
});

test("a secret has a key for each use, a check that tells another, and goes to one member", () => {
  const labels = ["record", "intro", "here", "beacon", "target"] as const;
  const keys = labels.map((label) => Buffer.from(derive(SECRET, label)).toString("hex"));
  assert.equal(new Set(keys).size, labels.length);
  const list = listOf([]);
  assert.equal(isSecret(list, 4, SECRET), true);
  assert.equal(isSecret(list, 5, SECRET), false);
  assert.equal(isSecret(list, 4, seedOf(41)), false);
  assert.equal(isSecret(list, 4, SECRET.slice(1)), false);
  const sealed = sealSecret(SECRET, HANDSHAKE.publicKey)!;
  assert.deepEqual(openSecret(sealed, HANDSHAKE.publicKey, HANDSHAKE.privateKey), SECRET);
  const other = identityFromSeed(seedOf(3));
  assert.equal(openSecret(sealed, other.publicKey, other.privateKey), null);
  sealed[50]! ^= 1;
  assert.equal(openSecret(sealed, HANDSHAKE.publicKey, HANDSHAKE.privateKey), null);
  assert.equal(sealSecret(SECRET, new Uint8Array(32)), null);
});
