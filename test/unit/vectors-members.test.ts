/**
 * vectors-members — what is signed: test/vectors/members.json is what the oracle makes, and what
 * members/ makes and takes.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  certificateProblem,
  decodeCertificate,
  encodeCertificate,
} from "../../src/members/certificate.ts";
import {
  decodeDefinition,
  encodeDefinition,
  firstChain,
  succeed,
  successorProblem,
} from "../../src/members/definition.ts";
import { decodeIssuer, encodeIssuer, issuerProblem } from "../../src/members/issuer.ts";
import { decodeRecord, encodeRecord, openRecord, recordSigned } from "../../src/members/record.ts";
import { decodeRequest, encodeRequest } from "../../src/members/request.ts";
import {
  decodeList,
  encodeList,
  listProblem,
  revocationsOf,
  revokedId,
} from "../../src/members/revocation-list.ts";
import {
  derive,
  isSecret,
  openSecret,
  type SecretLabel,
  secretCheck,
} from "../../src/members/secret.ts";
import { formatNetworkId, networkIdOf } from "../../src/members/sign.ts";
import { definitionDoubt, formatToken, parseToken, tokenKeys } from "../../src/members/token.ts";
import { edwardsOf, xeddsaSign, xeddsaVerify } from "../../src/members/xeddsa.ts";
import { identityFromSeed } from "../../src/schema/identity.ts";
import { must, pairOf, seedOf, whyOf } from "./members-parts.ts";
import { type MembersVectors, makeMembersVectors } from "./members-vectors.ts";
import { bytesOf, ownVectors } from "./vectors.ts";
import { signBit } from "./xeddsa-oracle.ts";

const VECTORS = ownVectors<MembersVectors>("members.json");
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");
const AUTHORITY = pairOf(1);
const NODE = pairOf(2);
const DEFINITION = must(decodeDefinition(bytesOf(VECTORS.definition)));
const ROTATED = must(decodeDefinition(bytesOf(VECTORS.definitionAfterRotation)));
const SECRET = bytesOf(VECTORS.secret.value);
const { networkId } = DEFINITION;
const { epoch } = VECTORS.secret;

test("the file is what the oracle makes", () => {
  assert.deepEqual(VECTORS, makeMembersVectors());
});

test("keys, ids and what is derived", () => {
  const { privateKey, publicKey } = identityFromSeed(seedOf(2));
  assert.equal(hex(privateKey), VECTORS.handshakePrivateKey);
  assert.equal(hex(publicKey), VECTORS.handshakeKey);
  assert.equal(hex(NODE.publicKey), VECTORS.nodeKey);
  assert.equal(formatNetworkId(networkIdOf(AUTHORITY.publicKey)), VECTORS.networkId);
  for (const [label, key] of Object.entries(VECTORS.keys)) {
    assert.equal(hex(derive(SECRET, label as SecretLabel)), key, label);
  }
  assert.equal(hex(secretCheck(epoch, SECRET)), VECTORS.secretCheck);
  const sealed = bytesOf(VECTORS.sealedSecret);
  assert.deepEqual(openSecret(sealed, publicKey, privateKey), SECRET);
});

test("definition, and one after a rotation", () => {
  const chain = firstChain(AUTHORITY.publicKey);
  assert.equal(hex(encodeDefinition(DEFINITION, chain, AUTHORITY.secretKey)), VECTORS.definition);
  const next = pairOf(4);
  const { issuesToS: atS, countsToS: untilS } = ROTATED.authorities[0]!;
  const grown = { key: next.publicKey, atS, untilS };
  const longer = succeed(chain, grown, networkId, AUTHORITY.secretKey);
  const bytes = encodeDefinition(ROTATED, longer, next.secretKey);
  assert.equal(hex(bytes), VECTORS.definitionAfterRotation);
  assert.equal(successorProblem(DEFINITION, ROTATED), null);
});

test("certificates of the authority and of an issuer", () => {
  const issuer = must(decodeIssuer(bytesOf(VECTORS.issuer)));
  assert.equal(issuerProblem(issuer, DEFINITION), null);
  assert.equal(hex(encodeIssuer(issuer, networkId, AUTHORITY.secretKey)), VECTORS.issuer);
  const all = [
    [VECTORS.certificate, AUTHORITY],
    [VECTORS.certificateWithExtension, AUTHORITY],
    [VECTORS.certificateByIssuer, pairOf(3)],
  ] as const;
  for (const [text, by] of all) {
    const certificate = must(decodeCertificate(bytesOf(text)));
    assert.equal(certificateProblem(certificate, DEFINITION), null);
    assert.equal(certificateProblem(certificate, ROTATED), null);
    assert.equal(hex(encodeCertificate(certificate, networkId, by.secretKey)), text);
  }
  const { hash } = must(decodeCertificate(bytesOf(VECTORS.certificate)));
  assert.equal(hex(hash), VECTORS.certificateHash);
  const critical = decodeCertificate(bytesOf(VECTORS.certificateWithCriticalExtension));
  assert.equal(whyOf(critical), "critical extension 32770 is unknown");
});

test("revocations, empty and not", () => {
  for (const text of [VECTORS.revocationsEmpty, VECTORS.revocations]) {
    const list = must(decodeList(bytesOf(text)));
    assert.equal(listProblem(list, DEFINITION), null);
    assert.equal(isSecret(list, epoch, SECRET), true);
    const bytes = encodeList(list, revocationsOf(list), networkId, AUTHORITY.secretKey);
    assert.equal(hex(bytes), text);
  }
  const ids = revocationsOf(must(decodeList(bytesOf(VECTORS.revocations)))).map(({ id }) =>
    hex(id),
  );
  const revoked = [10, 11, 12].map((seed) => hex(revokedId(pairOf(seed).publicKey)));
  assert.deepEqual(ids, revoked.sort());
});

test("request", () => {
  const { privateKey } = identityFromSeed(seedOf(2));
  const secrets = { secretKey: NODE.secretKey, privateKey, random: new Uint8Array(64).fill(13) };
  for (const text of [VECTORS.request, VECTORS.requestWithExtension]) {
    const request = must(decodeRequest(bytesOf(text)));
    assert.equal(hex(encodeRequest(request, secrets)), text);
  }
  const another = decodeRequest(bytesOf(VECTORS.requestForAnothersKey));
  assert.match(
    whyOf(another),
    /^it does not prove its handshake key, which may be somebody else's$/,
  );
  const older = decodeRequest(bytesOf(VECTORS.requestOfVersion1));
  assert.match(whyOf(older), /^it is of version 1, which .* make it anew with an engine as new as/);
});

test("what handshake keys sign", () => {
  for (const one of VECTORS.byHandshakeKeys) {
    const [message, publicKey] = [bytesOf(one.message), bytesOf(one.publicKey)];
    const signed = xeddsaSign(message, bytesOf(one.privateKey), bytesOf(one.random));
    assert.equal(hex(signed), one.signature);
    assert.equal(hex(edwardsOf(publicKey)!), one.edwardsKey);
    assert.equal(xeddsaVerify(message, signed, publicKey), true);
  }
  const bits = VECTORS.byHandshakeKeys.map(({ privateKey }) => signBit(bytesOf(privateKey)));
  assert.deepEqual([...new Set(bits)].sort(), [0, 1]);
});

test("record, its clear part and its content", () => {
  const recordKey = derive(SECRET, "record");
  for (const text of [VECTORS.record, VECTORS.recordWithExtensions]) {
    const view = must(decodeRecord(bytesOf(text)));
    assert.equal(recordSigned(view, networkId), true);
    const content = must(openRecord(view, recordKey));
    const keys = { networkId, secretKey: NODE.secretKey, recordKey, nonce: view.nonce };
    assert.equal(hex(encodeRecord(view, content, keys)), text);
  }
  const clear = decodeRecord(bytesOf(VECTORS.recordWithCriticalExtension));
  assert.equal(whyOf(clear), "critical extension 32770 is unknown");
  const sealed = must(decodeRecord(bytesOf(VECTORS.recordWithCriticalExtensionSealed)));
  assert.equal(recordSigned(sealed, networkId), true);
  assert.equal(whyOf(openRecord(sealed, recordKey)), "critical extension 32770 is unknown");
});

test("invitations: lines, and what is made of their secret", () => {
  const fields = {
    secret: SECRET,
    expiresS: DEFINITION.issuedS,
    network: "lab",
    firstAuthority: AUTHORITY.publicKey,
    authority: 0,
    newestAuthority: AUTHORITY.publicKey,
    name: "laptop",
    indexes: [
      { nodeKey: NODE.publicKey, place: "index.example.org:4740" },
      { nodeKey: null, place: "203.0.113.1:4740" },
    ],
    enrollers: [{ nodeKey: NODE.publicKey, places: ["192.0.2.1:51820", "[2001:db8::1]:51820"] }],
  };
  assert.equal(formatToken(fields), VECTORS.invitation);
  const { publicKey } = pairOf(4);
  const rotated = formatToken({ ...fields, authority: 1, newestAuthority: publicKey });
  assert.equal(rotated, VECTORS.invitationAfterRotation);
  const token = must(parseToken(rotated));
  assert.equal(definitionDoubt(token, ROTATED), null);
  assert.match(definitionDoubt(token, DEFINITION) ?? "", /older/);
  const keys = Object.entries(tokenKeys(SECRET)).map(([label, key]) => [label, hex(key)]);
  assert.deepEqual(Object.fromEntries(keys), VECTORS.invitationKeys);
});
