/*
 * io_too_big.c — packets and ways of unlike sizes; see io.h.
 *
 *     longer than the way takes     its sender is told (ICMP), it is dropped
 *     the same, IPv4 without DF     cut: kept here, and the next io_tun_read gives the fragments
 *     a TCP SYN                     announces an MSS that fits
 *
 * A TSO packet is dropped and told like any other. Its sender is TCP, which cuts what it has sent
 * anew at once, and takes no loss for congestion (net/ipv4/tcp_ipv4.c, tcp_simple_retransmit).
 * Cutting it here would go on for as long as the connection, and cost each segment a second one.
 */
#define _GNU_SOURCE
#include <errno.h>

#include "fragment.h"
#include "icmp.h"
#include "inner.h"
#include "io_state.h"
#include "mss.h"

/*
 * Messages about packets to one peer: this many at once, then one each interval. Who sends a packet
 * may write any address on it, and each of a link costs the kernel an entry of its neighbours.
 */
#define TOLD_BURST 64.0
#define TOLD_EVERY_MS 20.0

uint32_t largest_packet(uint32_t path, uint32_t tunnel)
{
    /* Packets are padded within the tunnel's MTU: a smaller one has to hold the padding too. */
    return path == 0 || path >= tunnel ? tunnel : path / PADDING_BYTES * PADDING_BYTES;
}

uint32_t io_peer_mtu(const struct io *io, uint32_t index)
{
    const uint8_t *engine = entry(io->arena, REGION_ENGINE, ENGINE_SIZE, 0);
    const uint8_t *peer = entry(io->arena, REGION_PEERS, PEER_SIZE, index);

    return largest_packet(peer == NULL ? 0 : load32(peer + PEER_PATH_MTU),
                          engine == NULL ? 0 : load32(engine + ENGINE_MTU));
}

static bool may_tell(const struct io *io, uint8_t *peer)
{
    return bucket_take(peer + PEER_TOO_BIG_AT_MS, turn_ms(io), TOLD_EVERY_MS, TOLD_BURST);
}

static void tell(struct io *io, uint8_t *peer, const uint8_t *packet, size_t bytes, uint32_t mtu)
{
    uint8_t header[TUN_VNET_BYTES] = { 0 }, message[ICMP_BYTES_MAX];
    size_t length = icmp_too_big(message, packet, bytes, mtu);
    struct iovec iov[2] = { { .iov_base = header, .iov_len = sizeof header },
                            { .iov_base = message, .iov_len = length } };

    if (length == 0 || !may_tell(io, peer))
        return;
    if (writev(io->tun, io->vnet ? iov : iov + 1, io->vnet ? 2 : 1) < 0)
        return; /* the packet is counted as dropped, whether its sender hears of it or not */
    count(io->counters, COUNT_TOO_BIG_TOLD, 1);
}

/* The same sender, protocol and ports? Packets of a run have one destination and version. */
static bool same_flow(const uint8_t *a, const uint8_t *b)
{
    if ((a[0] >> 4) == 4)
        return a[0] == b[0] && a[9] == b[9] && memcmp(a + 12, b + 12, 4) == 0 &&
               memcmp(a + (a[0] & 15) * 4, b + (a[0] & 15) * 4, 4) == 0;
    return a[6] == b[6] && memcmp(a + 8, b + 8, 16) == 0 && memcmp(a + 40, b + 40, 4) == 0;
}

/* Takes a copy of the run, whose kept packets leave as fragments. */
static void keep(struct io *io, const struct segments *segments, uint64_t kept, uint32_t mtu)
{
    struct cut *cut = &io->cut;

    cut->segments = *segments;
    cut->segments.at = cut->bytes;
    cut->kept = kept;
    cut->mtu = mtu;
    cut->done = 0;
    memcpy(cut->bytes, segments->at, all_bytes(segments));
}

int io_too_big(struct io *io, uint32_t job_index)
{
    uint8_t *job = job_entry(io->arena, job_index);
    struct segments segments;
    const uint8_t *told = NULL;
    uint64_t kept = 0;

    if (job == NULL || !segments_of(io->arena, job, &segments))
        return -EINVAL;
    uint8_t *peer = entry(io->arena, REGION_PEERS, PEER_SIZE, load32(job + JOB_PEER));
    if (peer == NULL)
        return -EINVAL;
    uint32_t mtu = io_peer_mtu(io, load32(job + JOB_PEER));
    for (uint32_t i = 0; i < segments.count; i++) {
        const uint8_t *packet = segment_at(&segments, i) + DATA_HEADER_BYTES;
        uint32_t room = segment_bytes(&segments, i) - SEGMENT_OVERHEAD_BYTES;
        uint32_t bytes = inner_bytes(packet, room);
        if (bytes == 0)
            continue;
        if (bytes <= mtu || fragment_may(packet, bytes)) {
            /* Only a run that was staged can find another one here. */
            if (io->cut.kept != 0)
                count(io->counters, DROP_NO_SLOT, 1);
            else
                kept |= UINT64_C(1) << i;
            if (io->cut.kept == 0 && bytes > mtu)
                count(io->counters, COUNT_FRAGMENTED, 1);
            continue;
        }
        count(io->counters, DROP_TOO_BIG, 1);
        if (told == NULL || !same_flow(told, packet))
            tell(io, peer, packet, bytes, mtu);
        told = packet;
    }
    if (kept != 0)
        keep(io, &segments, kept, mtu);
    return 0;
}

bool io_cut_next(struct io *io, uint8_t *slot, struct run *run)
{
    struct cut *cut = &io->cut;

    while (cut->kept != 0) {
        uint32_t i = (uint32_t)__builtin_ctzll(cut->kept);
        const uint8_t *packet = segment_at(&cut->segments, i) + DATA_HEADER_BYTES;
        uint32_t length =
            inner_bytes(packet, segment_bytes(&cut->segments, i) - SEGMENT_OVERHEAD_BYTES);
        size_t bytes = fragment_bytes(length, cut->mtu, cut->done);
        size_t size = segment_size(bytes, cut->mtu);
        size_t at = (size_t)run->count * run->segment_bytes;

        if (bytes == 0) {
            cut->kept &= cut->kept - 1;
            cut->done = 0;
            continue;
        }
        if (run->count == 0) {
            run_begin(run, packet);
            run->segment_bytes = (uint32_t)size;
        } else if (size > run->segment_bytes || run->count == JOB_SEGMENTS ||
                   at + size > JOB_BYTES) {
            break;
        }
        uint8_t *to = slot + at + DATA_HEADER_BYTES;
        cut->done = fragment_write(packet, length, cut->mtu, cut->done, to);
        memset(to + bytes, 0, size - SEGMENT_OVERHEAD_BYTES - bytes);
        run->count++;
        run->tun_bytes += (uint32_t)bytes;
        run->last_bytes = (uint32_t)size;
        if (size < run->segment_bytes)
            break;
    }
    return run->count > 0;
}

int io_clamp_mss(struct io *io, uint32_t job_index)
{
    uint8_t *job = job_entry(io->arena, job_index);
    struct segments segments;
    int lowered = 0;

    if (job == NULL || !segments_of(io->arena, job, &segments))
        return -EINVAL;
    uint32_t mtu = io_peer_mtu(io, load32(job + JOB_PEER));
    for (uint32_t i = 0; i < segments.count; i++) {
        uint8_t *packet = segment_at(&segments, i) + DATA_HEADER_BYTES;
        uint32_t room = segment_bytes(&segments, i) - SEGMENT_OVERHEAD_BYTES;
        uint32_t bytes = inner_bytes(packet, room);
        if (bytes > 0 && mss_clamp(packet, bytes, mtu))
            lowered++;
    }
    count(io->counters, COUNT_MSS_CLAMPED, (uint32_t)lowered);
    return lowered;
}
