/*
 * io.h — the packet path of one I/O thread.
 *
 *   outbound:  io_tun_read -> (route) -> io_prepare -> (seal) -> io_send_add -> io_send_flush
 *   inbound:   io_receive  -> (session) -> (open) -> io_accept -> (route) -> io_tun_write
 *
 * What stands in brackets is TypeScript's or a worker's. Between the calls a run lives in a job of
 * the arena (layout.gen.h). Nothing here allocates after io_open.
 */
#ifndef P2PVPN_IO_H
#define P2PVPN_IO_H

#include <stdbool.h>
#include <stdint.h>

#include "arena.h"

#define READY_WAKE 1
#define READY_TUN 2
#define READY_UDP 4
#define READY_TUN_GONE 8

/* io_tun_read's result: segments in the low byte, then this bit when the device is empty. */
#define TUN_DRAINED 0x100
/* io_receive's result: runs in the low byte, then this bit: little came, and there may be more. */
#define RECEIVE_RUNS 0xff
#define RECEIVE_MORE 0x100
/* io_accept's result: sources in the low byte, then these. */
#define ACCEPT_SOURCES 0xff
#define ACCEPT_AUTHENTIC 0x100
#define ACCEPT_ROAMED 0x200

/* io_lone's result: READY_ bits, then these. */
#define LONE_READ_SHIFT 8
#define LONE_RUNS_SHIFT 20

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

/* Outbound. `job` is an index of the jobs region. */
int io_tun_read(struct io *io, uint32_t job);
int io_too_big(struct io *io, uint32_t job);
int io_clamp_mss(struct io *io, uint32_t job);
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
int io_tun_write(struct io *io, uint32_t job, uint64_t mask);

#endif
