/*
 * segments.h — random super-packets, and what each of their segments must be, slow and obvious.
 */
#ifndef P2PVPN_SEGMENTS_H
#define P2PVPN_SEGMENTS_H

#include "fuzz.h"
#include "split.h"

#define PACKET_BYTES_MAX 65535u
#define FIN 0x01u
#define PSH 0x08u
#define CWR 0x80u

/* A packet as the kernel gives it, with the virtio header that says what it stands for. */
struct super {
    uint8_t bytes[PACKET_BYTES_MAX + 1];
    size_t length, header_bytes;
    struct vnet vnet;
};

/* Offset of the checksum in the transport header. */
static inline size_t checksum_at(uint8_t protocol)
{
    return protocol == TCP ? 16 : 6;
}

/* Headers with random fields, IPv4 options and TCP options; returns their length. */
static inline size_t random_headers(struct chance *chance, uint8_t *at, bool six, uint8_t protocol)
{
    size_t ip = six ? 40 : 20 + 4 * chance_below(chance, 11);
    size_t transport = protocol == TCP ? 20 + 4 * chance_below(chance, 11) : 8;

    chance_fill(chance, at, ip + transport);
    if (six) {
        at[0] = (uint8_t)(0x60 | (at[0] & 15));
        at[6] = protocol;
    } else {
        at[0] = (uint8_t)(0x40 | ip / 4);
        at[6] &= 0x40;
        at[7] = 0;
        at[9] = protocol;
    }
    if (protocol == TCP)
        at[ip + 12] = (uint8_t)(transport / 4 << 4);
    return ip + transport;
}

/* Lengths, and the checksum left to the device. */
static inline void finish_super(struct super *super)
{
    uint8_t *at = super->bytes;
    size_t ip = ip_header_bytes(at);

    if (at[0] >> 4 == 4)
        put16(at + 2, (uint32_t)super->length);
    else
        put16(at + 4, (uint32_t)(super->length - 40));
    if (protocol_of(at) == UDP)
        put16(at + ip + 4, (uint32_t)(super->length - ip));
    if (at[0] >> 4 == 4) {
        put16(at + 10, 0);
        put16(at + 10, ~slow_add(0, at, ip) & 0xffff);
    }
    leave_checksum(at, super->length);
}

/* A packet for `mtu`; often it stands for many. */
static inline void random_super(struct chance *chance, struct super *super, size_t mtu)
{
    bool six = once_in(chance, 2);
    uint8_t protocol = once_in(chance, 2) ? TCP : UDP;
    size_t header = random_headers(chance, super->bytes, six, protocol);
    size_t room = mtu - header;
    size_t size = 1 + chance_below(chance, once_in(chance, 3) ? 40 : room);
    bool gso = !once_in(chance, 4);
    size_t most = gso ? PACKET_BYTES_MAX - header : room;
    size_t many = size * (1 + chance_below(chance, 100));
    size_t payload = once_in(chance, 3) ? 1 + chance_below(chance, most) : many;

    if (payload > most)
        payload = most;
    super->header_bytes = header;
    super->length = header + payload;
    chance_fill(chance, super->bytes + header, payload);
    super->vnet = (struct vnet){ .flags = VNET_NEEDS_CSUM,
                                 .csum_start = (uint16_t)ip_header_bytes(super->bytes),
                                 .csum_offset = (uint16_t)checksum_at(protocol) };
    if (gso) {
        super->vnet.gso_size = (uint16_t)size;
        super->vnet.gso_type = (uint8_t)(protocol == UDP ? VNET_GSO_UDP_L4
                                         : six           ? VNET_GSO_TCP6
                                                         : VNET_GSO_TCP4);
    }
    finish_super(super);
}

static inline size_t segment_count(const struct super *super)
{
    size_t payload = super->length - super->header_bytes, size = super->vnet.gso_size;
    return super->vnet.gso_type == VNET_GSO_NONE ? 1 : (payload + size - 1) / size;
}

/*
 * Segment `i`, complete. Source: RFC 9293 3.1; the kernel's tcp_gso_segment() and
 * __udp_gso_segment(): FIN and PSH on the last one only, CWR on the first one only.
 */
static inline size_t slow_segment(const struct super *super, size_t i, uint8_t *out)
{
    size_t ip = ip_header_bytes(super->bytes), count = segment_count(super);
    size_t size = count == 1 ? super->length - super->header_bytes : super->vnet.gso_size;
    size_t from = super->header_bytes + i * size;
    size_t payload = super->length - from < size ? super->length - from : size;
    size_t bytes = super->header_bytes + payload;

    memcpy(out, super->bytes, super->header_bytes);
    memcpy(out + super->header_bytes, super->bytes + from, payload);
    if (out[0] >> 4 == 4) {
        put16(out + 2, (uint32_t)bytes);
        put16(out + 4, (get16(out + 4) + (uint32_t)i) & 0xffff);
    } else {
        put16(out + 4, (uint32_t)(bytes - 40));
    }
    if (protocol_of(out) == UDP) {
        put16(out + ip + 4, (uint32_t)(bytes - ip));
    } else {
        put32(out + ip + 4, get32(out + ip + 4) + (uint32_t)(i * size));
        if (i + 1 < count)
            out[ip + 13] &= (uint8_t)~(FIN | PSH);
        if (i > 0)
            out[ip + 13] &= (uint8_t)~CWR;
    }
    seal_checksums(out, bytes);
    return bytes;
}

#endif
