/*
 * routes.c — see routes.h; the nodes of a table are described in src/memory/route-index.ts.
 *
 * What is read is checked against the table's words, so that no content leads out of it.
 */
#include "routes.h"

#define KIND_BITS 7u
#define NODE_PEER 0u
#define NODE_LIST 1u
#define NODE_PARTS 2u
#define NODE_SEARCH 3u
#define NODE_EQUAL 4u
/* Nodes on the way to a result, at most: STEPS_MAX. */
#define STEPS 10u

struct table {
    const uint8_t *at;
    size_t words;
};

static uint32_t word_at(const struct table *table, size_t i)
{
    return i < table->words ? load32(table->at + 4 * i) : 0;
}

static size_t place_of(uint32_t result)
{
    return (result >> 8) & ~UINT32_C(1);
}

/* Words of the address that are still to be looked at. */
struct rest {
    const uint32_t *words;
    uint32_t count;
};

/* Boundaries of a list or a search node: planes of words, then peers, two a word. */
struct list {
    size_t at;
    uint32_t count, planes;
};

static bool is_above(const struct table *table, const struct list *list, uint32_t i,
                     const struct rest *rest)
{
    for (uint32_t plane = 0; plane < list->planes && plane < rest->count; plane++) {
        uint32_t mine = word_at(table, list->at + (size_t)plane * list->count + i);
        if (mine != rest->words[plane])
            return mine > rest->words[plane];
    }
    return false;
}

/* Peer + 1 behind the last boundary that is not above the address. */
static uint32_t search(const struct table *table, const struct list *list, const struct rest *rest)
{
    uint32_t low = 0, high = list->count;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (is_above(table, list, middle, rest))
            high = middle;
        else
            low = middle + 1;
    }
    uint32_t pair = word_at(table, list->at + (size_t)list->planes * list->count + low / 2);
    return low & 1 ? pair >> 16 : pair & 0xffff;
}

/* The result of a parts node for the word. */
static uint32_t part_of(const struct table *table, size_t node, uint32_t key)
{
    uint32_t base = word_at(table, node), shape = word_at(table, node + 1);
    uint32_t part = (key - base) >> (shape & 31);

    if (part < shape >> 5)
        return word_at(table, node + 4 + part);
    return word_at(table, node + (key < base ? 2 : 3));
}

/* The result of an equal node, which looks at so many words: of the first one that differs. */
static uint32_t equals(const struct table *table, size_t node, uint32_t words, struct rest *rest)
{
    for (uint32_t i = 0; i < words && rest->count > 0; i++) {
        uint32_t value = word_at(table, node + 3 + i);
        if (rest->words[0] != value)
            return word_at(table, node + (rest->words[0] < value ? 0 : 1));
        rest->words++;
        rest->count--;
    }
    return word_at(table, node + 2);
}

static uint32_t walk(const struct table *table, struct rest rest)
{
    uint32_t result = word_at(table, 0);

    for (uint32_t step = 0; step < STEPS && rest.count > 0; step++) {
        size_t node = place_of(result);
        uint32_t key = rest.words[0], planes = ((result >> 3) & 3) + 1;
        struct list list;
        switch (result & KIND_BITS) {
        case NODE_PARTS:
            result = part_of(table, node, key);
            break;
        case NODE_EQUAL:
            result = equals(table, node, planes, &rest);
            break;
        case NODE_LIST:
            list = (struct list){ .at = node, .count = (result >> 5) & 15, .planes = planes };
            return search(table, &list, &rest);
        case NODE_SEARCH:
            list = (struct list){ .at = node + 1, .count = word_at(table, node), .planes = planes };
            return search(table, &list, &rest);
        default:
            return result >> 9;
        }
    }
    return (result & KIND_BITS) == NODE_PEER ? result >> 9 : 0;
}

int64_t route_find(const struct arena *arena, uint32_t version, const uint32_t address[4])
{
    enum region region = version == 4 ? REGION_ROUTES4 : REGION_ROUTES6;
    const uint8_t *engine = entry(arena, REGION_ENGINE, ENGINE_SIZE, 0);
    if (engine == NULL)
        return -1;
    uint32_t active =
        __atomic_load_n((const uint32_t *)(const void *)(engine + ENGINE_ACTIVE_ROUTES),
                        __ATOMIC_ACQUIRE);
    size_t words = arena->count[region] / 2;
    struct table table = { .at = entry(arena, region, 4, active * words), .words = words };
    if (active > 1 || table.at == NULL)
        return -1;
    return (int64_t)walk(&table, (struct rest){ address, version == 4 ? 1u : 4u }) - 1;
}
