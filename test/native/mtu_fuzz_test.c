/* sources: icmp.c fragment.c mss.c checksum.c */
/*
 * mtu_fuzz_test.c — SYN packets, fragments and ICMP messages of random shape against slow twins,
 * and damaged packets of which nothing but bounds is expected.
 */
#include "icmp.h"

#include "fragment.h"
#include "fuzz.h"
#include "mss.h"

#define PACKET_MAX 65535u
#define SYN 0x02u
#define ACK 0x10u

struct bench {
    uint8_t packet[PACKET_MAX];
    uint8_t whole[PACKET_MAX];
    uint8_t piece[PACKET_MAX];
};

/* Random options, with an MSS at any place, odd ones too. Returns where its value is, or 0. */
static size_t random_options(struct chance *chance, uint8_t *tcp, size_t bytes)
{
    size_t at = 20, end = 20 + bytes, found = 0;

    memset(tcp + 20, 1, bytes);
    while (at < end) {
        uint64_t kind = chance_below(chance, 4);
        if (kind == 0) {
            at++;
        } else if (kind == 1 && end - at >= 4 && found == 0) {
            tcp[at] = 2;
            tcp[at + 1] = 4;
            put16(tcp + at + 2, (uint32_t)chance_below(chance, 65536));
            found = at + 2;
            at += 4;
        } else {
            size_t length = 2 + chance_below(chance, 9);
            if (length > end - at)
                break;
            tcp[at] = (uint8_t)(3 + chance_below(chance, 200));
            tcp[at + 1] = (uint8_t)length;
            at += length;
        }
    }
    return found;
}

static uint32_t check_mss(struct chance *chance, struct bench *bench)
{
    struct shape shape = { .version = once_in(chance, 2) ? 4 : 6, .protocol = TCP,
                           .options = chance_below(chance, 11) * 4,
                           .payload = chance_below(chance, 20),
                           .flags = (uint8_t)(1 + chance_below(chance, 31)) };
    size_t bytes = make_packet(bench->packet, &shape), ip = shape.version == 4 ? 20 : 40;
    size_t at = random_options(chance, bench->packet + ip, shape.options);
    uint32_t mtu = 576 + (uint32_t)chance_below(chance, 60000);
    uint32_t most = mtu - (uint32_t)ip - 20;
    bool partial = once_in(chance, 3);

    seal_checksums(bench->packet, bytes);
    if (partial) /* what is wrong stays as wrong as it was */
        put16(bench->packet + ip + 16, get16(bench->packet + ip + 16) ^ 0x1234);
    uint32_t sum = slow_transport_sum(bench->packet, bytes);
    uint32_t before = at == 0 ? 0 : get16(bench->packet + ip + at);
    uint8_t *copy = exact_copy(bench->packet, bytes);
    bool changed = mss_clamp(copy, bytes, mtu);
    CHECK_EQUAL(changed, (shape.flags & SYN) != 0 && before > most);
    CHECK_EQUAL(slow_transport_sum(copy, bytes) % 0xffff, sum % 0xffff);
    if (changed) {
        CHECK_EQUAL(get16(copy + ip + at), most);
        put16(copy + ip + at, before);
        memcpy(copy + ip + 16, bench->packet + ip + 16, 2);
    }
    CHECK(memcmp(copy, bench->packet, bytes) == 0);
    free(copy);
    return changed;
}

/* Fragments put together again as RFC 791, 3.2 does: place by place. */
static uint32_t check_fragments(struct chance *chance, struct bench *bench)
{
    struct shape shape = { .version = 4, .protocol = UDP, .id = 77,
                           .payload = chance_below(chance, once_in(chance, 4) ? 65000 : 3000) };
    size_t bytes = make_packet(bench->packet, &shape), done = 0, sum = 0, next;
    size_t mtu = 576 + chance_below(chance, once_in(chance, 4) ? 30000 : 1000);
    uint32_t base = once_in(chance, 4) ? (uint32_t)chance_below(chance, 0x2000) : 0, pieces = 0;
    bool more = once_in(chance, 2) && base > 0;

    put16(bench->packet + 6, base | (more ? 0x2000 : 0));
    memset(bench->packet + 10, 0, 2);
    put16(bench->packet + 10, ~slow_add(0, bench->packet, 20) & 0xffff);
    if ((size_t)base * 8 + bytes > 65535) {
        CHECK(!fragment_may(bench->packet, bytes));
        return 0;
    }
    CHECK(fragment_may(bench->packet, bytes));
    memset(bench->whole, 0xee, sizeof bench->whole);
    while ((next = fragment_bytes(bytes, mtu, done)) != 0) {
        size_t before = done;
        memset(bench->piece, 0xdd, sizeof bench->piece);
        done = fragment_write(bench->packet, bytes, mtu, done, bench->piece);
        CHECK(next <= mtu && next > 20 && done == before + next - 20);
        CHECK_EQUAL(get16(bench->piece + 2), next);
        CHECK_EQUAL(slow_add(0, bench->piece, 20), 0xffff);
        CHECK_EQUAL(bench->piece[next], 0xdd);
        uint32_t place = get16(bench->piece + 6);
        CHECK_EQUAL((place & 0x2000) != 0, more || done + 20 < bytes);
        CHECK_EQUAL((size_t)((place & 0x1fff) - base) * 8, before);
        CHECK_EQUAL(place & 0xc000, 0);
        CHECK(memcmp(bench->piece, bench->packet, 2) == 0);
        CHECK(memcmp(bench->piece + 4, bench->packet + 4, 2) == 0);
        CHECK(memcmp(bench->piece + 8, bench->packet + 8, 2) == 0);
        CHECK(memcmp(bench->piece + 12, bench->packet + 12, 8) == 0);
        memcpy(bench->whole + 20 + before, bench->piece + 20, next - 20);
        sum += next - 20;
        pieces++;
    }
    CHECK_EQUAL(sum, bytes - 20);
    CHECK(memcmp(bench->whole + 20, bench->packet + 20, sum) == 0);
    size_t most = (mtu - 20) / 8 * 8;
    CHECK_EQUAL(pieces, bytes <= mtu ? 1 : (bytes - 20 + most - 1) / most);
    return pieces > 1;
}

static void check_icmp(struct chance *chance, struct bench *bench)
{
    struct shape shape = { .version = once_in(chance, 2) ? 4 : 6, .protocol = TCP, .flags = ACK,
                           .payload = chance_below(chance, 1500) };
    size_t bytes = make_packet(bench->packet, &shape);
    bool v4 = shape.version == 4;
    size_t ip = v4 ? 20 : 40, most = v4 ? 576 : 1280;
    uint32_t mtu = 1280 + (uint32_t)chance_below(chance, 60000);
    uint8_t out[ICMP_BYTES_MAX];
    size_t length = icmp_too_big(out, bench->packet, bytes, mtu);

    CHECK_EQUAL(length, bytes + ip + 8 < most ? bytes + ip + 8 : most);
    CHECK(memcmp(out + ip + 8, bench->packet, length - ip - 8) == 0);
    CHECK_EQUAL(protocol_of(out), v4 ? 1 : 58);
    CHECK_EQUAL(out[ip], v4 ? 3 : 2);
    CHECK_EQUAL(out[ip + 1], v4 ? 4 : 0);
    CHECK_EQUAL(v4 ? get16(out + ip + 6) : get32(out + ip + 4), mtu);
    if (v4) {
        CHECK_EQUAL(get16(out + 2), length);
        CHECK_EQUAL(slow_add(0, out, 20), 0xffff);
        CHECK_EQUAL(slow_add(0, out + 20, length - 20), 0xffff);
        CHECK(memcmp(out + 12, bench->packet + 16, 4) == 0);
        CHECK(memcmp(out + 16, bench->packet + 12, 4) == 0);
    } else {
        CHECK_EQUAL(get16(out + 4) + 40, length);
        CHECK_EQUAL(slow_transport_sum(out, length), 0xffff);
        CHECK(memcmp(out + 8, bench->packet + 24, 16) == 0);
        CHECK(memcmp(out + 24, bench->packet + 8, 16) == 0);
    }
    /* Nothing is said about what was said; nor does anything damaged leave the bounds. */
    uint8_t *copy = exact_copy(out, length);
    CHECK_EQUAL(icmp_too_big(bench->piece, copy, length, mtu), 0);
    free(copy);
    flip_bits(chance, bench->packet, 80, chance_below(chance, 9));
    copy = exact_copy(bench->packet, bytes);
    CHECK(icmp_too_big(out, copy, bytes, mtu) <= ICMP_BYTES_MAX);
    (void)fragment_may(copy, bytes);
    (void)mss_clamp(copy, bytes, mtu);
    free(copy);
}

static void set_host(uint8_t *at, unsigned version, uint8_t first)
{
    memset(at, 0, version == 4 ? 4 : 16);
    at[0] = first;
}

/* From and to whom, and about what, no message is sent. */
static void test_silence(struct bench *bench)
{
    const uint8_t nobody4[] = { 0, 127, 224, 239, 240, 255 }, nobody6[] = { 0, 0xff };
    uint8_t out[ICMP_BYTES_MAX];

    for (unsigned version = 4; version <= 6; version += 2) {
        struct shape shape = { .version = version, .protocol = UDP, .payload = 1400 };
        const uint8_t *nobody = version == 4 ? nobody4 : nobody6;
        for (size_t i = 0; i < (version == 4 ? sizeof nobody4 : sizeof nobody6); i++) {
            for (size_t end = 0; end < 2; end++) {
                size_t bytes = make_packet(bench->packet, &shape);
                CHECK(icmp_too_big(out, bench->packet, bytes, 1300) > 0);
                set_host(bench->packet + (version == 4 ? 12 + 4 * end : 8 + 16 * end), version,
                         nobody[i]);
                CHECK_EQUAL(icmp_too_big(out, bench->packet, bytes, 1300), 0);
            }
        }
    }
    struct shape shape = { .version = 4, .protocol = UDP, .payload = 1400 };
    size_t bytes = make_packet(bench->packet, &shape);
    put16(bench->packet + 6, 0x4000 | 100);
    CHECK_EQUAL(icmp_too_big(out, bench->packet, bytes, 1300), 0); /* a later fragment */
    CHECK(!fragment_may(bench->packet, bytes));                    /* DF */
    PASSED("nobody is told who may not be");
}

/* Errors are found behind IPv6 extension headers, and echo requests are no errors. */
static void test_errors6(struct bench *bench)
{
    const struct { uint8_t type; bool told; } cases[] = {
        { 1, false }, { 2, false }, { 127, false }, { 128, true }, { 129, true }, { 137, false },
    };
    uint8_t out[ICMP_BYTES_MAX];

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct shape shape = { .version = 6, .protocol = UDP, .payload = 1400 };
        size_t bytes = make_packet(bench->packet, &shape);
        uint8_t *at = bench->packet + 40;
        bench->packet[6] = 0; /* hop by hop, 8 bytes; destination options, 16; fragment; ICMPv6 */
        memset(at, 0, 40);
        at[0] = 60;
        at[8] = 44;
        at[9] = 1;
        at[24] = 58;
        at[32] = cases[i].type;
        CHECK_EQUAL(icmp_too_big(out, bench->packet, bytes, 1300) > 0, cases[i].told);
        put16(at + 26, 8); /* a later fragment: nothing can be said of it, and it is told */
        CHECK(icmp_too_big(out, bench->packet, bytes, 1300) > 0);
        at[1] = 255; /* a header that ends beyond the packet */
        CHECK(icmp_too_big(out, bench->packet, 48, 1300) > 0);
    }
    PASSED("errors are found behind extension headers");
}

int main(void)
{
    struct bench *bench = calloc(1, sizeof *bench);
    struct fuzz fuzz;
    unsigned long clamped = 0, cut = 0;

    CHECK(bench != NULL);
    test_silence(bench);
    test_errors6(bench);
    fuzz_begin(&fuzz);
    while (fuzz_goes_on(&fuzz)) {
        clamped += check_mss(&fuzz.chance, bench);
        cut += check_fragments(&fuzz.chance, bench);
        check_icmp(&fuzz.chance, bench);
    }
    printf("%lu rounds: %lu clamped, %lu cut\n", fuzz.rounds, clamped, cut);
    CHECK(clamped > 20 && cut > 20);
    PASSED("what is told, cut and lowered is as the slow twins have it");
    free(bench);
    return 0;
}
