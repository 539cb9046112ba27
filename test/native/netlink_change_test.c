/* sources: NETLINK */
/* netlink_change_test.c — what others do to our link is told: name, MTU, up, down, deleted. */
#define _GNU_SOURCE
#include "netlink_lab.h"

#include <sys/socket.h>

#define RENAMED "renamed0"

/* Whoever runs `ip link set` beside us: a new name, another MTU. The index stays. */
static void test_changes(uint32_t index)
{
    struct netlink_event event;
    struct ifreq request = { 0 };
    struct netlink_link_change change = NOTHING;
    int fd = netlink_events_open(), control = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    CHECK(fd >= 0 && control >= 0);
    set_up(index, 0);
    CHECK(heard(fd, NETLINK_EVENT_LINK, index, &event));
    memcpy(request.ifr_name, NAME, sizeof NAME);
    memcpy(request.ifr_newname, RENAMED, sizeof RENAMED);
    CHECK_EQUAL(ioctl(control, SIOCSIFNAME, &request), 0);
    do
        CHECK(heard(fd, NETLINK_EVENT_LINK, index, &event));
    while (strcmp(event.name, NAME) == 0);
    CHECK(strcmp(event.name, RENAMED) == 0);
    CHECK_EQUAL(event.mtu, 1420);
    CHECK(!event.up);
    change.mtu = 34000;
    CHECK_EQUAL(netlink_link_set(index, &change), 0);
    do
        CHECK(heard(fd, NETLINK_EVENT_LINK, index, &event));
    while (event.mtu == 1420);
    CHECK_EQUAL(event.mtu, 34000);
    CHECK(strcmp(event.name, RENAMED) == 0);
    change.mtu = 1420;
    change.up = 1;
    CHECK_EQUAL(netlink_link_set(index, &change), 0);
    do
        CHECK(heard(fd, NETLINK_EVENT_LINK, index, &event));
    while (!event.up);
    close(fd);
    close(control);
    PASSED("a new name and another MTU are told");
}

static void test_deleted(uint32_t index, int tun)
{
    struct netlink_event event;
    int fd = netlink_events_open();
    CHECK(fd >= 0);
    close(tun);
    CHECK(heard(fd, NETLINK_EVENT_LINK_GONE, index, &event));
    CHECK(strcmp(event.name, RENAMED) == 0);
    close(fd);
    PASSED("a deleted link is told by its index and its last name");
}

int main(void)
{
    enter_namespace();
    int tun = open_tun();
    struct netlink_link link;
    struct netlink_link_change change = NOTHING;
    CHECK_EQUAL(netlink_link_get(NAME, &link), 0);
    change.mtu = 1420;
    CHECK_EQUAL(netlink_link_set(link.index, &change), 0);
    set_up(link.index, 1);
    test_changes(link.index);
    test_deleted(link.index, tun);
    return 0;
}
