/**
 * address — which addresses an interface may have: those that a host can have.
 *
 * The kernel takes most of the others without a word, and then nothing works. Pure; any thread.
 */
import { type Cidr, formatAddress, formatCidr, maskCidr } from "../wire/cidr.ts";

const isZero = (bytes: Uint8Array): boolean => bytes.every((byte) => byte === 0);

/** All bits behind the prefix are one. */
const isLast = ({ bytes, prefixLength }: Cidr): boolean =>
  bytes.every((byte, i) => {
    const host = 0xff >> Math.min(8, Math.max(0, prefixLength - 8 * i));
    return (byte & host) === host;
  });

const isNetwork = (cidr: Cidr): boolean =>
  maskCidr(cidr).bytes.every((byte, i) => byte === cidr.bytes[i]);

/** What kind of address a host cannot have, or null. Source: RFC 1122 3.2.1.3, RFC 4291 2.4. */
const strangeKind = ({ version, bytes }: Cidr): string | null => {
  if (isZero(bytes)) return "the unspecified address";
  const first = bytes[0]!;
  if (version === 6) {
    if (first === 0xff) return "a multicast address";
    return bytes[15] === 1 && isZero(bytes.subarray(0, 15)) ? "a loopback address" : null;
  }
  if (first === 127) return "a loopback address";
  if (first >= 224 && first < 240) return "a multicast address";
  return bytes.every((byte) => byte === 0xff) ? "the broadcast address" : null;
};

/** "10.66.0.1/24" of "10.66.0.0/24": the address after the first. */
const neighbour = ({ version, bytes, prefixLength }: Cidr): string => {
  const next = Uint8Array.from(bytes);
  next[next.length - 1]! |= 1;
  return formatCidr({ version, bytes: next, prefixLength });
};

/**
 * Why an interface may not have the address, as a clause, or null. A network's first address is its
 * own, and its last one in IPv4 is for all; there is neither in /31, /32, /127 and /128
 * (RFC 3021, RFC 6164).
 *
 * Thread: any.   Errors: never.
 */
export const addressProblem = (cidr: Cidr): string | null => {
  const strange = strangeKind(cidr);
  if (strange !== null) return `is ${strange}; use a host's`;
  if (cidr.prefixLength === 0) {
    return `has no network; write a prefix length, like ${formatAddress(cidr.bytes)}/${cidr.version === 4 ? 24 : 64}`;
  }
  if (cidr.prefixLength >= cidr.bytes.length * 8 - 1) return null;
  if (isNetwork(cidr)) return `is the network's own address; use a host's, like ${neighbour(cidr)}`;
  return cidr.version === 4 && isLast(cidr)
    ? "is the network's broadcast address; use a host's"
    : null;
};
