/*
 * netlink.c — requests to rtnetlink.
 *
 *   request:  [nlmsghdr][fixed header of its kind][attribute][attribute]...
 *   answer:   [nlmsghdr][...] for what was asked, then NLMSG_ERROR (0: done) or NLMSG_DONE
 */
#define _DEFAULT_SOURCE
#include "netlink.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#define REQUEST_BYTES 256
/* Datagrams that one answer may have; a dump of one link's addresses has one or two. */
#define ANSWER_DATAGRAMS_MAX 1024
#define ANSWER_WAIT_S 5
/* Times a dump is repeated that the kernel marked as interrupted by a change. */
#define DUMP_ATTEMPTS 4
/* One request per socket, so any number tells its answer from news. */
#define SEQUENCE 1

// --- Asking

struct request {
    union {
        struct nlmsghdr head;
        uint8_t bytes[REQUEST_BYTES];
    };
};

static void append(struct request *request, const void *bytes, size_t length)
{
    memcpy(request->bytes + request->head.nlmsg_len, bytes, length);
    request->head.nlmsg_len += (uint32_t)((length + 3) & ~(size_t)3);
}

static void begin(struct request *request, uint16_t type, uint16_t flags, const void *fixed,
                  size_t bytes)
{
    memset(request, 0, sizeof *request);
    request->head.nlmsg_len = sizeof request->head;
    request->head.nlmsg_type = type;
    request->head.nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags);
    request->head.nlmsg_seq = SEQUENCE;
    append(request, fixed, bytes);
}

/*
 * Adds an attribute of at most 16 bytes. The largest request has a header of 16, a fixed header
 * of 16 and seven attributes of 20 bytes: 172 of REQUEST_BYTES.
 */
static void put(struct request *request, uint16_t type, const void *value, size_t bytes)
{
    struct rtattr head = {.rta_len = (uint16_t)(sizeof head + bytes), .rta_type = type};
    append(request, &head, sizeof head);
    append(request, value, bytes);
}

static void put_u32(struct request *request, uint16_t type, uint32_t value)
{
    put(request, type, &value, sizeof value);
}

/* Called with each message of an answer; a negative result ends the reading. */
typedef int (*visitor)(void *context, uint16_t type, struct netlink_bytes body);

/* One datagram of the answer. *done is set with the last message; returns its errno. */
static int read_answer(struct netlink_bytes datagram, visitor visit, void *context, bool *done)
{
    struct nlmsghdr head;
    struct netlink_bytes body;
    while (netlink_next_message(&datagram, &head, &body)) {
        int32_t error = 0;
        if (head.nlmsg_seq != SEQUENCE)
            continue;
        if (head.nlmsg_flags & NLM_F_DUMP_INTR)
            return -EAGAIN;
        if (head.nlmsg_type == NLMSG_ERROR || head.nlmsg_type == NLMSG_DONE) {
            if (!netlink_take(&body, &error, sizeof error) || error > 0)
                return -EPROTO;
            *done = true;
            return error;
        }
        if (visit != NULL && head.nlmsg_type >= NLMSG_MIN_TYPE) {
            error = visit(context, head.nlmsg_type, body);
            if (error < 0)
                return error;
        }
    }
    return 0;
}

static int converse(int fd, const struct request *request, visitor visit, void *context)
{
    uint8_t bytes[NETLINK_DATAGRAM_BYTES];
    const struct timeval wait = {.tv_sec = ANSWER_WAIT_S};
    bool done = false;
    if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait) < 0)
        return -errno;
    ssize_t sent = send(fd, request, request->head.nlmsg_len, 0);
    if (sent < 0)
        return -errno;
    if ((size_t)sent != request->head.nlmsg_len)
        return -EIO;
    for (int i = 0; i < ANSWER_DATAGRAMS_MAX; i++) {
        int got = netlink_receive(fd, bytes, sizeof bytes);
        if (got == -EAGAIN)
            return -ETIMEDOUT;
        if (got < 0)
            return got;
        struct netlink_bytes datagram = {.at = bytes, .left = (size_t)got};
        int result = read_answer(datagram, visit, context, &done);
        if (result < 0 || done)
            return result;
    }
    return -EOVERFLOW;
}

/* Sends a request on a socket of its own and reads the whole answer. */
static int ask(const struct request *request, visitor visit, void *context)
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
    struct request request;
    size_t length = strnlen(name, NETLINK_NAME_BYTES);
    if (length == 0 || length >= NETLINK_NAME_BYTES)
        return -EINVAL;
    begin(&request, RTM_GETLINK, NLM_F_ACK, &info, sizeof info);
    put(&request, IFLA_IFNAME, name, length + 1);
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
    struct request request;
    if (!link_index(&info, index))
        return -ENODEV;
    if (change->up < -1 || change->up > 1)
        return -EINVAL;
    if (change->up >= 0) {
        info.ifi_change = IFF_UP;
        info.ifi_flags = change->up == 1 ? IFF_UP : 0;
    }
    begin(&request, RTM_SETLINK, NLM_F_ACK, &info, sizeof info);
    for (size_t i = 0; i < sizeof properties / sizeof properties[0]; i++) {
        if (properties[i].value < -1)
            return -EINVAL;
        if (properties[i].value == -1)
            continue;
        put_u32(&request, properties[i].type, (uint32_t)properties[i].value);
    }
    return ask(&request, NULL, NULL);
}

int netlink_link_delete(uint32_t index)
{
    struct ifinfomsg info = {.ifi_family = AF_UNSPEC};
    struct request request;
    if (!link_index(&info, index))
        return -ENODEV;
    begin(&request, RTM_DELLINK, NLM_F_ACK, &info, sizeof info);
    return ask(&request, NULL, NULL);
}

// --- Addresses

static size_t address_bytes(const struct netlink_address *address)
{
    return address->family == AF_INET ? 4 : 16;
}

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
    struct request request;
    begin(&request, type, (uint16_t)(NLM_F_ACK | flags), &info, sizeof info);
    put(&request, IFA_LOCAL, address->bytes, address_bytes(address));
    put(&request, IFA_ADDRESS, address->bytes, address_bytes(address));
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
    struct request request;
    int result = -EAGAIN;
    begin(&request, RTM_GETADDR, NLM_F_DUMP, &info, sizeof info);
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
    struct request request;
    begin(&request, type, (uint16_t)(NLM_F_ACK | flags), &info, sizeof info);
    if (to->prefix_bits > 0)
        put(&request, RTA_DST, to->bytes, address_bytes(to));
    put_u32(&request, RTA_OIF, index);
    if (metric > 0)
        put_u32(&request, RTA_PRIORITY, metric);
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

static void put_address(struct request *request, uint16_t type, const struct netlink_address *one)
{
    if (one->family != AF_UNSPEC)
        put(request, type, one->bytes, address_bytes(one));
}

static int visit_way(void *context, uint16_t type, struct netlink_bytes body)
{
    struct netlink_way *out = context;
    struct rtmsg info;
    struct netlink_bytes value;
    uint16_t attribute;
    if (type != RTM_NEWROUTE)
        return 0;
    if (!netlink_take(&body, &info, sizeof info))
        return -EPROTO;
    *out = (struct netlink_way){.prefix_bits = info.rtm_dst_len, .table = info.rtm_table};
    while (netlink_next_attribute(&body, &attribute, &value)) {
        /* A match names the link of a local address where the datagram itself stays here. */
        if (attribute == RTA_OIF && info.rtm_type == RTN_UNICAST)
            out->index = netlink_u32(value);
        if (attribute == RTA_TABLE)
            out->table = netlink_u32(value);
        if (attribute == RTA_PRIORITY)
            out->metric = netlink_u32(value);
    }
    return 0;
}

int netlink_route_find(const struct netlink_flow *flow, bool match, struct netlink_way *out)
{
    const struct rtmsg info = {
        .rtm_family = flow->to.family,
        .rtm_dst_len = (uint8_t)(8 * address_bytes(&flow->to)),
        .rtm_src_len = flow->from.family == AF_UNSPEC ? 0 : (uint8_t)(8 * address_bytes(&flow->to)),
        .rtm_flags = RTM_F_LOOKUP_TABLE | (match ? RTM_F_FIB_MATCH : 0),
    };
    const uint8_t protocol = IPPROTO_UDP;
    const uint16_t from_port = htons(flow->from_port), to_port = htons(flow->to_port);
    struct request request;
    begin(&request, RTM_GETROUTE, NLM_F_ACK, &info, sizeof info);
    put_address(&request, RTA_DST, &flow->to);
    put_address(&request, RTA_SRC, &flow->from);
    if (flow->link != 0)
        put_u32(&request, RTA_OIF, flow->link);
    put_u32(&request, RTA_MARK, flow->mark);
    /* For rules that tell by them (Linux 4.19). */
    put(&request, RTA_IP_PROTO, &protocol, sizeof protocol);
    put(&request, RTA_SPORT, &from_port, sizeof from_port);
    put(&request, RTA_DPORT, &to_port, sizeof to_port);
    *out = (struct netlink_way){0};
    return ask(&request, visit_way, out);
}
