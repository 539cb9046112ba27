/*
 * netlink_read.c — takes netlink's datagrams apart: messages, fixed headers, attributes.
 *
 * Everything is copied out with memcpy, so alignment never matters, and no length of the sender's
 * is believed beyond what was received.
 */
#define _DEFAULT_SOURCE
#include "netlink.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/types.h>

int netlink_receive(int fd, uint8_t *bytes, size_t room)
{
    struct sockaddr_nl from = {0};
    struct iovec piece = {.iov_base = bytes, .iov_len = room};
    struct msghdr message = {
        .msg_name = &from, .msg_namelen = sizeof from, .msg_iov = &piece, .msg_iovlen = 1};
    ssize_t got;
    do {
        got = recvmsg(fd, &message, 0);
    } while (got < 0 && errno == EINTR);
    if (got < 0)
        return -errno;
    /* netlink(7): "nl_pid is ... 0 if the destination is in the kernel"; so is its source. */
    if (message.msg_namelen != sizeof from || from.nl_pid != 0)
        return 0;
    if (message.msg_flags & MSG_TRUNC)
        return -EMSGSIZE;
    return (int)got;
}

bool netlink_take(struct netlink_bytes *rest, void *out, size_t bytes)
{
    if (rest->left < bytes)
        return false;
    memcpy(out, rest->at, bytes);
    rest->at += bytes;
    rest->left -= bytes;
    return true;
}

/* Passes over `bytes` and their padding to 4; the last piece may come without padding. */
static void pass(struct netlink_bytes *rest, size_t bytes)
{
    size_t padded = (bytes + 3) & ~(size_t)3;
    if (padded > rest->left)
        padded = rest->left;
    rest->at += padded;
    rest->left -= padded;
}

bool netlink_next_message(struct netlink_bytes *rest, struct nlmsghdr *head,
                          struct netlink_bytes *body)
{
    if (rest->left < sizeof *head)
        return false;
    memcpy(head, rest->at, sizeof *head);
    if (head->nlmsg_len < sizeof *head || head->nlmsg_len > rest->left)
        return false;
    body->at = rest->at + sizeof *head;
    body->left = head->nlmsg_len - sizeof *head;
    pass(rest, head->nlmsg_len);
    return true;
}

bool netlink_next_attribute(struct netlink_bytes *rest, uint16_t *type,
                            struct netlink_bytes *value)
{
    struct rtattr head;
    if (rest->left < sizeof head)
        return false;
    memcpy(&head, rest->at, sizeof head);
    if (head.rta_len < sizeof head || head.rta_len > rest->left)
        return false;
    *type = (uint16_t)(head.rta_type & NLA_TYPE_MASK);
    value->at = rest->at + sizeof head;
    value->left = head.rta_len - sizeof head;
    pass(rest, head.rta_len);
    return true;
}

uint32_t netlink_u32(struct netlink_bytes value)
{
    uint32_t word = 0;
    if (value.left >= sizeof word)
        memcpy(&word, value.at, sizeof word);
    return word;
}

int netlink_read_error(struct netlink_bytes body)
{
    int32_t error;
    return netlink_take(&body, &error, sizeof error) && error <= 0 ? error : -EPROTO;
}

bool netlink_read_link(struct netlink_bytes body, uint8_t *family, struct netlink_link *out)
{
    struct ifinfomsg info;
    struct netlink_bytes value;
    uint16_t type;
    memset(out, 0, sizeof *out);
    if (!netlink_take(&body, &info, sizeof info) || info.ifi_index <= 0)
        return false;
    *family = info.ifi_family;
    out->index = (uint32_t)info.ifi_index;
    out->flags = info.ifi_flags;
    while (netlink_next_attribute(&body, &type, &value)) {
        if (type == IFLA_MTU)
            out->mtu = netlink_u32(value);
        if (type == IFLA_IFNAME && value.left <= sizeof out->name) {
            memcpy(out->name, value.at, value.left);
            out->name[sizeof out->name - 1] = '\0';
        }
    }
    return true;
}
