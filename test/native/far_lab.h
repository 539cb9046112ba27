/* far_lab.h — the peer of io_lab.h's struct io: a plain UDP socket that sees how data comes. */
#ifndef P2PVPN_FAR_LAB_H
#define P2PVPN_FAR_LAB_H

#include "io_lab.h"

#include <fcntl.h>

/* The peer's end, and what came last. */
struct far {
    int fd;
    union address self;
    struct udp_arrival last;
    uint8_t bytes[70000];
};

static inline union address make_address(const char *text, uint16_t port)
{
    union address out;
    memset(&out, 0, sizeof out);
    if (inet_pton(AF_INET, text, &out.v4.sin_addr) == 1) {
        out.v4.sin_family = AF_INET;
        out.v4.sin_port = htons(port);
        return out;
    }
    CHECK(inet_pton(AF_INET6, text, &out.v6.sin6_addr) == 1);
    out.v6.sin6_family = AF_INET6;
    out.v6.sin6_port = htons(port);
    return out;
}

static inline bool same_host(const union address *a, const char *text)
{
    union address b = make_address(text, 0);
    if (a->any.sa_family != b.any.sa_family)
        return false;
    return a->any.sa_family == AF_INET ? a->v4.sin_addr.s_addr == b.v4.sin_addr.s_addr
                                       : memcmp(&a->v6.sin6_addr, &b.v6.sin6_addr, 16) == 0;
}

static inline void open_far(struct far *far, const char *host)
{
    struct udp_options options = { .address = host, .device = "" };
    options.family = make_address(host, 0).any.sa_family;
    far->fd = udp_open(&options);
    CHECK(far->fd >= 0);
    far->self = make_address(host, (uint16_t)udp_port(far->fd));
}

/* Bytes of the next datagram; who sent it and how is in `last`. 0: none within a second. */
static inline size_t hear(struct far *far)
{
    _Alignas(struct cmsghdr) uint8_t control[UDP_CONTROL_BYTES];
    struct iovec iov = { far->bytes, sizeof far->bytes };
    struct msghdr message = { .msg_name = &far->last.from, .msg_namelen = sizeof far->last.from,
                              .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control,
                              .msg_controllen = sizeof control };
    struct pollfd wait = { .fd = far->fd, .events = POLLIN };
    if (poll(&wait, 1, 1000) != 1)
        return 0;
    ssize_t got = recvmsg(far->fd, &message, 0);
    CHECK(got > 0);
    udp_arrived(&message, (size_t)got, &far->last);
    return (size_t)got;
}

/* Sends `bytes` of transport data with outer ECN bits to one of our addresses. */
static inline void say(const struct far *far, const char *to, uint16_t port, uint32_t ecn,
                       const uint8_t *datagram, size_t bytes)
{
    union address address = make_address(to, port);
    int value = (int)ecn;
    bool v4 = address.any.sa_family == AF_INET;
    CHECK_EQUAL(setsockopt(far->fd, v4 ? IPPROTO_IP : IPPROTO_IPV6, v4 ? IP_TOS : IPV6_TCLASS,
                           &value, sizeof value), 0);
    CHECK_EQUAL(sendto(far->fd, datagram, bytes, 0, &address.any, address_length(&address)),
                (ssize_t)bytes);
}

static inline void make_keepalive(uint8_t datagram[32], uint64_t counter)
{
    memset(datagram, 0, 32);
    store32(datagram, 4);
    store32(datagram + 4, INDEX);
    store64(datagram + 8, counter);
}

/* One authentic keepalive to `to`: what io_accept says of it. */
static inline int accept_keepalive(struct lab *lab, const struct far *far, const char *to,
                                   uint16_t port)
{
    uint8_t datagram[32];
    make_keepalive(datagram, load64(session_at(lab, 1) + SESSION_LAST_COUNTER) + 1);
    say(far, to, port, 0, datagram, sizeof datagram);
    CHECK_EQUAL(receive_runs(lab), 1);
    return io_accept(lab->io, 0);
}

/* Control's part: where the peer is, and where it is answered from. */
static inline void set_way(struct lab *lab, const union address *to, const char *local)
{
    union address from = make_address(local, 0);
    memcpy(peer_at(lab) + PEER_ENDPOINT, to->bytes, SOCKADDR_BYTES);
    memcpy(peer_at(lab) + PEER_LOCAL, from.bytes, SOCKADDR_BYTES);
    store32(peer_at(lab) + PEER_ENDPOINT_LOCK, load32(peer_at(lab) + PEER_ENDPOINT_LOCK) + 2);
}

/* The next packets leave; each must reach the far end from `host`. */
static inline void check_source(struct lab *lab, struct far *far, const char *host)
{
    int sent;
    send_inner(lab, 3000, 1000);
    read_run(lab, 3);
    prepare_and_send(lab, &sent);
    CHECK_EQUAL(sent, 3);
    for (int i = 0; i < 3; i++) {
        CHECK(hear(far) > 1000);
        CHECK(same_host(&far->last.from, host));
    }
}

/* Puts a socket of another family or address in the place of the lab's; returns its port. */
static inline uint16_t replace_socket(struct lab *lab, int old_fd, int family, uint16_t port)
{
    struct udp_options options = { .family = family, .address = "", .device = "", .port = port };
    int fd = udp_open(&options);
    CHECK(fd >= 0);
    CHECK_EQUAL(udp_gro(fd, true), 0);
    CHECK_EQUAL(udp_replace(fd, old_fd), 0);
    CHECK_EQUAL(fcntl(fd, F_GETFD), -1);
    CHECK(fcntl(old_fd, F_GETFD) & FD_CLOEXEC);
    CHECK_EQUAL(io_rebind(lab->io), 0);
    return (uint16_t)udp_port(old_fd);
}

static inline void say_data(const struct far *far, const char *to, uint16_t port, uint32_t index)
{
    uint8_t datagram[64] = { 4 };
    store32(datagram + 4, index);
    say(far, to, port, 0, datagram, sizeof datagram);
}

#endif
