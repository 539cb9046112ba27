/*
 * routes.h — inner address to peer, as src/memory/routes.ts does it; see there for the tables.
 */
#ifndef P2PVPN_ROUTES_H
#define P2PVPN_ROUTES_H

#include "arena.h"

/* Peer of an address (four words in host order, IPv4 in the first), or -1. */
int64_t route_find(const struct arena *arena, uint32_t version, const uint32_t address[4]);

#endif
