/**
 * multicast — sockets of the LAN beacon: one for IPv4 on all links, one for IPv6 on each.
 *
 *     239.255.77.76 and ff02::4d4c, port 4739, hop limit 1; on every link but our own tunnel
 *
 * The sockets are bound to the groups: what somebody sends to an address of ours on this port does
 * not come here, and nothing is ever answered from here. Sources that are on no link of ours are
 * left out. Who sends more than is looked at has the sockets closed for a while.
 *
 * Several engines of one host listen side by side (SO_REUSEADDR; multicast goes to all of them).
 * Source: ip(7), ipv6(7); Linux net/ipv6/af_inet6.c, inet6_bind(): a group of link scope is bound
 * on one link. Thread: control.
 */
import { createSocket, type RemoteInfo, type Socket } from "node:dgram";
import { type NetworkInterfaceInfo, networkInterfaces } from "node:os";
import { BEACON_BYTES, BEACON_GROUPS, BEACON_PORT } from "../../wire/beacon.ts";
import { parseAddress } from "../../wire/cidr.ts";
import { makeSockaddr } from "../../wire/sockaddr.ts";

export interface MulticastOptions {
  /** Name of our own tunnel device, as it is now. */
  readonly tunnel: () => string;
  /** What to say now; null: nothing. */
  readonly make: () => Uint8Array | null;
  /** Somebody on a link said this. Borrows: both; `from` is a sockaddr. */
  readonly take: (beacon: Uint8Array, from: Uint8Array) => void;
  readonly bootMs: () => number;
  /** Calls again and again; returns what ends that. */
  readonly every: (ms: number, call: () => void) => () => void;
  /** Calls once, after a while; returns what ends that. */
  readonly later: (ms: number, call: () => void) => () => void;
}

type Interfaces = Readonly<Record<string, readonly NetworkInterfaceInfo[] | undefined>>;

/** Protocol: so often a beacon is said. */
const SAY_EVERY_MS = 60_000;
/** Tuning: addresses change in bursts, and one of IPv6 is tentative for a second. */
const SETTLE_MS = 1_500;
/** Tuning: so many links are spoken on. */
const LINKS_MOST = 16;
/** Tuning: datagrams a second beyond which the sockets are closed, and for how long. */
const READS_MOST = 500;
const CLOSED_MS = 10_000;
/** Tuning: bytes that wait in a socket; what comes beyond is the kernel's to drop. */
const RECEIVE_BYTES = 32_768;
const LINK_ONLY_HOPS = 1;

/** An interface that is spoken on. */
interface Link {
  readonly name: string;
  /** Its first IPv4 address and its mask, as words; null: it has none. */
  readonly four: { readonly address: string; readonly word: number; readonly mask: number } | null;
  /** Scope of its IPv6 link-local address; 0: it has none. */
  readonly scope: number;
}

const wordOf = (address: string): number => {
  const bytes = parseAddress(address);
  if (bytes?.length !== 4) return 0;
  return ((bytes[0]! << 24) | (bytes[1]! << 16) | (bytes[2]! << 8) | bytes[3]!) >>> 0;
};

const linkOf = (name: string, infos: readonly NetworkInterfaceInfo[]): Link => {
  const four = infos.find(({ family }) => family === "IPv4");
  const six = infos.find(({ family, address }) => family === "IPv6" && isLinkLocal(address));
  return {
    name,
    four:
      four === undefined
        ? null
        : { address: four.address, word: wordOf(four.address), mask: wordOf(four.netmask) },
    scope: six?.family === "IPv6" ? six.scopeid : 0,
  };
};

/** fe80::/10. */
const isLinkLocal = (address: string): boolean => /^fe[89ab]/i.test(address);

/** Links of the host but the tunnel and loopback; in the order of their names. */
export const linksOf = (interfaces: Interfaces, tunnel: string): readonly Link[] =>
  Object.keys(interfaces)
    .sort()
    .filter((name) => name !== tunnel && interfaces[name]?.some(({ internal }) => !internal))
    .map((name) => linkOf(name, interfaces[name] ?? []))
    .filter(({ four, scope }) => four !== null || scope !== 0)
    .slice(0, LINKS_MOST);

/** The source of a beacon as a sockaddr; null: it is on none of these links. */
export const sourceOnLink = (
  { address: text, port }: Pick<RemoteInfo, "address" | "port">,
  links: readonly Link[],
): Uint8Array | null => {
  const [host = "", zone] = text.split("%");
  const address = parseAddress(host);
  if (address === null) return null;
  if (address.length === 4) {
    const word = wordOf(host);
    const isOn = links.some(({ four }) => four !== null && ((word ^ four.word) & four.mask) === 0);
    return isOn ? makeSockaddr(address, port) : null;
  }
  const link = links.find(({ name, scope }) => scope !== 0 && name === zone);
  return link !== undefined && isLinkLocal(host) ? makeSockaddr(address, port, link.scope) : null;
};

/** Groups and interfaces are numbers: nothing is looked up, and sending is done when it returns. */
const lookup = (
  host: string,
  options: unknown,
  done: (error: null, address: string, family: number) => void,
): void => {
  const call = typeof options === "function" ? (options as typeof done) : done;
  call(null, host, host.includes(":") ? 6 : 4);
};

export class Multicast {
  readonly #options: MulticastOptions;
  #links: readonly Link[] = [];
  /** The one of IPv4, and those of IPv6 by their links' names. */
  #four: Socket | null = null;
  readonly #six = new Map<string, Socket>();
  /** Links whose group the IPv4 socket is in, with the address by which it joined. */
  readonly #joined = new Map<string, string>();
  #endEvery: (() => void) | null;
  #endLater: (() => void) | null = null;
  /** The second that is counted, and how many datagrams came in it. */
  #secondMs = Number.NEGATIVE_INFINITY;
  #heard = 0;
  #silentUntilMs = Number.NEGATIVE_INFINITY;

  constructor(options: MulticastOptions) {
    this.#options = options;
    this.#endEvery = options.every(SAY_EVERY_MS, () => this.look());
    this.look();
  }

  /** Names of the links that are spoken on. */
  get links(): readonly string[] {
    return this.#links.map(({ name }) => name);
  }

  /** Addresses have changed: looks at the links again, a little later. */
  changed(): void {
    this.#endLater?.();
    this.#endLater = this.#options.later(SETTLE_MS, () => this.look());
  }

  /** Looks at the links, and says a beacon on each. */
  look(): void {
    if (this.#endEvery === null || this.#options.bootMs() < this.#silentUntilMs) return;
    this.#links = linksOf(networkInterfaces(), this.#options.tunnel());
    this.#openFour();
    this.#openSix();
    this.#say();
  }

  close(): void {
    this.#endEvery?.();
    this.#endLater?.();
    this.#endEvery = null;
    this.#closeSockets();
  }

  /** Joins the group on each link that has an IPv4 address; leaves where it is another now. */
  #openFour(): void {
    const wanted = new Map(
      this.#links.flatMap(({ name, four }) => (four ? [[name, four.address]] : [])),
    );
    if (wanted.size === 0) this.#closeFour();
    else this.#four ??= this.#open("udp4", BEACON_GROUPS.IPv4, () => this.#closeFour());
    for (const [name, address] of this.#joined) {
      if (wanted.get(name) === address) continue;
      this.#joined.delete(name);
      attempt(() => this.#four?.dropMembership(BEACON_GROUPS.IPv4, address));
    }
    for (const [name, address] of wanted) {
      if (this.#joined.has(name)) continue;
      const joined = attempt(() => this.#four?.addMembership(BEACON_GROUPS.IPv4, address));
      if (joined) this.#joined.set(name, address);
    }
  }

  #openSix(): void {
    const wanted = new Set(this.#links.flatMap(({ name, scope }) => (scope === 0 ? [] : [name])));
    for (const name of [...this.#six.keys()]) if (!wanted.has(name)) this.#closeSix(name);
    for (const name of wanted) {
      if (this.#six.has(name)) continue;
      const group = `${BEACON_GROUPS.IPv6}%${name}`;
      const socket = this.#open("udp6", group, () => this.#closeSix(name));
      if (socket === null) continue;
      this.#six.set(name, socket);
      attempt(() => {
        socket.addMembership(BEACON_GROUPS.IPv6, `::%${name}`);
        socket.setMulticastInterface(`::%${name}`);
      });
    }
  }

  /** A socket of a group; null: there is none to be had. */
  #open(type: "udp4" | "udp6", group: string, failed: () => void): Socket | null {
    let socket: Socket;
    try {
      socket = createSocket({ type, reuseAddr: true, ipv6Only: type === "udp6", lookup });
    } catch {
      return null;
    }
    socket.on("error", failed);
    socket.on("message", (bytes, from) => this.#receive(bytes, from));
    const bound = attempt(() => {
      socket.bind({ port: BEACON_PORT, address: group, exclusive: false });
      socket.setMulticastTTL(LINK_ONLY_HOPS);
      socket.setRecvBufferSize(RECEIVE_BYTES);
      socket.unref();
    });
    if (bound) return socket;
    attempt(() => socket.close());
    return null;
  }

  #say(): void {
    const beacon = this.#options.make();
    if (beacon === null) return;
    for (const { four } of this.#links) {
      if (four === null) continue;
      attempt(() => {
        this.#four?.setMulticastInterface(four.address);
        this.#four?.send(beacon, BEACON_PORT, BEACON_GROUPS.IPv4);
      });
    }
    for (const [name, socket] of this.#six) {
      attempt(() => socket.send(beacon, BEACON_PORT, `${BEACON_GROUPS.IPv6}%${name}`));
    }
  }

  #receive(bytes: Buffer, info: RemoteInfo): void {
    const nowMs = this.#options.bootMs();
    if (nowMs - this.#secondMs >= 1_000) {
      this.#secondMs = nowMs;
      this.#heard = 0;
    }
    this.#heard++;
    if (this.#heard > READS_MOST) {
      this.#rest(nowMs);
      return;
    }
    const from = bytes.length === BEACON_BYTES ? sourceOnLink(info, this.#links) : null;
    if (from !== null) this.#options.take(bytes, from);
  }

  /** A link is flooded: nothing is read for a while. */
  #rest(nowMs: number): void {
    this.#silentUntilMs = nowMs + CLOSED_MS;
    this.#closeSockets();
    this.#endLater?.();
    this.#endLater = this.#options.later(CLOSED_MS + 1, () => this.look());
  }

  #closeSockets(): void {
    this.#closeFour();
    for (const name of [...this.#six.keys()]) this.#closeSix(name);
  }

  #closeFour(): void {
    const socket = this.#four;
    this.#four = null;
    this.#joined.clear();
    if (socket !== null) attempt(() => socket.close());
  }

  #closeSix(name: string): void {
    const socket = this.#six.get(name);
    this.#six.delete(name);
    if (socket !== undefined) attempt(() => socket.close());
  }
}

/** Links come and go while they are used: what is refused is left out. True: it was done. */
const attempt = (act: () => void): boolean => {
  try {
    act();
    return true;
  } catch {
    return false;
  }
};
