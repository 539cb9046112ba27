/*
 * netlink_request.h — requests to rtnetlink, put together and sent.
 *
 *     [nlmsghdr][fixed header of its kind][attribute: rtattr, value][attribute]...
 *
 * A request has room for the largest one that we make. What would not fit marks it, and it is not
 * sent. Source: rtnetlink(7), netlink(7).
 */
#ifndef P2PVPN_NETLINK_REQUEST_H
#define P2PVPN_NETLINK_REQUEST_H

#include <linux/rtnetlink.h>

#include "netlink.h"
#include "udp.h"

/* The longest fixed header: struct ifinfomsg. */
#define NETLINK_FIXED_BYTES 16u
/* The longest values: an IPv6 address, the name of a link. */
#define NETLINK_VALUE_BYTES 16u
/* The most attributes: those of netlink_begin_way(). */
#define NETLINK_ATTRIBUTES_MAX 7u
#define NETLINK_ATTRIBUTE_BYTES (sizeof(struct rtattr) + NETLINK_VALUE_BYTES)
#define NETLINK_REQUEST_BYTES \
    (sizeof(struct nlmsghdr) + NETLINK_FIXED_BYTES + \
     NETLINK_ATTRIBUTES_MAX * NETLINK_ATTRIBUTE_BYTES)

struct netlink_request {
    union {
        struct nlmsghdr head;
        uint8_t bytes[NETLINK_REQUEST_BYTES];
    };
    bool too_long; /* something did not fit */
};

/* Its type is its number too: an answer carries that, and no two that follow have the same. */
void netlink_begin(struct netlink_request *request, uint16_t type, uint16_t flags,
                   const void *fixed, size_t bytes);
void netlink_put(struct netlink_request *request, uint16_t type, const void *value, size_t bytes);
void netlink_put_u32(struct netlink_request *request, uint16_t type, uint32_t value);
void netlink_put_address(struct netlink_request *request, uint16_t type,
                         const struct netlink_address *address);

/* Errors: -EMSGSIZE when it is too long, and the kernel's.   Returns 0. */
int netlink_send(int fd, const struct netlink_request *request);

// --- netlink_way.c: which way a datagram takes

/*
 * A datagram to `to`, from `from` where that has an address. To a link-local address it has to
 * leave by the link that its scope names.   False: no datagram is between these two.
 */
bool netlink_flow_between(struct netlink_flow *out, const union address *to,
                          const union address *from);

/* The question for it; `match` as in netlink_route_find(). */
void netlink_begin_way(struct netlink_request *request, uint16_t flags,
                       const struct netlink_flow *flow, bool match);
/* Reads the body of the answer, RTM_NEWROUTE; false when it is no whole one. */
bool netlink_read_way(struct netlink_bytes body, struct netlink_way *out);

#endif
