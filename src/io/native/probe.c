/* probe.c — see probe.h. Source: Linux drivers/net/tun.c; virtio_net_hdr_to_skb(). */
#include "probe.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "arena.h"
#include "checksum.h"
#include "ip.h"
#include "split.h"
#include "tun.h"

/*
 * Payload of each of the two packets. It must be less than the headers: the kernels that refuse
 * (Linux e269d79c7d35) compare gso_size with those, and pass some of the larger ones.
 */
#define SEGMENT_BYTES 16u
#define PACKET_BYTES_MAX (IPV4_BYTES + TCP_HEADER_BYTES + 2u * SEGMENT_BYTES)

int probe_merged(int tun, uint8_t gso_type)
{
    uint8_t frame[TUN_VNET_BYTES + PACKET_BYTES_MAX] = { 0 };
    const uint8_t host[4] = { 127, 0, 0, 1 };
    bool udp = gso_type == VNET_GSO_UDP_L4;
    uint32_t header_bytes = IPV4_BYTES + (udp ? UDP_HEADER_BYTES : TCP_HEADER_BYTES);
    uint32_t bytes = header_bytes + 2u * SEGMENT_BYTES;
    uint8_t *ip = frame + TUN_VNET_BYTES, *transport = ip + IPV4_BYTES;
    struct vnet vnet = { .flags = VNET_NEEDS_CSUM, .gso_type = gso_type,
                         .gso_size = SEGMENT_BYTES, .csum_start = IPV4_BYTES,
                         .csum_offset = udp ? 6 : 16 };

    vnet_encode(frame, TUN_VNET_BYTES, &vnet, (uint16_t)header_bytes);
    ip[0] = 0x45;
    store16_be(ip + 2, bytes);
    ip[9] = udp ? PROTOCOL_UDP : PROTOCOL_TCP;
    memcpy(ip + 12, host, sizeof host);
    memcpy(ip + 16, host, sizeof host);
    /* The right sum, complemented once too little: wrong whatever the fields above are. */
    uint16_t wrong = sum_fold(sum_bytes(ip, IPV4_BYTES));
    memcpy(ip + 10, &wrong, sizeof wrong);
    if (udp) {
        store16_be(transport + 4, bytes - IPV4_BYTES);
    } else {
        transport[12] = TCP_HEADER_BYTES / 4 << 4;
        transport[13] = TCP_ACK;
    }
    uint16_t sum = sum_fold(sum_pseudo(ip, ip[9], bytes - IPV4_BYTES));
    memcpy(transport + vnet.csum_offset, &sum, sizeof sum);
    if (write(tun, frame, TUN_VNET_BYTES + bytes) >= 0)
        return 1;
    return errno == EIO ? 0 : -errno;
}
