/**
 * neighbours — the kernel's tables of neighbours: no stranger fills them, nobody empties ours.
 *
 *     reply to a stranger ──▶ route ── by a router ─────────────▶ costs no entry
 *                                  └── on the link ── known ────▶ costs no entry
 *                                                 └── unknown ──▶ costs one, for seconds
 *
 * One table serves all links of the host (1,024 entries, unless set otherwise), and an address that
 * nobody has keeps an entry for seconds. In a full one even packets into a TUN device are refused:
 * its entries need no ARP and are the first to go. So those that stay are made here: the one that
 * IPv4 needs for the whole device, and each peer's own IPv6 address. Wider IPv6 prefixes have as
 * many neighbours as addresses are used in them; the kernel makes theirs when they are needed.
 *
 * Source: security.md 38; ipv4/arp.c and net/core/neighbour.c of Linux.   Thread: control.
 */
import { addon } from "../../io/native/addon.ts";
import { type Cidr, formatCidr } from "../../wire/cidr.ts";

/** Tuning: entries that stay; one takes half a kilobyte of the kernel's memory. */
export const KEPT_MAX = 1_024;
const ADDRESS_BITS_6 = 128;
/** What all IPv4 neighbours of a point-to-point device share. Source: arp_constructor(). */
const ALL_IPV4: Cidr = { version: 4, bytes: new Uint8Array(4), prefixLength: 32 };

export interface NeighbourOptions {
  /** Of our interface. */
  readonly index: number;
  /** Sockets are bound to a device. */
  readonly bound: boolean;
  /** Firewall mark of what is sent; 0 is none. */
  readonly mark: number;
}

export class Neighbours {
  readonly #options: NeighbourOptions;
  readonly #fd: number;
  readonly #kept = new Map<string, Cidr>();
  #mark: number;

  constructor(options: NeighbourOptions) {
    this.#options = options;
    this.#mark = options.mark;
    this.#fd = addon.neighbourOpen();
  }

  setMark(mark: number): void {
    this.#mark = mark;
  }

  /**
   * A datagram from `local` to an address has the kernel look on a link for somebody whom it does
   * not know. Both are sockaddrs. True also where the kernel gives no answer.
   */
  isUnknown(to: Uint8Array, local: Uint8Array): boolean {
    const { bound } = this.#options;
    return addon.neighbourUnknown(this.#fd, to, local, this.#mark, bound) !== 0;
  }

  /** Keeps the entries that peers with these allowed IPs need; the interface is up. */
  keep(prefixes: Iterable<Cidr>): void {
    if (this.#fd < 0) return;
    const { index } = this.#options;
    const gone = new Map(this.#kept);
    let room = KEPT_MAX;
    for (const cidr of [ALL_IPV4, ...prefixes]) {
      if (cidr !== ALL_IPV4 && cidr.prefixLength !== ADDRESS_BITS_6) continue;
      if (room-- === 0) break;
      const address = formatCidr(cidr);
      if (gone.delete(address)) continue;
      // Where the kernel has no IPv6 there is nothing to keep.
      if (addon.neighbourAdd(this.#fd, index, cidr.bytes) >= 0) this.#kept.set(address, cidr);
    }
    for (const [address, { bytes }] of gone) {
      addon.neighbourRemove(this.#fd, index, bytes);
      this.#kept.delete(address);
    }
  }

  /** The kernel removes them with the link, when it is set down. */
  forget(): void {
    this.#kept.clear();
  }

  close(): void {
    if (this.#fd >= 0) addon.close(this.#fd);
  }
}
