/* io_inbound.c — from the network to the TUN device; see io.h. */
#define _GNU_SOURCE
#include <errno.h>
#include <sys/socket.h>

#include "io_state.h"
#include "replay.h"

/* Runs that one receive may make; a message can hold several where keys change. */
#define RUNS_MAX RING_JOBS

/* A run as it is found; written to jobs when all are known. */
struct found {
    uint32_t slot;
    uint32_t count, segment_bytes, last_bytes;
    uint32_t index, type;
    const union address *from;
};

/* Slots of the jobs that the caller offers, in ring order, and the runs found so far. */
struct harvest {
    uint32_t slots[RUNS_MAX];
    uint32_t slot_count, slot_next;
    struct found runs[RUNS_MAX];
    uint32_t run_count;
};

static uint32_t ring_job(const struct io *io, uint32_t job, uint32_t step)
{
    return io->thread * RING_JOBS + (job + step) % RING_JOBS;
}

static uint8_t *slot_bytes(const struct io *io, uint32_t slot)
{
    return entry(io->arena, REGION_SLOTS, SLOT_BYTES, slot);
}

/* Can a datagram of `bytes` be appended to this run? */
static bool continues(const struct found *run, const uint8_t *datagram, size_t bytes,
                      const union address *from)
{
    return run->last_bytes == run->segment_bytes && run->count < JOB_SEGMENTS &&
           bytes <= run->segment_bytes && load32(datagram) == run->type &&
           load32(datagram + 4) == run->index &&
           (size_t)(run->count + 1) * run->segment_bytes <= SLOT_BYTES &&
           memcmp(run->from->bytes, from->bytes, SOCKADDR_BYTES) == 0;
}

static void append(struct found *run, size_t bytes)
{
    run->count++;
    run->last_bytes = (uint32_t)bytes;
}

/* Starts a run with a datagram that lies at the start of `slot`. */
static void start_run(struct harvest *harvest, uint32_t slot, const uint8_t *datagram,
                      size_t bytes, const union address *from)
{
    harvest->runs[harvest->run_count++] = (struct found){
        .slot = slot, .count = 1, .segment_bytes = (uint32_t)bytes, .last_bytes = (uint32_t)bytes,
        .type = load32(datagram), .index = load32(datagram + 4), .from = from,
    };
}

/* Puts a datagram into the last run, or into a run of its own in a slot of its own. */
static void place(struct io *io, struct harvest *harvest, const uint8_t *datagram, size_t bytes,
                  const union address *from)
{
    struct found *last = harvest->run_count > 0 ? &harvest->runs[harvest->run_count - 1] : NULL;

    if (last != NULL && continues(last, datagram, bytes, from)) {
        uint8_t *to = slot_bytes(io, last->slot) + (size_t)last->count * last->segment_bytes;
        memmove(to, datagram, bytes);
        append(last, bytes);
        return;
    }
    if (harvest->slot_next == harvest->slot_count) {
        count(io->counters, DROP_NO_SLOT, 1);
        return;
    }
    uint32_t slot = harvest->slots[harvest->slot_next++];
    memmove(slot_bytes(io, slot), datagram, bytes);
    start_run(harvest, slot, datagram, bytes, from);
}

/*
 * Sorts one received message, which holds datagrams of `stride` bytes. Mostly it is one run and
 * stays where it is; then *kept is set and its slot belongs to the run.
 */
static void sort_message(struct io *io, struct harvest *harvest, uint32_t slot, size_t bytes,
                         size_t stride, struct msghdr *message, bool *kept)
{
    const union address *from = message->msg_name;
    uint8_t *at = slot_bytes(io, slot);
    struct found *own = NULL;

    *kept = false;
    for (size_t offset = 0; offset < bytes; offset += stride) {
        uint8_t *datagram = at + offset;
        size_t size = bytes - offset < stride ? bytes - offset : stride;

        if (!is_data(io, datagram, size, message))
            continue;
        if (own != NULL && offset == (size_t)own->count * own->segment_bytes &&
            own == &harvest->runs[harvest->run_count - 1] && continues(own, datagram, size, from)) {
            append(own, size);
            continue;
        }
        bool alone = bytes <= stride;
        if (offset == 0 && !(alone && harvest->run_count > 0 &&
                             continues(&harvest->runs[harvest->run_count - 1], datagram, size,
                                       from))) {
            start_run(harvest, slot, datagram, size, from);
            own = &harvest->runs[harvest->run_count - 1];
            *kept = true;
            continue;
        }
        place(io, harvest, datagram, size, from);
    }
}

/* What the kernel gave, whatever becomes of it: every datagram of it has a drop or a count. */
static void count_message(struct io *io, size_t bytes, size_t stride)
{
    size_t datagrams = bytes == 0 ? 1 : (bytes + stride - 1) / stride;

    count(io->counters, COUNT_RECEIVES, 1);
    count(io->counters, COUNT_RECEIVED_DATAGRAMS, (uint32_t)datagrams);
    count(io->counters, COUNT_RECEIVED_BYTES, (uint32_t)bytes);
}

static void prepare_messages(struct io *io, const struct harvest *harvest, uint32_t want)
{
    for (uint32_t i = 0; i < want; i++) {
        io->in_iov[i] = (struct iovec){ .iov_base = slot_bytes(io, harvest->slots[i]),
                                        .iov_len = 65535 };
        memset(&io->in_from[i], 0, sizeof io->in_from[i]);
        io->in[i].msg_hdr = (struct msghdr){
            .msg_name = &io->in_from[i], .msg_namelen = sizeof io->in_from[i],
            .msg_iov = &io->in_iov[i], .msg_iovlen = 1,
            .msg_control = io->in_control[i], .msg_controllen = CONTROL_BYTES,
        };
    }
}

/* Writes the runs into the offered jobs, and the slots left over into the jobs after them. */
static void write_jobs(struct io *io, uint32_t job, uint32_t offered,
                       const struct harvest *harvest, const uint32_t *unused, uint32_t unused_count)
{
    for (uint32_t i = 0; i < offered; i++) {
        uint8_t *out = job_entry(io->arena, ring_job(io, job, i));
        if (i >= harvest->run_count) {
            uint32_t left = i - harvest->run_count;
            if (left < unused_count)
                store32(out + JOB_SLOT, unused[left]);
            continue;
        }
        const struct found *run = &harvest->runs[i];
        store32(out + JOB_SLOT, run->slot);
        store32(out + JOB_COUNT, run->count);
        store32(out + JOB_SEGMENT_BYTES, run->segment_bytes);
        store32(out + JOB_LAST_BYTES, run->last_bytes);
        store32(out + JOB_RECEIVER_INDEX, run->index);
        store32(out + JOB_MESSAGE_TYPE, run->type);
        memcpy(out + JOB_SOURCE, run->from->bytes, SOCKADDR_BYTES);
    }
}

/*
 * Receives from the first socket that is ready. Each offered job brings a slot; every run takes
 * one job and one slot, and the other slots go back with the other jobs.
 */
int io_receive(struct io *io, uint32_t job, uint32_t offered)
{
    struct harvest harvest = { 0 };
    uint32_t unused[RUNS_MAX], unused_count = 0;
    /* The two sockets take turns, so that neither waits behind the other's flood. */
    io->turn = !io->turn;
    struct udp_side *side = &io->udp[io->turn ? 1 : 0];
    if (!side->ready)
        side = &io->udp[io->turn ? 0 : 1];

    if (!side->ready || offered == 0 || offered > RUNS_MAX)
        return side->ready ? -EINVAL : 0;
    for (uint32_t i = 0; i < offered; i++) {
        const uint8_t *entry_of = job_entry(io->arena, ring_job(io, job, i));
        if (entry_of == NULL || slot_of(io->arena, entry_of) == NULL)
            return -EINVAL;
        harvest.slots[harvest.slot_count++] = load32(entry_of + JOB_SLOT);
    }
    uint32_t want = offered < RECEIVE_MESSAGES ? offered : RECEIVE_MESSAGES;
    /* A message may hold two runs, when keys change: one slot is kept for the second. */
    if (want == offered && want > 1)
        want--;
    prepare_messages(io, &harvest, want);
    int got = recvmmsg(side->fd, io->in, want, MSG_DONTWAIT, NULL);
    if (got < (int)want)
        side->ready = false;
    if (got <= 0)
        return got < 0 && errno != EAGAIN && errno != EINTR ? -errno : 0;
    /* Slots after the received messages serve runs that need one of their own. */
    harvest.slot_next = (uint32_t)got;
    for (int i = 0; i < got; i++) {
        size_t bytes = io->in[i].msg_len;
        bool kept = false, cut = (io->in[i].msg_hdr.msg_flags & MSG_TRUNC) != 0;
        size_t stride = cut ? bytes : udp_stride(&io->in[i].msg_hdr, bytes);
        count_message(io, bytes, stride);
        if (cut)
            count(io->counters, DROP_BAD_TYPE, 1);
        else if (bytes > 0)
            sort_message(io, &harvest, harvest.slots[i], bytes, stride, &io->in[i].msg_hdr, &kept);
        else
            count(io->counters, DROP_TOO_SHORT, 1);
        if (!kept)
            unused[unused_count++] = harvest.slots[i];
    }
    for (uint32_t i = harvest.slot_next; i < harvest.slot_count; i++)
        unused[unused_count++] = harvest.slots[i];
    write_jobs(io, job, offered, &harvest, unused, unused_count);
    return (int)harvest.run_count;
}

/* Length of the IP packet in `bytes` of plaintext; 0: not one. */
static uint32_t inner_bytes(const uint8_t *packet, uint32_t bytes)
{
    uint32_t length = 0;
    if ((packet[0] >> 4) == 4 && bytes >= 20) {
        length = load16_be(packet + 2);
        if (length < 20)
            length = 0;
    } else if ((packet[0] >> 4) == 6 && bytes >= 40) {
        length = load16_be(packet + 4) + 40u;
    }
    return length <= bytes ? length : 0;
}

/* Finds or adds the source of `packet`; marks the segment there. Returns the new number. */
static uint32_t note_source(uint8_t *sources, uint32_t known, const uint8_t *packet, uint32_t i)
{
    uint32_t version = packet[0] >> 4;
    uint32_t words[4] = { 0 };
    if (version == 4)
        words[0] = load32_be(packet + 12);
    else
        for (uint32_t w = 0; w < 4; w++)
            words[w] = load32_be(packet + 8 + 4 * w);

    uint32_t at = 0;
    while (at < known) {
        const uint8_t *source = sources + (size_t)at * SOURCE_SIZE;
        if (load32(source + SOURCE_VERSION) == version &&
            memcmp(source + SOURCE_ADDRESS, words, sizeof words) == 0)
            break;
        at++;
    }
    uint8_t *source = sources + (size_t)at * SOURCE_SIZE;
    if (at == known) {
        store32(source + SOURCE_VERSION, version);
        memcpy(source + SOURCE_ADDRESS, words, sizeof words);
        store32(source + SOURCE_MASK_LOW, 0);
        store32(source + SOURCE_MASK_HIGH, 0);
        known++;
    }
    uint8_t *mask = source + (i < 32 ? SOURCE_MASK_LOW : SOURCE_MASK_HIGH);
    store32(mask, load32(mask) | (UINT32_C(1) << (i & 31)));
    return known;
}

/* Address, port and scope; padding and flow labels do not make another endpoint. */
static bool same_endpoint(const uint8_t *a, const uint8_t *b)
{
    union address x, y;
    memcpy(x.bytes, a, SOCKADDR_BYTES);
    memcpy(y.bytes, b, SOCKADDR_BYTES);
    if (x.any.sa_family != y.any.sa_family)
        return false;
    if (x.any.sa_family == AF_INET)
        return x.v4.sin_port == y.v4.sin_port && x.v4.sin_addr.s_addr == y.v4.sin_addr.s_addr;
    return x.v6.sin6_port == y.v6.sin6_port && x.v6.sin6_scope_id == y.v6.sin6_scope_id &&
           memcmp(&x.v6.sin6_addr, &y.v6.sin6_addr, sizeof x.v6.sin6_addr) == 0;
}

/* Times and bytes of a run in which `authentic` bytes arrived. ACCEPT_ bits. */
static int account(struct io *io, const uint8_t *job, uint8_t *session, uint64_t authentic,
                   bool data)
{
    uint8_t *peer = entry(io->arena, REGION_PEERS, PEER_SIZE, load32(session + SESSION_PEER));
    if (peer == NULL || authentic == 0)
        return 0;
    memcpy(peer + PEER_LAST_RECEIVED_MS, io->shared + IO_NOW_MS, 8);
    if (data)
        memcpy(peer + PEER_LAST_DATA_RECEIVED_MS, io->shared + IO_NOW_MS, 8);
    __atomic_fetch_add((uint64_t *)(void *)(peer + PEER_RECEIVED_BYTES), authentic,
                       __ATOMIC_RELAXED);
    bool same = same_endpoint(job + JOB_SOURCE, peer + PEER_ENDPOINT);
    return ACCEPT_AUTHENTIC | (same ? 0 : ACCEPT_ROAMED);
}

int io_accept(struct io *io, uint32_t job_index)
{
    uint8_t *job = job_entry(io->arena, job_index);
    struct segments segments;
    if (job == NULL || !segments_of(io->arena, job, &segments))
        return -EINVAL;
    uint8_t *session = entry(io->arena, REGION_SESSIONS, SESSION_SIZE, load32(job + JOB_SESSION));
    uint8_t *sources =
        entry(io->arena, REGION_SOURCES, SOURCE_SIZE, (size_t)io->thread * JOB_SEGMENTS);
    if (session == NULL || sources == NULL)
        return -EINVAL;
    uint64_t failed = load32(job + JOB_FAILED_LOW) | (uint64_t)load32(job + JOB_FAILED_HIGH) << 32;
    uint64_t *last = (uint64_t *)(void *)(session + SESSION_LAST_COUNTER);
    uint64_t *window = (uint64_t *)(void *)(session + SESSION_WINDOW);
    uint64_t authentic = 0;
    uint32_t known = 0;
    bool data = false;

    for (uint32_t i = 0; i < segments.count; i++) {
        const uint8_t *header = segments.at + (size_t)i * segments.stride;
        uint32_t bytes = i + 1 == segments.count ? segments.last_bytes : segments.stride;
        const uint8_t *packet = header + DATA_HEADER_BYTES;
        uint32_t room = bytes - SEGMENT_OVERHEAD_BYTES;

        if (failed >> i & 1) {
            count(io->counters, DROP_OPEN_FAILED, 1);
            continue;
        }
        if (!replay_accept(last, window, load64(header + 8))) {
            count(io->counters, DROP_REPLAYED, 1);
            continue;
        }
        authentic += bytes;
        data |= room > 0;
        if (room == 0)
            count(io->counters, COUNT_KEEPALIVES_RECEIVED, 1);
        else if (packet[0] == 0)
            count(io->counters, DROP_CONTROL_FRAME, 1);
        else if (inner_bytes(packet, room) == 0)
            count(io->counters, DROP_INNER_INVALID, 1);
        else
            known = note_source(sources, known, packet, i);
    }
    return (int)known | account(io, job, session, authentic, data);
}

/* Writes one merged packet. True when the TUN took it. */
static bool write_merged(struct io *io, struct merged *merged)
{
    uint8_t header[TUN_VNET_BYTES];
    vnet_encode(header, sizeof header, &merged->vnet, merged->header_bytes);
    merged->iov[0] = (struct iovec){ .iov_base = header, .iov_len = sizeof header };
    const struct iovec *iov = io->vnet ? merged->iov : merged->iov + 1;
    int iov_count = (int)merged->iov_count - (io->vnet ? 0 : 1);

    if (writev(io->tun, iov, iov_count) < 0) {
        count(io->counters, DROP_TUN_REFUSED, merged->packets);
        /* Some kernels refuse merged packets that are right (facts 1.7); then none are merged. */
        if (errno == EINVAL && merged->packets > 1)
            io->merge.tcp = io->merge.udp = false;
        return false;
    }
    count(io->counters, COUNT_TUN_WRITES, 1);
    count(io->counters, COUNT_TUN_WRITTEN_PACKETS, merged->packets);
    count(io->counters, COUNT_TUN_WRITTEN_BYTES, merged->bytes);
    return true;
}

int io_tun_write(struct io *io, uint32_t job_index, uint64_t mask)
{
    uint8_t *job = job_entry(io->arena, job_index);
    struct segments segments;
    uint8_t *packets[JOB_SEGMENTS];
    uint32_t lengths[JOB_SEGMENTS];
    uint32_t count_in = 0;
    int written = 0;

    if (job == NULL || !segments_of(io->arena, job, &segments))
        return -EINVAL;
    const uint8_t *engine = entry(io->arena, REGION_ENGINE, ENGINE_SIZE, 0);
    uint32_t locals = engine == NULL ? 0 : load32(engine + ENGINE_LOCAL_COUNT);
    io->merge.local_count = locals <= io->arena->count[REGION_LOCALS] ? locals : 0;
    for (uint32_t i = 0; i < segments.count; i++) {
        uint8_t *packet = segments.at + (size_t)i * segments.stride + DATA_HEADER_BYTES;
        uint32_t bytes = i + 1 == segments.count ? segments.last_bytes : segments.stride;
        if (!(mask >> i & 1))
            continue;
        uint32_t length = inner_bytes(packet, bytes - SEGMENT_OVERHEAD_BYTES);
        if (length == 0)
            continue;
        packets[count_in] = packet;
        lengths[count_in++] = length;
    }
    for (uint32_t at = 0; at < count_in;) {
        uint32_t taken = merge_next(&io->merge, packets + at, lengths + at, count_in - at,
                                    &io->merged);
        if (write_merged(io, &io->merged))
            written += (int)taken;
        at += taken;
    }
    return written;
}
