/*
 * fragment.h — IPv4 packets cut as a router cuts them, where their sender allows it.
 *
 * The fragments are as equal as multiples of 8 bytes allow, since a run's segments are. Packets
 * with options are not cut: some would belong into every fragment. Source: RFC 791, 3.2.
 */
#ifndef P2PVPN_FRAGMENT_H
#define P2PVPN_FRAGMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* May this whole packet be cut: IPv4, DF clear, no options? */
bool fragment_may(const uint8_t *packet, size_t bytes);

/*
 * Bytes of the fragment that begins at payload byte `done` of a packet, `mtu` at most; all of a
 * packet that fits. 0: nothing is left.
 */
size_t fragment_bytes(size_t bytes, size_t mtu, size_t done);

/* Writes that fragment to `to`. Returns the payload bytes that are cut off after it. */
size_t fragment_write(const uint8_t *packet, size_t bytes, size_t mtu, size_t done, uint8_t *to);

#endif
