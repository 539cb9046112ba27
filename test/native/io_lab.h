/*
 * io_lab.h — what io_test.c works with: an arena, a TUN device, a socket, and one struct io, in a
 * network namespace of its own.
 */
#ifndef P2PVPN_IO_LAB_H
#define P2PVPN_IO_LAB_H

#include "io.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "job.h"
#include "packets.h"
#include "replay.h"
#include "tun.h"
#include "udp.h"

#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif

#define DEVICE "iotest0"
#define MTU 1420u
#define SLOTS 40u
#define OFFERED 8u
#define SESSIONS 2u
#ifndef PEERS
#define PEERS 1u
#endif
#define INDEX 0x11223344u
#define PAGE 4096u
/* A table whose first word says all. */
#define ROUTE_TABLE_WORDS 2u
/* A job that is never posted; inbound jobs come before it. */
#define OUT_JOB 64u

struct lab {
    struct arena arena;
    struct io *io;
    int tun, udp, wake, sniffer, sender;
    bool uso;
    union address endpoint; /* where our own socket is bound */
    union address local;    /* the same without the port */
};

/* Entry sizes and counts of the regions that C touches; the others have a word. */
static inline void lay_out(struct arena *arena)
{
    const struct { enum region region; size_t size; uint32_t count; } used[] = {
        { REGION_ENGINE, ENGINE_SIZE, 1 },     { REGION_WORKERS, WORKER_SIZE, 1 },
        { REGION_IOS, IO_SIZE, 1 },            { REGION_JOBS, JOB_SIZE, RING_JOBS },
        { REGION_ROUTES4, 4, 2 * ROUTE_TABLE_WORDS }, { REGION_ROUTES6, 4, 2 * ROUTE_TABLE_WORDS },
        { REGION_COUNTERS, 8u * COUNTERS_PER_THREAD, 2 },
        { REGION_LOCALS, LOCAL_SIZE, 4 },      { REGION_PEERS, PEER_SIZE, PEERS },
        { REGION_HOSTS, LOCAL_SIZE, 4 },
        { REGION_SESSIONS, SESSION_SIZE, SESSIONS }, { REGION_SLOT_GENERATIONS, 4, SLOTS },
        { REGION_SLOTS, SLOT_BYTES, SLOTS },
    };
    size_t at = 0;
    for (size_t i = 0; i < sizeof used / sizeof used[0]; i++) {
        arena->region[used[i].region] = (uint32_t)at;
        arena->count[used[i].region] = used[i].count;
        at += (used[i].size * used[i].count + PAGE - 1) / PAGE * PAGE;
    }
    arena->bytes = at;
    arena->base = aligned_alloc(PAGE, at);
    CHECK(arena->base != NULL);
    memset(arena->base, 0, at);
}

/* All addresses lead to the peer, or to nobody. */
static inline void lead_to(struct arena *arena, int64_t peer)
{
    store32(entry(arena, REGION_ROUTES4, 4, 0), (uint32_t)(peer + 1) << RESULT_SHIFT);
    store32(entry(arena, REGION_ROUTES6, 4, 0), (uint32_t)(peer + 1) << RESULT_SHIFT);
}

static inline uint8_t *job_at(const struct lab *lab, uint32_t job)
{
    return entry(&lab->arena, REGION_JOBS, JOB_SIZE, job);
}

static inline uint8_t *session_at(const struct lab *lab, size_t session)
{
    return entry(&lab->arena, REGION_SESSIONS, SESSION_SIZE, session);
}

static inline uint8_t *peer_at(const struct lab *lab)
{
    return entry(&lab->arena, REGION_PEERS, PEER_SIZE, 0);
}

static inline uint64_t counted(const struct lab *lab, uint32_t which)
{
    double value;
    memcpy(&value, entry(&lab->arena, REGION_COUNTERS, 8u * COUNTERS_PER_THREAD, 0) + 8u * which,
           sizeof value);
    return (uint64_t)value;
}

static inline void enter_namespace(void)
{
    if (unshare(CLONE_NEWNET) == 0)
        return;
    if (unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0)
        SKIP("no network namespace of its own: not root, and user namespaces are off");
}

static inline void change_link(int fd, unsigned long request, const char *name, struct ifreq *link)
{
    CHECK(strlen(name) < sizeof link->ifr_name);
    memcpy(link->ifr_name, name, strlen(name) + 1);
    CHECK_EQUAL(ioctl(fd, request, link), 0);
}

/* Up, and 10.9.0.1/16 where `address` says so. */
static inline void link_up(const char *name, bool address)
{
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    struct ifreq link = { 0 };
    struct sockaddr_in value = { .sin_family = AF_INET };

    CHECK(fd >= 0);
    if (address) {
        value.sin_addr.s_addr = htonl(0x0a090001);
        memcpy(&link.ifr_addr, &value, sizeof value);
        change_link(fd, SIOCSIFADDR, name, &link);
        value.sin_addr.s_addr = htonl(0xffff0000);
        memcpy(&link.ifr_netmask, &value, sizeof value);
        change_link(fd, SIOCSIFNETMASK, name, &link);
    }
    memset(&link, 0, sizeof link);
    link.ifr_flags = IFF_UP | IFF_RUNNING;
    change_link(fd, SIOCSIFFLAGS, name, &link);
    close(fd);
}

/* What io_tun_read takes; the link's own MTU is set beside it. */
static inline void set_mtu(struct lab *lab, uint32_t bytes)
{
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    struct ifreq link = { .ifr_mtu = (int)bytes };

    CHECK(fd >= 0);
    change_link(fd, SIOCSIFMTU, DEVICE, &link);
    close(fd);
    store32(entry(&lab->arena, REGION_ENGINE, ENGINE_SIZE, 0) + ENGINE_MTU, bytes);
}

/* Hears IPv4 packets that the kernel takes from the TUN. */
static inline int open_sniffer(void)
{
    int fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, htons(ETH_P_IP));
    struct sockaddr_ll local = { .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_IP),
                                 .sll_ifindex = (int)if_nametoindex(DEVICE) };
    CHECK(fd >= 0);
    CHECK_EQUAL(bind(fd, (struct sockaddr *)&local, sizeof local), 0);
    return fd;
}

static inline void set_up(struct lab *lab)
{
    struct udp_options options = { .family = AF_INET, .address = "127.0.0.1", .device = "" };
    socklen_t length = sizeof lab->endpoint;

    memset(lab, 0, sizeof *lab);
    lay_out(&lab->arena);
    lead_to(&lab->arena, 0);
    for (size_t i = 0; i < SESSIONS; i++)
        store64(session_at(lab, i) + SESSION_REJECT_AT, REJECT_AFTER_MESSAGES);
    lab->tun = tun_open(DEVICE, true, true);
    if (lab->tun == -ENOENT || lab->tun == -EPERM || lab->tun == -EACCES)
        SKIP("no TUN device: /dev/net/tun is missing or CAP_NET_ADMIN is");
    CHECK(lab->tun >= 0);
    lab->uso = tun_offload(lab->tun, 2) == 0;
    if (!lab->uso)
        CHECK_EQUAL(tun_offload(lab->tun, 1), 0);
    link_up("lo", false);
    link_up(DEVICE, true);
    set_mtu(lab, MTU);
    lab->udp = udp_open(&options);
    lab->wake = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    CHECK(lab->udp >= 0 && lab->wake >= 0);
    CHECK_EQUAL(udp_gro(lab->udp, true), 0);
    CHECK_EQUAL(getsockname(lab->udp, &lab->endpoint.any, &length), 0);
    memcpy(peer_at(lab) + PEER_ENDPOINT, lab->endpoint.bytes, SOCKADDR_BYTES);
    lab->local = lab->endpoint;
    lab->local.v4.sin_port = 0;
    memcpy(peer_at(lab) + PEER_LOCAL, lab->local.bytes, SOCKADDR_BYTES);
    struct io_options io = { .tun = lab->tun, .udp4 = lab->udp, .udp6 = -1, .wake = lab->wake,
                             .vnet = true, .gso = true, .tso = true, .uso = lab->uso };
    CHECK_EQUAL(io_open(&lab->arena, &io, &lab->io), 0);
    lab->sniffer = open_sniffer();
    lab->sender = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    CHECK(lab->sender >= 0);
}

/* Polls until one of `bits` is ready; at most two seconds. */
static inline int ready_for(struct lab *lab, int bits)
{
    int ready = 0;
    for (int i = 0; i < 20 && !(ready & bits); i++)
        ready = io_poll(lab->io, 100);
    CHECK(ready & bits);
    return ready;
}

/* Sends `bytes` to 10.9.0.2 behind the TUN, in datagrams of `segment`. */
static inline void send_inner(struct lab *lab, size_t bytes, int segment)
{
    static uint8_t payload[65507];
    struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(2000) };

    to.sin_addr.s_addr = htonl(0x0a090002);
    for (size_t i = 0; i < bytes; i++)
        payload[i] = (uint8_t)(i * 13);
    CHECK_EQUAL(setsockopt(lab->sender, IPPROTO_UDP, UDP_SEGMENT, &segment, sizeof segment), 0);
    CHECK_EQUAL(sendto(lab->sender, payload, bytes, 0, (struct sockaddr *)&to, sizeof to),
                (ssize_t)bytes);
}

/* Reads runs until `packets` came; the kernel's own chatter (IPv6, IGMP) is passed over. */
static inline void read_run(struct lab *lab, uint32_t packets)
{
    uint8_t *job = job_at(lab, OUT_JOB);
    store32(job + JOB_SLOT, SLOTS - 1);
    for (int tries = 0; tries < 50; tries++) {
        int got = io_tun_read(lab->io, OUT_JOB);
        CHECK(got >= 0);
        if (got == 0)
            (void)ready_for(lab, READY_TUN);
        else if (load32(job + JOB_INNER_VERSION) == 4 &&
                 load32(job + JOB_INNER_ADDRESS) == 0x0a090002) {
            CHECK_EQUAL(got & ~TUN_DRAINED, packets);
            return;
        }
    }
    CHECK(false);
}

static inline void prepare_and_send(struct lab *lab, int *sent)
{
    uint8_t *job = job_at(lab, OUT_JOB);
    store32(job + JOB_SESSION, 0);
    store32(job + JOB_PEER, 0);
    store32(job + JOB_MESSAGE_TYPE, 4);
    store32(job + JOB_RECEIVER_INDEX, INDEX);
    CHECK_EQUAL(io_prepare(&lab->arena, OUT_JOB, 12.5), 0);
    CHECK_EQUAL(io_send_add(lab->io, OUT_JOB), 0);
    *sent = io_send_flush(lab->io);
}

/* Offers slots 0 to 7 to jobs 0 to 7 and receives. */
static inline int receive_runs(struct lab *lab)
{
    (void)ready_for(lab, READY_UDP);
    for (uint32_t i = 0; i < OFFERED; i++) {
        uint8_t *job = job_at(lab, i);
        store32(job + JOB_SLOT, i);
        store32(job + JOB_SESSION, 1);
        store32(job + JOB_FAILED_LOW, 0);
        store32(job + JOB_FAILED_HIGH, 0);
    }
    int received = io_receive(lab->io, 0, OFFERED);
    return received < 0 ? received : received & RECEIVE_RUNS;
}

/* No slot is in two jobs after a receive. */
static inline void check_slots(const struct lab *lab)
{
    bool seen[SLOTS] = { false };
    for (uint32_t i = 0; i < OFFERED; i++) {
        uint32_t slot = load32(job_at(lab, i) + JOB_SLOT);
        CHECK(slot < OFFERED && !seen[slot]);
        seen[slot] = true;
    }
}

/* Payload bytes of UDP packets that the kernel got from the TUN. */
static inline size_t sniffed(struct lab *lab, unsigned *packets)
{
    static uint8_t packet[70000];
    size_t sum = 0;
    struct pollfd wait = { .fd = lab->sniffer, .events = POLLIN };

    *packets = 0;
    CHECK(poll(&wait, 1, 2000) == 1);
    for (;;) {
        struct sockaddr_ll from;
        socklen_t length = sizeof from;
        ssize_t got = recvfrom(lab->sniffer, packet, sizeof packet, 0, (struct sockaddr *)&from,
                               &length);
        if (got < 0)
            return sum;
        /* Probes come from 127.0.0.1 (probe.h). */
        if (from.sll_pkttype == PACKET_OUTGOING || packet[9] != UDP ||
            get32(packet + 12) == INADDR_LOOPBACK)
            continue;
        CHECK_EQUAL(get32(packet + 12), 0x0a090001);
        CHECK_EQUAL(get16(packet + 2), got);
        for (size_t i = 28; i < (size_t)got; i++)
            CHECK_EQUAL(packet[i], (uint8_t)((sum + i - 28) * 13));
        sum += (size_t)got - 28;
        (*packets)++;
    }
}

static inline void empty_sniffer(struct lab *lab)
{
    uint8_t byte;
    while (recv(lab->sniffer, &byte, 1, 0) >= 0)
        ;
}

#endif
