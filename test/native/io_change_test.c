/* sources: PACKET_PATH */
/*
 * io_change_test.c — what changes under an open struct io: the MTU, its sockets, room in its ring,
 * and what a way takes.
 */
#define _GNU_SOURCE
#include "far_lab.h"

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
        CHECK_EQUAL(io_accept(lab->io, 0), ACCEPT_AUTHENTIC | (int)trips[i].packets);
        empty_sniffer(lab);
        CHECK_EQUAL(io_tun_write(lab->io, 0), (int)trips[i].packets);
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

int main(void)
{
    static struct lab lab;

    enter_namespace();
    set_up(&lab);
    uint16_t port = replace_socket(&lab, lab.udp, AF_INET, 0);
    PASSED("a socket takes another one's place");
    test_mtu(&lab, port);
    PASSED("MTU 1280 to 65455, changed while open");
    test_hush(&lab, port);
    PASSED("a hushed socket");
    test_bell(&lab, port);
    PASSED("the bell alone");
    test_unsegmented(&lab);
    PASSED("a way without UDP_SEGMENT");
    io_close(lab.io);
    free(lab.arena.base);
    return 0;
}
