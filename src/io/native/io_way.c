/* io_way.c — where a peer is, and which of our addresses it asks, as control wrote them. */
#define _GNU_SOURCE
#include <sched.h>

#include "io_state.h"

/* Looks at an endpoint that is being written: at once, then each time giving up the processor. */
#define ENDPOINT_SPINS 100
#define ENDPOINT_TRIES 10000

/* Copies the peer's endpoint while control may be writing it (seqlock). */
bool read_way(const uint8_t *peer, struct way *out)
{
    const uint32_t *lock = (const uint32_t *)(const void *)(peer + PEER_ENDPOINT_LOCK);
    for (int tries = 0; tries < ENDPOINT_TRIES; tries++) {
        /* The writer was interrupted half-way: let it run. */
        if (tries >= ENDPOINT_SPINS)
            (void)sched_yield();
        uint32_t before = __atomic_load_n(lock, __ATOMIC_ACQUIRE);
        memcpy(out->to.bytes, peer + PEER_ENDPOINT, SOCKADDR_BYTES);
        memcpy(out->local.bytes, peer + PEER_LOCAL, SOCKADDR_BYTES);
        __atomic_thread_fence(__ATOMIC_ACQUIRE);
        if ((before & 1u) || __atomic_load_n(lock, __ATOMIC_RELAXED) != before)
            continue;
        if (out->local.any.sa_family != out->to.any.sa_family ||
            load32(peer + PEER_LOCAL_REFUSED) != 0)
            out->local.any.sa_family = AF_UNSPEC;
        return address_length(&out->to) != 0;
    }
    return false;
}

bool same_endpoint(const uint8_t *a, const uint8_t *b)
{
    union address x, y;
    memcpy(x.bytes, a, SOCKADDR_BYTES);
    memcpy(y.bytes, b, SOCKADDR_BYTES);
    if (x.any.sa_family != y.any.sa_family)
        return false;
    if (x.any.sa_family == AF_INET)
        return x.v4.sin_port == y.v4.sin_port && x.v4.sin_addr.s_addr == y.v4.sin_addr.s_addr;
    return x.v6.sin6_port == y.v6.sin6_port && x.v6.sin6_scope_id == y.v6.sin6_scope_id &&
           memcmp(&x.v6.sin6_addr, &y.v6.sin6_addr, sizeof x.v6.sin6_addr) == 0;
}
