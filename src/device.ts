/**
 * device — the TUN queues, the UDP sockets and the eventfds of an engine, opened by main.
 *
 * One port, several threads: two reuseport groups (IPv4, IPv6), each bound in the order I/O thread
 * 0 to n - 1, then control, and sorted by a classic BPF program (wire/bpf.ts).
 */
import { addon, type IoOptions } from "./io/native/addon.ts";
import type { EngineConfig } from "./schema/config.ts";
import { EngineError } from "./schema/errors.ts";
import { steeringProgram } from "./wire/bpf.ts";
import { type Cidr, formatCidr } from "./wire/cidr.ts";

/** Sockets of one thread, or -1. */
interface Pair {
  readonly udp4: number;
  readonly udp6: number;
}

export interface Device {
  readonly name: string;
  readonly index: number;
  readonly listenPort: number;
  /** One TUN queue per I/O thread. */
  readonly queues: readonly number[];
  /** One pair per I/O thread, then control's. */
  readonly sockets: readonly Pair[];
  readonly ioWakes: readonly number[];
  readonly controlWake: number;
  /** Handshake messages that came to an I/O thread: its end, and control's. */
  readonly passOn: { readonly io: number; readonly control: number };
  readonly features: {
    readonly gso: boolean;
    readonly gro: boolean;
    readonly tunOffload: boolean;
    readonly uso: boolean;
    readonly aesHardware: boolean;
  };
  /** What every I/O thread is opened with. */
  readonly io: Pick<IoOptions, "vnetHeaderBytes" | "gso" | "uso" | "tso">;
}

/** Size of TUN's virtio header when it has one. */
const VNET_BYTES = 16;
/** Packets that wait in the device: a longer queue is delay, a shorter one is loss. */
const TX_QUEUE_LENGTH = 500;
/** So that one TUN read makes one UDP send: 45 segments of 1452 bytes (facts 1.2). */
const GSO_MAX_SEGMENTS = 45;
const GSO_MAX_BYTES = 61_612;
const PROBE_GSO = 1;
const PROBE_GRO = 2;

const ENOENT = -2;
const EACCES = -13;
const EBUSY = -16;
const EEXIST = -17;
const EPERM = -1;
const EADDRINUSE = -98;
const EADDRNOTAVAIL = -99;
const EAFNOSUPPORT = -97;

/** Collects file descriptors, so that a failure closes what was opened before it. */
class Opener {
  readonly fds: number[] = [];

  keep(fd: number): number {
    this.fds.push(fd);
    return fd;
  }

  closeAll(): void {
    for (const fd of this.fds.splice(0).reverse()) addon.close(fd);
  }
}

const reasonOf = (result: number): string => addon.errorText(-result);

const openQueue = (opener: Opener, name: string, vnet: boolean): number => {
  const fd = addon.tunOpen(name, true, vnet);
  if (fd >= 0) return opener.keep(fd);
  if (fd === ENOENT) throw new EngineError("TUN_MISSING");
  if (fd === EPERM || fd === EACCES) throw new EngineError("TUN_DENIED", { name });
  if (fd === EBUSY) throw new EngineError("TUN_BUSY", { name });
  throw new EngineError("TUN_FAILED", { name, reason: reasonOf(fd) });
};

/** The best offload that the kernel takes: 2 TCP and UDP, 1 TCP, 0 none. */
const setOffload = (fd: number, wanted: boolean): number => {
  for (const level of wanted ? [2, 1] : []) {
    if (addon.tunOffload(fd, level) >= 0) return level;
  }
  addon.tunOffload(fd, 0);
  return 0;
};

const openSocket = (
  opener: Opener,
  family: 4 | 6,
  port: number,
  { interface: link }: EngineConfig,
): number => {
  const fd = addon.udpOpen(family, link.listenAddress, port, link.fwmark, link.bindDevice);
  if (fd >= 0) return opener.keep(fd);
  if (fd === EADDRINUSE) throw new EngineError("PORT_TAKEN", { port });
  if (family === 6 && (fd === EAFNOSUPPORT || fd === EADDRNOTAVAIL)) return -1;
  throw new EngineError("SOCKET_FAILED", { reason: reasonOf(fd) });
};

const isIpv6 = (address: string): boolean => address.includes(":");

/** Both groups; the first socket fixes the port where the kernel chooses it. */
const openSockets = (opener: Opener, config: EngineConfig): { pairs: Pair[]; port: number } => {
  const threads = config.engine.ioThreads;
  const { listenAddress, listenPort } = config.interface;
  const use4 = listenAddress === "" || !isIpv6(listenAddress);
  const use6 = listenAddress === "" || isIpv6(listenAddress);
  let port = listenPort;
  const group = (family: 4 | 6, wanted: boolean): number[] => {
    const fds: number[] = [];
    for (let i = 0; i <= threads; i++) {
      const fd = wanted ? openSocket(opener, family, port, config) : -1;
      if (fd >= 0 && port === 0) port = addon.udpPort(fd);
      fds.push(fd);
    }
    if (fds[0]! >= 0) steer(fds[0]!, threads);
    return fds;
  };
  refuseTakenPort(config);
  const four = group(4, use4);
  const six = group(6, use6);
  const pairs = four.map((udp4, i) => ({ udp4, udp6: six[i]! }));
  return { pairs, port };
};

const steer = (fd: number, threads: number): void => {
  const result = addon.filterAttach(fd, 1, steeringProgram(threads));
  if (result < 0) throw new EngineError("SOCKET_FAILED", { reason: reasonOf(result) });
};

/**
 * SO_REUSEPORT would let us share the port with another program of the same user that also sets it,
 * and each would get a part of the other's datagrams. A bind without it tells.
 */
const refuseTakenPort = ({ interface: link }: EngineConfig): void => {
  if (link.listenPort === 0) return;
  const fd = addon.udpTaken(link.listenAddress, link.listenPort, link.bindDevice);
  if (fd === EADDRINUSE) throw new EngineError("PORT_TAKEN", { port: link.listenPort });
};

const setAddress = (device: { name: string; index: number }, cidr: Cidr): void => {
  const result = addon.addressAdd(device.index, cidr.bytes, cidr.prefixLength);
  if (result >= 0 || result === EEXIST) return;
  const { name } = device;
  throw new EngineError("ADDRESS_FAILED", {
    address: formatCidr(cidr),
    name,
    reason: reasonOf(result),
  });
};

const configureLink = (name: string, index: number, config: EngineConfig): void => {
  const { mtu } = config.interface;
  const result = addon.linkSet(index, mtu, -1, TX_QUEUE_LENGTH, GSO_MAX_SEGMENTS, GSO_MAX_BYTES);
  // Kernels before 4.16 do not take the GSO limits; runs are then cut when they are read.
  const plain = result < 0 ? addon.linkSet(index, mtu, -1, TX_QUEUE_LENGTH, -1, -1) : result;
  if (plain < 0) throw new EngineError("TUN_FAILED", { name, reason: reasonOf(plain) });
  for (const cidr of config.interface.addresses) setAddress({ name, index }, cidr);
};

const openPair = (opener: Opener): Device["passOn"] => {
  const fds = new Int32Array(2);
  const result = addon.datagramPair(new Uint8Array(fds.buffer));
  if (result < 0) throw new EngineError("SOCKET_FAILED", { reason: reasonOf(result) });
  return { io: opener.keep(fds[0]!), control: opener.keep(fds[1]!) };
};

const openWith = (opener: Opener, config: EngineConfig): Device => {
  const { engine, interface: link } = config;
  // A multiqueue device takes a further queue of the same user without a word: another engine's.
  if (addon.linkIndex(link.name) >= 0) throw new EngineError("TUN_BUSY", { name: link.name });
  const queues = [openQueue(opener, link.name, true)];
  const offload = setOffload(queues[0]!, engine.tunOffload);
  const name = addon.tunName(queues[0]!) || link.name;
  // All queues before the device is announced: a later open could make a second device.
  while (queues.length < engine.ioThreads) queues.push(openQueue(opener, name, true));
  const index = addon.linkIndex(name);
  if (index < 0) throw new EngineError("TUN_FAILED", { name, reason: reasonOf(index) });
  configureLink(name, index, config);
  const { pairs, port } = openSockets(opener, config);
  const probe = addon.udpProbe(pairs[0]!.udp4 >= 0 ? pairs[0]!.udp4 : pairs[0]!.udp6);
  const gro = engine.gro && (probe & PROBE_GRO) !== 0;
  const gso = engine.gso && (probe & PROBE_GSO) !== 0;
  for (const { udp4, udp6 } of pairs.slice(0, engine.ioThreads)) {
    for (const fd of [udp4, udp6]) if (fd >= 0 && gro) addon.udpGro(fd, true);
  }
  const event = (): number => {
    const fd = addon.eventOpen();
    if (fd < 0) throw new EngineError("SOCKET_FAILED", { reason: reasonOf(fd) });
    return opener.keep(fd);
  };
  return {
    name,
    index,
    listenPort: port,
    queues,
    sockets: pairs,
    ioWakes: queues.map(event),
    controlWake: event(),
    passOn: openPair(opener),
    features: {
      gso,
      gro,
      tunOffload: offload >= 1,
      uso: offload >= 2,
      aesHardware: addon.cryptoProbe().aesHardware,
    },
    io: { vnetHeaderBytes: VNET_BYTES, gso, tso: offload >= 1, uso: offload >= 2 },
  };
};

const openers = new WeakMap<Device, Opener>();

/** Opens everything; the interface has its addresses and is still down. Errors: EngineError. */
export const openDevice = (config: EngineConfig): Device => {
  const opener = new Opener();
  try {
    const device = openWith(opener, config);
    openers.set(device, opener);
    return device;
  } catch (error) {
    opener.closeAll();
    throw error;
  }
};

/** Does one of the interface's own networks contain the prefix? The kernel has its route then. */
const isConnected = (prefix: Cidr, addresses: readonly Cidr[]): boolean =>
  addresses.some((own) => {
    if (own.version !== prefix.version || own.prefixLength > prefix.prefixLength) return false;
    for (let bit = 0; bit < own.prefixLength; bit++) {
      const mask = 0x80 >> (bit & 7);
      if ((own.bytes[bit >> 3]! & mask) !== (prefix.bytes[bit >> 3]! & mask)) return false;
    }
    return true;
  });

/**
 * Sets the interface up and installs the routes of the allowed IPs. A default route is left to the
 * user: it would carry the tunnel's own datagrams into the tunnel.
 */
export const readyDevice = (device: Device, config: EngineConfig): void => {
  const { name, index } = device;
  const up = addon.linkSet(index, -1, 1, -1, -1, -1);
  if (up < 0) throw new EngineError("TUN_FAILED", { name, reason: reasonOf(up) });
  for (const peer of config.peers) {
    for (const prefix of peer.allowedIps) {
      if (prefix.prefixLength === 0 || isConnected(prefix, config.interface.addresses)) continue;
      const result = addon.routeAdd(index, prefix.bytes, prefix.prefixLength, 0);
      if (result < 0 && result !== EEXIST) {
        throw new EngineError("ROUTE_FAILED", {
          prefix: formatCidr(prefix),
          name,
          reason: reasonOf(result),
        });
      }
    }
  }
};

/** Closes everything; the interface and its routes go with the last queue. */
export const closeDevice = (device: Device): void => openers.get(device)?.closeAll();
