/**
 * index-floods — what an index node is flooded with: KNOCKs of the network and of no network, OPENs
 * without a ticket, junk; from random sources.
 */
import { randomBytes } from "node:crypto";
import { makeKnock } from "../../src/directory/card.ts";
import {
  CHANNEL_BYTES_MAX,
  CHANNEL_KIND,
  makeDatagram,
  OPEN,
  PROOF,
} from "../../src/wire/channel.ts";
import type { FloodClass } from "./floods.ts";

const DIFFERENT = 512;

const knock = (networkId: Uint8Array): Uint8Array =>
  makeKnock(networkId, randomBytes(16), { proof: PROOF.none, low: 0, key: null });

const openJunk = (): Uint8Array => {
  const open = makeDatagram(CHANNEL_KIND.open, CHANNEL_BYTES_MAX);
  open.set(randomBytes(16), OPEN.ticket.at);
  open.set(randomBytes(CHANNEL_BYTES_MAX - 32), 32);
  return open;
};

/** Of a network. */
interface IndexFlood {
  readonly id: string;
  readonly title: string;
  readonly make: (networkId: Uint8Array) => Uint8Array;
}

// biome-ignore format: a table
export const INDEX_FLOODS: readonly IndexFlood[] = [
  { id: "knock", title: "KNOCKs of the network", make: knock },
  { id: "stray", title: "KNOCKs of another network", make: () => knock(randomBytes(16)) },
  { id: "open", title: "OPENs without a ticket", make: openJunk },
  { id: "junk", title: "junk, 1,200 bytes", make: () => randomBytes(1_200) },
  { id: "small", title: "junk, 64 bytes", make: () => randomBytes(64) },
];

export const floodOf = ({ id, title, make }: IndexFlood, networkId: Uint8Array): FloodClass => ({
  ...{ id, title, source: "random" },
  payloads: async () => Array.from({ length: DIFFERENT }, () => make(networkId)),
});
