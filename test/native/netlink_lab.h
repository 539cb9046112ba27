/* netlink_lab.h — a TUN device in a network namespace of this process's own, and its news. */
#ifndef P2PVPN_NETLINK_LAB_H
#define P2PVPN_NETLINK_LAB_H

#include "netlink.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "check.h"

#define NAME "probe0"

static inline void enter_namespace(void)
{
    if (unshare(CLONE_NEWNET) == 0)
        return;
    if (unshare(CLONE_NEWUSER | CLONE_NEWNET) == 0)
        return;
    SKIP("no network namespace may be made here; run as root");
}

static inline int open_tun(void)
{
    struct ifreq request = {0};
    int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
    if (fd < 0)
        SKIP("/dev/net/tun cannot be opened");
    memcpy(request.ifr_name, NAME, sizeof NAME);
    request.ifr_flags = IFF_TUN | IFF_NO_PI;
    if (ioctl(fd, TUNSETIFF, &request) < 0)
        SKIP("no TUN device may be made here");
    return fd;
}

static const struct netlink_link_change NOTHING = {-1, -1, -1, -1, -1};

static inline void set_up(uint32_t index, int up)
{
    struct netlink_link_change change = NOTHING;
    change.up = up;
    CHECK_EQUAL(netlink_link_set(index, &change), 0);
}

/* Reads one event of a kind about the link, skipping others; false when there is none. */
static inline bool heard(int fd, enum netlink_event_kind kind, uint32_t index,
                         struct netlink_event *out)
{
    for (int i = 0; i < 64 && netlink_events_read(fd, out, 1) == 1; i++) {
        if (out->kind == kind && out->index == index)
            return true;
    }
    return false;
}

#endif
