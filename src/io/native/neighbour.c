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

#include "netlink_request.h"

#define ANSWER_BYTES 4096u
/* Datagrams looked at for an answer; one that is left of an earlier question may come first. */
#define ANSWERS_MAX 4
#define KNOWN \
    (NUD_PERMANENT | NUD_NOARP | NUD_REACHABLE | NUD_STALE | NUD_DELAY | NUD_PROBE)
#define WITHOUT_TABLE (IFF_LOOPBACK | IFF_POINTOPOINT | IFF_NOARP)

/* The first message of the answer into `bytes` and `body`.   Returns its type or -errno. */
static int ask(int fd, const struct netlink_request *request, uint8_t bytes[ANSWER_BYTES],
               struct netlink_bytes *body)
{
    struct nlmsghdr head;
    int result = netlink_send(fd, request);

    if (result < 0)
        return result;
    for (int i = 0; i < ANSWERS_MAX; i++) {
        int got = netlink_receive(fd, bytes, ANSWER_BYTES);
        if (got < 0)
            return got;
        struct netlink_bytes datagram = { .at = bytes, .left = (size_t)got };
        if (!netlink_next_message(&datagram, &head, body) ||
            head.nlmsg_seq != request->head.nlmsg_seq)
            continue;
        if (head.nlmsg_type != NLMSG_ERROR)
            return head.nlmsg_type;
        return netlink_read_error(*body);
    }
    return -EPROTO;
}

int neighbour_open(void)
{
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);
    return fd < 0 ? -errno : fd;
}

// --- Whom the kernel knows

/* 1: straight to whom it is for, over what is then its link, 0: a router or nobody, or -errno. */
static int ask_way(int fd, struct netlink_flow *flow)
{
    uint8_t bytes[ANSWER_BYTES];
    struct netlink_bytes body;
    struct netlink_request request;
    struct netlink_way way;

    netlink_begin_way(&request, 0, flow, false);
    int result = ask(fd, &request, bytes, &body);
    if (result < 0)
        return result;
    if (result != RTM_NEWROUTE || !netlink_read_way(body, &way))
        return -EPROTO;
    flow->link = way.index;
    return way.index != 0 && way.router == 0 ? 1 : 0;
}

static void about_neighbour(struct netlink_request *request, uint16_t type, uint16_t flags,
                            const struct ndmsg *about, const struct netlink_address *address)
{
    netlink_begin(request, type, flags, about, sizeof *about);
    netlink_put_address(request, NDA_DST, address);
}

/* Before Linux 5.0 no single entry can be asked for: then nobody is known. */
static bool is_known(int fd, const struct netlink_flow *flow)
{
    uint8_t bytes[ANSWER_BYTES];
    struct netlink_bytes body;
    struct ndmsg entry = { .ndm_family = flow->to.family, .ndm_ifindex = (int)flow->link };
    struct netlink_request request;

    about_neighbour(&request, RTM_GETNEIGH, 0, &entry, &flow->to);
    return ask(fd, &request, bytes, &body) == RTM_NEWNEIGH &&
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
    const union address none = { .any.sa_family = AF_UNSPEC };
    bool same = local->any.sa_family == to->any.sa_family;
    struct netlink_flow flow;

    if (!netlink_flow_between(&flow, to, same ? local : &none))
        return -EDESTADDRREQ;
    flow.mark = mark;
    if (bound && same && flow.link == 0)
        flow.link = udp_interface(local);
    int direct = ask_way(fd, &flow);
    if (direct <= 0)
        return direct;
    return !is_known(fd, &flow) && has_table(fd, flow.link) ? 1 : 0;
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
    struct netlink_request request;

    if (index == 0 || index > INT32_MAX)
        return -ENODEV;
    about_neighbour(&request, type, (uint16_t)(NLM_F_ACK | flags), &entry, address);
    return ask(fd, &request, bytes, &body);
}

int neighbour_add(int fd, uint32_t index, const struct netlink_address *address)
{
    return change(fd, RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE, index, address);
}

int neighbour_remove(int fd, uint32_t index, const struct netlink_address *address)
{
    return change(fd, RTM_DELNEIGH, 0, index, address);
}
