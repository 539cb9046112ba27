/* udp.h — UDP sockets and their options; udp(7), ip(7), ipv6(7), socket(7). */
#ifndef P2PVPN_UDP_H
#define P2PVPN_UDP_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Room for struct sockaddr_in or sockaddr_in6 in shared memory and in datagram metadata. */
#define SOCKADDR_BYTES 28u
#define DATAGRAM_BYTES 2048u
#define DATAGRAM_META_BYTES 64u
#define DATAGRAMS_MAX 32u

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

/*
 * A bound, non-blocking socket: SO_REUSEPORT, IPV6_V6ONLY, large buffers, packet info, and path-MTU
 * discovery that ignores what ICMP claims (IP_PMTUDISC_PROBE). A file descriptor or -errno.
 */
int udp_open(const struct udp_options *options);

/* Binds once without SO_REUSEPORT and closes: -EADDRINUSE when somebody else has the port. */
int udp_taken(const struct udp_options *options);

/* The port that it is bound to, or -errno. */
int udp_port(int fd);

/* Bits: 1 UDP_SEGMENT can be sent, 2 UDP_GRO can be received. */
int udp_probe(int fd);
int udp_gro(int fd, bool on);
int udp_connect(int fd, const union address *address);

/* The address and interface that a datagram was sent to, for an answer from the same one. */
struct msghdr;
void udp_local(struct msghdr *message, union address *local);

/* Size of the datagrams in a message that the kernel merged, or all of its `bytes`. */
size_t udp_stride(struct msghdr *message, size_t bytes);

/* Attaches classic BPF, 8 bytes an instruction: to the socket, or to its reuseport group. */
int udp_filter(int fd, bool group, const uint8_t *program, size_t bytes);

/*
 * Receives up to DATAGRAMS_MAX datagrams: datagram i at i * DATAGRAM_BYTES; meta as addon.ts says.
 * A longer datagram is cut; its length in meta is then DATAGRAM_BYTES + 1. Count, or -errno.
 */
int datagram_receive(int fd, uint8_t *datagrams, uint8_t *meta, size_t room);

/* Sends one datagram, from `local` where its family is set. 0 or -errno. */
int datagram_send(int fd, const uint8_t *datagram, size_t bytes, const union address *to,
                  const union address *local);

#endif
