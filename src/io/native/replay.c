/* replay.c — see replay.h. */
#include "replay.h"

#define WORDS (REPLAY_BITS / 64u)

bool replay_accept(uint64_t *last, uint64_t window[WORDS], uint64_t counter)
{
    if (counter >= REJECT_AFTER_MESSAGES)
        return false;
    uint64_t end = *last;
    if (counter >= end) {
        /* Clear the words between the old head's and the new one's; the whole ring at most. */
        uint64_t from = end == 0 ? 0 : ((end - 1) >> 6) + 1;
        uint64_t to = counter >> 6;
        if (to >= WORDS && (end == 0 || to >= from + WORDS))
            from = to - (WORDS - 1);
        for (uint64_t word = from; word <= to; word++)
            window[word % WORDS] = 0;
        *last = counter + 1;
    } else if (end - 1 - counter > REPLAY_USABLE) {
        return false;
    }
    uint64_t bit = UINT64_C(1) << (counter & 63u);
    uint64_t *word = &window[(counter >> 6) % WORDS];
    if (*word & bit)
        return false;
    *word |= bit;
    return true;
}
