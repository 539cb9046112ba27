/*
 * io_own.c — our own tunnel is not the underlay: nothing of ours goes into it, nothing for us comes
 * out of it.
 *
 *     peer ── inner packet to our port ──▶ TUN ──▶ our socket     its address would be the peer's
 *     our datagram ── a route ──▶ TUN ──▶ our datagram ── ...     sealed again and again
 *
 * A packet from the device is ours when it is UDP from an address of this host and from our port,
 * and nobody has forwarded it: its hop limit is what our sockets begin with. The address alone is
 * not enough, since a host that translates addresses gives its own to others' packets; nor is the
 * hop limit, since somebody may begin with one more.
 *
 * Of a datagram that the kernel cut, the first fragment tells; the others are sealed once and found
 * in their new datagram.
 *
 * Source: ip(7), IP_PKTINFO; RFC 791; RFC 8200 4.5.
 */
#define _GNU_SOURCE
#include "io_state.h"
#include "ip.h"

#define IPV6_OFFSET_MASK 0xfff8u

/* Where the UDP header of a whole packet lies; 0: it has none. */
static size_t udp_at(const uint8_t *packet, size_t bytes)
{
    size_t at;

    if (packet[0] >> 4 == 4) {
        if (packet[9] != PROTOCOL_UDP || (load16_be(packet + 6) & IPV4_OFFSET) != 0)
            return 0;
        at = (size_t)(packet[0] & 15) * 4;
    } else if (packet[6] == PROTOCOL_UDP) {
        at = 40;
    } else {
        if (packet[6] != PROTOCOL_FRAGMENT || bytes < 48 || packet[40] != PROTOCOL_UDP ||
            (load16_be(packet + 42) & IPV6_OFFSET_MASK) != 0)
            return 0;
        at = 48;
    }
    return at + 8 <= bytes ? at : 0;
}

/* Is the packet's source an address of this host? */
static bool from_here(const struct arena *arena, const uint8_t *engine, const uint8_t *packet)
{
    uint32_t version = packet[0] >> 4, words[4] = { 0 };
    uint32_t count_of =
        __atomic_load_n((const uint32_t *)(const void *)(engine + ENGINE_HOST_COUNT),
                        __ATOMIC_ACQUIRE);

    if (version == 4)
        words[0] = load32_be(packet + 12);
    else
        for (size_t w = 0; w < 4; w++)
            words[w] = load32_be(packet + 8 + 4 * w);
    for (uint32_t i = 0; i < count_of; i++) {
        const uint8_t *host = entry(arena, REGION_HOSTS, LOCAL_SIZE, i);
        if (host == NULL)
            return false;
        if (load32(host + LOCAL_VERSION) == version &&
            memcmp(host + LOCAL_ADDRESS, words, sizeof words) == 0)
            return true;
    }
    return false;
}

bool io_is_own(const struct io *io, const uint8_t *engine, const uint8_t *packet, size_t bytes)
{
    uint32_t port = load32(engine + ENGINE_OWN_PORT);
    bool v6 = packet[0] >> 4 == 6;
    size_t udp = port == 0 ? 0 : udp_at(packet, bytes);

    return udp != 0 && load16_be(packet + udp) == port && packet[v6 ? 7 : 8] == io->hops[v6] &&
           from_here(io->arena, engine, packet);
}

bool io_came_inside(const struct io *io, const struct udp_arrival *arrival)
{
    const uint8_t *engine = entry(io->arena, REGION_ENGINE, ENGINE_SIZE, 0);
    uint32_t index = udp_interface(&arrival->local);

    return engine != NULL && index != 0 && index == load32(engine + ENGINE_TUN_INDEX);
}
