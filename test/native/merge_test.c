/* sources: merge.c split.c checksum.c */
/* merge_test.c — what split.c cut is put together again, byte for byte; what must not merge. */
#include "merge.h"

#include "layout.gen.h"
#include "packets.h"

#define MTU 1420u
#define COUNT_MAX 64u
#define FUZZ_RUNS 30000u

struct bench {
    uint8_t whole[70000];
    uint8_t slot[SLOT_BYTES];
    uint8_t back[70000];
    uint8_t *packets[COUNT_MAX];
    uint32_t lengths[COUNT_MAX];
    uint32_t count;
    uint8_t locals[2 * LOCAL_SIZE];
    struct merge_options options;
    struct merged out;
};

static void store(uint8_t *at, uint32_t value)
{
    memcpy(at, &value, sizeof value);
}

/* 10.0.0.2 and fd00::2 are the addresses of this host. */
static void set_up(struct bench *bench, bool local)
{
    memset(bench, 0, sizeof *bench);
    store(bench->locals + LOCAL_VERSION, 4);
    store(bench->locals + LOCAL_ADDRESS, 0x0a000002);
    store(bench->locals + LOCAL_SIZE + LOCAL_VERSION, 6);
    store(bench->locals + LOCAL_SIZE + LOCAL_ADDRESS, 0xfd000000);
    store(bench->locals + LOCAL_SIZE + LOCAL_ADDRESS + 12, 2);
    bench->options = (struct merge_options){ .tcp = true, .udp = true, .vnet = true,
                                             .locals = bench->locals,
                                             .local_count = local ? 2 : 0 };
}

/* Appends a packet, each in a place of its own. */
static uint8_t *add(struct bench *bench, const struct shape *shape)
{
    uint8_t *at = bench->slot + bench->count * 1100u;
    CHECK(bench->count < COUNT_MAX && shape->payload < 1000);
    bench->packets[bench->count] = at;
    bench->lengths[bench->count++] = (uint32_t)make_packet(at, shape);
    return at;
}

/* `count` consecutive packets of 100 payload bytes of one flow. */
static void add_flow(struct bench *bench, uint8_t protocol, unsigned version, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        struct shape shape = { .version = version, .protocol = protocol, .payload = 100,
                               .sequence = 5000 + 100 * i, .flags = 0x10, .id = 7 + i };
        (void)add(bench, &shape);
    }
}

static uint32_t next(struct bench *bench, uint32_t from)
{
    return merge_next(&bench->options, bench->packets + from, bench->lengths + from,
                      bench->count - from, &bench->out);
}

/* What the write's iovecs hold, without the virtio header. */
static size_t gather(struct bench *bench)
{
    size_t bytes = 0;
    for (uint32_t i = 1; i < bench->out.iov_count; i++) {
        CHECK(bytes + bench->out.iov[i].iov_len <= sizeof bench->back);
        memcpy(bench->back + bytes, bench->out.iov[i].iov_base, bench->out.iov[i].iov_len);
        bytes += bench->out.iov[i].iov_len;
    }
    CHECK_EQUAL(bytes, bench->out.bytes);
    return bytes;
}

/* Splits a super-packet and merges it again: the same bytes and the same virtio header. */
static void round_trip(struct bench *bench, const struct shape *shape, uint16_t gso_size)
{
    bool tcp = shape->protocol == TCP;
    size_t bytes = make_packet(bench->whole, shape);
    struct splitter split;
    struct run run = { 0 };
    struct vnet vnet = { .flags = VNET_NEEDS_CSUM, .gso_size = gso_size,
                         .csum_start = shape->version == 4 ? 20 : 40,
                         .csum_offset = tcp ? 16 : 6 };

    vnet.gso_type = (uint8_t)(!tcp ? VNET_GSO_UDP_L4
                                   : (shape->version == 4 ? VNET_GSO_TCP4 : VNET_GSO_TCP6));
    leave_checksum(bench->whole, bytes);
    CHECK_EQUAL(split_begin(&split, bench->whole, bytes, vnet, MTU), 0);
    (void)split_next(&split, bench->slot, &run);
    CHECK(!split.pending && run.count <= COUNT_MAX && run.count > 1);
    bench->count = run.count;
    for (uint32_t i = 0; i < run.count; i++) {
        uint8_t *at = bench->slot + (size_t)i * run.segment_bytes + DATA_HEADER_BYTES;
        bench->packets[i] = at;
        bench->lengths[i] = shape->version == 4 ? get16(at + 2) : get16(at + 4) + 40;
    }
    CHECK_EQUAL(next(bench, 0), run.count);
    CHECK_EQUAL(gather(bench), bytes);
    CHECK(memcmp(bench->back, bench->whole, bytes) == 0);
    CHECK(memcmp(&bench->out.vnet, &vnet, sizeof vnet) == 0);
    CHECK_EQUAL(bench->out.header_bytes, shape_header_bytes(shape));
    CHECK_EQUAL(bench->out.packets, run.count);
}

static void test_round_trips(struct bench *bench, bool local)
{
    for (unsigned version = 4; version <= 6; version += 2) {
        for (size_t payload = 1001; payload < 40000; payload += 1313) {
            struct shape tcp = { .version = version, .protocol = TCP, .options = 12, .id = 9,
                                 .payload = payload, .sequence = 0xfffffe00,
                                 .flags = payload & 1 ? 0x18 : 0x10 };
            struct shape udp = { .version = version, .protocol = UDP, .payload = payload };
            set_up(bench, local);
            round_trip(bench, &tcp, 1000);
            round_trip(bench, &udp, 1000);
        }
    }
}

/* A packet that is written alone keeps its bytes and asks the kernel for nothing. */
static void check_alone(struct bench *bench, uint32_t at)
{
    uint8_t before[1100];
    memcpy(before, bench->packets[at], bench->lengths[at]);
    CHECK_EQUAL(next(bench, at), 1);
    CHECK_EQUAL(bench->out.vnet.flags, 0);
    CHECK_EQUAL(bench->out.vnet.gso_type, VNET_GSO_NONE);
    CHECK_EQUAL(gather(bench), bench->lengths[at]);
    CHECK(memcmp(bench->back, before, bench->lengths[at]) == 0);
}

/* Packets that travel on must have right checksums: a wrong one is neither merged nor mended. */
static void test_forwarded(struct bench *bench)
{
    for (unsigned version = 4; version <= 6; version += 2) {
        for (uint8_t protocol = TCP; protocol <= UDP; protocol = (uint8_t)(protocol + UDP - TCP)) {
            set_up(bench, false);
            add_flow(bench, protocol, version, 10);
            bench->packets[4][bench->lengths[4] - 1] ^= 0x40;
            CHECK_EQUAL(next(bench, 0), 4);
            CHECK_EQUAL(bench->out.vnet.flags, VNET_NEEDS_CSUM);
            check_alone(bench, 4);
            CHECK_EQUAL(next(bench, 5), 5);
            /* Addressed to this host AEAD vouches for them. */
            set_up(bench, true);
            add_flow(bench, protocol, version, 10);
            bench->packets[4][bench->lengths[4] - 1] ^= 0x40;
            CHECK_EQUAL(next(bench, 0), 10);
        }
    }
}

static void test_single(struct bench *bench)
{
    set_up(bench, false);
    add_flow(bench, TCP, 4, 1);
    check_alone(bench, 0);
    /* To this host: the kernel need not sum it, and the field holds the pseudo-header's sum. */
    set_up(bench, true);
    add_flow(bench, TCP, 4, 1);
    CHECK_EQUAL(next(bench, 0), 1);
    CHECK_EQUAL(bench->out.vnet.flags, VNET_NEEDS_CSUM);
    CHECK_EQUAL(bench->out.vnet.csum_start, 20);
    CHECK_EQUAL(bench->out.vnet.csum_offset, 16);
    size_t bytes = gather(bench);
    uint32_t field = get16(bench->back + 36);
    leave_checksum(bench->back, bytes);
    CHECK_EQUAL(get16(bench->back + 36), field);
}

static void test_no_checksum(struct bench *bench)
{
    for (int local = 0; local < 2; local++) {
        set_up(bench, local == 1);
        add_flow(bench, UDP, 4, 5);
        put16(bench->packets[2] + 26, 0);
        CHECK_EQUAL(next(bench, 0), 2);
        check_alone(bench, 2);
        CHECK_EQUAL(get16(bench->packets[2] + 26), 0);
        CHECK_EQUAL(next(bench, 3), 2);
    }
}

static void test_fragments(struct bench *bench)
{
    const uint32_t fields[] = { 0x2000, 0x0001, 0x2010, 0x00ff };
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        set_up(bench, true);
        add_flow(bench, i & 1 ? UDP : TCP, 4, 3);
        for (uint32_t p = 0; p < 3; p++)
            put16(bench->packets[p] + 6, fields[i]);
        for (uint32_t p = 0; p < 3; p++)
            check_alone(bench, p);
    }
}

static void test_push(struct bench *bench)
{
    set_up(bench, true);
    add_flow(bench, TCP, 4, 6);
    bench->packets[2][33] |= 0x08;
    CHECK_EQUAL(next(bench, 0), 3);
    CHECK_EQUAL(bench->packets[0][33], 0x18);
    CHECK_EQUAL(next(bench, 3), 3);
    CHECK_EQUAL(bench->packets[3][33], 0x10);
    /* On the first packet it closes at once. */
    set_up(bench, true);
    add_flow(bench, TCP, 4, 2);
    bench->packets[0][33] |= 0x08;
    CHECK_EQUAL(next(bench, 0), 1);
}

struct change {
    const char *what;
    unsigned version;
    uint8_t protocol;
    size_t at;
    uint8_t flip;
};

/* One bit in the third packet that makes it another flow's, or a packet that must stay itself. */
static void test_differences(struct bench *bench)
{
    const struct change changes[] = {
        { "ToS", 4, TCP, 1, 0x01 },          { "DF", 4, TCP, 6, 0x40 },
        { "TTL", 4, TCP, 8, 0x01 },          { "source", 4, TCP, 15, 0x04 },
        { "destination", 4, UDP, 18, 0x01 }, { "source port", 4, TCP, 21, 0x01 },
        { "port", 4, UDP, 23, 0x01 },        { "sequence", 4, TCP, 27, 0x01 },
        { "acknowledgement", 4, TCP, 31, 1 },{ "reserved bits", 4, TCP, 32, 0x01 },
        { "FIN", 4, TCP, 33, 0x01 },         { "SYN", 4, TCP, 33, 0x02 },
        { "RST", 4, TCP, 33, 0x04 },         { "no ACK", 4, TCP, 33, 0x10 },
        { "URG", 4, TCP, 33, 0x20 },         { "ECE", 4, TCP, 33, 0x40 },
        { "CWR", 4, TCP, 33, 0x80 },         { "window", 4, TCP, 35, 0x01 },
        { "urgent pointer", 4, TCP, 39, 1 }, { "class", 6, TCP, 0, 0x01 },
        { "flow label", 6, UDP, 3, 0x01 },   { "hop limit", 6, TCP, 7, 0x01 },
        { "IPv6 source", 6, UDP, 23, 0x04 }, { "IPv6 sequence", 6, TCP, 47, 0x01 },
    };
    for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++) {
        const struct change *change = &changes[i];
        set_up(bench, false);
        add_flow(bench, change->protocol, change->version, 4);
        bench->packets[2][change->at] ^= change->flip;
        seal_checksums(bench->packets[2], bench->lengths[2]);
        if (next(bench, 0) != 2)
            fprintf(stderr, "%s\n", change->what);
        CHECK_EQUAL(bench->out.packets, 2);
    }
    /* What may differ: the identification of IPv4. */
    set_up(bench, false);
    add_flow(bench, TCP, 4, 4);
    put16(bench->packets[2] + 4, 0xabcd);
    seal_checksums(bench->packets[2], bench->lengths[2]);
    CHECK_EQUAL(next(bench, 0), 4);
}

static void test_sizes(struct bench *bench)
{
    struct shape shape = { .version = 4, .protocol = UDP, .payload = 200 };

    set_up(bench, true);
    add_flow(bench, UDP, 4, 3);
    (void)add(bench, &shape); /* longer than the others: not with them */
    CHECK_EQUAL(next(bench, 0), 3);
    shape.payload = 50;
    (void)add(bench, &shape); /* shorter: the last one */
    shape.payload = 200;
    (void)add(bench, &shape);
    CHECK_EQUAL(next(bench, 3), 2);
    CHECK_EQUAL(bench->out.vnet.gso_size, 200);
    shape.payload = 0;
    (void)add(bench, &shape); /* empty datagrams stay alone */
    CHECK_EQUAL(next(bench, 5), 1);
    /* A length field that is not the packet's. */
    set_up(bench, true);
    add_flow(bench, UDP, 4, 3);
    put16(bench->packets[1] + 24, 50);
    CHECK_EQUAL(next(bench, 0), 1);
    check_alone(bench, 1);
    /* A whole run of 64, and what the options forbid. */
    set_up(bench, true);
    add_flow(bench, TCP, 6, COUNT_MAX);
    CHECK_EQUAL(next(bench, 0), COUNT_MAX);
    bench->options.tcp = false;
    CHECK_EQUAL(next(bench, 1), 1);
    set_up(bench, true);
    add_flow(bench, UDP, 4, 4);
    bench->options.udp = false;
    CHECK_EQUAL(next(bench, 0), 1);
    bench->options = (struct merge_options){ .tcp = true, .udp = true };
    check_alone(bench, 1);
}

/* Bits flipped anywhere: nothing lost, nothing read beyond a packet, order kept. */
static void test_fuzz(struct bench *bench, struct chance *chance)
{
    uint32_t merged = 0;
    for (unsigned run = 0; run < FUZZ_RUNS; run++) {
        set_up(bench, chance_below(chance, 2) == 1);
        add_flow(bench, run & 1 ? TCP : UDP, run & 2 ? 4 : 6, 2 + (uint32_t)(run % 6));
        for (uint32_t flips = (uint32_t)chance_below(chance, 4); flips > 0; flips--) {
            uint32_t which = (uint32_t)chance_below(chance, bench->count);
            uint64_t at = chance_below(chance, 60);
            bench->packets[which][at] ^= (uint8_t)(1u << chance_below(chance, 8));
        }
        /* Packets that end where their memory does. */
        uint8_t *copies[COUNT_MAX];
        size_t total = 0, back = 0;
        for (uint32_t i = 0; i < bench->count; i++) {
            if (chance_below(chance, 20) == 0)
                bench->lengths[i] = 20 + (uint32_t)chance_below(chance, bench->lengths[i] - 20);
            copies[i] = malloc(bench->lengths[i]);
            CHECK(copies[i] != NULL);
            memcpy(copies[i], bench->packets[i], bench->lengths[i]);
            bench->packets[i] = copies[i];
            total += bench->lengths[i];
        }
        for (uint32_t at = 0; at < bench->count;) {
            uint32_t taken = next(bench, at);
            CHECK(taken >= 1 && taken <= bench->count - at);
            CHECK_EQUAL(bench->out.iov_count, taken + 1);
            CHECK(bench->out.iov[1].iov_base == bench->packets[at]);
            back += gather(bench) + (taken - 1) * (size_t)bench->out.header_bytes;
            merged += taken - 1;
            at += taken;
        }
        CHECK_EQUAL(back, total);
        for (uint32_t i = 0; i < bench->count; i++)
            free(copies[i]);
    }
    CHECK(merged > FUZZ_RUNS);
}

int main(void)
{
    struct bench *bench = malloc(sizeof *bench);
    struct chance chance = { 9293 };
    CHECK(bench != NULL);

    test_round_trips(bench, true);
    test_round_trips(bench, false);
    PASSED("split and merged: the same bytes, TCP and UDP, IPv4 and IPv6");
    test_forwarded(bench);
    PASSED("a wrong checksum of a forwarded packet is neither merged nor mended");
    test_single(bench);
    PASSED("one packet alone");
    test_no_checksum(bench);
    PASSED("a UDP checksum of 0 stays 0");
    test_fragments(bench);
    PASSED("fragments are left alone");
    test_push(bench);
    PASSED("PSH closes");
    test_differences(bench);
    PASSED("24 differences keep packets apart");
    test_sizes(bench);
    PASSED("sizes and options");
    test_fuzz(bench, &chance);
    PASSED("flipped bits");
    free(bench);
    return 0;
}
