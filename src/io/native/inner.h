/* inner.h — how long the IP packet is that a segment holds. */
#ifndef P2PVPN_INNER_H
#define P2PVPN_INNER_H

#include "arena.h"

/* Length of the IP packet in `bytes` of plaintext; 0: not one. */
static inline uint32_t inner_bytes(const uint8_t *packet, uint32_t bytes)
{
    uint32_t length = 0;
    if ((packet[0] >> 4) == 4 && bytes >= 20) {
        length = load16_be(packet + 2);
        if (length < 20)
            length = 0;
    } else if ((packet[0] >> 4) == 6 && bytes >= 40) {
        length = load16_be(packet + 4) + 40u;
    }
    return length <= bytes ? length : 0;
}

#endif
