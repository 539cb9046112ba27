/*
 * mss.h — the MSS that TCP announces, lowered to what the way through the tunnel takes.
 *
 * A host announces the MSS of its own link. Behind a link with a larger MTU than the tunnel's, or
 * when the way to the peer takes less, every full segment would be refused first. So a SYN and its
 * answer, in both directions, get the smaller value. Source: RFC 9293 3.7.1; RFC 6691.
 */
#ifndef P2PVPN_MSS_H
#define P2PVPN_MSS_H

#include "arena.h"
#include "ip.h"


/*
 * Is the packet a TCP SYN, by its first bytes alone? `bytes` is that of a whole IP packet: 20 at
 * least with IPv4, 40 with IPv6. TCP behind IPv6 extension headers is passed over.
 */
static inline bool is_syn(const uint8_t *packet, size_t bytes)
{
    bool v4 = (packet[0] >> 4) == 4;
    size_t ip = v4 ? (size_t)(packet[0] & 15) * 4 : 40;
    return packet[v4 ? 9 : 6] == PROTOCOL_TCP && bytes >= ip + TCP_HEADER_BYTES &&
           (packet[ip + TCP_FLAGS_AT] & TCP_SYN) != 0;
}

/*
 * Lowers the MSS option of a SYN of `bytes` to what packets of `mtu` hold, and amends the checksum,
 * which may be right, wrong or partial: it stays that. True when something changed.
 */
bool mss_clamp(uint8_t *packet, size_t bytes, uint32_t mtu);

#endif
