/* sources: PACKET_PATH NETLINK */
/*
 * io_way_test.c — how a datagram travels: from and to which local address, with which ECN bits.
 */
#define _GNU_SOURCE
#include "six_lab.h"

#include "checksum.h"
#include "ecn.h"

#define ECT0 2u
/* More than control is told of another address at once; ROAMED_BURST. */
#define TOLD_MAX 16
/* So that it may be told as often again; ROAMED_EVERY_MS. */
#define ROAMED_MICROSECONDS 200000

static void test_local(struct lab *lab, uint16_t port, const char *far_host, const char *one,
                       const char *other, const char *strange)
{
    static struct far far;
    uint64_t refused = counted(lab, COUNT_LOCAL_REFUSED);

    open_far(&far, far_host);
    usleep(ROAMED_MICROSECONDS);
    CHECK_EQUAL(accept_keepalive(lab, &far, one, port), ACCEPT_AUTHENTIC | ACCEPT_ROAMED);
    const uint8_t *job = job_at(lab, 0);
    union address local;
    memcpy(local.bytes, job + JOB_LOCAL, SOCKADDR_BYTES);
    CHECK(same_host(&local, one));
    CHECK(memcmp(job + JOB_SOURCE, far.self.bytes, 8) == 0);
    set_way(lab, &far.self, one);
    CHECK_EQUAL(accept_keepalive(lab, &far, one, port), ACCEPT_AUTHENTIC);
    check_source(lab, &far, one);
    /* Only the local address is another: answers leave there at once, and control is told. */
    usleep(ROAMED_MICROSECONDS);
    CHECK_EQUAL(accept_keepalive(lab, &far, other, port), ACCEPT_AUTHENTIC | ACCEPT_ROAMED);
    check_source(lab, &far, other);
    /* It counts until control writes: here, that nothing is as it was. */
    uint32_t *lock = (uint32_t *)(void *)(peer_at(lab) + PEER_ENDPOINT_LOCK);
    __atomic_fetch_add(lock, 2, __ATOMIC_SEQ_CST);
    check_source(lab, &far, one);
    /* Control is not told without end. */
    int told = 0;
    for (int i = 0; i < TOLD_MAX; i++)
        told += (accept_keepalive(lab, &far, other, port) & ACCEPT_ROAMED) != 0;
    CHECK(told > 1 && told < TOLD_MAX);
    /* What was on its way when somebody set another endpoint moves nothing. */
    usleep(ROAMED_MICROSECONDS);
    memcpy(peer_at(lab) + PEER_LEFT, far.self.bytes, SOCKADDR_BYTES);
    store_f64(peer_at(lab) + PEER_LEFT_UNTIL_MS, 1e18);
    CHECK_EQUAL(accept_keepalive(lab, &far, other, port), ACCEPT_AUTHENTIC);
    store_f64(peer_at(lab) + PEER_LEFT_UNTIL_MS, 0);
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

int main(void)
{
    static struct lab lab;
    uint16_t six;

    enter_namespace();
    set_up(&lab);
    uint16_t port = replace_socket(&lab, lab.udp, AF_INET, 0);
    test_local(&lab, port, "127.0.0.1", "127.0.0.2", "127.0.0.3", "192.0.2.1");
    PASSED("answers leave from the address that was asked");
    test_ecn_in(&lab, port, "127.0.0.1", "127.0.0.1");
    test_ecn_runs(&lab, port);
    PASSED("congestion outside is told inside");
    test_ecn_out(&lab, "127.0.0.1", "127.0.0.5");
    PASSED("ECN bits inside are told outside");
    if (open_six(&lab, &six)) {
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
