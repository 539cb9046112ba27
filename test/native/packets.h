/*
 * packets.h — packets for the C tests, and a checksum that is slow and obvious.
 *
 * Addresses: 10.0.0.1 to 10.0.0.2, fd00::1 to fd00::2; ports 1000 to 2000.
 */
#ifndef P2PVPN_PACKETS_H
#define P2PVPN_PACKETS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "check.h"

#define TCP 6u
#define UDP 17u

/* A seeded generator, xorshift64*. Source: Vigna, "An experimental exploration of Marsaglia's
 * xorshift generators, scrambled". */
struct chance {
    uint64_t state;
};

static inline uint64_t chance_next(struct chance *chance)
{
    chance->state ^= chance->state >> 12;
    chance->state ^= chance->state << 25;
    chance->state ^= chance->state >> 27;
    return chance->state * UINT64_C(0x2545f4914f6cdd1d);
}

/* 0 to below - 1. */
static inline uint64_t chance_below(struct chance *chance, uint64_t below)
{
    return (chance_next(chance) >> 8) % below;
}

static inline void chance_fill(struct chance *chance, uint8_t *at, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        at[i] = (uint8_t)(chance_next(chance) >> 32);
}

static inline uint32_t get16(const uint8_t *at)
{
    return (uint32_t)at[0] << 8 | at[1];
}

static inline void put16(uint8_t *at, uint32_t value)
{
    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)value;
}

static inline uint32_t get32(const uint8_t *at)
{
    return get16(at) << 16 | get16(at + 2);
}

static inline void put32(uint8_t *at, uint32_t value)
{
    put16(at, value >> 16);
    put16(at + 2, value & 0xffff);
}

/* RFC 1071, word by word in network order. */
static inline uint32_t slow_add(uint32_t sum, const uint8_t *at, size_t bytes)
{
    for (size_t i = 0; i < bytes; i += 2) {
        sum += (uint32_t)at[i] << 8 | (i + 1 < bytes ? at[i + 1] : 0u);
        sum = (sum & 0xffff) + (sum >> 16);
    }
    return sum;
}

static inline size_t ip_header_bytes(const uint8_t *packet)
{
    return packet[0] >> 4 == 4 ? (size_t)(packet[0] & 15) * 4 : 40;
}

static inline uint8_t protocol_of(const uint8_t *packet)
{
    return packet[0] >> 4 == 4 ? packet[9] : packet[6];
}

/* Pseudo-header, TCP or UDP header and payload: 0xffff when the checksum inside is right. */
static inline uint32_t slow_transport_sum(const uint8_t *packet, size_t bytes)
{
    size_t ip = ip_header_bytes(packet);
    uint32_t sum = packet[0] >> 4 == 4 ? slow_add(0, packet + 12, 8) : slow_add(0, packet + 8, 32);
    uint8_t tail[4] = { 0, protocol_of(packet), (uint8_t)((bytes - ip) >> 8),
                        (uint8_t)(bytes - ip) };
    sum = slow_add(sum, tail, sizeof tail);
    return slow_add(sum, packet + ip, bytes - ip);
}

/* Every checksum and length of a TCP or UDP packet is right. */
static inline bool packet_valid(const uint8_t *packet, size_t bytes)
{
    size_t ip = ip_header_bytes(packet);
    if (packet[0] >> 4 == 4 && (get16(packet + 2) != bytes || slow_add(0, packet, ip) != 0xffff))
        return false;
    if (packet[0] >> 4 == 6 && get16(packet + 4) + 40 != bytes)
        return false;
    if (protocol_of(packet) == UDP && get16(packet + ip + 4) != bytes - ip)
        return false;
    return slow_transport_sum(packet, bytes) == 0xffff;
}

/* Writes the checksums of a packet whose other bytes are complete. */
static inline void seal_checksums(uint8_t *packet, size_t bytes)
{
    size_t ip = ip_header_bytes(packet);
    size_t at = ip + (protocol_of(packet) == TCP ? 16 : 6);

    if (packet[0] >> 4 == 4) {
        put16(packet + 10, 0);
        put16(packet + 10, ~slow_add(0, packet, ip) & 0xffff);
    }
    put16(packet + at, 0);
    uint32_t check = ~slow_transport_sum(packet, bytes) & 0xffff;
    put16(packet + at, check == 0 && protocol_of(packet) == UDP ? 0xffff : check);
}

/*
 * Two bytes of payload that make a UDP checksum 0. It is sent as ffff, since 0 says "none".
 */
static inline void zero_checksum(uint8_t *packet, size_t bytes, size_t at)
{
    put16(packet + at, 0);
    seal_checksums(packet, bytes);
    uint32_t check = get16(packet + ip_header_bytes(packet) + 6);
    put16(packet + at, check);
    seal_checksums(packet, bytes);
    CHECK_EQUAL(get16(packet + ip_header_bytes(packet) + 6), 0xffff);
}

struct shape {
    unsigned version;   /* 4 or 6 */
    uint8_t protocol;   /* TCP or UDP */
    size_t options;     /* bytes of TCP options, a multiple of 4 */
    size_t payload;
    uint32_t sequence;
    uint8_t flags;      /* of TCP */
    uint32_t id;        /* of IPv4 */
};

static inline size_t shape_header_bytes(const struct shape *shape)
{
    return (shape->version == 4 ? 20u : 40u) + (shape->protocol == TCP ? 20u + shape->options : 8u);
}

/* Writes a packet with valid checksums and payload bytes that count up. Returns its size. */
static inline size_t make_packet(uint8_t *at, const struct shape *shape)
{
    size_t header = shape_header_bytes(shape), bytes = header + shape->payload;
    size_t ip = shape->version == 4 ? 20 : 40;
    uint8_t *transport = at + ip;

    memset(at, 0, header);
    if (shape->version == 4) {
        at[0] = 0x45;
        put16(at + 2, (uint32_t)bytes);
        put16(at + 4, shape->id);
        at[6] = 0x40;
        at[8] = 64;
        at[9] = shape->protocol;
        put32(at + 12, 0x0a000001);
        put32(at + 16, 0x0a000002);
    } else {
        at[0] = 0x60;
        put16(at + 4, (uint32_t)(bytes - 40));
        at[6] = shape->protocol;
        at[7] = 64;
        at[8] = at[24] = 0xfd;
        at[23] = 1;
        at[39] = 2;
    }
    put16(transport, 1000);
    put16(transport + 2, 2000);
    if (shape->protocol == TCP) {
        put32(transport + 4, shape->sequence);
        put32(transport + 8, 0x11223344);
        transport[12] = (uint8_t)((20 + shape->options) / 4 << 4);
        transport[13] = shape->flags;
        put16(transport + 14, 0x7fff);
        for (size_t i = 0; i < shape->options; i++)
            transport[20 + i] = 1; /* no operation */
    } else {
        put16(transport + 4, (uint32_t)(8 + shape->payload));
    }
    for (size_t i = 0; i < shape->payload; i++)
        at[header + i] = (uint8_t)(i * 31 + (i >> 8));
    seal_checksums(at, bytes);
    return bytes;
}

/* Leaves the checksum to the device as the kernel does: the pseudo-header's sum, as it is. */
static inline void leave_checksum(uint8_t *packet, size_t bytes)
{
    size_t ip = ip_header_bytes(packet);
    uint32_t sum = packet[0] >> 4 == 4 ? slow_add(0, packet + 12, 8) : slow_add(0, packet + 8, 32);
    uint8_t tail[4] = { 0, protocol_of(packet), (uint8_t)((bytes - ip) >> 8),
                        (uint8_t)(bytes - ip) };
    put16(packet + ip + (protocol_of(packet) == TCP ? 16 : 6), slow_add(sum, tail, sizeof tail));
}

#endif
