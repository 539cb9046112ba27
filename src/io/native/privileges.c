/* privileges.c — see privileges.h. */
#define _GNU_SOURCE
#include "privileges.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Capability numbers end where PR_CAPBSET_READ says EINVAL; this bounds the loop. */
#define CAPABILITIES_MAX 64

extern char **environ;

static int bounding_has(int capability)
{
    int result = prctl(PR_CAPBSET_READ, capability, 0, 0, 0);
    return result < 0 ? -errno : result;
}

int privileges_excess(void)
{
    for (int capability = 0; capability < CAPABILITIES_MAX; capability++) {
        int has = bounding_has(capability);
        if (has == -EINVAL)
            return 0; /* past the last one that the kernel knows */
        if (has < 0)
            return has;
        if (has == 1 && capability != CAP_NET_ADMIN)
            return 1;
    }
    return 0;
}

static int set_inheritable(void)
{
    struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3, .pid = 0 };
    struct __user_cap_data_struct data[2] = { 0 };
    const uint32_t bit = UINT32_C(1) << CAP_NET_ADMIN;

    if (syscall(SYS_capget, &header, data) < 0)
        return -errno;
    if (!(data[0].permitted & bit))
        return 0; /* without it `start` will say so itself */
    data[0].inheritable = bit;
    data[1].inheritable = 0;
    if (syscall(SYS_capset, &header, data) < 0)
        return -errno;
    if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0 ||
        prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_NET_ADMIN, 0, 0) < 0)
        return -errno;
    return 0;
}

static int limit(void)
{
    for (int capability = 0; capability < CAPABILITIES_MAX; capability++) {
        int has = bounding_has(capability);
        if (has == -EINVAL)
            break;
        if (has < 0)
            return has;
        if (has == 1 && capability != CAP_NET_ADMIN &&
            prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) < 0)
            return -errno;
    }
    int result = set_inheritable();
    if (result < 0)
        return result;
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ? -errno : 0;
}

int privileges_reexecute(char *const argv[])
{
    const struct rlimit unlimited = { RLIM_INFINITY, RLIM_INFINITY };

    /* Refused without CAP_SYS_RESOURCE; then as much is locked as the old limit allows. */
    (void)setrlimit(RLIMIT_MEMLOCK, &unlimited);
    int result = limit();
    if (result < 0 && result != -EPERM)
        return result;
    /* node marks every descriptor close-on-exec, its standard streams too. */
    for (int fd = 0; fd <= 2; fd++)
        if (fcntl(fd, F_SETFD, 0) < 0 && errno != EBADF)
            return -errno;
    (void)execve("/proc/self/exe", argv, environ);
    return -errno;
}
