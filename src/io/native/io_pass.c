/*
 * io_pass.c — what an I/O thread hands on to control, by one socket.
 *
 * Handshake messages that the kernel merged behind data: the steering program sorts by the first
 * datagram of what UDP_GRO merged, and GRO takes a shorter datagram as the last one, so that an
 * initiation right behind data arrives here. It is sent on whole:
 *
 *     [source 28][local address 28][datagram]
 *
 * Control frames, which were opened and are no replays. Padding stays behind, and no peer has more
 * than its budget of them:
 *
 *     [PASSED_ fields 56, family 0][frame, FRAME_BYTES at most]
 *
 * Source: Linux net/ipv4/udp_offload.c, udp_gro_receive_segment().
 */
#define _GNU_SOURCE
#include <errno.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "io_state.h"

/* Lengths of initiation, response and cookie, in either suite; WireGuard paper 5.4. */
static size_t handshake_bytes(uint32_t type)
{
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

/* Sends parts as one message; counts it as `passed`, or as `full` when control's queue is. */
static void hand_on(struct io *io, struct iovec *parts, size_t part_count, uint32_t passed,
                    uint32_t full)
{
    struct msghdr out = { .msg_iov = parts, .msg_iovlen = part_count };
    ssize_t sent;

    do {
        sent = sendmsg(io->pass_fd, &out, MSG_DONTWAIT | MSG_NOSIGNAL);
    } while (sent < 0 && errno == EINTR);
    count(io->counters, sent < 0 ? full : passed, 1);
}

/* True when the datagram is a handshake message, whether or not control's queue had room. */
static bool pass_on(struct io *io, const uint8_t *datagram, size_t bytes,
                    const struct udp_arrival *arrival)
{
    if (!io->passes || bytes != handshake_bytes(load32(datagram)))
        return false;
    struct iovec parts[3] = {
        { .iov_base = (void *)(uintptr_t)arrival->from.bytes, .iov_len = SOCKADDR_BYTES },
        { .iov_base = (void *)(uintptr_t)arrival->local.bytes, .iov_len = SOCKADDR_BYTES },
        { .iov_base = (void *)(uintptr_t)datagram, .iov_len = bytes },
    };
    hand_on(io, parts, 3, COUNT_PASSED_ON, DROP_QUEUE_FULL);
    return true;
}

/* What one peer may have control look at. */
static bool within_budget(const struct io *io, uint8_t *peer)
{
    return bucket_take(peer + PEER_FRAMES_DUE_MS, turn_ms(io), FRAME_EVERY_MS, FRAME_BURST);
}

void pass_frame(struct io *io, const uint8_t *job, const uint8_t *frame, size_t bytes)
{
    uint8_t about[PASSED_SIZE] = { 0 };
    uint32_t of = load32(job + JOB_PEER);
    uint8_t *peer = entry(io->arena, REGION_PEERS, PEER_SIZE, of);

    if (peer == NULL || !io->passes || !within_budget(io, peer)) {
        count(io->counters, io->passes ? DROP_FRAME_RATE : DROP_CONTROL_FRAME, 1);
        return;
    }
    store32(about + PASSED_PEER, of);
    store32(about + PASSED_SESSION, load32(job + JOB_SESSION));
    store32(about + PASSED_GENERATION, load32(job + JOB_SESSION_GENERATION));
    store32(about + PASSED_DATAGRAM_BYTES, (uint32_t)bytes + SEGMENT_OVERHEAD_BYTES);
    struct iovec parts[2] = {
        { .iov_base = about, .iov_len = sizeof about },
        { .iov_base = (void *)(uintptr_t)frame,
          .iov_len = bytes < FRAME_BYTES ? bytes : FRAME_BYTES },
    };
    hand_on(io, parts, 2, COUNT_FRAMES_PASSED, DROP_FRAME_RATE);
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
