/**
 * probes — asks the kernel which offloads it takes; offloads.ts then chooses.
 *
 * Thread: main, and the command `check`.
 */
import { release } from "node:os";
import { addon } from "./io/native/addon.ts";
import { VNET_GSO } from "./memory/numbers.ts";
import type { Found } from "./offloads.ts";

const EINVAL = -22;

/** The best offload that the kernel takes: 2 TCP and UDP, 1 TCP, 0 none. */
const setOffload = (fd: number, wanted: boolean): number => {
  for (const level of wanted ? [2, 1] : []) {
    if (addon.tunOffload(fd, level) >= 0) return level;
  }
  addon.tunOffload(fd, 0);
  return 0;
};

/**
 * Does the kernel take merged packets of this type from a TUN queue? The device is best down: then
 * nothing is received. A kernel that does not refuse what no kernel knows looks at the device's
 * state first; those have no such fault, so that yes is the answer.
 */
export const takesMerged = (fd: number, gsoType: number): boolean =>
  addon.tunProbe(fd, VNET_GSO.nobodyKnows) !== EINVAL || addon.tunProbe(fd, gsoType) !== EINVAL;

/** What UDP sockets of this kernel can do: UDP_TAKES bits. */
const probeUdp = (): number => {
  const fd = addon.udpOpen(4, "127.0.0.1", 0, 0, "");
  const own = fd >= 0 ? fd : addon.udpOpen(6, "::1", 0, 0, "");
  if (own < 0) return 0;
  const bits = addon.udpProbe(own);
  addon.close(own);
  return Math.max(0, bits);
};

/** Sets the offloads of a TUN device that is down, and finds what works. */
export const probe = (tun: number, tunOffload: boolean): Found => ({
  tun: setOffload(tun, tunOffload),
  udp: probeUdp(),
  mergesTcp: takesMerged(tun, VNET_GSO.tcp4),
  mergesUdp: takesMerged(tun, VNET_GSO.udpL4),
  release: release(),
});
