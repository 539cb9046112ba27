/*
 * io_connected.c — a socket of its own for each busy peer; see io_state.h.
 *
 *     busy, way known ──▶ bound to our address, connected to the peer's ──idle, or moved──▶ closed
 *
 * Whatever comes from anywhere else stays out of its buffer, so that no stranger's flood queues in
 * front of a friend; and the kernel has the route at hand. The session's owner alone opens and uses
 * it. It is no more than a shorter way: when it cannot be opened, or fails, the sockets that all
 * share do its work, and what a peer sends from another address arrives there.
 *
 * Source: Linux net/ipv4/udp.c, __udp4_lib_lookup(); net/core/sock_reuseport.c.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "io_state.h"

/* Busy is who was sent so many runs within a second. */
#define BUSY_RUNS 8u
#define BUSY_MS 1000.0
/* A socket that was not used for so long is closed; one of these may be taken for another peer. */
#define IDLE_MS 30000.0
#define SPARE_MS 1000.0
#define SWEEP_MS 1000.0
/* The way to the peer did not take a connected socket: tried again after so long. */
#define AGAIN_MS 10000.0

bool is_connected(const struct io *io, const struct udp_side *socket)
{
    return socket != &io->udp[0] && socket != &io->udp[1];
}

static void close_one(struct io *io, struct connected *one)
{
    uint32_t which = (uint32_t)(one - io->connected);
    uint8_t *peer = entry(io->arena, REGION_PEERS, PEER_SIZE, one->peer);

    if (one->socket.fd < 0)
        return;
    if (peer != NULL && load32(peer + PEER_CONNECTED) == which + 1)
        store32(peer + PEER_CONNECTED, 0);
    io->ready &= ~(UINT64_C(1) << (SOCKETS + which));
    close(one->socket.fd);
    one->socket.fd = -1;
}

void connected_close(struct io *io, struct udp_side *socket)
{
    for (uint32_t i = 0; i < CONNECTED_MAX; i++)
        if (&io->connected[i].socket == socket)
            close_one(io, &io->connected[i]);
}

void connected_close_all(struct io *io)
{
    for (uint32_t i = 0; i < CONNECTED_MAX; i++)
        close_one(io, &io->connected[i]);
}

void connected_sweep(struct io *io, double now_ms)
{
    if (now_ms - io->swept_ms < SWEEP_MS)
        return;
    io->swept_ms = now_ms;
    for (uint32_t i = 0; i < CONNECTED_MAX; i++) {
        struct connected *one = &io->connected[i];
        const uint8_t *peer = entry(io->arena, REGION_PEERS, PEER_SIZE, one->peer);
        /* An even generation: the peer is gone. */
        if (one->socket.fd >= 0 && (peer == NULL || (load32(peer + PEER_GENERATION) & 1) == 0 ||
                                    now_ms - one->used_ms > IDLE_MS))
            close_one(io, one);
    }
}

/* A free place, or that of the peer that was quiet for longest; NULL when all are busy. */
static struct connected *take_place(struct io *io, double now_ms)
{
    struct connected *oldest = NULL;

    for (uint32_t i = 0; i < CONNECTED_MAX; i++) {
        struct connected *one = &io->connected[i];
        if (one->socket.fd < 0)
            return one;
        if (oldest == NULL || one->used_ms < oldest->used_ms)
            oldest = one;
    }
    if (now_ms - oldest->used_ms < SPARE_MS)
        return NULL;
    (void)io_send_flush(io);
    close_one(io, oldest);
    return oldest;
}

static struct udp_side *open_one(struct io *io, uint32_t index, uint8_t *peer,
                                 const struct way *way, double now_ms)
{
    const struct udp_side *like = &io->udp[way->to.any.sa_family == AF_INET6 ? 1 : 0];
    struct connected *one = take_place(io, now_ms);
    if (one == NULL)
        return NULL;
    uint32_t which = (uint32_t)(one - io->connected);
    int fd = udp_connected(like->fd, &way->local, &way->to);
    struct epoll_event event = { .events = EPOLLIN,
                                 .data = { .u32 = WATCH_UDP + SOCKETS + which } };
    if (fd >= 0 && epoll_ctl(io->epoll, EPOLL_CTL_ADD, fd, &event) < 0) {
        close(fd);
        fd = -1;
    }
    if (fd < 0) {
        store_f64(peer + PEER_BUSY_SINCE_MS, now_ms + AGAIN_MS);
        return NULL;
    }
    *one = (struct connected){ .socket = { .fd = fd, .gso = like->gso, .cutting = -1 },
                               .peer = index, .way = *way, .used_ms = now_ms };
    store32(peer + PEER_CONNECTED, which + 1);
    count(io->counters, COUNT_CONNECTED_SOCKETS, 1);
    return &one->socket;
}

/* Counts a run to the peer. True: it is busy. */
static bool is_busy(uint8_t *peer, double now_ms)
{
    double since;

    memcpy(&since, peer + PEER_BUSY_SINCE_MS, sizeof since);
    if (since > now_ms)
        return false;
    if (now_ms - since > BUSY_MS) {
        store_f64(peer + PEER_BUSY_SINCE_MS, now_ms);
        store32(peer + PEER_BUSY_RUNS, 0);
    }
    uint32_t runs = load32(peer + PEER_BUSY_RUNS) + 1;
    store32(peer + PEER_BUSY_RUNS, runs);
    return runs >= BUSY_RUNS;
}

static bool same_way(const struct way *a, const struct way *b)
{
    return memcmp(a->to.bytes, b->to.bytes, SOCKADDR_BYTES) == 0 &&
           memcmp(a->local.bytes, b->local.bytes, SOCKADDR_BYTES) == 0;
}

struct udp_side *connected_socket(struct io *io, const uint8_t *job, const struct way *way)
{
    uint32_t index = load32(job + JOB_PEER);
    uint8_t *peer = entry(io->arena, REGION_PEERS, PEER_SIZE, index);
    const uint8_t *session =
        entry(io->arena, REGION_SESSIONS, SESSION_SIZE, load32(job + JOB_SESSION));
    const uint8_t *engine = entry(io->arena, REGION_ENGINE, ENGINE_SIZE, 0);
    double now;

    if (peer == NULL || session == NULL || engine == NULL ||
        load32(engine + ENGINE_CONNECTS) == 0 ||
        load32(session + SESSION_OWNER) != io->thread)
        return NULL;
    memcpy(&now, io->shared + IO_NOW_MS, sizeof now);
    uint32_t which = load32(peer + PEER_CONNECTED) - 1;
    if (which < CONNECTED_MAX && io->connected[which].peer == index &&
        io->connected[which].socket.fd >= 0) {
        struct connected *one = &io->connected[which];
        if (same_way(&one->way, way)) {
            one->used_ms = now;
            return &one->socket;
        }
        (void)io_send_flush(io);
        close_one(io, one);
    }
    if (way->local.any.sa_family == AF_UNSPEC || !is_busy(peer, now))
        return NULL;
    return open_one(io, index, peer, way, now);
}
