/* sources: udp.c udp_connected.c udp_own.c */
/*
 * connected_group_test.c — connected sockets beside a reuseport group with a program, on the real
 * kernel: none takes a stranger's datagram at any time, and none moves a member by coming or going.
 */
#define _GNU_SOURCE
#include "far_lab.h"

#include <linux/filter.h>

#define QUIET_MS 8

/* Data by the lowest index bit to socket 0 or 1, the rest to 2; as src/wire/bpf.ts. */
static void steer(int fd)
{
    const struct sock_filter program[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0x04000000, 1, 0),
        BPF_STMT(BPF_RET | BPF_K, 2),
        BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 4),
        BPF_STMT(BPF_ALU | BPF_AND | BPF_K, 1),
        BPF_STMT(BPF_RET | BPF_A, 0),
    };
    CHECK_EQUAL(udp_filter(fd, true, (const uint8_t *)program, sizeof program), 0);
}

static uint32_t take(int fd)
{
    struct pollfd wait = { .fd = fd, .events = POLLIN };
    uint8_t datagram[64];
    uint32_t count = 0;

    /* Where the machine is busy, the kernel delivers a moment later. */
    while (poll(&wait, 1, QUIET_MS) > 0)
        count += recv(fd, datagram, sizeof datagram, MSG_DONTWAIT) > 0;
    return count;
}

/* Strangers' datagrams go where the program says, whatever other sockets there are. */
static void check_group(const int group[3], struct far *stranger, const char *to)
{
    uint16_t port = (uint16_t)udp_port(group[0]);
    uint8_t other[64] = { 1 };
    for (uint32_t i = 0; i < 20; i++)
        say_data(stranger, to, port, i);
    for (uint32_t i = 0; i < 5; i++)
        say(stranger, to, port, 0, other, sizeof other);
    CHECK_EQUAL(take(group[0]), 10);
    CHECK_EQUAL(take(group[1]), 10);
    CHECK_EQUAL(take(group[2]), 5);
}

/*
 * `bound`: what the group is bound to; peers on `far_host` send to `to`. `routes`: that is also the
 * address that the route to them has.
 */
static void test_group(const char *bound, const char *to, const char *far_host, bool routes)
{
    struct udp_options options = { .family = make_address(to, 0).any.sa_family, .address = bound,
                                   .device = "" };
    struct far stranger, far[4];
    union address name, none, asked = make_address(to, 0);
    int group[3], own[4];
    memset(&none, 0, sizeof none);
    for (int i = 0; i < 3; i++) {
        group[i] = udp_open(&options);
        CHECK(group[i] >= 0);
        options.port = (uint16_t)udp_port(group[0]);
    }
    steer(group[0]);
    open_far(&stranger, far_host);
    check_group(group, &stranger, to);
    for (int i = 0; i < 4; i++) {
        open_far(&far[i], far_host);
        own[i] = udp_connected(group[i % 2], &far[i].self, routes && i < 2 ? &none : &asked,
                               &name);
        CHECK(own[i] >= 0);
        CHECK(same_host(&name, to));
        check_group(group, &stranger, to);
    }
    for (int i = 0; i < 4; i++) {
        say_data(&far[i], to, options.port, 1);
        for (int j = 0; j < 4; j++)
            CHECK_EQUAL(take(own[j]), i == j ? 1 : 0);
    }
    for (int i = 0; i < 4; i++) {
        say_data(&far[i], to, options.port, 1);
        CHECK_EQUAL(udp_forsake(own[i]), 0);
        say_data(&far[i], to, options.port, 1);
        CHECK_EQUAL(take(own[i]), 1); /* what was there */
        CHECK_EQUAL(take(group[1]), 1);
        check_group(group, &stranger, to);
        close(own[i]);
        check_group(group, &stranger, to);
        close(far[i].fd);
    }
    for (int i = 0; i < 3; i++)
        close(group[i]);
    close(stranger.fd);
}

/* Gives loopback another address; netdevice(7). */
static void add_address6(const char *text)
{
    struct { struct in6_addr address; uint32_t prefix; int index; } request = { .prefix = 128 };
    int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    CHECK(fd >= 0);
    CHECK_EQUAL(inet_pton(AF_INET6, text, &request.address), 1);
    request.index = (int)if_nametoindex("lo");
    CHECK_EQUAL(ioctl(fd, SIOCSIFADDR, &request), 0);
    close(fd);
}

int main(void)
{
    enter_namespace();
    link_up("lo", false);
    add_address6("fd00::9");
    test_group("", "127.0.0.1", "127.0.0.1", true);
    test_group("", "127.0.0.9", "127.0.0.1", false);
    test_group("127.0.0.1", "127.0.0.1", "127.0.0.1", true);
    test_group("", "::1", "::1", true);
    test_group("", "fd00::9", "::1", false);
    test_group("::1", "::1", "::1", true);
    printf("connected sockets beside a group: passed\n");
    return 0;
}
