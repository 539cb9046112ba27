/*
 * ecn.h — congestion marks of inner packets and of the outer header around them.
 *
 *      out: the outer header has the inner packet's bits (normal mode)
 *      in:  outer CE makes an ECN-capable inner packet CE; one that is not capable is dropped,
 *           since its sender can be told in no other way; any other outer value says nothing
 *
 * DSCP is 0 outside and never touched inside. Source: RFC 6040, 4.1 and 4.2; RFC 3168, 5; the
 * IPv4 checksum by RFC 1624, equation 3.
 */
#ifndef P2PVPN_ECN_H
#define P2PVPN_ECN_H

#include "arena.h"

/* The bits of a whole IPv4 or IPv6 packet. */
static inline uint32_t ecn_of(const uint8_t *packet)
{
    return (packet[0] >> 4) == 4 ? packet[1] & 3u : (uint32_t)(packet[1] >> 4) & 3u;
}

/* Marks an ECN-capable packet. */
static inline void ecn_mark(uint8_t *packet)
{
    if ((packet[0] >> 4) != 4) {
        packet[1] |= ECN_CE << 4;
        return;
    }
    uint32_t before = load16_be(packet);
    packet[1] |= ECN_CE;
    uint32_t sum = (uint16_t)~load16_be(packet + 10) + (uint32_t)(uint16_t)~before;
    sum += load16_be(packet);
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    store16_be(packet + 10, ~sum);
}

#endif
