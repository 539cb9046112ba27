/*
 * netlink.c — requests to rtnetlink (netlink_request.h), and their whole answers:
 *
 *     [nlmsghdr][...] for what was asked, then NLMSG_ERROR (0: done) or NLMSG_DONE
 */
#define _DEFAULT_SOURCE
#include "netlink_request.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

/* Datagrams that one answer may have; a dump of one link's addresses has one or two. */
#define ANSWER_DATAGRAMS_MAX 1024
#define ANSWER_WAIT_S 5
/* Times a dump is repeated that the kernel marked as interrupted by a change. */
#define DUMP_ATTEMPTS 4

// --- Asking

/* Called with each message of an answer; a negative result ends the reading. */
typedef int (*visitor)(void *context, uint16_t type, struct netlink_bytes body);

/* One datagram of the answer. *done is set with the last message; returns its errno. */
static int read_answer(struct netlink_bytes datagram, uint32_t sequence, visitor visit,
                       void *context, bool *done)
{
    struct nlmsghdr head;
    struct netlink_bytes body;
    while (netlink_next_message(&datagram, &head, &body)) {
        if (head.nlmsg_seq != sequence)
            continue;
        if (head.nlmsg_flags & NLM_F_DUMP_INTR)
            return -EAGAIN;
        if (head.nlmsg_type == NLMSG_ERROR || head.nlmsg_type == NLMSG_DONE) {
            *done = true;
            return netlink_read_error(body);
        }
        if (visit != NULL && head.nlmsg_type >= NLMSG_MIN_TYPE) {
            int error = visit(context, head.nlmsg_type, body);
            if (error < 0)
                return error;
        }
    }
    return 0;
}

static int converse(int fd, const struct netlink_request *request, visitor visit, void *context)
{
    uint8_t bytes[NETLINK_DATAGRAM_BYTES];
    const struct timeval wait = {.tv_sec = ANSWER_WAIT_S};
    bool done = false;
    if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait) < 0)
        return -errno;
    int result = netlink_send(fd, request);
    if (result < 0)
        return result;
    for (int i = 0; i < ANSWER_DATAGRAMS_MAX; i++) {
        int got = netlink_receive(fd, bytes, sizeof bytes);
        if (got == -EAGAIN)
            return -ETIMEDOUT;
        if (got < 0)
            return got;
        struct netlink_bytes datagram = {.at = bytes, .left = (size_t)got};
        result = read_answer(datagram, request->head.nlmsg_seq, visit, context, &done);
        if (result < 0 || done)
            return result;
    }
    return -EOVERFLOW;
}

/* Sends a request on a socket of its own and reads the whole answer. */
static int ask(const struct netlink_request *request, visitor visit, void *context)
{
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
    if (fd < 0)
        return -errno;
    int result = converse(fd, request, visit, context);
    /* close(2) on Linux frees the descriptor whatever it returns; nothing is pending here. */
    (void)close(fd);
    return result;
}

// --- Links

static int visit_link(void *context, uint16_t type, struct netlink_bytes body)
{
    struct netlink_link *out = context;
    uint8_t family;
    if (type == RTM_NEWLINK && !netlink_read_link(body, &family, out))
        return -EPROTO;
    return 0;
}

int netlink_link_get(const char *name, struct netlink_link *out)
{
    const struct ifinfomsg info = {.ifi_family = AF_UNSPEC};
    struct netlink_request request;
    size_t length = strnlen(name, NETLINK_NAME_BYTES);
    if (length == 0 || length >= NETLINK_NAME_BYTES)
        return -EINVAL;
    netlink_begin(&request, RTM_GETLINK, NLM_F_ACK, &info, sizeof info);
    netlink_put(&request, IFLA_IFNAME, name, length + 1);
    out->index = 0;
    int result = ask(&request, visit_link, out);
    if (result < 0)
        return result;
    return out->index == 0 ? -ENODEV : 0;
}

static bool link_index(struct ifinfomsg *info, uint32_t index)
{
    if (index == 0 || index > INT32_MAX)
        return false;
    info->ifi_index = (int)index;
    return true;
}

int netlink_link_set(uint32_t index, const struct netlink_link_change *change)
{
    struct ifinfomsg info = {.ifi_family = AF_UNSPEC};
    const struct {
        uint16_t type;
        int32_t value;
    } properties[] = {
        {IFLA_MTU, change->mtu},
        {IFLA_TXQLEN, change->queue_packets},
        {IFLA_GSO_MAX_SEGS, change->gso_segments},
        {IFLA_GSO_MAX_SIZE, change->gso_bytes},
    };
    struct netlink_request request;
    if (!link_index(&info, index))
        return -ENODEV;
    if (change->up < -1 || change->up > 1)
        return -EINVAL;
    if (change->up >= 0) {
        info.ifi_change = IFF_UP;
        info.ifi_flags = change->up == 1 ? IFF_UP : 0;
    }
    netlink_begin(&request, RTM_SETLINK, NLM_F_ACK, &info, sizeof info);
    for (size_t i = 0; i < sizeof properties / sizeof properties[0]; i++) {
        if (properties[i].value < -1)
            return -EINVAL;
        if (properties[i].value == -1)
            continue;
        netlink_put_u32(&request, properties[i].type, (uint32_t)properties[i].value);
    }
    return ask(&request, NULL, NULL);
}

// --- Addresses

int netlink_address_make(struct netlink_address *out, const uint8_t *address, size_t bytes,
                         uint32_t prefix_bits)
{
    if ((bytes != 4 && bytes != 16) || prefix_bits > bytes * 8)
        return -EINVAL;
    memset(out, 0, sizeof *out);
    out->family = bytes == 4 ? AF_INET : AF_INET6;
    out->prefix_bits = (uint8_t)prefix_bits;
    memcpy(out->bytes, address, bytes);
    return 0;
}

static int change_address(uint16_t type, uint16_t flags, uint32_t index,
                          const struct netlink_address *address)
{
    const struct ifaddrmsg info = {
        .ifa_family = address->family,
        .ifa_prefixlen = address->prefix_bits,
        .ifa_flags = address->family == AF_INET6 ? IFA_F_NODAD : 0,
        .ifa_scope = RT_SCOPE_UNIVERSE,
        .ifa_index = index,
    };
    struct netlink_request request;
    netlink_begin(&request, type, (uint16_t)(NLM_F_ACK | flags), &info, sizeof info);
    netlink_put_address(&request, IFA_LOCAL, address);
    netlink_put_address(&request, IFA_ADDRESS, address);
    return ask(&request, NULL, NULL);
}

int netlink_address_add(uint32_t index, const struct netlink_address *address)
{
    return change_address(RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, index, address);
}

int netlink_address_remove(uint32_t index, const struct netlink_address *address)
{
    return change_address(RTM_DELADDR, 0, index, address);
}

struct address_list {
    uint32_t index;
    struct netlink_address *out;
    size_t count;
    size_t room;
};

static int visit_address(void *context, uint16_t type, struct netlink_bytes body)
{
    struct address_list *list = context;
    struct ifaddrmsg info;
    struct netlink_bytes value, local = {0}, address = {0};
    uint16_t attribute;
    if (type != RTM_NEWADDR)
        return 0;
    if (!netlink_take(&body, &info, sizeof info))
        return -EPROTO;
    if (list->index != 0 && info.ifa_index != list->index)
        return 0;
    if (info.ifa_family != AF_INET && info.ifa_family != AF_INET6)
        return 0;
    while (netlink_next_attribute(&body, &attribute, &value)) {
        if (attribute == IFA_LOCAL)
            local = value;
        if (attribute == IFA_ADDRESS)
            address = value;
    }
    /* rtnetlink(7): on a point-to-point link IFA_ADDRESS is the other end's. */
    if (local.left > 0)
        address = local;
    if (address.left != (info.ifa_family == AF_INET ? 4u : 16u))
        return -EPROTO;
    if (list->count == list->room)
        return list->index == 0 ? 0 : -EOVERFLOW;
    return netlink_address_make(&list->out[list->count++], address.at, address.left,
                                info.ifa_prefixlen);
}

int netlink_address_list(uint32_t index, struct netlink_address *out, size_t room)
{
    const struct ifaddrmsg info = {.ifa_family = AF_UNSPEC};
    struct address_list list = {.index = index, .out = out, .room = room};
    struct netlink_request request;
    int result = -EAGAIN;
    netlink_begin(&request, RTM_GETADDR, NLM_F_DUMP, &info, sizeof info);
    for (int i = 0; i < DUMP_ATTEMPTS && result == -EAGAIN; i++) {
        list.count = 0;
        result = ask(&request, visit_address, &list);
    }
    return result < 0 ? result : (int)list.count;
}

// --- Routes

static int change_route(uint16_t type, uint16_t flags, uint32_t index,
                        const struct netlink_address *to, uint32_t metric)
{
    const struct rtmsg info = {
        .rtm_family = to->family,
        .rtm_dst_len = to->prefix_bits,
        .rtm_table = RT_TABLE_MAIN,
        .rtm_protocol = RTPROT_STATIC,
        .rtm_scope = to->family == AF_INET ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE,
        .rtm_type = RTN_UNICAST,
    };
    struct netlink_request request;
    netlink_begin(&request, type, (uint16_t)(NLM_F_ACK | flags), &info, sizeof info);
    if (to->prefix_bits > 0)
        netlink_put_address(&request, RTA_DST, to);
    netlink_put_u32(&request, RTA_OIF, index);
    if (metric > 0)
        netlink_put_u32(&request, RTA_PRIORITY, metric);
    return ask(&request, NULL, NULL);
}

int netlink_route_add(uint32_t index, const struct netlink_address *to, uint32_t metric)
{
    return change_route(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, index, to, metric);
}

int netlink_route_remove(uint32_t index, const struct netlink_address *to, uint32_t metric)
{
    return change_route(RTM_DELROUTE, 0, index, to, metric);
}

static int visit_way(void *context, uint16_t type, struct netlink_bytes body)
{
    struct netlink_way *out = context;
    if (type == RTM_NEWROUTE && !netlink_read_way(body, out))
        return -EPROTO;
    return 0;
}

int netlink_route_find(const struct netlink_flow *flow, bool match, struct netlink_way *out)
{
    struct netlink_request request;
    netlink_begin_way(&request, NLM_F_ACK, flow, match);
    *out = (struct netlink_way){0};
    return ask(&request, visit_way, out);
}
