/* sources: NETLINK */
/*
 * netlink_test.c — rtnetlink for real, in a network namespace of this process's own.
 *
 *   this namespace:  lo (down)   probe0: a TUN device, gone when the test ends
 */
#define _GNU_SOURCE
#include "netlink_lab.h"

#include <arpa/inet.h>
#include <linux/rtnetlink.h>
#include <stdint.h>
#include <sys/socket.h>

#define ROOM 64

static struct netlink_address address(const char *text, uint32_t prefix_bits)
{
    struct netlink_address out;
    uint8_t bytes[16];
    int family = strchr(text, ':') == NULL ? AF_INET : AF_INET6;
    CHECK(inet_pton(family, text, bytes) == 1);
    CHECK_EQUAL(netlink_address_make(&out, bytes, family == AF_INET ? 4 : 16, prefix_bits), 0);
    return out;
}

/* A property that netlink.c does not read back, from a message of our own. */
static uint32_t link_property(uint32_t index, uint16_t want)
{
    struct {
        struct nlmsghdr head;
        struct ifinfomsg info;
    } ask = {.head = {.nlmsg_len = sizeof ask, .nlmsg_type = RTM_GETLINK,
                      .nlmsg_flags = NLM_F_REQUEST},
             .info = {.ifi_index = (int)index}};
    static uint8_t bytes[NETLINK_DATAGRAM_BYTES];
    struct netlink_bytes body, value;
    struct nlmsghdr head;
    struct ifinfomsg info;
    uint16_t type;
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
    CHECK(fd >= 0);
    CHECK_EQUAL(send(fd, &ask, sizeof ask, 0), sizeof ask);
    int got = netlink_receive(fd, bytes, sizeof bytes);
    CHECK(got > 0);
    close(fd);
    struct netlink_bytes rest = {bytes, (size_t)got};
    CHECK(netlink_next_message(&rest, &head, &body));
    CHECK_EQUAL(head.nlmsg_type, RTM_NEWLINK);
    CHECK(netlink_take(&body, &info, sizeof info));
    while (netlink_next_attribute(&body, &type, &value)) {
        if (type == want)
            return netlink_u32(value);
    }
    return 0;
}

static uint32_t test_links(void)
{
    struct netlink_link link;
    CHECK_EQUAL(netlink_link_get("absent0", &link), -ENODEV);
    CHECK_EQUAL(netlink_link_get("", &link), -EINVAL);
    CHECK_EQUAL(netlink_link_get("sixteen-letters-", &link), -EINVAL);
    CHECK_EQUAL(netlink_link_get(NAME, &link), 0);
    CHECK(strcmp(link.name, NAME) == 0);
    CHECK_EQUAL(link.index, if_nametoindex(NAME));
    CHECK_EQUAL(link.mtu, 1500);
    CHECK_EQUAL(link.flags & IFF_UP, 0);
    PASSED("a link's index, MTU and flags");

    const struct netlink_link_change all = {1420, 1, 777, 64, 65000};
    CHECK_EQUAL(netlink_link_set(link.index, &all), 0);
    CHECK_EQUAL(netlink_link_get(NAME, &link), 0);
    CHECK_EQUAL(link.mtu, 1420);
    CHECK_EQUAL(link.flags & IFF_UP, IFF_UP);
    CHECK_EQUAL(link_property(link.index, IFLA_TXQLEN), 777);
    CHECK_EQUAL(link_property(link.index, IFLA_GSO_MAX_SEGS), 64);
    CHECK_EQUAL(link_property(link.index, IFLA_GSO_MAX_SIZE), 65000);
    CHECK_EQUAL(netlink_link_set(link.index, &NOTHING), 0);
    CHECK_EQUAL(netlink_link_get(NAME, &link), 0);
    CHECK_EQUAL(link.mtu, 1420);
    CHECK_EQUAL(link.flags & IFF_UP, IFF_UP);
    PASSED("properties are set, and -1 leaves them");

    struct netlink_link_change bad = NOTHING;
    bad.mtu = 70000;
    CHECK_EQUAL(netlink_link_set(link.index, &bad), -EINVAL);
    bad.mtu = -2;
    CHECK_EQUAL(netlink_link_set(link.index, &bad), -EINVAL);
    bad.mtu = -1;
    bad.up = 2;
    CHECK_EQUAL(netlink_link_set(link.index, &bad), -EINVAL);
    CHECK_EQUAL(netlink_link_set(0, &all), -ENODEV);
    CHECK_EQUAL(netlink_link_set(UINT32_MAX, &all), -ENODEV);
    CHECK_EQUAL(netlink_link_set(4242, &all), -ENODEV);
    PASSED("what does not fit is refused");
    return link.index;
}

static bool listed(uint32_t index, const struct netlink_address *want)
{
    struct netlink_address list[ROOM];
    int count = netlink_address_list(index, list, ROOM);
    CHECK(count >= 0);
    for (int i = 0; i < count; i++) {
        if (memcmp(&list[i], want, sizeof *want) == 0)
            return true;
    }
    return false;
}

static void test_address(uint32_t index, struct netlink_address own)
{
    CHECK(!listed(index, &own));
    CHECK_EQUAL(netlink_address_add(index, &own), 0);
    CHECK(listed(index, &own));
    CHECK(!listed(index + 1, &own));
    CHECK_EQUAL(netlink_address_add(index, &own), -EEXIST);
    CHECK_EQUAL(netlink_address_add(4242, &own), -ENODEV);
    CHECK_EQUAL(netlink_address_remove(index, &own), 0);
    CHECK(!listed(index, &own));
    CHECK_EQUAL(netlink_address_remove(index, &own), -EADDRNOTAVAIL);
}

/* Enough addresses that the kernel needs several datagrams to list them. */
static void test_long_list(uint32_t index)
{
    static struct netlink_address list[1024];
    const size_t many = 900;
    for (size_t i = 0; i < many; i++) {
        struct netlink_address one = address("10.200.0.1", 32);
        one.bytes[2] = (uint8_t)(i / 250);
        one.bytes[3] = (uint8_t)(i % 250 + 1);
        CHECK_EQUAL(netlink_address_add(index, &one), 0);
    }
    int count = netlink_address_list(index, list, 1024);
    CHECK(count >= (int)many && count <= (int)many + 2);
    CHECK_EQUAL(netlink_address_list(index, list, many - 1), -EOVERFLOW);
    for (size_t i = 0; i < (size_t)count; i++) {
        if (list[i].family == AF_INET)
            CHECK_EQUAL(netlink_address_remove(index, &list[i]), 0);
    }
    PASSED("a list of 900 addresses, and one without room");
}

/* The kernel's own answer to whether a destination has a route: 0 or the errno of connect(2). */
static int reach(const char *to)
{
    struct sockaddr_in to4 = {.sin_family = AF_INET, .sin_port = htons(9)};
    struct sockaddr_in6 to6 = {.sin6_family = AF_INET6, .sin6_port = htons(9)};
    bool six = strchr(to, ':') != NULL;
    int fd = socket(six ? AF_INET6 : AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    CHECK(fd >= 0);
    CHECK(inet_pton(six ? AF_INET6 : AF_INET, to,
                    six ? (void *)&to6.sin6_addr : (void *)&to4.sin_addr) == 1);
    int result = six ? connect(fd, (struct sockaddr *)&to6, sizeof to6)
                     : connect(fd, (struct sockaddr *)&to4, sizeof to4);
    int error = result < 0 ? errno : 0;
    close(fd);
    return error;
}

static void test_route(uint32_t index, struct netlink_address to, const char *inside,
                       uint32_t metric)
{
    CHECK_EQUAL(reach(inside), ENETUNREACH);
    CHECK_EQUAL(netlink_route_add(index, &to, metric), 0);
    CHECK_EQUAL(reach(inside), 0);
    CHECK_EQUAL(netlink_route_add(index, &to, metric), -EEXIST);
    CHECK_EQUAL(netlink_route_remove(index, &to, metric + 1), -ESRCH);
    CHECK_EQUAL(reach(inside), 0);
    CHECK_EQUAL(netlink_route_remove(index, &to, metric), 0);
    CHECK_EQUAL(reach(inside), ENETUNREACH);
    CHECK_EQUAL(netlink_route_remove(index, &to, metric), -ESRCH);
}

static void test_routes(uint32_t index, bool six)
{
    struct netlink_address own = address("10.7.0.1", 24), loose = address("10.9.0.1", 16);
    CHECK_EQUAL(netlink_address_add(index, &own), 0);
    test_route(index, address("10.9.0.0", 16), "10.9.1.1", 0);
    test_route(index, address("10.9.0.0", 16), "10.9.1.1", 50);
    test_route(index, address("0.0.0.0", 0), "192.0.2.1", 0);
    CHECK_EQUAL(netlink_route_add(index, &loose, 0), -EINVAL);
    PASSED("IPv4 routes");
    if (six) {
        struct netlink_address own6 = address("fd07::1", 64);
        CHECK_EQUAL(netlink_address_add(index, &own6), 0);
        test_route(index, address("fd09::", 48), "fd09::1", 0);
        test_route(index, address("::", 0), "2001:db8::1", 70);
        PASSED("IPv6 routes");
    }
    struct netlink_address to = address("10.9.0.0", 16);
    set_up(index, 0);
    CHECK_EQUAL(netlink_route_add(index, &to, 0), -ENETDOWN);
    set_up(index, 1);
    CHECK_EQUAL(netlink_route_add(4242, &to, 0), -ENODEV);
    PASSED("a route through a link that is down or absent is refused");
}

static void test_events(uint32_t index)
{
    struct netlink_event event, many[ROOM];
    struct netlink_address own = address("10.8.0.1", 24), to = address("10.9.0.0", 16);
    int fd = netlink_events_open();
    CHECK(fd >= 0);
    CHECK_EQUAL(netlink_events_read(fd, many, ROOM), 0);
    CHECK_EQUAL(netlink_address_add(index, &own), 0);
    CHECK(heard(fd, NETLINK_EVENT_ADDRESS, index, &event));
    CHECK_EQUAL(netlink_route_add(index, &to, 0), 0);
    CHECK(heard(fd, NETLINK_EVENT_ROUTE, index, &event));
    CHECK_EQUAL(netlink_route_remove(index, &to, 0), 0);
    CHECK(heard(fd, NETLINK_EVENT_ROUTE_GONE, index, &event));
    CHECK_EQUAL(netlink_address_remove(index, &own), 0);
    CHECK(heard(fd, NETLINK_EVENT_ADDRESS_GONE, index, &event));
    set_up(index, 0);
    CHECK(heard(fd, NETLINK_EVENT_LINK, index, &event));
    CHECK(!event.up);
    CHECK(strcmp(event.name, NAME) == 0);
    CHECK_EQUAL(event.mtu, 1420);
    set_up(index, 1);
    CHECK(heard(fd, NETLINK_EVENT_LINK, index, &event));
    CHECK(event.up);
    CHECK(netlink_events_read(fd, many, ROOM) >= 0);
    CHECK_EQUAL(netlink_events_read(fd, many, ROOM), 0);
    CHECK_EQUAL(netlink_events_read(-1, many, ROOM), -EBADF);
    close(fd);
    PASSED("events of addresses, routes and links");
}

static void test_overrun(uint32_t index)
{
    struct netlink_event many[ROOM];
    const int least = 1;
    struct netlink_address own = address("10.8.0.1", 24);
    int fd = netlink_events_open(), overruns = 0, count;
    CHECK(fd >= 0);
    CHECK_EQUAL(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &least, sizeof least), 0);
    for (int i = 0; i < 50; i++) {
        CHECK_EQUAL(netlink_address_add(index, &own), 0);
        CHECK_EQUAL(netlink_address_remove(index, &own), 0);
    }
    while ((count = netlink_events_read(fd, many, ROOM)) > 0) {
        for (int i = 0; i < count; i++)
            overruns += many[i].kind == NETLINK_EVENT_OVERRUN;
    }
    CHECK_EQUAL(count, 0);
    CHECK_EQUAL(overruns, 1);
    CHECK_EQUAL(netlink_address_add(index, &own), 0);
    CHECK(heard(fd, NETLINK_EVENT_ADDRESS, index, many));
    CHECK_EQUAL(netlink_address_remove(index, &own), 0);
    close(fd);
    PASSED("a lost event is told as an overrun, and reading goes on");
}

/* Another process may send to our socket; only the kernel is believed. */
static void test_stranger(uint32_t index)
{
    struct {
        struct nlmsghdr head;
        struct ifinfomsg info;
    } lie = {.head = {.nlmsg_len = sizeof lie, .nlmsg_type = RTM_DELLINK},
             .info = {.ifi_index = (int)index}};
    struct sockaddr_nl to;
    socklen_t to_bytes = sizeof to;
    struct netlink_event event;
    int fd = netlink_events_open();
    int stranger = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
    CHECK(fd >= 0 && stranger >= 0);
    CHECK_EQUAL(getsockname(fd, (struct sockaddr *)&to, &to_bytes), 0);
    to.nl_groups = 0;
    CHECK_EQUAL(sendto(stranger, &lie, sizeof lie, 0, (struct sockaddr *)&to, sizeof to),
                sizeof lie);
    CHECK_EQUAL(netlink_events_read(fd, &event, 1), 0);
    close(stranger);
    close(fd);
    PASSED("a message that is not the kernel's is ignored");
}

/* The lowest free descriptor: the same before and after means that none was left open. */
static int lowest_free(void)
{
    int fd = dup(STDOUT_FILENO);
    CHECK(fd >= 0);
    close(fd);
    return fd;
}

int main(void)
{
    int first_free = lowest_free();
    enter_namespace();
    int tun = open_tun();
    uint32_t index = test_links();
    struct netlink_event event;
    bool six = access("/proc/self/net/if_inet6", F_OK) == 0;
    test_address(index, address("10.1.2.3", 24));
    test_address(index, address("10.1.2.3", 32));
    PASSED("IPv4 addresses");
    if (six) {
        test_address(index, address("fd01::1", 64));
        PASSED("IPv6 addresses");
    } else {
        printf("the kernel has no IPv6; its cases are left out\n");
    }
    test_long_list(index);
    test_routes(index, six);
    test_events(index);
    test_overrun(index);
    test_stranger(index);
    int fd = netlink_events_open();
    CHECK(fd >= 0);
    close(tun);
    CHECK(heard(fd, NETLINK_EVENT_LINK_GONE, index, &event));
    close(fd);
    PASSED("a link that is gone is told");
    CHECK_EQUAL(lowest_free(), first_free);
    PASSED("no descriptor was left open");
    return 0;
}
