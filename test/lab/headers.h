/*
 * headers.h — the headers of a flood's datagrams, from any address of a laboratory (flooder.c).
 *
 * IPv6 sources are taken from a /64 alone, and addresses are those of 2001:db8::/32 (RFC 3849).
 */
#ifndef HEADERS_H
#define HEADERS_H

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/udp.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>

#include "program.h"

#define HEADER_BYTES_MAX 48
#define PREFIX6_BYTES 8

/* An end of a flood; family 0 is none. */
union place {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

/* Sources: `fixed` is laid over random bits where `random` has ones; IPv6: its last 64 bits. */
struct source {
    union place at;
    uint32_t fixed;
    uint32_t random;
    uint16_t port; /* 0: random */
};

/* Of one datagram: `bytes` of `at`, the UDP header last. */
struct headers {
    uint8_t at[HEADER_BYTES_MAX];
};

/* Host order. */
static int is_of_laboratory(uint32_t address)
{
    return address >> 24 == 127 || address >> 8 == (192u << 16 | 0u << 8 | 2u) ||
           address >> 17 == (198u << 8 | 18u) >> 1;
}

/* An address of the laboratory; 0, or -EINVAL. */
static int place_of(const char *text, union place *place)
{
    static const uint8_t documentation[4] = { 0x20, 0x01, 0x0d, 0xb8 };
    memset(place, 0, sizeof *place);
    if (inet_pton(AF_INET, text, &place->v4.sin_addr) == 1) {
        place->v4.sin_family = AF_INET;
        return is_of_laboratory(ntohl(place->v4.sin_addr.s_addr)) ? 0 : -EINVAL;
    }
    if (inet_pton(AF_INET6, text, &place->v6.sin6_addr) != 1)
        return -EINVAL;
    place->v6.sin6_family = AF_INET6;
    return memcmp(&place->v6.sin6_addr, documentation, sizeof documentation) == 0 ? 0 : -EINVAL;
}

static socklen_t place_bytes(const union place *place)
{
    return place->any.sa_family == AF_INET6 ? sizeof place->v6 : sizeof place->v4;
}

static size_t header_bytes(const union place *place)
{
    size_t ip = place->any.sa_family == AF_INET6 ? sizeof(struct ip6_hdr) : sizeof(struct iphdr);
    return ip + sizeof(struct udphdr);
}

/* ADDRESS:PORT (IPv4) or ADDRESS/LENGTH; 0, or -EINVAL. */
static int source_of(const char *text, struct source *source)
{
    char copy[INET6_ADDRSTRLEN + 8];
    size_t length = strlen(text);
    if (length >= sizeof copy)
        return -EINVAL;
    memcpy(copy, text, length + 1);
    char *mark = strchr(copy, '/');
    char kind = mark == NULL ? ':' : '/';
    if (mark == NULL)
        mark = strrchr(copy, ':');
    if (mark == NULL)
        return -EINVAL;
    *mark = '\0';
    *source = (struct source){ 0 };
    if (place_of(copy, &source->at) < 0)
        return -EINVAL;
    int v6 = source->at.any.sa_family == AF_INET6;
    long value = number(mark + 1, kind == ':' ? UINT16_MAX : v6 ? 64 : 32);
    if (value == 0 || (v6 && value != 64))
        return -EINVAL;
    if (v6)
        return 0;
    source->fixed = ntohl(source->at.v4.sin_addr.s_addr);
    if (kind == ':') {
        source->port = (uint16_t)value;
        source->at.v4.sin_port = htons(source->port);
        return 0;
    }
    source->random = value == 32 ? 0 : UINT32_MAX >> value;
    source->fixed &= ~source->random;
    int first = is_of_laboratory(source->fixed);
    return first && is_of_laboratory(source->fixed | source->random) ? 0 : -EINVAL;
}

static uint32_t sum_of(const uint8_t *data, size_t bytes)
{
    uint32_t sum = 0;
    for (size_t i = 0; i + 1 < bytes; i += 2)
        sum += (uint32_t)data[i] << 8 | data[i + 1];
    return bytes % 2 == 0 ? sum : sum + ((uint32_t)data[bytes - 1] << 8);
}

static uint16_t folded(uint32_t sum)
{
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    uint16_t check = (uint16_t)~sum;
    return check == 0 ? 0xffff : check;
}

static uint64_t next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

/* Writes the headers of `bytes` to send with the sum `sum` of their words. */
static void make_headers(struct headers *headers, const struct source *source,
                         const union place *to, uint16_t to_port, uint16_t bytes, uint32_t sum,
                         uint64_t *state)
{
    uint64_t random = next_random(state);
    uint16_t port = source->port != 0 ? source->port : (uint16_t)(1024 + (random >> 32) % 64000);
    struct udphdr udp = { .source = htons(port),
                          .dest = htons(to_port),
                          .len = htons((uint16_t)(bytes + sizeof udp)) };
    sum += IPPROTO_UDP + 2u * ntohs(udp.len) + port + to_port;
    uint8_t *at = headers->at;
    if (to->any.sa_family == AF_INET6) {
        struct ip6_hdr ip = { .ip6_dst = to->v6.sin6_addr, .ip6_src = source->at.v6.sin6_addr };
        ip.ip6_flow = htonl(6u << 28);
        ip.ip6_plen = udp.len;
        ip.ip6_nxt = IPPROTO_UDP;
        ip.ip6_hlim = 64;
        random = next_random(state);
        memcpy(&ip.ip6_src.s6_addr[PREFIX6_BYTES], &random, sizeof random);
        sum += sum_of(ip.ip6_src.s6_addr, 16) + sum_of(ip.ip6_dst.s6_addr, 16);
        memcpy(at, &ip, sizeof ip);
        at += sizeof ip;
    } else {
        uint32_t from = source->fixed | ((uint32_t)random & source->random);
        struct iphdr ip = { .version = 4, .ihl = 5, .ttl = 64, .protocol = IPPROTO_UDP };
        ip.saddr = htonl(from);
        ip.daddr = to->v4.sin_addr.s_addr;
        ip.id = htons((uint16_t)(random >> 48 | 1));
        ip.tot_len = htons((uint16_t)(bytes + sizeof udp + sizeof ip));
        uint32_t dest = ntohl(ip.daddr);
        sum += (from >> 16) + (from & 0xffff) + (dest >> 16) + (dest & 0xffff);
        memcpy(at, &ip, sizeof ip);
        at += sizeof ip;
    }
    udp.check = htons(folded(sum));
    memcpy(at, &udp, sizeof udp);
}

#endif
