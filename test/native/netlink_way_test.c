/* sources: NETLINK */
/* netlink_way_test.c — which way a datagram takes: by our route, by a device's network, nowhere. */
#define _GNU_SOURCE
#include "netlink_lab.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

/* A second. */
#define TRIES 100
#define TRY_US 10000

static struct netlink_flow flow_to(const uint8_t *address, size_t bytes)
{
    struct netlink_flow flow = { .to_port = 51820 };
    CHECK_EQUAL(netlink_address_make(&flow.to, address, bytes, 0), 0);
    return flow;
}

static void check_way(const struct netlink_flow *flow, uint32_t index, uint32_t prefix_bits)
{
    struct netlink_way way;
    CHECK_EQUAL(netlink_route_find(flow, true, &way), 0);
    CHECK_EQUAL(way.index, index);
    CHECK_EQUAL(way.prefix_bits, prefix_bits);
    if (index != 0)
        CHECK_EQUAL(way.table, 254); /* main */
    CHECK_EQUAL(netlink_route_find(flow, false, &way), 0);
    CHECK_EQUAL(way.index, index);
}

static void test_four(uint32_t index)
{
    const uint8_t own[4] = { 10, 5, 0, 1 }, near[4] = { 10, 5, 0, 9 }, routed[4] = { 10, 6, 1, 1 };
    const uint8_t far[4] = { 203, 0, 113, 7 };
    struct netlink_address address, prefix;
    struct netlink_way way;

    CHECK_EQUAL(netlink_address_make(&address, own, 4, 24), 0);
    CHECK_EQUAL(netlink_address_add(index, &address), 0);
    CHECK_EQUAL(netlink_address_make(&prefix, (const uint8_t[]){ 10, 6, 0, 0 }, 4, 16), 0);
    CHECK_EQUAL(netlink_route_add(index, &prefix, 0), 0);
    struct netlink_flow flow = flow_to(routed, 4);
    check_way(&flow, index, 16);
    flow = flow_to(near, 4);
    check_way(&flow, index, 24);
    flow = flow_to(own, 4);
    check_way(&flow, 0, 32);
    flow = flow_to(far, 4);
    CHECK_EQUAL(netlink_route_find(&flow, true, &way), -ENETUNREACH);
    CHECK_EQUAL(netlink_route_find(&flow, false, &way), -ENETUNREACH);
    /* From an address that is not ours there is no way. */
    flow = flow_to(routed, 4);
    CHECK_EQUAL(netlink_address_make(&flow.from, far, 4, 0), 0);
    CHECK(netlink_route_find(&flow, false, &way) < 0);
    PASSED("IPv4: our route, a device's network, an address of ours, nowhere");
}

static void test_six(uint32_t index)
{
    const uint8_t own[16] = { 0xfd, 5, [15] = 1 }, routed[16] = { 0xfd, 6, [15] = 9 };
    struct netlink_address address, prefix;

    CHECK_EQUAL(netlink_address_make(&address, own, 16, 64), 0);
    CHECK_EQUAL(netlink_address_add(index, &address), 0);
    CHECK_EQUAL(netlink_address_make(&prefix, (const uint8_t[16]){ 0xfd, 6 }, 16, 32), 0);
    CHECK_EQUAL(netlink_route_add(index, &prefix, 0), 0);
    struct netlink_flow flow = flow_to(routed, 16);
    check_way(&flow, index, 32);
    flow = flow_to(own, 16);
    /* The kernel makes an address of IPv6 its own a moment after it was added. */
    for (int tries = 0; tries < TRIES; tries++) {
        struct netlink_way way;
        if (netlink_route_find(&flow, false, &way) == 0 && way.index == 0)
            break;
        (void)usleep(TRY_US);
    }
    check_way(&flow, 0, 128);
    PASSED("IPv6: our route, an address of ours");
}

/* A rule for a mark leads to a table of its own, which is told. */
static void test_mark(uint32_t index)
{
    struct netlink_flow flow = flow_to((const uint8_t[]){ 10, 6, 1, 1 }, 4);
    struct netlink_way way;

    if (system("ip route add 10.0.0.0/8 dev " NAME " table 7") != 0 ||
        system("ip rule add fwmark 7 lookup 7") != 0)
        SKIP("no ip(8) here, or no rules in this kernel");
    check_way(&flow, index, 16);
    flow.mark = 7;
    CHECK_EQUAL(netlink_route_find(&flow, true, &way), 0);
    CHECK_EQUAL(way.prefix_bits, 8);
    CHECK_EQUAL(way.table, 7);
    PASSED("a rule for a mark");
}

int main(void)
{
    struct netlink_link link;

    enter_namespace();
    int tun = open_tun();
    CHECK_EQUAL(netlink_link_get(NAME, &link), 0);
    set_up(link.index, 1);
    test_four(link.index);
    test_six(link.index);
    test_mark(link.index);
    close(tun);
    return 0;
}
