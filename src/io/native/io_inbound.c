/* io_inbound.c — from the network into jobs; see io.h. What follows is io_deliver.c's. */
#define _GNU_SOURCE
#include <errno.h>
#include <sys/socket.h>

#include "io_state.h"

/* Runs that one receive may make; a message can hold several where keys change. */
#define RUNS_MAX RING_JOBS

/* Tuning: a receive of fewer bytes is followed by another in the same turn. */
#define LITTLE_BYTES 16384u

/* A run as it is found; written to jobs when all are known. */
struct found {
    uint32_t slot;
    uint32_t count, segment_bytes, last_bytes;
    uint32_t index, type;
    const struct udp_arrival *arrival;
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

/* From the same address to the same one, and alike in what the network did to them. */
static bool same_way(const struct udp_arrival *a, const struct udp_arrival *b)
{
    return memcmp(a->from.bytes, b->from.bytes, SOCKADDR_BYTES) == 0 &&
           memcmp(a->local.bytes, b->local.bytes, SOCKADDR_BYTES) == 0 && a->ecn == b->ecn;
}

/* Can a datagram of `bytes` be appended to this run? */
static bool continues(const struct found *run, const uint8_t *datagram, size_t bytes,
                      const struct udp_arrival *arrival)
{
    return run->last_bytes == run->segment_bytes && run->count < JOB_SEGMENTS &&
           bytes <= run->segment_bytes && load32(datagram) == run->type &&
           load32(datagram + 4) == run->index &&
           (size_t)(run->count + 1) * run->segment_bytes <= SLOT_BYTES &&
           (run->arrival == arrival || same_way(run->arrival, arrival));
}

static void append(struct found *run, size_t bytes)
{
    run->count++;
    run->last_bytes = (uint32_t)bytes;
}

/* Starts a run with a datagram that lies at the start of `slot`. */
static void start_run(struct harvest *harvest, uint32_t slot, const uint8_t *datagram,
                      size_t bytes, const struct udp_arrival *arrival)
{
    harvest->runs[harvest->run_count++] = (struct found){
        .slot = slot, .count = 1, .segment_bytes = (uint32_t)bytes, .last_bytes = (uint32_t)bytes,
        .type = load32(datagram), .index = load32(datagram + 4),
        .arrival = arrival,
    };
}

/* Puts a datagram into the last run, or into a run of its own in a slot of its own. */
static void place(struct io *io, struct harvest *harvest, const uint8_t *datagram, size_t bytes,
                  const struct udp_arrival *arrival)
{
    struct found *last = harvest->run_count > 0 ? &harvest->runs[harvest->run_count - 1] : NULL;

    if (last != NULL && continues(last, datagram, bytes, arrival)) {
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
    start_run(harvest, slot, datagram, bytes, arrival);
}

/*
 * Sorts one received message of `bytes`. Mostly it is one run and stays where it is; then its slot
 * belongs to the run. False: the slot is still free.
 */
static bool sort_message(struct io *io, struct harvest *harvest, uint32_t slot, size_t bytes,
                         const struct udp_arrival *arrival)
{
    uint8_t *at = slot_bytes(io, slot);
    size_t stride = arrival->stride;
    struct found *own = NULL;

    for (size_t offset = 0; offset < bytes; offset += stride) {
        uint8_t *datagram = at + offset;
        size_t size = bytes - offset < stride ? bytes - offset : stride;
        struct found *last = harvest->run_count > 0 ? &harvest->runs[harvest->run_count - 1] : NULL;

        if (!is_data(io, datagram, size, arrival))
            continue;
        if (own != NULL && own == last && offset == (size_t)own->count * own->segment_bytes &&
            continues(own, datagram, size, arrival)) {
            append(own, size);
            continue;
        }
        bool alone = bytes <= stride;
        if (offset == 0 &&
            !(alone && last != NULL && continues(last, datagram, size, arrival))) {
            start_run(harvest, slot, datagram, size, arrival);
            own = &harvest->runs[harvest->run_count - 1];
            continue;
        }
        place(io, harvest, datagram, size, arrival);
    }
    return own != NULL;
}

static uint32_t datagrams_in(size_t bytes, size_t stride)
{
    return bytes == 0 ? 1 : (uint32_t)((bytes + stride - 1) / stride);
}

/* What the kernel gave, whatever becomes of it: every datagram of it has a drop or a count. */
static void count_message(struct io *io, size_t bytes, size_t stride)
{
    count(io->counters, COUNT_RECEIVES, 1);
    count(io->counters, COUNT_RECEIVED_DATAGRAMS, datagrams_in(bytes, stride));
    count(io->counters, COUNT_RECEIVED_BYTES, (uint32_t)bytes);
}

/* The side that is asked next: they take turns, so that none waits behind another's flood. */
static size_t next_side(struct io *io)
{
    uint64_t after = io->ready & (UINT64_MAX << io->turn);
    size_t side = (size_t)__builtin_ctzll(after != 0 ? after : io->ready);
    io->turn = (uint32_t)(side + 1) % SIDES;
    return side;
}

/*
 * Receives up to `want` messages, from one side after the other. Their number, or -errno; what ICMP
 * left on a connected socket is no error, but may stand before messages.
 */
static int receive_messages(struct io *io, uint32_t want)
{
    uint32_t got = 0;
    int error = 0;

    for (uint32_t asked = 0; asked < want && got < want && io->ready != 0; asked++) {
        size_t side = next_side(io);
        int count_of = recvmmsg(io_receive_fd(io, side), &io->in[got], want - got, MSG_DONTWAIT,
                                NULL);
        bool empty = count_of < 0 && errno == EAGAIN;
        bool told = count_of < 0 && !empty && side >= SOCKETS;
        if (told)
            count(io->counters, COUNT_CONNECTED_ERRORS, 1);
        else if (count_of < 0 && !empty && errno != EINTR)
            error = -errno;
        if (count_of < (int)(want - got) && !told && !(io->left & side_bit(side)))
            io->ready &= ~side_bit(side);
        if (empty)
            io_left(io, side);
        for (int i = 0; i < count_of; i++)
            io->in_side[got++] = (uint32_t)side;
    }
    return got == 0 && error != 0 ? error : (int)got;
}

/*
 * Is this another thread's data? Then somebody else sends from the peer's address and port, like a
 * peer that was set up anew: by the common socket, the kernel finds its thread. Who forges the
 * address takes a socket from the peer for a second, and nothing else.
 */
static bool is_others(const struct io *io, const uint8_t *datagram, size_t bytes)
{
    if (bytes < SEGMENT_OVERHEAD_BYTES)
        return false;
    return is_data_type(load32(datagram)) &&
           (load32(datagram + 4) & OWNER_MASK) != io->thread;
}

/* A message came to a busy peer's own socket. */
static void came_connected(struct io *io, size_t side, const uint8_t *datagram, size_t bytes)
{
    count(io->counters, COUNT_CONNECTED_RECEIVES, 1);
    if (is_others(io, datagram, bytes))
        io_leave(io, side);
}

static void prepare_messages(struct io *io, const struct harvest *harvest, uint32_t want)
{
    for (uint32_t i = 0; i < want; i++) {
        io->in_iov[i] = (struct iovec){ .iov_base = slot_bytes(io, harvest->slots[i]),
                                        .iov_len = 65535 };
        union address *from = &io->in_arrival[i].from;
        memset(from, 0, sizeof *from);
        io->in[i].msg_hdr = (struct msghdr){
            .msg_name = from, .msg_namelen = sizeof *from,
            .msg_iov = &io->in_iov[i], .msg_iovlen = 1,
            .msg_control = io->in_control[i], .msg_controllen = UDP_CONTROL_BYTES,
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
        store32(out + JOB_ECN, run->arrival->ecn);
        memcpy(out + JOB_SOURCE, run->arrival->from.bytes, SOCKADDR_BYTES);
        memcpy(out + JOB_LOCAL, run->arrival->local.bytes, SOCKADDR_BYTES);
        io_find_inbound(io, out);
    }
}

/*
 * Receives from the sockets that are ready. Each offered job brings a slot; every run takes
 * one job and one slot, and the other slots go back with the other jobs. A side that gave as many
 * messages as were asked for may have more: the result says so, whatever became of them, unless
 * they were long, as those of a stream are: what is to go the other way waits already.
 */
int io_receive(struct io *io, uint32_t job, uint32_t offered)
{
    struct harvest harvest = { 0 };
    uint32_t unused[RUNS_MAX], unused_count = 0;

    if (io->ready == 0 || offered == 0 || offered > RUNS_MAX)
        return io->ready != 0 ? -EINVAL : 0;
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
    int got = receive_messages(io, want);
    if (got < 0)
        return got;
    /* Slots after the received messages serve runs that need one of their own. */
    harvest.slot_next = (uint32_t)got;
    size_t total = 0;
    for (int i = 0; i < got; i++) {
        size_t bytes = io->in[i].msg_len;
        total += bytes;
        bool kept = false, cut = (io->in[i].msg_hdr.msg_flags & MSG_TRUNC) != 0;
        struct udp_arrival *arrival = &io->in_arrival[i];
        udp_arrived(&io->in[i].msg_hdr, bytes, arrival);
        count_message(io, bytes, cut ? bytes : arrival->stride);
        bool inside = io_came_inside(io, arrival);
        if (io->in_side[i] >= SOCKETS && !inside)
            came_connected(io, io->in_side[i], slot_bytes(io, harvest.slots[i]), bytes);
        if (inside)
            count(io->counters, DROP_OWN_TUNNEL, datagrams_in(bytes, arrival->stride));
        else if (cut)
            count(io->counters, DROP_BAD_TYPE, 1);
        else if (bytes == 0)
            count(io->counters, DROP_TOO_SHORT, 1);
        else
            kept = sort_message(io, &harvest, harvest.slots[i], bytes, arrival);
        if (!kept)
            unused[unused_count++] = harvest.slots[i];
    }
    for (uint32_t i = harvest.slot_next; i < harvest.slot_count; i++)
        unused[unused_count++] = harvest.slots[i];
    write_jobs(io, job, offered, &harvest, unused, unused_count);
    bool more = io->ready != 0 && total < LITTLE_BYTES;
    return (int)harvest.run_count | (more ? RECEIVE_MORE : 0);
}
