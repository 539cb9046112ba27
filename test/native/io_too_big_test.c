/* sources: PACKET_PATH NETLINK */
/*
 * io_too_big_test.c — sizes inside and outside, with the real kernel at both ends:
 *
 *     inside     packets for a peer whose way takes 1,300 bytes: told (the kernel checks the
 *                message and believes it), or cut
 *     outside    a TUN device stands for the network: what leaves, whole or cut, and whether
 *                forged ICMP messages change it
 */
#define _GNU_SOURCE
#include "far_lab.h"

#include "icmp.h"
#include "netlink.h"

#define OUTER "outer0"
#define PATH 1300u
#define FITS 1296u
#define OUTSIDE4 "192.0.2.2"
#define OUTSIDE6 "fd78::2"
/* An inner packet of 1,408 bytes: a multiple of 16, so that no padding counts. */
#define PAYLOAD 1380
#define DATAGRAM (PAYLOAD + 28 + SEGMENT_OVERHEAD_BYTES)
#define TOLD_BURST 64

static void set_discovery(const struct lab *lab, int value)
{
    CHECK_EQUAL(setsockopt(lab->sender, IPPROTO_IP, IP_MTU_DISCOVER, &value, sizeof value), 0);
}

static void set_path(struct lab *lab, uint32_t mtu)
{
    store32(peer_at(lab) + PEER_PATH_MTU, mtu);
}

/* What the kernel believes of the way to 10.9.0.2. */
static int believed(void)
{
    struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(2000) };
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), mtu = 0;
    socklen_t length = sizeof mtu;

    to.sin_addr.s_addr = htonl(0x0a090002);
    CHECK_EQUAL(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
    CHECK_EQUAL(getsockopt(fd, IPPROTO_IP, IP_MTU, &mtu, &length), 0);
    close(fd);
    return mtu;
}

static void test_told(struct lab *lab)
{
    set_path(lab, PATH);
    set_discovery(lab, IP_PMTUDISC_PROBE);
    (void)io_poll(lab->io, 0);
    for (int i = 0; i < 2 * TOLD_BURST; i++) {
        send_inner(lab, PAYLOAD, PAYLOAD);
        read_run(lab, 1);
        store32(job_at(lab, OUT_JOB) + JOB_PEER, 0);
        CHECK_EQUAL(io_too_big(lab->io, OUT_JOB), 0);
        if (i == 0)
            CHECK_EQUAL(believed(), FITS);
    }
    CHECK_EQUAL(counted(lab, DROP_TOO_BIG), 2 * TOLD_BURST);
    /* The clock is read by io_poll alone, which read_run may have called: a few more. */
    uint64_t told = counted(lab, COUNT_TOO_BIG_TOLD);
    printf("%d refused in a moment, %d told\n", 2 * TOLD_BURST, (int)told);
    CHECK(told >= TOLD_BURST && told < 2 * TOLD_BURST);
    CHECK_EQUAL(counted(lab, DROP_TUN_REFUSED), 0);
}

/* Reads the fragments of `packets` packets and checks each payload byte. */
static void check_fragments(struct lab *lab, uint32_t packets)
{
    static uint8_t whole[70000];
    size_t sum = 0, bytes = (size_t)packets * PAYLOAD;
    uint32_t pieces = 0;

    memset(whole, 0, sizeof whole);
    for (int runs = 0; sum < packets * (PAYLOAD + 8u) && runs < 64; runs++) {
        struct segments segments;
        int got = io_tun_read(lab->io, OUT_JOB);
        CHECK(got > 0);
        CHECK(segments_of(&lab->arena, job_at(lab, OUT_JOB), &segments));
        CHECK(segments.stride - SEGMENT_OVERHEAD_BYTES <= PATH);
        CHECK_EQUAL(load32(job_at(lab, OUT_JOB) + JOB_INNER_ADDRESS), 0x0a090002);
        for (uint32_t i = 0; i < segments.count; i++) {
            const uint8_t *packet = segment_at(&segments, i) + DATA_HEADER_BYTES;
            size_t part = get16(packet + 2) - 20u, at = (get16(packet + 6) & 0x1fff) * 8u;
            CHECK_EQUAL(slow_add(0, packet, 20), 0xffff);
            memcpy(whole + pieces / 2 * (PAYLOAD + 8) + at, packet + 20, part);
            sum += part;
            pieces++;
        }
    }
    CHECK_EQUAL(sum, bytes + (size_t)packets * 8);
    CHECK_EQUAL(pieces, 2 * packets);
    for (size_t i = 0; i < bytes; i++)
        CHECK_EQUAL(whole[i / PAYLOAD * (PAYLOAD + 8) + 8 + i % PAYLOAD], (uint8_t)(i * 13));
}

static void test_cut(struct lab *lab)
{
    uint64_t told = counted(lab, COUNT_TOO_BIG_TOLD), cut = counted(lab, COUNT_FRAGMENTED);

    set_discovery(lab, IP_PMTUDISC_OMIT);
    for (uint32_t packets = 1; packets <= 40; packets += 39) {
        send_inner(lab, packets * PAYLOAD, PAYLOAD);
        read_run(lab, packets);
        store32(job_at(lab, OUT_JOB) + JOB_PEER, 0);
        CHECK_EQUAL(io_too_big(lab->io, OUT_JOB), 0);
        CHECK(io_poll(lab->io, 0) & READY_TUN);
        check_fragments(lab, packets);
    }
    CHECK_EQUAL(counted(lab, COUNT_TOO_BIG_TOLD), told);
    CHECK_EQUAL(counted(lab, COUNT_FRAGMENTED) - cut, 41);
    CHECK_EQUAL(io_tun_read(lab->io, OUT_JOB), 0);
}

/* A last packet that fits goes on when the others do not. */
static void test_last(struct lab *lab)
{
    uint64_t dropped = counted(lab, DROP_TOO_BIG);

    set_discovery(lab, IP_PMTUDISC_PROBE);
    send_inner(lab, 3 * PAYLOAD + 100, PAYLOAD);
    read_run(lab, 4);
    store32(job_at(lab, OUT_JOB) + JOB_PEER, 0);
    CHECK_EQUAL(io_too_big(lab->io, OUT_JOB), 0);
    CHECK_EQUAL(counted(lab, DROP_TOO_BIG) - dropped, 3);
    CHECK_EQUAL(io_tun_read(lab->io, OUT_JOB), 1);
    const uint8_t *slot = entry(&lab->arena, REGION_SLOTS, SLOT_BYTES, SLOTS - 1);
    CHECK_EQUAL(get16(slot + DATA_HEADER_BYTES + 2), 128);
    CHECK_EQUAL(slot[DATA_HEADER_BYTES + 6] & 0x60, 0x40);
}

static void add_address(const uint8_t *bytes, size_t length, uint8_t prefix)
{
    struct netlink_address address;
    CHECK_EQUAL(netlink_address_make(&address, bytes, length, prefix), 0);
    CHECK_EQUAL(netlink_address_add(if_nametoindex(OUTER), &address), 0);
}

/* The network: a device whose packets we read and write, and sockets of both families. */
static int open_network(struct lab *lab)
{
    const uint8_t host4[4] = { 192, 0, 2, 1 }, host6[16] = { 0xfd, 0x78, [15] = 1 };
    struct udp_options options = { .family = AF_INET6, .address = "", .device = "" };
    struct io_options io = { .tun = lab->tun, .udp4 = lab->udp, .wake = lab->wake, .vnet = true,
                             .gso = true, .tso = true, .uso = lab->uso };
    int network = tun_open(OUTER, false, false);

    CHECK(network >= 0);
    link_up(OUTER, false);
    add_address(host4, sizeof host4, 24);
    add_address(host6, sizeof host6, 64);
    (void)replace_socket(lab, lab->udp, AF_INET, 0);
    io.udp6 = udp_open(&options);
    CHECK(io.udp6 >= 0);
    io_close(lab->io);
    CHECK_EQUAL(io_open(&lab->arena, &io, &lab->io), 0);
    return network;
}

static void set_link(uint32_t mtu)
{
    struct ifreq link = { .ifr_mtu = (int)mtu };
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    CHECK(fd >= 0);
    change_link(fd, SIOCSIFMTU, OUTER, &link);
    close(fd);
}

/* The next UDP datagram, or part of one, that leaves; 0: none. */
static size_t leaving(int network, uint8_t packet[2048])
{
    for (;;) {
        struct pollfd wait = { .fd = network, .events = POLLIN };
        if (poll(&wait, 1, 50) != 1)
            return 0;
        ssize_t got = read(network, packet, 2048);
        CHECK(got > 0);
        uint8_t protocol = protocol_of(packet);
        if (protocol == UDP || (packet[0] >> 4 == 6 && protocol == 44))
            return (size_t)got;
    }
}

/* Sends a run of `packets`. Returns how many IP packets leave; the first of them in `first`. */
static int send_out(struct lab *lab, int network, int packets, uint8_t first[2048])
{
    uint8_t packet[2048];
    int sent, left = 0;

    send_inner(lab, (size_t)packets * PAYLOAD, PAYLOAD);
    read_run(lab, (uint32_t)packets);
    prepare_and_send(lab, &sent);
    while (leaving(network, left == 0 ? first : packet) > 0)
        left++;
    return left;
}

/* The same bytes again as what is no data and asks what the way takes. */
static int send_probe(struct lab *lab, int network, uint8_t first[2048])
{
    uint8_t packet[2048];
    int left = 0;

    store32(job_at(lab, OUT_JOB) + JOB_TUN_BYTES, 0);
    CHECK_EQUAL(io_send_add(lab->io, OUT_JOB), 0);
    (void)io_send_flush(lab->io);
    while (leaving(network, left == 0 ? first : packet) > 0)
        left++;
    return left;
}

/* A stranger claims that the way takes `mtu` bytes, about a packet that left. */
static void forge(int network, const uint8_t *packet, uint32_t mtu)
{
    uint8_t message[ICMP_BYTES_MAX];
    size_t bytes = icmp_too_big(message, packet, 100, mtu);
    CHECK(bytes > 0);
    CHECK_EQUAL(write(network, message, bytes), (ssize_t)bytes);
}

static void test_outside4(struct lab *lab, int network)
{
    union address to = make_address(OUTSIDE4, 7777);
    uint8_t first[2048];

    set_way(lab, &to, "192.0.2.1");
    CHECK_EQUAL(send_out(lab, network, 1, first), 1);
    CHECK_EQUAL(get16(first + 2), DATAGRAM + 28);
    CHECK_EQUAL(get16(first + 6), 0); /* may be cut, and is not */
    forge(network, first, 600);
    CHECK_EQUAL(send_out(lab, network, 1, first), 1);
    CHECK_EQUAL(send_out(lab, network, 3, first), 3);
    CHECK_EQUAL(send_probe(lab, network, first), 3);
    CHECK_EQUAL(get16(first + 6) & 0xe000, 0x4000);
    CHECK_EQUAL(counted(lab, COUNT_UNSEGMENTED_RESENDS), 0);
    /* The message was one that a socket which believes would have believed. */
    int believer = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    for (int i = 0; i < 2; i++) {
        CHECK_EQUAL(sendto(believer, first, 1000, 0, &to.any, address_length(&to)), 1000);
        CHECK_EQUAL(leaving(network, first), i == 0 ? 1028 : 596);
        forge(network, first, 600);
    }
    CHECK_EQUAL(leaving(network, first), 452);
    close(believer);
    CHECK_EQUAL(send_out(lab, network, 3, first), 3);
    /* Our own link takes less: data is cut, what asks is refused, and nothing is dropped unseen. */
    set_link(1280);
    CHECK_EQUAL(send_out(lab, network, 3, first), 6);
    CHECK_EQUAL(counted(lab, COUNT_UNSEGMENTED_RESENDS), 1);
    CHECK_EQUAL(counted(lab, DROP_SEND_REFUSED), 0);
    CHECK_EQUAL(send_out(lab, network, 1, first), 2);
    CHECK_EQUAL(send_probe(lab, network, first), 0);
    CHECK_EQUAL(counted(lab, DROP_SEND_REFUSED), 1);
    set_link(1500);
}

static void test_outside6(struct lab *lab, int network)
{
    union address to = make_address(OUTSIDE6, 7777);
    uint8_t first[2048];

    set_way(lab, &to, "fd78::1");
    set_path(lab, 0);
    CHECK_EQUAL(send_out(lab, network, 1, first), 1);
    CHECK_EQUAL(get16(first + 4), DATAGRAM + 8);
    forge(network, first, 1280);
    /* Nobody has asked what the way takes: the kernel believes it, and what arrives is the same. */
    CHECK_EQUAL(send_out(lab, network, 1, first), 2);
    CHECK_EQUAL(first[6], 44);
    CHECK_EQUAL(send_out(lab, network, 2, first), 4);
    /* Somebody has. */
    set_path(lab, MTU);
    CHECK_EQUAL(send_out(lab, network, 1, first), 1);
    CHECK_EQUAL(first[6], UDP);
    CHECK_EQUAL(send_probe(lab, network, first), 1);
    CHECK_EQUAL(first[6], UDP);
}

int main(void)
{
    static struct lab lab;

    enter_namespace();
    set_up(&lab);
    test_told(&lab);
    PASSED("the kernel believes what senders are told, and is told no more than it should be");
    test_last(&lab);
    PASSED("a last packet that fits goes on");
    test_cut(&lab);
    PASSED("what may be cut is cut");
    set_path(&lab, 0);
    int network = open_network(&lab);
    test_outside4(&lab, network);
    PASSED("IPv4: forged messages change nothing; a smaller link of our own is no end");
    test_outside6(&lab, network);
    PASSED("IPv6: forged messages change nothing once the way is known");
    CHECK(io_send_flush(lab.io) == 0);
    io_close(lab.io);
    free(lab.arena.base);
    return 0;
}
