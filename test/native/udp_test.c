/* sources: udp.c udp_own.c */
/* udp_test.c — UDP sockets over loopback: segmenting, merging, long and short datagrams. */
#define _GNU_SOURCE
#include "udp.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/filter.h>
#include <poll.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <unistd.h>

#include "packets.h"

#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif

#define PROBE_GSO 1
#define PROBE_GRO 2
#define LARGE 65000u

struct batch {
    uint8_t datagrams[DATAGRAM_MOST * DATAGRAM_BYTES];
    uint8_t meta[DATAGRAM_MOST * DATAGRAM_META_BYTES];
};

static const char *loopback(int family)
{
    return family == AF_INET ? "127.0.0.1" : "::1";
}

static int open_socket(int family, uint16_t port)
{
    struct udp_options options = { .family = family, .address = loopback(family), .port = port,
                                   .device = "" };
    int fd = udp_open(&options);
    if (fd == -EADDRNOTAVAIL || fd == -EAFNOSUPPORT)
        return -1;
    CHECK(fd >= 0);
    return fd;
}

/* The address that a socket is bound to. */
static union address address_of(int fd)
{
    union address address;
    socklen_t length = sizeof address;
    memset(&address, 0, sizeof address);
    CHECK_EQUAL(getsockname(fd, &address.any, &length), 0);
    CHECK_EQUAL(length, address_length(&address));
    return address;
}

static void wait_readable(int fd)
{
    struct pollfd wait = { .fd = fd, .events = POLLIN };
    CHECK_EQUAL(poll(&wait, 1, 2000), 1);
}

static uint32_t length_in(const struct batch *batch, int i)
{
    uint32_t length;
    memcpy(&length, batch->meta + (size_t)i * DATAGRAM_META_BYTES, sizeof length);
    return length;
}

static void check_same_address(const uint8_t *at, const union address *expected)
{
    union address got;
    memset(&got, 0, sizeof got);
    memcpy(got.bytes, at, SOCKADDR_BYTES);
    CHECK_EQUAL(got.any.sa_family, expected->any.sa_family);
    if (got.any.sa_family == AF_INET)
        CHECK(got.v4.sin_addr.s_addr == expected->v4.sin_addr.s_addr);
    else
        CHECK(memcmp(&got.v6.sin6_addr, &expected->v6.sin6_addr, 16) == 0);
}

/* Datagrams of all lengths, with where they came from and where they went. */
static void test_lengths(int family, struct batch *batch)
{
    const size_t lengths[] = { 0, 1, 32, DATAGRAM_BYTES - 1, DATAGRAM_BYTES, DATAGRAM_BYTES + 1,
                               9000, 65400 };
    static uint8_t bytes[65536];
    int from = open_socket(family, 0), to = open_socket(family, 0);
    if (from < 0 || to < 0)
        return;
    union address source = address_of(from), target = address_of(to), none;
    int count = (int)(sizeof lengths / sizeof lengths[0]);

    memset(&none, 0, sizeof none);
    for (int i = 0; i < count; i++) {
        memset(bytes, i + 1, lengths[i]);
        CHECK_EQUAL(datagram_send(from, bytes, lengths[i], &target, &none), 0);
    }
    wait_readable(to);
    CHECK_EQUAL(datagram_receive(to, batch->datagrams, batch->meta, DATAGRAM_MOST), count);
    for (int i = 0; i < count; i++) {
        const uint8_t *meta = batch->meta + (size_t)i * DATAGRAM_META_BYTES;
        const uint8_t *datagram = batch->datagrams + (size_t)i * DATAGRAM_BYTES;
        bool cut = lengths[i] > DATAGRAM_BYTES;
        CHECK_EQUAL(length_in(batch, i), cut ? DATAGRAM_BYTES + 1 : lengths[i]);
        check_same_address(meta + 8, &source);
        CHECK_EQUAL(get16(meta + 10), ntohs(source.v4.sin_port));
        check_same_address(meta + 36, &target);
        for (size_t b = 0; b < lengths[i] && b < DATAGRAM_BYTES; b++)
            CHECK_EQUAL(datagram[b], i + 1);
    }
    CHECK_EQUAL(datagram_receive(to, batch->datagrams, batch->meta, DATAGRAM_MOST), 0);
    /* An answer from the address that was asked. */
    union address local;
    memset(&local, 0, sizeof local);
    memcpy(local.bytes, batch->meta + DATAGRAM_LOCAL_AT, SOCKADDR_BYTES);
    CHECK_EQUAL(datagram_send(to, bytes, 10, &source, &local), 0);
    wait_readable(from);
    CHECK_EQUAL(datagram_receive(from, batch->datagrams, batch->meta, 1), 1);
    check_same_address(batch->meta + 8, &target);
    /* What cannot be sent. */
    CHECK_EQUAL(datagram_send(from, bytes, 65536, &target, &none), -EMSGSIZE);
    CHECK_EQUAL(datagram_send(from, bytes, 10, &none, &none), -EDESTADDRREQ);
    close(from);
    close(to);
}

/* As many as came, and no more than there is room for. */
static void test_room(struct batch *batch)
{
    int from = open_socket(AF_INET, 0), to = open_socket(AF_INET, 0);
    union address target = address_of(to), none;
    const uint8_t byte = 7;

    memset(&none, 0, sizeof none);
    for (int i = 0; i < 40; i++)
        CHECK_EQUAL(datagram_send(from, &byte, 1, &target, &none), 0);
    wait_readable(to);
    CHECK_EQUAL(datagram_receive(to, batch->datagrams, batch->meta, 3), 3);
    CHECK_EQUAL(datagram_receive(to, batch->datagrams, batch->meta, 1000), (int)DATAGRAM_MOST);
    CHECK_EQUAL(datagram_receive(to, batch->datagrams, batch->meta, 1000), 5);
    close(from);
    close(to);
    CHECK_EQUAL(datagram_receive(to, batch->datagrams, batch->meta, 1), -EBADF);
}

static void send_segmented(int fd, const union address *to, uint8_t *bytes, size_t length,
                           uint16_t segment)
{
    _Alignas(struct cmsghdr) uint8_t control[CMSG_SPACE(sizeof segment)] = { 0 };
    struct iovec iov = { bytes, length };
    union address name = *to;
    struct msghdr message = { .msg_name = &name, .msg_namelen = address_length(to),
                              .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control,
                              .msg_controllen = sizeof control };
    struct cmsghdr *c = CMSG_FIRSTHDR(&message);
    *c = (struct cmsghdr){ .cmsg_len = CMSG_LEN(sizeof segment), .cmsg_level = IPPROTO_UDP,
                           .cmsg_type = UDP_SEGMENT };
    memcpy(CMSG_DATA(c), &segment, sizeof segment);
    CHECK_EQUAL(sendmsg(fd, &message, 0), (ssize_t)length);
}

/* One send of many datagrams, received as few messages whose stride tells the datagrams apart. */
static void test_gso_gro(int family)
{
    const struct { size_t bytes; uint16_t segment; } sends[] = {
        { 10500, 1000 }, { 10000, 1000 }, { 63888, 1452 }, { 64, 32 }, { 1000, 1000 },
    };
    static uint8_t bytes[LARGE], got[65535];
    int from = open_socket(family, 0), to = open_socket(family, 0);
    if (from < 0 || to < 0)
        return;
    if (udp_probe(from) != (PROBE_GSO | PROBE_GRO)) {
        printf("no UDP_SEGMENT or no UDP_GRO in this kernel\n");
        close(from);
        close(to);
        return;
    }
    CHECK_EQUAL(udp_gro(to, true), 0);
    union address target = address_of(to);
    for (size_t s = 0; s < sizeof sends / sizeof sends[0]; s++) {
        size_t received = 0;
        unsigned messages = 0;
        for (size_t i = 0; i < sends[s].bytes; i++)
            bytes[i] = (uint8_t)(i * 5 + s);
        send_segmented(from, &target, bytes, sends[s].bytes, sends[s].segment);
        while (received < sends[s].bytes) {
            _Alignas(struct cmsghdr) uint8_t control[128];
            struct iovec iov = { got, sizeof got };
            struct msghdr message = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control,
                                      .msg_controllen = sizeof control };
            wait_readable(to);
            ssize_t length = recvmsg(to, &message, 0);
            CHECK(length > 0);
            struct udp_arrival arrival;
            udp_arrived(&message, (size_t)length, &arrival);
            size_t stride = arrival.stride;
            CHECK(stride == sends[s].segment || stride == (size_t)length);
            CHECK(memcmp(got, bytes + received, (size_t)length) == 0);
            received += (size_t)length;
            messages++;
        }
        CHECK_EQUAL(received, sends[s].bytes);
        printf("%zu bytes in segments of %u: %u messages\n", sends[s].bytes, sends[s].segment,
               messages);
    }
    close(from);
    close(to);
}

static void test_refused(void)
{
    struct udp_options options = { .family = AF_INET, .address = "127.0.0.1", .device = "" };
    int fd = udp_open(&options);
    CHECK(fd >= 0);
    int port = udp_port(fd);
    CHECK(port > 0 && port <= 65535);
    options.port = (uint16_t)port;
    CHECK_EQUAL(udp_taken(&options), -EADDRINUSE);
    options.port = 0;
    CHECK_EQUAL(udp_taken(&options), 0);
    options.address = "127.0.0.256";
    CHECK_EQUAL(udp_open(&options), -EINVAL);
    options.address = "::1";
    CHECK_EQUAL(udp_open(&options), -EINVAL);
    options.family = AF_INET6;
    options.address = "127.0.0.1";
    CHECK_EQUAL(udp_open(&options), -EINVAL);
    options.family = AF_INET;
    options.address = "";
    options.device = "none-such-device";
    int result = udp_open(&options);
    CHECK(result == -ENODEV || result == -EPERM || result == -EINVAL);
    CHECK_EQUAL(udp_port(-1), -EBADF);
    CHECK_EQUAL(udp_gro(-1, true), -EBADF);
    CHECK_EQUAL(udp_probe(-1), 0);

    /* Programs: whole instructions, not too many, and only such as the kernel accepts. */
    const struct sock_filter refuse = BPF_STMT(BPF_RET | BPF_K, 0);
    const struct sock_filter endless = BPF_STMT(BPF_LD | BPF_IMM, 0);
    const uint8_t *program = (const uint8_t *)&refuse;
    static uint8_t huge[8 * 4097];
    CHECK_EQUAL(udp_filter(fd, false, program, 0), -EINVAL);
    CHECK_EQUAL(udp_filter(fd, false, program, 7), -EINVAL);
    CHECK_EQUAL(udp_filter(fd, false, huge, sizeof huge), -EINVAL);
    CHECK_EQUAL(udp_filter(fd, false, (const uint8_t *)&endless, 8), -EINVAL);
    CHECK_EQUAL(udp_filter(fd, false, program, 8), 0);
    close(fd);
}

/* A filter that refuses everything, and then one that takes everything. */
static void test_filter(struct batch *batch)
{
    int from = open_socket(AF_INET, 0), to = open_socket(AF_INET, 0);
    union address target = address_of(to), none;
    struct sock_filter program = BPF_STMT(BPF_RET | BPF_K, 0);
    const uint8_t one = 1, two = 2;

    memset(&none, 0, sizeof none);
    CHECK_EQUAL(udp_filter(to, false, (const uint8_t *)&program, 8), 0);
    CHECK_EQUAL(datagram_send(from, &one, 1, &target, &none), 0);
    program.k = UINT32_MAX;
    CHECK_EQUAL(udp_filter(to, false, (const uint8_t *)&program, 8), 0);
    CHECK_EQUAL(datagram_send(from, &two, 1, &target, &none), 0);
    wait_readable(to);
    CHECK_EQUAL(datagram_receive(to, batch->datagrams, batch->meta, 8), 1);
    CHECK_EQUAL(batch->datagrams[0], 2);
    close(from);
    close(to);
}

/* A connected socket hears its peer and nobody else. */
static void test_connected(struct batch *batch)
{
    int peer = open_socket(AF_INET, 0), other = open_socket(AF_INET, 0);
    int to = open_socket(AF_INET, 0);
    union address target = address_of(to), remote = address_of(peer), none;
    const uint8_t one = 1, two = 2;

    memset(&none, 0, sizeof none);
    CHECK_EQUAL(udp_connect(to, &remote), 0);
    CHECK_EQUAL(datagram_send(other, &two, 1, &target, &none), 0);
    CHECK_EQUAL(datagram_send(peer, &one, 1, &target, &none), 0);
    wait_readable(to);
    CHECK_EQUAL(datagram_receive(to, batch->datagrams, batch->meta, 8), 1);
    CHECK_EQUAL(batch->datagrams[0], 1);
    close(peer);
    close(other);
    close(to);
}

int main(void)
{
    struct batch *batch = calloc(1, sizeof *batch);
    CHECK(batch != NULL);

    test_lengths(AF_INET, batch);
    test_lengths(AF_INET6, batch);
    PASSED("datagrams of 0 to 65400 bytes; long ones are cut and marked");
    test_room(batch);
    PASSED("no more than there is room for");
    test_gso_gro(AF_INET);
    test_gso_gro(AF_INET6);
    PASSED("UDP_SEGMENT out, UDP_GRO in");
    test_refused();
    PASSED("what cannot be opened or attached is refused");
    test_filter(batch);
    PASSED("a socket filter");
    test_connected(batch);
    PASSED("a connected socket");
    free(batch);
    return 0;
}
