/**
 * host-routes — the kernel's routes into our device: set for allowed IPs, but for those that would
 * carry our own datagrams, or that the kernel does not take.
 *
 * The kernel is asked, not reckoned: rules, marks and other devices' routes all count. Thread:
 * control.
 */
import { addon } from "../../io/native/addon.ts";
import { findWay } from "../../io/native/ways.ts";
import { EngineError } from "../../schema/errors.ts";
import { IPV6_OFF, ipv6IsOff } from "../../schema/ipv6.ts";
import {
  contains,
  type Left,
  leftReason,
  leftSentence,
  type ReachedAt,
  reachedInside,
  routeFor,
  unreachedSentence,
  type Way,
  wouldCatch,
  wouldKeep,
} from "../../schema/kernel-routes.ts";
import { type Cidr, formatCidr } from "../../wire/cidr.ts";
import { makeSockaddr } from "../../wire/sockaddr.ts";
import type { Underlay } from "./underlay.ts";

const EEXIST = -17;
/** Tuning: IPv6 routes of one call that are looked at before they are set; `routes` sees all. */
const LOOKS_MAX = 1_024;
/** Tuning: sentences of one call. */
const NEWS_MAX = 16;
const NOWHERE = new Uint8Array(0);

export interface HostRoutesOptions {
  /** Of the interface. */
  readonly index: number;
  /** False: others set the routes, and none is set here. */
  readonly install: boolean;
  readonly underlay: Pick<Underlay, "bound" | "inside" | "routeTo">;
  /** What goes on without some of the routes. */
  readonly onFailure: (error: Error) => void;
}

/** The interface as it is now. */
export interface HostState {
  readonly name: string;
  readonly addresses: readonly Cidr[];
  readonly up: boolean;
  /** False: it is in another namespace. */
  readonly here: boolean;
}

/** What the kernel does with a prefix. */
export interface RouteState {
  /** It leads into our device. */
  readonly active: boolean;
  /** A clause: why not. Null: it does. */
  readonly reason: string | null;
}

/** Does one of the interface's own networks contain the prefix? The kernel has its route then. */
const isConnected = (prefix: Cidr, addresses: readonly Cidr[]): boolean =>
  addresses.some((own) => own.prefixLength <= prefix.prefixLength && contains(own, prefix.bytes));

const nameOf = (index: number): string =>
  index === 0 ? "another route" : addon.linkName(index) || `interface ${index}`;

export class HostRoutes {
  readonly #options: HostRoutesOptions;
  readonly #installed = new Map<string, Cidr>();
  #left = new Map<string, Left>();
  /** Sentences about peers that are reached in the interface's own network. */
  #unreached = new Set<string>();
  #said: readonly string[] = [];
  #looks = 0;
  /** IPv6 routes are left out, since IPv6 is off. */
  #ipv6Off = false;

  constructor(options: HostRoutesOptions) {
    this.#options = options;
  }

  /** Is there a prefix that gets its route when the network around changes? */
  get waiting(): boolean {
    for (const { kind } of this.#left.values()) if (kind !== "default") return true;
    return false;
  }

  /** Sentences about what the last `set` did not do, and the one before did not say. */
  get news(): readonly string[] {
    return this.#said;
  }

  /**
   * Routes of these prefixes, and no others. `keep`: what is there stays, whoever is reached
   * inside it by now: what happens in the network takes no route away, or packets would leave in
   * clear. Errors: EngineError ROUTE_FAILED, for the first that is missing; all others are there
   * then.
   */
  set(
    prefixes: Iterable<Cidr>,
    reached: Iterable<ReachedAt>,
    { name, addresses, up, here }: HostState,
    keep = false,
  ): void {
    const { install, underlay } = this.#options;
    this.#said = [];
    if (!install || !up || !here) return;
    const wanted = new Map<string, Cidr>();
    const ipv6Off = ipv6IsOff(name);
    let leftOut = false;
    for (const cidr of prefixes) {
      if (cidr.version === 6 && ipv6Off) leftOut = true;
      else wanted.set(formatCidr(cidr), cidr);
    }
    if (leftOut && !this.#ipv6Off) this.#options.onFailure(new Error(IPV6_OFF));
    this.#ipv6Off = leftOut;
    const peers = [...reached];
    const inside = reachedInside(wanted, underlay.bound ? [] : peers);
    const gone = new Map(this.#installed);
    const left = new Map<string, Left>();
    let failure: EngineError | null = null;
    this.#looks = 0;
    for (const [prefix, cidr] of wanted) {
      const installed = gone.has(prefix);
      if (installed && keep) {
        gone.delete(prefix);
        continue;
      }
      const why = this.#whyNot(cidr, inside.get(prefix) ?? []);
      if (why !== null) left.set(prefix, why);
      else if (installed) gone.delete(prefix);
      else if (!isConnected(cidr, addresses)) {
        const result = this.#add(cidr, inside.get(prefix) ?? []);
        if (typeof result === "object") left.set(prefix, result);
        else if (result === 0) this.#installed.set(prefix, cidr);
        else {
          const reason = addon.errorText(-result);
          failure ??= new EngineError("ROUTE_FAILED", { prefix, name, reason });
        }
      }
    }
    for (const [prefix, cidr] of gone) this.#remove(prefix, cidr);
    this.#note(left, peers, addresses);
    if (failure !== null) throw failure;
  }

  /**
   * Sets again what is not there any more. Returns that. Errors: EngineError ROUTE_FAILED.
   */
  restore(name: string): Cidr[] {
    return [...this.#installed].flatMap(([prefix, cidr]) => {
      const result = addon.routeAdd(this.#options.index, cidr.bytes, cidr.prefixLength, 0);
      if (result === EEXIST) return [];
      if (result >= 0) return [cidr];
      throw new EngineError("ROUTE_FAILED", { prefix, name, reason: addon.errorText(-result) });
    });
  }

  /** The kernel has removed them with the link. */
  forget(): void {
    this.#installed.clear();
    this.#left.clear();
  }

  /** What the kernel does with a prefix now. */
  stateOf(cidr: Cidr, { up, here }: HostState): RouteState {
    const no = (reason: string): RouteState => ({ active: false, reason });
    if (!here) return no("the interface is in another namespace");
    if (!up) return no("the interface is down");
    const prefix = formatCidr(cidr);
    const taken = this.#takenBy(cidr);
    const left = this.#left.get(prefix);
    if (taken === this.#options.index || (taken === null && this.#installed.has(prefix))) {
      return { active: true, reason: null };
    }
    if (left !== undefined) return no(leftReason(left));
    if (taken !== null && taken > 0) return no(leftReason({ kind: "taken", link: nameOf(taken) }));
    return no(this.#options.install ? "the kernel has no route for it" : "left to you");
  }

  /** Why the prefix may not be a route of ours; null: it may. */
  #whyNot(cidr: Cidr, inside: readonly ReachedAt[]): Left | null {
    if (cidr.prefixLength === 0) return { kind: "default" };
    const { index, underlay } = this.#options;
    for (const reached of inside) {
      const way = underlay.routeTo(reached.sockaddr);
      if (way?.index === index || wouldCatch(way, cidr)) return { kind: "endpoint", reached };
    }
    return null;
  }

  /** 0: it is there; or why not; or what the kernel said. */
  #add(cidr: Cidr, inside: readonly ReachedAt[]): Left | number {
    const { index } = this.#options;
    // Of two IPv6 routes for one prefix, that of a device's own network goes before ours. Adding
    // ours and taking it away again would be a change of the network, which has this done again.
    if (cidr.version === 6 && this.#looks++ < LOOKS_MAX) {
      const way = this.#wayOf(cidr) ?? null;
      if (way !== null && way.index !== index && way.index > 0 && wouldKeep(way, cidr)) {
        return { kind: "taken", link: nameOf(way.index) };
      }
    }
    const result = addon.routeAdd(index, cidr.bytes, cidr.prefixLength, 0);
    if (result < 0 && result !== EEXIST) return result;
    const taken = result === EEXIST ? this.#takenBy(cidr) : null;
    if (taken !== null && taken !== index) return { kind: "taken", link: nameOf(taken) };
    // Where the kernel tells no prefix lengths (before Linux 4.13), trying tells.
    const reached = inside.find(({ sockaddr }) => this.#options.underlay.inside(sockaddr));
    if (reached === undefined) return 0;
    addon.routeRemove(index, cidr.bytes, cidr.prefixLength, 0);
    return { kind: "endpoint", reached };
  }

  #remove(prefix: string, cidr: Cidr): void {
    addon.routeRemove(this.#options.index, cidr.bytes, cidr.prefixLength, 0);
    this.#installed.delete(prefix);
  }

  /** As routeFor(): the kernel's route for the prefix, whoever sends. */
  #wayOf(cidr: Cidr): Way | null | undefined {
    return routeFor(cidr, (host) => findWay(makeSockaddr(host, 0), NOWHERE, 0, true));
  }

  /**
   * The link that the kernel's route for the prefix leads to, 0: none; null: parts of it lead
   * elsewhere.
   */
  #takenBy(cidr: Cidr): number | null {
    const found = this.#wayOf(cidr);
    if (found === undefined) return null;
    if (found?.index === this.#options.index) return found.index;
    return found?.prefixLength === cidr.prefixLength ? found.index : 0;
  }

  /** Keeps what is new for who asks. */
  #note(left: Map<string, Left>, peers: readonly ReachedAt[], addresses: readonly Cidr[]): void {
    const news: string[] = [];
    for (const [prefix, why] of left) {
      const before = this.#left.get(prefix);
      if (before === undefined || leftReason(before) !== leftReason(why)) {
        news.push(leftSentence(prefix, why));
      }
    }
    const unreached = new Set<string>();
    for (const one of peers) {
      const network = addresses.find((own) => contains(own, one.host));
      if (network === undefined || !this.#options.underlay.inside(one.sockaddr)) continue;
      const sentence = unreachedSentence(one, network);
      unreached.add(sentence);
      if (!this.#unreached.has(sentence)) news.push(sentence);
    }
    this.#left = left;
    this.#unreached = unreached;
    this.#said = news.slice(0, NEWS_MAX);
  }
}
