/* sources: memory.c */
/* memory_test.c — locked memory with and without a limit. */
#define _GNU_SOURCE
#include "memory.h"

#include <errno.h>
#include <linux/capability.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "check.h"

#define PAGES 1024u
#define LIMIT_PAGES 100u
#define OFFSET 100u

/* A number in kB out of /proc/self/status. */
static size_t status_kib(const char *name)
{
    char line[256];
    size_t kib = 0;
    FILE *file = fopen("/proc/self/status", "re");
    CHECK(file != NULL);
    while (fgets(line, sizeof line, file) != NULL)
        if (strncmp(line, name, strlen(name)) == 0)
            kib = strtoul(line + strlen(name), NULL, 10);
    fclose(file);
    return kib;
}

/* Without CAP_IPC_LOCK the limit counts; the test's own pages count as well. */
static void limit_to(size_t bytes)
{
    struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
    struct __user_cap_data_struct data[2];
    const struct rlimit limit = { bytes, bytes };

    CHECK_EQUAL(syscall(SYS_capget, &header, data), 0);
    data[0].effective &= ~(UINT32_C(1) << CAP_IPC_LOCK);
    CHECK_EQUAL(syscall(SYS_capset, &header, data), 0);
    CHECK_EQUAL(setrlimit(RLIMIT_MEMLOCK, &limit), 0);
}

/* Not munlock(3): the sanitizer replaces it with nothing. */
static void unlock(uint8_t *at, size_t bytes)
{
    CHECK_EQUAL(syscall(SYS_munlock, at, bytes), 0);
}

int main(void)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE), bytes = PAGES * page;
    uint8_t *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(at != MAP_FAILED);
    CHECK_EQUAL(memory_lock(at, 0), 0);

    size_t resident = status_kib("VmRSS:");
    limit_to(bytes + page);
    CHECK_EQUAL(memory_lock(at, bytes), (long long)bytes);
    CHECK_EQUAL(status_kib("VmLck:"), bytes / 1024);
    CHECK(status_kib("VmRSS:") - resident < bytes / 1024 / 2);
    memset(at, 1, bytes);
    CHECK(status_kib("VmRSS:") - resident >= bytes / 1024);
    unlock(at, bytes);
    PASSED("all of it, and only what is used is there");

    limit_to(LIMIT_PAGES * page);
    CHECK_EQUAL(memory_lock(at, bytes), (long long)(LIMIT_PAGES * page));
    CHECK_EQUAL(status_kib("VmLck:"), LIMIT_PAGES * page / 1024);
    unlock(at, bytes);
    CHECK_EQUAL(memory_lock(at + OFFSET, bytes - OFFSET),
                (long long)(LIMIT_PAGES * page - OFFSET));
    unlock(at, bytes);
    PASSED("as much as the limit allows, from the start");

    limit_to(0);
    CHECK_EQUAL(memory_lock(at, bytes), 0);
    CHECK_EQUAL(status_kib("VmLck:"), 0);
    PASSED("nothing, where nothing is allowed");
    CHECK_EQUAL(munmap(at, bytes), 0);
    return 0;
}
