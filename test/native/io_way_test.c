/* sources: io.c io_inbound.c io_deliver.c io_outbound.c io_pass.c merge.c split.c checksum.c replay.c tun.c udp.c netlink.c netlink_read.c */
/*
 * io_way_test.c — how a datagram travels: from and to which local address, with which ECN bits, how
 * large, and through which socket while sockets are replaced. The peer is a plain UDP socket.
 */
#define _GNU_SOURCE
#include "io_lab.h"

#include <fcntl.h>

#include "checksum.h"
#include "ecn.h"
#include "netlink.h"

#define ECT1 1u
#define ECT0 2u

/* The peer's end, and what came last. */
struct far {
    int fd;
    union address self;
    struct udp_arrival last;
    uint8_t bytes[70000];
};

static union address make_address(const char *text, uint16_t port)
{
    union address out;
    memset(&out, 0, sizeof out);
    if (inet_pton(AF_INET, text, &out.v4.sin_addr) == 1) {
        out.v4.sin_family = AF_INET;
        out.v4.sin_port = htons(port);
        return out;
    }
    CHECK(inet_pton(AF_INET6, text, &out.v6.sin6_addr) == 1);
    out.v6.sin6_family = AF_INET6;
    out.v6.sin6_port = htons(port);
    return out;
}

static bool same_host(const union address *a, const char *text)
{
    union address b = make_address(text, 0);
    if (a->any.sa_family != b.any.sa_family)
        return false;
    return a->any.sa_family == AF_INET ? a->v4.sin_addr.s_addr == b.v4.sin_addr.s_addr
                                       : memcmp(&a->v6.sin6_addr, &b.v6.sin6_addr, 16) == 0;
}

static void open_far(struct far *far, const char *host)
{
    struct udp_options options = { .address = host, .device = "" };
    options.family = make_address(host, 0).any.sa_family;
    far->fd = udp_open(&options);
    CHECK(far->fd >= 0);
    far->self = make_address(host, (uint16_t)udp_port(far->fd));
}

/* Bytes of the next datagram; who sent it and how is in `last`. 0: none within a second. */
static size_t hear(struct far *far)
{
    _Alignas(struct cmsghdr) uint8_t control[UDP_CONTROL_BYTES];
    struct iovec iov = { far->bytes, sizeof far->bytes };
    struct msghdr message = { .msg_name = &far->last.from, .msg_namelen = sizeof far->last.from,
                              .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control,
                              .msg_controllen = sizeof control };
    struct pollfd wait = { .fd = far->fd, .events = POLLIN };
    if (poll(&wait, 1, 1000) != 1)
        return 0;
    ssize_t got = recvmsg(far->fd, &message, 0);
    CHECK(got > 0);
    udp_arrived(&message, (size_t)got, &far->last);
    return (size_t)got;
}

/* Sends `bytes` of transport data with outer ECN bits to one of our addresses. */
static void say(const struct far *far, const char *to, uint16_t port, uint32_t ecn,
                const uint8_t *datagram, size_t bytes)
{
    union address address = make_address(to, port);
    int value = (int)ecn;
    bool v4 = address.any.sa_family == AF_INET;
    CHECK_EQUAL(setsockopt(far->fd, v4 ? IPPROTO_IP : IPPROTO_IPV6, v4 ? IP_TOS : IPV6_TCLASS,
                           &value, sizeof value), 0);
    CHECK_EQUAL(sendto(far->fd, datagram, bytes, 0, &address.any, address_length(&address)),
                (ssize_t)bytes);
}

static void make_keepalive(uint8_t datagram[32], uint64_t counter)
{
    memset(datagram, 0, 32);
    store32(datagram, 4);
    store32(datagram + 4, INDEX);
    store64(datagram + 8, counter);
}

/* One authentic keepalive to `to`: what io_accept says of it. */
static int accept_keepalive(struct lab *lab, const struct far *far, const char *to, uint16_t port)
{
    uint8_t datagram[32];
    make_keepalive(datagram, load64(session_at(lab, 1) + SESSION_LAST_COUNTER) + 1);
    say(far, to, port, 0, datagram, sizeof datagram);
    CHECK_EQUAL(receive_runs(lab), 1);
    return io_accept(lab->io, 0);
}

/* Control's part: where the peer is, and where it is answered from. */
static void set_way(struct lab *lab, const union address *to, const char *local)
{
    union address from = make_address(local, 0);
    memcpy(peer_at(lab) + PEER_ENDPOINT, to->bytes, SOCKADDR_BYTES);
    memcpy(peer_at(lab) + PEER_LOCAL, from.bytes, SOCKADDR_BYTES);
}

/* The next packets leave; each must reach the far end from `host`. */
static void check_source(struct lab *lab, struct far *far, const char *host)
{
    int sent;
    send_inner(lab, 3000, 1000);
    read_run(lab, 3);
    prepare_and_send(lab, &sent);
    CHECK_EQUAL(sent, 3);
    for (int i = 0; i < 3; i++) {
        CHECK(hear(far) > 1000);
        CHECK(same_host(&far->last.from, host));
    }
}

/* Puts a socket of another family or address in the place of the lab's; returns its port. */
static uint16_t replace_socket(struct lab *lab, int old_fd, int family, uint16_t port)
{
    struct udp_options options = { .family = family, .address = "", .device = "", .port = port };
    int fd = udp_open(&options);
    CHECK(fd >= 0);
    CHECK_EQUAL(udp_gro(fd, true), 0);
    CHECK_EQUAL(udp_replace(fd, old_fd), 0);
    CHECK_EQUAL(fcntl(fd, F_GETFD), -1);
    CHECK(fcntl(old_fd, F_GETFD) & FD_CLOEXEC);
    CHECK_EQUAL(io_rebind(lab->io), 0);
    return (uint16_t)udp_port(old_fd);
}

static void test_local(struct lab *lab, uint16_t port, const char *far_host, const char *one,
                       const char *other, const char *strange)
{
    static struct far far;
    uint64_t refused = counted(lab, COUNT_LOCAL_REFUSED);

    open_far(&far, far_host);
    CHECK_EQUAL(accept_keepalive(lab, &far, one, port), ACCEPT_AUTHENTIC | ACCEPT_ROAMED);
    const uint8_t *job = job_at(lab, 0);
    union address local;
    memcpy(local.bytes, job + JOB_LOCAL, SOCKADDR_BYTES);
    CHECK(same_host(&local, one));
    CHECK(memcmp(job + JOB_SOURCE, far.self.bytes, 8) == 0);
    set_way(lab, &far.self, one);
    CHECK_EQUAL(accept_keepalive(lab, &far, one, port), ACCEPT_AUTHENTIC);
    check_source(lab, &far, one);
    /* Only the local address is another: told as well, but not at once again. */
    usleep(25000);
    CHECK_EQUAL(accept_keepalive(lab, &far, other, port), ACCEPT_AUTHENTIC | ACCEPT_ROAMED);
    CHECK_EQUAL(accept_keepalive(lab, &far, other, port), ACCEPT_AUTHENTIC);
    set_way(lab, &far.self, other);
    check_source(lab, &far, other);
    CHECK_EQUAL(counted(lab, COUNT_LOCAL_REFUSED), refused);
    /* An address that the host does not have: the kernel chooses, until something arrives. */
    set_way(lab, &far.self, strange);
    check_source(lab, &far, far_host);
    CHECK_EQUAL(counted(lab, COUNT_LOCAL_REFUSED) - refused, 1);
    set_way(lab, &far.self, other);
    check_source(lab, &far, far_host);
    CHECK_EQUAL(load32(peer_at(lab) + PEER_LOCAL_REFUSED), 1);
    CHECK_EQUAL(accept_keepalive(lab, &far, other, port), ACCEPT_AUTHENTIC);
    check_source(lab, &far, other);
    CHECK_EQUAL(counted(lab, COUNT_LOCAL_REFUSED) - refused, 1);
    close(far.fd);
}

/* A datagram around an IPv4 packet without payload, or an IPv6 one, with these ECN bits. */
static size_t make_inner(uint8_t *datagram, uint64_t counter, bool v4, uint32_t ecn)
{
    uint8_t *packet = datagram + DATA_HEADER_BYTES;
    memset(datagram, 0, 80);
    make_keepalive(datagram, counter);
    if (!v4) {
        store32_be(packet, 6u << 28 | ecn << 20);
        return DATA_HEADER_BYTES + 48 + TAG_BYTES;
    }
    store32_be(packet, 0x45u << 24 | ecn << 16 | 20);
    uint16_t check = (uint16_t)~sum_fold(sum_bytes(packet, 20));
    memcpy(packet + 10, &check, 2);
    return DATA_HEADER_BYTES + 32 + TAG_BYTES;
}

/* RFC 6040, figure 4: rows are inner, columns outer; 4: dropped. */
static void test_ecn_in(struct lab *lab, uint16_t port, const char *to, const char *far_host)
{
    const uint32_t expected[4][4] = { { 0, 0, 0, 4 }, { 1, 1, 1, 3 }, { 2, 2, 2, 3 },
                                      { 3, 3, 3, 3 } };
    static struct far far;
    uint8_t datagram[80];
    uint64_t dropped = counted(lab, DROP_ECN_NOT_CAPABLE), marked = counted(lab, COUNT_ECN_MARKED);

    open_far(&far, far_host);
    set_way(lab, &far.self, to);
    for (uint32_t i = 0; i < 32; i++) {
        uint32_t inner = i / 4 % 4, outer = i % 4, result = expected[inner][outer];
        uint64_t counter = load64(session_at(lab, 1) + SESSION_LAST_COUNTER) + 1;
        size_t bytes = make_inner(datagram, counter, i < 16, inner);
        say(&far, to, port, outer, datagram, bytes);
        CHECK_EQUAL(receive_runs(lab), 1);
        CHECK_EQUAL(load32(job_at(lab, 0) + JOB_ECN), outer);
        CHECK_EQUAL(io_accept(lab->io, 0), ACCEPT_AUTHENTIC | (result == 4 ? 0 : 1));
        struct segments segments;
        CHECK(segments_of(&lab->arena, job_at(lab, 0), &segments));
        const uint8_t *packet = segments.at + DATA_HEADER_BYTES;
        if (result != 4)
            CHECK_EQUAL(ecn_of(packet), result);
        if (i < 16)
            CHECK_EQUAL(sum_fold(sum_bytes(packet, 20)), 0xffff);
    }
    CHECK_EQUAL(counted(lab, DROP_ECN_NOT_CAPABLE) - dropped, 2);
    CHECK_EQUAL(counted(lab, COUNT_ECN_MARKED) - marked, 4);
    close(far.fd);
}

/* Datagrams that the network treated in different ways are not one run, alike ones are. */
static void test_ecn_runs(struct lab *lab, uint16_t port)
{
    static struct far far;
    uint8_t datagram[32];
    const uint32_t outer[] = { 0, 0, ECT0, ECT0, ECN_CE, 0 };

    open_far(&far, "127.0.0.1");
    CHECK_EQUAL(udp_gro(lab->udp, false), 0);
    for (uint32_t i = 0; i < sizeof outer / sizeof outer[0]; i++) {
        make_keepalive(datagram, i);
        say(&far, "127.0.0.1", port, outer[i], datagram, sizeof datagram);
    }
    CHECK_EQUAL(receive_runs(lab), 4);
    CHECK_EQUAL(load32(job_at(lab, 0) + JOB_COUNT), 2);
    CHECK_EQUAL(load32(job_at(lab, 1) + JOB_COUNT), 2);
    CHECK_EQUAL(load32(job_at(lab, 1) + JOB_ECN), ECT0);
    CHECK_EQUAL(load32(job_at(lab, 2) + JOB_ECN), ECN_CE);
    CHECK_EQUAL(udp_gro(lab->udp, true), 0);
    close(far.fd);
}

/* What the host's packets say outside is what they say inside, DSCP apart. */
static void test_ecn_out(struct lab *lab, const char *far_host, const char *local)
{
    static struct far far;
    int sent;

    open_far(&far, far_host);
    set_way(lab, &far.self, local);
    for (int ecn = 0; ecn < 4; ecn++) {
        int tos = 0xb8 | ecn; /* DSCP EF */
        CHECK_EQUAL(setsockopt(lab->sender, IPPROTO_IP, IP_TOS, &tos, sizeof tos), 0);
        send_inner(lab, 3000, 1000);
        read_run(lab, 3);
        CHECK_EQUAL(load32(job_at(lab, OUT_JOB) + JOB_ECN), ecn);
        prepare_and_send(lab, &sent);
        CHECK_EQUAL(sent, 3);
        for (int i = 0; i < 3; i++) {
            CHECK(hear(&far) > 1000);
            CHECK_EQUAL(far.last.ecn, ecn);
            CHECK(same_host(&far.last.from, local));
        }
    }
    int none = 0;
    CHECK_EQUAL(setsockopt(lab->sender, IPPROTO_IP, IP_TOS, &none, sizeof none), 0);
    close(far.fd);
}

/* The MTU changes while packets flow; from the TUN to the TUN, by ourselves. */
static void test_mtu(struct lab *lab, uint16_t port)
{
    const struct { uint32_t mtu; size_t bytes; int segment; uint32_t packets; } trips[] = {
        { 9000, 5 * 8972, 8972, 5 }, { 34000, 33972, 33972, 1 }, { 65455, 65427, 65427, 1 },
        { 1280, 4 * 1252, 1252, 4 }, { 9000, 8972, 8972, 1 }, { MTU, 3000, 1000, 3 },
    };
    union address self = make_address("127.0.0.1", port);
    int sent;
    unsigned packets;

    set_way(lab, &self, "127.0.0.1");
    for (size_t i = 0; i < sizeof trips / sizeof trips[0]; i++) {
        set_mtu(lab, trips[i].mtu);
        send_inner(lab, trips[i].bytes, trips[i].segment);
        read_run(lab, trips[i].packets);
        uint8_t *out = job_at(lab, OUT_JOB);
        uint64_t first = load64(session_at(lab, 1) + SESSION_LAST_COUNTER) + 1;
        store64(session_at(lab, 0) + SESSION_SEND_COUNTER, first);
        prepare_and_send(lab, &sent);
        CHECK_EQUAL(sent, trips[i].packets);
        CHECK_EQUAL(receive_runs(lab), 1);
        const uint8_t *job = job_at(lab, 0);
        CHECK_EQUAL(load32(job + JOB_COUNT), trips[i].packets);
        CHECK_EQUAL(load32(job + JOB_SEGMENT_BYTES), load32(out + JOB_SEGMENT_BYTES));
        CHECK_EQUAL(io_accept(lab->io, 0), ACCEPT_AUTHENTIC | 1);
        empty_sniffer(lab);
        CHECK_EQUAL(io_tun_write(lab->io, 0, UINT64_MAX), (int)trips[i].packets);
        CHECK_EQUAL(sniffed(lab, &packets), trips[i].bytes);
    }
    /* Lowered here before the link's: what is larger is counted. */
    uint64_t invalid = counted(lab, DROP_TUN_INVALID);
    store32(entry(&lab->arena, REGION_ENGINE, ENGINE_SIZE, 0) + ENGINE_MTU, 1000);
    send_inner(lab, 1200, 1200);
    (void)ready_for(lab, READY_TUN);
    store32(job_at(lab, OUT_JOB) + JOB_SLOT, SLOTS - 1);
    CHECK_EQUAL(io_tun_read(lab->io, OUT_JOB), 0);
    CHECK_EQUAL(counted(lab, DROP_TUN_INVALID) - invalid, 1);
    set_mtu(lab, MTU);
}

/* Nothing goes through a hushed socket, its port is free, and the next socket takes over. */
static void test_hush(struct lab *lab, uint16_t port)
{
    static struct far far;
    uint8_t datagram[32];
    struct udp_options options = { .family = AF_INET, .address = "", .port = port, .device = "" };
    int sent;

    open_far(&far, "127.0.0.1");
    set_way(lab, &far.self, "127.0.0.1");
    CHECK_EQUAL(udp_taken(&options), -EADDRINUSE);
    CHECK_EQUAL(udp_hush(lab->udp), 0);
    CHECK_EQUAL(io_rebind(lab->io), 0);
    CHECK_EQUAL(udp_taken(&options), 0);
    CHECK_EQUAL(udp_port(lab->udp), 0);
    make_keepalive(datagram, 1);
    say(&far, "127.0.0.1", port, 0, datagram, sizeof datagram);
    CHECK_EQUAL(io_poll(lab->io, 20) & READY_UDP, 0);
    uint64_t refused = counted(lab, DROP_SEND_REFUSED);
    send_inner(lab, 3000, 1000);
    read_run(lab, 3);
    prepare_and_send(lab, &sent);
    CHECK_EQUAL(sent, 0);
    CHECK_EQUAL(counted(lab, DROP_SEND_REFUSED) - refused, 3);
    /* The attempt may have given it a port; what is sent there is not heard. */
    int chosen = udp_port(lab->udp);
    if (chosen > 0)
        say(&far, "127.0.0.1", (uint16_t)chosen, 0, datagram, sizeof datagram);
    CHECK_EQUAL(io_poll(lab->io, 20) & READY_UDP, 0);
    CHECK_EQUAL(replace_socket(lab, lab->udp, AF_INET, port), port);
    CHECK_EQUAL(accept_keepalive(lab, &far, "127.0.0.1", port), ACCEPT_AUTHENTIC);
    check_source(lab, &far, "127.0.0.1");
    CHECK_EQUAL(udp_replace(lab->udp, lab->udp), -EINVAL);
    CHECK_EQUAL(udp_replace(dup(lab->udp), lab->wake), -EBADF);
    CHECK_EQUAL(udp_replace(dup(lab->udp), -1), -EBADF);
    CHECK_EQUAL(udp_hush(-1), -EBADF);
    CHECK_EQUAL(udp_hush(lab->wake), -ENOTSOCK);
    close(far.fd);
}

/* While there is no room, only the bell wakes, and what waits is there afterwards. */
static void test_bell(struct lab *lab, uint16_t port)
{
    static struct far far;
    uint8_t datagram[32];

    open_far(&far, "127.0.0.1");
    make_keepalive(datagram, 1);
    say(&far, "127.0.0.1", port, 0, datagram, sizeof datagram);
    uint64_t turns = counted(lab, COUNT_LOOPS);
    CHECK_EQUAL(io_poll_wake(lab->io, 30), 0);
    CHECK_EQUAL(counted(lab, COUNT_LOOPS) - turns, 1);
    CHECK_EQUAL(eventfd_write(lab->wake, 1), 0);
    CHECK_EQUAL(io_poll_wake(lab->io, 2000), READY_WAKE);
    CHECK_EQUAL(io_poll_wake(lab->io, 0), 0);
    CHECK_EQUAL(receive_runs(lab), 1);
    close(far.fd);
}

/* A way that refused segments gets single datagrams for a while; others do not. */
static void test_unsegmented(struct lab *lab)
{
    static struct far far;
    double now, until;

    open_far(&far, "127.0.0.1");
    set_way(lab, &far.self, "127.0.0.1");
    (void)io_poll(lab->io, 0);
    memcpy(&now, entry(&lab->arena, REGION_IOS, IO_SIZE, 0) + IO_NOW_MS, sizeof now);
    until = now + 60000;
    memcpy(peer_at(lab) + PEER_UNSEGMENTED_UNTIL_MS, &until, sizeof until);
    uint64_t sends = counted(lab, COUNT_SENDS);
    check_source(lab, &far, "127.0.0.1");
    CHECK_EQUAL(counted(lab, COUNT_SENDS) - sends, 3);
    memcpy(peer_at(lab) + PEER_UNSEGMENTED_UNTIL_MS, &now, sizeof now);
    check_source(lab, &far, "127.0.0.1");
    CHECK_EQUAL(counted(lab, COUNT_SENDS) - sends, 4);
    close(far.fd);
}

/* A new address hears only when the kernel's own work queue has come to it. */
static void wait_for_address(const char *host)
{
    static struct far far;
    open_far(&far, host);
    for (int tries = 0; tries < 20; tries++) {
        struct pollfd wait = { .fd = far.fd, .events = POLLIN };
        CHECK_EQUAL(sendto(far.fd, "", 0, 0, &far.self.any, address_length(&far.self)), 0);
        if (poll(&wait, 1, 100) == 1)
            break;
        CHECK(tries < 19);
    }
    close(far.fd);
}

/* IPv6 with addresses of its own on loopback. False: this kernel has none. */
static bool open_six(struct lab *lab, uint16_t *port)
{
    uint32_t loopback = if_nametoindex("lo");
    struct udp_options options = { .family = AF_INET6, .address = "", .device = "" };
    struct io_options io = { .tun = lab->tun, .udp4 = lab->udp, .wake = lab->wake, .vnet = true,
                             .gso = true, .tso = true, .uso = lab->uso };

    for (uint8_t last = 1; last <= 3; last++) {
        const uint8_t bytes[16] = { 0xfd, 0x77, [15] = last };
        struct netlink_address address;
        CHECK_EQUAL(netlink_address_make(&address, bytes, sizeof bytes, 128), 0);
        if (netlink_address_add(loopback, &address) < 0)
            return false;
    }
    io.udp6 = udp_open(&options);
    if (io.udp6 < 0)
        return false;
    *port = (uint16_t)udp_port(io.udp6);
    io_close(lab->io);
    CHECK_EQUAL(io_open(&lab->arena, &io, &lab->io), 0);
    return true;
}

int main(void)
{
    static struct lab lab;
    uint16_t six;

    enter_namespace();
    set_up(&lab);
    uint16_t port = replace_socket(&lab, lab.udp, AF_INET, 0);
    PASSED("a socket takes another one's place");
    test_local(&lab, port, "127.0.0.1", "127.0.0.2", "127.0.0.3", "192.0.2.1");
    PASSED("answers leave from the address that was asked");
    test_ecn_in(&lab, port, "127.0.0.1", "127.0.0.1");
    test_ecn_runs(&lab, port);
    PASSED("congestion outside is told inside");
    test_ecn_out(&lab, "127.0.0.1", "127.0.0.5");
    PASSED("ECN bits inside are told outside");
    test_mtu(&lab, port);
    PASSED("MTU 1280 to 65455, changed while open");
    test_hush(&lab, port);
    PASSED("a hushed socket");
    test_bell(&lab, port);
    PASSED("the bell alone");
    test_unsegmented(&lab);
    PASSED("a way without UDP_SEGMENT");
    if (open_six(&lab, &six)) {
        wait_for_address("fd77::1");
        wait_for_address("fd77::2");
        wait_for_address("fd77::3");
        test_local(&lab, six, "fd77::1", "fd77::2", "fd77::3", "fd77::9");
        test_ecn_in(&lab, six, "fd77::2", "fd77::1");
        test_ecn_out(&lab, "fd77::1", "fd77::2");
        PASSED("the same over IPv6");
    } else {
        printf("the kernel has no IPv6; its cases are left out\n");
    }
    io_close(lab.io);
    free(lab.arena.base);
    return 0;
}
