/* sources: io.c io_inbound.c io_deliver.c io_outbound.c io_send.c io_connected.c io_way.c io_pass.c io_too_big.c icmp.c fragment.c mss.c merge.c split.c checksum.c replay.c tun.c udp.c udp_connected.c probe.c */
/*
 * connected_group_test.c — a busy peer's own socket beside the port's reuseport group: what the
 * steering program gives to whom stays as it is, while one comes and when it goes.
 */
#define _GNU_SOURCE
#include "far_lab.h"

#include <linux/filter.h>

static void steer(int fd)
{
    const struct sock_filter program[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0x04000000, 1, 0),
        BPF_STMT(BPF_RET | BPF_K, 2),          BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 4),
        BPF_STMT(BPF_ALU | BPF_AND | BPF_K, 1), BPF_STMT(BPF_RET | BPF_A, 0),
    };
    CHECK_EQUAL(udp_filter(fd, true, (const uint8_t *)program, sizeof program), 0);
}

static uint32_t take(int fd)
{
    uint8_t bytes[100];
    uint32_t got = 0;
    while (recv(fd, bytes, sizeof bytes, MSG_DONTWAIT) >= 0)
        got++;
    return got;
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

/* `bound`: what the group is bound to; `far_host`: peers, who send to `to`. */
static void test_group(const char *bound, const char *to, const char *far_host)
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
        own[i] = udp_connected(group[i % 2], &far[i].self, i < 2 ? &none : &asked, &name);
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

int main(void)
{
    enter_namespace();
    link_up("lo", false);
    test_group("", "127.0.0.1", "127.0.0.1");
    test_group("127.0.0.1", "127.0.0.1", "127.0.0.1");
    test_group("", "::1", "::1");
    test_group("::1", "::1", "::1");
    printf("the group beside busy peers' own sockets: passed\n");
    return 0;
}
