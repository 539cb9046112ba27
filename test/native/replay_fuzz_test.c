/* sources: replay.c */
/*
 * replay_fuzz_test.c — the window over all of 64 bits, beside a twin that keeps a list of what was
 * accepted and looks through it.
 */
#include "replay.h"

#include "fuzz.h"

#define WINDOW 8128u
/* The twin forgets what is too old when the list is full. */
#define LIST 20000u
#define STEPS 3000u

struct twin {
    uint64_t accepted[LIST];
    size_t count;
    uint64_t highest; /* before the first one: where the test begins */
};

static bool twin_old(const struct twin *twin, uint64_t counter)
{
    return counter < twin->highest && twin->highest - counter > WINDOW;
}

static void twin_forget(struct twin *twin)
{
    size_t kept = 0;
    for (size_t i = 0; i < twin->count; i++) {
        if (!twin_old(twin, twin->accepted[i]))
            twin->accepted[kept++] = twin->accepted[i];
    }
    twin->count = kept;
    CHECK(kept <= WINDOW + 1);
}

static bool twin_accept(struct twin *twin, uint64_t counter)
{
    if (counter >= UINT64_MAX - 8192 || (twin->count > 0 && twin_old(twin, counter)))
        return false;
    for (size_t i = 0; i < twin->count; i++) {
        if (twin->accepted[i] == counter)
            return false;
    }
    if (twin->count == LIST)
        twin_forget(twin); /* never to nothing: the highest stays */
    twin->accepted[twin->count++] = counter;
    if (twin->count == 1 || counter > twin->highest)
        twin->highest = counter;
    return true;
}

/* Near what was seen, near the window's edges, or anywhere; wrapping is part of it. */
static uint64_t pick(struct chance *chance, const struct twin *twin)
{
    switch (chance_below(chance, 12)) {
    case 0: return chance_next(chance) >> chance_below(chance, 64);
    case 1: return twin->highest - WINDOW + chance_below(chance, 5) - 2;
    case 2: return twin->highest + 8192 + chance_below(chance, 130) - 65;
    case 3: return twin->highest - chance_below(chance, 9000);
    case 4: return UINT64_MAX - chance_below(chance, 20000);
    case 5: return twin->highest + (UINT64_C(1) << chance_below(chance, 40));
    case 6: return (twin->highest | 63) + chance_below(chance, 3);
    default: return twin->highest + chance_below(chance, 6) - 1;
    }
}

int main(void)
{
    struct twin *twin = malloc(sizeof *twin);
    struct fuzz fuzz;
    unsigned long accepted = 0, refused = 0;

    CHECK(twin != NULL);
    fuzz_begin(&fuzz);
    do {
        uint64_t last = 0, window[128] = { 0 };
        twin->count = 0;
        /* Some sessions start far up; most counters would never come near the end. */
        twin->highest = once_in(&fuzz.chance, 4) ? UINT64_MAX - 30000 : 0;
        for (unsigned step = 0; step < STEPS; step++) {
            uint64_t counter = pick(&fuzz.chance, twin);
            bool expected = twin_accept(twin, counter);
            if (replay_accept(&last, window, counter) != expected) {
                fprintf(stderr, "counter %llu after %llu: not %d\n", (unsigned long long)counter,
                        (unsigned long long)twin->highest, expected);
                exit(1);
            }
            accepted += expected;
            refused += !expected;
        }
        fuzz.rounds |= 255; /* a round is long: the clock is asked each time */
    } while (fuzz_goes_on(&fuzz));
    printf("%lu accepted, %lu refused\n", accepted, refused);
    CHECK(accepted > 1000 && refused > 1000);
    PASSED("the window is the list's");
    free(twin);
    return 0;
}
