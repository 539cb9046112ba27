/**
 * own-addresses — where others may reach this host: the addresses of its interfaces, but for those
 * of the tunnel itself, of loopback, and of one link alone. Thread: control.
 */
import { addon } from "../../io/native/addon.ts";
import { type Cidr, formatAddress, parseAddress, parseCidr } from "../../wire/cidr.ts";
import { makeSockaddr } from "../../wire/sockaddr.ts";

export interface OwnAddressesOptions {
  /** Of the tunnel's interface. */
  readonly tunnel: number;
  /** Receives there alone; "" is anywhere. */
  readonly listenAddress: string;
  /** Index of the only interface in use; 0: all are. */
  readonly bound: number;
}

/** Does it mean this host to others, beyond one link? Source: RFC 6890. */
const isSeen = ({ bytes }: Cidr): boolean => {
  const [first = 0, second = 0] = bytes;
  if (bytes.length === 4) return first !== 127 && first !== 0 && !(first === 169 && second === 254);
  const isLinkLocal = first === 0xfe && (second & 0xc0) === 0x80;
  return !isLinkLocal && bytes.some((byte, i) => byte !== (i === 15 ? 1 : 0));
};

/** Those of a link; 0: of all. None, where the kernel does not tell. */
const listed = (index: number): Cidr[] => {
  try {
    return addon.addressList(index).flatMap((text) => parseCidr(text) ?? []);
  } catch {
    return [];
  }
};

/** Sockaddrs with this port, IPv4 before IPv6, each once. */
export const ownAddresses = (options: OwnAddressesOptions, port: number): Uint8Array[] => {
  const { tunnel, listenAddress, bound } = options;
  const only = listenAddress === "" ? null : parseAddress(listenAddress);
  const inside = new Set(listed(tunnel).map(({ bytes }) => formatAddress(bytes)));
  const hosts =
    only === null
      ? listed(bound)
          .filter(isSeen)
          .map(({ bytes }) => bytes)
      : [only];
  const seen = new Map(hosts.map((bytes) => [formatAddress(bytes), bytes]));
  const order = [...seen.values()].sort((a, b) => a.length - b.length);
  return order
    .filter((bytes) => !inside.has(formatAddress(bytes)))
    .map((bytes) => makeSockaddr(bytes, port));
};
