/* udp.c — see udp.h. */
#define _GNU_SOURCE
#include "udp.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <netinet/udp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "arena.h"

#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif
#ifndef UDP_GRO
#define UDP_GRO 104
#endif

#define BUFFER_BYTES (7 * 1024 * 1024)
#define FILTER_INSTRUCTIONS_MAX 4096u
/* dup3() may say EBUSY while another thread opens a descriptor; dup(2). */
#define REPLACE_TRIES 100

socklen_t address_length(const union address *address)
{
    if (address->any.sa_family == AF_INET)
        return sizeof address->v4;
    return address->any.sa_family == AF_INET6 ? sizeof address->v6 : 0;
}

static int set_int(int fd, int level, int name, int value)
{
    return setsockopt(fd, level, name, &value, sizeof value) < 0 ? -errno : 0;
}

static int make_address(const struct udp_options *options, union address *out)
{
    memset(out, 0, sizeof *out);
    if (options->family == AF_INET) {
        out->v4.sin_family = AF_INET;
        out->v4.sin_port = htons(options->port);
        if (options->address[0] == '\0')
            return 0;
        return inet_pton(AF_INET, options->address, &out->v4.sin_addr) == 1 ? 0 : -EINVAL;
    }
    out->v6.sin6_family = AF_INET6;
    out->v6.sin6_port = htons(options->port);
    if (options->address[0] == '\0')
        return 0;
    return inet_pton(AF_INET6, options->address, &out->v6.sin6_addr) == 1 ? 0 : -EINVAL;
}

/* The forced form needs CAP_NET_ADMIN; without it the system's limit has to do. */
static int set_buffer(int fd, int name, int forced)
{
    return set_int(fd, SOL_SOCKET, forced, BUFFER_BYTES) == 0
               ? 0
               : set_int(fd, SOL_SOCKET, name, BUFFER_BYTES);
}

int udp_cutting(int fd, bool v6, enum udp_cutting cutting)
{
    const int values4[] = { IP_PMTUDISC_PROBE, IP_PMTUDISC_OMIT, IP_PMTUDISC_DONT };
    const int values6[] = { IPV6_PMTUDISC_PROBE, IPV6_PMTUDISC_OMIT, IPV6_PMTUDISC_DONT };

    return v6 ? set_int(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, values6[cutting])
              : set_int(fd, IPPROTO_IP, IP_MTU_DISCOVER, values4[cutting]);
}

static int set_options(int fd, const struct udp_options *options)
{
    bool v6 = options->family == AF_INET6;
    int result = set_int(fd, SOL_SOCKET, SO_REUSEPORT, 1);

    if (result == 0)
        result = set_buffer(fd, SO_RCVBUF, SO_RCVBUFFORCE);
    if (result == 0)
        result = set_buffer(fd, SO_SNDBUF, SO_SNDBUFFORCE);
    if (result == 0 && v6)
        result = set_int(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
    if (result == 0)
        result = v6 ? set_int(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1)
                    : set_int(fd, IPPROTO_IP, IP_PKTINFO, 1);
    if (result == 0)
        result = v6 ? set_int(fd, IPPROTO_IPV6, IPV6_RECVTCLASS, 1)
                    : set_int(fd, IPPROTO_IP, IP_RECVTOS, 1);
    if (result == 0)
        result = udp_fix_hops(fd, fd, v6);
    if (result == 0)
        result = udp_cutting(fd, v6, v6 ? UDP_CUT_AS_TOLD : UDP_CUT);
    if (result == 0 && options->mark != 0)
        result = udp_mark(fd, options->mark);
    if (result == 0 && options->device[0] != '\0') {
        socklen_t length = (socklen_t)strlen(options->device);
        if (setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, options->device, length) < 0)
            result = -errno;
    }
    return result;
}

int udp_open(const struct udp_options *options)
{
    union address address;
    int result = make_address(options, &address);
    if (result < 0)
        return result;
    int fd = socket(options->family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_UDP);
    if (fd < 0)
        return -errno;
    result = set_options(fd, options);
    if (result == 0 && bind(fd, &address.any, address_length(&address)) < 0)
        result = -errno;
    if (result < 0) {
        close(fd);
        return result;
    }
    return fd;
}

int udp_taken(const struct udp_options *options)
{
    union address address;
    int result = make_address(options, &address);
    if (result < 0)
        return result;
    int fd = socket(options->family, SOCK_DGRAM | SOCK_CLOEXEC, IPPROTO_UDP);
    if (fd < 0)
        return -errno;
    if (options->family == AF_INET6)
        result = set_int(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
    if (result == 0 && options->device[0] != '\0') {
        socklen_t length = (socklen_t)strlen(options->device);
        if (setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, options->device, length) < 0)
            result = -errno;
    }
    if (result == 0 && bind(fd, &address.any, address_length(&address)) < 0)
        result = -errno;
    close(fd);
    return result;
}

int udp_port(int fd)
{
    union address address;
    socklen_t length = sizeof address;

    if (getsockname(fd, &address.any, &length) < 0)
        return -errno;
    return ntohs(address.any.sa_family == AF_INET ? address.v4.sin_port : address.v6.sin6_port);
}

int udp_mark(int fd, uint32_t mark)
{
    return set_int(fd, SOL_SOCKET, SO_MARK, (int)mark);
}

int udp_replace(int new_fd, int old_fd)
{
    int result = -EBUSY;

    if (new_fd == old_fd)
        return -EINVAL;
    /* Only a socket takes a socket's place: a wrong number must not cost another descriptor. */
    if (udp_port(old_fd) < 0)
        result = -EBADF;
    for (int tries = 0; result == -EBUSY && tries < REPLACE_TRIES; tries++)
        result = dup3(new_fd, old_fd, O_CLOEXEC) < 0 ? -errno : 0;
    close(new_fd);
    return result;
}

int udp_hush(int fd)
{
    const struct sock_filter none = BPF_STMT(BPF_RET | BPF_K, 0);
    int family = 0;
    socklen_t length = sizeof family;

    if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &family, &length) < 0)
        return -errno;
    int silent = socket(family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_UDP);
    if (silent < 0)
        return -errno;
    /*
     * A send would give it a port first (inet_autobind()): so nothing is let in, and nothing out.
     * shutdown() of a socket without a peer takes effect and says ENOTCONN; net/ipv4/af_inet.c.
     */
    int result = udp_filter(silent, false, (const uint8_t *)&none, sizeof none);
    if (result == 0 && shutdown(silent, SHUT_WR) < 0 && errno != ENOTCONN)
        result = -errno;
    if (result < 0) {
        close(silent);
        return result;
    }
    return udp_replace(silent, fd);
}

int udp_probe(int fd)
{
    int value = 0, bits = 0;
    socklen_t length = sizeof value;

    if (getsockopt(fd, IPPROTO_UDP, UDP_SEGMENT, &value, &length) == 0)
        bits |= UDP_TAKES_SEGMENT;
    /*
     * Readable since 5.12; older kernels have it without our being able to tell (facts 1.5). What
     * was switched on must say so: an option that is taken and ignored is none.
     */
    length = sizeof value;
    value = 0;
    if (udp_gro(fd, true) == 0 &&
        getsockopt(fd, IPPROTO_UDP, UDP_GRO, &value, &length) == 0 && value == 1)
        bits |= UDP_TAKES_GRO;
    return bits;
}

int udp_gro(int fd, bool on)
{
    return set_int(fd, IPPROTO_UDP, UDP_GRO, on ? 1 : 0);
}

int udp_connect(int fd, const union address *address)
{
    return connect(fd, &address->any, address_length(address)) < 0 ? -errno : 0;
}

int udp_filter(int fd, bool group, const uint8_t *program, size_t bytes)
{
    struct sock_filter instructions[FILTER_INSTRUCTIONS_MAX];
    size_t length = bytes / sizeof instructions[0];

    if (bytes == 0 || bytes % sizeof instructions[0] != 0 || length > FILTER_INSTRUCTIONS_MAX)
        return -EINVAL;
    memcpy(instructions, program, bytes);
    struct sock_fprog attach = { .len = (unsigned short)length, .filter = instructions };
    int name = group ? SO_ATTACH_REUSEPORT_CBPF : SO_ATTACH_FILTER;
    return setsockopt(fd, SOL_SOCKET, name, &attach, sizeof attach) < 0 ? -errno : 0;
}

/* The local address and the interface; sin_zero is free, so that the index travels there. */
static void read_local4(const struct cmsghdr *c, union address *local)
{
    struct in_pktinfo info;
    memcpy(&info, CMSG_DATA(c), sizeof info);
    local->v4.sin_family = AF_INET;
    local->v4.sin_addr = info.ipi_spec_dst;
    memcpy(local->v4.sin_zero, &info.ipi_ifindex, sizeof info.ipi_ifindex);
}

static void read_local6(const struct cmsghdr *c, union address *local)
{
    struct in6_pktinfo info;
    memcpy(&info, CMSG_DATA(c), sizeof info);
    local->v6.sin6_family = AF_INET6;
    local->v6.sin6_addr = info.ipi6_addr;
    local->v6.sin6_scope_id = info.ipi6_ifindex;
}

void udp_arrived(struct msghdr *message, size_t bytes, struct udp_arrival *out)
{
    memset(&out->local, 0, sizeof out->local);
    out->stride = bytes;
    out->ecn = 0;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c != NULL; c = CMSG_NXTHDR(message, c)) {
        size_t room = c->cmsg_len < CMSG_LEN(0) ? 0 : c->cmsg_len - CMSG_LEN(0);
        int value = 0;

        if (c->cmsg_level == IPPROTO_UDP && c->cmsg_type == UDP_GRO && room >= sizeof value) {
            memcpy(&value, CMSG_DATA(c), sizeof value);
            if (value > 0)
                out->stride = (size_t)value;
        } else if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO &&
                   room >= sizeof(struct in_pktinfo)) {
            read_local4(c, &out->local);
        } else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO &&
                   room >= sizeof(struct in6_pktinfo)) {
            read_local6(c, &out->local);
        } else if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_TOS && room >= 1) {
            out->ecn = *CMSG_DATA(c) & 3u; /* one byte; ip(7) */
        } else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_TCLASS &&
                   room >= sizeof value) {
            memcpy(&value, CMSG_DATA(c), sizeof value);
            out->ecn = (uint32_t)value & 3u;
        }
    }
}

static size_t put_control(uint8_t *at, int level, int type, const void *data, size_t bytes)
{
    struct cmsghdr *c = (struct cmsghdr *)(void *)at;
    *c = (struct cmsghdr){ .cmsg_len = CMSG_LEN(bytes), .cmsg_level = level, .cmsg_type = type };
    memcpy(CMSG_DATA(c), data, bytes);
    return CMSG_SPACE(bytes);
}

size_t udp_put_segment(uint8_t *at, uint16_t bytes)
{
    return put_control(at, IPPROTO_UDP, UDP_SEGMENT, &bytes, sizeof bytes);
}

size_t udp_put_ecn(uint8_t *at, int family, uint32_t ecn)
{
    int value = (int)(ecn & 3);
    return family == AF_INET ? put_control(at, IPPROTO_IP, IP_TOS, &value, sizeof value)
                             : put_control(at, IPPROTO_IPV6, IPV6_TCLASS, &value, sizeof value);
}

/* The interface is left to the routes, but for a link-local address, which means nothing alone. */
size_t udp_put_local(uint8_t *at, const union address *local)
{
    if (local->any.sa_family == AF_INET) {
        struct in_pktinfo info = { .ipi_spec_dst = local->v4.sin_addr };
        return put_control(at, IPPROTO_IP, IP_PKTINFO, &info, sizeof info);
    }
    struct in6_pktinfo info = { .ipi6_addr = local->v6.sin6_addr };
    if (IN6_IS_ADDR_LINKLOCAL(&local->v6.sin6_addr))
        info.ipi6_ifindex = local->v6.sin6_scope_id;
    return put_control(at, IPPROTO_IPV6, IPV6_PKTINFO, &info, sizeof info);
}

bool udp_local_refused(int error)
{
    return error == EINVAL || error == EADDRNOTAVAIL || error == ENETUNREACH;
}

int datagram_receive(int fd, uint8_t *datagrams, uint8_t *meta, size_t room)
{
    struct mmsghdr messages[DATAGRAM_MOST] = { 0 };
    struct iovec iov[DATAGRAM_MOST];
    struct udp_arrival arrivals[DATAGRAM_MOST];
    _Alignas(struct cmsghdr) uint8_t control[DATAGRAM_MOST][UDP_CONTROL_BYTES];
    unsigned int want = room < DATAGRAM_MOST ? (unsigned int)room : DATAGRAM_MOST;

    memset(arrivals, 0, sizeof arrivals);
    for (unsigned int i = 0; i < want; i++) {
        iov[i] = (struct iovec){ datagrams + (size_t)i * DATAGRAM_BYTES, DATAGRAM_BYTES };
        messages[i].msg_hdr = (struct msghdr){
            .msg_name = &arrivals[i].from, .msg_namelen = sizeof arrivals[i].from,
            .msg_iov = &iov[i], .msg_iovlen = 1,
            .msg_control = control[i], .msg_controllen = sizeof control[i],
        };
    }
    int got = recvmmsg(fd, messages, want, MSG_DONTWAIT, NULL);
    if (got < 0)
        return errno == EAGAIN || errno == EINTR ? 0 : -errno;
    for (int i = 0; i < got; i++) {
        uint8_t *out = meta + (size_t)i * DATAGRAM_META_BYTES;
        bool cut = (messages[i].msg_hdr.msg_flags & MSG_TRUNC) != 0;

        udp_arrived(&messages[i].msg_hdr, messages[i].msg_len, &arrivals[i]);
        memset(out, 0, DATAGRAM_META_BYTES);
        store32(out, cut ? DATAGRAM_BYTES + 1 : messages[i].msg_len);
        memcpy(out + DATAGRAM_FROM_AT, arrivals[i].from.bytes, SOCKADDR_BYTES);
        memcpy(out + DATAGRAM_LOCAL_AT, arrivals[i].local.bytes, SOCKADDR_BYTES);
    }
    return got;
}

int datagram_send(int fd, const uint8_t *datagram, size_t bytes, const union address *to,
                  const union address *local)
{
    struct iovec iov = { .iov_base = (void *)(uintptr_t)datagram, .iov_len = bytes };
    _Alignas(struct cmsghdr) uint8_t control[UDP_CONTROL_BYTES] = { 0 };
    union address name = *to;
    struct msghdr message = {
        .msg_name = &name, .msg_namelen = address_length(to), .msg_iov = &iov, .msg_iovlen = 1,
    };

    if (message.msg_namelen == 0)
        return -EDESTADDRREQ;
    if (local->any.sa_family == to->any.sa_family) {
        message.msg_control = control;
        message.msg_controllen = udp_put_local(control, local);
    }
    ssize_t sent = sendmsg(fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent < 0 && message.msg_control != NULL && udp_local_refused(errno)) {
        message.msg_control = NULL;
        message.msg_controllen = 0;
        sent = sendmsg(fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
    }
    return sent < 0 ? -errno : 0;
}
