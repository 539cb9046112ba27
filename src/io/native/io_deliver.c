/* io_deliver.c — opened jobs, on their way to the TUN device; see io.h. */
#define _GNU_SOURCE
#include <errno.h>

#include "ecn.h"
#include "inner.h"
#include "io_state.h"
#include "mss.h"
#include "probe.h"
#include "replay.h"
#include "routes.h"

/* An inner source, and whether it leads to the peer: mostly that of the packet before. */
struct source {
    uint32_t version;
    uint8_t address[16]; /* words in host order */
    bool leads_back;
};

/* Does the source of `packet` lead back to `peer`? What comes from elsewhere is dropped. */
static bool leads_back(const struct io *io, uint32_t peer, const uint8_t *packet,
                       struct source *last)
{
    struct source source = { .version = packet[0] >> 4 };
    size_t at = source.version == 4 ? 12 : 8, bytes = source.version == 4 ? 4 : 16;

    for (size_t i = 0; i < bytes; i += 4)
        store32(source.address + i, load32_be(packet + at + i));
    if (source.version != last->version ||
        memcmp(source.address, last->address, sizeof source.address) != 0) {
        *last = source;
        int64_t hop = route_find(io->arena, source.version, source.address);
        last->leads_back = hop_entitles(io->arena, hop, peer);
    }
    if (!last->leads_back)
        count(io->counters, DROP_INNER_SOURCE, 1);
    return last->leads_back;
}

bool came_as_named(const uint8_t *job, const uint8_t *peer)
{
    union address came, named;

    memcpy(came.bytes, job + JOB_LOCAL, SOCKADDR_BYTES);
    memcpy(named.bytes, peer + PEER_LOCAL, SOCKADDR_BYTES);
    return same_endpoint(job + JOB_SOURCE, peer + PEER_ENDPOINT) && udp_same_host(&came, &named);
}

/*
 * Is the run's way not the one that the peer's entry names, or named when it was looked up? What
 * was on its way when somebody set another endpoint comes from nowhere new.
 */
static bool is_elsewhere(const struct io *io, const uint8_t *job, const uint8_t *peer)
{
    return !(load32(job + JOB_FOUND) & FOUND_NAMED) && !came_as_named(job, peer) &&
           !(turn_ms(io) < load_f64(peer + PEER_LEFT_UNTIL_MS) &&
             same_endpoint(job + JOB_SOURCE, peer + PEER_LEFT));
}

/*
 * The peer is elsewhere: answers go there from now on, and control hears of it; but not from each
 * run of a peer whose packets come on two ways, or its queue would be full of them.
 */
static bool has_roamed(const struct io *io, const uint8_t *job, uint8_t *peer)
{
    double now = turn_ms(io), at = load_f64(peer + PEER_ROAMED_AT_MS);
    double earliest = now - ROAMED_BURST * ROAMED_EVERY_MS;

    at = (at < earliest ? earliest : at) + ROAMED_EVERY_MS;
    if (at > now || !is_elsewhere(io, job, peer))
        return false;
    store_f64(peer + PEER_ROAMED_AT_MS, at);
    write_heard(peer, job + JOB_SOURCE, job + JOB_LOCAL);
    return true;
}

/* Looks at a peer's sessions at most: control changes them a few times while one is answered. */
#define USE_TRIES 8

/*
 * Something authentic came in the session. When it is the one that we answered and that waits for
 * this, it is the current one from now on, before anything of the run reaches the TUN device, and
 * answers go where it came from: the peer may know no other session, and be nowhere else. `current`
 * and `next` are one word here: control may take `next` away, or put another one in its place, and
 * is not overruled.
 */
static void use_next(const struct io *io, const uint8_t *job, const uint8_t *session)
{
    uint8_t *peer = entry(io->arena, REGION_PEERS, PEER_SIZE, load32(session + SESSION_PEER));
    uint64_t named = (uint64_t)load32(job + JOB_SESSION) + 1;

    _Static_assert(PEER_CURRENT % 8 == 0 && PEER_NEXT == PEER_CURRENT + 4, "one word of two");
    if (peer == NULL)
        return;
    uint64_t *sessions = (uint64_t *)(void *)(peer + PEER_CURRENT);
    uint64_t before = __atomic_load_n(sessions, __ATOMIC_SEQ_CST);
    if (before >> 32 == named && is_elsewhere(io, job, peer))
        write_heard(peer, job + JOB_SOURCE, job + JOB_LOCAL);
    for (int tries = 0; tries < USE_TRIES && before >> 32 == named; tries++)
        if (__atomic_compare_exchange_n(sessions, &before, named, false, __ATOMIC_SEQ_CST,
                                        __ATOMIC_SEQ_CST))
            return;
}

/*
 * Times and bytes of a run in which `authentic` bytes arrived. What is not the `newest` of its
 * session was on its way when the peer moved, and moves nobody back. ACCEPT_ bits.
 */
static int account(struct io *io, const uint8_t *job, uint8_t *session, uint64_t authentic,
                   bool data, bool newest)
{
    uint8_t *peer = entry(io->arena, REGION_PEERS, PEER_SIZE, load32(session + SESSION_PEER));
    if (peer == NULL || authentic == 0)
        return 0;
    memcpy(peer + PEER_LAST_RECEIVED_MS, io->shared + IO_NOW_MS, 8);
    if (data)
        memcpy(peer + PEER_LAST_DATA_RECEIVED_MS, io->shared + IO_NOW_MS, 8);
    __atomic_fetch_add((uint64_t *)(void *)(peer + PEER_RECEIVED_BYTES), authentic,
                       __ATOMIC_RELAXED);
    if (load32(peer + PEER_LOCAL_REFUSED) != 0)
        store32(peer + PEER_LOCAL_REFUSED, 0);
    if (newest && has_roamed(io, job, peer))
        return ACCEPT_AUTHENTIC | ACCEPT_ROAMED;
    io_note_received(io, load32(session + SESSION_PEER));
    return ACCEPT_AUTHENTIC;
}

/* Gives a packet the congestion that its outer header met. False: it is to be dropped. */
static bool take_ecn(struct io *io, uint32_t outer, uint8_t *packet)
{
    uint32_t inner = ecn_of(packet);

    if (outer != ECN_CE || inner == ECN_CE)
        return true;
    if (inner == ECN_NOT_CAPABLE) {
        count(io->counters, DROP_ECN_NOT_CAPABLE, 1);
        return false;
    }
    ecn_mark(packet);
    count(io->counters, COUNT_ECN_MARKED, 1);
    return true;
}

int io_accept(struct io *io, uint32_t job_index)
{
    uint8_t *job = job_entry(io->arena, job_index);
    struct segments segments;
    if (job == NULL || !segments_of(io->arena, job, &segments))
        return -EINVAL;
    uint8_t *session = entry(io->arena, REGION_SESSIONS, SESSION_SIZE, load32(job + JOB_SESSION));
    if (session == NULL)
        return -EINVAL;
    uint64_t failed = load32(job + JOB_FAILED_LOW) | (uint64_t)load32(job + JOB_FAILED_HIGH) << 32;
    uint64_t *last = (uint64_t *)(void *)(session + SESSION_LAST_COUNTER);
    uint64_t *window = (uint64_t *)(void *)(session + SESSION_WINDOW);
    uint64_t authentic = 0, before = *last, good = 0;
    uint32_t ecn = load32(job + JOB_ECN), peer = load32(job + JOB_PEER);
    struct source source = { 0 };
    bool data = false;

    for (uint32_t i = 0; i < segments.count; i++) {
        uint8_t *header = segment_at(&segments, i);
        uint32_t bytes = segment_bytes(&segments, i);
        uint8_t *packet = header + DATA_HEADER_BYTES;
        uint32_t room = bytes - SEGMENT_OVERHEAD_BYTES;

        if (failed >> i & 1) {
            count(io->counters, DROP_OPEN_FAILED, 1);
            continue;
        }
        if (!replay_accept(last, window, load64(header + 8))) {
            count(io->counters, DROP_REPLAYED, 1);
            continue;
        }
        if (authentic == 0 && load32(session + SESSION_CONFIRMED) == 0)
            use_next(io, job, session);
        authentic += bytes;
        data |= room > 0 && packet[0] != 0;
        if (room == 0)
            count(io->counters, COUNT_KEEPALIVES_RECEIVED, 1);
        else if (packet[0] == 0)
            pass_frame(io, job, packet, room);
        else if (inner_bytes(packet, room) == 0)
            count(io->counters, DROP_INNER_INVALID, 1);
        else if (take_ecn(io, ecn, packet) && leads_back(io, peer, packet, &source))
            good |= UINT64_C(1) << i;
    }
    store32(job + JOB_WRITE_LOW, (uint32_t)good);
    store32(job + JOB_WRITE_HIGH, (uint32_t)(good >> 32));
    return __builtin_popcountll(good) |
           account(io, job, session, authentic, data, *last > before);
}

/*
 * A merged packet was refused: by this kernel, as it would every one (facts 1.7), or for what is in
 * this one, which is no reason to give merging up. Writing one that is right tells.
 */
static void doubt_merging(struct io *io, const struct merged *merged)
{
    bool udp = merged->vnet.gso_type == VNET_GSO_UDP_L4;

    count(io->counters, COUNT_UNMERGED_REWRITES, 1);
    if (probe_merged(io->tun, udp ? VNET_GSO_UDP_L4 : VNET_GSO_TCP4) != -EINVAL)
        return;
    io->merge.udp = false;
    if (!udp)
        io->merge.tcp = false;
}

/* Writes one merged packet. Packets that the TUN took, or -EINVAL: they are to be written alone. */
static int write_merged(struct io *io, struct merged *merged)
{
    uint8_t header[TUN_VNET_BYTES];
    vnet_encode(header, sizeof header, &merged->vnet, merged->header_bytes);
    merged->iov[0] = (struct iovec){ .iov_base = header, .iov_len = sizeof header };
    const struct iovec *iov = io->vnet ? merged->iov : merged->iov + 1;
    int iov_count = (int)merged->iov_count - (io->vnet ? 0 : 1);

    if (writev(io->tun, iov, iov_count) < 0) {
        if (errno == EINVAL && merged->packets > 1) {
            doubt_merging(io, merged);
            return -EINVAL;
        }
        count(io->counters, DROP_TUN_REFUSED, merged->packets);
        return 0;
    }
    count(io->counters, COUNT_TUN_WRITES, 1);
    count(io->counters, COUNT_TUN_WRITTEN_PACKETS, merged->packets);
    count(io->counters, COUNT_TUN_WRITTEN_BYTES, merged->bytes);
    return (int)merged->packets;
}

int io_tun_write(struct io *io, uint32_t job_index)
{
    uint8_t *job = job_entry(io->arena, job_index);
    struct segments segments;
    uint8_t *packets[JOB_SEGMENTS];
    uint32_t lengths[JOB_SEGMENTS];
    uint32_t count_in = 0, alone = 0;
    int written = 0;

    if (job == NULL || !segments_of(io->arena, job, &segments))
        return -EINVAL;
    uint64_t good = load32(job + JOB_WRITE_LOW) | (uint64_t)load32(job + JOB_WRITE_HIGH) << 32;
    const uint8_t *engine = entry(io->arena, REGION_ENGINE, ENGINE_SIZE, 0);
    uint32_t locals = engine == NULL ? 0 : load32(engine + ENGINE_LOCAL_COUNT);
    io->merge.local_count = locals <= io->arena->count[REGION_LOCALS] ? locals : 0;
    for (uint32_t i = 0; i < segments.count; i++) {
        uint8_t *packet = segment_at(&segments, i) + DATA_HEADER_BYTES;
        uint32_t bytes = segment_bytes(&segments, i);
        if (!(good >> i & 1))
            continue;
        uint32_t length = inner_bytes(packet, bytes - SEGMENT_OVERHEAD_BYTES);
        if (length == 0)
            continue;
        if (is_syn(packet, length) &&
            mss_clamp(packet, length, io_peer_mtu(io, load32(job + JOB_PEER))))
            count(io->counters, COUNT_MSS_CLAMPED, 1);
        packets[count_in] = packet;
        lengths[count_in++] = length;
    }
    for (uint32_t at = 0; at < count_in;) {
        uint32_t room = at < alone ? 1 : count_in - at;
        uint32_t taken = merge_next(&io->merge, packets + at, lengths + at, room, &io->merged);
        int result = write_merged(io, &io->merged);
        if (result < 0) {
            /* What is alone is never asked to be once more. */
            merge_undo(&io->merged);
            alone = at + taken;
            continue;
        }
        written += result;
        at += taken;
    }
    return written;
}
