/* sources: checksum.c */
/* checksum_test.c — sums of every length and alignment against a slow twin. */
#include "checksum.h"

#include "packets.h"

#define BYTES_MAX 2000u
#define RANDOM_RUNS 20000u

/* What a folded sum would be stored as, in network order. */
static uint32_t folded(uint64_t sum)
{
    uint16_t stored = sum_fold(sum);
    uint8_t bytes[2];
    memcpy(bytes, &stored, 2);
    return get16(bytes);
}

/* A sum is congruent modulo 65535; 0 and 0xffff are the same number, and only 0 sums to 0. */
static void check_same(uint64_t sum, uint32_t slow)
{
    CHECK_EQUAL(folded(sum) % 0xffff, slow % 0xffff);
    CHECK_EQUAL(folded(sum) == 0, slow == 0);
}

static void test_lengths(struct chance *chance)
{
    static uint8_t from[BYTES_MAX + 16], to[BYTES_MAX + 16];

    chance_fill(chance, from, sizeof from);
    for (size_t bytes = 0; bytes <= BYTES_MAX; bytes++) {
        for (size_t start = 0; start < 4; start++) {
            check_same(sum_bytes(from + start, bytes), slow_add(0, from + start, bytes));
            memset(to, 0xa5, sizeof to);
            check_same(sum_copy(to + start, from + start, bytes),
                       slow_add(0, from + start, bytes));
            CHECK(memcmp(to + start, from + start, bytes) == 0);
            CHECK(start == 0 || to[start - 1] == 0xa5);
            CHECK_EQUAL(to[start + bytes], 0xa5);
        }
    }
}

static void test_extremes(void)
{
    static uint8_t ones[65535], zeros[65535];

    memset(ones, 0xff, sizeof ones);
    for (size_t bytes = 0; bytes < sizeof ones; bytes += 4099) {
        check_same(sum_bytes(ones, bytes), slow_add(0, ones, bytes));
        CHECK_EQUAL(sum_bytes(zeros, bytes), 0);
    }
    check_same(sum_bytes(ones, sizeof ones), slow_add(0, ones, sizeof ones));
}

static void test_fold(struct chance *chance)
{
    CHECK_EQUAL(sum_fold(0), 0);
    CHECK_EQUAL(sum_fold(0xffff), 0xffff);
    CHECK_EQUAL(sum_fold(0x10000), 1);
    CHECK_EQUAL(sum_fold(UINT64_MAX), 0xffff);
    for (unsigned i = 0; i < RANDOM_RUNS; i++) {
        uint64_t sum = chance_next(chance) >> chance_below(chance, 64);
        CHECK_EQUAL(sum_fold(sum) % 0xffff, sum % 0xffff);
        CHECK_EQUAL(sum_fold(sum) == 0, sum == 0);
    }
}

/* RFC 1071, section 3: the bytes 00 01 f2 03 f4 f5 f6 f7 sum to ddf2. */
static void test_rfc(void)
{
    const uint8_t bytes[] = { 0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7 };
    CHECK_EQUAL(folded(sum_bytes(bytes, sizeof bytes)), 0xddf2);
}

static void test_pseudo(struct chance *chance)
{
    static uint8_t packet[70000];

    for (unsigned i = 0; i < 400; i++) {
        struct shape shape = { .version = i & 1 ? 4 : 6, .protocol = i & 2 ? TCP : UDP };
        shape.payload = chance_below(chance, i < 300 ? 100 : 60000);
        size_t bytes = make_packet(packet, &shape), ip = ip_header_bytes(packet);
        uint64_t sum = sum_pseudo(packet, shape.protocol, bytes - ip);
        CHECK_EQUAL(sum_fold(sum + sum_bytes(packet + ip, bytes - ip)), 0xffff);
        packet[ip + 3] ^= 1;
        CHECK(sum_fold(sum + sum_bytes(packet + ip, bytes - ip)) != 0xffff);
    }
}

int main(void)
{
    struct chance chance = { 1071 };

    test_rfc();
    PASSED("the example of RFC 1071");
    test_lengths(&chance);
    PASSED("every length to 2000 at four alignments, odd ones too");
    test_extremes();
    PASSED("65535 bytes of ones do not overflow");
    test_fold(&chance);
    PASSED("folding keeps the value modulo 65535");
    test_pseudo(&chance);
    PASSED("the pseudo-header of IPv4 and IPv6, TCP and UDP");
    return 0;
}
