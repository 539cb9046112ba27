/* io_outbound.c — from the TUN device to sealing; see io.h. What follows is io_send.c's. */
#define _GNU_SOURCE
#include <errno.h>
#include <unistd.h>

#include "io_state.h"
#include "replay.h"

/* Reads gathered into one run at most: beyond it, sealing should begin. */
#define READS_PER_RUN 64u

/* Packets that a read one stands for. */
static uint32_t packets_of(const struct splitter *split)
{
    size_t payload = split->bytes - split->header_bytes, each = split->vnet.gso_size;
    return split->vnet.gso_type == VNET_GSO_NONE ? 1 : (uint32_t)((payload + each - 1) / each);
}

/* Reads a packet of at most the MTU into the splitter. 1, 0 when there is none, or -errno. */
static int read_packet(struct io *io, const uint8_t *engine, uint32_t mtu)
{
    ssize_t got = read(io->tun, io->read_buffer, sizeof io->read_buffer);
    if (got < 0)
        return errno == EAGAIN || errno == EINTR ? 0 : -errno;
    size_t header = io->vnet ? TUN_VNET_BYTES : 0;
    struct vnet vnet = { 0 };
    if (io->vnet && (size_t)got >= header)
        vnet = vnet_decode(io->read_buffer);
    if ((size_t)got < header ||
        split_begin(&io->split, io->read_buffer + header, (size_t)got - header, vnet, mtu) < 0) {
        count(io->counters, DROP_TUN_INVALID, 1);
        io->split.pending = false;
    } else if (io_is_own(io, engine, io->split.packet, io->split.bytes)) {
        count(io->counters, DROP_OWN_DATAGRAM, packets_of(&io->split));
        io->split.pending = false;
    }
    return 1;
}

static void store_run(uint8_t *job, const struct run *run)
{
    store32(job + JOB_COUNT, run->count);
    store32(job + JOB_SEGMENT_BYTES, run->segment_bytes);
    store32(job + JOB_LAST_BYTES, run->last_bytes);
    store32(job + JOB_TUN_BYTES, run->tun_bytes);
    store32(job + JOB_ECN, run->ecn);
    store32(job + JOB_SYN, run->syn);
    store32(job + JOB_INNER_VERSION, run->version);
    memcpy(job + JOB_INNER_ADDRESS, run->address, sizeof run->address);
}

int io_tun_read(struct io *io, uint32_t job_index)
{
    uint8_t *job = job_entry(io->arena, job_index);
    uint8_t *slot = job == NULL ? NULL : slot_of(io->arena, job);
    const uint8_t *engine = entry(io->arena, REGION_ENGINE, ENGINE_SIZE, 0);
    struct run run = { 0 };
    bool closed = false;
    int result = 0;

    if (slot == NULL || engine == NULL)
        return -EINVAL;
    if (io->cut.kept != 0 && io_cut_next(io, slot, &run)) {
        store_run(job, &run);
        return (int)run.count;
    }
    /* One call has one MTU, whatever control writes meanwhile. */
    uint32_t mtu = load32(engine + ENGINE_MTU);
    for (uint32_t reads = 0; !closed && reads <= READS_PER_RUN; reads++) {
        if (!io->split.pending) {
            if (reads == READS_PER_RUN)
                break;
            result = read_packet(io, engine, mtu);
            if (result <= 0)
                break;
        }
        if (io->split.pending)
            closed = split_next(&io->split, slot, &run);
    }
    if (run.count == 0)
        return result < 0 ? result : 0;
    store_run(job, &run);
    count(io->counters, COUNT_TUN_READS, 1);
    count(io->counters, COUNT_TUN_PACKETS, run.count);
    count(io->counters, COUNT_TUN_BYTES, run.tun_bytes);
    /* The last read said that nothing is left: the caller need not ask again. */
    bool drained = !io->split.pending && !closed && result == 0;
    return (int)run.count | (drained ? TUN_DRAINED : 0);
}

/* A run that begins below this stays below the session's limit, and below WireGuard's. */
static uint64_t counter_limit(const uint8_t *session)
{
    const uint64_t *field = (const uint64_t *)(const void *)(session + SESSION_REJECT_AT);
    uint64_t limit = __atomic_load_n(field, __ATOMIC_RELAXED);

    if (limit > REJECT_AFTER_MESSAGES)
        limit = REJECT_AFTER_MESSAGES;
    return limit > JOB_SEGMENTS ? limit - JOB_SEGMENTS : 0;
}

int io_prepare(const struct arena *arena, uint32_t job_index, double now_ms)
{
    uint8_t *job = job_entry(arena, job_index);
    struct segments segments;
    if (job == NULL || !segments_of(arena, job, &segments))
        return -EINVAL;
    uint8_t *session = entry(arena, REGION_SESSIONS, SESSION_SIZE, load32(job + JOB_SESSION));
    uint8_t *peer = entry(arena, REGION_PEERS, PEER_SIZE, load32(job + JOB_PEER));
    if (session == NULL || peer == NULL)
        return -EINVAL;
    if (!is_fresh(job, session))
        return -ESTALE;

    uint64_t *next = (uint64_t *)(void *)(session + SESSION_SEND_COUNTER);
    uint64_t limit = counter_limit(session);
    /* Looked at first: refusals must not drive an exhausted counter on until it wraps. */
    if (__atomic_load_n(next, __ATOMIC_RELAXED) >= limit)
        return -EOVERFLOW;
    uint64_t first = __atomic_fetch_add(next, segments.count, __ATOMIC_RELAXED);
    if (first >= limit)
        return -EOVERFLOW;
    store32(job + JOB_COUNTER_LOW, (uint32_t)first);
    store32(job + JOB_COUNTER_HIGH, (uint32_t)(first >> 32));

    uint32_t type = load32(job + JOB_MESSAGE_TYPE);
    uint32_t index = load32(job + JOB_RECEIVER_INDEX);
    for (uint32_t i = 0; i < segments.count; i++) {
        uint8_t *header = segment_at(&segments, i);
        store32(header, type);
        store32(header + 4, index);
        store64(header + 8, first + i);
    }
    __atomic_fetch_add((uint64_t *)(void *)(peer + PEER_SENT_BYTES), all_bytes(&segments),
                       __ATOMIC_RELAXED);
    store_f64(peer + PEER_LAST_SENT_MS, now_ms);
    if (load32(job + JOB_TUN_BYTES) > 0)
        store_f64(peer + PEER_LAST_DATA_SENT_MS, now_ms);
    return 0;
}
