/*
 * netlink.h — links, addresses, routes, and news of them, through rtnetlink.
 *
 * Every request opens a socket of its own, waits for the kernel's answer and closes it, so there
 * is no state and any thread may call. Answers count only when they come from the kernel and
 * carry the request's sequence number. Functions return a value >= 0 or -errno.
 *
 * Source: rtnetlink(7), netlink(7), linux/rtnetlink.h.
 */
#ifndef P2PVPN_NETLINK_H
#define P2PVPN_NETLINK_H

#include <linux/netlink.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

/* Room for any datagram of the kernel: dumps come in pieces of at most 32 KiB. */
#define NETLINK_DATAGRAM_BYTES 32768
/* Most addresses that netlink_address_list() gives, of a link and of all. */
#define NETLINK_ADDRESSES_MAX 256
/* Longest interface name, with its terminator: IFNAMSIZ of net/if.h. */
#define NETLINK_NAME_BYTES 16

struct netlink_link {
    uint32_t index;
    uint32_t flags; /* IFF_* */
    uint32_t mtu;
    char name[NETLINK_NAME_BYTES];
};

/* What is known of the link called `name`.   Errors: -ENODEV, -EINVAL.   Returns 0. */
int netlink_link_get(const char *name, struct netlink_link *out);

/* Properties to set; -1 leaves one as it is. Packets for the queue, bytes for the others. */
struct netlink_link_change {
    int32_t mtu;
    int32_t up; /* 1, 0 or -1 */
    int32_t queue_packets;
    int32_t gso_segments;
    int32_t gso_bytes;
};

/* Sets properties in one request; the kernel may have set some of them when it refuses one. */
int netlink_link_set(uint32_t index, const struct netlink_link_change *change);

/* An address or prefix: 4 or 16 bytes in network order. */
struct netlink_address {
    uint8_t family; /* AF_INET or AF_INET6 */
    uint8_t prefix_bits;
    uint8_t bytes[16];
};

static inline size_t netlink_address_bytes(const struct netlink_address *address)
{
    return address->family == AF_INET ? 4 : 16;
}

/* Fills `out`.   Errors: -EINVAL when bytes is not 4 or 16 or the prefix is too long. */
int netlink_address_make(struct netlink_address *out, const uint8_t *address, size_t bytes,
                         uint32_t prefix_bits);

/* Adds without duplicate address detection.   Errors: -EEXIST, -ENODEV, -EPERM. */
int netlink_address_add(uint32_t index, const struct netlink_address *address);
/* Errors: -EADDRNOTAVAIL. */
int netlink_address_remove(uint32_t index, const struct netlink_address *address);
/*
 * Addresses of a link; of all for index 0, the first `room` of them.   Errors: -EOVERFLOW when a
 * link has more than `room`, -EAGAIN when they kept changing.   Returns how many.
 */
int netlink_address_list(uint32_t index, struct netlink_address *out, size_t room);

/*
 * A unicast route through the link in the main table; metric 0 is none (for IPv6 the kernel then
 * writes 1024).   Errors: -EEXIST, -ENETDOWN, -EINVAL for bits beyond an IPv4 prefix.
 */
int netlink_route_add(uint32_t index, const struct netlink_address *to, uint32_t metric);
/* A datagram whose way is asked for. */
struct netlink_flow {
    struct netlink_address to, from; /* family 0: the kernel chooses it */
    uint32_t link;                   /* it has to leave by this one; 0: any */
    uint32_t mark;
    uint16_t from_port, to_port;
};

/* The way that the kernel takes. */
struct netlink_way {
    uint32_t index;       /* of the link; 0: it stays here, or takes one of several */
    uint32_t prefix_bits; /* of the route, where a match was asked for */
    uint32_t table;
    uint32_t metric;
    uint32_t router; /* 1: the next one is a router; 0: whoever it is for */
};

/*
 * Which way a UDP datagram of ours takes, by all rules and tables. `match`: the route is wanted,
 * not what became of it (Linux 4.13; before, every route looks like one for its address alone).
 * Errors: -ENETUNREACH, -EHOSTUNREACH, -EACCES and what else a route says; -EINVAL or -ENETUNREACH
 * when `from` is no address of this host.   Returns 0.
 */
int netlink_route_find(const struct netlink_flow *flow, bool match, struct netlink_way *out);

/* Errors: -ESRCH. */
int netlink_route_remove(uint32_t index, const struct netlink_address *to, uint32_t metric);

enum netlink_event_kind {
    NETLINK_EVENT_LINK,
    NETLINK_EVENT_LINK_GONE,
    NETLINK_EVENT_ADDRESS,
    NETLINK_EVENT_ADDRESS_GONE,
    NETLINK_EVENT_ROUTE,
    NETLINK_EVENT_ROUTE_GONE,
    NETLINK_EVENT_OVERRUN, /* events were lost: read the state anew */
};

struct netlink_event {
    enum netlink_event_kind kind;
    uint32_t index; /* of the link; 0 for a route through none or several */
    bool up;        /* links only: IFF_UP */
    uint32_t mtu;   /* links only: 0 when not told */
    char name[NETLINK_NAME_BYTES]; /* links only, else "" */
};

/* A non-blocking socket that hears of links, addresses and routes.   Returns its descriptor. */
int netlink_events_open(void);
/*
 * Reads until nothing is there or `out` is full; never waits. Routes of the local table, which
 * repeat what addresses say, and bridge ports are left out.   Returns how many, 0 included.
 */
int netlink_events_read(int fd, struct netlink_event *out, size_t room);

/* netlink_read.c, for those who read what the kernel says: messages taken apart. */

struct netlink_bytes {
    const uint8_t *at;
    size_t left;
};

/* One datagram.   Errors: -EMSGSIZE when it was longer.   Returns its size, 0 if a stranger's. */
int netlink_receive(int fd, uint8_t *bytes, size_t room);
/* Takes a fixed header from the front; false when there is less. */
bool netlink_take(struct netlink_bytes *rest, void *out, size_t bytes);
bool netlink_next_message(struct netlink_bytes *rest, struct nlmsghdr *head,
                          struct netlink_bytes *body);
bool netlink_next_attribute(struct netlink_bytes *rest, uint16_t *type,
                            struct netlink_bytes *value);
/* Reads a link message; false when it is no whole one. */
bool netlink_read_link(struct netlink_bytes body, uint8_t *family, struct netlink_link *out);
uint32_t netlink_u32(struct netlink_bytes value);
/* What an NLMSG_ERROR or NLMSG_DONE says: 0 or -errno. */
int netlink_read_error(struct netlink_bytes body);

#endif
