/* sources: merge.c split.c checksum.c */
/*
 * merge_fuzz_test.c — whatever is merged, the kernel takes apart again into what had come: each
 * write, cut by the slow twin, gives the packets that went into it, in order and byte for byte.
 */
#include "merge.h"

#include "segments.h"

#define COUNT_MAX 64u
#define FLOWS 3u

struct bench {
    struct super super; /* what a write stands for */
    uint8_t expected[PACKET_BYTES_MAX + 1];
    uint8_t *packets[COUNT_MAX];
    uint8_t *originals[COUNT_MAX];
    uint32_t lengths[COUNT_MAX];
    uint32_t count;
    uint8_t locals[2 * LOCAL_SIZE];
    struct merge_options options;
    struct merged out;
};

/* 10.0.0.2 and fd00::2 may be this host's own. */
static void set_locals(struct bench *bench, bool local)
{
    const uint32_t words[2][5] = { { 4, 0x0a000002, 0, 0, 0 }, { 6, 0xfd000000, 0, 0, 2 } };
    for (size_t i = 0; i < 2; i++) {
        uint8_t *at = bench->locals + i * LOCAL_SIZE;
        memcpy(at + LOCAL_VERSION, &words[i][0], 4);
        memcpy(at + LOCAL_ADDRESS, &words[i][1], 16);
    }
    bench->options.locals = bench->locals;
    bench->options.local_count = local ? 2 : 0;
}

/* Packets of a few flows, some in order, some not, some damaged; each in memory of its own size. */
static void make_packets(struct bench *bench, struct chance *chance)
{
    static uint8_t bytes[2000];
    uint32_t sequence[FLOWS] = { 0xfffffff0, 7, 1000 };
    size_t size = 1 + chance_below(chance, 900);
    unsigned version = once_in(chance, 2) ? 4 : 6;
    uint64_t mixed = chance_below(chance, 4);

    bench->count = 1 + (uint32_t)chance_below(chance, COUNT_MAX);
    for (uint32_t i = 0; i < bench->count; i++) {
        size_t flow = mixed == 0 ? chance_below(chance, FLOWS) : i * FLOWS / COUNT_MAX;
        struct shape shape = { .version = version, .protocol = flow == 0 ? UDP : TCP,
                               .options = flow == 1 ? 12 : 0, .payload = size,
                               .sequence = sequence[flow], .flags = 0x10,
                               .id = (uint32_t)chance_below(chance, 65536) };
        if (once_in(chance, 12))
            shape.payload = chance_below(chance, 1000);
        if (once_in(chance, 12))
            shape.flags = (uint8_t)chance_next(chance);
        if (once_in(chance, 30))
            shape.version = 10 - shape.version;
        size_t length = make_packet(bytes, &shape);
        put16(bytes + (shape.version == 4 ? 20 : 40), (uint32_t)flow);
        seal_checksums(bytes, length);
        sequence[flow] += (uint32_t)shape.payload;
        if (once_in(chance, 10)) {
            flip_bits(chance, bytes, shape_header_bytes(&shape), 1 + chance_below(chance, 2));
            if (once_in(chance, 2) && (bytes[0] >> 4 == 6 || ip_header_bytes(bytes) == 20) &&
                (protocol_of(bytes) == TCP || protocol_of(bytes) == UDP))
                seal_checksums(bytes, length);
        }
        /* The engine has looked at version and length: what it passes on is as long as it says. */
        if (bytes[0] >> 4 != shape.version)
            bytes[0] = (uint8_t)(shape.version << 4 | (bytes[0] & 15));
        put16(bytes + (shape.version == 4 ? 2 : 4),
              (uint32_t)(length - (shape.version == 4 ? 0 : 40)));
        bench->packets[i] = exact_copy(bytes, length);
        bench->originals[i] = exact_copy(bytes, length);
        bench->lengths[i] = (uint32_t)length;
    }
}

/* A packet without what merging may change: IPv4's identification and every checksum. */
static void strip(uint8_t *packet, size_t bytes, bool checksum)
{
    size_t ip = ip_header_bytes(packet);
    if (packet[0] >> 4 == 4)
        memset(packet + 4, 0, 2), memset(packet + 10, 0, 2);
    if (checksum && ip + checksum_at(protocol_of(packet)) + 2 <= bytes)
        memset(packet + ip + checksum_at(protocol_of(packet)), 0, 2);
}

/* The write that starts with packet `from`, as one piece of memory. */
static void gather(struct bench *bench)
{
    struct super *super = &bench->super;
    super->length = 0;
    for (uint32_t i = 1; i < bench->out.iov_count; i++) {
        CHECK(super->length + bench->out.iov[i].iov_len <= PACKET_BYTES_MAX);
        memcpy(super->bytes + super->length, bench->out.iov[i].iov_base,
               bench->out.iov[i].iov_len);
        super->length += bench->out.iov[i].iov_len;
    }
    CHECK_EQUAL(super->length, bench->out.bytes);
    super->vnet = bench->out.vnet;
    super->header_bytes = bench->out.header_bytes;
}

/* One packet alone keeps every byte, but for a checksum that the kernel is asked for. */
static void check_alone(struct bench *bench, uint32_t from)
{
    uint8_t *original = bench->originals[from];
    size_t bytes = bench->lengths[from];

    CHECK_EQUAL(bench->super.length, bytes);
    CHECK_EQUAL(bench->out.vnet.gso_type, VNET_GSO_NONE);
    if (bench->out.vnet.flags == 0) {
        CHECK(memcmp(bench->super.bytes, original, bytes) == 0);
        return;
    }
    /* Only a packet to this host, and only its transport checksum. */
    CHECK(bench->options.local_count > 0);
    CHECK_EQUAL(bench->out.vnet.csum_start, ip_header_bytes(original));
    CHECK_EQUAL(bench->out.vnet.csum_offset, checksum_at(protocol_of(original)));
    size_t at = bench->out.vnet.csum_start + bench->out.vnet.csum_offset;
    memcpy(bench->expected, original, bytes);
    leave_checksum(bench->expected, bytes);
    CHECK_EQUAL(get16(bench->super.bytes + at), get16(bench->expected + at));
    memset(bench->super.bytes + at, 0, 2);
    memset(bench->expected + at, 0, 2);
    CHECK(memcmp(bench->super.bytes, bench->expected, bytes) == 0);
}

/* Several packets: the twin gets them back. */
static void check_merged(struct bench *bench, uint32_t from, uint32_t taken)
{
    CHECK_EQUAL(segment_count(&bench->super), taken);
    CHECK_EQUAL(bench->out.vnet.flags, VNET_NEEDS_CSUM);
    CHECK(bench->out.header_bytes < bench->lengths[from]);
    for (uint32_t i = 0; i < taken; i++) {
        uint8_t *original = bench->originals[from + i];
        size_t bytes = slow_segment(&bench->super, i, bench->expected);
        CHECK_EQUAL(bytes, bench->lengths[from + i]);
        /* What travels on was right before; what is for this host is vouched for by its tag. */
        if (bench->options.local_count == 0)
            CHECK(packet_valid(original, bytes));
        strip(original, bytes, true);
        strip(bench->expected, bytes, true);
        CHECK(memcmp(bench->expected, original, bytes) == 0);
    }
}

int main(void)
{
    struct bench *bench = calloc(1, sizeof *bench);
    struct fuzz fuzz;
    unsigned long merged = 0, alone = 0;

    CHECK(bench != NULL);
    fuzz_begin(&fuzz);
    while (fuzz_goes_on(&fuzz)) {
        bench->options = (struct merge_options){ .tcp = !once_in(&fuzz.chance, 8),
                                                 .udp = !once_in(&fuzz.chance, 8),
                                                 .vnet = !once_in(&fuzz.chance, 8) };
        set_locals(bench, once_in(&fuzz.chance, 2));
        make_packets(bench, &fuzz.chance);
        for (uint32_t at = 0; at < bench->count;) {
            uint32_t taken = merge_next(&bench->options, bench->packets + at, bench->lengths + at,
                                        bench->count - at, &bench->out);
            CHECK(taken >= 1 && taken <= bench->count - at);
            CHECK_EQUAL(bench->out.packets, taken);
            CHECK_EQUAL(bench->out.iov_count, taken + 1);
            gather(bench);
            if (taken == 1)
                check_alone(bench, at);
            else
                check_merged(bench, at, taken);
            merged += taken - 1;
            alone += taken == 1;
            at += taken;
        }
        for (uint32_t i = 0; i < bench->count; i++) {
            free(bench->packets[i]);
            free(bench->originals[i]);
        }
    }
    printf("%lu packets merged behind another, %lu written alone\n", merged, alone);
    CHECK(merged > 1000 && alone > 1000);
    PASSED("every write stands for exactly the packets that went into it");
    free(bench);
    return 0;
}
