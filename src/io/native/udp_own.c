/* udp_own.c — by what io_own.c tells datagrams: hop limits and interfaces; see udp.h. */
#define _GNU_SOURCE
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "udp.h"

int udp_hops(int fd, bool v6)
{
    int hops = 0;
    socklen_t length = sizeof hops;
    int result = v6 ? getsockopt(fd, IPPROTO_IPV6, IPV6_UNICAST_HOPS, &hops, &length)
                    : getsockopt(fd, IPPROTO_IP, IP_TTL, &hops, &length);
    return result < 0 ? -errno : hops;
}

int udp_fix_hops(int fd, int like, bool v6)
{
    int hops = udp_hops(like, v6);
    if (hops < 0)
        return hops;
    int result = v6 ? setsockopt(fd, IPPROTO_IPV6, IPV6_UNICAST_HOPS, &hops, sizeof hops)
                    : setsockopt(fd, IPPROTO_IP, IP_TTL, &hops, sizeof hops);
    return result < 0 ? -errno : 0;
}

uint32_t udp_interface(const union address *local)
{
    uint32_t index = 0;

    if (local->any.sa_family == AF_INET)
        memcpy(&index, local->v4.sin_zero, sizeof index);
    else if (local->any.sa_family == AF_INET6)
        index = local->v6.sin6_scope_id;
    return index;
}
