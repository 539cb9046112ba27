/*
 * udp_connected.c — a socket for one peer beside the port's reuseport group; see udp.h.
 *
 *      bind to the group's address and port ── connect to the peer
 *
 * Between the two the socket is the group's last member, which the steering program never names.
 * Connecting fixes the local address, too: the route's, or the one that is asked for. That one is
 * not bound to, since a socket bound to one address goes before the group and takes everybody's
 * datagrams until it is connected. It is connected twice instead, first to where nobody can send
 * from and the kernel takes that address for: it stays.
 *
 * Source: Linux net/ipv4/datagram.c, __ip4_datagram_connect(); net/ipv6/addrconf.c,
 * ipv6_get_saddr_eval(), rule 1; net/core/sock_reuseport.c.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <netinet/udp.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "udp.h"

#ifndef UDP_GRO
#define UDP_GRO 104
#endif

/* Tuning: descriptors below the limit that are left to others: a new port, control's clients. */
#define DESCRIPTORS_LEFT 64u

static int name_of(int fd, union address *out)
{
    socklen_t length = sizeof *out;
    memset(out, 0, sizeof *out);
    return getsockname(fd, &out->any, &length) < 0 ? -errno : 0;
}

static in_port_t *port_of(union address *address)
{
    return address->any.sa_family == AF_INET ? &address->v4.sin_port : &address->v6.sin6_port;
}

bool udp_same_host(const union address *a, const union address *b)
{
    if (a->any.sa_family != b->any.sa_family)
        return false;
    if (a->any.sa_family == AF_INET)
        return a->v4.sin_addr.s_addr == b->v4.sin_addr.s_addr;
    return memcmp(&a->v6.sin6_addr, &b->v6.sin6_addr, sizeof a->v6.sin6_addr) == 0 &&
           (!IN6_IS_ADDR_LINKLOCAL(&a->v6.sin6_addr) ||
            a->v6.sin6_scope_id == b->v6.sin6_scope_id);
}

/* Another socket with the options of `fd`; it is the last of the group. */
static int open_like(int fd, const union address *name)
{
    char text[INET6_ADDRSTRLEN], device[IFNAMSIZ] = { 0 };
    int mark = 0, gro = 0;
    socklen_t mark_bytes = sizeof mark, gro_bytes = sizeof gro, device_bytes = sizeof device - 1;
    bool v6 = name->any.sa_family == AF_INET6;
    const void *host = v6 ? (const void *)&name->v6.sin6_addr : &name->v4.sin_addr;
    bool any = v6 ? IN6_IS_ADDR_UNSPECIFIED(&name->v6.sin6_addr) : name->v4.sin_addr.s_addr == 0;

    if (inet_ntop(name->any.sa_family, host, text, sizeof text) == NULL ||
        getsockopt(fd, SOL_SOCKET, SO_MARK, &mark, &mark_bytes) < 0 ||
        getsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, device, &device_bytes) < 0)
        return -errno;
    /* Not readable before 5.12, where it is off (facts 1.5). */
    (void)getsockopt(fd, IPPROTO_UDP, UDP_GRO, &gro, &gro_bytes);
    struct udp_options options = {
        .family = name->any.sa_family, .address = any ? "" : text, .device = device,
        .port = ntohs(v6 ? name->v6.sin6_port : name->v4.sin_port), .mark = (uint32_t)mark,
    };
    int opened = udp_open(&options);
    if (opened >= 0 && gro != 0)
        (void)udp_gro(opened, true);
    /* By it our own datagrams are known (io_own.c), and the system's may be another by now. */
    int result = opened < 0 ? opened : udp_fix_hops(opened, fd, v6);
    if (opened >= 0 && result < 0)
        close(opened);
    return result < 0 ? result : opened;
}

static int refuse(int fd, int error)
{
    close(fd);
    return error;
}

/* The lowest free number is given out, so it tells how many are in use; open(2). */
static bool leaves_room(int fd)
{
    struct rlimit limit;
    return getrlimit(RLIMIT_NOFILE, &limit) == 0 && (rlim_t)fd + DESCRIPTORS_LEFT < limit.rlim_cur;
}

/* IPv4: a multicast group goes out from the address of IP_MULTICAST_IF; IPv6: itself. */
static int fix_local(int fd, const union address *local, in_port_t port)
{
    union address first = *local;

    *port_of(&first) = port;
    if (local->any.sa_family == AF_INET) {
        if (setsockopt(fd, IPPROTO_IP, IP_MULTICAST_IF, &local->v4.sin_addr,
                       sizeof local->v4.sin_addr) < 0)
            return -errno;
        first.v4.sin_addr.s_addr = htonl(INADDR_ALLHOSTS_GROUP);
    }
    return udp_connect(fd, &first);
}

/* Connected to `to`; where `local` is set, from there. */
static int open_connected(int like, const union address *like_name, const union address *to,
                          const union address *local)
{
    int fd = open_like(like, like_name);
    int result = 0;

    if (fd < 0)
        return fd;
    if (!leaves_room(fd))
        return refuse(fd, -EMFILE);
    if (local != NULL)
        result = fix_local(fd, local, like_name->any.sa_family == AF_INET
                                          ? like_name->v4.sin_port
                                          : like_name->v6.sin6_port);
    if (result == 0)
        result = udp_connect(fd, to);
    return result < 0 ? refuse(fd, result) : fd;
}

int udp_connected(int like, const union address *to, const union address *local,
                  union address *name)
{
    union address own;
    int result = name_of(like, &own);
    bool asked = local->any.sa_family != AF_UNSPEC;

    if (result < 0)
        return result;
    /* A silent socket (udp_hush) has no port to share. */
    if (own.any.sa_family != to->any.sa_family || *port_of(&own) == 0)
        return -EADDRNOTAVAIL;
    int fd = open_connected(like, &own, to, NULL);
    if (fd >= 0 && name_of(fd, name) == 0 && (!asked || udp_same_host(name, local)))
        return fd;
    if (fd >= 0)
        close(fd);
    if (!asked)
        return fd < 0 ? fd : -EADDRNOTAVAIL;
    fd = open_connected(like, &own, to, local);
    if (fd >= 0 && (name_of(fd, name) < 0 || !udp_same_host(name, local)))
        return refuse(fd, -EADDRNOTAVAIL);
    return fd;
}

int udp_forsake(int fd)
{
    union address self;
    int result = name_of(fd, &self);
    return result < 0 ? result : udp_connect(fd, &self);
}
