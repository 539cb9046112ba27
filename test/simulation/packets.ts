/**
 * packets — inner packets of a simulation, as a TUN device gives and takes them.
 *
 *     [virtio header 16][IPv4 or IPv6][UDP or TCP][stamp 16][filler]
 *
 * Every payload is stamped with who sent it to whom, and a number; its filler follows from both. A
 * frame of several payloads is a super-packet (GSO), whose segments are packets of their own.
 */
import type { Random } from "./random.ts";

export const VNET_BYTES = 16;
export const STAMP_BYTES = 16;
/** Begins every payload; seen on the network, something was not sealed. */
export const MARK = Buffer.from("in clear");

const UDP = 17;
const TCP = 6;
const ICMP = 1;
const ICMPV6 = 58;
/** "Fragmentation needed" and "packet too big". Source: RFC 792, RFC 4443. */
const TOO_BIG = { 4: [3, 4], 6: [2, 0] } as const;
/** Nobody here puts fragments together. Byte 6 of an IPv4 header. */
const DONT_FRAGMENT = 0x40;
const NEEDS_CSUM = 1;
const GSO_TCP4 = 1;
const GSO_TCP6 = 4;
const GSO_UDP = 5;

export type Version = 4 | 6;
export type Protocol = typeof UDP | typeof TCP;

/** One packet's identity. */
export interface Stamp {
  readonly from: number;
  readonly to: number;
  readonly sequence: number;
}

/** A machine's inner address. */
export const addressOf = (version: Version, machine: number): Uint8Array => {
  if (version === 4) return Uint8Array.of(10, 7, 0, machine + 1);
  const address = new Uint8Array(16);
  address.set([0xfd, 7]);
  address[15] = machine + 1;
  return address;
};

/** A payload of `bytes`, the stamp at its beginning. */
export const makePayload = (stamp: Stamp, bytes: number): Buffer => {
  const payload = Buffer.alloc(Math.max(bytes, STAMP_BYTES));
  for (let i = STAMP_BYTES; i < payload.length; i++) payload[i] = stamp.sequence * 31 + i * 7;
  MARK.copy(payload);
  payload[8] = stamp.from;
  payload[9] = stamp.to;
  payload.writeUInt32LE(stamp.sequence, 12);
  return payload;
};

/** The stamp of a payload; null: it has none. */
export const stampOf = (payload: Buffer): Stamp | null => {
  if (payload.length < STAMP_BYTES || MARK.compare(payload, 0, MARK.length) !== 0) return null;
  return { from: payload[8]!, to: payload[9]!, sequence: payload.readUInt32LE(12) };
};

/** The Internet checksum's sum, not complemented. Source: RFC 1071. */
const sumOf = (bytes: Uint8Array, from: number, to: number, start = 0): number => {
  let sum = start;
  for (let i = from; i < to; i += 2) sum += (bytes[i]! << 8) | (i + 1 < to ? bytes[i + 1]! : 0);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return sum;
};

/** Sum of the pseudo-header of a packet whose IP header has `ipBytes`. */
const pseudoSum = (packet: Uint8Array, ipBytes: number): number => {
  const [addresses, protocol] = ipBytes === 20 ? [12, packet[9]!] : [8, packet[6]!];
  return sumOf(packet, addresses, ipBytes, protocol + packet.length - ipBytes);
};

export interface Flow {
  readonly version: Version;
  readonly protocol: Protocol;
  readonly source: Uint8Array;
  readonly destination: Uint8Array;
}

const writeIp = (packet: Buffer, flow: Flow, id: number): void => {
  const { version, protocol, source, destination } = flow;
  if (version === 4) {
    packet[0] = 0x45;
    packet.writeUInt16BE(packet.length, 2);
    packet.writeUInt16BE(id & 0xffff, 4);
    packet[6] = DONT_FRAGMENT;
    packet[8] = 64;
    packet[9] = protocol;
    packet.set(source, 12);
    packet.set(destination, 16);
    packet.writeUInt16BE(~sumOf(packet, 0, 20) & 0xffff, 10);
    return;
  }
  packet[0] = 0x60;
  packet.writeUInt16BE(packet.length - 40, 4);
  packet[6] = protocol;
  packet[7] = 64;
  packet.set(source, 8);
  packet.set(destination, 24);
};

/** Header bytes of IP, and of IP and transport. */
const headersOf = (version: Version, protocol: number): readonly [number, number] => {
  const ip = version === 4 ? 20 : 40;
  return [ip, ip + (protocol === TCP ? 20 : 8)];
};

/** Bytes that a payload may have at most. */
export const payloadRoom = (flow: Flow, mtu: number): number =>
  mtu - headersOf(flow.version, flow.protocol)[1];

/**
 * A frame: one payload is a packet, whole or with its checksum left to us; several, equal in size
 * but for a shorter last one, are a super-packet.
 */
export const makeFrame = (flow: Flow, payloads: readonly Buffer[], random: Random): Buffer => {
  const { version, protocol } = flow;
  const [ipBytes, headerBytes] = headersOf(version, protocol);
  const body = Buffer.concat(payloads);
  const frame = Buffer.alloc(VNET_BYTES + headerBytes + body.length);
  const packet = frame.subarray(VNET_BYTES);
  body.copy(packet, headerBytes);
  writeIp(packet, flow, random.below(0x10000));
  packet.writeUInt16BE(4_000, ipBytes);
  packet.writeUInt16BE(5_000, ipBytes + 2);
  if (protocol === TCP) {
    packet.writeUInt32BE(random.below(2 ** 32), ipBytes + 4);
    packet[ipBytes + 12] = 0x50;
    packet[ipBytes + 13] = 0x10;
  } else packet.writeUInt16BE(packet.length - ipBytes, ipBytes + 4);
  const checksumAt = protocol === TCP ? 16 : 6;
  const pseudo = pseudoSum(packet, ipBytes);
  const left = payloads.length > 1 || random.chance(0.5);
  const whole = ~sumOf(packet, ipBytes, packet.length, pseudo) & 0xffff;
  packet.writeUInt16BE(left ? pseudo : whole === 0 ? 0xffff : whole, ipBytes + checksumAt);
  if (!left) return frame;
  frame[0] = NEEDS_CSUM;
  frame.writeUInt16LE(ipBytes, 6);
  frame.writeUInt16LE(checksumAt, 8);
  if (payloads.length === 1) return frame;
  frame[1] = protocol === UDP ? GSO_UDP : version === 4 ? GSO_TCP4 : GSO_TCP6;
  frame.writeUInt16LE(headerBytes, 2);
  frame.writeUInt16LE(payloads[0]!.length, 4);
  return frame;
};

/** Somebody is told that a packet of his was too big. */
export interface Told {
  readonly version: Version;
  /** Whom the message is for, and who sent the packet that it quotes. */
  readonly to: Uint8Array;
  readonly sender: Uint8Array;
  readonly mtu: number;
}

/** Takes such a message apart; null: the frame is none, or not a right one. */
export const readTold = (frame: Buffer): Told | null => {
  const packet = frame.subarray(VNET_BYTES);
  const version = packet.length > 0 && packet[0]! >> 4 === 6 ? 6 : 4;
  const [ipBytes, source, at] = version === 4 ? [20, 12, 9] : [40, 8, 6];
  const addressBytes = version === 4 ? 4 : 16;
  const quote = packet.subarray(ipBytes + 8);
  if (quote.length < ipBytes || packet[at] !== (version === 4 ? ICMP : ICMPV6)) return null;
  const [type, code] = TOO_BIG[version];
  if (packet[ipBytes] !== type || packet[ipBytes + 1] !== code) return null;
  const start = version === 4 ? 0 : pseudoSum(packet, ipBytes);
  if (sumOf(packet, ipBytes, packet.length, start) !== 0xffff) return null;
  const mtu = packet.readUInt32BE(ipBytes + 4);
  const to = packet.subarray(source + addressBytes, source + 2 * addressBytes);
  return { version, to, sender: quote.subarray(source, source + addressBytes), mtu };
};

/** What was written to a TUN device. */
export interface Written {
  readonly flow: Flow;
  readonly payloads: readonly Buffer[];
}

/** Takes a frame apart. A string says what is wrong with it. */
export const readFrame = (frame: Buffer): Written | string => {
  const packet = frame.subarray(VNET_BYTES);
  const version = packet.length > 0 ? packet[0]! >> 4 : 0;
  if (version !== 4 && version !== 6) return "no IP version";
  const protocol = packet[version === 4 ? 9 : 6]!;
  if (protocol !== UDP && protocol !== TCP) return `protocol ${protocol}`;
  const [ipBytes, headerBytes] = headersOf(version, protocol);
  if (packet.length < headerBytes) return "shorter than its headers";
  const length = version === 4 ? packet.readUInt16BE(2) : packet.readUInt16BE(4) + 40;
  if (length !== packet.length) return `length ${length} of ${packet.length}`;
  if (version === 4 && sumOf(packet, 0, 20) !== 0xffff) return "a wrong IPv4 checksum";
  const pseudo = pseudoSum(packet, ipBytes);
  const whole = sumOf(packet, ipBytes, packet.length, pseudo);
  const asked = (frame[0]! & NEEDS_CSUM) !== 0;
  if (asked && packet.readUInt16BE(ipBytes + (protocol === TCP ? 16 : 6)) !== pseudo) {
    return "a wrong pseudo-header sum";
  }
  if (!asked && whole !== 0xffff) return "a wrong checksum";
  const size = frame[1] === 0 ? packet.length : frame.readUInt16LE(4);
  const payloads: Buffer[] = [];
  for (let at = headerBytes; at < packet.length; at += size) {
    payloads.push(packet.subarray(at, Math.min(packet.length, at + size)));
  }
  const [from, to] = version === 4 ? [12, 16] : [8, 24];
  const source = packet.subarray(from, to);
  const destination = packet.subarray(to, to + to - from);
  return { flow: { version, protocol, source, destination }, payloads };
};
