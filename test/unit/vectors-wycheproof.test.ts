/**
 * vectors-wycheproof — edge cases of X25519, ChaCha20-Poly1305, XChaCha20-Poly1305 and Ed25519
 * against libsodium, called as the engine calls it.
 */
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { test } from "node:test";
import sodium from "sodium-native";
import * as binding from "../../src/crypto/sodium.ts";
import { x25519 } from "../../src/noise/transcript.ts";
import { hex } from "./noise-parties.ts";
import { bytesOf, noVectors, vectors } from "./vectors.ts";

interface Suite<Group> {
  readonly testGroups: readonly Group[];
}

interface Case {
  readonly tcId: number;
  readonly comment: string;
  readonly flags: readonly string[];
  readonly result: "valid" | "acceptable" | "invalid";
}

const nameOf = ({ tcId, comment, flags }: Case): string => `${tcId} ${comment} (${flags.join()})`;

// ---------------------------------------------------------------------------------------------
// X25519

interface Product extends Case {
  readonly public: string;
  readonly private: string;
  readonly shared: string;
}

const X25519 = "x25519_test.json";

test("X25519: every product, and null where it is zero", { skip: noVectors(X25519) }, () => {
  let zeros = 0;
  let products = 0;
  for (const { tests } of vectors<Suite<{ readonly tests: readonly Product[] }>>(X25519)
    .testGroups) {
    for (const row of tests) {
      const product = x25519(bytesOf(row.private), bytesOf(row.public));
      if (/^0+$/.test(row.shared)) {
        assert.equal(product, null, nameOf(row));
        zeros++;
      } else {
        assert.ok(product !== null, nameOf(row));
        assert.equal(hex(product), row.shared, nameOf(row));
        products++;
      }
    }
  }
  assert.ok(zeros >= 20 && products >= 450, `${zeros} zeros, ${products} products`);
});

// ---------------------------------------------------------------------------------------------
// AEAD

interface Sealed extends Case {
  readonly key: string;
  readonly iv: string;
  readonly aad: string;
  readonly msg: string;
  readonly ct: string;
  readonly tag: string;
}
interface AeadGroup {
  readonly ivSize: number;
  readonly tests: readonly Sealed[];
}

/** Cases of the one nonce size that there is; others cannot be written down here. */
const sealedCases = (file: string, nonceBits: number): readonly Sealed[] =>
  vectors<Suite<AeadGroup>>(file)
    .testGroups.filter(({ ivSize }) => ivSize === nonceBits)
    .flatMap(({ tests }) => tests);

type SodiumSeal = typeof sodium.crypto_aead_chacha20poly1305_ietf_encrypt;
type SodiumOpen = typeof sodium.crypto_aead_chacha20poly1305_ietf_decrypt;

const checkAead = (row: Sealed, seal: SodiumSeal, open: SodiumOpen): void => {
  const [key, nonce, ad, plain] = [row.key, row.iv, row.aad, row.msg].map(bytesOf) as [
    Uint8Array,
    Uint8Array,
    Uint8Array,
    Uint8Array,
  ];
  const given = bytesOf(row.ct + row.tag);
  const opened = new Uint8Array(plain.length);
  const run = (): number => open(opened, null, given, ad, nonce, key);
  if (row.result === "invalid") {
    assert.throws(run, nameOf(row));
    return;
  }
  run();
  assert.equal(hex(opened), row.msg, nameOf(row));
  const sealed = new Uint8Array(given.length);
  seal(sealed, plain, ad, null, nonce, key);
  assert.equal(hex(sealed), row.ct + row.tag, nameOf(row));
};

/** The binding below the public API takes no associated data and says -1. */
const checkBinding = (row: Sealed): void => {
  const [key, nonce, plain] = [row.key, row.iv, row.msg].map(bytesOf) as [
    Uint8Array,
    Uint8Array,
    Uint8Array,
  ];
  const shared = new Uint8Array(new SharedArrayBuffer(plain.length + 16));
  shared.set(bytesOf(row.ct + row.tag));
  const place = shared.subarray(0, plain.length);
  const said = binding.open(place, shared, undefined, nonce, key);
  assert.equal(said, row.result === "invalid" ? -1 : plain.length, nameOf(row));
  if (row.result === "invalid") return;
  assert.equal(hex(place), row.msg, nameOf(row));
  binding.seal(shared, place, undefined, nonce, key);
  assert.equal(hex(shared), row.ct + row.tag, nameOf(row));
};

const CHACHA = "chacha20_poly1305_test.json";

test("ChaCha20-Poly1305: every case, also with the binding in place", {
  skip: noVectors(CHACHA),
}, () => {
  const cases = sealedCases(CHACHA, 96);
  const bare = cases.filter(({ aad }) => aad === "");
  for (const row of cases) {
    checkAead(
      row,
      sodium.crypto_aead_chacha20poly1305_ietf_encrypt,
      sodium.crypto_aead_chacha20poly1305_ietf_decrypt,
    );
  }
  for (const row of bare) checkBinding(row);
  assert.ok(cases.length >= 300 && bare.length >= 10, `${cases.length}, ${bare.length} bare`);
  assert.ok(cases.some(({ result }) => result === "invalid"));
});

const XCHACHA = "xchacha20_poly1305_test.json";

test("XChaCha20-Poly1305, the cookie's: every case", { skip: noVectors(XCHACHA) }, () => {
  const cases = sealedCases(XCHACHA, 192);
  for (const row of cases) {
    checkAead(
      row,
      sodium.crypto_aead_xchacha20poly1305_ietf_encrypt,
      sodium.crypto_aead_xchacha20poly1305_ietf_decrypt,
    );
  }
  assert.ok(cases.length >= 250, `${cases.length}`);
  assert.ok(cases.some(({ result }) => result === "invalid"));
});

// ---------------------------------------------------------------------------------------------
// Ed25519

interface Signed extends Case {
  readonly msg: string;
  readonly sig: string;
}
interface SignedGroup {
  readonly publicKey: { readonly pk: string };
  readonly tests: readonly Signed[];
}

const ED25519 = "ed25519_test.json";
const SIGNATURE_BYTES = 64;

test("Ed25519: strict verification takes what is valid and nothing else", {
  skip: noVectors(ED25519),
}, () => {
  const { crypto_sign_verify_detached: verify } = createRequire(import.meta.url)(
    "sodium-native",
  ) as {
    crypto_sign_verify_detached(sig: Uint8Array, msg: Uint8Array, key: Uint8Array): boolean;
  };
  let valid = 0;
  let invalid = 0;
  for (const { publicKey, tests } of vectors<Suite<SignedGroup>>(ED25519).testGroups) {
    for (const row of tests) {
      const signature = bytesOf(row.sig);
      // Another length is refused by whoever reads it from the wire.
      if (signature.length !== SIGNATURE_BYTES) continue;
      const taken = verify(signature, bytesOf(row.msg), bytesOf(publicKey.pk));
      assert.equal(taken, row.result === "valid", nameOf(row));
      if (taken) valid++;
      else invalid++;
    }
  }
  assert.ok(valid >= 50 && invalid >= 40, `${valid} valid, ${invalid} invalid`);
});
