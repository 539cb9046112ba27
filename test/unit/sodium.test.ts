/**
 * The binding below sodium-native's public API does what the engine takes it to do.
 */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { test } from "node:test";
import sodium from "sodium-native";
import { open, seal } from "../../src/crypto/sodium.ts";

const LENGTHS = [0, 1, 16, 84, 1_420, 65_455];

test("seals what the public API opens, in place, over shared memory", () => {
  for (const length of LENGTHS) {
    const shared = new Uint8Array(new SharedArrayBuffer(length + 16));
    const packet = randomBytes(length);
    const [nonce, key] = [randomBytes(12), randomBytes(32)];
    shared.set(packet);
    assert.equal(seal(shared, shared.subarray(0, length), undefined, nonce, key), length + 16);
    const opened = new Uint8Array(length);
    sodium.crypto_aead_chacha20poly1305_ietf_decrypt(opened, null, shared, null, nonce, key);
    assert.deepEqual(opened, new Uint8Array(packet));
  }
});

test("opens what the public API sealed, and says -1 to everything else", () => {
  for (const length of LENGTHS) {
    const packet = randomBytes(length);
    const [nonce, key] = [randomBytes(12), randomBytes(32)];
    const sealed = new Uint8Array(length + 16);
    sodium.crypto_aead_chacha20poly1305_ietf_encrypt(sealed, packet, null, null, nonce, key);
    for (const at of [0, length, length + 15]) {
      const forged = sealed.slice();
      forged[at] = forged[at]! ^ 1;
      assert.equal(open(forged.subarray(0, length), forged, undefined, nonce, key), -1);
    }
    assert.equal(open(sealed.subarray(0, length), sealed, undefined, nonce, key), length);
    assert.deepEqual(sealed.subarray(0, length), new Uint8Array(packet));
  }
});
