/* sources: netlink_read.c */
/*
 * netlink_fuzz_test.c — link messages as the kernel sends them, damaged: what is read is what a
 * slow twin reads, which knows offsets and lengths and nothing else.
 */
#include "netlink.h"

#include <linux/rtnetlink.h>
#include <stddef.h>

#include "fuzz.h"

#define BYTES_MAX 4096u
#define HEAD_BYTES 16u
#define LINK_BYTES 16u

static uint32_t native16(const uint8_t *at)
{
    uint16_t value;
    memcpy(&value, at, sizeof value);
    return value;
}

static uint32_t native32(const uint8_t *at)
{
    uint32_t value;
    memcpy(&value, at, sizeof value);
    return value;
}

static size_t round4(size_t bytes)
{
    return (bytes + 3) / 4 * 4;
}

/* Appends an attribute; returns its padded length. */
static size_t put_attribute(uint8_t *at, uint16_t type, const uint8_t *value, size_t bytes)
{
    uint16_t length = (uint16_t)(bytes + 4);
    memset(at, 0, round4(length));
    memcpy(at, &length, 2);
    memcpy(at + 2, &type, 2);
    memcpy(at + 4, value, bytes);
    return round4(length);
}

/* A link message with a few attributes; returns its padded length. */
static size_t put_link(struct chance *chance, uint8_t *at)
{
    uint8_t value[64];
    size_t length = HEAD_BYTES + LINK_BYTES;
    uint32_t total, type = RTM_NEWLINK;

    chance_fill(chance, at, length);
    for (uint64_t left = chance_below(chance, 6); left > 0; left--) {
        const uint16_t types[] = { IFLA_MTU, IFLA_IFNAME, IFLA_LINKINFO | 0x8000, IFLA_ADDRESS };
        uint16_t which = types[chance_below(chance, 4)];
        size_t bytes = which == IFLA_MTU ? 4 : chance_below(chance, 20);
        chance_fill(chance, value, bytes);
        if (which == IFLA_IFNAME && bytes > 0 && !once_in(chance, 4))
            value[bytes - 1] = '\0';
        length += put_attribute(at + length, which, value, bytes);
    }
    total = (uint32_t)length;
    memcpy(at, &total, 4);
    memcpy(at + 4, &type, 2);
    return length;
}

/* The twin's reading of a link message's body, at offsets. */
static bool slow_read(const uint8_t *at, size_t bytes, struct netlink_link *out)
{
    memset(out, 0, sizeof *out);
    if (bytes < LINK_BYTES || native32(at + 4) == 0 || native32(at + 4) > INT32_MAX)
        return false;
    out->index = native32(at + 4);
    out->flags = native32(at + 8);
    for (size_t from = LINK_BYTES; from + 4 <= bytes;) {
        size_t length = native16(at + from);
        uint32_t type = native16(at + from + 2) & 0x3fff;
        if (length < 4 || from + length > bytes)
            break;
        if (type == IFLA_MTU)
            out->mtu = length >= 8 ? native32(at + from + 4) : 0;
        if (type == IFLA_IFNAME && length - 4 <= sizeof out->name) {
            memcpy(out->name, at + from + 4, length - 4);
            out->name[sizeof out->name - 1] = '\0';
        }
        from += round4(length);
    }
    return true;
}

/* Every message of a datagram, read twice. Returns how many were links. */
static unsigned check(const uint8_t *at, size_t bytes)
{
    struct netlink_bytes rest = { at, bytes }, body;
    struct nlmsghdr head;
    size_t from = 0;
    unsigned links = 0;

    while (netlink_next_message(&rest, &head, &body)) {
        struct netlink_link link, expected;
        uint8_t family;
        CHECK(from + HEAD_BYTES <= bytes);
        size_t length = native32(at + from);
        CHECK(length >= HEAD_BYTES && from + length <= bytes);
        CHECK_EQUAL(head.nlmsg_len, length);
        CHECK_EQUAL(head.nlmsg_type, native16(at + from + 4));
        CHECK(body.at == at + from + HEAD_BYTES && body.left == length - HEAD_BYTES);
        bool read = slow_read(body.at, body.left, &expected);
        CHECK_EQUAL(netlink_read_link(body, &family, &link), read);
        if (read) {
            CHECK_EQUAL(family, body.at[0]);
            CHECK(memcmp(&link, &expected, sizeof link) == 0);
            links++;
        }
        from = from + round4(length) < bytes ? from + round4(length) : bytes;
    }
    /* It stopped where there is no whole message. */
    CHECK(bytes - from < HEAD_BYTES || native32(at + from) < HEAD_BYTES ||
          native32(at + from) > bytes - from);
    return links;
}

int main(void)
{
    static uint8_t bytes[BYTES_MAX];
    struct fuzz fuzz;
    unsigned long links = 0;

    fuzz_begin(&fuzz);
    while (fuzz_goes_on(&fuzz)) {
        size_t length = 0;
        for (uint64_t left = 1 + chance_below(&fuzz.chance, 4); left > 0; left--)
            length += put_link(&fuzz.chance, bytes + length);
        flip_bits(&fuzz.chance, bytes, length, chance_below(&fuzz.chance, 8));
        if (once_in(&fuzz.chance, 4))
            length = chance_below(&fuzz.chance, length + 1);
        uint8_t *copy = exact_copy(bytes, length);
        links += check(copy, length);
        free(copy);
    }
    printf("%lu datagrams, %lu links\n", fuzz.rounds, links);
    CHECK(links > 1000);
    PASSED("links are read as the twin reads them");
    return 0;
}
