/**
 * sockets — the UDP port: two reuseport groups (IPv4, IPv6), each bound in the order I/O thread 0
 * to n - 1, then control, and sorted by a classic BPF program (wire/bpf.ts).
 *
 * Main opens them; control moves them to another port. The file descriptors stay the same for
 * life, since every thread knows them by number: new sockets are put in their place.
 */
import { addon } from "../../io/native/addon.ts";
import { EngineError } from "../../schema/errors.ts";
import { steeringProgram } from "../../wire/bpf.ts";
import { formatAddress } from "../../wire/cidr.ts";
import { sockaddrHost } from "../../wire/sockaddr.ts";

/** Sockets of one thread, or -1. */
export interface Pair {
  readonly udp4: number;
  readonly udp6: number;
}

export interface PortOptions {
  readonly ioThreads: number;
  /** "" is any. */
  readonly listenAddress: string;
  /** 0 lets the kernel choose. */
  readonly port: number;
  /** 0 is none. */
  readonly fwmark: number;
  /** "" is any. */
  readonly bindDevice: string;
  readonly gro: boolean;
}

export interface OpenPort {
  readonly port: number;
  /** One pair per I/O thread, then control's. */
  readonly pairs: readonly Pair[];
}

/** Ports that are tried when the kernel chooses. */
const PORT_TRIES = 16;

const EADDRINUSE = -98;
const EADDRNOTAVAIL = -99;
const EAFNOSUPPORT = -97;

const failure = (result: number): EngineError =>
  new EngineError("SOCKET_FAILED", { reason: addon.errorText(-result) });

const openSocket = (family: 4 | 6, port: number, options: PortOptions): number => {
  const { listenAddress, fwmark, bindDevice } = options;
  const fd = addon.udpOpen(family, listenAddress, port, fwmark, bindDevice);
  if (fd >= 0) return fd;
  if (fd === EADDRINUSE) throw new EngineError("PORT_TAKEN", { port });
  const any = listenAddress === "";
  if (family === 6 && any && (fd === EAFNOSUPPORT || fd === EADDRNOTAVAIL)) return -1;
  throw failure(fd);
};

/**
 * SO_REUSEPORT would let us share the port with another program of the same user that also sets it,
 * and each would get a part of the other's datagrams. A bind without it tells.
 */
const refuseTakenPort = ({ port, listenAddress, bindDevice }: PortOptions): void => {
  if (port === 0) return;
  if (addon.udpTaken(listenAddress, port, bindDevice) === EADDRINUSE) {
    throw new EngineError("PORT_TAKEN", { port });
  }
};

/** The kernel, too, may choose a port that such a program has: another is asked for then. */
const choosePort = (options: PortOptions): number => {
  const { listenAddress, bindDevice } = options;
  const family = listenAddress.includes(":") ? 6 : 4;
  for (let tries = 0; tries < PORT_TRIES; tries++) {
    const fd = addon.udpOpen(family, listenAddress, 0, 0, bindDevice);
    if (fd < 0) throw failure(fd);
    const port = addon.udpPort(fd);
    addon.close(fd);
    if (addon.udpTaken(listenAddress, port, bindDevice) !== EADDRINUSE) return port;
  }
  return 0;
};

const steer = (fd: number, threads: number): void => {
  const result = addon.filterAttach(fd, 1, steeringProgram(threads));
  if (result < 0) throw failure(result);
};

/**
 * Opens both groups; the first socket fixes the port where the kernel chooses it.
 *
 * Thread: main, control.   Errors: EngineError PORT_TAKEN, SOCKET_FAILED; nothing is left open.
 */
export const openPort = (options: PortOptions): OpenPort => {
  const { ioThreads, listenAddress, gro } = options;
  const wants = (family: 4 | 6): boolean =>
    listenAddress === "" || listenAddress.includes(":") === (family === 6);
  let port = options.port === 0 ? choosePort(options) : options.port;
  const fds: number[] = [];
  const group = (family: 4 | 6): number[] => {
    const members: number[] = [];
    for (let i = 0; i <= ioThreads; i++) {
      const fd = wants(family) ? openSocket(family, port, options) : -1;
      members.push(fd);
      if (fd < 0) continue;
      fds.push(fd);
      if (port === 0) port = addon.udpPort(fd);
      if (gro && i < ioThreads) addon.udpGro(fd, true);
    }
    if (members[0]! >= 0) steer(members[0]!, ioThreads);
    return members;
  };
  refuseTakenPort(options);
  try {
    const four = group(4);
    const six = group(6);
    return { port, pairs: four.map((udp4, i) => ({ udp4, udp6: six[i]! })) };
  } catch (error) {
    for (const fd of fds) addon.close(fd);
    throw error;
  }
};

/** Does this host have the address of a sockaddr? Where that cannot be told, yes. Thread: any. */
export const hasAddress = (sockaddr: Uint8Array): boolean => {
  const host = sockaddrHost(sockaddr);
  const fd = addon.udpOpen(host.length === 4 ? 4 : 6, formatAddress(host), 0, 0, "");
  if (fd >= 0) addon.close(fd);
  return fd !== EADDRNOTAVAIL;
};

/** The port while the engine runs. Thread: control. */
export class Sockets {
  readonly #pairs: readonly Pair[];
  #options: PortOptions;
  #open = true;

  constructor({ pairs, port }: OpenPort, options: PortOptions) {
    this.#pairs = pairs;
    this.#options = { ...options, port };
  }

  /** Sockets are in place; else the port is free. */
  get open(): boolean {
    return this.#open;
  }

  /** The last one that it had. */
  get port(): number {
    return this.#options.port;
  }

  /**
   * Moves to another port; null: leaves it. Returns the port. Descriptors have to be registered
   * anew with whatever polls them. Errors: EngineError PORT_TAKEN; all is as it was then.
   */
  listen(port: number | null): number {
    if (port === null) {
      for (const fd of this.#fds()) addon.udpHush(fd);
      this.#open = false;
      return this.#options.port;
    }
    if (this.#open && port === this.#options.port) return port;
    const opened = openPort({ ...this.#options, port });
    for (const [i, { udp4, udp6 }] of opened.pairs.entries()) {
      this.#replace(udp4, this.#pairs[i]!.udp4);
      this.#replace(udp6, this.#pairs[i]!.udp6);
    }
    this.#open = true;
    this.#options = { ...this.#options, port: opened.port };
    return opened.port;
  }

  setMark(fwmark: number): void {
    this.#options = { ...this.#options, fwmark };
    for (const fd of this.#fds()) addon.udpMark(fd, fwmark);
  }

  #fds(): number[] {
    return this.#pairs.flatMap(({ udp4, udp6 }) => [udp4, udp6]).filter((fd) => fd >= 0);
  }

  /** A family that was not there at the start has no descriptor to take. */
  #replace(opened: number, place: number): void {
    if (opened < 0) {
      if (place >= 0) addon.udpHush(place);
    } else if (place < 0) addon.close(opened);
    else addon.udpReplace(opened, place);
  }
}
