/*
 * io.h — the packet path of one I/O thread.
 *
 *   outbound:  io_tun_read -> (choose) -> io_prepare -> (seal) -> io_send_add -> io_send_flush
 *   inbound:   io_receive  -> (choose) -> (open) -> io_accept -> io_tun_write
 *
 * What stands in brackets is TypeScript's or a worker's. io_tun_read and io_receive look up what is
 * to be known of a run (io_find.c); TypeScript chooses by it. Between the calls a run lives in a
 * job of the arena (layout.gen.h). Nothing here allocates after io_open.
 */
#ifndef P2PVPN_IO_H
#define P2PVPN_IO_H

#include <stdbool.h>
#include <stdint.h>

#include "arena.h"

struct io;
struct aead;

struct io_options {
    uint32_t thread;
    int tun, udp4, udp6, wake;
    bool vnet, gso, tso, uso;
    uint32_t busy_bytes; /* moved in 100 ms, from which on a peer gets a socket; 0: never */
};

/* 0 or -errno. */
int io_open(const struct arena *arena, const struct io_options *options, struct io **out);
void io_close(struct io *io);

/* Waits for any of the descriptors; READY_ bits or -errno. Writes loops, nowMs, sleptMs. */
int io_poll(struct io *io, int timeout_ms);

/*
 * The same, for the wake-up eventfd alone: while there is no room for what the others hold, they
 * stay ready, and io_poll would return at once.
 */
int io_poll_wake(struct io *io, int timeout_ms);

/*
 * The sockets behind the descriptors were replaced, or given another mark: watches them, and closes
 * those of busy peers. 0 or -errno.
 */
int io_rebind(struct io *io);

/* io_connected.c: closes sockets of peers that are idle or gone; a few times a second. */
void io_tend(struct io *io);

/* The peer is gone or silent: it needs no socket of its own. */
void io_disconnect(struct io *io, uint32_t peer);

/* Handshake messages that the kernel merged behind data go to this socket; see io_pass.c. */
void io_pass_to(struct io *io, int fd);

/* Control frames go to control, whose eventfd this is; without one they are dropped. */
void io_ring_to(struct io *io, int fd);
/*
 * io_find.c: looks an outbound run up again, as io_tun_read did, or of a job that names its peer
 * the session alone. FOUND_ bits; none of a job that cannot be.
 */
int io_find(struct io *io, uint32_t job);
int io_find_session(struct io *io, uint32_t job);

/* Outbound. `job` is an index of the jobs region. */
int io_tun_read(struct io *io, uint32_t job);
int io_too_big(struct io *io, uint32_t job);
int io_clamp_mss(struct io *io, uint32_t job);
uint32_t largest_packet(uint32_t path, uint32_t tunnel);
int io_prepare(const struct arena *arena, uint32_t job, double now_ms);
int io_send_add(struct io *io, uint32_t job);
int io_send_flush(struct io *io);

/*
 * io_lone.c: what is ready, when it is one packet. `job` and those after it bring `offered` slots.
 * The READY_ bits that are left; behind them io_tun_read's or io_receive's result when the job
 * holds what is not plain, and its caller is to go on with. Without slots, or after a wake-up,
 * all is left.
 */
int io_lone(struct io *io, struct aead *aead, uint32_t job, uint32_t offered, int ready);
/* io_poll and io_lone in turn, until something is left, nothing came, or for LONE_TURNS. */
int io_wait(struct io *io, struct aead *aead, uint32_t job, uint32_t offered, int timeout_ms);

/* Inbound. */
int io_receive(struct io *io, uint32_t job, uint32_t count);
int io_accept(struct io *io, uint32_t job);
int io_tun_write(struct io *io, uint32_t job);

#endif
