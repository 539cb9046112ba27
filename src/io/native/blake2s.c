/*
 * blake2s.c — BLAKE2s in portable C.
 *
 *   chain  <- initial vector, mixed with the parameters
 *   [key]  <- padded to a block, when there is one
 *   data   <- blocks of 64 bytes; the last is padded with zeros and marked
 *
 * Source: RFC 7693 sections 2 and 3; the names of its variables are kept in mix() and compress().
 */
#define _DEFAULT_SOURCE
#include "blake2s.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#define ROUNDS 10

/* RFC 7693 2.6: the fractional parts of the square roots of the first eight primes. */
static const uint32_t IV[8] = {0x6A09E667, 0xBB67AE85, 0x3C6EF372, 0xA54FF53A,
                               0x510E527F, 0x9B05688C, 0x1F83D9AB, 0x5BE0CD19};

/* RFC 7693 2.7: which message word each step of a round takes. */
static const uint8_t SIGMA[ROUNDS][16] = {
    {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15},
    {14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3},
    {11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4},
    {7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8},
    {9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13},
    {2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9},
    {12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11},
    {13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10},
    {6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5},
    {10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0},
};

static inline uint32_t load32(const uint8_t *at)
{
    return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

static inline uint32_t rotate(uint32_t word, unsigned bits)
{
    return word >> bits | word << (32 - bits);
}

/* The mixing function G, RFC 7693 3.1. */
static inline void mix(uint32_t v[16], int a, int b, int c, int d, uint32_t x, uint32_t y)
{
    v[a] = v[a] + v[b] + x;
    v[d] = rotate(v[d] ^ v[a], 16);
    v[c] = v[c] + v[d];
    v[b] = rotate(v[b] ^ v[c], 12);
    v[a] = v[a] + v[b] + y;
    v[d] = rotate(v[d] ^ v[a], 8);
    v[c] = v[c] + v[d];
    v[b] = rotate(v[b] ^ v[c], 7);
}

/* The compression function F, RFC 7693 3.2; `counted` is the bytes up to and with this block. */
static void compress(uint32_t h[8], const uint8_t block[BLAKE2S_BLOCK_BYTES], uint64_t counted,
                     bool last)
{
    uint32_t v[16], m[16];
    for (int i = 0; i < 16; i++)
        m[i] = load32(block + 4 * i);
    for (int i = 0; i < 8; i++) {
        v[i] = h[i];
        v[i + 8] = IV[i];
    }
    v[12] ^= (uint32_t)counted;
    v[13] ^= (uint32_t)(counted >> 32);
    if (last)
        v[14] = ~v[14];
    for (int round = 0; round < ROUNDS; round++) {
        const uint8_t *s = SIGMA[round];
        mix(v, 0, 4, 8, 12, m[s[0]], m[s[1]]);
        mix(v, 1, 5, 9, 13, m[s[2]], m[s[3]]);
        mix(v, 2, 6, 10, 14, m[s[4]], m[s[5]]);
        mix(v, 3, 7, 11, 15, m[s[6]], m[s[7]]);
        mix(v, 0, 5, 10, 15, m[s[8]], m[s[9]]);
        mix(v, 1, 6, 11, 12, m[s[10]], m[s[11]]);
        mix(v, 2, 7, 8, 13, m[s[12]], m[s[13]]);
        mix(v, 3, 4, 9, 14, m[s[14]], m[s[15]]);
    }
    for (int i = 0; i < 8; i++)
        h[i] ^= v[i] ^ v[i + 8];
    explicit_bzero(v, sizeof v);
    explicit_bzero(m, sizeof m);
}

/* Parameters of a sequential hash: no salt, fanout 1, depth 1 (RFC 7693 2.5 and 2.8). */
static void start(uint32_t h[8], size_t out_bytes, size_t key_bytes)
{
    memcpy(h, IV, sizeof IV);
    h[0] ^= 0x01010000u ^ (uint32_t)key_bytes << 8 ^ (uint32_t)out_bytes;
}

/* Takes the key's block; it is the last one when no data follows. */
static void take_key(uint32_t h[8], const uint8_t *key, size_t key_bytes, bool last)
{
    uint8_t block[BLAKE2S_BLOCK_BYTES] = {0};
    memcpy(block, key, key_bytes);
    compress(h, block, sizeof block, last);
    explicit_bzero(block, sizeof block);
}

/* Takes all data, at least the final block; `counted` bytes went before. */
static void take_data(uint32_t h[8], const uint8_t *data, size_t bytes, uint64_t counted)
{
    uint8_t block[BLAKE2S_BLOCK_BYTES] = {0};
    while (bytes > BLAKE2S_BLOCK_BYTES) {
        counted += BLAKE2S_BLOCK_BYTES;
        compress(h, data, counted, false);
        data += BLAKE2S_BLOCK_BYTES;
        bytes -= BLAKE2S_BLOCK_BYTES;
    }
    if (bytes > 0)
        memcpy(block, data, bytes);
    compress(h, block, counted + bytes, true);
    explicit_bzero(block, sizeof block);
}

static void give(uint8_t *out, size_t out_bytes, uint32_t h[8])
{
    for (size_t i = 0; i < out_bytes; i++)
        out[i] = (uint8_t)(h[i / 4] >> 8 * (i % 4));
}

int blake2s_mac(uint8_t *out, size_t out_bytes, const uint8_t *key, size_t key_bytes,
                const uint8_t *data, size_t bytes)
{
    uint32_t h[8];
    if (out_bytes < 1 || out_bytes > BLAKE2S_OUT_MAX || key_bytes > BLAKE2S_KEY_MAX)
        return -EINVAL;
    start(h, out_bytes, key_bytes);
    if (key_bytes > 0)
        take_key(h, key, key_bytes, bytes == 0);
    if (key_bytes == 0 || bytes > 0) {
        take_data(h, data, bytes, key_bytes > 0 ? BLAKE2S_BLOCK_BYTES : 0);
    }
    give(out, out_bytes, h);
    explicit_bzero(h, sizeof h);
    return 0;
}
