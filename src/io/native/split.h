/*
 * split.h — one TUN read into segments.
 *
 * A read gives a packet of up to 64 KiB behind a virtio header; where the header says so it stands
 * for many packets (TSO, USO) or lacks its checksum. split_next() writes whole packets into a slot,
 * each in the frame [header 16][packet, zero padding][tag 16], so that sealing happens in place.
 */
#ifndef P2PVPN_SPLIT_H
#define P2PVPN_SPLIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "layout.gen.h"

#define VNET_NEEDS_CSUM 1u

/* struct virtio_net_hdr, decoded (native order on the TUN). */
struct vnet {
    uint8_t flags;
    uint8_t gso_type;
    uint16_t gso_size;
    uint16_t csum_start;
    uint16_t csum_offset;
};

struct vnet vnet_decode(const uint8_t *at);
void vnet_encode(uint8_t *at, size_t room, const struct vnet *vnet, uint16_t header_bytes);

/* A run of segments in a slot, equal in size but for the last. */
struct run {
    uint32_t count;
    uint32_t segment_bytes; /* stride: header + padded packet + tag */
    uint32_t last_bytes;
    uint32_t tun_bytes;     /* bytes of IP packets */
    uint32_t ecn;           /* ECN bits of all packets */
    bool syn;               /* one of them is a TCP SYN */
    uint32_t version;       /* 4 or 6 */
    uint32_t address[4];    /* inner destination, host order */
};

/* A packet being split; valid until `packet` is overwritten. */
struct splitter {
    const uint8_t *packet;
    size_t bytes;
    size_t mtu;
    struct vnet vnet;
    size_t header_bytes; /* IP and TCP or UDP header, repeated in each segment */
    size_t next;         /* payload bytes already split off */
    uint32_t made;       /* segments already split off */
    bool pending;
};

/* Checks a packet. 0, or -EINVAL when it is not one that can go on. */
int split_begin(struct splitter *split, const uint8_t *packet, size_t bytes, struct vnet vnet,
                size_t mtu);

/*
 * Adds segments to a run in `slot` while they fit: the same destination and ECN bits, the same
 * size (a shorter one ends the run), at most JOB_SEGMENTS and JOB_BYTES. An empty run takes at
 * least one segment, whatever its size. Returns true when the run is closed; `split->pending` says
 * whether the packet has more.
 */
bool split_next(struct splitter *split, uint8_t *slot, struct run *run);

/* What all packets of a run share, from its first one. */
void run_begin(struct run *run, const uint8_t *packet);

/* The wire size of a packet of `bytes`: header, padding to 16 within the MTU, tag. */
size_t segment_size(size_t bytes, size_t mtu);

#endif
