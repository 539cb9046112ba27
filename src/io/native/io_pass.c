/*
 * io_pass.c — what an I/O thread hands on to control.
 *
 * Handshake messages, INTROs and their kin that the kernel merged behind data or that came to a
 * connected socket, by a socket: the steering program sorts by the first datagram of what UDP_GRO
 * merged, and GRO takes a shorter datagram as the last one, so that an initiation right behind data
 * arrives here. It is sent on whole:
 *
 *     [source 28][local address 28][datagram]
 *
 * Control frames, which were opened and are no replays, by the thread's ring of `arrivals`: a Unix
 * socket would hold ten (net.unix.max_dgram_qlen). Padding stays behind, no peer has more than its
 * budget of them, and what finds the ring full is dropped: nobody waits here.
 *
 * Source: Linux net/ipv4/udp_offload.c, udp_gro_receive_segment(); eventfd(2).
 */
#define _GNU_SOURCE
#include <errno.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "io_state.h"

/* Lengths of what control takes: initiation, response and cookie, in either suite (WireGuard paper
 * 5.4), and what is said before a session (docs/PROTOCOL.md). */
static size_t control_bytes(uint32_t type)
{
    if (type == MESSAGE_INTRO)
        return MESSAGE_INTRO_BYTES;
    if (type == MESSAGE_INDEX)
        return MESSAGE_CHALLENGE_BYTES;
    switch (type > MESSAGE_AES_OFFSET ? type - MESSAGE_AES_OFFSET : type) {
    case MESSAGE_INITIATION:
        return MESSAGE_INITIATION_BYTES;
    case MESSAGE_RESPONSE:
        return MESSAGE_RESPONSE_BYTES;
    case MESSAGE_COOKIE:
        return MESSAGE_COOKIE_BYTES;
    default:
        return 0;
    }
}

void io_pass_to(struct io *io, int fd)
{
    io->pass_fd = fd;
    io->passes = fd >= 0;
}

void io_ring_to(struct io *io, int fd)
{
    io->bell = fd;
    io->rings = fd >= 0;
}

/* Sends parts as one message; counts what became of it. */
static void hand_on(struct io *io, struct iovec *parts, size_t part_count)
{
    struct msghdr out = { .msg_iov = parts, .msg_iovlen = part_count };
    ssize_t sent;

    do {
        sent = sendmsg(io->pass_fd, &out, MSG_DONTWAIT | MSG_NOSIGNAL);
    } while (sent < 0 && errno == EINTR);
    count(io->counters, sent < 0 ? DROP_QUEUE_FULL : COUNT_PASSED_ON, 1);
}

/* True when the datagram is one for control, whether or not control's queue had room. */
static bool pass_on(struct io *io, const uint8_t *datagram, size_t bytes,
                    const struct udp_arrival *arrival)
{
    if (!io->passes || bytes != control_bytes(load32(datagram)))
        return false;
    struct iovec parts[3] = {
        { .iov_base = (void *)(uintptr_t)arrival->from.bytes, .iov_len = SOCKADDR_BYTES },
        { .iov_base = (void *)(uintptr_t)arrival->local.bytes, .iov_len = SOCKADDR_BYTES },
        { .iov_base = (void *)(uintptr_t)datagram, .iov_len = bytes },
    };
    hand_on(io, parts, 3);
    return true;
}

/* What one peer may have control look at, in the long run and at once. */
struct frame_budget {
    double frames, frames_at_once, bytes, bytes_at_once;
};

/* A bucket told by when it will be empty again: does `amount` of what fills it go in? */
static bool has_room(const uint8_t *due_ms, double now_ms, double amount, double per_second,
                     double at_once)
{
    double ahead = load_f64(due_ms) - now_ms;

    return (ahead > 0 ? ahead : 0) + 1000 * amount / per_second <= 1000 * at_once / per_second;
}

static void fill(uint8_t *due_ms, double now_ms, double amount, double per_second)
{
    double due = load_f64(due_ms);

    store_f64(due_ms, (due < now_ms ? now_ms : due) + 1000 * amount / per_second);
}

/* Takes a frame of `bytes` out of its peer's budget. False: that is used up, and stays as it is. */
static bool within_budget(const struct io *io, uint8_t *peer, size_t bytes)
{
    static const struct frame_budget budgets[] = FRAME_BUDGETS;
    uint8_t *frames_due = peer + PEER_FRAMES_DUE_MS, *bytes_due = peer + PEER_FRAME_BYTES_DUE_MS;
    uint32_t row = load32(peer + PEER_FRAME_BUDGET);
    double now = turn_ms(io);

    const struct frame_budget *of = &budgets[row < sizeof budgets / sizeof *budgets ? row : 0];
    if (!has_room(frames_due, now, 1, of->frames, of->frames_at_once) ||
        !has_room(bytes_due, now, (double)bytes, of->bytes, of->bytes_at_once))
        return false;
    fill(frames_due, now, 1, of->frames);
    fill(bytes_due, now, (double)bytes, of->bytes);
    return true;
}

/* Bytes of the frame that a plaintext of `bytes` begins with, header and body; 0: it is none. */
static size_t frame_bytes(const uint8_t *frame, size_t bytes)
{
    if (bytes < FRAME_HEADER_BYTES)
        return 0;
    size_t body = (size_t)frame[2] | (size_t)frame[3] << 8;
    if (body > FRAME_BODY_BYTES || FRAME_HEADER_BYTES + body > bytes)
        return 0;
    return FRAME_HEADER_BYTES + body;
}

/* Puts a frame into the thread's ring, as the arrival that `about` begins. False: it is full. */
static bool put_arrival(struct io *io, const uint8_t *about, const uint8_t *frame, size_t bytes)
{
    uint8_t *queue = entry(io->arena, REGION_ARRIVAL_QUEUES, QUEUE_SIZE, io->thread);

    if (queue == NULL)
        return false;
    uint32_t *tail_at = (uint32_t *)(void *)(queue + QUEUE_TAIL);
    uint32_t tail = load32(queue + QUEUE_TAIL);
    uint32_t head =
        __atomic_load_n((const uint32_t *)(void *)(queue + QUEUE_HEAD), __ATOMIC_SEQ_CST);
    size_t at = (size_t)io->thread * ARRIVALS_PER_IO + tail % ARRIVALS_PER_IO;
    uint8_t *arrival = entry(io->arena, REGION_ARRIVALS, ARRIVAL_SIZE, at);
    if (arrival == NULL || tail - head >= ARRIVALS_PER_IO)
        return false;
    memcpy(arrival, about, ARRIVAL_CONTENT);
    memcpy(arrival + ARRIVAL_CONTENT, frame, bytes);
    __atomic_store_n(tail_at, tail + 1, __ATOMIC_SEQ_CST);
    return true;
}

/* A bell that is full (EAGAIN) rings as well. */
static void ring_bell(const struct io *io)
{
    const uint64_t one = 1;
    ssize_t wrote;

    do {
        wrote = write(io->bell, &one, sizeof one);
    } while (wrote < 0 && errno == EINTR);
}

void pass_frame(struct io *io, const uint8_t *job, const uint8_t *plaintext, size_t room)
{
    uint8_t about[ARRIVAL_CONTENT] = { 0 };
    size_t bytes = frame_bytes(plaintext, room);
    uint32_t of = load32(job + JOB_PEER), what = COUNT_FRAMES_PASSED;
    uint8_t *peer = entry(io->arena, REGION_PEERS, PEER_SIZE, of);

    store32(about + ARRIVAL_PEER, of);
    store32(about + ARRIVAL_SESSION, load32(job + JOB_SESSION));
    store32(about + ARRIVAL_GENERATION, load32(job + JOB_SESSION_GENERATION));
    store32(about + ARRIVAL_DATAGRAM_BYTES, (uint32_t)room + SEGMENT_OVERHEAD_BYTES);
    store32(about + ARRIVAL_LENGTH, (uint32_t)bytes);
    if (peer == NULL || !io->rings)
        what = DROP_CONTROL_FRAME;
    else if (bytes == 0)
        what = DROP_FRAME_INVALID;
    else if (!within_budget(io, peer, bytes))
        what = DROP_FRAME_RATE;
    else if (!put_arrival(io, about, plaintext, bytes))
        what = DROP_FRAME_FULL;
    else
        ring_bell(io);
    count(io->counters, what, 1);
}

bool is_data(struct io *io, const uint8_t *datagram, size_t bytes,
             const struct udp_arrival *arrival)
{
    if (bytes < SEGMENT_OVERHEAD_BYTES) {
        count(io->counters, DROP_TOO_SHORT, 1);
        return false;
    }
    uint32_t type = load32(datagram);
    if (is_data_type(type))
        return true;
    if (!pass_on(io, datagram, bytes, arrival))
        count(io->counters, DROP_BAD_TYPE, 1);
    return false;
}
