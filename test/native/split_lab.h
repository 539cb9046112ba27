/* split_lab.h — what the tests of split.c share. */
#ifndef P2PVPN_SPLIT_LAB_H
#define P2PVPN_SPLIT_LAB_H

#include "split.h"

#include "layout.gen.h"
#include "packets.h"

#define MTU 1420u
#define PACKET_MAX 65535u

struct bench {
    uint8_t packet[PACKET_MAX + 64];
    uint8_t slot[SLOT_BYTES];
};

/* The virtio header that the kernel would put before a packet of this shape. */
static inline struct vnet gso_vnet(const struct shape *shape, size_t payload)
{
    bool tcp = shape->protocol == TCP;
    return (struct vnet){
        .flags = VNET_NEEDS_CSUM,
        .gso_type = (uint8_t)(!tcp ? VNET_GSO_UDP_L4
                                   : (shape->version == 4 ? VNET_GSO_TCP4 : VNET_GSO_TCP6)),
        .gso_size = (uint16_t)payload,
        .csum_start = shape->version == 4 ? 20 : 40,
        .csum_offset = tcp ? 16 : 6,
    };
}

static inline const uint8_t *segment_packet(const struct bench *bench, const struct run *run,
                                            uint32_t i)
{
    return bench->slot + (size_t)i * run->segment_bytes + DATA_HEADER_BYTES;
}

static inline uint32_t segment_bytes(const struct run *run, uint32_t i)
{
    return i + 1 == run->count ? run->last_bytes : run->segment_bytes;
}

#endif
