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
/* Control hears of another address of one peer at most this often. */
#define ROAMED_EVERY_MS 20.0
#define TUN_READ_BYTES (65535u + TUN_VNET_BYTES)
#define SOCKETS 2u

struct udp_side {
    int fd;
    bool ready;
    bool gso;
    int cutting; /* enum udp_cutting of the socket; -1: not known */
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
    struct udp_side udp[SOCKETS]; /* IPv4, IPv6 */
    bool turn;                    /* which of them is asked first */
    bool passes;                  /* pass_fd is control's */
    int pass_fd;
    struct merge_options merge;
    uint8_t *counters;
    uint8_t *shared; /* this thread's entry of the ios region */

    struct splitter split;
    uint8_t read_buffer[TUN_READ_BYTES];
    struct cut cut;

    struct mmsghdr in[RECEIVE_MESSAGES];
    struct iovec in_iov[RECEIVE_MESSAGES];
    struct udp_arrival in_arrival[RECEIVE_MESSAGES];
    _Alignas(struct cmsghdr) uint8_t in_control[RECEIVE_MESSAGES][UDP_CONTROL_BYTES];

    uint32_t queued[SOCKETS];
    struct mmsghdr out[SOCKETS][SEND_MESSAGES];
    struct iovec out_iov[SOCKETS][SEND_MESSAGES];
    union address out_to[SOCKETS][SEND_MESSAGES];
    struct outgoing out_about[SOCKETS][SEND_MESSAGES];
    _Alignas(struct cmsghdr) uint8_t out_control[SOCKETS][SEND_MESSAGES][UDP_CONTROL_BYTES];
    struct merged merged;
};

/*
 * io_pass.c: is the datagram transport data? What is none is counted as dropped, or handed on to
 * control when it is a handshake message.
 */
bool is_data(struct io *io, const uint8_t *datagram, size_t bytes,
             const struct udp_arrival *arrival);

/* io_deliver.c: did the job's run come on the way that the peer's entry names? */
bool came_as_named(const uint8_t *job, const uint8_t *peer);

/* io_too_big.c: the largest packet for a peer: the tunnel's MTU, or what the way there takes. */
uint32_t io_peer_mtu(const struct io *io, uint32_t peer);

/* The next fragments of what io_too_big() kept, as a run in `slot`. False: there are none. */
bool io_cut_next(struct io *io, uint8_t *slot, struct run *run);

/* io_pass.c: hands an authentic control frame on to control; `bytes` of plaintext, padding too. */
void pass_frame(struct io *io, const uint8_t *job, const uint8_t *frame, size_t bytes);

#endif
