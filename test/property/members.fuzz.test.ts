/**
 * members — damaged bytes of all that is signed: no decoder throws, what it takes has one form
 * only, and nothing that was changed verifies.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { type ArmorKind, armor, unarmor } from "../../src/members/armor.ts";
import {
  decodeIssuerFile,
  decodeMemberFile,
  decodeRevocationsFile,
  encodeIssuerFile,
  encodeMemberFile,
  encodeRevocationsFile,
} from "../../src/members/bundle.ts";
import {
  certificateProblem,
  decodeCertificate,
  encodeCertificate,
} from "../../src/members/certificate.ts";
import { decodeDefinition } from "../../src/members/definition.ts";
import { decodeIssuer, encodeIssuer, issuerProblem } from "../../src/members/issuer.ts";
import { decodeRecord, encodeRecord, openRecord, recordSigned } from "../../src/members/record.ts";
import { decodeRequest } from "../../src/members/request.ts";
import {
  decodeList,
  encodeList,
  listProblem,
  revocationsOf,
} from "../../src/members/revocation-list.ts";
import { derive, openSecret } from "../../src/members/secret.ts";
import { identityFromSeed } from "../../src/schema/identity.ts";
import { must, pairOf, seedOf } from "../unit/members-parts.ts";
import type { MembersVectors } from "../unit/members-vectors.ts";
import { bytesOf, ownVectors } from "../unit/vectors.ts";
import { changes, mutate, runs } from "./fuzzing.ts";

const VECTORS = ownVectors<MembersVectors>("members.json");
const SIGNER = pairOf(1).secretKey;
const DEFINITION = must(decodeDefinition(bytesOf(VECTORS.definition)));
const { networkId } = DEFINITION;
const RECORD_KEY = derive(bytesOf(VECTORS.secret.value), "record");
const SIGNATURE_BYTES = 64;

const same = (a: Uint8Array, b: Uint8Array): boolean => Buffer.compare(a, b) === 0;
/** Without the signature, and without the flags of what has none yet (byte 1). */
const unsigned = (bytes: Uint8Array, flags = true): Buffer => {
  const copy = Buffer.from(bytes.subarray(0, bytes.length - SIGNATURE_BYTES));
  if (!flags && copy.length > 1) copy[1] = 0;
  return copy;
};

/** What a decoder makes of bytes: whether it verifies, and how it would be written. */
interface Taken {
  readonly verified: boolean;
  readonly again: Uint8Array | null;
}

const certificate = (bytes: Uint8Array): Taken | null => {
  const decoded = decodeCertificate(bytes);
  if (!decoded.ok) return null;
  const verified = certificateProblem(decoded.value, DEFINITION) === null;
  return { verified, again: encodeCertificate(decoded.value, networkId, SIGNER) };
};

const issuer = (bytes: Uint8Array): Taken | null => {
  const decoded = decodeIssuer(bytes);
  if (!decoded.ok) return null;
  const verified = issuerProblem(decoded.value, DEFINITION) === null;
  return { verified, again: encodeIssuer(decoded.value, networkId, SIGNER) };
};

const list = (bytes: Uint8Array): Taken | null => {
  const decoded = decodeList(bytes);
  if (!decoded.ok) return null;
  const verified = listProblem(decoded.value, DEFINITION) === null;
  const entries = revocationsOf(decoded.value);
  return { verified, again: encodeList(decoded.value, entries, networkId, SIGNER) };
};

const record = (bytes: Uint8Array): Taken | null => {
  const decoded = decodeRecord(bytes);
  if (!decoded.ok) return null;
  const verified = recordSigned(decoded.value, networkId);
  const content = openRecord(decoded.value, RECORD_KEY);
  if (!content.ok) return { verified, again: null };
  const { nonce } = decoded.value;
  const keys = { networkId, secretKey: SIGNER, recordKey: RECORD_KEY, nonce };
  return { verified, again: encodeRecord(decoded.value, content.value, keys) };
};

/** These two are verified when they are decoded. */
const definition = (bytes: Uint8Array): Taken | null =>
  decodeDefinition(bytes).ok ? { verified: true, again: null } : null;
const request = (bytes: Uint8Array): Taken | null =>
  decodeRequest(bytes).ok ? { verified: true, again: null } : null;

// biome-ignore format: a table
const OBJECTS: readonly (readonly [name: keyof MembersVectors, take: (bytes: Uint8Array) => Taken | null, flags: boolean])[] = [
  ["certificate", certificate, true], ["certificateWithExtension", certificate, true], ["certificateByIssuer", certificate, true],
  ["issuer", issuer, true], ["revocations", list, false], ["revocationsEmpty", list, false],
  ["record", record, false], ["recordWithExtensions", record, false], ["definition", definition, true],
  ["definitionAfterRotation", definition, true], ["request", request, true], ["requestWithExtension", request, true],
];

for (const [name, take, flags] of OBJECTS) {
  const right = bytesOf(VECTORS[name] as string);
  test(`${name}: damaged, it is refused or has one form, and never verifies`, () => {
    assert.equal(take(right)?.verified, true);
    fc.assert(
      fc.property(changes(right.length), (all) => {
        const bytes = mutate(right, all);
        const taken = take(bytes);
        if (taken === null) return;
        assert.equal(taken.verified, same(bytes, right));
        if (taken.again === null) return;
        assert.deepEqual(unsigned(taken.again, flags), unsigned(bytes, flags));
      }),
      runs(400),
    );
  });
}

test("whatever comes, nothing throws and nothing verifies", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 600 }), (bytes) => {
      for (const [, take] of OBJECTS) assert.notEqual(take(bytes)?.verified, true);
      for (const decode of [decodeMemberFile, decodeIssuerFile, decodeRevocationsFile]) {
        assert.equal(decode(bytes).ok, false);
      }
      assert.equal(openSecret(bytes, seedOf(1), seedOf(2)), null);
    }),
    runs(500),
  );
});

const PARTS = { definition: bytesOf(VECTORS.definition), list: bytesOf(VECTORS.revocations) };
const SEALED = bytesOf(VECTORS.sealedSecret);
const CERTIFICATES = [bytesOf(VECTORS.certificate), bytesOf(VECTORS.certificateByIssuer)];
const MEMBERS = [2, 3, 4].map((seed) => ({
  handshakeKey: identityFromSeed(seedOf(seed)).publicKey,
  sealed: SEALED,
}));
const FILES = [
  [
    "a certificate file",
    encodeMemberFile({ ...PARTS, certificate: CERTIFICATES[0]!, sealed: SEALED }),
    decodeMemberFile,
  ],
  [
    "an issuer file",
    encodeIssuerFile({
      ...PARTS,
      issuer: bytesOf(VECTORS.issuer),
      sealed: SEALED,
      known: CERTIFICATES,
    }),
    decodeIssuerFile,
  ],
  [
    "a revocations file",
    encodeRevocationsFile({ ...PARTS, members: MEMBERS }),
    decodeRevocationsFile,
  ],
] as const;

for (const [name, right, decode] of FILES) {
  test(`${name}: damaged, it is refused, but for what is sealed`, () => {
    assert.equal(decode(right).ok, true);
    for (let cut = 0; cut < right.length; cut++)
      assert.equal(decode(right.subarray(0, cut)).ok, false);
    fc.assert(
      fc.property(changes(right.length), (all) => {
        const bytes = mutate(right, all);
        if (decode(bytes).ok) assert.equal(bytes.length, right.length);
      }),
      runs(200),
    );
  });
}

test("armor gives back what it was given, in whatever lines; else it is refused", () => {
  const kinds = fc.constantFrom<ArmorKind>("certificate", "network", "request", "revocations");
  const some = fc.uint8Array({ maxLength: 300 });
  const comments = fc.array(fc.string({ unit: "binary", maxLength: 30 }), { maxLength: 3 });
  fc.assert(
    fc.property(kinds, some, comments, fc.nat(500), fc.string(), (kind, bytes, told, at, put) => {
      const text = armor(kind, bytes, told);
      assert.deepEqual(unarmor(kind, text), { ok: true, value: Buffer.from(bytes) });
      assert.deepEqual(unarmor(kind, text.replaceAll("\n", "\r\n")), unarmor(kind, text));
      assert.equal(unarmor("issuer", text).ok, false);
      const damaged = unarmor(kind, text.slice(0, at) + put + text.slice(at));
      assert.equal(typeof damaged.ok, "boolean");
    }),
    runs(300),
  );
});
