/* io.c — opening, closing and waiting; see io.h. Source: epoll(7), eventfd(2). */
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "io_state.h"

#define WATCH_WAKE 0u
#define WATCH_TUN 1u
#define WATCH_UDP 2u /* side 0, and so on */
#define EVENTS_MAX 16

static int watch(struct io *io, int fd, uint32_t which)
{
    struct epoll_event event = { .events = EPOLLIN, .data = { .u32 = which } };
    if (fd < 0)
        return 0;
    return epoll_ctl(io->epoll, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0;
}

int io_watch_side(struct io *io, int fd, size_t side)
{
    return watch(io, fd, WATCH_UDP + (uint32_t)side);
}

/* Read once: sockets keep it. */
static void read_hops(struct io *io)
{
    for (size_t side = 0; side < SOCKETS; side++) {
        int hops = io->udp[side].fd < 0 ? 0 : udp_hops(io->udp[side].fd, side == 1);
        io->hops[side] = hops < 0 ? 0 : (uint32_t)hops;
    }
}

int io_rebind(struct io *io)
{
    int result = 0;

    read_hops(io);
    io_leave_all(io);
    for (uint32_t side = 0; side < SOCKETS && result == 0; side++) {
        int fd = io->udp[side].fd;
        /* Mostly the old socket left the set when it was closed; epoll(7). */
        if (fd >= 0 && epoll_ctl(io->epoll, EPOLL_CTL_DEL, fd, NULL) < 0 && errno != ENOENT)
            return -errno;
        io->ready &= ~side_bit(side);
        io->udp[side].cutting = -1;
        result = watch(io, fd, WATCH_UDP + side);
    }
    return result;
}

static int set_up(struct io *io, const struct io_options *options)
{
    io->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (io->epoll < 0)
        return -errno;
    int result = watch(io, options->wake, WATCH_WAKE);
    if (result == 0)
        result = watch(io, options->tun, WATCH_TUN);
    if (result == 0)
        result = watch(io, options->udp4, WATCH_UDP);
    if (result == 0)
        result = watch(io, options->udp6, WATCH_UDP + 1);
    return result;
}

int io_open(const struct arena *arena, const struct io_options *options, struct io **out)
{
    struct io *io = calloc(1, sizeof *io);
    if (io == NULL)
        return -ENOMEM;
    io->arena = arena;
    io->thread = options->thread;
    io->epoll = -1;
    io->tun = options->tun;
    io->wake = options->wake;
    io->vnet = options->vnet;
    io->udp[0] = (struct udp_side){ .fd = options->udp4, .gso = options->gso,
                                    .cutting = -1 };
    io->udp[1] = (struct udp_side){ .fd = options->udp6, .gso = options->gso, .cutting = -1 };
    io->merge = (struct merge_options){ .tcp = options->tso, .udp = options->uso,
                                        .vnet = options->vnet };
    io->merge.locals = entry(arena, REGION_LOCALS, LOCAL_SIZE, 0);
    io->counters = entry(arena, REGION_COUNTERS, 8u * COUNTERS_PER_THREAD, options->thread);
    io->shared = entry(arena, REGION_IOS, IO_SIZE, options->thread);
    read_hops(io);
    int result = io->merge.locals == NULL || io->counters == NULL || io->shared == NULL
                     ? -EINVAL
                     : set_up(io, options);
    if (result == 0)
        result = io_connect_busy(io, options->busy_bytes);
    if (result < 0) {
        io_close(io);
        return result;
    }
    *out = io;
    return 0;
}

/* The descriptors belong to the main thread, which gives them to a replacement. */
void io_close(struct io *io)
{
    if (io == NULL)
        return;
    if (io->traffic != NULL)
        io_leave_all(io);
    free(io->traffic);
    if (io->epoll >= 0)
        close(io->epoll);
    explicit_bzero(io->read_buffer, sizeof io->read_buffer);
    explicit_bzero(&io->cut, sizeof io->cut);
    free(io);
}

static double boot_ms(void)
{
    struct timespec now;
    if (clock_gettime(CLOCK_BOOTTIME, &now) != 0)
        return 0;
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

/* What a wait gave: events or, in `got`, -1 and the error. */
struct wait {
    struct epoll_event events[EVENTS_MAX];
    int got;
    int error;
};

static void wait_for(struct io *io, bool wake_only, int timeout_ms, struct wait *wait)
{
    uint32_t *loops = (uint32_t *)(void *)(io->shared + IO_LOOPS);
    uint32_t turn = __atomic_load_n(loops, __ATOMIC_RELAXED);
    struct pollfd bell = { .fd = io->wake, .events = POLLIN };
    double before = boot_ms();

    /* Odd in a turn, even in a wait: memory/epochs.ts reads it. */
    __atomic_store_n(loops, (turn + 1) & ~1u, __ATOMIC_SEQ_CST);
    wait->got = wake_only ? poll(&bell, 1, timeout_ms)
                          : epoll_wait(io->epoll, wait->events, EVENTS_MAX, timeout_ms);
    wait->error = errno;
    __atomic_store_n(loops, ((turn + 1) & ~1u) | 1u, __ATOMIC_SEQ_CST);
    double now = boot_ms();
    count(io->counters, COUNT_LOOPS, 1);
    store_f64(io->shared + IO_SLEPT_MS, load_f64(io->shared + IO_SLEPT_MS) + now - before);
    store_f64(io->shared + IO_NOW_MS, now);
}

static int clear_wake(struct io *io)
{
    eventfd_t rings;
    return eventfd_read(io->wake, &rings) == 0 || errno == EAGAIN ? READY_WAKE : 0;
}

int io_poll_wake(struct io *io, int timeout_ms)
{
    struct wait wait;

    wait_for(io, true, timeout_ms, &wait);
    if (wait.got < 0)
        return wait.error == EINTR ? 0 : -wait.error;
    return wait.got > 0 ? clear_wake(io) : 0;
}

int io_poll(struct io *io, int timeout_ms)
{
    /* A packet that was read and not yet split or cut shows on the descriptor no more. */
    bool pending = io->split.pending || io->cut.kept != 0;
    int ready = pending ? READY_TUN : 0;
    struct wait wait;

    /* A socket whose peer has left is to be read to its end, also when there is nothing in it. */
    if (io->left != 0)
        ready |= READY_UDP;
    wait_for(io, false, ready != 0 ? 0 : timeout_ms, &wait);
    if (wait.got < 0)
        return wait.error == EINTR ? 0 : -wait.error;
    for (int i = 0; i < wait.got; i++) {
        uint32_t which = wait.events[i].data.u32;
        if (which == WATCH_WAKE) {
            ready |= clear_wake(io);
        } else if (which == WATCH_TUN) {
            ready |= wait.events[i].events & (EPOLLERR | EPOLLHUP) ? READY_TUN_GONE : READY_TUN;
        } else if (which - WATCH_UDP < SIDES) {
            io->ready |= side_bit(which - WATCH_UDP);
            ready |= READY_UDP;
        }
    }
    return ready;
}
