/* io_send.c — sealed jobs, on their way to the network; see io.h. */
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>

#include "io_state.h"

/* A full send buffer is waited for this long, this often; then datagrams are dropped. */
#define SEND_WAIT_MS 2
#define SEND_WAITS 5u
/* Control hears of one peer's datagrams that are larger than the link at most this often. */
#define TOO_LARGE_EVERY_MS 20.0

/* Says which of the queued message's control messages go with it. */
static void set_control(struct io *io, size_t side, uint32_t i, bool local)
{
    const struct outgoing *about = &io->out_about[side][i];
    struct msghdr *message = &io->out[side][i].msg_hdr;
    uint32_t bytes = about->control_bytes + (local ? about->local_bytes : 0);

    message->msg_control = bytes == 0 ? NULL : io->out_control[side][i];
    message->msg_controllen = bytes;
}

/* A connected socket knows both ends, and asks once a window whether the host still has ours. */
static void set_way(struct io *io, size_t side, uint32_t i)
{
    struct msghdr *message = &io->out[side][i].msg_hdr;

    if (!(io->connected & side_bit(side))) {
        message->msg_name = &io->out_to[side][i];
        message->msg_namelen = address_length(&io->out_to[side][i]);
        set_control(io, side, i, true);
        return;
    }
    struct connection *connection = &io->connections[side - SOCKETS];
    set_control(io, side, i, connection->check);
    connection->check = false;
}

void name_queued(struct io *io, size_t side)
{
    for (uint32_t i = 0; i < io->queued[side]; i++)
        set_way(io, side, i);
}

static void queue_message(struct io *io, size_t side, uint8_t *peer, const struct way *way,
                          uint32_t ecn, uint8_t *at, size_t bytes, uint32_t segment_bytes)
{
    uint32_t i = io->queued[side]++;
    uint8_t *control = io->out_control[side][i];
    struct outgoing *about = &io->out_about[side][i];
    size_t used = 0;

    if (bytes > segment_bytes)
        used += udp_put_segment(control, (uint16_t)segment_bytes);
    if (ecn != 0)
        used += udp_put_ecn(control + used, way->to.any.sa_family, ecn);
    *about = (struct outgoing){ .peer = peer, .segment_bytes = segment_bytes,
                                .control_bytes = (uint32_t)used };
    if (way->local.any.sa_family != AF_UNSPEC)
        about->local_bytes = (uint32_t)udp_put_local(control + used, &way->local);
    io->out_to[side][i] = way->to;
    io->out_iov[side][i] = (struct iovec){ .iov_base = at, .iov_len = bytes };
    io->out[side][i].msg_hdr = (struct msghdr){
        .msg_iov = &io->out_iov[side][i], .msg_iovlen = 1,
    };
    set_way(io, side, i);
    io->waiting |= side_bit(side);
}

static uint32_t datagrams(const struct io *io, size_t side, uint32_t i)
{
    size_t bytes = io->out_iov[side][i].iov_len;
    uint32_t segment = io->out_about[side][i].segment_bytes;
    return (uint32_t)((bytes + segment - 1) / segment);
}

/* A message was taken by the kernel. */
static int count_sent(struct io *io, size_t side, uint32_t i)
{
    uint32_t n = datagrams(io, side, i);

    count(io->counters, COUNT_SENDS, 1);
    if (io->connected & side_bit(side))
        count(io->counters, COUNT_CONNECTED_SENDS, 1);
    count(io->counters, COUNT_SENT_DATAGRAMS, n);
    count(io->counters, COUNT_SENT_BYTES, (uint32_t)io->out_iov[side][i].iov_len);
    return (int)n;
}

/*
 * The local address may be gone. Sent without it, the message tells: when it goes, the address is
 * not used again until something authentic shows which one the peer reaches. 0: it went no better.
 */
static int send_without_local(struct io *io, size_t side, uint32_t i)
{
    set_control(io, side, i, false);
    if (sendmsg(io->udp[side].fd, &io->out[side][i].msg_hdr, MSG_DONTWAIT | MSG_NOSIGNAL) < 0) {
        set_control(io, side, i, true);
        return 0;
    }
    store32(io->out_about[side][i].peer + PEER_LOCAL_REFUSED, 1);
    count(io->counters, COUNT_LOCAL_REFUSED, 1);
    return count_sent(io, side, i);
}

/* The link takes no datagram of `bytes`: the next flush tells control, but not of each one. */
static void note_too_large(struct io *io, uint8_t *peer, size_t bytes)
{
    const uint8_t *first = entry(io->arena, REGION_PEERS, PEER_SIZE, 0);
    double now = turn_ms(io);

    store32(peer + PEER_REFUSED_BYTES, (uint32_t)bytes);
    if (now - load_f64(peer + PEER_REFUSED_AT_MS) < TOO_LARGE_EVERY_MS)
        return;
    store_f64(peer + PEER_REFUSED_AT_MS, now);
    store32(io->shared + IO_TOO_LARGE, (uint32_t)((size_t)(peer - first) / PEER_SIZE) + 1);
}

/* The peer's way gets no segments for a while; others may. */
static void stop_segments(struct io *io, uint8_t *peer)
{
    store_f64(peer + PEER_UNSEGMENTED_UNTIL_MS, turn_ms(io) + UNSEGMENTED_MS);
}

/* One datagram a message, for kernels and paths that refuse UDP_SEGMENT. */
static int send_unsegmented(struct io *io, size_t side, uint32_t i)
{
    const struct iovec whole = io->out_iov[side][i];
    const struct outgoing *about = &io->out_about[side][i];
    struct msghdr message = io->out[side][i].msg_hdr;
    size_t segment = about->segment_bytes, skipped = CMSG_SPACE(sizeof(uint16_t));
    int sent = 0;

    count(io->counters, COUNT_UNSEGMENTED_RESENDS, 1);
    /* The segment size is the first of the control messages; the others stay. */
    message.msg_controllen -= skipped;
    message.msg_control =
        message.msg_controllen == 0 ? NULL : io->out_control[side][i] + skipped;
    for (size_t at = 0; at < whole.iov_len; at += segment) {
        struct iovec part = { .iov_base = (uint8_t *)whole.iov_base + at, .iov_len = segment };
        if (whole.iov_len - at < segment)
            part.iov_len = whole.iov_len - at;
        message.msg_iov = &part;
        if (sendmsg(io->udp[side].fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL) < 0) {
            if (errno == EMSGSIZE)
                note_too_large(io, about->peer, part.iov_len);
            count(io->counters, errno == EAGAIN ? DROP_SEND_FULL : DROP_SEND_REFUSED, 1);
            continue;
        }
        count(io->counters, COUNT_SENDS, 1);
        count(io->counters, COUNT_SENT_DATAGRAMS, 1);
        count(io->counters, COUNT_SENT_BYTES, (uint32_t)part.iov_len);
        sent++;
    }
    return sent;
}

/* A message that the kernel refused with `error`: sent in another way, or counted as dropped. */
static int send_refused(struct io *io, size_t side, uint32_t i, int error)
{
    uint32_t n = datagrams(io, side, i);

    if (udp_local_refused(error) && io->out_about[side][i].local_bytes > 0) {
        int sent = send_without_local(io, side, i);
        if (sent > 0)
            return sent;
    }
    if ((error == EIO || error == EINVAL || error == EMSGSIZE) && n > 1) {
        int sent = send_unsegmented(io, side, i);
        /*
         * EIO: no checksum offload on this way out (facts 1.5). EINVAL says so too, or that a
         * segment is larger than the path takes: then not all of them went alone either. EMSGSIZE:
         * our own link takes no such datagram whole; cut by the kernel, it does.
         */
        if (error != EINVAL || sent == (int)n)
            stop_segments(io, io->out_about[side][i].peer);
        return sent;
    }
    if (error == EMSGSIZE)
        note_too_large(io, io->out_about[side][i].peer, io->out_about[side][i].segment_bytes);
    count(io->counters, error == EAGAIN || error == ENOBUFS ? DROP_SEND_FULL : DROP_SEND_REFUSED,
          n);
    return 0;
}

/* Sends what is queued on one socket; a message that cannot go is counted and passed over. */
static int flush_side(struct io *io, size_t side)
{
    uint32_t queued = io->queued[side], at = 0, waits = 0, tried = UINT32_MAX;
    int sent = 0;

    while (at < queued) {
        int got = sendmmsg(io->udp[side].fd, &io->out[side][at], queued - at,
                           MSG_DONTWAIT | MSG_NOSIGNAL);
        if (got > 0) {
            for (uint32_t end = at + (uint32_t)got; at < end; at++)
                sent += count_sent(io, side, at);
            continue;
        }
        int error = errno;
        if (error == EINTR || io_send_again(io, side, at, error, &tried))
            continue;
        if ((error == EAGAIN || error == ENOBUFS) && waits++ < SEND_WAITS) {
            struct pollfd wait = { .fd = io->udp[side].fd, .events = POLLOUT };
            if (poll(&wait, 1, SEND_WAIT_MS) >= 0 || errno == EINTR)
                continue;
        }
        sent += send_refused(io, side, at, error);
        at++;
    }
    io->queued[side] = 0;
    io->waiting &= ~side_bit(side);
    return sent;
}

int io_send_flush(struct io *io)
{
    int sent = 0;
    for (uint64_t left = io->waiting; left != 0; left &= left - 1)
        sent += flush_side(io, (size_t)__builtin_ctzll(left));
    return sent;
}

/* Does the way to the peer take UDP_SEGMENT, as far as is known? */
static bool takes_segments(const struct io *io, size_t side, const uint8_t *peer)
{
    return io->udp[side].gso && turn_ms(io) >= load_f64(peer + PEER_UNSEGMENTED_UNTIL_MS);
}

/*
 * Data may be cut on its way, so that a way that takes less than was thought slows it and does not
 * stop it. What is neither data nor a keepalive asks what the way takes, and is not cut. IPv6 is
 * cut by its sender alone: where nobody has asked, the kernel has to believe what routers say.
 */
static int cutting_of(const uint8_t *job, const uint8_t *peer, const struct way *way)
{
    if (load32(job + JOB_TUN_BYTES) == 0 && load32(job + JOB_LAST_BYTES) > SEGMENT_OVERHEAD_BYTES)
        return UDP_WHOLE;
    bool believes = way->to.any.sa_family == AF_INET6 && load32(peer + PEER_PATH_MTU) == 0;
    return believes ? UDP_CUT_AS_TOLD : UDP_CUT;
}

/* The option counts for all that a socket sends, so what is queued leaves first. */
static void set_cutting(struct io *io, size_t side, bool v6, int cutting)
{
    if (io->udp[side].cutting == cutting)
        return;
    if (io->queued[side] > 0)
        (void)flush_side(io, side);
    int result = udp_cutting(io->udp[side].fd, v6, (enum udp_cutting)cutting);
    io->udp[side].cutting = result < 0 ? -1 : cutting;
}

int io_send_add(struct io *io, uint32_t job_index)
{
    uint8_t *job = job_entry(io->arena, job_index);
    struct segments segments;
    struct way way;

    if (job == NULL || !segments_of(io->arena, job, &segments))
        return -EINVAL;
    uint8_t *peer = entry(io->arena, REGION_PEERS, PEER_SIZE, load32(job + JOB_PEER));
    if (peer == NULL)
        return -EINVAL;
    size_t side = 0;
    bool found = read_way(peer, &way);
    if (found && way.to.any.sa_family == AF_INET6)
        side = 1;
    if (!found || io->udp[side].fd < 0) {
        count(io->counters, DROP_NO_ENDPOINT, segments.count);
        return 0;
    }
    side = io_side_of(io, job, &way, side);
    if (side >= SOCKETS)
        way.local = io->connections[side - SOCKETS].name;
    set_cutting(io, side, way.to.any.sa_family == AF_INET6, cutting_of(job, peer, &way));
    uint32_t ecn = load32(job + JOB_ECN);
    if (segments.count == 1 || takes_segments(io, side, peer)) {
        if (io->queued[side] == SEND_MESSAGES)
            (void)flush_side(io, side);
        queue_message(io, side, peer, &way, ecn, segments.at, all_bytes(&segments),
                      segments.stride);
        return 0;
    }
    for (uint32_t i = 0; i < segments.count; i++) {
        uint32_t size = segment_bytes(&segments, i);
        if (io->queued[side] == SEND_MESSAGES)
            (void)flush_side(io, side);
        queue_message(io, side, peer, &way, ecn, segment_at(&segments, i), size, size);
    }
    return 0;
}
