/* fragment.c — see fragment.h. */
#include "fragment.h"

#include "arena.h"
#include "checksum.h"
#include "ip.h"

#define UNIT 8u

bool fragment_may(const uint8_t *packet, size_t bytes)
{
    if (packet[0] != 0x45 || bytes <= IPV4_BYTES || (packet[6] & (IPV4_DF >> 8)) != 0)
        return false;
    /* A fragment itself, of a packet that could not be: offsets would wrap. */
    size_t offset = (size_t)(load16_be(packet + 6) & IPV4_OFFSET) * UNIT;
    return offset + bytes <= UINT16_MAX;
}

/* Payload of each fragment but the last. */
static size_t piece_bytes(size_t payload, size_t mtu)
{
    size_t most = (mtu - IPV4_BYTES) / UNIT * UNIT;
    size_t pieces = (payload + most - 1) / most;
    size_t equal = (payload + pieces - 1) / pieces;

    return (equal + UNIT - 1) / UNIT * UNIT;
}

size_t fragment_bytes(size_t bytes, size_t mtu, size_t done)
{
    if (done + IPV4_BYTES >= bytes)
        return 0;
    if (bytes <= mtu)
        return bytes;
    size_t payload = bytes - IPV4_BYTES, piece = piece_bytes(payload, mtu);
    return IPV4_BYTES + (payload - done > piece ? piece : payload - done);
}

size_t fragment_write(const uint8_t *packet, size_t bytes, size_t mtu, size_t done, uint8_t *to)
{
    size_t part = fragment_bytes(bytes, mtu, done) - IPV4_BYTES;
    uint32_t place = load16_be(packet + 6) + (uint32_t)(done / UNIT);

    if (bytes <= mtu) {
        memcpy(to, packet, bytes);
        return part;
    }
    memcpy(to, packet, IPV4_BYTES);
    memcpy(to + IPV4_BYTES, packet + IPV4_BYTES + done, part);
    done += part;
    store16_be(to + 2, (uint32_t)(IPV4_BYTES + part));
    store16_be(to + 6, done + IPV4_BYTES < bytes ? place | IPV4_MF : place);
    memset(to + 10, 0, 2);
    uint16_t check = (uint16_t)~sum_fold(sum_bytes(to, IPV4_BYTES));
    memcpy(to + 10, &check, 2);
    return done;
}
