/* checksum.c — see checksum.h. The two loops are written so that the compiler vectorises them. */
#include "checksum.h"

#include <string.h>

#include "arena.h"

#if defined(__x86_64__) && defined(__gnu_linux__) && !defined(__SANITIZE_ADDRESS__)
#define WIDE __attribute__((target_clones("avx2", "default")))
#else
#define WIDE
#endif

#define BLOCK_WORDS 16u

WIDE uint64_t sum_bytes(const uint8_t *at, size_t bytes)
{
    uint64_t sum = 0;
    uint32_t block[BLOCK_WORDS];

    while (bytes >= sizeof block) {
        memcpy(block, at, sizeof block);
        for (size_t i = 0; i < BLOCK_WORDS; i++)
            sum += block[i];
        at += sizeof block;
        bytes -= sizeof block;
    }
    while (bytes >= 4) {
        sum += load32(at);
        at += 4;
        bytes -= 4;
    }
    if (bytes > 0) {
        uint32_t last = 0;
        memcpy(&last, at, bytes);
        sum += last;
    }
    return sum;
}

WIDE uint64_t sum_copy(uint8_t *restrict to, const uint8_t *restrict from, size_t bytes)
{
    uint64_t sum = 0;
    uint32_t block[BLOCK_WORDS];

    while (bytes >= sizeof block) {
        memcpy(block, from, sizeof block);
        memcpy(to, block, sizeof block);
        for (size_t i = 0; i < BLOCK_WORDS; i++)
            sum += block[i];
        to += sizeof block;
        from += sizeof block;
        bytes -= sizeof block;
    }
    while (bytes >= 4) {
        uint32_t word = load32(from);
        store32(to, word);
        sum += word;
        to += 4;
        from += 4;
        bytes -= 4;
    }
    if (bytes > 0) {
        uint32_t last = 0;
        memcpy(&last, from, bytes);
        memcpy(to, from, bytes);
        sum += last;
    }
    return sum;
}

uint16_t sum_fold(uint64_t sum)
{
    sum = (sum & 0xffffffffu) + (sum >> 32);
    sum = (sum & 0xffffffffu) + (sum >> 32);
    sum = (sum & 0xffffu) + (sum >> 16);
    sum = (sum & 0xffffu) + (sum >> 16);
    sum = (sum & 0xffffu) + (sum >> 16);
    return (uint16_t)sum;
}

uint64_t sum_pseudo(const uint8_t *ip, uint8_t protocol, size_t length)
{
    uint8_t tail[4] = { 0, protocol, (uint8_t)(length >> 8), (uint8_t)length };
    size_t at = (ip[0] >> 4) == 6 ? 8 : 12;
    size_t bytes = (ip[0] >> 4) == 6 ? 32 : 8;

    return sum_bytes(ip + at, bytes) + load32(tail);
}
