/*
 * netlink_events.c — news of links, addresses and routes.
 *
 * Each message of the kernel becomes one event or none. What the reader cannot take in, because
 * the kernel's queue ran over or a datagram held too much, becomes an "overrun": whoever reads
 * must then look at the state anew.
 */
#define _DEFAULT_SOURCE
#include "netlink.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define GROUPS \
    (RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR | RTMGRP_IPV4_ROUTE | RTMGRP_IPV6_ROUTE)
/* Datagrams read in one call, since not every one becomes an event. */
#define DATAGRAMS_MAX 256

int netlink_events_open(void)
{
    const struct sockaddr_nl local = {.nl_family = AF_NETLINK, .nl_groups = GROUPS};
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);
    if (fd < 0)
        return -errno;
    if (bind(fd, (const struct sockaddr *)&local, sizeof local) < 0) {
        int error = -errno;
        (void)close(fd);
        return error;
    }
    return fd;
}

static bool link_event(struct netlink_event *event, bool gone, struct netlink_bytes body)
{
    struct netlink_link link;
    uint8_t family;
    if (!netlink_read_link(body, &family, &link))
        return false;
    /* AF_BRIDGE tells of ports: a port that leaves its bridge is no link that went. */
    if (family != AF_UNSPEC)
        return false;
    event->kind = gone ? NETLINK_EVENT_LINK_GONE : NETLINK_EVENT_LINK;
    event->index = link.index;
    event->up = (link.flags & IFF_UP) != 0;
    event->mtu = link.mtu;
    memcpy(event->name, link.name, sizeof event->name);
    return true;
}

static bool address_event(struct netlink_event *event, bool gone, struct netlink_bytes body)
{
    struct ifaddrmsg info;
    if (!netlink_take(&body, &info, sizeof info))
        return false;
    event->kind = gone ? NETLINK_EVENT_ADDRESS_GONE : NETLINK_EVENT_ADDRESS;
    event->index = info.ifa_index;
    return true;
}

static bool route_event(struct netlink_event *event, bool gone, struct netlink_bytes body)
{
    struct rtmsg info;
    struct netlink_bytes value;
    uint16_t type;
    if (!netlink_take(&body, &info, sizeof info))
        return false;
    if (info.rtm_table == RT_TABLE_LOCAL || (info.rtm_flags & RTM_F_CLONED))
        return false;
    event->kind = gone ? NETLINK_EVENT_ROUTE_GONE : NETLINK_EVENT_ROUTE;
    while (netlink_next_attribute(&body, &type, &value)) {
        if (type == RTA_OIF)
            event->index = netlink_u32(value);
    }
    return true;
}

static bool to_event(struct netlink_event *event, uint16_t type, struct netlink_bytes body)
{
    memset(event, 0, sizeof *event);
    switch (type) {
    case RTM_NEWLINK:
    case RTM_DELLINK:
        return link_event(event, type == RTM_DELLINK, body);
    case RTM_NEWADDR:
    case RTM_DELADDR:
        return address_event(event, type == RTM_DELADDR, body);
    case RTM_NEWROUTE:
    case RTM_DELROUTE:
        return route_event(event, type == RTM_DELROUTE, body);
    case NLMSG_OVERRUN:
        event->kind = NETLINK_EVENT_OVERRUN;
        return true;
    default:
        return false;
    }
}

static void put_overrun(struct netlink_event *event)
{
    memset(event, 0, sizeof *event);
    event->kind = NETLINK_EVENT_OVERRUN;
}

/* Adds the events of one datagram; those beyond `room` turn the last into an overrun. */
static size_t put_datagram(struct netlink_bytes datagram, struct netlink_event *out, size_t count,
                           size_t room)
{
    struct netlink_event event;
    struct nlmsghdr head;
    struct netlink_bytes body;
    while (netlink_next_message(&datagram, &head, &body)) {
        if (!to_event(&event, head.nlmsg_type, body))
            continue;
        if (count == room) {
            put_overrun(&out[room - 1]);
            break;
        }
        out[count++] = event;
    }
    return count;
}

int netlink_events_read(int fd, struct netlink_event *out, size_t room)
{
    uint8_t bytes[NETLINK_DATAGRAM_BYTES];
    size_t count = 0;
    for (int i = 0; i < DATAGRAMS_MAX && count < room; i++) {
        int got = netlink_receive(fd, bytes, sizeof bytes);
        if (got == -EAGAIN)
            break;
        /* netlink(7): the application is told of lost messages by ENOBUFS. */
        if (got == -ENOBUFS || got == -EMSGSIZE) {
            put_overrun(&out[count++]);
            continue;
        }
        if (got < 0)
            return got;
        struct netlink_bytes datagram = {.at = bytes, .left = (size_t)got};
        count = put_datagram(datagram, out, count, room);
    }
    return (int)count;
}
