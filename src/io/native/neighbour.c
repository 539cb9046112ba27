/* neighbour.c — see neighbour.h. */
#define _DEFAULT_SOURCE
#include "neighbour.h"

#include <errno.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

/* Header of 16 bytes, fixed header of 12, three attributes of at most 20 and two of 8. */
#define QUESTION_BYTES 128u
#define ANSWER_BYTES 4096u
/* Datagrams looked at for an answer; one that is left of an earlier question may come first. */
#define ANSWERS_MAX 4
#define KNOWN \
    (NUD_PERMANENT | NUD_NOARP | NUD_REACHABLE | NUD_STALE | NUD_DELAY | NUD_PROBE)
#define WITHOUT_TABLE (IFF_LOOPBACK | IFF_POINTOPOINT | IFF_NOARP)

struct question {
    union {
        struct nlmsghdr head;
        uint8_t bytes[QUESTION_BYTES];
    };
};

static void append(struct question *question, const void *bytes, size_t length)
{
    memcpy(question->bytes + question->head.nlmsg_len, bytes, length);
    question->head.nlmsg_len += (uint32_t)((length + 3) & ~(size_t)3);
}

/* Its type is its number too: no two that follow each other have the same. */
static void begin(struct question *question, uint16_t type, uint16_t flags, const void *fixed,
                  size_t bytes)
{
    memset(question, 0, sizeof *question);
    question->head.nlmsg_len = sizeof question->head;
    question->head.nlmsg_type = type;
    question->head.nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags);
    question->head.nlmsg_seq = type;
    append(question, fixed, bytes);
}

static void put(struct question *question, uint16_t type, const void *value, size_t bytes)
{
    struct rtattr head = { .rta_len = (uint16_t)(sizeof head + bytes), .rta_type = type };
    append(question, &head, sizeof head);
    append(question, value, bytes);
}

static void put_u32(struct question *question, uint16_t type, uint32_t value)
{
    put(question, type, &value, sizeof value);
}

/* The first message of the answer into `bytes` and `body`.   Returns its type or -errno. */
static int ask(int fd, const struct question *question, uint8_t bytes[ANSWER_BYTES],
               struct netlink_bytes *body)
{
    struct nlmsghdr head;
    int32_t error;

    if (send(fd, question, question->head.nlmsg_len, 0) < 0)
        return -errno;
    for (int i = 0; i < ANSWERS_MAX; i++) {
        int got = netlink_receive(fd, bytes, ANSWER_BYTES);
        if (got < 0)
            return got;
        struct netlink_bytes datagram = { .at = bytes, .left = (size_t)got };
        if (!netlink_next_message(&datagram, &head, body) ||
            head.nlmsg_seq != question->head.nlmsg_seq)
            continue;
        if (head.nlmsg_type != NLMSG_ERROR)
            return head.nlmsg_type;
        return netlink_take(body, &error, sizeof error) && error <= 0 ? error : -EPROTO;
    }
    return -EPROTO;
}

int neighbour_open(void)
{
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);
    return fd < 0 ? -errno : fd;
}

// --- Whom the kernel knows

struct target {
    int family;
    size_t bytes;
    const void *to, *from;
    uint32_t interface; /* that it leaves by; 0: as routed */
};

static bool read_target(const union address *to, const union address *local, bool bound,
                        struct target *out)
{
    uint32_t arrived = 0;
    bool same = local->any.sa_family == to->any.sa_family;

    *out = (struct target){ .family = to->any.sa_family };
    if (to->any.sa_family == AF_INET) {
        out->bytes = sizeof to->v4.sin_addr;
        out->to = &to->v4.sin_addr;
        out->from = same ? &local->v4.sin_addr : NULL;
        if (same)
            memcpy(&arrived, local->v4.sin_zero, sizeof arrived); /* read_local4() of udp.c */
    } else if (to->any.sa_family == AF_INET6) {
        out->bytes = sizeof to->v6.sin6_addr;
        out->to = &to->v6.sin6_addr;
        out->from = same ? &local->v6.sin6_addr : NULL;
        arrived = same ? local->v6.sin6_scope_id : 0;
    }
    out->interface = bound ? arrived : 0;
    if (out->family == AF_INET6 && IN6_IS_ADDR_LINKLOCAL(&to->v6.sin6_addr))
        out->interface = to->v6.sin6_scope_id;
    return out->bytes != 0;
}

/* 1: straight to it over `interface`, 0: to a router or nowhere, or -errno. */
static int ask_route(int fd, struct target *target, uint32_t mark)
{
    uint8_t bytes[ANSWER_BYTES];
    struct netlink_bytes body, value;
    struct rtmsg route = { .rtm_family = (uint8_t)target->family,
                           .rtm_dst_len = (uint8_t)(8 * target->bytes) };
    struct question question;
    uint16_t type;

    if (target->from != NULL)
        route.rtm_src_len = route.rtm_dst_len;
    begin(&question, RTM_GETROUTE, 0, &route, sizeof route);
    put(&question, RTA_DST, target->to, target->bytes);
    if (target->from != NULL)
        put(&question, RTA_SRC, target->from, target->bytes);
    if (mark != 0)
        put_u32(&question, RTA_MARK, mark);
    if (target->interface != 0)
        put_u32(&question, RTA_OIF, target->interface);
    int result = ask(fd, &question, bytes, &body);
    if (result < 0)
        return result;
    if (result != RTM_NEWROUTE || !netlink_take(&body, &route, sizeof route))
        return -EPROTO;
    if (route.rtm_type != RTN_UNICAST)
        return 0;
    while (netlink_next_attribute(&body, &type, &value)) {
        if (type == RTA_GATEWAY || type == RTA_VIA)
            return 0;
        if (type == RTA_OIF)
            target->interface = netlink_u32(value);
    }
    return 1;
}

static void about_neighbour(struct question *question, uint16_t type, uint16_t flags,
                            const struct ndmsg *about, const void *address, size_t bytes)
{
    begin(question, type, flags, about, sizeof *about);
    put(question, NDA_DST, address, bytes);
}

/* Before Linux 5.0 no single entry can be asked for: then nobody is known. */
static bool is_known(int fd, const struct target *target)
{
    uint8_t bytes[ANSWER_BYTES];
    struct netlink_bytes body;
    struct ndmsg entry = { .ndm_family = (uint8_t)target->family,
                           .ndm_ifindex = (int)target->interface };
    struct question question;

    about_neighbour(&question, RTM_GETNEIGH, 0, &entry, target->to, target->bytes);
    return ask(fd, &question, bytes, &body) == RTM_NEWNEIGH &&
           netlink_take(&body, &entry, sizeof entry) && (entry.ndm_state & KNOWN) != 0;
}

/* Any socket takes these; netdevice(7). */
static bool has_table(int fd, uint32_t interface)
{
    struct ifreq request = { .ifr_ifindex = (int)interface };

    if (ioctl(fd, SIOCGIFNAME, &request) < 0 || ioctl(fd, SIOCGIFFLAGS, &request) < 0)
        return true;
    return (request.ifr_flags & WITHOUT_TABLE) == 0;
}

int neighbour_unknown(int fd, const union address *to, const union address *local, uint32_t mark,
                      bool bound)
{
    struct target target;

    if (!read_target(to, local, bound, &target))
        return -EDESTADDRREQ;
    int direct = ask_route(fd, &target, mark);
    if (direct <= 0)
        return direct;
    return !is_known(fd, &target) && has_table(fd, target.interface) ? 1 : 0;
}

// --- Entries that stay

static int change(int fd, uint16_t type, uint16_t flags, uint32_t index,
                  const struct netlink_address *address)
{
    uint8_t bytes[ANSWER_BYTES];
    struct netlink_bytes body;
    const struct ndmsg entry = { .ndm_family = address->family,
                                 .ndm_ifindex = (int)index,
                                 .ndm_state = NUD_PERMANENT };
    struct question question;

    if (index == 0 || index > INT32_MAX)
        return -ENODEV;
    about_neighbour(&question, type, (uint16_t)(NLM_F_ACK | flags), &entry, address->bytes,
                    address->family == AF_INET ? 4 : 16);
    return ask(fd, &question, bytes, &body);
}

int neighbour_add(int fd, uint32_t index, const struct netlink_address *address)
{
    return change(fd, RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE, index, address);
}

int neighbour_remove(int fd, uint32_t index, const struct netlink_address *address)
{
    return change(fd, RTM_DELNEIGH, 0, index, address);
}
