/* six_lab.h — far_lab.h over IPv6, too; for programs with the sources of NETLINK. */
#ifndef P2PVPN_SIX_LAB_H
#define P2PVPN_SIX_LAB_H

#include "far_lab.h"
#include "netlink.h"

/* A new address hears only when the kernel's own work queue has come to it. */
static inline void wait_for_address(const char *host)
{
    static struct far far;
    open_far(&far, host);
    for (int tries = 0; tries < 20; tries++) {
        struct pollfd wait = { .fd = far.fd, .events = POLLIN };
        CHECK_EQUAL(sendto(far.fd, "", 0, 0, &far.self.any, address_length(&far.self)), 0);
        if (poll(&wait, 1, 100) == 1)
            break;
        CHECK(tries < 19);
    }
    close(far.fd);
}

/* IPv6 with fd77::1, fd77::2 and fd77::3 on loopback, and a port. False: this kernel has none. */
static inline bool open_six(struct lab *lab, uint16_t *port)
{
    uint32_t loopback = if_nametoindex("lo");
    struct udp_options options = { .family = AF_INET6, .address = "", .device = "" };
    struct io_options io = { .tun = lab->tun, .udp4 = lab->udp, .wake = lab->wake, .vnet = true,
                             .gso = true, .tso = true, .uso = lab->uso };

    for (uint8_t last = 1; last <= 3; last++) {
        const uint8_t bytes[16] = { 0xfd, 0x77, [15] = last };
        struct netlink_address address;
        CHECK_EQUAL(netlink_address_make(&address, bytes, sizeof bytes, 128), 0);
        if (netlink_address_add(loopback, &address) < 0)
            return false;
    }
    io.udp6 = udp_open(&options);
    if (io.udp6 < 0)
        return false;
    *port = (uint16_t)udp_port(io.udp6);
    io_close(lab->io);
    CHECK_EQUAL(io_open(&lab->arena, &io, &lab->io), 0);
    wait_for_address("fd77::1");
    wait_for_address("fd77::2");
    wait_for_address("fd77::3");
    return true;
}

#endif
