/* sources: split.c checksum.c */
/*
 * split_fuzz_test.c — super-packets of every shape cut like the slow twin cuts them, byte for byte;
 * and packets and virtio headers that are wrong: refused, or cut within every bound.
 */
#include "split.h"

#include <errno.h>

#include "job.h"
#include "segments.h"

struct bench {
    struct super super;
    uint8_t expected[PACKET_BYTES_MAX + 1];
    /* One job and one slot, as the engine's arena has them. */
    struct arena arena;
    uint8_t *slot;
};

static void set_up(struct bench *bench)
{
    bench->arena.bytes = JOB_SIZE + SLOT_BYTES;
    bench->arena.base = calloc(1, bench->arena.bytes);
    CHECK(bench->arena.base != NULL);
    bench->arena.count[REGION_JOBS] = bench->arena.count[REGION_SLOTS] = 1;
    bench->arena.region[REGION_SLOTS] = JOB_SIZE;
    bench->slot = bench->arena.base + JOB_SIZE;
}

static size_t random_mtu(struct chance *chance)
{
    const size_t known[] = { 576, 1280, 1420, 1500, 9000, 65455 };
    return once_in(chance, 3) ? 576 + chance_below(chance, 64880) : known[chance_below(chance, 6)];
}

/* A run's own bounds, whatever was split into it; those who seal and send it must take it. */
static void check_run(struct bench *bench, const struct run *run, size_t mtu)
{
    size_t most = segment_size(mtu, mtu);
    size_t bytes = (size_t)(run->count - 1) * run->segment_bytes + run->last_bytes;
    uint8_t *job = job_entry(&bench->arena, 0);
    struct segments segments;

    CHECK(run->count >= 1 && run->count <= JOB_SEGMENTS);
    CHECK(run->last_bytes <= run->segment_bytes && run->segment_bytes <= most);
    CHECK(run->last_bytes >= SEGMENT_OVERHEAD_BYTES + 20);
    CHECK(bytes <= (run->count == 1 ? SLOT_BYTES : JOB_BYTES));
    store32(job + JOB_COUNT, run->count);
    store32(job + JOB_SEGMENT_BYTES, run->segment_bytes);
    store32(job + JOB_LAST_BYTES, run->last_bytes);
    CHECK(segments_of(&bench->arena, job, &segments));
    CHECK(run->version == 4 || run->version == 6);
}

/* All segments of a packet that is right, in as many slots as they need. */
static void check_valid(struct bench *bench, size_t mtu)
{
    const struct super *super = &bench->super;
    uint8_t *packet = exact_copy(super->bytes, super->length);
    struct splitter split;
    size_t i = 0;

    CHECK_EQUAL(split_begin(&split, packet, super->length, super->vnet, mtu), 0);
    while (split.pending) {
        struct run run = { 0 };
        size_t sum = 0;
        memset(bench->slot, 0xee, SLOT_BYTES);
        (void)split_next(&split, bench->slot, &run);
        check_run(bench, &run, mtu);
        for (uint32_t in_run = 0; in_run < run.count; in_run++, i++) {
            const uint8_t *at = bench->slot + (size_t)in_run * run.segment_bytes;
            size_t bytes = slow_segment(super, i, bench->expected);
            size_t size = in_run + 1 == run.count ? run.last_bytes : run.segment_bytes;
            CHECK_EQUAL(size, segment_size(bytes, mtu));
            CHECK(memcmp(at + DATA_HEADER_BYTES, bench->expected, bytes) == 0);
            CHECK(bytes <= mtu && packet_valid(at + DATA_HEADER_BYTES, bytes));
            for (size_t p = bytes; p < size - SEGMENT_OVERHEAD_BYTES; p++)
                CHECK_EQUAL(at[DATA_HEADER_BYTES + p], 0);
            sum += bytes;
        }
        CHECK_EQUAL(run.tun_bytes, sum);
        CHECK_EQUAL(run.address[0], get32(packet + (run.version == 4 ? 16 : 24)));
    }
    CHECK_EQUAL(i, segment_count(super));
    free(packet);
}

/* A packet or a virtio header that is wrong somewhere. True when it was cut all the same. */
static bool check_damaged(struct bench *bench, struct chance *chance, size_t mtu)
{
    struct super *super = &bench->super;
    struct splitter split;
    size_t total = 0, length = super->length;

    flip_bits(chance, super->bytes, super->header_bytes, chance_below(chance, 4));
    if (once_in(chance, 2))
        flip_bits(chance, (uint8_t *)&super->vnet, sizeof super->vnet, chance_below(chance, 4));
    if (once_in(chance, 4))
        length = chance_below(chance, length + 1);
    uint8_t *packet = exact_copy(super->bytes, length);
    int result = split_begin(&split, packet, length, super->vnet, mtu);
    CHECK(result == 0 || result == -EINVAL);
    CHECK_EQUAL(split.pending, result == 0);
    while (split.pending) {
        struct run run = { 0 };
        size_t before = split.next;
        (void)split_next(&split, bench->slot, &run);
        check_run(bench, &run, mtu);
        CHECK(split.next > before || !split.pending);
        total += run.tun_bytes - (size_t)run.count * split.header_bytes;
    }
    if (result == 0)
        CHECK_EQUAL(total + split.header_bytes, length);
    free(packet);
    return result == 0;
}

int main(void)
{
    struct bench *bench = calloc(1, sizeof *bench);
    struct fuzz fuzz;
    unsigned long cut = 0, refused = 0;

    CHECK(bench != NULL);
    set_up(bench);
    fuzz_begin(&fuzz);
    while (fuzz_goes_on(&fuzz)) {
        size_t mtu = random_mtu(&fuzz.chance);
        random_super(&fuzz.chance, &bench->super, mtu);
        check_valid(bench, mtu);
        if (check_damaged(bench, &fuzz.chance, mtu))
            cut++;
        else
            refused++;
    }
    printf("%lu packets like the twin's; of damaged ones %lu cut, %lu refused\n", cut + refused,
           cut, refused);
    CHECK(cut > 20 && refused > 20);
    PASSED("packets are cut as the twin cuts them, and never beyond a bound");
    free(bench->arena.base);
    free(bench);
    return 0;
}
