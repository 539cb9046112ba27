/* sources: split.c checksum.c */
/* split_test.c — GSO packets into segments: sizes, headers and checksums against a slow twin. */
#include "split_lab.h"

#include <errno.h>

#define FUZZ_RUNS 60000u

/* The IP packet's own length, its checksums, and zero padding up to the tag. */
static size_t check_segment(const struct bench *bench, const struct run *run, uint32_t i)
{
    const uint8_t *packet = segment_packet(bench, run, i);
    size_t bytes = packet[0] >> 4 == 4 ? get16(packet + 2) : get16(packet + 4) + 40u;
    size_t room = segment_bytes(run, i) - SEGMENT_OVERHEAD_BYTES;

    CHECK(bytes <= MTU && bytes <= room);
    CHECK(packet_valid(packet, bytes));
    CHECK_EQUAL(segment_size(bytes, MTU), segment_bytes(run, i));
    CHECK(room % PADDING_BYTES == 0 || room == MTU);
    for (size_t at = bytes; at < room; at++)
        CHECK_EQUAL(packet[at], 0);
    return bytes;
}

/* One segment of a TCP packet: sequence, flags, identification, payload. */
static void check_tcp(const struct bench *bench, const struct shape *shape, const uint8_t *packet,
                      uint32_t made, size_t at, size_t payload, bool last)
{
    size_t ip = ip_header_bytes(packet), header = shape_header_bytes(shape);
    uint8_t flags = packet[ip + 13];

    CHECK_EQUAL(get32(packet + ip + 4), shape->sequence + (uint32_t)at);
    CHECK_EQUAL(flags & 0x09, last ? shape->flags & 0x09 : 0);          /* FIN, PSH: the last */
    CHECK_EQUAL(flags & 0x80, made == 0 ? shape->flags & 0x80 : 0);     /* CWR: the first */
    CHECK_EQUAL(flags & 0x76, shape->flags & 0x76);
    CHECK(memcmp(packet + ip + 20, bench->packet + ip + 20, shape->options) == 0);
    CHECK(memcmp(packet + header, bench->packet + header + at, payload) == 0);
}

/* Splits a GSO packet over as many runs as it takes and checks every segment. */
static uint32_t check_gso(struct bench *bench, const struct shape *shape, size_t gso_size)
{
    size_t bytes = make_packet(bench->packet, shape), header = shape_header_bytes(shape);
    struct splitter split;
    uint32_t made = 0, runs = 0;
    size_t at = 0;

    leave_checksum(bench->packet, bytes);
    CHECK_EQUAL(split_begin(&split, bench->packet, bytes, gso_vnet(shape, gso_size), MTU), 0);
    while (split.pending) {
        struct run run = { 0 };
        memset(bench->slot, 0xee, sizeof bench->slot);
        (void)split_next(&split, bench->slot, &run);
        CHECK(run.count >= 1 && run.count <= JOB_SEGMENTS);
        CHECK((size_t)run.count * run.segment_bytes <= JOB_BYTES);
        size_t sum = 0;
        for (uint32_t i = 0; i < run.count; i++, made++) {
            const uint8_t *packet = segment_packet(bench, &run, i);
            size_t size = check_segment(bench, &run, i), payload = size - header;
            bool last = at + payload == shape->payload;
            CHECK_EQUAL(payload, last ? shape->payload - at : gso_size);
            if (shape->version == 4)
                CHECK_EQUAL(get16(packet + 4), (shape->id + made) & 0xffff);
            if (shape->protocol == TCP)
                check_tcp(bench, shape, packet, made, at, payload, last);
            else
                CHECK(memcmp(packet + header, bench->packet + header + at, payload) == 0);
            at += payload;
            sum += size;
        }
        CHECK_EQUAL(run.tun_bytes, sum);
        CHECK_EQUAL(run.version, shape->version);
        CHECK_EQUAL(run.address[0], shape->version == 4 ? 0x0a000002 : 0xfd000000);
        CHECK_EQUAL(run.address[3], shape->version == 4 ? 0 : 2);
        CHECK(++runs <= 65000 / JOB_SEGMENTS + 1);
    }
    CHECK_EQUAL(at, shape->payload);
    return runs;
}

static void test_gso(struct bench *bench)
{
    for (unsigned version = 4; version <= 6; version += 2) {
        for (unsigned flags = 0; flags < 256; flags += 5) {
            struct shape shape = { .version = version, .protocol = TCP, .options = 12,
                                   .payload = 9001, .sequence = 0xfffff000, .id = 0xfffe,
                                   .flags = (uint8_t)flags };
            (void)check_gso(bench, &shape, 1368 - (version == 6 ? 20 : 0));
        }
        struct shape udp = { .version = version, .protocol = UDP, .payload = 20000, .id = 5 };
        (void)check_gso(bench, &udp, 1200);
        udp.payload = 1201;
        (void)check_gso(bench, &udp, 1200);
        /* As large as it gets: 45 full segments are one run; small ones take several. */
        struct shape full = { .version = version, .protocol = TCP, .flags = 0x18 };
        size_t room = MTU - shape_header_bytes(&full);
        full.payload = 44 * room;
        CHECK_EQUAL(check_gso(bench, &full, room), 1);
        full.payload = 65000;
        CHECK(check_gso(bench, &full, 100) >= 650 / JOB_SEGMENTS);
        CHECK_EQUAL(check_gso(bench, &full, 1), 65000 / JOB_SEGMENTS + 1);
    }
}

static uint32_t read_one(struct bench *bench, const struct shape *shape, struct run *run,
                         bool *closed)
{
    struct splitter split;
    size_t bytes = make_packet(bench->packet, shape);
    CHECK_EQUAL(split_begin(&split, bench->packet, bytes, (struct vnet){ 0 }, MTU), 0);
    *closed = split_next(&split, bench->slot, run);
    return split.pending ? 0 : 1;
}

/* Runs of small packets: equal ones together, a shorter one ends, a longer one starts anew. */
static void test_runs(struct bench *bench)
{
    struct shape ack = { .version = 4, .protocol = TCP, .options = 12, .flags = 0x10 };
    struct run run = { 0 };
    bool closed = false;

    for (uint32_t i = 0; i < JOB_SEGMENTS; i++) {
        CHECK(!closed);
        CHECK_EQUAL(read_one(bench, &ack, &run, &closed), 1);
        CHECK_EQUAL(run.count, i + 1);
    }
    CHECK(closed);
    for (uint32_t i = 0; i < run.count; i++)
        CHECK_EQUAL(check_segment(bench, &run, i), 52);

    run = (struct run){ 0 };
    struct shape big = { .version = 4, .protocol = UDP, .payload = 500 }, small = big;
    small.payload = 100;
    CHECK_EQUAL(read_one(bench, &big, &run, &closed), 1);
    CHECK_EQUAL(read_one(bench, &small, &run, &closed), 1);
    CHECK(closed && run.count == 2 && run.last_bytes < run.segment_bytes);
    CHECK_EQUAL(check_segment(bench, &run, 1), 128);

    run = (struct run){ 0 };
    CHECK_EQUAL(read_one(bench, &small, &run, &closed), 1);
    CHECK_EQUAL(read_one(bench, &big, &run, &closed), 0);
    CHECK(closed && run.count == 1);

    /* Another destination does not join. */
    struct shape six = { .version = 6, .protocol = UDP, .payload = 80 };
    CHECK_EQUAL(read_one(bench, &six, &run, &closed), 0);
    CHECK(closed && run.count == 1 && run.version == 4);
}

static void test_padding(struct bench *bench)
{
    CHECK_EQUAL(segment_size(20, MTU), 32 + SEGMENT_OVERHEAD_BYTES);
    CHECK_EQUAL(segment_size(32, MTU), 32 + SEGMENT_OVERHEAD_BYTES);
    CHECK_EQUAL(segment_size(33, MTU), 48 + SEGMENT_OVERHEAD_BYTES);
    /* 1420 is no multiple of 16: never beyond the MTU (WireGuard paper 5.4.6). */
    CHECK_EQUAL(segment_size(1409, MTU), MTU + SEGMENT_OVERHEAD_BYTES);
    CHECK_EQUAL(segment_size(1420, MTU), MTU + SEGMENT_OVERHEAD_BYTES);
    for (size_t payload = 0; payload <= MTU - 28; payload++) {
        struct shape shape = { .version = 4, .protocol = UDP, .payload = payload };
        struct run run = { 0 };
        bool closed;
        memset(bench->slot, 0xee, MTU + SEGMENT_OVERHEAD_BYTES);
        CHECK_EQUAL(read_one(bench, &shape, &run, &closed), 1);
        CHECK_EQUAL(check_segment(bench, &run, 0), payload + 28);
    }
}

/* The kernel may leave the checksum of a single packet to us. */
static void test_single_checksum(struct bench *bench)
{
    for (unsigned i = 0; i < 4; i++) {
        struct shape shape = { .version = i & 1 ? 4 : 6, .protocol = i & 2 ? TCP : UDP };
        for (shape.payload = 0; shape.payload < 600; shape.payload += 7) {
            struct splitter split;
            struct run run = { 0 };
            size_t bytes = make_packet(bench->packet, &shape);
            struct vnet vnet = gso_vnet(&shape, 0);
            vnet.gso_type = VNET_GSO_NONE;
            leave_checksum(bench->packet, bytes);
            CHECK_EQUAL(split_begin(&split, bench->packet, bytes, vnet, MTU), 0);
            (void)split_next(&split, bench->slot, &run);
            CHECK_EQUAL(check_segment(bench, &run, 0), bytes);
        }
    }
}

static void test_checksum_zero(struct bench *bench)
{
    for (unsigned version = 4; version <= 6; version += 2) {
        struct shape shape = { .version = version, .protocol = UDP, .payload = 100 };
        size_t bytes = make_packet(bench->packet, &shape), header = shape_header_bytes(&shape);
        struct vnet vnet = gso_vnet(&shape, 0);
        struct splitter split;
        struct run run = { 0 };

        zero_checksum(bench->packet, bytes, header);
        leave_checksum(bench->packet, bytes);
        vnet.gso_type = VNET_GSO_NONE;
        CHECK_EQUAL(split_begin(&split, bench->packet, bytes, vnet, MTU), 0);
        (void)split_next(&split, bench->slot, &run);
        CHECK_EQUAL(get16(segment_packet(bench, &run, 0) + header - 2), 0xffff);
        /* And as the first of two segments. */
        uint8_t first[2] = { bench->packet[header], bench->packet[header + 1] };
        shape.payload = 200;
        bytes = make_packet(bench->packet, &shape);
        memcpy(bench->packet + header, first, 2);
        leave_checksum(bench->packet, bytes);
        CHECK_EQUAL(split_begin(&split, bench->packet, bytes, gso_vnet(&shape, 100), MTU), 0);
        run = (struct run){ 0 };
        (void)split_next(&split, bench->slot, &run);
        CHECK_EQUAL(run.count, 2);
        CHECK_EQUAL(get16(segment_packet(bench, &run, 0) + header - 2), 0xffff);
    }
}

static int begin(struct bench *bench, const struct shape *shape, struct vnet vnet, size_t cut)
{
    struct splitter split;
    size_t bytes = make_packet(bench->packet, shape);
    return split_begin(&split, bench->packet, bytes - cut, vnet, MTU);
}

static void test_malformed(struct bench *bench)
{
    const struct vnet none = { 0 };
    struct shape tcp = { .version = 4, .protocol = TCP, .payload = 5000 }, fits = tcp;
    struct shape udp = { .version = 4, .protocol = UDP, .payload = 5000 };
    struct vnet good = gso_vnet(&tcp, 1000), bad = good;
    fits.payload = 1000;

    CHECK_EQUAL(begin(bench, &tcp, good, 0), 0);
    CHECK_EQUAL(begin(bench, &fits, none, 0), 0);
    CHECK_EQUAL(begin(bench, &tcp, none, 0), -EINVAL);  /* larger than the MTU */
    CHECK_EQUAL(begin(bench, &fits, none, 1), -EINVAL); /* cut short */
    bad.flags = 0;
    CHECK_EQUAL(begin(bench, &tcp, bad, 0), -EINVAL);
    bad = good, bad.gso_size = 0;
    CHECK_EQUAL(begin(bench, &tcp, bad, 0), -EINVAL);
    bad = good, bad.gso_size = 1381;
    CHECK_EQUAL(begin(bench, &tcp, bad, 0), -EINVAL); /* segments beyond the MTU */
    bad = good, bad.csum_start = 24;
    CHECK_EQUAL(begin(bench, &tcp, bad, 0), -EINVAL);
    bad = good, bad.csum_offset = 6;
    CHECK_EQUAL(begin(bench, &tcp, bad, 0), -EINVAL);
    bad = good, bad.gso_type = VNET_GSO_TCP6;
    CHECK_EQUAL(begin(bench, &tcp, bad, 0), -EINVAL);
    bad = good, bad.gso_type = 3; /* VIRTIO_NET_HDR_GSO_UDP: fragments, never asked for */
    CHECK_EQUAL(begin(bench, &tcp, bad, 0), -EINVAL);
    bad = gso_vnet(&udp, 1000);
    CHECK_EQUAL(begin(bench, &udp, bad, 0), 0);
    bad.csum_offset = 16;
    CHECK_EQUAL(begin(bench, &udp, bad, 0), -EINVAL);
    bad = none, bad.flags = VNET_NEEDS_CSUM, bad.csum_start = 20, bad.csum_offset = 60000;
    CHECK_EQUAL(begin(bench, &fits, bad, 0), -EINVAL);
    bad.csum_start = 65535, bad.csum_offset = 65535;
    CHECK_EQUAL(begin(bench, &fits, bad, 0), -EINVAL);

    struct splitter split;
    for (size_t bytes = 0; bytes < 40; bytes++) {
        memset(bench->packet, 0, 40);
        bench->packet[0] = 0x60;
        CHECK_EQUAL(split_begin(&split, bench->packet, bytes, none, MTU), -EINVAL);
        bench->packet[0] = 0x45;
        CHECK_EQUAL(split_begin(&split, bench->packet, bytes, none, MTU), -EINVAL);
    }
    (void)make_packet(bench->packet, &tcp);
    bench->packet[32] = 0x40; /* a TCP header of 16 bytes */
    CHECK_EQUAL(split_begin(&split, bench->packet, 5040, good, MTU), -EINVAL);
    bench->packet[0] = 0x44; /* an IP header of 16 bytes */
    CHECK_EQUAL(split_begin(&split, bench->packet, 5040, none, PACKET_MAX), -EINVAL);
    bench->packet[0] = 0x55;
    CHECK_EQUAL(split_begin(&split, bench->packet, 5040, none, PACKET_MAX), -EINVAL);
}

/* Random and half-random input: the sanitizers watch, and what passes keeps within its bounds. */
static void test_fuzz(struct bench *bench, struct chance *chance)
{
    uint32_t taken = 0;
    for (unsigned i = 0; i < FUZZ_RUNS; i++) {
        size_t bytes = chance_below(chance, i % 8 ? 300 : 9000);
        /* A copy of exactly its size, so that a read beyond it is seen. */
        uint8_t *packet = malloc(bytes == 0 ? 1 : bytes);
        struct vnet vnet = { .flags = (uint8_t)chance_below(chance, 4),
                             .gso_type = (uint8_t)chance_below(chance, 7),
                             .gso_size = (uint16_t)chance_below(chance, i % 3 ? 100 : 65536),
                             .csum_start = (uint16_t)(20 * chance_below(chance, 4)),
                             .csum_offset = chance_below(chance, 2) ? 16 : 6 };
        struct splitter split;

        CHECK(packet != NULL);
        chance_fill(chance, packet, bytes);
        if (i % 16 != 0 && bytes >= 60) {
            struct shape shape = { .version = i & 16 ? 4 : 6, .protocol = i & 32 ? TCP : UDP };
            shape.payload = bytes - shape_header_bytes(&shape);
            (void)make_packet(packet, &shape);
            if (i & 64)
                vnet = gso_vnet(&shape, chance_below(chance, 200));
            packet[chance_below(chance, 60)] ^= (uint8_t)(1u << chance_below(chance, 8));
        }
        size_t mtu = 576 + chance_below(chance, 9000);
        if (split_begin(&split, packet, bytes, vnet, mtu) == 0) {
            taken++;
            for (unsigned runs = 0; split.pending; runs++) {
                struct run run = { 0 };
                (void)split_next(&split, bench->slot, &run);
                CHECK(run.count >= 1 && run.count <= JOB_SEGMENTS && runs < 9000);
                CHECK((size_t)(run.count - 1) * run.segment_bytes + run.last_bytes <= SLOT_BYTES);
            }
        }
        free(packet);
    }
    printf("%u of %u inputs were split\n", taken, FUZZ_RUNS);
    CHECK(taken > FUZZ_RUNS / 20);
}

static void test_vnet(void)
{
    struct vnet vnet = { 1, 4, 1400, 40, 16 }, back;
    uint8_t bytes[16];
    memset(bytes, 0xff, sizeof bytes);
    vnet_encode(bytes, sizeof bytes, &vnet, 60);
    back = vnet_decode(bytes);
    CHECK_EQUAL(back.flags, 1);
    CHECK_EQUAL(back.gso_type, 4);
    CHECK_EQUAL(back.gso_size, 1400);
    CHECK_EQUAL(back.csum_start, 40);
    CHECK_EQUAL(back.csum_offset, 16);
    /* struct virtio_net_hdr: hdr_len at 2, then nothing behind csum_offset. */
    CHECK_EQUAL(bytes[2] | bytes[3] << 8, 60);
    for (size_t i = 10; i < sizeof bytes; i++)
        CHECK_EQUAL(bytes[i], 0);
}

int main(void)
{
    struct bench *bench = malloc(sizeof *bench);
    struct chance chance = { 793 };
    CHECK(bench != NULL);

    test_vnet();
    PASSED("the virtio header");
    test_gso(bench);
    PASSED("TSO4, TSO6 and USO: every segment's lengths, flags and checksums");
    test_runs(bench);
    PASSED("runs of small packets: 64 equal ones, one shorter, none longer, one destination");
    test_padding(bench);
    PASSED("padding to 16 bytes, never beyond the MTU");
    test_single_checksum(bench);
    PASSED("a checksum left to us is completed");
    test_checksum_zero(bench);
    PASSED("a UDP checksum of 0 is sent as ffff");
    test_malformed(bench);
    PASSED("malformed packets and virtio headers are refused");
    test_fuzz(bench, &chance);
    PASSED("random input");
    free(bench);
    return 0;
}
