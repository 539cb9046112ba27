/* sources: split.c checksum.c */
/* split_run_test.c — what one run may hold: one value of the ECN bits, and how large it gets. */
#include "split_lab.h"

/* Packets of one flow with other ECN bits do not join: the outer header speaks for all of a run. */
static void test_ecn(struct bench *bench)
{
    for (unsigned version = 4; version <= 6; version += 2) {
        for (uint8_t ecn = 0; ecn < 4; ecn++) {
            struct shape shape = { .version = version, .protocol = UDP, .payload = 80 };
            size_t bytes = make_packet(bench->packet, &shape);
            struct splitter split;
            struct run run = { 0 };

            /* DSCP EF in front of them. */
            put16(bench->packet, (version << 12) | (version == 4 ? 0x500u : 0));
            uint8_t *at = bench->packet + 1;
            *at = (uint8_t)(*at | (version == 4 ? 0xb8 | ecn : ecn << 4));
            CHECK_EQUAL(split_begin(&split, bench->packet, bytes, (struct vnet){ 0 }, MTU), 0);
            CHECK(!split_next(&split, bench->slot, &run));
            CHECK_EQUAL(run.ecn, ecn);
            CHECK_EQUAL(segment_packet(bench, &run, 0)[1], *at);
            *at = (uint8_t)(*at ^ (version == 4 ? 1 : 16));
            CHECK_EQUAL(split_begin(&split, bench->packet, bytes, (struct vnet){ 0 }, MTU), 0);
            CHECK(split_next(&split, bench->slot, &run));
            CHECK(split.pending);
            CHECK_EQUAL(run.count, 1);
            run = (struct run){ 0 };
            CHECK(!split_next(&split, bench->slot, &run));
            CHECK_EQUAL(run.ecn, ecn ^ 1);
        }
    }
}

/* Large MTUs: what fits a job is one run, and a segment alone may be larger than JOB_BYTES. */
static void test_jumbo(struct bench *bench)
{
    const struct { size_t mtu, payload, gso_size; uint32_t first, runs; } cases[] = {
        { 9000, 62600, 8960, 7, 1 },     { 9000, 65495, 8960, 7, 2 }, { 34000, 65495, 33960, 1, 2 },
        { 32000, 63920, 31960, 2, 1 },   { 65455, 65415, 65415, 1, 1 },
        { 65455, 65495, 65415, 1, 2 },
    };
    for (size_t c = 0; c < sizeof cases / sizeof cases[0]; c++) {
        struct shape shape = { .version = 4, .protocol = TCP, .payload = cases[c].payload };
        size_t bytes = make_packet(bench->packet, &shape), sum = 0;
        struct vnet vnet = gso_vnet(&shape, cases[c].gso_size);
        struct splitter split;
        uint32_t runs = 0;

        leave_checksum(bench->packet, bytes);
        CHECK_EQUAL(split_begin(&split, bench->packet, bytes, vnet, cases[c].mtu), 0);
        for (; split.pending; runs++) {
            struct run run = { 0 };
            (void)split_next(&split, bench->slot, &run);
            CHECK(runs > 0 || run.count == cases[c].first);
            size_t used = (size_t)(run.count - 1) * run.segment_bytes + run.last_bytes;
            CHECK(used <= SLOT_BYTES && (run.count == 1 || used <= JOB_BYTES));
            for (uint32_t i = 0; i < run.count; i++) {
                const uint8_t *packet = segment_packet(bench, &run, i);
                size_t size = get16(packet + 2);
                CHECK(size <= cases[c].mtu);
                CHECK(packet_valid(packet, size));
                CHECK_EQUAL(segment_size(size, cases[c].mtu), segment_bytes(&run, i));
                CHECK(memcmp(packet + 40, bench->packet + 40 + sum, size - 40) == 0);
                sum += size - 40;
            }
        }
        CHECK_EQUAL(sum, cases[c].payload);
        CHECK_EQUAL(runs, cases[c].runs);
    }
}

int main(void)
{
    struct bench *bench = malloc(sizeof *bench);
    CHECK(bench != NULL);

    test_ecn(bench);
    PASSED("one run, one value of the ECN bits");
    test_jumbo(bench);
    PASSED("MTU 9000 to 65455");
    free(bench);
    return 0;
}
