/*
 * routes.c — see routes.h; the nodes of a table are described in src/memory/route-tree.ts.
 *
 * What is read is checked against the table's words, so that no content leads out of it.
 */
#include "routes.h"

struct table {
    const uint8_t *at;
    size_t words;
};

static uint32_t word_at(const struct table *table, size_t i)
{
    return i < table->words ? load32(table->at + 4 * i) : 0;
}

/* Words of the address that are still to be looked at; in a job, or where else they lie. */
struct rest {
    const uint8_t *at;
    uint32_t count;
};

static uint32_t key_at(const struct rest *rest, uint32_t i)
{
    return load32(rest->at + 4 * i);
}

static void pass(struct rest *rest)
{
    rest->at += 4;
    rest->count--;
}

/* Boundaries of a list or a search node: planes of words, then what they lead to, two a word. */
struct list {
    size_t at;
    uint32_t count, planes;
};

static bool is_above(const struct table *table, const struct list *list, uint32_t i,
                     const struct rest *rest)
{
    for (uint32_t plane = 0; plane < list->planes && plane < rest->count; plane++) {
        uint32_t mine = word_at(table, list->at + (size_t)plane * list->count + i);
        if (mine != key_at(rest, plane))
            return mine > key_at(rest, plane);
    }
    return false;
}

/* What the last boundary leads to that is not above the address; plus 1. */
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
    uint32_t base = word_at(table, node + PARTS_BASE), shape = word_at(table, node + PARTS_SHAPE);
    uint32_t part = (key - base) >> (shape & PARTS_OPEN_MASK);

    if (part < shape >> PARTS_PARTS_SHIFT)
        return word_at(table, node + PARTS_FIRST + part);
    return word_at(table, node + (key < base ? PARTS_BEFORE : PARTS_BEHIND));
}

/* The result of an equal node, which looks at so many words: of the first one that differs. */
static uint32_t equals(const struct table *table, size_t node, uint32_t words, struct rest *rest)
{
    for (uint32_t i = 0; i < words && rest->count > 0; i++) {
        uint32_t value = word_at(table, node + EQUAL_FIRST + i), key = key_at(rest, 0);
        if (key != value)
            return word_at(table, node + (key < value ? EQUAL_BELOW : EQUAL_ABOVE));
        pass(rest);
    }
    return word_at(table, node + EQUAL_INNER);
}

static uint32_t walk(const struct table *table, struct rest rest)
{
    uint32_t result = word_at(table, 0);

    for (uint32_t step = 0; step < STEPS_MAX && rest.count > 0; step++) {
        size_t node = (result >> RESULT_PLACE_SHIFT) & RESULT_PLACE_MASK;
        uint32_t planes = ((result >> RESULT_PLANES_SHIFT) & RESULT_PLANES_MASK) + 1;
        struct list list = { .at = node, .planes = planes };
        switch (result & RESULT_KIND_MASK) {
        case NODE_PARTS:
            result = part_of(table, node, key_at(&rest, 0));
            break;
        case NODE_EQUAL:
            result = equals(table, node, planes, &rest);
            break;
        case NODE_LIST:
            list.count = (result >> RESULT_COUNT_SHIFT) & RESULT_COUNT_MASK;
            return search(table, &list, &rest);
        case NODE_SEARCH:
            list.count = word_at(table, list.at++);
            return search(table, &list, &rest);
        default:
            return result >> RESULT_SHIFT;
        }
    }
    return (result & RESULT_KIND_MASK) == NODE_HOP ? result >> RESULT_SHIFT : 0;
}

int64_t route_find(const struct arena *arena, uint32_t version, const uint8_t *address)
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

static uint32_t load_hop(const uint8_t *at)
{
    return __atomic_load_n((const uint32_t *)(const void *)at, __ATOMIC_ACQUIRE);
}

/* The group's entry, or NULL: the hop is a peer, or none. */
static const uint8_t *group_of(const struct arena *arena, int64_t hop)
{
    int64_t peers = (int64_t)arena->count[REGION_PEERS];
    return hop < peers ? NULL : entry(arena, REGION_GROUPS, GROUP_SIZE, (size_t)(hop - peers));
}

int64_t hop_active(const struct arena *arena, int64_t hop)
{
    if (hop < (int64_t)arena->count[REGION_PEERS])
        return hop;
    const uint8_t *group = group_of(arena, hop);
    return group == NULL ? -1 : (int64_t)load_hop(group + GROUP_ACTIVE) - 1;
}

bool hop_entitles(const struct arena *arena, int64_t hop, uint32_t peer)
{
    const uint8_t *group = group_of(arena, hop);

    for (uint32_t i = 0; group != NULL && i < GROUP_PEERS; i++)
        if (load_hop(group + GROUP_ENTITLED + 4 * i) == peer + 1)
            return true;
    return hop == (int64_t)peer;
}
