/** sodium-native — the part of version 5 that the engine uses; the package brings no types. */
declare module "sodium-native" {
  type Bytes = Uint8Array;
  const sodium: {
    crypto_aead_chacha20poly1305_ietf_encrypt(
      sealed: Bytes,
      plain: Bytes,
      ad: Bytes | null,
      secret: null,
      nonce: Bytes,
      key: Bytes,
    ): number;
    /** Throws when the tag does not verify. */
    crypto_aead_chacha20poly1305_ietf_decrypt(
      plain: Bytes,
      secret: null,
      sealed: Bytes,
      ad: Bytes | null,
      nonce: Bytes,
      key: Bytes,
    ): number;
    crypto_aead_xchacha20poly1305_ietf_encrypt(
      sealed: Bytes,
      plain: Bytes,
      ad: Bytes | null,
      secret: null,
      nonce: Bytes,
      key: Bytes,
    ): number;
    /** Throws when the tag does not verify. */
    crypto_aead_xchacha20poly1305_ietf_decrypt(
      plain: Bytes,
      secret: null,
      sealed: Bytes,
      ad: Bytes | null,
      nonce: Bytes,
      key: Bytes,
    ): number;
    crypto_scalarmult(out: Bytes, secret: Bytes, point: Bytes): void;
    crypto_scalarmult_base(out: Bytes, secret: Bytes): void;
    crypto_sign_seed_keypair(publicKey: Bytes, secretKey: Bytes, seed: Bytes): void;
    /** `secretKey` is seed and public key, 64 bytes. */
    crypto_sign_detached(signature: Bytes, message: Bytes, secretKey: Bytes): void;
    crypto_sign_verify_detached(signature: Bytes, message: Bytes, publicKey: Bytes): boolean;
    /** Throws for the neutral point. */
    crypto_scalarmult_ed25519_base_noclamp(point: Bytes, scalar: Bytes): void;
    /** False: not on the curve, not canonical, or not of the order of the base point. */
    crypto_core_ed25519_is_valid_point(point: Bytes): boolean;
    /** Modulo the base point's order. Units: `wide` of 64 bytes. */
    crypto_core_ed25519_scalar_reduce(out: Bytes, wide: Bytes): void;
    crypto_core_ed25519_scalar_negate(out: Bytes, scalar: Bytes): void;
    /** All three may be one place. */
    crypto_core_ed25519_scalar_add(out: Bytes, a: Bytes, b: Bytes): void;
    crypto_hash_sha512(out: Bytes, input: Bytes): void;
    /** Throws for a point of small order. */
    crypto_box_seal(sealed: Bytes, plain: Bytes, publicKey: Bytes): void;
    crypto_box_seal_open(plain: Bytes, sealed: Bytes, publicKey: Bytes, secretKey: Bytes): boolean;
    /** Throws when the memory is not to be had. Units: `memory` bytes. `kind` 2: Argon2id. */
    crypto_pwhash(
      key: Bytes,
      passphrase: Bytes,
      salt: Bytes,
      passes: number,
      memory: number,
      kind: 2,
    ): void;
    crypto_generichash(out: Bytes, input: Bytes, key?: Bytes): void;
    randombytes_buf(out: Bytes): void;
    sodium_memcmp(a: Bytes, b: Bytes): boolean;
    sodium_memzero(bytes: Bytes): void;
  };
  export default sodium;
}
