/* sources: replay.c */
/*
 * replay_test.c — the window against a slow twin that remembers everything, and the cases of
 * wireguard-go's replay_test.go (which come from the Linux kernel's selftest).
 */
#include "replay.h"

#include "packets.h"

#define STEPS 4000000u
/* The twin remembers counters up to here past its base. */
#define MEMORY (1u << 22)

struct window {
    uint64_t last;
    uint64_t bits[128];
};

static void expect(struct window *w, uint64_t counter, bool accepted)
{
    if (replay_accept(&w->last, w->bits, counter) != accepted) {
        fprintf(stderr, "counter %llu: not %d\n", (unsigned long long)counter, accepted);
        exit(1);
    }
}

/* The window's size there: counters from highest - 8128 on. */
#define LIMIT (8128u + 1u)

static void test_known_cases(void)
{
    struct window w = { 0 };
    expect(&w, 0, true);
    expect(&w, 1, true);
    expect(&w, 1, false);
    expect(&w, 9, true);
    expect(&w, 8, true);
    expect(&w, 7, true);
    expect(&w, 7, false);
    expect(&w, LIMIT, true);
    expect(&w, LIMIT - 1, true);
    expect(&w, LIMIT - 1, false);
    expect(&w, LIMIT - 2, true);
    expect(&w, 2, true);
    expect(&w, 2, false);
    expect(&w, LIMIT + 16, true);
    expect(&w, 3, false);
    expect(&w, LIMIT + 16, false);
    expect(&w, LIMIT * 4, true);
    expect(&w, LIMIT * 4 - (LIMIT - 1), true);
    expect(&w, 10, false);
    expect(&w, LIMIT * 4 - LIMIT, false);
    expect(&w, LIMIT * 4 - (LIMIT + 1), false);
    expect(&w, LIMIT * 4 - (LIMIT - 2), true);
    expect(&w, LIMIT * 4 + 1 - LIMIT, false);
    expect(&w, 0, false);
    expect(&w, REJECT_AFTER_MESSAGES, false);
    expect(&w, REJECT_AFTER_MESSAGES - 1, true);
    expect(&w, REJECT_AFTER_MESSAGES, false);
    expect(&w, REJECT_AFTER_MESSAGES - 1, false);
    expect(&w, REJECT_AFTER_MESSAGES - 2, true);
    expect(&w, REJECT_AFTER_MESSAGES + 1, false);
    expect(&w, REJECT_AFTER_MESSAGES + 2, false);
    expect(&w, UINT64_MAX, false);
    expect(&w, REJECT_AFTER_MESSAGES - 2, false);
    expect(&w, REJECT_AFTER_MESSAGES - 3, true);
    expect(&w, 0, false);
}

/* Counters from `from` to `to`, up or down, all accepted; then two more. */
static void bulk(uint64_t from, uint64_t to, uint64_t then, bool accepted)
{
    struct window w = { 0 };
    for (uint64_t counter = from;; from < to ? counter++ : counter--) {
        expect(&w, counter, true);
        if (counter == to)
            break;
    }
    expect(&w, then, accepted);
}

static void test_bulk(void)
{
    bulk(1, LIMIT - 1, 0, true);
    bulk(2, LIMIT, 1, true);
    bulk(2, LIMIT, 0, false);
    bulk(LIMIT, 1, 1, false);
    bulk(LIMIT + 1, 2, 0, false);
    bulk(LIMIT - 1, 1, LIMIT, true);
    bulk(LIMIT - 1, 1, 0, true);
}

/* Everything that was ever accepted, byte by counter. */
struct twin {
    uint8_t *seen;
    uint64_t base, highest;
    bool any;
};

static bool twin_accept(struct twin *twin, uint64_t counter)
{
    if (counter >= REJECT_AFTER_MESSAGES)
        return false;
    if (twin->any && counter < twin->highest && twin->highest - counter > 8128)
        return false;
    if (twin->seen[counter - twin->base])
        return false;
    twin->seen[counter - twin->base] = 1;
    if (!twin->any || counter > twin->highest)
        twin->highest = counter;
    twin->any = true;
    return true;
}

/* A counter as it might arrive: mostly next, sometimes old, late, far ahead or at a word's edge. */
static uint64_t pick(struct chance *chance, const struct twin *twin)
{
    uint64_t highest = twin->any ? twin->highest : twin->base;
    uint64_t back = 0, ahead = 0;

    switch (chance_below(chance, 10)) {
    case 0: back = chance_below(chance, 20); break;
    case 1: back = chance_below(chance, 9000); break;
    case 2: back = 8120 + chance_below(chance, 16); break;
    case 3: back = chance_below(chance, 70); break;
    case 4: ahead = chance_below(chance, 200); break;
    case 5: ahead = chance_below(chance, 400) == 0 ? chance_below(chance, 20000) : 1; break;
    case 6: ahead = 64 - (highest & 63); break;
    default: ahead = 1; break;
    }
    if (back > highest - twin->base)
        back = highest - twin->base;
    return highest - back + ahead;
}

static void test_random(uint64_t base, uint64_t seed)
{
    struct chance chance = { seed };
    struct window w = { 0 };
    struct twin twin = { .seen = calloc(MEMORY, 1), .base = base };
    uint64_t accepted = 0, refused = 0;

    CHECK(twin.seen != NULL);
    for (unsigned step = 0; step < STEPS; step++) {
        uint64_t counter = pick(&chance, &twin);
        /* Starts over where the twin's memory ends, and now and then at the last counter. */
        if (counter - base >= MEMORY ||
            (counter >= REJECT_AFTER_MESSAGES && chance_below(&chance, 100) == 0)) {
            memset(twin.seen, 0, MEMORY);
            twin.any = false;
            memset(&w, 0, sizeof w);
            continue;
        }
        bool expected = twin_accept(&twin, counter);
        expect(&w, counter, expected);
        if (expected)
            accepted++;
        else
            refused++;
    }
    printf("from %llu: %llu accepted, %llu refused\n", (unsigned long long)base,
           (unsigned long long)accepted, (unsigned long long)refused);
    CHECK(accepted > STEPS / 50 && refused > STEPS / 50);
    free(twin.seen);
}

int main(void)
{
    test_known_cases();
    PASSED("the cases of wireguard-go");
    test_bulk();
    PASSED("its runs, up and down");
    test_random(0, 6479);
    test_random(UINT64_C(0xfffffff0), 2);
    test_random(REJECT_AFTER_MESSAGES - 100000, 3);
    PASSED("12 million steps like the twin that forgets nothing");
    return 0;
}
