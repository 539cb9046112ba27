/* merge.c — see merge.h. */
#include "merge.h"

#include <string.h>

#include "arena.h"
#include "checksum.h"
#include "ip.h"


/* A packet's headers, as far as merging asks. */
struct view {
    uint8_t *at;
    uint32_t bytes;
    uint32_t ip_bytes;     /* 20 or 40 */
    uint32_t header_bytes; /* with TCP or UDP header */
    uint8_t protocol;      /* 0: none that we know */
};

/* True when the packet has a plain IP header and a whole TCP or UDP header. */
static bool view_of(uint8_t *at, uint32_t bytes, struct view *view)
{
    *view = (struct view){ .at = at, .bytes = bytes };
    if ((at[0] >> 4) == 4) {
        /* No options; neither More Fragments nor an offset; a header that is whole. */
        if (at[0] != 0x45 || bytes < 28 || (load16_be(at + 6) & 0x3fff) != 0 ||
            sum_fold(sum_bytes(at, 20)) != 0xffff)
            return false;
        view->ip_bytes = 20;
        view->protocol = at[9];
    } else {
        if (bytes < 48)
            return false;
        view->ip_bytes = 40;
        view->protocol = at[6];
    }
    if (view->protocol == PROTOCOL_UDP) {
        view->header_bytes = view->ip_bytes + 8;
        return load16_be(at + view->ip_bytes + 4) == bytes - view->ip_bytes;
    }
    if (view->protocol != PROTOCOL_TCP || bytes < view->ip_bytes + 20)
        return false;
    uint32_t tcp_bytes = (uint32_t)(at[view->ip_bytes + 12] >> 4) * 4;
    view->header_bytes = view->ip_bytes + tcp_bytes;
    return tcp_bytes >= 20 && view->header_bytes <= bytes;
}

static bool is_local(const struct merge_options *options, const uint8_t *ip)
{
    uint32_t version = ip[0] >> 4;
    for (uint32_t i = 0; i < options->local_count; i++) {
        const uint8_t *local = options->locals + (size_t)i * LOCAL_SIZE;
        if (load32(local + LOCAL_VERSION) != version)
            continue;
        bool same = true;
        uint32_t words = version == 4 ? 1 : 4;
        for (uint32_t w = 0; w < words && same; w++)
            same = load32_be(ip + (version == 4 ? 16 : 24) + 4 * w) ==
                   load32(local + LOCAL_ADDRESS + 4 * w);
        if (same)
            return true;
    }
    return false;
}

static bool checksum_valid(const struct view *view)
{
    uint32_t bytes = view->bytes - view->ip_bytes;
    uint64_t sum = sum_pseudo(view->at, view->protocol, bytes);
    sum += sum_bytes(view->at + view->ip_bytes, bytes);
    return sum_fold(sum) == 0xffff;
}

static bool tcp_mergeable(const struct view *view)
{
    uint8_t flags = view->at[view->ip_bytes + 13];
    return (flags & (uint8_t)~TCP_PSH) == TCP_ACK && view->bytes > view->header_bytes;
}

/* The same flow and equal headers, apart from what merging amends. */
static bool same_headers(const struct view *a, const struct view *b)
{
    if (a->protocol != b->protocol || a->ip_bytes != b->ip_bytes ||
        a->header_bytes != b->header_bytes)
        return false;
    const uint8_t *p = a->at, *q = b->at;
    if (a->ip_bytes == 20) {
        /* Version, ToS; DF; TTL, protocol; addresses. */
        if (memcmp(p, q, 2) != 0 || p[6] != q[6] || memcmp(p + 8, q + 8, 2) != 0 ||
            memcmp(p + 12, q + 12, 8) != 0)
            return false;
    } else if (memcmp(p, q, 4) != 0 || memcmp(p + 6, q + 6, 34) != 0) {
        return false;
    }
    p += a->ip_bytes;
    q += b->ip_bytes;
    if (memcmp(p, q, 4) != 0) /* ports */
        return false;
    if (a->protocol == PROTOCOL_UDP)
        return true;
    /* Acknowledgement, data offset, window and urgent pointer, options. */
    return memcmp(p + 8, q + 8, 5) == 0 && memcmp(p + 14, q + 14, 2) == 0 &&
           memcmp(p + 18, q + 18, a->header_bytes - a->ip_bytes - 18) == 0;
}

/* Can `next` follow, when `taken` packets of `size` payload bytes are merged behind `first`? */
static bool follows(const struct view *first, const struct view *next, uint32_t taken,
                    uint32_t size, uint32_t total)
{
    uint32_t payload = next->bytes - next->header_bytes;

    if (payload > size || payload == 0 || total + payload > 65535 || !same_headers(first, next))
        return false;
    if (first->protocol == PROTOCOL_UDP)
        return true;
    uint32_t sequence = load32_be(first->at + first->ip_bytes + 4);
    return tcp_mergeable(next) &&
           load32_be(next->at + next->ip_bytes + 4) == sequence + taken * size;
}

/* Writes the pseudo-header's sum into the checksum field, as NEEDS_CSUM wants it. */
static void ask_checksum(const struct view *view, uint32_t total, struct merged *out)
{
    uint16_t offset = view->protocol == PROTOCOL_TCP ? 16 : 6;
    uint16_t sum = sum_fold(sum_pseudo(view->at, view->protocol, total - view->ip_bytes));
    memcpy(view->at + view->ip_bytes + offset, &sum, 2);
    out->vnet.flags = VNET_NEEDS_CSUM;
    out->vnet.csum_start = (uint16_t)view->ip_bytes;
    out->vnet.csum_offset = offset;
}

/* Lengths and IP checksum of the packet that stands for all of them. */
static void amend_headers(const struct view *view, uint32_t total)
{
    if (view->ip_bytes == 20) {
        store16_be(view->at + 2, total);
        view->at[10] = view->at[11] = 0;
        uint16_t check = (uint16_t)~sum_fold(sum_bytes(view->at, 20));
        memcpy(view->at + 10, &check, 2);
    } else {
        store16_be(view->at + 4, total - 40);
    }
    if (view->protocol == PROTOCOL_UDP)
        store16_be(view->at + view->ip_bytes + 4, total - view->ip_bytes);
}

static uint8_t gso_type(const struct view *view)
{
    if (view->protocol == PROTOCOL_UDP)
        return VNET_GSO_UDP_L4;
    return view->ip_bytes == 20 ? VNET_GSO_TCP4 : VNET_GSO_TCP6;
}

/* A UDP checksum of 0 over IPv4 says "none"; it stays 0 and such a packet is left alone. */
static bool without_checksum(const struct view *view)
{
    return view->protocol == PROTOCOL_UDP && view->ip_bytes == 20 &&
           load16_be(view->at + 26) == 0;
}

uint32_t merge_next(const struct merge_options *options, uint8_t *const packets[],
                    const uint32_t lengths[], uint32_t count, struct merged *out)
{
    struct view first;
    bool known = view_of(packets[0], lengths[0], &first);

    out->vnet = (struct vnet){ 0 };
    out->header_bytes = 0;
    out->packets = 1;
    out->bytes = lengths[0];
    out->iov_count = 2;
    out->iov[1] = (struct iovec){ .iov_base = packets[0], .iov_len = lengths[0] };
    if (!options->vnet || !known || without_checksum(&first))
        return 1;
    bool local = is_local(options, first.at);
    bool tcp = first.protocol == PROTOCOL_TCP;
    uint32_t size = first.bytes - first.header_bytes;
    uint32_t total = first.bytes;
    uint32_t taken = 1;

    bool may_merge = size > 0 && (tcp ? options->tcp && tcp_mergeable(&first) : options->udp) &&
                     (local || checksum_valid(&first));
    bool closed = tcp && (first.at[first.ip_bytes + 13] & TCP_PSH);
    while (may_merge && !closed && taken < count && taken < JOB_SEGMENTS) {
        struct view next;
        if (!view_of(packets[taken], lengths[taken], &next) || without_checksum(&next) ||
            !follows(&first, &next, taken, size, total) || (!local && !checksum_valid(&next)))
            break;
        uint32_t payload = next.bytes - next.header_bytes;
        if (taken == 1)
            memcpy(out->header, first.at, first.header_bytes);
        out->iov[out->iov_count++] =
            (struct iovec){ .iov_base = next.at + next.header_bytes, .iov_len = payload };
        total += payload;
        taken++;
        closed = payload < size;
        if (tcp && (next.at[next.ip_bytes + 13] & TCP_PSH)) {
            first.at[first.ip_bytes + 13] |= TCP_PSH;
            closed = true;
        }
    }
    if (taken > 1) {
        amend_headers(&first, total);
        out->vnet.gso_type = gso_type(&first);
        out->vnet.gso_size = (uint16_t)size;
    }
    if (taken > 1 || local)
        ask_checksum(&first, total, out);
    out->header_bytes = (uint16_t)first.header_bytes;
    out->packets = taken;
    out->bytes = total;
    return taken;
}

void merge_undo(const struct merged *merged)
{
    if (merged->packets > 1)
        memcpy(merged->iov[1].iov_base, merged->header, merged->header_bytes);
}
