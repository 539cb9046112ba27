/* checksum.h — the Internet checksum (RFC 1071), summed in host order. */
#ifndef P2PVPN_CHECKSUM_H
#define P2PVPN_CHECKSUM_H

#include <stddef.h>
#include <stdint.h>

/* Unfolded sum of `bytes` bytes; an odd last byte counts as the high byte of a word. */
uint64_t sum_bytes(const uint8_t *at, size_t bytes);

/* The same while copying; `to` and `from` do not overlap. */
uint64_t sum_copy(uint8_t *to, const uint8_t *from, size_t bytes);

/* Folds to 16 bits; not complemented. Store it as it lies in memory (host order). */
uint16_t sum_fold(uint64_t sum);

/*
 * Sum of the pseudo-header of TCP or UDP. `ip` is the packet; addresses of 4 or 16 bytes are found
 * by its version; `length` is that of the TCP or UDP header and payload.
 */
uint64_t sum_pseudo(const uint8_t *ip, uint8_t protocol, size_t length);

#endif
