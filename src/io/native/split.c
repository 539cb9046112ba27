/* split.c — see split.h. Source: Linux include/uapi/linux/virtio_net.h; RFC 9293; RFC 768. */
#include "split.h"

#include <errno.h>
#include <string.h>

#include "arena.h"
#include "checksum.h"
#include "ecn.h"
#include "ip.h"
#include "mss.h"


struct vnet vnet_decode(const uint8_t *at)
{
    struct vnet vnet = { .flags = at[0], .gso_type = at[1] };
    memcpy(&vnet.gso_size, at + 4, 2);
    memcpy(&vnet.csum_start, at + 6, 2);
    memcpy(&vnet.csum_offset, at + 8, 2);
    return vnet;
}

void vnet_encode(uint8_t *at, size_t room, const struct vnet *vnet, uint16_t header_bytes)
{
    memset(at, 0, room);
    at[0] = vnet->flags;
    at[1] = vnet->gso_type;
    memcpy(at + 2, &header_bytes, 2);
    memcpy(at + 4, &vnet->gso_size, 2);
    memcpy(at + 6, &vnet->csum_start, 2);
    memcpy(at + 8, &vnet->csum_offset, 2);
}

size_t segment_size(size_t bytes, size_t mtu)
{
    size_t padded = (bytes + PADDING_BYTES - 1) / PADDING_BYTES * PADDING_BYTES;
    if (padded > mtu)
        padded = bytes > mtu ? bytes : mtu;
    return padded + SEGMENT_OVERHEAD_BYTES;
}

/* Header length of a GSO packet from its own bytes: hdr_len of the virtio header is only a hint. */
static int gso_header_bytes(const struct splitter *split)
{
    const struct vnet *vnet = &split->vnet;
    unsigned version = split->packet[0] >> 4;
    size_t ip_bytes = version == 4 ? (size_t)(split->packet[0] & 15) * 4 : vnet->csum_start;

    if (!(vnet->flags & VNET_NEEDS_CSUM) || vnet->gso_size == 0)
        return -EINVAL;
    if (vnet->csum_start < (version == 4 ? 20 : 40) || ip_bytes != vnet->csum_start)
        return -EINVAL;
    if (vnet->gso_type == VNET_GSO_UDP_L4) {
        if (vnet->csum_offset != 6 || split->bytes < vnet->csum_start + 8u)
            return -EINVAL;
        return vnet->csum_start + 8;
    }
    bool right_version = vnet->gso_type == (version == 4 ? VNET_GSO_TCP4 : VNET_GSO_TCP6);
    if (!right_version || vnet->csum_offset != 16 || split->bytes < vnet->csum_start + 20u)
        return -EINVAL;
    int tcp_bytes = (split->packet[vnet->csum_start + 12] >> 4) * 4;
    if (tcp_bytes < 20 || split->bytes < (size_t)(vnet->csum_start + tcp_bytes))
        return -EINVAL;
    return vnet->csum_start + tcp_bytes;
}

int split_begin(struct splitter *split, const uint8_t *packet, size_t bytes, struct vnet vnet,
                size_t mtu)
{
    *split = (struct splitter){ .packet = packet, .bytes = bytes, .mtu = mtu, .vnet = vnet };
    if (bytes < 20)
        return -EINVAL;
    unsigned version = packet[0] >> 4;
    if (version == 4) {
        if ((packet[0] & 15) < 5 || load16_be(packet + 2) != bytes)
            return -EINVAL;
    } else if (version == 6) {
        if (bytes < 40 || load16_be(packet + 4) + 40u != bytes)
            return -EINVAL;
    } else {
        return -EINVAL;
    }
    if (vnet.gso_type != VNET_GSO_NONE) {
        int header = gso_header_bytes(split);
        if (header < 0)
            return header;
        split->header_bytes = (size_t)header;
        if (split->header_bytes >= bytes || split->header_bytes + vnet.gso_size > mtu)
            return -EINVAL;
    } else {
        if (bytes > mtu)
            return -EINVAL;
        if ((vnet.flags & VNET_NEEDS_CSUM) &&
            (vnet.csum_start < 20 || vnet.csum_start + vnet.csum_offset + 2u > bytes))
            return -EINVAL;
    }
    split->pending = true;
    return 0;
}

/* A whole packet: copied, and its checksum completed where the sender left it to us. */
static void write_single(const struct splitter *split, uint8_t *to)
{
    const struct vnet *vnet = &split->vnet;

    if (!(vnet->flags & VNET_NEEDS_CSUM)) {
        memcpy(to, split->packet, split->bytes);
        return;
    }
    /* The field holds the pseudo-header's sum, uncomplemented; it is summed with the rest. */
    memcpy(to, split->packet, vnet->csum_start);
    uint64_t sum = sum_copy(to + vnet->csum_start, split->packet + vnet->csum_start,
                            split->bytes - vnet->csum_start);
    uint16_t check = (uint16_t)~sum_fold(sum);
    if (check == 0 && vnet->csum_offset == 6)
        check = 0xffff;
    memcpy(to + vnet->csum_start + vnet->csum_offset, &check, 2);
}

/* One segment of a GSO packet: headers repeated and amended, payload copied and summed. */
static void write_segment(const struct splitter *split, uint8_t *to, size_t payload, bool last)
{
    const struct vnet *vnet = &split->vnet;
    size_t bytes = split->header_bytes + payload;
    uint8_t *transport = to + vnet->csum_start;
    size_t transport_bytes = bytes - vnet->csum_start;
    bool udp = vnet->gso_type == VNET_GSO_UDP_L4;

    memcpy(to, split->packet, split->header_bytes);
    if ((to[0] >> 4) == 4) {
        store16_be(to + 2, (uint32_t)bytes);
        store16_be(to + 4, load16_be(split->packet + 4) + split->made);
        to[10] = to[11] = 0;
        uint16_t check = (uint16_t)~sum_fold(sum_bytes(to, vnet->csum_start));
        memcpy(to + 10, &check, 2);
    } else {
        store16_be(to + 4, (uint32_t)(bytes - 40));
    }
    if (udp) {
        store16_be(transport + 4, (uint32_t)transport_bytes);
    } else {
        store32_be(transport + 4, load32_be(transport + 4) + (uint32_t)split->next);
        if (!last)
            transport[TCP_FLAGS_AT] &= (uint8_t)~(TCP_FIN | TCP_PSH);
        if (split->made > 0)
            transport[TCP_FLAGS_AT] &= (uint8_t)~TCP_CWR;
    }
    memset(transport + vnet->csum_offset, 0, 2);
    uint64_t sum = sum_pseudo(to, udp ? PROTOCOL_UDP : PROTOCOL_TCP, transport_bytes);
    sum += sum_bytes(transport, split->header_bytes - vnet->csum_start);
    uint64_t body = sum_copy(to + split->header_bytes,
                             split->packet + split->header_bytes + split->next, payload);
    uint16_t body_folded = sum_fold(body);
    /* An odd header length would swap the bytes of the body's sum; TCP and UDP headers are even. */
    uint16_t check = (uint16_t)~sum_fold(sum + body_folded);
    if (check == 0 && udp)
        check = 0xffff;
    memcpy(transport + vnet->csum_offset, &check, 2);
}

void run_begin(struct run *run, const uint8_t *packet)
{
    run->version = packet[0] >> 4;
    run->ecn = ecn_of(packet);
    if (run->version == 4) {
        run->address[0] = load32_be(packet + 16);
        run->address[1] = run->address[2] = run->address[3] = 0;
    } else {
        for (size_t i = 0; i < 4; i++)
            run->address[i] = load32_be(packet + 24 + 4 * i);
    }
}

static bool same_way(const uint8_t *packet, const struct run *run)
{
    struct run other;
    run_begin(&other, packet);
    return other.version == run->version && other.ecn == run->ecn &&
           memcmp(other.address, run->address, sizeof run->address) == 0;
}

bool split_next(struct splitter *split, uint8_t *slot, struct run *run)
{
    bool gso = split->vnet.gso_type != VNET_GSO_NONE;

    if (run->count > 0 && !same_way(split->packet, run))
        return true;
    while (split->pending) {
        size_t left = split->bytes - split->header_bytes - split->next;
        size_t payload = gso && left > split->vnet.gso_size ? split->vnet.gso_size : left;
        size_t bytes = split->header_bytes + payload;
        size_t size = segment_size(bytes, split->mtu);
        size_t at = (size_t)run->count * run->segment_bytes;

        if (run->count == 0) {
            run_begin(run, split->packet);
            run->segment_bytes = (uint32_t)size;
        } else if (size > run->segment_bytes || run->count == JOB_SEGMENTS ||
                   at + size > JOB_BYTES) {
            return true;
        }
        uint8_t *packet = slot + at + DATA_HEADER_BYTES;
        if (gso)
            write_segment(split, packet, payload, payload == left);
        else
            write_single(split, packet);
        run->syn |= !gso && is_syn(packet, bytes);
        memset(packet + bytes, 0, size - SEGMENT_OVERHEAD_BYTES - bytes);
        split->next += payload;
        split->made++;
        split->pending = payload < left;
        run->count++;
        run->tun_bytes += (uint32_t)bytes;
        run->last_bytes = (uint32_t)size;
        if (size < run->segment_bytes)
            return true;
    }
    return run->count == JOB_SEGMENTS ||
           (size_t)run->count * run->segment_bytes + run->segment_bytes > JOB_BYTES;
}
