/*
 * replay.h — sliding window over a session's received counters (RFC 6479).
 *
 * State is two fields of a session: `last` (highest counter accepted plus one; 0: none) and 128
 * words of 64 bits. One thread writes them: the session's owner. Call only after the tag verified.
 */
#ifndef P2PVPN_REPLAY_H
#define P2PVPN_REPLAY_H

#include <stdbool.h>
#include <stdint.h>

#include "layout.gen.h"

/* Counters farther behind the highest are refused: one word is kept clear for sliding. */
#define REPLAY_USABLE (REPLAY_BITS - 64u)

/* Accepts `counter` once: marks it and returns true, or false when seen or too old. */
bool replay_accept(uint64_t *last, uint64_t window[REPLAY_BITS / 64], uint64_t counter);

#endif
