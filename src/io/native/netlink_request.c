/* netlink_request.c — see netlink_request.h. */
#define _DEFAULT_SOURCE
#include "netlink_request.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/types.h>

_Static_assert(NETLINK_REQUEST_BYTES % NLMSG_ALIGNTO == 0, "padding fits where bytes do");
_Static_assert(NETLINK_NAME_BYTES <= NETLINK_VALUE_BYTES, "a name is a value");

static void append(struct netlink_request *request, const void *bytes, size_t length)
{
    if (request->too_long || length > sizeof request->bytes - request->head.nlmsg_len) {
        request->too_long = true;
        return;
    }
    memcpy(request->bytes + request->head.nlmsg_len, bytes, length);
    request->head.nlmsg_len += (uint32_t)NLMSG_ALIGN(length);
}

void netlink_begin(struct netlink_request *request, uint16_t type, uint16_t flags,
                   const void *fixed, size_t bytes)
{
    memset(request, 0, sizeof *request);
    request->head.nlmsg_len = sizeof request->head;
    request->head.nlmsg_type = type;
    request->head.nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags);
    request->head.nlmsg_seq = type;
    request->too_long = bytes > NETLINK_FIXED_BYTES;
    append(request, fixed, bytes);
}

void netlink_put(struct netlink_request *request, uint16_t type, const void *value, size_t bytes)
{
    struct rtattr head = { .rta_len = (uint16_t)(sizeof head + bytes), .rta_type = type };

    if (bytes > NETLINK_VALUE_BYTES)
        request->too_long = true;
    append(request, &head, sizeof head);
    append(request, value, bytes);
}

void netlink_put_u32(struct netlink_request *request, uint16_t type, uint32_t value)
{
    netlink_put(request, type, &value, sizeof value);
}

void netlink_put_address(struct netlink_request *request, uint16_t type,
                         const struct netlink_address *address)
{
    netlink_put(request, type, address->bytes, netlink_address_bytes(address));
}

int netlink_send(int fd, const struct netlink_request *request)
{
    if (request->too_long)
        return -EMSGSIZE;
    ssize_t sent = send(fd, request->bytes, request->head.nlmsg_len, 0);
    if (sent < 0)
        return -errno;
    return (size_t)sent == request->head.nlmsg_len ? 0 : -EIO;
}
