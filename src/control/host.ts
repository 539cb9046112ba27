/**
 * host — the interface as the kernel has it: MTU, up or down, name, addresses, routes.
 *
 *     rtnetlink ──▶ renamed, MTU changed, set up or down        followed
 *                   gone: deleted, or moved to another namespace
 *
 * A move looks like a deletion here. The device lives on, and whether it is up is found out by
 * giving it a packet once a second (the I/O thread hears of a real deletion). Thread: control.
 */
import { writeSync } from "node:fs";
import { addon, type LinkEvent, type WatchHandle } from "../io/native/addon.ts";
import { IPV6_MTU_MIN } from "../schema/config.ts";
import { EngineError } from "../schema/errors.ts";
import { type Cidr, formatCidr, parseCidr } from "../wire/cidr.ts";
import { HostRoutes, type HostState, type ReachedAt } from "./host-routes.ts";
import { Underlay, type UnderlayOptions } from "./underlay.ts";

export interface HostOptions extends UnderlayOptions {
  readonly name: string;
  readonly mtu: number;
  readonly addresses: readonly Cidr[];
  /** Routes are ours to set. */
  readonly install: boolean;
  /** A TUN queue, to find out with. */
  readonly tun: number;
  readonly vnetHeaderBytes: number;
  /** Calls again and again; returns what ends that. */
  readonly every: (ms: number, call: () => void) => () => void;
  readonly onName: (name: string) => void;
  readonly onMtu: (mtu: number) => void;
  readonly onUp: (up: boolean) => void;
  /** Addresses that the interface has now, by whomever; none: they are out of sight. */
  readonly onAddresses: (addresses: readonly Cidr[]) => void;
}

const PROBE_EVERY_MS = 1_000;
const IPV4_HEADER_BYTES = 20;
const EEXIST = -17;

export class Host {
  readonly #options: HostOptions;
  readonly routes: HostRoutes;
  readonly underlay: Underlay;
  readonly #netlink: number;
  readonly #watch: WatchHandle | null;
  #addresses: readonly Cidr[];
  #name: string;
  #mtu: number;
  #up = false;
  #endProbe: (() => void) | null = null;

  constructor(options: HostOptions) {
    this.#options = options;
    const onNetwork = (): void => {
      if (this.routes.waiting) options.onNetwork();
    };
    this.underlay = new Underlay({ ...options, onNetwork });
    const { index, install } = options;
    this.routes = new HostRoutes({ index, install, underlay: this.underlay });
    this.#addresses = options.addresses;
    this.#name = options.name;
    this.#mtu = options.mtu;
    this.#netlink = addon.netlinkOpen();
    this.#watch = this.#netlink < 0 ? null : addon.watch(this.#netlink, () => this.#read());
  }

  get name(): string {
    return this.#name;
  }

  get mtu(): number {
    return this.#mtu;
  }

  get addresses(): readonly Cidr[] {
    return this.#addresses;
  }

  /** Errors: EngineError TUN_FAILED. */
  bringUp(): void {
    this.#must(addon.linkSet(this.#options.index, -1, 1, -1, -1, -1));
    this.#up = true;
  }

  /** Errors: EngineError TUN_FAILED, MTU_TOO_SMALL. */
  setMtu(mtu: number): void {
    if (mtu === this.#mtu) return;
    if (mtu < IPV6_MTU_MIN && this.#addresses.some(({ version }) => version === 6)) {
      throw new EngineError("MTU_TOO_SMALL", { name: this.#name, least: IPV6_MTU_MIN });
    }
    // The device may hold packets of either size: raised here before, lowered after.
    if (mtu > this.#mtu) this.#options.onMtu(mtu);
    const result = addon.linkSet(this.#options.index, mtu, -1, -1, -1, -1);
    this.#options.onMtu(result < 0 ? this.#mtu : mtu);
    this.#must(result);
    this.#mtu = mtu;
  }

  /** Errors: EngineError ADDRESS_FAILED; nothing has changed then. */
  setAddresses(addresses: readonly Cidr[]): void {
    const { index } = this.#options;
    const gone = new Map(this.#addresses.map((cidr) => [formatCidr(cidr), cidr]));
    const added: Cidr[] = [];
    for (const cidr of addresses) {
      const address = formatCidr(cidr);
      if (gone.delete(address)) continue;
      const result = addon.addressAdd(index, cidr.bytes, cidr.prefixLength);
      if (result < 0 && result !== EEXIST) {
        this.#removeAddresses(added);
        const reason = addon.errorText(-result);
        throw new EngineError("ADDRESS_FAILED", { address, name: this.#name, reason });
      }
      added.push(cidr);
    }
    this.#removeAddresses(gone.values());
    this.#addresses = addresses;
  }

  #removeAddresses(addresses: Iterable<Cidr>): void {
    for (const { bytes, prefixLength } of addresses) {
      addon.addressRemove(this.#options.index, bytes, prefixLength);
    }
  }

  /**
   * Routes of the allowed IPs, and no others; see HostRoutes.set(). Errors: EngineError
   * ROUTE_FAILED.
   */
  setRoutes(prefixes: Iterable<Cidr>, reached: Iterable<ReachedAt>, keep = false): void {
    this.routes.set(prefixes, reached, this.state, keep);
  }

  get state(): HostState {
    const [name, addresses, up] = [this.#name, this.#addresses, this.#up];
    return { name, addresses, up, here: this.#endProbe === null };
  }

  close(): void {
    this.#stopProbing();
    this.underlay.close();
    if (this.#watch !== null) addon.unwatch(this.#watch);
    if (this.#netlink >= 0) addon.close(this.#netlink);
  }

  #must(result: number): void {
    if (result >= 0) return;
    const reason = addon.errorText(-result);
    throw new EngineError("TUN_FAILED", { name: this.#name, reason });
  }

  #read(): void {
    const events = addon.netlinkRead(this.#netlink);
    for (const event of events) this.#onEvent(event);
    if (events.some(({ kind }) => !kind.startsWith("link"))) this.underlay.changed();
  }

  #onEvent({ kind, index, name, up, mtu }: LinkEvent): void {
    if (kind === "overrun") this.#lookAgain(); // its index is 0, nobody's
    if (index !== this.#options.index) return;
    if (kind === "address" || kind === "addressGone") this.#listAddresses();
    if (kind === "linkGone") this.#onGone();
    if (kind === "link") this.#onLink(name, up, mtu);
  }

  #onGone(): void {
    this.#options.onAddresses([]);
    this.underlay.here = false;
    this.#endProbe ??= this.#options.every(PROBE_EVERY_MS, () => this.#look());
  }

  #onLink(name: string, up: boolean, mtu: number): void {
    this.#stopProbing();
    this.underlay.here = true;
    if (name !== this.#name) {
      this.#name = name;
      this.#options.onName(name);
    }
    if (mtu !== this.#mtu && mtu > 0) this.#setMtu(mtu);
    this.#setUp(up);
  }

  /** Events were lost; a new name may be among them, which the device itself knows. */
  #lookAgain(): void {
    const { index, tun } = this.#options;
    const name = addon.tunName(tun);
    if (name === "" || addon.linkIndex(name) !== index) {
      this.#onGone();
      return;
    }
    this.#onLink(name, (addon.linkFlags(name) & 1) === 1, addon.linkMtu(name));
    this.#listAddresses();
  }

  /**
   * More than can be listed, or so many changes that no list is whole: none is taken for ours then,
   * which costs checking their checksums and nothing else.
   */
  #listAddresses(): void {
    let list: readonly string[] = [];
    try {
      list = addon.addressList(this.#options.index);
    } catch {}
    this.#options.onAddresses(list.map(parseCidr).filter((cidr) => cidr !== null));
  }

  #setMtu(mtu: number): void {
    this.#mtu = mtu;
    this.#options.onMtu(mtu);
  }

  #setUp(up: boolean): void {
    if (!up) this.routes.forget(); // the kernel removes them with the link
    if (up === this.#up) return;
    this.#up = up;
    this.#options.onUp(up);
  }

  #stopProbing(): void {
    this.#endProbe?.();
    this.#endProbe = null;
  }

  /** In another namespace: an IPv4 header that any kernel discards is taken only when up. */
  #look(): void {
    const packet = new Uint8Array(this.#options.vnetHeaderBytes + IPV4_HEADER_BYTES);
    packet[this.#options.vnetHeaderBytes] = 0x45;
    try {
      writeSync(this.#options.tun, packet);
      this.#setUp(true);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === "EIO") this.#setUp(false);
      else if (code === "EBADFD") this.#stopProbing();
    }
  }
}
