/**
 * inner — inner packets that are right, or wrong in one place; the friend may send them.
 *
 * The friend has 10.66.0.3 and fd66::3, and sends to host b of a lab, to discard (port 9).
 */
import type { Chance } from "../lab/chance.ts";

const TCP = 6;
const UDP = 17;
const BYTES_MAX = 1_400;
const ADDRESS4 = [10, 66, 0] as const;

const write4 = (packet: Uint8Array, chance: Chance, protocol: number): void => {
  const view = new DataView(packet.buffer, packet.byteOffset, packet.byteLength);
  packet[0] = 0x45;
  view.setUint16(2, packet.length);
  packet[8] = 64;
  packet[9] = protocol;
  packet.set([...ADDRESS4, chance.once(8) ? chance.below(256) : 3], 12);
  packet.set([...ADDRESS4, chance.once(16) ? chance.below(256) : 2], 16);
  let sum = 0;
  for (let i = 0; i < 20; i += 2) sum += view.getUint16(i);
  sum = (sum & 0xffff) + (sum >>> 16);
  if (!chance.once(16)) view.setUint16(10, ~((sum & 0xffff) + (sum >>> 16)) & 0xffff);
};

const write6 = (packet: Uint8Array, chance: Chance, protocol: number): void => {
  const view = new DataView(packet.buffer, packet.byteOffset, packet.byteLength);
  packet[0] = 0x60;
  view.setUint16(4, packet.length - 40);
  packet[6] = protocol;
  packet[7] = 64;
  packet.set([0xfd, 0x66], 8);
  packet[23] = chance.once(8) ? chance.below(256) : 3;
  packet.set([0xfd, 0x66], 24);
  packet[39] = 2;
};

/** A packet of TCP, UDP or something else, in whole or changed in one bit, padded to 16. */
export const innerPacket = (chance: Chance): Uint8Array => {
  const six = chance.once(2);
  const ip = six ? 40 : 20;
  const protocol = chance.pick([TCP, TCP, UDP, UDP, 1, 58, chance.below(256)]);
  const bytes = ip + 20 + chance.below(BYTES_MAX - 60);
  const plain = new Uint8Array(Math.ceil(bytes / 16) * 16);
  const packet = plain.subarray(0, bytes);
  (six ? write6 : write4)(packet, chance, protocol);
  const view = new DataView(plain.buffer, ip);
  view.setUint16(0, 1_000 + chance.below(4));
  view.setUint16(2, 9);
  if (protocol === UDP) view.setUint16(4, bytes - ip);
  if (protocol === TCP) {
    view.setUint32(4, chance.next());
    packet[ip + 12] = chance.once(8) ? chance.below(256) : 0x50;
    packet[ip + 13] = chance.once(4) ? chance.below(256) : 0x10;
  }
  if (chance.once(3)) packet[chance.below(bytes)]! ^= 1 << chance.below(8);
  return plain;
};
