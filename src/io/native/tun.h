/* tun.h — a queue of a TUN device. Source: Linux Documentation/networking/tuntap. */
#ifndef P2PVPN_TUN_H
#define P2PVPN_TUN_H

#include <stdbool.h>
#include <stddef.h>

#include "layout.gen.h"

#define TUN_NAME_BYTES 16u

/*
 * Opens one queue, non-blocking. All queues of a device need the same flags. Returns a file
 * descriptor or -errno: ENOENT no /dev/net/tun, EPERM no CAP_NET_ADMIN, EBUSY the name is taken.
 */
int tun_open(const char *name, bool multi_queue, bool vnet_header);

/* The interface's name, which changes when somebody renames it. 0 or -errno. */
int tun_name(int fd, char name[TUN_NAME_BYTES]);

/*
 * Is the device up, in whatever namespace it is? 1, 0, or -EBADFD: it is gone. Nothing is written,
 * so it counts nothing. Source: Linux 5.2 drivers/net/tun.c, tun_chr_poll(): writable when up.
 */
int tun_up(int fd);

/* What the device may hand us unsegmented: 0 nothing, 1 TCP, 2 TCP and UDP. 0 or -errno. */
int tun_offload(int fd, int level);

#endif
