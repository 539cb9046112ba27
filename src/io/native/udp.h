/* udp.h — UDP sockets and their options; udp(7), ip(7), ipv6(7), socket(7). */
#ifndef P2PVPN_UDP_H
#define P2PVPN_UDP_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "layout.gen.h"

/* Room for struct sockaddr_in or sockaddr_in6 in shared memory and in datagram metadata. */
union address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
    uint8_t bytes[SOCKADDR_BYTES];
};

/* Length of the sockaddr by its family; 0 for none. */
socklen_t address_length(const union address *address);

struct udp_options {
    int family;          /* AF_INET or AF_INET6 */
    const char *address; /* text, or "" for the wildcard */
    uint16_t port;       /* 0: the kernel chooses */
    uint32_t mark;       /* firewall mark, 0: none */
    const char *device;  /* bind to it, or "" */
};

/* What may happen to a datagram that a link does not take whole; ip(7), ipv6(7). */
enum udp_cutting {
    UDP_WHOLE,       /* DF; larger than our own link: EMSGSIZE (IP_PMTUDISC_PROBE) */
    UDP_CUT,         /* by our link and, with IPv4, by any other (IP_PMTUDISC_OMIT) */
    UDP_CUT_AS_TOLD, /* the same, and as small as ICMP asks (IP_PMTUDISC_DONT) */
};

/* What a socket sends from now on. All but UDP_CUT_AS_TOLD ignore what ICMP says. 0 or -errno. */
int udp_cutting(int fd, bool v6, enum udp_cutting cutting);

/*
 * A bound, non-blocking socket: SO_REUSEPORT, IPV6_V6ONLY, large buffers, local address and ECN
 * bits of what arrives; what it sends may be cut, with IPv6 as ICMP asks. A file descriptor or
 * -errno.
 */
int udp_open(const struct udp_options *options);

/* Binds once without SO_REUSEPORT and closes: -EADDRINUSE when somebody else has the port. */
int udp_taken(const struct udp_options *options);

/* The port that it is bound to, or -errno. */
int udp_port(int fd);

/*
 * Puts `new_fd` in the place of `old_fd`, for all threads that use that number, and closes `new_fd`
 * even when that fails. What watched the old socket has to watch again. 0 or -errno.
 */
int udp_replace(int new_fd, int old_fd);

/* Puts a socket in the place of `fd` that has no port, hears nothing and sends nothing. */
int udp_hush(int fd);

/* Firewall mark of what is sent, 0: none. */
int udp_mark(int fd, uint32_t mark);

/* Bits: 1 UDP_SEGMENT can be sent, 2 UDP_GRO can be received; it is on then, on this socket. */
int udp_probe(int fd);
int udp_gro(int fd, bool on);

/*
 * udp_own.c: the hop limit of what a socket sends, or -errno; and has it stay what that of `like`
 * is now, whatever way a datagram takes and whatever the system says later. 0 or -errno.
 */
int udp_hops(int fd, bool v6);
int udp_fix_hops(int fd, int like, bool v6);

int udp_connect(int fd, const union address *address);

/*
 * udp_connected.c: a socket that takes what `to` sends to the port of `like`, with the same
 * options, from `local` where its family is set. `name` gets its own address. Nobody else's
 * datagram comes to it at any time, if the group has its program. A file descriptor, or -errno:
 * the port's common sockets go on then.
 */
int udp_connected(int like, const union address *to, const union address *local,
                  union address *name);

/* Takes a connected socket from its peer: what is in its queue stays, nothing comes any more. */
int udp_forsake(int fd);

/* The same IP address; of link-local ones on the same interface. */
bool udp_same_host(const union address *a, const union address *b);

/* Where a received message came from and went to; `stride` is the size of its datagrams. */
struct udp_arrival {
    union address from;  /* the caller has the kernel write it (msg_name) */
    union address local; /* no port; the interface is in sin_zero or sin6_scope_id */
    size_t stride;       /* all of the bytes, unless the kernel merged datagrams */
    uint32_t ecn;        /* ECN bits of the outer header */
};

/* The interface at which a message arrived that has this local address; 0: not known. */
uint32_t udp_interface(const union address *local);

/* Room for the control messages of one datagram, in either direction and family. */
#define UDP_CONTROL_BYTES 96u

/* Reads all but `from` out of a message of `bytes` that was received. */
struct msghdr;
void udp_arrived(struct msghdr *message, size_t bytes, struct udp_arrival *out);

/*
 * Control messages of a datagram to send, written at `at`, which has room for all three; each
 * returns the bytes that it took. The local address comes last, so that it can be left out.
 */
size_t udp_put_segment(uint8_t *at, uint16_t bytes);
size_t udp_put_ecn(uint8_t *at, int family, uint32_t ecn);
size_t udp_put_local(uint8_t *at, const union address *local);

/* True for what the kernel says of a local address that the host does not have (any more). */
bool udp_local_refused(int error);

/* Attaches classic BPF, 8 bytes an instruction: to the socket, or to its reuseport group. */
int udp_filter(int fd, bool group, const uint8_t *program, size_t bytes);

/*
 * Receives up to DATAGRAM_MOST datagrams: datagram i at i * DATAGRAM_BYTES; meta as addon.ts says.
 * A longer datagram is cut; its length in meta is then DATAGRAM_BYTES + 1. Count, or -errno.
 */
int datagram_receive(int fd, uint8_t *datagrams, uint8_t *meta, size_t room);

/* Sends one datagram, from `local` where its family is set and the host has it. 0 or -errno. */
int datagram_send(int fd, const uint8_t *datagram, size_t bytes, const union address *to,
                  const union address *local);

#endif
