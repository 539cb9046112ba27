/*
 * fuzz.h — how long the seeded drivers run, and with what.
 *
 *     P2PVPN_FUZZ_SECONDS=600 P2PVPN_FUZZ_SEED=7 ./split_fuzz_test
 *
 * Without the variables: two seconds, and a seed from the clock, which is printed.
 */
#ifndef P2PVPN_FUZZ_H
#define P2PVPN_FUZZ_H

#include <time.h>

#include "packets.h"

struct fuzz {
    struct chance chance;
    time_t until;
    unsigned long rounds;
};

static inline unsigned long fuzz_setting(const char *name, unsigned long otherwise)
{
    const char *text = getenv(name);
    char *end = NULL;
    unsigned long value = text == NULL ? otherwise : strtoul(text, &end, 10);
    CHECK(text == NULL || (*text != '\0' && *end == '\0'));
    return value;
}

static inline void fuzz_begin(struct fuzz *fuzz)
{
    time_t now = time(NULL);
    unsigned long seed = fuzz_setting("P2PVPN_FUZZ_SEED", (unsigned long)now);
    printf("seed %lu\n", seed);
    fflush(stdout);
    *fuzz = (struct fuzz){ .chance = { seed * 2 + 1 },
                           .until = now + (time_t)fuzz_setting("P2PVPN_FUZZ_SECONDS", 2) };
}

/* True until the time is over; the clock is read once in a while. */
static inline bool fuzz_goes_on(struct fuzz *fuzz)
{
    return (++fuzz->rounds & 255) != 0 || time(NULL) < fuzz->until;
}

static inline bool once_in(struct chance *chance, uint64_t times)
{
    return chance_below(chance, times) == 0;
}

/* Flips `count` bits anywhere. */
static inline void flip_bits(struct chance *chance, uint8_t *at, size_t bytes, uint64_t count)
{
    for (; count > 0 && bytes > 0; count--)
        at[chance_below(chance, bytes)] ^= (uint8_t)(1u << chance_below(chance, 8));
}

/* A copy that ends where its memory does, so that a sanitizer sees every byte beyond. */
static inline uint8_t *exact_copy(const uint8_t *at, size_t bytes)
{
    uint8_t *copy = malloc(bytes + (bytes == 0));
    CHECK(copy != NULL);
    if (bytes > 0)
        memcpy(copy, at, bytes);
    return copy;
}

#endif
