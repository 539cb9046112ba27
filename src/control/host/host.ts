/**
 * host — the interface as the kernel has it: MTU, up or down, name, addresses, routes.
 *
 *     rtnetlink ──▶ renamed, MTU changed, set up or down        followed
 *                   gone: deleted, or moved to another namespace
 *
 * A move looks like a deletion here. The device lives on, and whether it is up is asked
 * of its queue once a second (the I/O thread hears of a real deletion). Thread: control.
 */
import { addon, type LinkEvent, type WatchHandle } from "../../io/native/addon.ts";
import { IPV6_MTU_MIN } from "../../schema/config.ts";
import { EngineError } from "../../schema/errors.ts";
import type { ReachedAt } from "../../schema/kernel-routes.ts";
import { type Cidr, formatCidr, parseCidr } from "../../wire/cidr.ts";
import { Addresses } from "./addresses.ts";
import { HostRoutes, type HostState } from "./host-routes.ts";
import { Underlay, type UnderlayOptions } from "./underlay.ts";

export interface HostOptions extends UnderlayOptions {
  readonly name: string;
  readonly mtu: number;
  readonly addresses: readonly Cidr[];
  /** Routes are ours to set. */
  readonly install: boolean;
  /** A TUN queue, to find out with. */
  readonly tun: number;
  /** Calls again and again; returns what ends that. */
  readonly every: (ms: number, call: () => void) => () => void;
  readonly onName: (name: string) => void;
  readonly onMtu: (mtu: number) => void;
  readonly onUp: (up: boolean) => void;
  /** An address or a route is not there; nobody waits to hear it. */
  readonly onFailure: (error: Error) => void;
  /** Addresses that the interface has now, by whomever; none: they are out of sight. */
  readonly onAddresses: (addresses: readonly Cidr[]) => void;
  /** An address of this host came or went, on whichever interface. */
  readonly onHostAddresses: () => void;
}

const PROBE_EVERY_MS = 1_000;
const ADDRESS_NEWS: ReadonlySet<LinkEvent["kind"]> = new Set(["address", "addressGone", "overrun"]);

export class Host {
  readonly #options: HostOptions;
  readonly routes: HostRoutes;
  readonly underlay: Underlay;
  readonly #netlink: number;
  readonly #watch: WatchHandle | null;
  readonly #addresses: Addresses;
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
    const { index, install, onFailure } = options;
    this.routes = new HostRoutes({ index, install, underlay: this.underlay, onFailure });
    this.#addresses = new Addresses(index, options.addresses);
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
    return this.#addresses.wanted;
  }

  get up(): boolean {
    return this.#up;
  }

  /** Errors: EngineError TUN_FAILED. */
  bringUp(): void {
    this.#must(addon.linkSet(this.#options.index, -1, 1, -1, -1, -1));
    this.#up = true;
  }

  /** Errors: EngineError TUN_FAILED, MTU_TOO_SMALL. */
  setMtu(mtu: number): void {
    if (mtu === this.#mtu) return;
    if (mtu < IPV6_MTU_MIN && this.addresses.some(({ version }) => version === 6)) {
      throw new EngineError("MTU_TOO_SMALL", { name: this.#name, least: IPV6_MTU_MIN });
    }
    const wasLow = this.#mtu < IPV6_MTU_MIN;
    // The device may hold packets of either size: raised here before, lowered after.
    if (mtu > this.#mtu) this.#options.onMtu(mtu);
    const result = addon.linkSet(this.#options.index, mtu, -1, -1, -1, -1);
    this.#options.onMtu(result < 0 ? this.#mtu : mtu);
    this.#must(result);
    this.#mtu = mtu;
    if (wasLow && mtu >= IPV6_MTU_MIN) this.#tryRestore(); // IPv6 had gone, if there was any
  }

  /** Errors: EngineError ADDRESS_FAILED; nothing has changed then. */
  setAddresses(addresses: readonly Cidr[]): void {
    this.#addresses.set(addresses, this.#name);
  }

  /**
   * Sets again what is not there any more: addresses, routes. Returns that. In another namespace
   * all is out of reach. Errors: EngineError ADDRESS_FAILED, ROUTE_FAILED.
   */
  restore(): readonly string[] {
    if (this.#endProbe !== null) return [];
    const addresses = this.#addresses.restore(this.#name);
    const routes = this.#up ? this.routes.restore(this.#name) : [];
    return [...addresses.map(formatCidr), ...routes.map((cidr) => `route ${formatCidr(cidr)}`)];
  }

  /** What the kernel has said until now is taken in. */
  look(): void {
    if (this.#netlink >= 0) this.#read();
  }

  /**
   * Routes of the allowed IPs, and no others; see HostRoutes.set(). Errors: EngineError
   * ROUTE_FAILED.
   */
  setRoutes(prefixes: Iterable<Cidr>, reached: Iterable<ReachedAt>, keep = false): void {
    this.routes.set(prefixes, reached, this.state, keep);
  }

  get state(): HostState {
    const { addresses } = this;
    return { name: this.#name, addresses, up: this.#up, here: this.#endProbe === null };
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
    if (events.some(({ kind }) => ADDRESS_NEWS.has(kind))) this.#options.onHostAddresses();
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
    const wasLow = this.#mtu < IPV6_MTU_MIN;
    if (mtu !== this.#mtu && mtu > 0) this.#setMtu(mtu);
    const wasUp = this.#up;
    this.#setUp(up);
    // With the interface, or with an MTU below its least, IPv6 went.
    if (up && (!wasUp || (wasLow && this.#mtu >= IPV6_MTU_MIN))) this.#tryRestore();
  }

  #tryRestore(): void {
    try {
      this.restore();
    } catch (error) {
      this.#options.onFailure(error as Error);
    }
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
    this.#tryRestore();
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

  /** In another namespace, where no event tells: the queue itself knows. */
  #look(): void {
    const up = addon.tunUp(this.#options.tun);
    if (up < 0) this.#stopProbing();
    else this.#setUp(up === 1);
  }
}
