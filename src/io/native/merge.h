/*
 * merge.h — decrypted segments into few TUN writes.
 *
 * Consecutive TCP or UDP packets of one flow become one packet with a virtio header (GSO), written
 * with an iovec per payload; nothing is copied. Rules: facts 1.4 restated from wireguard-go, but
 * checksums are verified only where AEAD does not vouch for the packet (it will be forwarded).
 */
#ifndef P2PVPN_MERGE_H
#define P2PVPN_MERGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "layout.gen.h"
#include "split.h"

#define MERGE_IOV (JOB_SEGMENTS + 1u)
/* IPv6 header, and the longest of TCP. */
#define MERGE_HEADER_BYTES_MAX 100u

/* One write: iov[0] is the virtio header's place, iov[1] the first packet, then payloads. */
struct merged {
    struct vnet vnet;
    uint16_t header_bytes; /* IP and transport header of the first packet */
    uint32_t packets;
    uint32_t bytes;        /* of the IP packet that the write stands for */
    uint32_t iov_count;
    struct iovec iov[MERGE_IOV];
    uint8_t header[MERGE_HEADER_BYTES_MAX]; /* the first packet's, as it was; of merged ones */
};

struct merge_options {
    bool tcp;            /* the TUN takes TSO packets */
    bool udp;            /* the TUN takes USO packets */
    bool vnet;           /* the TUN has a virtio header */
    const uint8_t *locals; /* entries of LOCAL_SIZE: addresses that are not forwarded */
    uint32_t local_count;
};

/*
 * Takes packets `from`..`count` of one run and fills `out` with the next write: packets[i] with
 * lengths[i]. Returns how many packets went into it (at least 1). Packets that do not merge with
 * their predecessor start the next write, so order is kept.
 */
uint32_t merge_next(const struct merge_options *options, uint8_t *const packets[],
                    const uint32_t lengths[], uint32_t count, struct merged *out);

/* Gives the first packet of what was merged its own header back: all are as they came. */
void merge_undo(const struct merged *merged);

#endif
