/*
 * io_pass.c — handshake messages that the kernel merged behind data, on their way to control.
 *
 * The steering program sorts by the first datagram of what UDP_GRO merged, and GRO takes a shorter
 * datagram as the last one: an initiation right behind data arrives here. It is sent on whole:
 *
 *     [source 28][local address 28][datagram]
 *
 * Source: Linux net/ipv4/udp_offload.c, udp_gro_receive_segment().
 */
#define _GNU_SOURCE
#include <errno.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "io_state.h"

#define TYPE_DATA 4u
#define TYPE_DATA_AES 8u

/* Lengths of initiation, response and cookie; WireGuard paper 5.4. Types 5 to 7 are the same. */
static size_t handshake_bytes(uint32_t type)
{
    switch (type) {
    case 1:
    case 5:
        return 148;
    case 2:
    case 6:
        return 92;
    case 3:
    case 7:
        return 64;
    default:
        return 0;
    }
}

void io_pass_to(struct io *io, int fd)
{
    io->pass_fd = fd;
    io->passes = fd >= 0;
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
    struct msghdr out = { .msg_iov = parts, .msg_iovlen = 3 };
    ssize_t sent;
    do {
        sent = sendmsg(io->pass_fd, &out, MSG_DONTWAIT | MSG_NOSIGNAL);
    } while (sent < 0 && errno == EINTR);
    if (sent < 0)
        count(io->counters, DROP_QUEUE_FULL, 1);
    return true;
}

bool is_data(struct io *io, const uint8_t *datagram, size_t bytes,
             const struct udp_arrival *arrival)
{
    if (bytes < SEGMENT_OVERHEAD_BYTES) {
        count(io->counters, DROP_TOO_SHORT, 1);
        return false;
    }
    uint32_t type = load32(datagram);
    if (type == TYPE_DATA || type == TYPE_DATA_AES)
        return true;
    if (!pass_on(io, datagram, bytes, arrival))
        count(io->counters, DROP_BAD_TYPE, 1);
    return false;
}
