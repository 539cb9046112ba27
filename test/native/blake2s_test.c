/* sources: blake2s.c */
/* blake2s_test.c — BLAKE2s against RFC 7693 and the reference implementation's vectors. */
#include <errno.h>
#include <string.h>

#include "blake2s.h"
#include "check.h"

#define DATA_BYTES 1024

static void from_hex(uint8_t *out, size_t bytes, const char *hex)
{
    CHECK(strlen(hex) == 2 * bytes);
    for (size_t i = 0; i < bytes; i++) {
        unsigned byte;
        CHECK(sscanf(hex + 2 * i, "%2x", &byte) == 1);
        out[i] = (uint8_t)byte;
    }
}

static void count_up(uint8_t *out, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        out[i] = (uint8_t)i;
}

/* RFC 7693 appendix B: BLAKE2s-256("abc"). */
static void test_abc(void)
{
    uint8_t want[32], got[32];
    from_hex(want, 32, "508c5e8c327c14e2e1a72ba34eeb452f37458b209ed63a294d999b4c86675982");
    CHECK_EQUAL(blake2s_mac(got, 32, NULL, 0, (const uint8_t *)"abc", 3), 0);
    CHECK(memcmp(got, want, 32) == 0);
    PASSED("abc");
}

/* The sequence of RFC 7693 appendix E. */
static void fill(uint8_t *out, size_t bytes, uint32_t seed)
{
    uint32_t a = 0xdead4bad * seed, b = 1;
    for (size_t i = 0; i < bytes; i++) {
        uint32_t sum = a + b;
        a = b;
        b = sum;
        out[i] = (uint8_t)(sum >> 24);
    }
}

/*
 * RFC 7693 appendix E: the hash of 48 digests, plain and keyed, of every size class. The RFC feeds
 * them to one hash; here they are put together first.
 */
static void test_grand_hash(void)
{
    static const size_t OUT_BYTES[] = {16, 20, 28, 32};
    static const size_t IN_BYTES[] = {0, 3, 64, 65, 255, 1024};
    uint8_t all[2 * 6 * (16 + 20 + 28 + 32)], data[DATA_BYTES], key[32], want[32], got[32];
    size_t at = 0;
    for (size_t i = 0; i < 4; i++) {
        size_t out_bytes = OUT_BYTES[i];
        for (size_t j = 0; j < 6; j++) {
            fill(data, IN_BYTES[j], (uint32_t)IN_BYTES[j]);
            CHECK_EQUAL(blake2s_mac(all + at, out_bytes, NULL, 0, data, IN_BYTES[j]), 0);
            at += out_bytes;
            fill(key, out_bytes, (uint32_t)out_bytes);
            CHECK_EQUAL(blake2s_mac(all + at, out_bytes, key, out_bytes, data, IN_BYTES[j]), 0);
            at += out_bytes;
        }
    }
    CHECK_EQUAL(at, sizeof all);
    from_hex(want, 32, "6a411f08ce25adcdfb02aba641451cec53c598b24f4fc787fbdc88797f4c1dfe");
    CHECK_EQUAL(blake2s_mac(got, 32, NULL, 0, all, sizeof all), 0);
    CHECK(memcmp(got, want, 32) == 0);
    PASSED("grand hash of RFC 7693 appendix E");
}

/* blake2s-kat.txt of the reference implementation: key 00..1f, data 00, 01, 02, ... */
static void test_known_answers(void)
{
    static const struct {
        size_t bytes;
        const char *hex;
    } CASES[] = {
        {0, "48a8997da407876b3d79c0d92325ad3b89cbb754d86ab71aee047ad345fd2c49"},
        {1, "40d15fee7c328830166ac3f918650f807e7e01e177258cdc0a39b11f598066f1"},
        {2, "6bb71300644cd3991b26ccd4d274acd1adeab8b1d7914546c1198bbe9fc9d803"},
        {63, "c65382513f07460da39833cb666c5ed82e61b9e998f4b0c4287cee56c3cc9bcd"},
        {64, "8975b0577fd35566d750b362b0897a26c399136df07bababbde6203ff2954ed4"},
        {65, "21fe0ceb0052be7fb0f004187cacd7de67fa6eb0938d927677f2398c132317a8"},
        {128, "0c311f38c35a4fb90d651c289d486856cd1413df9b0677f53ece2cd9e477c60a"},
        {129, "46a73a8dd3e70f59d3942c01df599def783c9da82fd83222cd662b53dce7dbdf"},
        {255, "3fb735061abc519dfe979e54c1ee5bfad0a9d858b3315bad34bde999efd724dd"},
    };
    uint8_t key[32], data[255], want[32], got[32];
    count_up(key, sizeof key);
    count_up(data, sizeof data);
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        from_hex(want, 32, CASES[i].hex);
        CHECK_EQUAL(blake2s_mac(got, 32, key, 32, data, CASES[i].bytes), 0);
        CHECK(memcmp(got, want, 32) == 0);
    }
    PASSED("keyed known answers");
}

static void test_in_place(void)
{
    uint8_t key[32], data[148], want[16];
    count_up(key, sizeof key);
    count_up(data, sizeof data);
    CHECK_EQUAL(blake2s_mac(want, 16, key, 32, data, sizeof data), 0);
    CHECK_EQUAL(blake2s_mac(data + 100, 16, key, 32, data, sizeof data), 0);
    CHECK(memcmp(data + 100, want, 16) == 0);
    PASSED("result inside the data");
}

static void test_refusals(void)
{
    uint8_t out[64], key[33] = {0}, data[64] = {0};
    CHECK_EQUAL(blake2s_mac(out, 0, key, 32, data, 1), -EINVAL);
    CHECK_EQUAL(blake2s_mac(out, 33, key, 32, data, 1), -EINVAL);
    CHECK_EQUAL(blake2s_mac(out, 16, key, 33, data, 1), -EINVAL);
    PASSED("sizes that do not fit are refused");
}

int main(void)
{
    test_abc();
    test_grand_hash();
    test_known_answers();
    test_in_place();
    test_refusals();
    return 0;
}
