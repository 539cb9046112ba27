/* sources: PACKET_PATH */
/*
 * io_own_test.c — our own tunnel is not the underlay: what of ours comes out of the device is cut,
 * what comes through it is nobody's, and others' packets with our port go on.
 */
#define _GNU_SOURCE
#include "far_lab.h"
#include "io_state.h"

#define HOPS 64u
#define FRAGMENT 44u
#define HERE4 0x0a090001u
#define THERE4 0x0a090002u
#define ELSEWHERE4 0x0a140005u

static uint8_t *engine_of(const struct lab *lab)
{
    return entry(&lab->arena, REGION_ENGINE, ENGINE_SIZE, 0);
}

/* Control's part: our port, and two addresses: 10.9.0.1, fd09::1. */
static void tell(struct lab *lab, uint32_t port)
{
    const uint32_t words[2][4] = { { HERE4 }, { 0xfd090000, 0, 0, 1 } };
    for (uint32_t i = 0; i < 2; i++) {
        uint8_t *host = entry(&lab->arena, REGION_HOSTS, LOCAL_SIZE, i);
        store32(host + LOCAL_VERSION, i == 0 ? 4 : 6);
        memcpy(host + LOCAL_ADDRESS, words[i], sizeof words[i]);
    }
    store32(engine_of(lab) + ENGINE_HOST_COUNT, 2);
    store32(engine_of(lab) + ENGINE_OWN_PORT, port);
}

/* Gives the device a packet to send, past routes and rules. */
static void put_out(const uint8_t *packet, size_t bytes)
{
    int fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    bool v6 = packet[0] >> 4 == 6;
    struct sockaddr_ll to = { .sll_family = AF_PACKET, .sll_halen = 6,
                              .sll_protocol = htons(v6 ? ETH_P_IPV6 : ETH_P_IP),
                              .sll_ifindex = (int)if_nametoindex(DEVICE) };
    CHECK(fd >= 0);
    CHECK_EQUAL(sendto(fd, packet, bytes, 0, (struct sockaddr *)&to, sizeof to), (ssize_t)bytes);
    close(fd);
}

/* Reads until the device is empty. Packets to 10.9.0.2 or fd09::2 that came through. */
static uint32_t read_all(struct lab *lab)
{
    uint8_t *job = job_at(lab, OUT_JOB);
    uint32_t through = 0;

    (void)ready_for(lab, READY_TUN);
    for (int tries = 0; tries < 50; tries++) {
        store32(job + JOB_SLOT, SLOTS - 1);
        int got = io_tun_read(lab->io, OUT_JOB);
        CHECK(got >= 0);
        uint32_t first = load32(job + JOB_INNER_ADDRESS);
        if (got > 0 && (first == THERE4 || first == 0xfd090000))
            through += (uint32_t)got & 0xff;
        if (got == 0 || (got & TUN_DRAINED))
            return through;
    }
    CHECK(false);
    return 0;
}

struct outbound {
    uint32_t version, protocol, source, hops, port;
    uint32_t fragment; /* IPv4: flags and offset; IPv6: 0 none, else 1 + offset and flag */
    bool own;
};

static size_t make_outbound(uint8_t *at, const struct outbound *packet)
{
    size_t ip = packet->version == 4 ? 20 : packet->fragment != 0 ? 48 : 40, bytes = ip + 12;

    memset(at, 0, bytes);
    if (packet->version == 4) {
        at[0] = 0x45;
        put16(at + 2, (uint32_t)bytes);
        put16(at + 6, packet->fragment);
        at[8] = (uint8_t)packet->hops;
        at[9] = (uint8_t)packet->protocol;
        put32(at + 12, packet->source);
        put32(at + 16, THERE4);
    } else {
        at[0] = 0x60;
        put16(at + 4, (uint32_t)bytes - 40);
        at[6] = (uint8_t)(packet->fragment != 0 ? FRAGMENT : packet->protocol);
        at[7] = (uint8_t)packet->hops;
        put32(at + 8, 0xfd090000);
        put32(at + 20, packet->source);
        put32(at + 24, 0xfd090000);
        put32(at + 36, 2);
        if (packet->fragment != 0) {
            at[40] = (uint8_t)packet->protocol;
            put16(at + 42, packet->fragment - 1);
        }
    }
    put16(at + ip, packet->port);
    put16(at + ip + 2, 2000);
    put16(at + ip + 4, 12);
    return bytes;
}

static void test_told_apart(struct lab *lab, uint16_t port)
{
    const struct outbound packets[] = {
        { 4, UDP, HERE4, HOPS, port, 0, true },
        { 4, UDP, HERE4, HOPS, port, 0x4000, true },
        { 4, UDP, HERE4, HOPS, port, 0x2000, true },       /* the first fragment */
        { 4, UDP, HERE4, HOPS, port, 0x2001, false },      /* another one */
        { 4, UDP, ELSEWHERE4, HOPS, port, 0, false },      /* forwarded */
        { 4, UDP, HERE4, HOPS - 1, port, 0, false },       /* forwarded, its address translated */
        { 4, UDP, HERE4, HOPS, port + 1u, 0, false },      /* another program */
        { 4, TCP, HERE4, HOPS, port, 0, false },
        { 6, UDP, 1, HOPS, port, 0, true },
        { 6, UDP, 1, HOPS, port, 1 + 1, true },
        { 6, UDP, 1, HOPS, port, 1 + 8, false },
        { 6, UDP, 5, HOPS, port, 0, false },
        { 6, UDP, 1, HOPS - 1, port, 0, false },
        { 6, UDP, 1, HOPS, port + 1u, 0, false },
        { 6, TCP, 1, HOPS, port, 0, false },
    };
    uint8_t bytes[80];

    for (size_t i = 0; i < sizeof packets / sizeof packets[0]; i++) {
        uint64_t cut = counted(lab, DROP_OWN_DATAGRAM);
        put_out(bytes, make_outbound(bytes, &packets[i]));
        uint32_t through = read_all(lab);
        CHECK_EQUAL(counted(lab, DROP_OWN_DATAGRAM) - cut, packets[i].own ? 1u : 0u);
        CHECK_EQUAL(through, packets[i].own ? 0u : 1u);
    }
    /* Where our datagrams cannot come, nothing is cut. */
    tell(lab, 0);
    put_out(bytes, make_outbound(bytes, &packets[0]));
    CHECK_EQUAL(read_all(lab), 1u);
    tell(lab, port);
}

/* The kernel's own work: a route leads the port's socket into the device. */
static void test_cut(struct lab *lab)
{
    static uint8_t payload[5000];
    union address to = make_address("10.9.0.2", 2000);
    uint64_t cut = counted(lab, DROP_OWN_DATAGRAM);
    uint32_t packets = 1;

    for (int segment = 0; segment <= 1000; segment += 1000) {
        CHECK_EQUAL(setsockopt(lab->udp, IPPROTO_UDP, UDP_SEGMENT, &segment, sizeof segment), 0);
        size_t bytes = segment == 0 ? 100 : sizeof payload;
        CHECK_EQUAL(sendto(lab->udp, payload, bytes, 0, &to.any, address_length(&to)),
                    (ssize_t)bytes);
        CHECK_EQUAL(read_all(lab), 0u);
        CHECK_EQUAL(counted(lab, DROP_OWN_DATAGRAM) - cut, packets);
        packets += 5;
    }
    send_inner(lab, 3000, 1000);
    read_run(lab, 3);
}

/* A peer's inner packet to our port, as the engine writes it to the device. */
static void write_inner(const struct lab *lab, uint16_t port)
{
    uint8_t frame[TUN_VNET_BYTES + 20 + 8 + 32] = { 0 }, *ip = frame + TUN_VNET_BYTES;

    ip[0] = 0x45;
    put16(ip + 2, 60);
    ip[8] = HOPS;
    ip[9] = UDP;
    put32(ip + 12, THERE4);
    put32(ip + 16, HERE4);
    put16(ip + 10, ~slow_add(0, ip, 20) & 0xffff);
    put16(ip + 20, 2000);
    put16(ip + 22, port);
    put16(ip + 24, 40);
    make_keepalive(ip + 28, load64(session_at(lab, 1) + SESSION_LAST_COUNTER) + 1);
    CHECK_EQUAL(write(lab->tun, frame, sizeof frame), (ssize_t)sizeof frame);
}

static void test_inside(struct lab *lab, uint16_t port)
{
    uint32_t index = if_nametoindex(DEVICE);
    uint64_t dropped = counted(lab, DROP_OWN_TUNNEL);

    store32(engine_of(lab) + ENGINE_TUN_INDEX, 0);
    write_inner(lab, port);
    CHECK_EQUAL(receive_runs(lab), 1);
    store32(engine_of(lab) + ENGINE_TUN_INDEX, index);
    write_inner(lab, port);
    CHECK_EQUAL(receive_runs(lab), 0);
    CHECK_EQUAL(counted(lab, DROP_OWN_TUNNEL) - dropped, 1);
    check_slots(lab);
    /* A busy peer's own socket knows as much: its address may be forged inside. */
    union address to = make_address("10.9.0.2", 2000), none = { 0 }, name;
    static struct far own;
    /* What it sends is known by the same hop limit, whatever the system's is by now. */
    int hops = HOPS + 13;
    CHECK_EQUAL(setsockopt(lab->udp, IPPROTO_IP, IP_TTL, &hops, sizeof hops), 0);
    own.fd = udp_connected(lab->udp, &to, &none, &name);
    CHECK(own.fd >= 0);
    CHECK_EQUAL(udp_hops(own.fd, false), hops);
    write_inner(lab, port);
    CHECK_EQUAL(hear(&own), 32u);
    CHECK_EQUAL(udp_interface(&own.last.local), index);
    CHECK(io_came_inside(lab->io, &own.last));
    close(own.fd);
}

int main(void)
{
    static struct lab lab;

    enter_namespace();
    set_up(&lab);
    uint16_t port = replace_socket(&lab, lab.udp, AF_INET, 0);
    lab.io->hops[1] = HOPS; /* there is no IPv6 socket here */
    tell(&lab, port);
    test_cut(&lab);
    PASSED("what of ours comes out of the device goes no further");
    test_told_apart(&lab, port);
    PASSED("others' packets with our port do");
    test_inside(&lab, port);
    PASSED("what comes through the device is nobody's");
    io_close(lab.io);
    free(lab.arena.base);
    return 0;
}
