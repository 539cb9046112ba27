/* memory.c — see memory.h. */
#define _GNU_SOURCE
#include "memory.h"

#include <errno.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef MLOCK_ONFAULT
#define MLOCK_ONFAULT 1
#endif

static int lock_pages(uint8_t *at, size_t bytes)
{
    return syscall(SYS_mlock2, at, bytes, MLOCK_ONFAULT) < 0 ? -errno : 0;
}

/* ENOMEM: more than the limit; EPERM: the limit is 0; EAGAIN: some could not be. */
static bool is_limit(int result)
{
    return result == -ENOMEM || result == -EPERM || result == -EAGAIN;
}

int64_t memory_lock(uint8_t *at, size_t bytes)
{
    long asked = sysconf(_SC_PAGESIZE);
    if (asked <= 0)
        return -EINVAL;
    if (bytes == 0)
        return 0;
    size_t page = (size_t)asked, before = (uintptr_t)at & (page - 1);
    uint8_t *first = at - before;
    size_t length = (bytes + before + page - 1) & ~(page - 1);

    if (madvise(first, length, MADV_DONTDUMP) < 0)
        return -errno;
    int result = lock_pages(first, length);
    if (result == 0)
        return (int64_t)bytes;
    if (!is_limit(result))
        return result;
    /* The most that goes: ever smaller pieces, each behind those that went. */
    size_t locked = 0, piece = page;
    while (piece <= length / 2)
        piece *= 2;
    for (; piece >= page; piece /= 2)
        if (piece <= length - locked && lock_pages(first + locked, piece) == 0)
            locked += piece;
    if (locked <= before)
        return 0;
    return (int64_t)(locked - before < bytes ? locked - before : bytes);
}
