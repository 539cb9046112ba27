/* sources: NETLINK */
/* netlink_read_test.c — what needs no kernel: reading messages, and sizes of addresses. */
#include "netlink.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "check.h"

static void test_address_sizes(void)
{
    struct netlink_address out;
    const uint8_t bytes[16] = {0};
    CHECK_EQUAL(netlink_address_make(&out, bytes, 4, 32), 0);
    CHECK_EQUAL(netlink_address_make(&out, bytes, 4, 33), -EINVAL);
    CHECK_EQUAL(netlink_address_make(&out, bytes, 16, 128), 0);
    CHECK_EQUAL(netlink_address_make(&out, bytes, 16, 129), -EINVAL);
    CHECK_EQUAL(netlink_address_make(&out, bytes, 5, 8), -EINVAL);
    CHECK_EQUAL(netlink_address_make(&out, bytes, 0, 0), -EINVAL);
    PASSED("addresses of a wrong size are refused");
}

/* Reading must stay inside a message whatever its bytes are; the buffer is exact for that. */
static void test_garbage(void)
{
    uint32_t seed = 1;
    for (int round = 0; round < 20000; round++) {
        size_t bytes = (size_t)round % 97;
        uint8_t *exact = malloc(bytes + (bytes == 0));
        struct netlink_bytes body, value;
        struct netlink_link link;
        struct nlmsghdr head;
        uint16_t type;
        uint8_t family;
        CHECK(exact != NULL);
        for (size_t i = 0; i < bytes; i++) {
            seed = seed * 1664525u + 1013904223u;
            /* Few large bytes, so that lengths are often plausible. */
            exact[i] = (uint8_t)(i % 2 == 0 ? seed >> 26 : 0);
        }
        struct netlink_bytes rest = {exact, bytes};
        while (netlink_next_message(&rest, &head, &body)) {
            CHECK(body.at >= exact && body.at + body.left <= exact + bytes);
            (void)netlink_read_link(body, &family, &link);
            CHECK(memchr(link.name, '\0', sizeof link.name) != NULL);
            while (netlink_next_attribute(&body, &type, &value))
                CHECK(value.at >= exact && value.at + value.left <= exact + bytes);
        }
        free(exact);
    }
    PASSED("20000 messages of garbage");
}

int main(void)
{
    test_address_sizes();
    test_garbage();
    return 0;
}
