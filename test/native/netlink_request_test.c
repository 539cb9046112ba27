/* sources: netlink_request.c netlink_way.c netlink_read.c */
/* netlink_request_test.c — requests byte by byte, at their bounds and beyond; ways asked for. */
#define _GNU_SOURCE
#include "netlink_request.h"

#include <errno.h>
#include <string.h>

#include "check.h"

static const uint8_t VALUE[NETLINK_VALUE_BYTES + 1] = { 1, 2, 3, 4, 5, 6, 7, 8 };
static const uint8_t FIXED[NETLINK_FIXED_BYTES + 1] = { 0x11 };

static void test_layout(void)
{
    struct netlink_request request;

    netlink_begin(&request, RTM_GETLINK, NLM_F_ACK, FIXED, 5);
    netlink_put(&request, 7, VALUE, 3);
    netlink_put_u32(&request, 8, 0x01020304);
    const uint8_t *at = request.bytes + sizeof(struct nlmsghdr);
    CHECK_EQUAL(request.head.nlmsg_flags, NLM_F_REQUEST | NLM_F_ACK);
    CHECK_EQUAL(request.head.nlmsg_type, RTM_GETLINK);
    CHECK_EQUAL(request.head.nlmsg_seq, RTM_GETLINK);
    CHECK_EQUAL(request.head.nlmsg_len, 16 + 8 + 8 + 8);
    const struct rtattr heads[] = { { .rta_len = 7, .rta_type = 7 },
                                    { .rta_len = 8, .rta_type = 8 } };
    const uint32_t word = 0x01020304;
    CHECK_EQUAL(memcmp(at, FIXED, 8), 0);
    CHECK_EQUAL(memcmp(at + 8, &heads[0], 4), 0);
    CHECK_EQUAL(memcmp(at + 12, (const uint8_t[]){ 1, 2, 3, 0 }, 4), 0);
    CHECK_EQUAL(memcmp(at + 16, &heads[1], 4), 0);
    CHECK_EQUAL(memcmp(at + 20, &word, 4), 0);
    PASSED("fixed header and attributes, padded to four");
}

/* The largest request fits; one attribute, or one byte, more is not sent. */
static void test_bounds(void)
{
    struct netlink_request request;

    netlink_begin(&request, RTM_GETLINK, 0, FIXED, NETLINK_FIXED_BYTES);
    for (uint16_t i = 0; i < NETLINK_ATTRIBUTES_MAX; i++)
        netlink_put(&request, i, VALUE, NETLINK_VALUE_BYTES);
    CHECK(!request.too_long);
    CHECK_EQUAL(request.head.nlmsg_len, NETLINK_REQUEST_BYTES);
    CHECK_EQUAL(netlink_send(-1, &request), -EBADF);
    netlink_put_u32(&request, 1, 1);
    CHECK(request.too_long);
    CHECK_EQUAL(request.head.nlmsg_len, NETLINK_REQUEST_BYTES);
    CHECK_EQUAL(netlink_send(-1, &request), -EMSGSIZE);

    netlink_begin(&request, RTM_GETLINK, 0, FIXED, NETLINK_FIXED_BYTES + 1);
    CHECK_EQUAL(netlink_send(-1, &request), -EMSGSIZE);
    netlink_begin(&request, RTM_GETLINK, 0, FIXED, 1);
    netlink_put(&request, 1, VALUE, NETLINK_VALUE_BYTES + 1);
    CHECK_EQUAL(netlink_send(-1, &request), -EMSGSIZE);
    PASSED("bounds of a request");
}

/* Every attribute that a question for a way can have, with the longest addresses. */
static void test_way_fits(void)
{
    struct netlink_request request;
    struct netlink_flow flow;
    union address to = { .v6 = { .sin6_family = AF_INET6, .sin6_scope_id = 3 } }, from = to;

    to.v6.sin6_addr.s6_addr[0] = 0xfe;
    to.v6.sin6_addr.s6_addr[1] = 0x80;
    CHECK(netlink_flow_between(&flow, &to, &from));
    CHECK_EQUAL(flow.link, 3);
    netlink_begin_way(&request, 0, &flow, true);
    CHECK_EQUAL(netlink_send(-1, &request), -EBADF);
    from.any.sa_family = AF_INET;
    CHECK(!netlink_flow_between(&flow, &to, &from));
    from.any.sa_family = AF_UNSPEC;
    CHECK(netlink_flow_between(&flow, &to, &from));
    CHECK(!netlink_flow_between(&flow, &from, &to));
    PASSED("a question for a way");
}

/* A way by a router, one without, and one that stays here, as the kernel answers. */
static void test_way_read(void)
{
    const uint8_t types[] = { RTN_UNICAST, RTN_LOCAL };
    const uint16_t gateways[] = { RTA_GATEWAY, RTA_VIA, 0 };
    struct netlink_request answer;
    struct netlink_way way;

    for (size_t i = 0; i < 6; i++) {
        const struct rtmsg info = { .rtm_dst_len = 24, .rtm_table = 254, .rtm_type = types[i / 3] };
        netlink_begin(&answer, RTM_NEWROUTE, 0, &info, sizeof info);
        netlink_put_u32(&answer, RTA_OIF, 9);
        netlink_put_u32(&answer, RTA_TABLE, 700);
        netlink_put_u32(&answer, RTA_PRIORITY, 50);
        netlink_put(&answer, gateways[i % 3], VALUE, 4);
        struct netlink_bytes body = { .at = answer.bytes + sizeof(struct nlmsghdr),
                                      .left = answer.head.nlmsg_len - sizeof(struct nlmsghdr) };
        CHECK(netlink_read_way(body, &way));
        CHECK_EQUAL(way.index, i < 3 ? 9 : 0);
        CHECK_EQUAL(way.router, i % 3 == 2 ? 0 : 1);
        CHECK_EQUAL(way.prefix_bits, 24);
        CHECK_EQUAL(way.table, 700);
        CHECK_EQUAL(way.metric, 50);
        body.left = sizeof info - 1;
        CHECK(!netlink_read_way(body, &way));
    }
    PASSED("the answer to one");
}

int main(void)
{
    test_layout();
    test_bounds();
    test_way_fits();
    test_way_read();
    return 0;
}
