/*
 * netlink_way.c — the one question which way a datagram takes, for netlink.c and neighbour.c.
 *
 * What rules may tell by is all in it: both ends, the firewall mark, UDP and its ports. Source:
 * rtnetlink(7), inet_rtm_getroute() of net/ipv4/route.c, inet6_rtm_getroute() of net/ipv6/route.c.
 */
#define _DEFAULT_SOURCE
#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#include "netlink_request.h"

/* Address and port of a sockaddr; the family stays AF_UNSPEC where it has none. */
static void take_end(const union address *from, struct netlink_address *end, uint16_t *port)
{
    if (from->any.sa_family == AF_INET) {
        *end = (struct netlink_address){ .family = AF_INET };
        memcpy(end->bytes, &from->v4.sin_addr, sizeof from->v4.sin_addr);
        *port = ntohs(from->v4.sin_port);
    } else if (from->any.sa_family == AF_INET6) {
        *end = (struct netlink_address){ .family = AF_INET6 };
        memcpy(end->bytes, &from->v6.sin6_addr, sizeof from->v6.sin6_addr);
        *port = ntohs(from->v6.sin6_port);
    }
}

bool netlink_flow_between(struct netlink_flow *out, const union address *to,
                          const union address *from)
{
    *out = (struct netlink_flow){ 0 };
    take_end(to, &out->to, &out->to_port);
    take_end(from, &out->from, &out->from_port);
    if (out->to.family == AF_INET6 && IN6_IS_ADDR_LINKLOCAL(&to->v6.sin6_addr))
        out->link = to->v6.sin6_scope_id;
    return out->to.family != AF_UNSPEC &&
           (out->from.family == AF_UNSPEC || out->from.family == out->to.family);
}

void netlink_begin_way(struct netlink_request *request, uint16_t flags,
                       const struct netlink_flow *flow, bool match)
{
    const uint8_t bits = (uint8_t)(8 * netlink_address_bytes(&flow->to));
    const struct rtmsg info = {
        .rtm_family = flow->to.family,
        .rtm_dst_len = bits,
        .rtm_src_len = flow->from.family == AF_UNSPEC ? 0 : bits,
        .rtm_flags = RTM_F_LOOKUP_TABLE | (match ? RTM_F_FIB_MATCH : 0),
    };
    const uint8_t protocol = IPPROTO_UDP;
    const uint16_t from_port = htons(flow->from_port), to_port = htons(flow->to_port);

    netlink_begin(request, RTM_GETROUTE, flags, &info, sizeof info);
    netlink_put_address(request, RTA_DST, &flow->to);
    if (flow->from.family != AF_UNSPEC)
        netlink_put_address(request, RTA_SRC, &flow->from);
    if (flow->link != 0)
        netlink_put_u32(request, RTA_OIF, flow->link);
    netlink_put_u32(request, RTA_MARK, flow->mark);
    /* Linux 4.19; older ones pass over them. */
    netlink_put(request, RTA_IP_PROTO, &protocol, sizeof protocol);
    netlink_put(request, RTA_SPORT, &from_port, sizeof from_port);
    netlink_put(request, RTA_DPORT, &to_port, sizeof to_port);
}

bool netlink_read_way(struct netlink_bytes body, struct netlink_way *out)
{
    struct rtmsg info;
    struct netlink_bytes value;
    uint16_t attribute;

    if (!netlink_take(&body, &info, sizeof info))
        return false;
    *out = (struct netlink_way){ .prefix_bits = info.rtm_dst_len, .table = info.rtm_table };
    while (netlink_next_attribute(&body, &attribute, &value)) {
        /* A match names the link of a local address where the datagram itself stays here. */
        if (attribute == RTA_OIF && info.rtm_type == RTN_UNICAST)
            out->index = netlink_u32(value);
        if (attribute == RTA_TABLE)
            out->table = netlink_u32(value);
        if (attribute == RTA_PRIORITY)
            out->metric = netlink_u32(value);
        if (attribute == RTA_GATEWAY || attribute == RTA_VIA)
            out->router = 1;
    }
    return true;
}
