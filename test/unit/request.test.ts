/**
 * request — both keys are proved: who has one secret gets no certificate for another's key,
 * whatever it makes of requests that it has seen.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { ED25519_TORSION_SUBGROUP } from "@noble/curves/ed25519.js";
import { JOINING_NONCE_BYTES, sealRequest } from "../../src/members/joining.ts";
import {
  decodeRequest,
  encodeRequest,
  REQUEST_BYTES_MAX,
  type RequestFields,
} from "../../src/members/request.ts";
import { messageOf, NO_NETWORK, sign, verify } from "../../src/members/sign.ts";
import { tokenKeys } from "../../src/members/token.ts";
import { edwardsOf, xeddsaSign } from "../../src/members/xeddsa.ts";
import { identityFromSeed } from "../../src/schema/identity.ts";
import { encodeJoin, JOIN_BYTES_MAX } from "../../src/wire/index-messages.ts";
import { BORN_S, must, pairOf, secretsOf, seedOf, whyOf } from "./members-parts.ts";
import { aliasOf } from "./xeddsa-oracle.ts";

const SIGNATURE_BYTES = 64;
const [VICTIM, INSIDER] = [2, 3];
const UNPROVED = /^it does not prove its handshake key/;
const handshakeOf = (number: number) => identityFromSeed(seedOf(number));

const fieldsOf = (number: number, more: Partial<RequestFields> = {}): RequestFields => ({
  nodeKey: pairOf(number).publicKey,
  handshakeKey: handshakeOf(number).publicKey,
  issuedS: BORN_S,
  name: "laptop",
  ...more,
});
const THEIRS = encodeRequest(fieldsOf(VICTIM), secretsOf(VICTIM));
/** What the insider would like to have signed. */
const WISH = fieldsOf(INSIDER, { handshakeKey: handshakeOf(VICTIM).publicKey });

/** What an insider signs as its own. */
const signed = (proved: Uint8Array): Uint8Array => {
  const signature = sign("request", NO_NETWORK, proved, secretsOf(INSIDER).secretKey);
  return Buffer.concat([proved, signature]);
};
const bodyOf = (bytes: Uint8Array): Uint8Array => bytes.subarray(0, -2 * SIGNATURE_BYTES);
const proofOf = (bytes: Uint8Array): Uint8Array =>
  bytes.subarray(-2 * SIGNATURE_BYTES, -SIGNATURE_BYTES);

test("nobody asks with a handshake key whose secret it has not", () => {
  assert.equal(decodeRequest(THEIRS).ok, true);
  const own = encodeRequest(WISH, secretsOf(INSIDER));
  assert.match(whyOf(decodeRequest(own)), UNPROVED);
  // The victim's own proof, cut from a request that came by.
  const body = bodyOf(own);
  assert.match(whyOf(decodeRequest(signed(Buffer.concat([body, proofOf(THEIRS)])))), UNPROVED);
  const nothing = new Uint8Array(SIGNATURE_BYTES);
  assert.match(whyOf(decodeRequest(signed(Buffer.concat([body, nothing])))), UNPROVED);
  // All of the victim's, signed by another.
  const again = signed(THEIRS.subarray(0, -SIGNATURE_BYTES));
  assert.equal(whyOf(decodeRequest(again)), "its signature is wrong");
  // With its secret it may: that is what "own" means.
  const { privateKey } = secretsOf(VICTIM);
  const clone = encodeRequest(WISH, { ...secretsOf(INSIDER), privateKey });
  assert.equal(decodeRequest(clone).ok, true);
});

test("nor with a key that is another's but for how it is written", () => {
  const { privateKey } = secretsOf(INSIDER);
  const topBit = Uint8Array.from(handshakeOf(INSIDER).publicKey);
  topBit[31]! |= 128;
  const aliases = ED25519_TORSION_SUBGROUP.slice(1).map((point) => aliasOf(privateKey, point));
  for (const handshakeKey of [topBit, ...aliases]) {
    const bytes = encodeRequest(fieldsOf(INSIDER, { handshakeKey }), secretsOf(INSIDER));
    assert.match(whyOf(decodeRequest(bytes)), UNPROVED);
  }
});

test("a proof is no signature of any other kind, nor is another kind a proof", () => {
  const body = bodyOf(THEIRS);
  const point = edwardsOf(handshakeOf(VICTIM).publicKey)!;
  for (const kind of ["request", "certificate", "record", "card"] as const) {
    assert.equal(verify(kind, NO_NETWORK, body, proofOf(THEIRS), point), false, kind);
    const { privateKey, random } = secretsOf(VICTIM);
    const other = xeddsaSign(messageOf(kind, NO_NETWORK, body), privateKey, random);
    const proved = Buffer.concat([body, other]);
    const signature = sign("request", NO_NETWORK, proved, secretsOf(VICTIM).secretKey);
    assert.match(whyOf(decodeRequest(Buffer.concat([proved, signature]))), UNPROVED);
  }
  const network = new Uint8Array(16).fill(1);
  const { privateKey, random } = secretsOf(VICTIM);
  const bound = xeddsaSign(messageOf("handshake-proof", network, body), privateKey, random);
  const proved = Buffer.concat([body, bound]);
  const signature = sign("request", NO_NETWORK, proved, secretsOf(VICTIM).secretKey);
  assert.match(whyOf(decodeRequest(Buffer.concat([proved, signature]))), UNPROVED);
});

test("the longest one fits, and an engine of version 1 comes to its version first", () => {
  const extensions = [{ type: 1, critical: false, value: new Uint8Array(129) }];
  const fields = fieldsOf(VICTIM, { name: "a".repeat(63), extensions });
  const longest = encodeRequest(fields, secretsOf(VICTIM));
  assert.equal(longest.length, REQUEST_BYTES_MAX);
  assert.deepEqual(must(decodeRequest(longest)).extensions, extensions);
  const longer = [{ ...extensions[0]!, value: new Uint8Array(130) }];
  const secrets = secretsOf(VICTIM);
  assert.throws(() => encodeRequest({ ...fields, extensions: longer }, secrets), RangeError);
  // Version 1 looked at length and version, and had the same bound.
  assert.equal(REQUEST_BYTES_MAX, 400);
  assert.deepEqual([longest[0], THEIRS[0]], [2, 2]);
  const keys = tokenKeys(seedOf(1));
  const invited = { networkId: NO_NETWORK, keys };
  const body = sealRequest(invited, longest, new Uint8Array(JOINING_NONCE_BYTES));
  assert.ok(body.length <= JOIN_BYTES_MAX);
  assert.ok(encodeJoin({ hash: keys.hash, body }).length < 500);
});

test("another version is said in one sentence", () => {
  const versioned = (version: number) => Uint8Array.from([version, ...THEIRS.subarray(1)]);
  const older = whyOf(decodeRequest(versioned(1)));
  assert.match(
    older,
    /^it is of version 1, .* make it anew with an engine as new as the signer's$/,
  );
  const later = whyOf(decodeRequest(versioned(3)));
  assert.equal(later, "it is of version 3, which is not known here");
});
