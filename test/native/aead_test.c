/* sources: aead.c */
/*
 * aead_test.c — sealing and opening batches, against vectors of other implementations.
 *
 * The node binary carries OpenSSL; here the system's libcrypto stands in for it.
 * Vectors: McGrew and Viega, "The Galois/Counter Mode of Operation", test cases 13 and 14 (AES-256,
 * nonce 0); and @noble/ciphers 2.4.0 with key 00..1f, counter 0x0102030405060708 and the bytes
 * 3 i mod 256 — the nonce being four zero bytes and the counter, little-endian for ChaCha20
 * (WireGuard paper 5.4.6; RFC 8439), big-endian for AES (security.md 9).
 */
#include "aead.h"

#include <dlfcn.h>
#include <errno.h>

#include "layout.gen.h"
#include "packets.h"

#define COUNTER UINT64_C(0x0102030405060708)
#define STRIDE 1452u

struct vector {
    uint32_t suite;
    bool zeros; /* key, counter and text of zeros */
    uint32_t bytes;
    const char *sealed;
};

static const struct vector VECTORS[] = {
    { SUITE_AES256GCM, true, 0, "530f8afbc74536b9a963b4f1c4cb738b" },
    { SUITE_AES256GCM, true, 16,
      "cea7403d4d606b6e074ec5d3baf39d18d0d1c8a799996bf0265b98b5d48ab919" },
    { SUITE_CHACHA20POLY1305, false, 40,
      "f04aabeda736f80d7cb034ed575f4b95d035c4fdb47b07db1f7ee90cbd55fd80391f66d4be5d7b8c"
      "f718cb8a2b1e8ec94039f819751956f5" },
    { SUITE_AES256GCM, false, 40,
      "04526307d1ee1b8b1b84e3ce3a4013dd4aca6afbebea0a29a1b01a013f6085904f4b7ef1f6d5bf53"
      "125138bef3ebde1ef4a2f6f45cd8d12c" },
    { SUITE_CHACHA20POLY1305, false, 0, "2752c39e5b6b57e6b8f924db3698b1ba" },
    { SUITE_AES256GCM, false, 0, "4f2ee1cb89cef0a899ac0c62daa4d443" },
};

static void set_header(uint8_t *segment, uint64_t counter)
{
    memset(segment, 0, DATA_HEADER_BYTES);
    segment[0] = 4;
    memcpy(segment + 8, &counter, 8);
}

static bool same_as_hex(const uint8_t *bytes, const char *hex)
{
    for (size_t i = 0; hex[2 * i] != '\0'; i++) {
        char pair[3] = { hex[2 * i], hex[2 * i + 1], '\0' };
        if (bytes[i] != strtoul(pair, NULL, 16))
            return false;
    }
    return true;
}

static void test_vectors(struct aead *aead)
{
    for (size_t v = 0; v < sizeof VECTORS / sizeof VECTORS[0]; v++) {
        const struct vector *vector = &VECTORS[v];
        uint8_t key[32], segment[128] = { 0 }, header[DATA_HEADER_BYTES];
        uint64_t failed = 1;
        struct aead_batch batch = { .suite = vector->suite, .key = key, .segments = segment,
                                    .count = 1, .stride = vector->bytes + SEGMENT_OVERHEAD_BYTES,
                                    .last_bytes = vector->bytes + SEGMENT_OVERHEAD_BYTES };

        for (uint32_t i = 0; i < sizeof key; i++)
            key[i] = vector->zeros ? 0 : (uint8_t)i;
        for (uint32_t i = 0; i < vector->bytes; i++)
            segment[DATA_HEADER_BYTES + i] = vector->zeros ? 0 : (uint8_t)(3 * i);
        set_header(segment, vector->zeros ? 0 : COUNTER);
        memcpy(header, segment, sizeof header);
        CHECK_EQUAL(aead_seal(aead, &batch), 0);
        CHECK(same_as_hex(segment + DATA_HEADER_BYTES, vector->sealed));
        CHECK(memcmp(header, segment, sizeof header) == 0);
        CHECK_EQUAL(aead_open_batch(aead, &batch, &failed), 0);
        CHECK_EQUAL(failed, 0);
        for (uint32_t i = 0; i < vector->bytes; i++)
            CHECK_EQUAL(segment[DATA_HEADER_BYTES + i], vector->zeros ? 0 : (uint8_t)(3 * i));
    }
}

/* Text `i` of the batch: its own bytes, so that a segment in another's place shows. */
static void fill(uint8_t *segments, uint32_t count, uint32_t last, uint64_t first)
{
    for (uint32_t i = 0; i < count; i++) {
        uint8_t *segment = segments + (size_t)i * STRIDE;
        uint32_t bytes = (i + 1 == count ? last : STRIDE) - SEGMENT_OVERHEAD_BYTES;
        set_header(segment, first + i);
        for (uint32_t b = 0; b < bytes; b++)
            segment[DATA_HEADER_BYTES + b] = (uint8_t)(b * 7 + i);
    }
}

/* Batches of every size; forged tags, texts and counters are named, and nothing else. */
static void test_batches(struct aead *aead, uint32_t suite, struct chance *chance)
{
    static uint8_t segments[JOB_SEGMENTS * STRIDE], plain[JOB_SEGMENTS * STRIDE];
    uint8_t key[32];

    for (uint32_t count = 1; count <= JOB_SEGMENTS; count++) {
        uint32_t last = SEGMENT_OVERHEAD_BYTES + (uint32_t)chance_below(chance, 1421);
        size_t bytes = (size_t)(count - 1) * STRIDE + last;
        uint64_t failed = 0, forged = 0;
        struct aead_batch batch = { .suite = suite, .key = key, .segments = segments,
                                    .count = count, .stride = STRIDE, .last_bytes = last };
        /* Another key now and then: the context must take it. */
        if (count % 3 == 1)
            chance_fill(chance, key, sizeof key);
        fill(segments, count, last, chance_next(chance));
        memcpy(plain, segments, bytes);
        CHECK_EQUAL(aead_seal(aead, &batch), 0);
        for (uint32_t i = 0; i < count; i++) {
            uint32_t size = i + 1 == count ? last : STRIDE;
            if (chance_below(chance, 4) != 0)
                continue;
            forged |= UINT64_C(1) << i;
            /* Anything but type and index, which no tag covers. */
            segments[(size_t)i * STRIDE + 8 + chance_below(chance, size - 8)] ^= 0x10;
        }
        CHECK_EQUAL(aead_open_batch(aead, &batch, &failed), 0);
        CHECK(failed == forged);
        for (uint32_t i = 0; i < count; i++) {
            uint32_t size = (i + 1 == count ? last : STRIDE) - SEGMENT_OVERHEAD_BYTES;
            size_t at = (size_t)i * STRIDE + DATA_HEADER_BYTES;
            if (!(forged >> i & 1))
                CHECK(memcmp(segments + at, plain + at, size) == 0);
        }
    }
}

/* The other suite, another key: everything fails, nothing more. */
static void test_wrong_key(struct aead *aead)
{
    static uint8_t segments[3 * STRIDE];
    uint8_t key[32] = { 1 };
    uint64_t failed = 0;
    struct aead_batch batch = { .suite = SUITE_AES256GCM, .key = key, .segments = segments,
                                .count = 3, .stride = STRIDE, .last_bytes = STRIDE };

    fill(segments, 3, STRIDE, 1);
    CHECK_EQUAL(aead_seal(aead, &batch), 0);
    key[31] = 1;
    CHECK_EQUAL(aead_open_batch(aead, &batch, &failed), 0);
    CHECK_EQUAL(failed, 7);
    fill(segments, 3, STRIDE, 1);
    CHECK_EQUAL(aead_seal(aead, &batch), 0);
    batch.suite = SUITE_CHACHA20POLY1305;
    CHECK_EQUAL(aead_open_batch(aead, &batch, &failed), 0);
    CHECK_EQUAL(failed, 7);
}

static void test_refused(struct aead *aead)
{
    static uint8_t segments[STRIDE];
    const uint8_t key[32] = { 0 };
    const struct aead_batch good = { .key = key, .segments = segments, .count = 1,
                                     .stride = STRIDE, .last_bytes = STRIDE };
    struct aead_batch bad[] = { good, good, good, good, good, good };
    bad[0].suite = 2;
    bad[1].count = 0;
    bad[2].count = JOB_SEGMENTS + 1;
    bad[3].stride = SEGMENT_OVERHEAD_BYTES - 1;
    bad[4].last_bytes = SEGMENT_OVERHEAD_BYTES - 1;
    bad[5].last_bytes = STRIDE + 1;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        uint64_t failed = 0;
        CHECK_EQUAL(aead_seal(aead, &bad[i]), -EINVAL);
        CHECK_EQUAL(aead_open_batch(aead, &bad[i], &failed), -EINVAL);
        CHECK(failed == UINT64_MAX);
    }
    CHECK_EQUAL(aead_seal(NULL, &good), -EINVAL);
    CHECK_EQUAL(aead_seal(aead, &good), 0);
    aead_close(NULL);
    CHECK(aead_version(NULL)[0] == '\0');
}

int main(void)
{
    struct chance chance = { 8439 };

    if (dlopen("libcrypto.so.3", RTLD_NOW | RTLD_GLOBAL) == NULL &&
        dlopen("libcrypto.so.1.1", RTLD_NOW | RTLD_GLOBAL) == NULL)
        SKIP("there is no libcrypto; run apt-get install libssl3");
    struct aead *aead = aead_open();
    CHECK(aead != NULL);
    printf("%s\n", aead_version(aead));
    test_vectors(aead);
    PASSED("six vectors");
    test_batches(aead, SUITE_CHACHA20POLY1305, &chance);
    test_batches(aead, SUITE_AES256GCM, &chance);
    PASSED("batches of 1 to 64, forged ones named");
    test_wrong_key(aead);
    PASSED("another key, another suite");
    test_refused(aead);
    PASSED("batches that cannot be");
    aead_close(aead);
    return 0;
}
