/**
 * device — the TUN queues, the UDP sockets and the eventfds of an engine, opened by main, which so
 * keeps them when a thread dies.
 */
import { type OpenPort, openPort, type PortOptions } from "./control/host/sockets.ts";
import { addon, type IoOptions } from "./io/native/addon.ts";
import { TUN_VNET_BYTES } from "./memory/numbers.ts";
import { chooseOffloads, type OffloadName, type Offloads } from "./offloads.ts";
import { probe } from "./probes.ts";
import type { EngineConfig } from "./schema/config.ts";
import { EngineError } from "./schema/errors.ts";
import { ipv6IsOff } from "./schema/ipv6.ts";
import { type Cidr, formatCidr } from "./wire/cidr.ts";

export interface Device {
  readonly name: string;
  readonly index: number;
  readonly port: OpenPort;
  readonly portOptions: PortOptions;
  /** One TUN queue per I/O thread. */
  readonly queues: readonly number[];
  readonly ioWakes: readonly number[];
  readonly controlWake: number;
  /** Handshake messages that came to an I/O thread: its end, and control's. */
  readonly passOn: { readonly io: number; readonly control: number };
  readonly features: Readonly<Record<OffloadName | "connectedSockets" | "aesHardware", boolean>>;
  readonly offloads: Offloads;
  /** What every I/O thread is opened with. */
  readonly io: Pick<IoOptions, "vnetHeaderBytes" | "gso" | "uso" | "tso" | "busyBytes">;
}

/** Packets that wait in the device: a longer queue is delay, a shorter one is loss. */
const TX_QUEUE_LENGTH = 500;
/** So that one TUN read makes one UDP send: 45 segments of 1452 bytes (facts 1.2). */
const GSO_MAX_SEGMENTS = 45;
const GSO_MAX_BYTES = 61_612;
/**
 * A peer that moves this much in 100 ms, both ways together, is busy. Tuning: a call is, so that no
 * flood drowns it; a terminal is not. Where there are more such peers than sockets, who moves most
 * gets one.
 */
const BUSY_BYTES = 1_024;

const ENOENT = -2;
const EACCES = -13;
const EBUSY = -16;
const EEXIST = -17;
const EPERM = -1;

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
  const ipv6Off = ipv6IsOff(name);
  for (const cidr of config.interface.addresses) {
    if (cidr.version === 4 || !ipv6Off) setAddress({ name, index }, cidr);
  }
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
  const offloads = chooseOffloads(engine, probe(queues[0]!, engine.tunOffload));
  const name = addon.tunName(queues[0]!) || link.name;
  // All queues before the device is announced: a later open could make a second device.
  while (queues.length < engine.ioThreads) queues.push(openQueue(opener, name, true));
  const index = addon.linkIndex(name);
  if (index < 0) throw new EngineError("TUN_FAILED", { name, reason: reasonOf(index) });
  configureLink(name, index, config);
  const features = {
    gso: offloads.gso === null,
    gro: offloads.gro === null,
    tunOffload: offloads.tunOffload === null,
    uso: offloads.uso === null,
    mergeTcp: offloads.mergeTcp === null,
    mergeUdp: offloads.mergeUdp === null,
    connectedSockets: engine.connectedSockets,
    aesHardware: addon.cryptoProbe().aesHardware,
  };
  const portOptions = {
    ioThreads: engine.ioThreads,
    listenAddress: link.listenAddress,
    port: link.listenPort,
    fwmark: link.fwmark,
    bindDevice: link.bindDevice,
    gro: features.gro,
  };
  const port = openPort(portOptions);
  for (const { udp4, udp6 } of port.pairs) {
    for (const fd of [udp4, udp6]) if (fd >= 0) opener.keep(fd);
  }
  const event = (): number => {
    const fd = addon.eventOpen();
    if (fd < 0) throw new EngineError("SOCKET_FAILED", { reason: reasonOf(fd) });
    return opener.keep(fd);
  };
  return {
    name,
    index,
    port,
    portOptions,
    queues,
    ioWakes: queues.map(event),
    controlWake: event(),
    passOn: openPair(opener),
    features,
    offloads,
    io: {
      vnetHeaderBytes: TUN_VNET_BYTES,
      gso: features.gso,
      tso: features.mergeTcp,
      uso: features.mergeUdp,
      busyBytes: engine.connectedSockets ? BUSY_BYTES : 0,
    },
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

/** Closes everything; the interface and its routes go with the last queue. */
export const closeDevice = (device: Device): void => openers.get(device)?.closeAll();
