/* handles.c — see handles.h. */
#define _GNU_SOURCE
#include "handles.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef SYS_close_range
#define SYS_close_range 436
#endif
#ifndef CLOSE_RANGE_CLOEXEC
#define CLOSE_RANGE_CLOEXEC 4u
#endif

#define FIRST 3

static int by_number(const void *a, const void *b)
{
    int32_t x = *(const int32_t *)a, y = *(const int32_t *)b;
    return (x > y) - (x < y);
}

static int mark_range(uint32_t first, uint32_t last)
{
    if (first > last)
        return 0;
    return syscall(SYS_close_range, first, last, CLOSE_RANGE_CLOEXEC) < 0 ? -errno : 0;
}

static bool is_kept(int32_t fd, const int32_t *keep, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (keep[i] == fd)
            return true;
    return false;
}

int handles_close_listed(const int32_t *keep, size_t count)
{
    int result = 0;
    DIR *folder = opendir("/proc/self/fd");

    if (folder == NULL)
        return -errno;
    for (;;) {
        char *end = NULL;
        errno = 0;
        const struct dirent *one = readdir(folder);
        if (one == NULL) {
            result = -errno;
            break;
        }
        long fd = strtol(one->d_name, &end, 10);
        if (end == one->d_name || *end != '\0' || fd < FIRST || fd > INT32_MAX ||
            is_kept((int32_t)fd, keep, count))
            continue;
        /* EBADF: closed meanwhile, by another thread. FD_CLOEXEC is the only flag; fcntl(2). */
        if (fcntl((int)fd, F_SETFD, FD_CLOEXEC) < 0 && errno != EBADF) {
            result = -errno;
            break;
        }
    }
    (void)closedir(folder);
    return result;
}

int handles_close_on_exec(int32_t *keep, size_t count)
{
    uint32_t next = FIRST;
    int result = 0;

    if (count > HANDLES_KEPT_MAX)
        return -EINVAL;
    qsort(keep, count, sizeof *keep, by_number);
    for (size_t i = 0; i < count && result == 0; i++) {
        if (keep[i] < FIRST)
            continue;
        uint32_t kept = (uint32_t)keep[i];
        if (kept > next)
            result = mark_range(next, kept - 1);
        next = kept + 1;
    }
    if (result == 0)
        result = mark_range(next, UINT32_MAX);
    /* ENOSYS: before 5.9; EINVAL: before 5.11. */
    return result == -ENOSYS || result == -EINVAL ? handles_close_listed(keep, count) : result;
}
