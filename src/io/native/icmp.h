/*
 * icmp.h — what an inner sender is told when its packet is longer than the way to the peer takes.
 *
 *     IPv4   destination unreachable, fragmentation needed and DF set (type 3, code 4)
 *     IPv6   packet too big (type 2)
 *
 * The source is the packet's destination. The tunnel's own address would say better who speaks, but
 * Linux drops an IPv4 packet that comes from a device and has an address of the host as its source
 * (net/ipv4/fib_frontend.c, "martian source"), while from the destination every answer comes in at
 * this device, so that the reverse-path filter takes it.
 *
 * Source: RFC 792; RFC 1191, 4; RFC 1812, 4.3.2; RFC 4443, 2.4 and 3.2.
 */
#ifndef P2PVPN_ICMP_H
#define P2PVPN_ICMP_H

#include <stddef.h>
#include <stdint.h>

/* No message is longer: RFC 4443 2.4 (c); 576 with IPv4. */
#define ICMP_BYTES_MAX 1280u

/*
 * Writes the message about a whole packet to `out`. `mtu` is what its sender shall keep to. Returns
 * its bytes, or 0 where no message may be sent: about an ICMP error, a later fragment, from or to
 * what is not one host.
 */
size_t icmp_too_big(uint8_t out[ICMP_BYTES_MAX], const uint8_t *packet, size_t bytes, uint32_t mtu);

#endif
