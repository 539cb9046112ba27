/* memory.h — memory that is neither swapped out nor dumped; mlock2(2), madvise(2). */
#ifndef P2PVPN_MEMORY_H
#define P2PVPN_MEMORY_H

#include <stddef.h>
#include <stdint.h>

/*
 * Keeps the pages that hold `bytes` from `at` on out of core dumps, and locks each from its first
 * use on: pages that are never used cost nothing. Where RLIMIT_MEMLOCK does not allow all of them,
 * those at the start are locked, as many as it allows. Bytes that are locked, 0 to `bytes`, or
 * -errno. The neighbours on the first and the last page share their fate.
 */
int64_t memory_lock(uint8_t *at, size_t bytes);

#endif
