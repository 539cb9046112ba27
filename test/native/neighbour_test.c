/* sources: neighbour.c udp_own.c NETLINK */
/* neighbour_test.c — entries that stay, and questions whose answer needs no other host. */
#define _GNU_SOURCE
#include <arpa/inet.h>

#include "neighbour.h"
#include "netlink_lab.h"

static union address at(const char *text)
{
    union address out;
    memset(&out, 0, sizeof out);
    if (inet_pton(AF_INET, text, &out.v4.sin_addr) == 1)
        out.any.sa_family = AF_INET;
    else if (inet_pton(AF_INET6, text, &out.v6.sin6_addr) == 1)
        out.any.sa_family = AF_INET6;
    return out;
}

static struct netlink_address prefix(const char *text, uint32_t bits)
{
    union address from = at(text);
    struct netlink_address out;
    bool v6 = from.any.sa_family == AF_INET6;
    const void *bytes = v6 ? (const void *)&from.v6.sin6_addr : (const void *)&from.v4.sin_addr;
    CHECK_EQUAL(netlink_address_make(&out, bytes, v6 ? 16 : 4, bits), 0);
    return out;
}

static int unknown(int fd, const char *to)
{
    const union address target = at(to), nowhere = at("");
    return neighbour_unknown(fd, &target, &nowhere, 0, false);
}

static void test_entries(int fd, uint32_t index, const char *text)
{
    struct netlink_address address = prefix(text, 0);
    CHECK_EQUAL(neighbour_add(fd, index, &address), 0);
    CHECK_EQUAL(neighbour_add(fd, index, &address), 0);
    CHECK_EQUAL(neighbour_remove(fd, index, &address), 0);
    CHECK_EQUAL(neighbour_remove(fd, index, &address), -ENOENT);
    CHECK_EQUAL(neighbour_add(fd, 0, &address), -ENODEV);
    CHECK_EQUAL(neighbour_add(fd, UINT32_MAX, &address), -ENODEV);
    CHECK_EQUAL(neighbour_add(fd, index + 1000, &address), -ENODEV);
}

int main(void)
{
    struct netlink_link link;
    enter_namespace();
    int tun = open_tun(), fd = neighbour_open();
    CHECK(fd >= 0);
    CHECK_EQUAL(netlink_link_get(NAME, &link), 0);
    bool six = access("/proc/self/net/if_inet6", F_OK) == 0;
    CHECK_EQUAL(unknown(fd, "10.1.2.9"), -ENETUNREACH);
    CHECK_EQUAL(unknown(fd, ""), -EDESTADDRREQ);
    set_up(link.index, 1);
    struct netlink_address own = prefix("10.1.2.3", 24);
    CHECK_EQUAL(netlink_address_add(link.index, &own), 0);
    CHECK_EQUAL(unknown(fd, "10.1.2.3"), 0);
    CHECK_EQUAL(unknown(fd, "10.1.2.9"), 0);
    CHECK_EQUAL(unknown(fd, "10.1.3.9"), -ENETUNREACH);
    PASSED("a link without a table of neighbours has no unknown ones");
    test_entries(fd, link.index, "0.0.0.0");
    if (six)
        test_entries(fd, link.index, "fd01::1");
    else
        printf("the kernel has no IPv6; its cases are left out\n");
    PASSED("entries that stay are made and removed");
    close(fd);
    CHECK_EQUAL(unknown(fd, "10.1.2.9"), -EBADF);
    close(tun);
    return 0;
}
