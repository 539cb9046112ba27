/*
 * io_way.c — where a peer is, and which of our addresses it asks: as control wrote them, or as the
 * I/O thread that heard it last did, until control has heard of that.
 */
#define _GNU_SOURCE
#include <sched.h>

#include "io_state.h"

/* Looks at an endpoint that is being written: at once, then each time giving up the processor. */
#define ENDPOINT_SPINS 100
#define ENDPOINT_TRIES 10000

static uint32_t *lock_at(uint8_t *peer, size_t field)
{
    return (uint32_t *)(void *)(peer + field);
}

void write_heard(uint8_t *peer, const uint8_t *from, const uint8_t *local)
{
    uint32_t *lock = lock_at(peer, PEER_HEARD_LOCK);
    uint32_t against = __atomic_load_n(lock_at(peer, PEER_ENDPOINT_LOCK), __ATOMIC_ACQUIRE);

    /* Control is writing: it knows better, or hears of this next. */
    if (against & 1u)
        return;
    uint32_t before = *lock;
    __atomic_store_n(lock, before + 1, __ATOMIC_RELAXED);
    __atomic_thread_fence(__ATOMIC_RELEASE);
    store32(peer + PEER_HEARD_AGAINST, against);
    memcpy(peer + PEER_HEARD, from, SOCKADDR_BYTES);
    memcpy(peer + PEER_HEARD_LOCAL, local, SOCKADDR_BYTES);
    __atomic_store_n(lock, before + 2, __ATOMIC_RELEASE);
}

/* Puts what was heard since control wrote last in the place of that. False: look again. */
static bool add_heard(const uint8_t *peer, uint32_t against, struct way *out)
{
    const uint32_t *lock = (const uint32_t *)(const void *)(peer + PEER_HEARD_LOCK);
    uint32_t before = __atomic_load_n(lock, __ATOMIC_ACQUIRE);
    struct way heard;

    if (before == 0)
        return true;
    bool counts = load32(peer + PEER_HEARD_AGAINST) == against;
    memcpy(heard.to.bytes, peer + PEER_HEARD, SOCKADDR_BYTES);
    memcpy(heard.local.bytes, peer + PEER_HEARD_LOCAL, SOCKADDR_BYTES);
    __atomic_thread_fence(__ATOMIC_ACQUIRE);
    if ((before & 1u) || __atomic_load_n(lock, __ATOMIC_RELAXED) != before)
        return false;
    if (counts)
        *out = heard;
    return true;
}

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
        if ((before & 1u) || __atomic_load_n(lock, __ATOMIC_RELAXED) != before ||
            !add_heard(peer, before, out))
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
