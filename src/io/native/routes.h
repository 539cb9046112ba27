/*
 * routes.h — inner address to peer; src/memory/routes.ts writes the tables.
 *
 * A turn may find the table that was active when it began or one that came since
 * (src/memory/epochs.ts); each look-up is in one of them.
 */
#ifndef P2PVPN_ROUTES_H
#define P2PVPN_ROUTES_H

#include "arena.h"

/* Peer of an address (four words in host order, IPv4 in the first), or -1. */
int64_t route_find(const struct arena *arena, uint32_t version, const uint8_t *address);

#endif
