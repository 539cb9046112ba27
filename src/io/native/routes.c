/* routes.c — see routes.h. A plain search among sorted boundaries: for packets that come alone. */
#include "routes.h"

struct family {
    enum region keys, peers, index;
    uint32_t words;
};

/* Words of a boundary against the address's: all first words of a table, then all second ones. */
static bool at_or_below(const uint8_t *keys, size_t stride, uint32_t words, uint32_t boundary,
                        const uint32_t address[4])
{
    for (uint32_t w = 0; w < words; w++) {
        uint32_t key = load32(keys + 4 * (w * stride + boundary));
        if (key != address[w])
            return key < address[w];
    }
    return true;
}

int64_t route_find(const struct arena *arena, uint32_t version, const uint32_t address[4])
{
    const struct family family =
        version == 4
            ? (struct family){ REGION_ROUTE_KEYS4, REGION_ROUTE_PEERS4, REGION_ROUTE_INDEX4, 1 }
            : (struct family){ REGION_ROUTE_KEYS6, REGION_ROUTE_PEERS6, REGION_ROUTE_INDEX6, 4 };
    const uint8_t *engine = entry(arena, REGION_ENGINE, ENGINE_SIZE, 0);
    if (engine == NULL)
        return -1;
    uint32_t active =
        __atomic_load_n((const uint32_t *)(const void *)(engine + ENGINE_ACTIVE_ROUTES),
                        __ATOMIC_ACQUIRE);
    size_t stride = arena->count[family.keys] / 2;
    if (active > 1 || stride == 0)
        return -1;
    /* Two tables of each region: both ends of the active one are checked, so all of it is there. */
    size_t levels = arena->count[family.index] / 2;
    const uint8_t *keys = entry(arena, family.keys, 4 * family.words, active * stride);
    const uint8_t *peers = entry(arena, family.peers, 4, active * stride);
    const uint8_t *root = entry(arena, family.index, 4, active * levels);
    if (keys == NULL || peers == NULL || root == NULL)
        return -1;
    /* The first two words of the index: the first boundary and the last one. */
    uint32_t low = load32(root), high = load32(root + 4);
    if (low > high || high >= stride)
        return -1;
    while (low < high) {
        uint32_t middle = low + (high - low + 1) / 2;
        if (at_or_below(keys, stride, family.words, middle, address))
            low = middle;
        else
            high = middle - 1;
    }
    return (int64_t)load32(peers + 4 * (size_t)low) - 1;
}
