/*
 * arena.h — the shared memory as C sees it, and plain loads and stores.
 *
 * The arena is one block that TypeScript allocated and laid out (src/memory/layout.ts). C keeps a
 * pointer and the regions' offsets; entry() is the only way in, and it checks every index.
 */
#ifndef P2PVPN_ARENA_H
#define P2PVPN_ARENA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "layout.gen.h"

struct arena {
    uint8_t *base;
    size_t bytes;
    uint32_t region[REGION_COUNT]; /* byte offset of each region */
    uint32_t count[REGION_COUNT];  /* entries of each region */
};

/* Entry `index` of a region whose entries have `size` bytes, or NULL when there is none. */
static inline uint8_t *entry(const struct arena *arena, enum region region, size_t size,
                             size_t index)
{
    if (arena->base == NULL || index >= arena->count[region])
        return NULL;
    size_t at = arena->region[region] + index * size;
    if (at + size > arena->bytes)
        return NULL;
    return arena->base + at;
}

static inline uint32_t load32(const uint8_t *at)
{
    uint32_t value;
    memcpy(&value, at, sizeof value);
    return value;
}

static inline void store32(uint8_t *at, uint32_t value)
{
    memcpy(at, &value, sizeof value);
}

static inline uint64_t load64(const uint8_t *at)
{
    uint64_t value;
    memcpy(&value, at, sizeof value);
    return value;
}

static inline void store64(uint8_t *at, uint64_t value)
{
    memcpy(at, &value, sizeof value);
}

static inline double load_f64(const uint8_t *at)
{
    double value;
    memcpy(&value, at, sizeof value);
    return value;
}

static inline void store_f64(uint8_t *at, double value)
{
    memcpy(at, &value, sizeof value);
}

/* Network order. */
static inline uint16_t load16_be(const uint8_t *at)
{
    return (uint16_t)((at[0] << 8) | at[1]);
}

static inline void store16_be(uint8_t *at, uint32_t value)
{
    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)value;
}

static inline uint32_t load32_be(const uint8_t *at)
{
    return __builtin_bswap32(load32(at));
}

static inline void store32_be(uint8_t *at, uint32_t value)
{
    store32(at, __builtin_bswap32(value));
}

/* Adds to a counter of a thread's block: f64, one writer. */
static inline void count(uint8_t *counters, uint32_t which, uint32_t amount)
{
    uint8_t *at = counters + 8u * which;
    store_f64(at, load_f64(at) + (double)amount);
}

#endif
