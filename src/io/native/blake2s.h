/*
 * blake2s.h — BLAKE2s with and without a key, in one call.
 *
 * Source: RFC 7693. WireGuard uses it for mac1, mac2 and the cookie (paper 5.4.4, 5.4.7).
 * Thread: any; no state. Keys and intermediate words are wiped from the stack.
 */
#ifndef P2PVPN_BLAKE2S_H
#define P2PVPN_BLAKE2S_H

#include <stddef.h>
#include <stdint.h>

#define BLAKE2S_BLOCK_BYTES 64
#define BLAKE2S_OUT_MAX 32
#define BLAKE2S_KEY_MAX 32

/*
 * Digest of `bytes` bytes into out[out_bytes]; key_bytes 0 is the plain hash. `out` may lie in
 * `data`.
 *
 * Units: bytes; out_bytes 1 to 32, key_bytes 0 to 32.   Errors: -EINVAL.   Returns 0.
 */
int blake2s_mac(uint8_t *out, size_t out_bytes, const uint8_t *key, size_t key_bytes,
                const uint8_t *data, size_t bytes);

#endif
