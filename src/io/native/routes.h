/*
 * routes.h — inner address to next hop to peer; src/memory/routes.ts and groups.ts write them.
 *
 * A turn may find the table that was active when it began or one that came since
 * (src/memory/epochs.ts); each look-up is in one of them.
 */
#ifndef P2PVPN_ROUTES_H
#define P2PVPN_ROUTES_H

#include "arena.h"

/* Next hop of an address (four words in host order, IPv4 in the first), or -1. */
int64_t route_find(const struct arena *arena, uint32_t version, const uint8_t *address);

/* The peer that a hop sends to now, or -1. */
int64_t hop_active(const struct arena *arena, int64_t hop);

/* May the peer send from prefixes that lead to this hop? */
bool hop_entitles(const struct arena *arena, int64_t hop, uint32_t peer);

#endif
