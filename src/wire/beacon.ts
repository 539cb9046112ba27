/**
 * beacon — bytes of what a member says on its link: somebody of a network is here, at this port.
 *
 *     0 version · 1 lowest byte of the secret's epoch · 2 port · 4 slot · 8 id · 24 tag
 *
 * To 239.255.77.76 and ff02::4d4c, port 4739. Integers are little-endian. A slot is 300 s of Unix
 * time, an id random bytes that are good for one slot, so that a beacon names nobody to those
 * without the network's secret. Pure.   Source: docs/PROTOCOL.md, "Beacon"; security.md 24.
 */
import type { Range } from "./handshake.ts";

/** Protocol: where beacons go. */
export const BEACON_PORT = 4_739;
export const BEACON_GROUPS = { IPv4: "239.255.77.76", IPv6: "ff02::4d4c" } as const;

export const BEACON_BYTES = 40;
const BEACON_VERSION = 1;
/** Protocol: seconds that one id is used. */
export const BEACON_SLOT_S = 300;

// biome-ignore format: a table
export const BEACON = {
  version: { at: 0, bytes: 1 },
  epoch: { at: 1, bytes: 1 },
  port: { at: 2, bytes: 2 },   // of the sender's data port
  slot: { at: 4, bytes: 4 },   // Unix time / 300 s
  id: { at: 8, bytes: 16 },
  tag: { at: 24, bytes: 16 },  // keyed BLAKE2s-128 over all before it
} as const satisfies Readonly<Record<string, Range>>;

export interface BeaconHead {
  /** Lowest byte of the epoch. */
  readonly epoch: number;
  readonly port: number;
  readonly slot: number;
}

const viewOf = (bytes: Uint8Array): DataView =>
  new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

/** A beacon whose tag is still zero. Units: `id` of 16 bytes. */
export const makeBeacon = ({ epoch, port, slot }: BeaconHead, id: Uint8Array): Uint8Array => {
  const beacon = new Uint8Array(BEACON_BYTES);
  beacon[BEACON.version.at] = BEACON_VERSION;
  beacon[BEACON.epoch.at] = epoch;
  viewOf(beacon).setUint16(BEACON.port.at, port, true);
  viewOf(beacon).setUint32(BEACON.slot.at, slot, true);
  beacon.set(id, BEACON.id.at);
  return beacon;
};

/** Reads a beacon, whose tag is still to be looked at; null: it is none. */
export const readBeacon = (beacon: Uint8Array): BeaconHead | null => {
  if (beacon.length !== BEACON_BYTES || beacon[BEACON.version.at] !== BEACON_VERSION) return null;
  return {
    epoch: beacon[BEACON.epoch.at]!,
    port: viewOf(beacon).getUint16(BEACON.port.at, true),
    slot: viewOf(beacon).getUint32(BEACON.slot.at, true),
  };
};
