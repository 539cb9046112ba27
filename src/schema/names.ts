/**
 * names — what an interface and a peer may be called.
 */

/** Linux keeps the settings of no single interface under these, and refuses them. */
const RESERVED = [".", "..", "all", "default"];

/** security.md 34; the name becomes a part of file names, so nothing else may pass. */
export const isInterfaceName = (name: string): boolean =>
  /^[A-Za-z0-9_=+.-]{1,15}$/.test(name) && !RESERVED.includes(name);

/**
 * May the interface's name stand in an endpoint, "[fe80::1%eth0]:51820"? Digits alone would be read
 * as its number.
 */
export const isZoneName = (name: string): boolean => isInterfaceName(name) && !/^\d+$/.test(name);

/** A label of a host name, since peers are answered under a suffix one day (security.md 34). */
export const isPeerName = (name: string): boolean =>
  /^[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?$/.test(name);
