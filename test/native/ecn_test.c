/* sources: checksum.c */
/* ecn_test.c — reading and setting the congestion bits of IPv4 and IPv6 headers. */
#include "ecn.h"

#include "checksum.h"
#include "packets.h"

/* Every first word of an IPv4 header, with checksums that make the sum carry and not. */
static void test_ipv4(void)
{
    uint8_t packet[20];

    for (uint32_t tos = 0; tos < 256; tos++) {
        for (uint32_t length = 0; length < 65536; length += 4369) {
            memset(packet, 0, sizeof packet);
            packet[0] = 0x45;
            packet[1] = (uint8_t)tos;
            store16_be(packet + 2, length);
            store32_be(packet + 12, tos * 0x01010101u);
            uint16_t check = (uint16_t)~sum_fold(sum_bytes(packet, sizeof packet));
            memcpy(packet + 10, &check, 2);
            CHECK_EQUAL(ecn_of(packet), tos & 3);
            ecn_mark(packet);
            CHECK_EQUAL(packet[1], tos | 3);
            CHECK_EQUAL(ecn_of(packet), ECN_CE);
            CHECK_EQUAL(sum_fold(sum_bytes(packet, sizeof packet)), 0xffff);
        }
    }
}

static void test_ipv6(void)
{
    uint8_t packet[40] = { 0 };

    for (uint32_t class = 0; class < 256; class++) {
        store32_be(packet, 6u << 28 | class << 20 | 0xabcde);
        CHECK_EQUAL(ecn_of(packet), class & 3);
        ecn_mark(packet);
        CHECK_EQUAL(load32_be(packet), 6u << 28 | (class | 3) << 20 | 0xabcde);
    }
}

int main(void)
{
    test_ipv4();
    PASSED("IPv4: DSCP stays, the checksum holds");
    test_ipv6();
    PASSED("IPv6: DSCP and flow label stay");
    return 0;
}
