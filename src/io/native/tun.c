/* tun.c — see tun.h. */
#define _GNU_SOURCE
#include "tun.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* Not in the headers of Linux 6.1. */
#ifndef TUN_F_USO4
#define TUN_F_USO4 0x20
#define TUN_F_USO6 0x40
#endif

static int set_up_queue(int fd, const char *name, bool multi_queue, bool vnet_header)
{
    struct ifreq request = { 0 };
    size_t length = strlen(name);

    if (length >= sizeof request.ifr_name)
        return -EINVAL;
    memcpy(request.ifr_name, name, length);
    request.ifr_flags = (short)(IFF_TUN | IFF_NO_PI | (multi_queue ? IFF_MULTI_QUEUE : 0) |
                                (vnet_header ? IFF_VNET_HDR : 0));
    if (ioctl(fd, TUNSETIFF, &request) < 0)
        return -errno;
    if (vnet_header) {
        int bytes = TUN_VNET_BYTES;
        if (ioctl(fd, TUNSETVNETHDRSZ, &bytes) < 0)
            return -errno;
    }
    return 0;
}

int tun_open(const char *name, bool multi_queue, bool vnet_header)
{
    int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return -errno;
    int result = set_up_queue(fd, name, multi_queue, vnet_header);
    if (result < 0) {
        close(fd);
        return result;
    }
    return fd;
}

int tun_name(int fd, char name[TUN_NAME_BYTES])
{
    struct ifreq request = { 0 };

    if (ioctl(fd, TUNGETIFF, &request) < 0)
        return -errno;
    memcpy(name, request.ifr_name, TUN_NAME_BYTES);
    name[TUN_NAME_BYTES - 1] = '\0';
    return 0;
}

int tun_up(int fd)
{
    struct pollfd look = { .fd = fd, .events = POLLOUT };

    if (poll(&look, 1, 0) < 0)
        return -errno;
    if (look.revents & (POLLERR | POLLNVAL))
        return -EBADFD;
    return (look.revents & POLLOUT) != 0 ? 1 : 0;
}

int tun_offload(int fd, int level)
{
    unsigned long bits = 0;

    if (level >= 1)
        bits |= TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6;
    if (level >= 2)
        bits |= TUN_F_USO4 | TUN_F_USO6;
    return ioctl(fd, TUNSETOFFLOAD, bits) < 0 ? -errno : 0;
}
