/**
 * sockaddr — an outer address as the kernel and shared memory hold it: 28 bytes.
 *
 *      0 family u16 (host order) · 2 port u16 (network order)
 *      IPv4:  4 address (4)
 *      IPv6:  4 flow label · 8 address (16) · 24 scope id u32 (host order)
 *
 * Source: ip(7), ipv6(7). Family 0 is "none".
 */
import { formatAddress } from "./cidr.ts";

export const SOCKADDR_BYTES = 28;
const AF_INET = 2;
const AF_INET6 = 10;

/** From 4 or 16 address bytes. An IPv4-mapped address becomes IPv4 (security.md 27). */
export const makeSockaddr = (address: Uint8Array, port: number, scope = 0): Uint8Array => {
  const out = new Uint8Array(SOCKADDR_BYTES);
  const mapped = address.length === 16 && isMapped(address);
  const bytes = mapped ? address.subarray(12) : address;
  out[0] = bytes.length === 4 ? AF_INET : AF_INET6;
  out[2] = port >> 8;
  out[3] = port & 0xff;
  out.set(bytes, bytes.length === 4 ? 4 : 8);
  if (bytes.length === 16 && scope !== 0) new DataView(out.buffer).setUint32(24, scope, true);
  return out;
};

const isMapped = (address: Uint8Array): boolean => {
  for (let i = 0; i < 10; i++) if (address[i] !== 0) return false;
  return address[10] === 0xff && address[11] === 0xff;
};

/** 4, 6, or 0 for none. */
export const sockaddrFamily = (sockaddr: Uint8Array): 0 | 4 | 6 => {
  const family = sockaddr[0]! | (sockaddr[1]! << 8);
  return family === AF_INET ? 4 : family === AF_INET6 ? 6 : 0;
};

/** The 4 or 16 address bytes; of an IPv4-mapped address the 4. Borrows: a view. */
export const sockaddrHost = (sockaddr: Uint8Array): Uint8Array => {
  if (sockaddrFamily(sockaddr) === 4) return sockaddr.subarray(4, 8);
  const host = sockaddr.subarray(8, 24);
  return isMapped(host) ? host.subarray(12) : host;
};

/** A copy with another port. Of family 0 too: any address, this port. */
export const withPort = (sockaddr: Uint8Array, port: number): Uint8Array => {
  const out = new Uint8Array(SOCKADDR_BYTES);
  out.set(sockaddr.subarray(0, SOCKADDR_BYTES));
  new DataView(out.buffer).setUint16(2, port, false);
  return out;
};

export const sockaddrPort = (sockaddr: Uint8Array): number => (sockaddr[2]! << 8) | sockaddr[3]!;

/** Scope id of an IPv6 address: the interface of a link-local one. */
export const sockaddrScope = (sockaddr: Uint8Array): number =>
  (sockaddr[24]! | (sockaddr[25]! << 8) | (sockaddr[26]! << 16) | (sockaddr[27]! << 24)) >>> 0;

/**
/**
 * Interface at which a datagram arrived, of a local address as the addon gives it; 0: not known.
 * An IPv4 address has it behind itself, where the kernel keeps nothing.
 */
export const sockaddrInterface = (local: Uint8Array): number => {
  const family = local.length < SOCKADDR_BYTES ? 0 : sockaddrFamily(local);
  if (family === 0) return 0;
  return new DataView(local.buffer, local.byteOffset).getUint32(family === 4 ? 8 : 24, true);
};

/**
 * "203.0.113.7:51820", "[fd00::1]:51820", "[fe80::1%eth0]:51820", or null for none. `linkName`
 * names the interface of a scope id; where it gives "", the number stands for it.
 */
export const formatSockaddr = (
  sockaddr: Uint8Array,
  linkName: (index: number) => string = () => "",
): string | null => {
  const family = sockaddrFamily(sockaddr);
  const port = sockaddrPort(sockaddr);
  if (family === 4) return `${formatAddress(sockaddr.subarray(4, 8))}:${port}`;
  if (family !== 6) return null;
  const scope = sockaddrScope(sockaddr);
  const zone = scope === 0 ? "" : `%${linkName(scope) || scope}`;
  return `[${formatAddress(sockaddr.subarray(8, 24))}${zone}]:${port}`;
};

/** The same address, port and scope? */
export const sameSockaddr = (a: Uint8Array, b: Uint8Array): boolean => {
  if (sockaddrFamily(a) !== sockaddrFamily(b)) return false;
  const end = sockaddrFamily(a) === 4 ? 8 : 28;
  for (let i = 2; i < end; i++) {
    const flow = end === 28 && i >= 4 && i < 8;
    if (!flow && a[i] !== b[i]) return false;
  }
  return true;
};
