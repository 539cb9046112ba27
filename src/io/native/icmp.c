/* icmp.c — see icmp.h. */
#include "icmp.h"

#include "arena.h"
#include "checksum.h"
#include "ip.h"

#define ICMP_UNREACHABLE 3u
#define ICMP_FRAGMENTATION_NEEDED 4u
#define ICMP6_PACKET_TOO_BIG 2u
#define ICMP6_REDIRECT 137u
#define ICMP6_INFORMATION 128u /* types from here on are no errors */
#define ICMP_HEADER_BYTES 8u
#define IPV4_MESSAGE_MAX 576u
#define INTERNETWORK_CONTROL 0xc0u /* precedence of ICMP errors; RFC 1812 4.3.2.5 */
#define HOPS 64u
/* IPv6 extension headers that are looked behind. */
#define EXTENSIONS_MAX 8u

/* RFC 1122 3.2.2: redirects too, and source quench. */
static bool is_error4(uint8_t type)
{
    return type == 3 || type == 4 || type == 5 || type == 11 || type == 12;
}

/* One host, and not ourselves: neither 0/8 nor 127/8, nor multicast, reserved or broadcast. */
static bool is_host4(const uint8_t *address)
{
    return address[0] != 0 && address[0] != 127 && address[0] < 224;
}

/* Neither multicast, nor unspecified or loopback. */
static bool is_host6(const uint8_t *address)
{
    static const uint8_t none[15];
    return address[0] != 0xff && (memcmp(address, none, sizeof none) != 0 || address[15] > 1);
}

static bool may_tell4(const uint8_t *packet, size_t bytes)
{
    size_t ip = (size_t)(packet[0] & 15) * 4;

    if (!is_host4(packet + 12) || !is_host4(packet + 16) || ip < IPV4_BYTES || ip >= bytes)
        return false;
    if ((load16_be(packet + 6) & IPV4_OFFSET) != 0)
        return false;
    return packet[9] != PROTOCOL_ICMP || !is_error4(packet[ip]);
}

/* Is the packet an ICMPv6 error, as far as its extension headers can be followed? */
static bool is_error6(const uint8_t *packet, size_t bytes)
{
    uint8_t next = packet[6];
    size_t at = IPV6_BYTES;

    for (uint32_t i = 0; i < EXTENSIONS_MAX && at + 8 <= bytes; i++) {
        if (next == PROTOCOL_ICMP6)
            return packet[at] < ICMP6_INFORMATION || packet[at] == ICMP6_REDIRECT;
        if (next == 44) { /* fragment: nothing to look at in a later one */
            if ((load16_be(packet + at + 2) & 0xfff8) != 0)
                return false;
            next = packet[at];
            at += 8;
        } else if (next == 0 || next == 43 || next == 60) { /* hop by hop, routing, destination */
            next = packet[at];
            at += ((size_t)packet[at + 1] + 1) * 8;
        } else {
            return false;
        }
    }
    return next == PROTOCOL_ICMP6; /* one that cannot be read: let it be */
}

static size_t write4(uint8_t *out, const uint8_t *packet, size_t bytes, uint32_t mtu)
{
    size_t headers = IPV4_BYTES + ICMP_HEADER_BYTES;
    size_t quoted = bytes < IPV4_MESSAGE_MAX - headers ? bytes : IPV4_MESSAGE_MAX - headers;
    uint8_t *icmp = out + IPV4_BYTES;

    memset(out, 0, headers);
    out[0] = 0x45;
    out[1] = INTERNETWORK_CONTROL;
    store16_be(out + 2, (uint32_t)(headers + quoted));
    store16_be(out + 6, 0x4000);
    out[8] = HOPS;
    out[9] = PROTOCOL_ICMP;
    memcpy(out + 12, packet + 16, 4);
    memcpy(out + 16, packet + 12, 4);
    uint16_t check = (uint16_t)~sum_fold(sum_bytes(out, IPV4_BYTES));
    memcpy(out + 10, &check, 2);
    icmp[0] = ICMP_UNREACHABLE;
    icmp[1] = ICMP_FRAGMENTATION_NEEDED;
    store16_be(icmp + 6, mtu);
    memcpy(icmp + ICMP_HEADER_BYTES, packet, quoted);
    check = (uint16_t)~sum_fold(sum_bytes(icmp, ICMP_HEADER_BYTES + quoted));
    memcpy(icmp + 2, &check, 2);
    return headers + quoted;
}

static size_t write6(uint8_t *out, const uint8_t *packet, size_t bytes, uint32_t mtu)
{
    size_t headers = IPV6_BYTES + ICMP_HEADER_BYTES;
    size_t quoted = bytes < ICMP_BYTES_MAX - headers ? bytes : ICMP_BYTES_MAX - headers;
    uint8_t *icmp = out + IPV6_BYTES;

    memset(out, 0, headers);
    out[0] = 0x60;
    store16_be(out + 4, (uint32_t)(ICMP_HEADER_BYTES + quoted));
    out[6] = PROTOCOL_ICMP6;
    out[7] = HOPS;
    memcpy(out + 8, packet + 24, 16);
    memcpy(out + 24, packet + 8, 16);
    icmp[0] = ICMP6_PACKET_TOO_BIG;
    store32_be(icmp + 4, mtu);
    memcpy(icmp + ICMP_HEADER_BYTES, packet, quoted);
    uint64_t sum = sum_pseudo(out, PROTOCOL_ICMP6, ICMP_HEADER_BYTES + quoted);
    sum += sum_bytes(icmp, ICMP_HEADER_BYTES + quoted);
    uint16_t check = (uint16_t)~sum_fold(sum);
    memcpy(icmp + 2, &check, 2);
    return headers + quoted;
}

size_t icmp_too_big(uint8_t out[ICMP_BYTES_MAX], const uint8_t *packet, size_t bytes, uint32_t mtu)
{
    if (bytes >= IPV4_BYTES && (packet[0] >> 4) == 4)
        return may_tell4(packet, bytes) ? write4(out, packet, bytes, mtu) : 0;
    if (bytes < IPV6_BYTES || (packet[0] >> 4) != 6)
        return 0;
    bool hosts = is_host6(packet + 8) && is_host6(packet + 24);
    return hosts && !is_error6(packet, bytes) ? write6(out, packet, bytes, mtu) : 0;
}
