/*
 * probe.h — what a kernel takes of what its interface promises.
 *
 * Some kernels accept TUNSETOFFLOAD and then refuse every merged packet, or merged UDP alone (facts
 * 1.7). Writing one tells.
 */
#ifndef P2PVPN_PROBE_H
#define P2PVPN_PROBE_H

#include <stdint.h>

/*
 * Writes two merged packets of `gso_type` (VNET_GSO_TCP4 or VNET_GSO_UDP_L4) to a TUN queue with a
 * virtio header. They reach nobody: from and to 127.0.0.1, no hop left, the IP checksum wrong; and
 * a device that is down takes no packet at all. 1: taken; 0: taken but for that the device is
 * down, or that this kernel looks at that first; -EINVAL: refused; or another -errno.
 */
int probe_merged(int tun, uint8_t gso_type);

#endif
