/** scope — destinations that are meant for their own link alone. Pure. */

/**
 * Multicast, the broadcast address, or link-local? `first`: the first four bytes of the address, in
 * host order. Every kernel sends some to each interface (router solicitations, reports of multicast
 * listeners), and every service discovery does.
 *
 * Thread: any.   Source: RFC 1112 4, RFC 3927 2.1, RFC 4291 2.4.
 */
export const isLinkOnly = (version: number, first: number): boolean =>
  version === 4
    ? first >>> 28 === 0xe || first >>> 16 === 0xa9fe || ~first === 0
    : first >>> 24 === 0xff || first >>> 22 === 0x3fa;
