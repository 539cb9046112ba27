/**
 * underlay — the network that carries the tunnel is not the tunnel itself (security.md 37): where
 * our datagrams go, and what C has to know to tell ours from others' (io_own.c).
 *
 * The kernel is asked each time: routes, rules and marks are others' too. Thread: control.
 */
import { addon } from "../../io/native/addon.ts";
import { findWay } from "../../io/native/ways.ts";
import { setHosts } from "../../memory/locals.ts";
import type { Arena } from "../../memory/region.ts";
import { setOwnPort, setTunIndex } from "../../memory/underlay.ts";
import type { Way } from "../../schema/kernel-routes.ts";
import { type Cidr, parseCidr } from "../../wire/cidr.ts";
import { makeSockaddr, SOCKADDR_BYTES, sockaddrFamily, withPort } from "../../wire/sockaddr.ts";

/** Tuning: changes of the network come in bursts. */
const SETTLE_MS = 200;
/** Nobody's address, which may have a port. */
const ANY = new Uint8Array(SOCKADDR_BYTES);

export interface UnderlayOptions {
  readonly arena: Arena;
  /** Of the interface. */
  readonly index: number;
  /** "" is any. */
  readonly listenAddress: string;
  /** Our sockets are bound to a device: no route leads what they send into ours. */
  readonly bound: boolean;
  readonly port: number;
  readonly mark: () => number;
  /** Calls once, after a while; returns what ends that. */
  readonly later: (ms: number, call: () => void) => () => void;
  /** Addresses or routes of some interface have changed a moment ago, and a route waits. */
  readonly onNetwork: () => void;
}

export class Underlay {
  readonly #options: UnderlayOptions;
  readonly #listen: Cidr | null;
  #here = true;
  #port = 0;
  /** Ends the waiting for the network to settle; null: nobody waits. */
  #endWait: (() => void) | null = null;

  constructor(options: UnderlayOptions) {
    this.#options = options;
    const listen = parseCidr(options.listenAddress);
    // 0.0.0.0 and :: are any, too: datagrams leave from all addresses of the host.
    this.#listen = listen?.bytes.some((byte) => byte !== 0) ? listen : null;
    this.here = true;
    this.port = options.port;
    this.#readAddresses();
  }

  /** Is the interface in the namespace of our sockets? */
  set here(here: boolean) {
    this.#here = here;
    setTunIndex(this.#options.arena, here ? this.#options.index : 0);
  }

  /** Our UDP port; 0: there is none. */
  set port(port: number) {
    this.#port = port;
    setOwnPort(this.#options.arena, this.#options.bound ? 0 : port);
  }

  /** Something has changed on some interface: it is looked at when no more follows for a while. */
  changed(): void {
    this.#endWait ??= this.#options.later(SETTLE_MS, () => {
      this.#endWait = null;
      this.#readAddresses();
      this.#options.onNetwork();
    });
  }

  close(): void {
    this.#endWait?.();
  }

  #readAddresses(): void {
    setHosts(this.#options.arena, this.#listen === null ? this.#addresses() : [this.#listen]);
  }

  /** No route leads our datagrams into the tunnel. */
  get bound(): boolean {
    return this.#options.bound;
  }

  /** Does the kernel lead our datagrams to `to`, from `local` or any address, into the tunnel? */
  inside(to: Uint8Array, local: Uint8Array = ANY): boolean {
    if (!this.#here || this.#options.bound || sockaddrFamily(to) === 0) return false;
    return this.#way(to, local, false)?.index === this.#options.index;
  }

  /** The route that our datagrams to `to` take now; null: there is none. */
  routeTo(to: Uint8Array): Way | null {
    return this.#way(to, ANY, true);
  }

  #way(to: Uint8Array, local: Uint8Array, match: boolean): Way | null {
    const family = sockaddrFamily(to);
    const listen = this.#listen === null ? ANY : makeSockaddr(this.#listen.bytes, 0);
    const from = [local, listen].find((one) => sockaddrFamily(one) === family) ?? ANY;
    return findWay(to, withPort(from, this.#port), this.#options.mark(), match);
  }

  /** The likeliest first: the interface's own. None where they keep changing; they come again. */
  #addresses(): Cidr[] {
    const list = (index: number): string[] => {
      try {
        return addon.addressList(index);
      } catch {
        return [];
      }
    };
    const own = this.#here ? list(this.#options.index) : [];
    return [...own, ...list(0)].map(parseCidr).filter((cidr) => cidr !== null);
  }
}
