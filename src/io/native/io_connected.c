/*
 * io_connected.c — connected sockets for busy peers; see io.h and docs/decisions/0006.
 *
 *      common ── busy ──▶ connected ── moved, idle, gone, refused ──▶ left ── read ──▶ common
 *
 * A peer that moves more than a threshold gets a socket that is connected to it, from the I/O
 * thread that owns its sessions: the kernel finds it before the port's group, so what strangers
 * send stands in another queue, and sends need no look-up of their own. Nothing depends on it:
 * where the kernel refuses one, or all are in use, the peer stays with the common sockets, and
 * these are read as before, since what came earlier is in their queues. ICMP may leave an error on
 * a connected socket; it ends nothing, and what met it is sent again. When the peer is somewhere
 * else it gets another socket, for Linux from 6.13 on would go on looking for the old one where it
 * was; the old one takes nothing more, is read to its end, and closed.
 *
 * Source: security.md 3 and 29; Linux net/ipv4/udp.c, __udp4_lib_lookup(), udp_err().
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "io_state.h"

/* Tuning: a peer is busy by what it moves in a window of this length; a longer one, by its mean. */
#define BUSY_MS 100.0
/* Tuning: a peer gets no two sockets within this time (security.md 29). */
#define RETRY_MS 1000.0
/* Tuning: a socket on which nothing authentic went either way for this long is closed. */
#define IDLE_MS 10000.0
/* Tuning: when others want its socket, a peer keeps it this long after it was busy last, ... */
#define KEEP_MS 1000.0
/* ... but for one that moves this many times as much. */
#define KEEP_TIMES 4u

static struct connection *connection_of(struct io *io, size_t side)
{
    return &io->connections[side - SOCKETS];
}

static uint8_t *peer_of(const struct io *io, uint32_t peer)
{
    return entry(io->arena, REGION_PEERS, PEER_SIZE, peer);
}

/* UDP payload both ways; other threads add to it. */
static uint64_t moved(const uint8_t *peer)
{
    const uint64_t *sent = (const uint64_t *)(const void *)(peer + PEER_SENT_BYTES);
    const uint64_t *received = (const uint64_t *)(const void *)(peer + PEER_RECEIVED_BYTES);
    return __atomic_load_n(sent, __ATOMIC_RELAXED) + __atomic_load_n(received, __ATOMIC_RELAXED);
}

/* Control counts them before it opens a port that they would hold. */
static uint32_t *shared_count(const struct io *io)
{
    return (uint32_t *)(void *)(io->shared + IO_CONNECTED);
}

static bool port_is_open(const struct io *io)
{
    const uint8_t *engine = entry(io->arena, REGION_ENGINE, ENGINE_SIZE, 0);
    return engine != NULL &&
           __atomic_load_n((const uint32_t *)(const void *)(engine + ENGINE_PORT_OPEN),
                           __ATOMIC_SEQ_CST) != 0;
}

static void shut(struct io *io, size_t side)
{
    struct connection *connection = connection_of(io, side);

    /* Closing takes it from the epoll set as well: there is no other descriptor of it. */
    close(connection->fd);
    connection->fd = -1;
    io->left &= ~side_bit(side);
    io->ready &= ~side_bit(side);
    (void)__atomic_fetch_sub(shared_count(io), 1, __ATOMIC_SEQ_CST);
}

/* What is queued leaves by the common socket. */
static void part(struct io *io, size_t side)
{
    struct connection *connection = connection_of(io, side);
    size_t common = connection->to.any.sa_family == AF_INET6 ? 1 : 0;

    io->connected &= ~side_bit(side);
    io->traffic[connection->peer].side = 0;
    io->udp[side].fd = io->udp[common].fd;
    name_queued(io, side);
}

void io_leave(struct io *io, size_t side)
{
    if (!(io->connected & side_bit(side)))
        return;
    part(io, side);
    /* Fails where the address is gone: then nothing comes any more either. */
    (void)udp_forsake(connection_of(io, side)->fd);
    io->left |= side_bit(side);
    io->ready |= side_bit(side);
}

void io_left(struct io *io, size_t side)
{
    if (io->left & side_bit(side))
        shut(io, side);
}

void io_leave_all(struct io *io)
{
    for (size_t side = SOCKETS; side < SIDES; side++) {
        if (io->connected & side_bit(side))
            part(io, side);
        if (connection_of(io, side)->fd >= 0)
            shut(io, side);
    }
}

/* What the peer of a side moved in its last busy window; 0 when that is long ago. */
static uint64_t rate_of(struct io *io, size_t side, double now)
{
    const struct connection *connection = connection_of(io, side);
    return now - connection->busy_ms < KEEP_MS ? connection->rate : 0;
}

/*
 * A side that nobody has, with nothing queued, for a peer that moves `rate`; 0: none now. Then the
 * one that moves least may have to leave: its place is free for who asks after that.
 */
static size_t free_side(struct io *io, uint64_t rate, double now)
{
    size_t least = 0;

    for (size_t side = SOCKETS; side < SIDES; side++) {
        const struct connection *connection = connection_of(io, side);
        if (connection->fd < 0 && io->queued[side] == 0)
            return side;
        if ((io->connected & side_bit(side)) &&
            (least == 0 || rate_of(io, side, now) < rate_of(io, least, now)))
            least = side;
    }
    if (least != 0 && io->left == 0 && rate >= KEEP_TIMES * rate_of(io, least, now)) {
        io->traffic[connection_of(io, least)->peer].retry_ms = now + RETRY_MS;
        io_leave(io, least);
    }
    return 0;
}

/* Makes the socket. False: it is not to be had. */
static bool make(struct io *io, size_t side, const struct way *way, size_t common)
{
    struct connection *connection = connection_of(io, side);

    /* Said before it is asked, as control closes the port before it counts: one sees the other. */
    (void)__atomic_fetch_add(shared_count(io), 1, __ATOMIC_SEQ_CST);
    connection->fd = port_is_open(io) ? udp_connected(io->udp[common].fd, &way->to, &way->local,
                                                      &connection->name)
                                      : -EADDRNOTAVAIL;
    if (connection->fd >= 0 && io_watch_side(io, connection->fd, side) == 0)
        return true;
    if (connection->fd >= 0)
        close(connection->fd);
    connection->fd = -1;
    (void)__atomic_fetch_sub(shared_count(io), 1, __ATOMIC_SEQ_CST);
    return false;
}

static void connect_peer(struct io *io, uint32_t peer, const struct way *way, size_t common)
{
    struct traffic *traffic = &io->traffic[peer];
    double now = turn_ms(io);

    if (now < traffic->retry_ms || io->udp[common].fd < 0)
        return;
    traffic->retry_ms = now + RETRY_MS;
    /* What is queued goes first: the peer's packets keep their order. */
    (void)io_send_flush(io);
    size_t side = free_side(io, traffic->rate, now);
    if (side == 0 || !make(io, side, way, common)) {
        /* A place will be free in the next window. */
        if (io->left != 0)
            traffic->retry_ms = now;
        count(io->counters, COUNT_CONNECT_REFUSED, 1);
        return;
    }
    struct connection *connection = connection_of(io, side);
    connection->peer = peer;
    connection->generation = load32(peer_of(io, peer) + PEER_GENERATION);
    connection->to = way->to;
    connection->check = false;
    connection->busy_ms = connection->used_ms = now;
    connection->rate = traffic->rate;
    connection->bytes = traffic->bytes;
    io->udp[side] = io->udp[common];
    io->udp[side].fd = connection->fd;
    io->udp[side].cutting = -1;
    io->connected |= side_bit(side);
    traffic->side = (uint32_t)side;
    /* What came before is read first. */
    io->turn = 0;
    count(io->counters, COUNT_CONNECTED, 1);
}

/* Closes the peer's window when it is due. True: it was busy. */
static bool was_busy(struct io *io, uint32_t peer, double now)
{
    struct traffic *traffic = &io->traffic[peer];
    uint32_t generation = load32(peer_of(io, peer) + PEER_GENERATION);
    double lasted = now - traffic->since_ms;

    if (generation != traffic->generation) {
        traffic->generation = generation;
        traffic->since_ms = now;
        traffic->bytes = moved(peer_of(io, peer));
        return false;
    }
    if (lasted < BUSY_MS)
        return false;
    uint64_t bytes = moved(peer_of(io, peer));
    traffic->rate = (uint64_t)((double)(bytes - traffic->bytes) * BUSY_MS / lasted);
    bool busy = traffic->rate >= io->busy_bytes;
    traffic->since_ms = now;
    traffic->bytes = bytes;
    if (traffic->side != 0) {
        struct connection *connection = connection_of(io, traffic->side);
        connection->check = true;
        if (busy) {
            connection->busy_ms = now;
            connection->rate = traffic->rate;
        }
    }
    return busy;
}

/* Is the socket still the one for this peer and way? */
static bool fits(const struct io *io, const struct connection *connection, const struct way *way)
{
    return connection->generation == load32(peer_of(io, connection->peer) + PEER_GENERATION) &&
           same_endpoint(connection->to.bytes, way->to.bytes) &&
           (way->local.any.sa_family == AF_UNSPEC || udp_same_host(&connection->name, &way->local));
}

static bool may_connect(const struct io *io, uint32_t peer)
{
    return io->busy_bytes != 0 && peer < io->peers;
}

size_t io_side_of(struct io *io, const uint8_t *job, const struct way *way, size_t common)
{
    uint32_t peer = load32(job + JOB_PEER);
    const uint8_t *session =
        entry(io->arena, REGION_SESSIONS, SESSION_SIZE, load32(job + JOB_SESSION));

    /* The socket is its owner's alone: others might use its number when it is closed. */
    if (!may_connect(io, peer) || session == NULL || load32(session + SESSION_OWNER) != io->thread)
        return common;
    struct traffic *traffic = &io->traffic[peer];
    bool busy = was_busy(io, peer, turn_ms(io));
    if (traffic->side != 0 && !fits(io, connection_of(io, traffic->side), way)) {
        /* It moved, and was busy where it was; else another peer has its entry. */
        busy = connection_of(io, traffic->side)->generation == traffic->generation;
        io_leave(io, traffic->side);
    }
    if (busy && traffic->side == 0)
        connect_peer(io, peer, way, common);
    return traffic->side != 0 ? traffic->side : common;
}

void io_note_received(struct io *io, uint32_t peer)
{
    struct way way;

    if (!may_connect(io, peer) || !was_busy(io, peer, turn_ms(io)) || io->traffic[peer].side != 0)
        return;
    if (read_way(peer_of(io, peer), &way))
        connect_peer(io, peer, &way, way.to.any.sa_family == AF_INET6 ? 1 : 0);
}

int io_receive_fd(const struct io *io, size_t side)
{
    return side < SOCKETS ? io->udp[side].fd : io->connections[side - SOCKETS].fd;
}

/*
 * An error of a connected socket may be an ICMP message's, which is told once and means nothing:
 * the message `at` is sent again. Then the peer leaves the socket: by the common one, errors are
 * the kernel's own. But for EMSGSIZE, which is that already. True: try again.
 */
bool io_send_again(struct io *io, size_t side, uint32_t at, int error, uint32_t *tried)
{
    if (!(io->connected & side_bit(side)) || error == EAGAIN || error == ENOBUFS)
        return false;
    if (*tried != at) {
        *tried = at;
        count(io->counters, COUNT_CONNECTED_ERRORS, 1);
        return true;
    }
    if (error == EMSGSIZE)
        return false;
    io_leave(io, side);
    return true;
}

void io_disconnect(struct io *io, uint32_t peer)
{
    if (may_connect(io, peer) && io->traffic[peer].side != 0)
        io_leave(io, io->traffic[peer].side);
}

void io_tend(struct io *io)
{
    double now = turn_ms(io);

    for (uint64_t left = io->connected; left != 0; left &= left - 1) {
        size_t side = (size_t)__builtin_ctzll(left);
        struct connection *connection = connection_of(io, side);
        const uint8_t *peer = peer_of(io, connection->peer);
        uint64_t bytes = moved(peer);
        if (bytes != connection->bytes) {
            connection->bytes = bytes;
            connection->used_ms = now;
        }
        if (now - connection->used_ms >= IDLE_MS ||
            connection->generation != load32(peer + PEER_GENERATION))
            io_leave(io, side);
    }
}

int io_connect_busy(struct io *io, uint32_t busy_bytes)
{
    for (size_t side = SOCKETS; side < SIDES; side++) {
        io->udp[side].fd = -1;
        connection_of(io, side)->fd = -1;
    }
    if (busy_bytes == 0)
        return 0;
    io->traffic = calloc(io->arena->count[REGION_PEERS], sizeof *io->traffic);
    if (io->traffic == NULL)
        return -ENOMEM;
    io->peers = io->arena->count[REGION_PEERS];
    io->busy_bytes = busy_bytes;
    return 0;
}
