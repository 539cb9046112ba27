/* mss.c — see mss.h. */
#include "mss.h"

#define OPTION_END 0u
#define OPTION_NOTHING 1u
#define OPTION_MSS 2u
#define MSS_BYTES 4u
#define HEADERS4 40u
#define HEADERS6 60u

/* RFC 1624, equation 3: HC' = ~(~HC + ~m + m'). */
static void amend_checksum(uint8_t *check, uint32_t before, uint32_t after)
{
    uint32_t sum = (uint16_t)~load16_be(check) + (uint32_t)(uint16_t)~before + after;
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    store16_be(check, ~sum);
}

static uint32_t swapped(uint32_t value)
{
    return (value & 0xff) << 8 | value >> 8;
}

/* Lowers the value at `tcp + at`. An odd place swaps its bytes in the words that are summed. */
static void lower(uint8_t *tcp, size_t at, uint32_t most)
{
    uint32_t before = load16_be(tcp + at), after = most;

    store16_be(tcp + at, most);
    if (at & 1) {
        before = swapped(before);
        after = swapped(after);
    }
    amend_checksum(tcp + 16, before, after);
}

bool mss_clamp(uint8_t *packet, size_t bytes, uint32_t mtu)
{
    bool v4 = (packet[0] >> 4) == 4, changed = false;
    size_t ip = v4 ? (size_t)(packet[0] & 15) * 4 : 40;
    uint32_t headers = v4 ? HEADERS4 : HEADERS6;

    if (!is_syn(packet, bytes) || mtu <= headers)
        return false;
    /* What follows the header of a later fragment is no TCP header. */
    if (v4 && (ip < 20 || (load16_be(packet + 6) & IPV4_OFFSET) != 0))
        return false;
    uint8_t *tcp = packet + ip;
    size_t header = (size_t)(tcp[12] >> 4) * 4;
    if (header < TCP_HEADER_BYTES || ip + header > bytes)
        return false;
    /* Each turn takes a byte at least, and there are 40. */
    for (size_t at = TCP_HEADER_BYTES; at < header && tcp[at] != OPTION_END;) {
        if (tcp[at] == OPTION_NOTHING) {
            at++;
            continue;
        }
        size_t length = at + 1 < header ? tcp[at + 1] : 0;
        if (length < 2 || at + length > header)
            break;
        if (tcp[at] == OPTION_MSS && length == MSS_BYTES &&
            load16_be(tcp + at + 2) > mtu - headers) {
            lower(tcp, at + 2, mtu - headers);
            changed = true;
        }
        at += length;
    }
    return changed;
}
