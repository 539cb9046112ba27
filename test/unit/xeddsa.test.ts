/**
 * xeddsa — signatures by X25519 secrets: Signal's own vector, what others' verifications say of
 * them, and which keys are nobody's.
 */
import assert from "node:assert/strict";
import { createPublicKey, randomBytes, verify as verifyByOpenssl } from "node:crypto";
import { test } from "node:test";
import { ED25519_TORSION_SUBGROUP } from "@noble/curves/ed25519.js";
import sodium from "sodium-native";
import { edwardsOf, xeddsaSign, xeddsaVerify } from "../../src/members/xeddsa.ts";
import { identityFromSeed, isPublicKey } from "../../src/schema/identity.ts";
import { seedOf } from "./members-parts.ts";
import { bytesOf } from "./vectors.ts";
import {
  accepts,
  aliasOf,
  edwards,
  higher,
  productOf,
  publicKeyOf,
  signAsAlias,
  signBit,
  xeddsa,
} from "./xeddsa-oracle.ts";

const NO_RANDOM = new Uint8Array(64);
const { privateKey, publicKey } = identityFromSeed(seedOf(2));
const MESSAGE = Buffer.from("what is said");

/** An ordinary verification, by its DER form. Source: RFC 8410. */
const opensslAccepts = (message: Uint8Array, signature: Uint8Array, key: Uint8Array): boolean => {
  const der = Buffer.concat([Buffer.from("302a300506032b6570032100", "hex"), key]);
  const one = createPublicKey({ key: der, format: "der", type: "spki" });
  return verifyByOpenssl(null, message, one, signature);
};

/** A number as a key has it. */
const keyOf = (value: bigint): Uint8Array =>
  Uint8Array.from({ length: 32 }, (_, i) => Number((value >> BigInt(8 * i)) & 255n));

// Source: Signal's libcurve25519, `internal_fast_tests.c`, "xeddsa_fast_test" and
// "curvesigs_fast_test": the secret 0…189…0 clamped, 200 zero bytes signed, 64 zero random ones.
const SIGNAL_SECRET = Uint8Array.from({ length: 32 }, (_, i) =>
  i === 8 ? 189 : i === 31 ? 64 : 0,
);
const SIGNAL_MESSAGE = new Uint8Array(200);
const SIGNAL_XEDDSA = bytesOf(
  "11c7f3e6c4df9e8a5150e1db3b30f92de3a3b3aa438656545fa7390f4bcc7bb2" +
    "6c431d9e90643e4f0eaa0e9c557766fa69ada576d63dcaf2ac326c11d0b97702",
);
/** The scheme before: the sign bit of the key stands in the signature's last one. */
const SIGNAL_BEFORE = bytesOf(
  "cf873d0379ac20e8893e5567ee0f8951f8db840d26b243b463526689d01ca718" +
    "ac189fb1678574ebdde569330659448b0bd6c1973f7d780ab39518626803d782",
);

test("Signal's vector, and not that of the scheme before", () => {
  const key = publicKeyOf(SIGNAL_SECRET);
  assert.deepEqual(xeddsaSign(SIGNAL_MESSAGE, SIGNAL_SECRET, NO_RANDOM), SIGNAL_XEDDSA);
  assert.equal(xeddsaVerify(SIGNAL_MESSAGE, SIGNAL_XEDDSA, key), true);
  assert.equal(xeddsaVerify(SIGNAL_MESSAGE, SIGNAL_BEFORE, key), false);
  const point = edwardsOf(key)!;
  const bit = SIGNAL_BEFORE[63]! & 128;
  const cleared = SIGNAL_BEFORE.map((byte, i) => (i === 63 ? byte & 127 : byte));
  const signedPoint = point.map((byte, i) => (i === 31 ? byte | bit : byte));
  assert.equal(sodium.crypto_sign_verify_detached(cleared, SIGNAL_MESSAGE, signedPoint), true);
});

test("every ordinary verification takes one, of either sign, and of any length", () => {
  const bits = new Set<number>();
  for (let i = 0; i < 40; i++) {
    const secret = new Uint8Array(randomBytes(32));
    const message = new Uint8Array(randomBytes(7 * i));
    const random = new Uint8Array(randomBytes(64));
    const signature = xeddsaSign(message, secret, random);
    assert.deepEqual(signature, Uint8Array.from(xeddsa([...message], secret, [...random])));
    const point = edwardsOf(publicKeyOf(secret))!;
    assert.equal(sodium.crypto_sign_verify_detached(signature, message, point), true);
    assert.equal(opensslAccepts(message, signature, point), true);
    assert.equal(accepts(message, signature, point), true);
    bits.add(signBit(secret));
  }
  assert.equal(bits.size, 2);
});

test("each bit of message, signature and key counts, and a signature has one form", () => {
  const signature = xeddsaSign(MESSAGE, privateKey, NO_RANDOM);
  assert.equal(xeddsaVerify(MESSAGE, signature, publicKey), true);
  const parts = [Uint8Array.from(MESSAGE), signature, publicKey] as const;
  for (const [which, part] of parts.entries()) {
    for (let bit = 0; bit < 8 * part.length; bit++) {
      const [message, signed, key] = parts.map((one) => Uint8Array.from(one));
      [message!, signed!, key!][which]![bit >> 3]! ^= 1 << (bit & 7);
      assert.equal(xeddsaVerify(message!, signed!, key!), false, `${which}, ${bit}`);
    }
  }
  assert.equal(xeddsaVerify(MESSAGE, higher(signature), publicKey), false);
  assert.equal(xeddsaVerify(MESSAGE, signature.subarray(1), publicKey), false);
  assert.equal(xeddsaVerify(MESSAGE, signature, publicKey.subarray(1)), false);
});

test("what is random changes the signature and no more; secrets stay as they were", () => {
  const [one, other] = [NO_RANDOM, new Uint8Array(64).fill(1)];
  const secret = Uint8Array.from(privateKey);
  const signed = [one, other].map((random) => xeddsaSign(MESSAGE, secret, random));
  assert.notDeepEqual(signed[0]!.subarray(0, 32), signed[1]!.subarray(0, 32));
  for (const signature of signed) assert.equal(xeddsaVerify(MESSAGE, signature, publicKey), true);
  assert.deepEqual([secret, one], [privateKey, new Uint8Array(64)]);
  assert.deepEqual(xeddsaSign(MESSAGE, secret, one), signed[0]);
  assert.throws(() => xeddsaSign(MESSAGE, secret.subarray(1), one), RangeError);
  assert.throws(() => xeddsaSign(MESSAGE, secret, one.subarray(1)), RangeError);
});

const P = 2n ** 255n - 19n;
/** All u of small order, on the curve and on its twist. Source: RFC 7748 6.1, curve25519's page. */
const SMALL = [
  0n,
  1n,
  325606250916557431795983626356110631294008115727848805560023387167927233504n,
  39382357235489614581723060781553021112529911719440698176882885853963445705823n,
  P - 1n,
];

test("keys that are nobody's, or written in another form, are none", () => {
  const lowest = [0n, 1n, 2n, 9n, 18n].map((rest) => P + rest);
  for (const value of [...SMALL, ...SMALL.map((small) => small + P), ...lowest, 2n ** 256n - 1n]) {
    const key = keyOf(value);
    assert.equal(edwardsOf(key), null, `${value}`);
    assert.equal(xeddsaVerify(MESSAGE, new Uint8Array(64), key), false);
  }
  for (const small of SMALL) assert.equal(isPublicKey(keyOf(small)), false, `${small}`);
  const topBit = publicKey.map((byte, i) => (i === 31 ? byte | 128 : byte));
  assert.equal(edwardsOf(topBit), null);
  assert.deepEqual(productOf(privateKey, topBit), productOf(privateKey, publicKey));
});

test("a key with a part of small order gives the same products, and is none", () => {
  const other = new Uint8Array(randomBytes(32));
  for (const torsion of ED25519_TORSION_SUBGROUP.slice(1)) {
    const alias = aliasOf(privateKey, torsion);
    assert.notDeepEqual(alias, publicKey);
    assert.deepEqual(productOf(other, alias), productOf(other, publicKey));
    assert.equal(edwardsOf(alias), null);
    // Who has the secret can sign in its name all the same, where nobody looks at the order.
    const { signature, key } = signAsAlias([...MESSAGE], privateKey, torsion);
    assert.equal(sodium.crypto_sign_verify_detached(signature, MESSAGE, key), true);
    assert.equal(xeddsaVerify(MESSAGE, signature, alias), false);
  }
});

test("of any bytes it is the key that the second implementation finds, or none", () => {
  let found = 0;
  for (let i = 0; i < 400; i++) {
    const key = new Uint8Array(randomBytes(32));
    if (i % 2 === 0) key[31]! &= 127;
    const point = edwardsOf(key);
    assert.deepEqual(point, edwards(key), Buffer.from(key).toString("hex"));
    if (point !== null) found++;
  }
  // Of those below P one in two is on the curve, and of these one in eight of the base's order.
  assert.ok(found > 0 && found < 100, `${found}`);
});
