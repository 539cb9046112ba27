/*
 * neighbour.h — the kernel's tables of who is where on a link (ARP, IPv6 neighbour discovery).
 *
 * All links and namespaces of a host share one table per IP version, of 1,024 entries unless set
 * otherwise (gc_thresh3). Whom nobody answers for holds an entry for seconds; where none is left, a
 * packet to an address without one is refused with ENOBUFS, on every link, also on one without ARP.
 * Entries without ARP go first when room is made, and permanent ones never.
 *
 * Questions go over one socket, which one thread uses; the kernel answers before send() returns.
 *
 * Source: rtnetlink(7), arp(7), neigh_forced_gc() and neigh_alloc() of net/core/neighbour.c.
 */
#ifndef P2PVPN_NEIGHBOUR_H
#define P2PVPN_NEIGHBOUR_H

#include <stdbool.h>
#include <stdint.h>

#include "netlink.h"
#include "udp.h"

/* A socket for the questions below, or -errno. */
int neighbour_open(void);

/*
 * 1: a datagram from `local` to `to` has the kernel look for somebody on a link whom it does not
 * know. 0: it knows the address, or the next one is a router, or the link has no such table.
 * `bound`: it leaves by the interface that `local` names. -errno: no datagram can go there.
 */
int neighbour_unknown(int fd, const union address *to, const union address *local, uint32_t mark,
                      bool bound);

/* Makes an entry that stays until the link is set down.   Returns 0 or -errno. */
int neighbour_add(int fd, uint32_t index, const struct netlink_address *address);
/* Errors: -ENOENT. */
int neighbour_remove(int fd, uint32_t index, const struct netlink_address *address);

#endif
