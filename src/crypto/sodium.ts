/**
 * sodium — sodium-native's two AEAD calls, without the wrapper that checks their arguments again.
 *
 * The wrapper costs a tenth of a full packet and a third of a small one, and throws on a forged
 * packet; the binding below it returns -1. Lengths are right by construction (crypto/segments.ts)
 * and the binding asserts them once more. The package is pinned exactly; test/unit/sodium.test.ts
 * holds the binding against the public API. Measured: bench/RESULTS.md.
 */
import { createRequire } from "node:module";

interface Binding {
  /** Seals `plain` into `sealed`, which may be the same place; returns sealed's length. */
  crypto_aead_chacha20poly1305_ietf_encrypt(
    sealed: Uint8Array,
    plain: Uint8Array,
    ad: undefined,
    nonce: Uint8Array,
    key: Uint8Array,
  ): number;
  /** Opens `sealed` into `plain`; returns plain's length, or -1 when the tag does not verify. */
  crypto_aead_chacha20poly1305_ietf_decrypt(
    plain: Uint8Array,
    sealed: Uint8Array,
    ad: undefined,
    nonce: Uint8Array,
    key: Uint8Array,
  ): number;
}

const binding = createRequire(import.meta.url)("sodium-native/binding") as Binding;

export const seal = binding.crypto_aead_chacha20poly1305_ietf_encrypt;
export const open = binding.crypto_aead_chacha20poly1305_ietf_decrypt;
