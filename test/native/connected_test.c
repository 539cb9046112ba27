/* sources: PACKET_PATH */
/*
 * connected_test.c — connected sockets over a real loopback: who gets one, what comes to it, what
 * ends it, and that nothing depends on it.
 */
#define _GNU_SOURCE
#define PEERS 100u
#include "far_lab.h"

#include <sys/resource.h>

#define BUSY 900u
#define BYTES 1000u
#define MOST 62u
#define OWN_INDEX 0x11223340u

static double now_ms = 1e6;

static void pass_ms(struct lab *lab, double ms)
{
    now_ms += ms;
    store_f64(entry(&lab->arena, REGION_IOS, IO_SIZE, 0) + IO_NOW_MS, now_ms);
}

static uint8_t *engine_of(struct lab *lab)
{
    return entry(&lab->arena, REGION_ENGINE, ENGINE_SIZE, 0);
}

static uint32_t open_sockets(struct lab *lab)
{
    return load32(entry(&lab->arena, REGION_IOS, IO_SIZE, 0) + IO_CONNECTED);
}

/* As main opens an I/O thread; control has opened the port. */
static void open_busy(struct lab *lab)
{
    struct io_options io = { .udp6 = -1, .vnet = true, .gso = true, .tso = true,
                             .busy_bytes = BUSY };
    set_up(lab);
    io_close(lab->io);
    io.tun = lab->tun, io.udp4 = lab->udp, io.wake = lab->wake, io.uso = lab->uso;
    CHECK_EQUAL(io_open(&lab->arena, &io, &lab->io), 0);
    store32(engine_of(lab) + ENGINE_PORT_OPEN, 1);
    pass_ms(lab, 0);
}

static void close_lab(struct lab *lab)
{
    io_close(lab->io);
    CHECK_EQUAL(open_sockets(lab), 0);
    close(lab->tun), close(lab->udp), close(lab->wake), close(lab->sniffer), close(lab->sender);
    free(lab->arena.base);
}

static void place_peer(struct lab *lab, uint32_t peer, const struct far *far, const char *local)
{
    uint8_t *at = entry(&lab->arena, REGION_PEERS, PEER_SIZE, peer);
    union address from;
    memset(&from, 0, sizeof from);
    if (local != NULL)
        from = make_address(local, 0);
    memcpy(at + PEER_ENDPOINT, far->self.bytes, SOCKADDR_BYTES);
    memcpy(at + PEER_LOCAL, from.bytes, SOCKADDR_BYTES);
}

/* One datagram to the peer; what the kernel took. */
static int send_one(struct lab *lab, uint32_t peer)
{
    uint8_t *job = job_at(lab, OUT_JOB);
    store32(job + JOB_SLOT, SLOTS - 1);
    store32(job + JOB_COUNT, 1);
    store32(job + JOB_SEGMENT_BYTES, BYTES);
    store32(job + JOB_LAST_BYTES, BYTES);
    store32(job + JOB_SESSION, 0);
    store32(job + JOB_PEER, peer);
    store32(job + JOB_MESSAGE_TYPE, 4);
    store32(job + JOB_RECEIVER_INDEX, INDEX);
    CHECK_EQUAL(io_prepare(&lab->arena, OUT_JOB, now_ms), 0);
    CHECK_EQUAL(io_send_add(lab->io, OUT_JOB), 0);
    return io_send_flush(lab->io);
}

/* A window in which the peer moves more than the threshold, and the message after it. */
static void be_busy(struct lab *lab, uint32_t peer)
{
    CHECK_EQUAL(send_one(lab, peer), 1);
    pass_ms(lab, 100);
    CHECK_EQUAL(send_one(lab, peer), 1);
}

static void hear_from(struct far *far, const char *host, uint16_t port, int times)
{
    for (int i = 0; i < times; i++) {
        CHECK_EQUAL(hear(far), BYTES);
        CHECK(same_host(&far->last.from, host));
        CHECK_EQUAL(ntohs(far->last.from.v4.sin_port), port);
    }
}

/* The kernel may be behind with loopback. */
static void wait_for_data(struct lab *lab)
{
    CHECK(io_poll(lab->io, 1000) & READY_UDP);
    pass_ms(lab, 0);
}

/* Data of `datagrams` comes in: runs received, summed over what the kernel needs. */
static uint32_t receive_all(struct lab *lab, uint32_t datagrams)
{
    uint64_t before = counted(lab, COUNT_RECEIVED_DATAGRAMS);
    uint32_t runs = 0;
    while (counted(lab, COUNT_RECEIVED_DATAGRAMS) - before < datagrams)
        wait_for_data(lab), runs += (uint32_t)receive_runs(lab);
    CHECK_EQUAL(counted(lab, COUNT_RECEIVED_DATAGRAMS) - before, datagrams);
    pass_ms(lab, 0);
    return runs;
}

/* Reads what a peer left behind: nothing, mostly. */
static void read_to_the_end(struct lab *lab)
{
    wait_for_data(lab);
    CHECK_EQUAL(receive_runs(lab), 0);
    pass_ms(lab, 0);
}

/* The same, where there may be nothing to read. */
static int receive_runs_now(struct lab *lab)
{
    int runs = io_poll(lab->io, 0) & READY_UDP ? receive_runs(lab) : 0;
    return pass_ms(lab, 0), runs;
}

static void test_own_socket(void)
{
    struct lab lab;
    struct far far, stranger;
    open_busy(&lab);
    open_far(&far, "127.0.0.2");
    open_far(&stranger, "127.0.0.3");
    uint16_t port = (uint16_t)udp_port(lab.udp);
    place_peer(&lab, 0, &far, "127.0.0.1");

    /* The window is not over; then it lasted a second; then too long for what was moved. */
    const int waits_ms[] = { 0, 50, 1000, 150 };
    for (size_t i = 0; i < sizeof waits_ms / sizeof waits_ms[0]; i++) {
        pass_ms(&lab, waits_ms[i]);
        CHECK_EQUAL(send_one(&lab, 0), 1);
        CHECK_EQUAL(counted(&lab, COUNT_CONNECTED), 0);
    }
    be_busy(&lab, 0);
    CHECK_EQUAL(counted(&lab, COUNT_CONNECTED), 1);
    CHECK_EQUAL(open_sockets(&lab), 1);
    CHECK_EQUAL(counted(&lab, COUNT_CONNECTED_SENDS), 1);
    hear_from(&far, "127.0.0.1", port, 6);

    say_data(&far, "127.0.0.1", port, OWN_INDEX);
    CHECK_EQUAL(receive_all(&lab, 1), 1);
    CHECK_EQUAL(counted(&lab, COUNT_CONNECTED_RECEIVES), 1);
    say_data(&stranger, "127.0.0.1", port, OWN_INDEX);
    say_data(&stranger, "127.0.0.1", port, OWN_INDEX);
    CHECK(receive_all(&lab, 2) > 0);
    CHECK_EQUAL(counted(&lab, COUNT_CONNECTED_RECEIVES), 1);

    /* Data of another thread: somebody else has this address now. */
    say_data(&far, "127.0.0.1", port, OWN_INDEX + 1);
    CHECK_EQUAL(receive_all(&lab, 1), 1);
    say_data(&far, "127.0.0.1", port, OWN_INDEX + 1);
    CHECK_EQUAL(receive_all(&lab, 1), 1);
    CHECK_EQUAL(counted(&lab, COUNT_CONNECTED_RECEIVES), 2);
    for (int i = 0; i < 3 && open_sockets(&lab) > 0; i++)
        read_to_the_end(&lab);
    CHECK_EQUAL(open_sockets(&lab), 0);
    close(far.fd), close(stranger.fd);
    close_lab(&lab);
}

static void test_moves(void)
{
    struct lab lab;
    struct far far, other;
    open_busy(&lab);
    open_far(&far, "127.0.0.2");
    open_far(&other, "127.0.0.4");
    uint16_t port = replace_socket(&lab, lab.udp, AF_INET, 0);
    place_peer(&lab, 0, &far, "127.0.0.1");
    be_busy(&lab, 0);
    hear_from(&far, "127.0.0.1", port, 2);

    /* What came before it moved is not lost, and what comes after it finds the common socket. */
    say_data(&far, "127.0.0.1", port, OWN_INDEX);
    wait_for_data(&lab);
    place_peer(&lab, 0, &other, "127.0.0.1");
    CHECK_EQUAL(send_one(&lab, 0), 1);
    hear_from(&other, "127.0.0.1", port, 1);
    CHECK_EQUAL(counted(&lab, COUNT_CONNECTED), 1); /* not twice in a second */
    say_data(&far, "127.0.0.1", port, OWN_INDEX);
    say_data(&other, "127.0.0.1", port, OWN_INDEX);
    (void)receive_all(&lab, 3);
    CHECK_EQUAL(counted(&lab, COUNT_CONNECTED_RECEIVES), 1);
    for (int i = 0; i < 3 && open_sockets(&lab) > 0; i++)
        read_to_the_end(&lab);
    CHECK_EQUAL(open_sockets(&lab), 0);

    pass_ms(&lab, 1000);
    be_busy(&lab, 0);
    CHECK_EQUAL(counted(&lab, COUNT_CONNECTED), 2);
    hear_from(&other, "127.0.0.1", port, 2);
    /* Our own address: the peer asks another one, which is not the route's. */
    pass_ms(&lab, 1000);
    place_peer(&lab, 0, &other, "127.0.0.9");
    CHECK_EQUAL(send_one(&lab, 0), 1);
    CHECK_EQUAL(counted(&lab, COUNT_CONNECTED), 3);
    hear_from(&other, "127.0.0.9", port, 1);
    say_data(&other, "127.0.0.9", port, OWN_INDEX);
    (void)receive_all(&lab, 1);
    CHECK_EQUAL(counted(&lab, COUNT_CONNECTED_RECEIVES), 2);
    close(far.fd), close(other.fd);
    close_lab(&lab);
}

static void test_icmp(void)
{
    struct lab lab;
    struct far far, again;
    open_busy(&lab);
    open_far(&far, "127.0.0.2");
    place_peer(&lab, 0, &far, "127.0.0.1");
    be_busy(&lab, 0);
    close(far.fd);
    CHECK_EQUAL(send_one(&lab, 0), 1); /* answered with "port unreachable" */
    CHECK_EQUAL(send_one(&lab, 0), 1); /* meets the error, and is sent again */
    CHECK_EQUAL(counted(&lab, COUNT_CONNECTED_ERRORS), 1);
    CHECK(io_poll(lab.io, 100) & READY_UDP);
    pass_ms(&lab, 0);
    CHECK_EQUAL(receive_runs(&lab), 0); /* the second one's */
    pass_ms(&lab, 0);
    CHECK_EQUAL(counted(&lab, COUNT_CONNECTED_ERRORS), 2);
    CHECK_EQUAL(open_sockets(&lab), 1);
    CHECK_EQUAL(counted(&lab, DROP_SEND_REFUSED), 0);
    /* It is heard again without any change. */
    struct udp_options options = { .family = AF_INET, .address = "127.0.0.2", .device = "",
                                   .port = ntohs(far.self.v4.sin_port) };
    again.fd = udp_open(&options);
    CHECK(again.fd >= 0);
    CHECK_EQUAL(send_one(&lab, 0), 1);
    CHECK_EQUAL(hear(&again), BYTES);
    CHECK_EQUAL(counted(&lab, COUNT_CONNECTED), 1);
    close(again.fd);
    close_lab(&lab);
}

static void test_many(void)
{
    struct lab lab;
    struct far far[PEERS];
    open_busy(&lab);
    for (uint32_t peer = 0; peer < PEERS; peer++) {
        /* An address each: the kernel may choose a port twice for sockets that would share it. */
        char host[] = "127.0.1.000";
        (void)snprintf(host, sizeof host, "127.0.1.%u", (peer + 1) % 256);
        open_far(&far[peer], host);
        place_peer(&lab, peer, &far[peer], "127.0.0.1");
    }
    for (int round = 0; round < 2; round++) {
        for (uint32_t peer = 0; peer < PEERS; peer++)
            CHECK_EQUAL(send_one(&lab, peer), 1);
        pass_ms(&lab, 100);
    }
    CHECK_EQUAL(open_sockets(&lab), MOST);
    CHECK_EQUAL(counted(&lab, COUNT_CONNECTED), MOST);
    CHECK_EQUAL(counted(&lab, COUNT_CONNECT_REFUSED), PEERS - MOST);
    for (uint32_t peer = 0; peer < PEERS; peer++)
        hear_from(&far[peer], "127.0.0.1", (uint16_t)udp_port(lab.udp), 2);
    /* All are read in turn. */
    for (uint32_t peer = 0; peer < PEERS; peer++)
        say_data(&far[peer], "127.0.0.1", (uint16_t)udp_port(lab.udp), OWN_INDEX);
    (void)receive_all(&lab, PEERS);
    CHECK_EQUAL(counted(&lab, COUNT_CONNECTED_RECEIVES), MOST);
    /* Who was busy longest ago makes room for one that is busy now. */
    pass_ms(&lab, 1000);
    for (uint32_t peer = 1; peer < MOST; peer++)
        be_busy(&lab, peer);
    be_busy(&lab, PEERS - 1);
    for (int i = 0; i < 3 && open_sockets(&lab) == MOST; i++)
        read_to_the_end(&lab);
    pass_ms(&lab, 1000);
    be_busy(&lab, PEERS - 1);
    CHECK_EQUAL(counted(&lab, COUNT_CONNECTED), MOST + 1);
    CHECK_EQUAL(open_sockets(&lab), MOST);
    /* And all that are idle. */
    io_tend(lab.io);
    pass_ms(&lab, 10001);
    io_tend(lab.io);
    for (int i = 0; i < 50 && open_sockets(&lab) > 0; i++)
        read_to_the_end(&lab);
    CHECK_EQUAL(open_sockets(&lab), 0);
    for (uint32_t peer = 0; peer < PEERS; peer++)
        close(far[peer].fd);
    close_lab(&lab);
}

/* All places are taken by peers that are busy; one that is far busier gets one. */
static void test_busier(void)
{
    struct lab lab;
    struct far far;
    open_busy(&lab);
    open_far(&far, "127.0.0.2");
    for (uint32_t peer = 0; peer <= MOST; peer++)
        place_peer(&lab, peer, &far, "127.0.0.1");
    for (int round = 0; round < 24; round++) {
        for (uint32_t peer = 0; peer < MOST; peer++)
            CHECK_EQUAL(send_one(&lab, peer), 1);
        for (int i = 0; i < (round < 12 ? 3 : 8); i++)
            CHECK_EQUAL(send_one(&lab, MOST), 1);
        pass_ms(&lab, 100);
        if (round < 12) /* three times as busy: not enough */
            CHECK_EQUAL(counted(&lab, COUNT_CONNECTED), round == 0 ? 0 : MOST);
        (void)receive_runs_now(&lab);
    }
    CHECK_EQUAL(counted(&lab, COUNT_CONNECTED), MOST + 1);
    CHECK_EQUAL(open_sockets(&lab), MOST);
    close(far.fd);
    close_lab(&lab);
}

static void test_ends(void)
{
    struct lab lab;
    struct far far;
    struct rlimit limit, low;
    open_busy(&lab);
    open_far(&far, "127.0.0.2");
    place_peer(&lab, 0, &far, NULL);
    store32(peer_at(&lab) + PEER_GENERATION, 1);
    be_busy(&lab, 0);
    CHECK_EQUAL(open_sockets(&lab), 1);
    /* Another port: sockets are closed at once, and none is opened while it moves. */
    store32(engine_of(&lab) + ENGINE_PORT_OPEN, 0);
    uint16_t port = replace_socket(&lab, lab.udp, AF_INET, 0);
    CHECK_EQUAL(open_sockets(&lab), 0);
    pass_ms(&lab, 1000);
    be_busy(&lab, 0);
    CHECK_EQUAL(counted(&lab, COUNT_CONNECTED), 1);
    CHECK_EQUAL(counted(&lab, COUNT_CONNECT_REFUSED), 1);
    store32(engine_of(&lab) + ENGINE_PORT_OPEN, 1);
    pass_ms(&lab, 1000);
    be_busy(&lab, 0);
    CHECK_EQUAL(counted(&lab, COUNT_CONNECTED), 2);
    CHECK_EQUAL(hear(&far), BYTES);
    while (ntohs(far.last.from.v4.sin_port) != port)
        CHECK_EQUAL(hear(&far), BYTES);
    /* The peer is removed, and another has its entry: what that one moves begins anew. */
    pass_ms(&lab, 1000);
    CHECK_EQUAL(send_one(&lab, 0), 1);
    store32(peer_at(&lab) + PEER_GENERATION, 3);
    memset(peer_at(&lab) + PEER_SENT_BYTES, 0, 8);
    io_tend(lab.io);
    read_to_the_end(&lab);
    CHECK_EQUAL(open_sockets(&lab), 0);
    pass_ms(&lab, 100);
    CHECK_EQUAL(send_one(&lab, 0), 1);
    CHECK_EQUAL(open_sockets(&lab), 0);
    /* No descriptors: it goes on by the common socket. */
    CHECK_EQUAL(getrlimit(RLIMIT_NOFILE, &limit), 0);
    low = limit;
    low.rlim_cur = (rlim_t)far.fd + 10;
    CHECK_EQUAL(setrlimit(RLIMIT_NOFILE, &low), 0);
    pass_ms(&lab, 1000);
    be_busy(&lab, 0);
    CHECK_EQUAL(counted(&lab, COUNT_CONNECT_REFUSED), 2);
    CHECK_EQUAL(open_sockets(&lab), 0);
    CHECK_EQUAL(setrlimit(RLIMIT_NOFILE, &limit), 0);
    /* Silent: there is no port to share. */
    CHECK_EQUAL(udp_hush(lab.udp), 0);
    CHECK_EQUAL(io_rebind(lab.io), 0);
    pass_ms(&lab, 1000);
    (void)send_one(&lab, 0);
    pass_ms(&lab, 100);
    (void)send_one(&lab, 0);
    CHECK_EQUAL(open_sockets(&lab), 0);
    CHECK_EQUAL(counted(&lab, COUNT_CONNECT_REFUSED), 3);
    close(far.fd);
    close_lab(&lab);
}

int main(void)
{
    enter_namespace();
    test_own_socket();
    test_moves();
    test_icmp();
    test_many();
    test_busier();
    test_ends();
    printf("connected sockets: passed\n");
    return 0;
}
