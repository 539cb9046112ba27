/* io_state.h — what the io_*.c files share: one I/O thread's descriptors and buffers. */
#ifndef P2PVPN_IO_STATE_H
#define P2PVPN_IO_STATE_H

#include <sys/socket.h>
#include <sys/uio.h>

#include "aead.h"
#include "io.h"
#include "job.h"
#include "merge.h"
#include "split.h"
#include "tun.h"
#include "udp.h"

/* Messages of one recvmmsg: enough for small datagrams, few enough to stay in the cache. */
#define RECEIVE_MESSAGES 16u
/* Messages of one sendmmsg; each is one job, or one segment where the kernel cannot segment. */
#define SEND_MESSAGES 64u
/* A way that refused UDP_SEGMENT is tried again after this long. */
#define UNSEGMENTED_MS 10000.0
/* Control hears of another address of one peer this often in the long run, and so often at once. */
#define ROAMED_EVERY_MS 20.0
#define ROAMED_BURST 8.0
#define TUN_READ_BYTES (65535u + TUN_VNET_BYTES)
/* The port's common sockets, which are sides 0 and 1; busy peers' own sockets are those above. */
#define SOCKETS 2u
#define SIDES 64u
#define CONNECTED_MAX (SIDES - SOCKETS)

struct udp_side {
    int fd; /* what is sent goes out by it */
    bool gso;
    int cutting; /* enum udp_cutting of the socket; -1: not known */
};

/* The socket of a busy peer; io_connected.c. */
struct connection {
    int fd; /* -1: none; not the side's when the peer has left it and its queue is not yet read */
    uint32_t peer, generation;
    union address to, name; /* both ends */
    bool check;             /* the next message shall ask whether the host still has `name` */
    double busy_ms;         /* when it was last busy */
    uint64_t rate;          /* what it moved in that window */
    double used_ms;         /* when `bytes` was last seen to grow */
    uint64_t bytes;
};

/* How much a peer moves; io_connected.c. */
struct traffic {
    double since_ms; /* start of the window */
    double retry_ms; /* no socket is made for it before */
    uint64_t bytes;  /* at the start */
    uint64_t rate;   /* in the window before, which may have been long */
    uint32_t side;   /* of its own socket; 0: none */
    uint32_t generation; /* of the peer's entry: another peer's bytes begin anew */
};

/* Where a datagram goes, and the address that it comes from; family 0: the kernel chooses. */
struct way {
    union address to, local;
};

/* What must be known of a queued message for when the kernel does not take it as it is. */
struct outgoing {
    uint8_t *peer;
    uint32_t segment_bytes;
    uint32_t control_bytes; /* segment size and ECN bits: the beginning of its control messages */
    uint32_t local_bytes;   /* the local address behind them; 0: none */
};

/* A copy of a run whose packets are longer than the way to the peer takes; see io_too_big.c. */
struct cut {
    uint64_t kept; /* segments that go on in fragments; 0: none */
    uint32_t mtu;
    size_t done;   /* payload bytes of the first of them that are gone already */
    struct segments segments;
    uint8_t bytes[SLOT_BYTES];
};

struct io {
    const struct arena *arena;
    uint32_t thread;
    int epoll, tun, wake;
    bool vnet;
    struct udp_side udp[SIDES]; /* IPv4, IPv6, busy peers */
    uint64_t ready;             /* sides that may have something; a bit each */
    uint32_t turn;              /* side that is asked first */
    bool passes;                /* pass_fd is control's */
    int pass_fd;
    bool rings;                 /* bell is control's */
    int bell;
    uint32_t busy_bytes; /* in a window, from which on a peer gets a socket; 0: never */
    uint64_t connected;  /* sides that are a peer's own */
    uint64_t left;       /* sides whose peer has left, until their queue is read */
    struct connection connections[CONNECTED_MAX];
    struct traffic *traffic; /* by peer */
    uint32_t peers;
    uint32_t hops[2]; /* with which what we send begins, IPv4 and IPv6; 0: not known */
    struct merge_options merge;
    uint8_t *counters;
    uint8_t *shared; /* this thread's entry of the ios region */

    struct splitter split;
    uint8_t read_buffer[TUN_READ_BYTES];
    struct cut cut;

    struct mmsghdr in[RECEIVE_MESSAGES];
    struct iovec in_iov[RECEIVE_MESSAGES];
    struct udp_arrival in_arrival[RECEIVE_MESSAGES];
    uint32_t in_side[RECEIVE_MESSAGES];
    _Alignas(struct cmsghdr) uint8_t in_control[RECEIVE_MESSAGES][UDP_CONTROL_BYTES];

    uint64_t waiting; /* sides with something queued */
    uint32_t queued[SIDES];
    struct mmsghdr out[SIDES][SEND_MESSAGES];
    struct iovec out_iov[SIDES][SEND_MESSAGES];
    union address out_to[SIDES][SEND_MESSAGES];
    struct outgoing out_about[SIDES][SEND_MESSAGES];
    _Alignas(struct cmsghdr) uint8_t out_control[SIDES][SEND_MESSAGES][UDP_CONTROL_BYTES];
    struct merged merged;
};

/*
 * io_pass.c: is the datagram transport data? What is none is counted as dropped, or handed on to
 * control when it is a handshake message.
 */
bool is_data(struct io *io, const uint8_t *datagram, size_t bytes,
             const struct udp_arrival *arrival);

/*
 * io_own.c: is a packet from the device a datagram of this engine? Of a super-packet, all of it.
 * `engine`: the engine's entry; the packet was checked by split_begin().
 */
bool io_is_own(const struct io *io, const uint8_t *engine, const uint8_t *packet, size_t bytes);

/* io_own.c: did a message come through the tunnel itself? */
bool io_came_inside(const struct io *io, const struct udp_arrival *arrival);

/* io_find.c: what is known of a run, into its job. */
void io_find_outbound(const struct io *io, uint8_t *job);
void io_find_inbound(const struct io *io, uint8_t *job);

/* io_deliver.c: did the job's run come on the way that the peer's entry names? */
bool came_as_named(const uint8_t *job, const uint8_t *peer);

/* io_too_big.c: the largest packet for a peer: the tunnel's MTU, or what the way there takes. */
uint32_t io_peer_mtu(const struct io *io, uint32_t peer);

/* The next fragments of what io_too_big() kept, as a run in `slot`. False: there are none. */
bool io_cut_next(struct io *io, uint8_t *slot, struct run *run);

/* io_pass.c: hands an authentic control frame on to control; `room`: bytes with its padding. */
void pass_frame(struct io *io, const uint8_t *job, const uint8_t *plaintext, size_t room);

/* Boot clock of the turn, in milliseconds. */
static inline double turn_ms(const struct io *io)
{
    return load_f64(io->shared + IO_NOW_MS);
}

/*
 * A bucket told by when it will be empty again: one each `every_ms`, `burst` at once. False: it is
 * full.
 */
static inline bool bucket_take(uint8_t *due_ms, double now_ms, double every_ms, double burst)
{
    double due = load_f64(due_ms);

    if (due < now_ms)
        due = now_ms;
    if (due - now_ms > (burst - 1) * every_ms)
        return false;
    store_f64(due_ms, due + every_ms);
    return true;
}

static inline uint64_t side_bit(size_t side)
{
    return UINT64_C(1) << side;
}

/* io.c: has epoll watch a socket. 0 or -errno. */
int io_watch_side(struct io *io, int fd, size_t side);

/* io_way.c: the peer's endpoint and our address, as control wrote them. False: none. */
bool read_way(const uint8_t *peer, struct way *out);

/*
 * The peer was heard from there, at this address of ours: answers go there until control, which is
 * to be told, has written where it is. By the I/O thread that owns the peer's sessions.
 */
void write_heard(uint8_t *peer, const uint8_t *from, const uint8_t *local);

/* io_way.c: one sockaddr's address, port and scope; padding and flow labels make no other one. */
bool same_endpoint(const uint8_t *a, const uint8_t *b);

/* io_outbound.c: the queued messages of a connected side name where they go. */
void name_queued(struct io *io, size_t side);

/* io_connected.c: prepares for peers that move `busy_bytes` in a window; 0: none. 0 or -errno. */
int io_connect_busy(struct io *io, uint32_t busy_bytes);

/* The side by which a sealed job leaves; `common` is that of its family. */
size_t io_side_of(struct io *io, const uint8_t *job, const struct way *way, size_t common);

/* An authentic run came from its peer's endpoint. */
void io_note_received(struct io *io, uint32_t peer);

/*
 * Message `at` of a side met an error. `tried` is the message that did so last. True: send it
 * again, perhaps by the common socket.
 */
bool io_send_again(struct io *io, size_t side, uint32_t at, int error, uint32_t *tried);

/* The descriptor to receive from. */
int io_receive_fd(const struct io *io, size_t side);

/* Nothing is sent by the peer's socket any more; it is closed when its queue has been read. */
void io_leave(struct io *io, size_t side);

/* Its queue is empty: closes it. */
void io_left(struct io *io, size_t side);

/* Closes all busy peers' sockets at once. */
void io_leave_all(struct io *io);

#endif
