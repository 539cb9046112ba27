/**
 * names — what the directory's engine calls a node: four numbers and a port that are made of the
 * node's key, and are no address of anything. Pure.
 *
 * dht-rpc tells nodes apart by IPv4 address and port, 6 bytes on the wire, and never looks inside.
 * A name that comes from the key stays when the node moves, and a node with IPv6 alone has one.
 * The name is short: two keys can be made that have one (2^46 tries). It proves nothing; who owns
 * the channels knows which key a channel is, and gives a name to the first of two.
 */
import { hashOf } from "../members/sign.ts";

/** "a.b.c.d:port". */
export type Name = string;

const NAME_BYTES = 6;
const LABEL = Buffer.from("p2pvpn/1/name\0");
/** First numbers of a name: 1 to 126, so that it is neither "any host", this host nor a group. */
const FIRST_NUMBERS = 126;

/** What dht-rpc has of a name. */
export interface Place {
  readonly host: string;
  readonly port: number;
}

export const nameAt = ({ host, port }: Place): Name => `${host}:${port}`;

/** The same in dht-rpc's form. Errors: never, for a Name. */
export const placeOf = (name: Name): Place => {
  const colon = name.lastIndexOf(":");
  return { host: name.slice(0, colon), port: Number(name.slice(colon + 1)) };
};

/** The name of a node. Units: a node key of 32 bytes. */
export const nameOf = (nodeKey: Uint8Array): Name => {
  const [a = 0, b = 0, c = 0, d = 0, high = 0, low = 0] = hashOf(NAME_BYTES + 10, LABEL, nodeKey);
  const port = high * 256 + low;
  return nameAt({ host: `${1 + (a % FIRST_NUMBERS)}.${b}.${c}.${d}`, port: port === 0 ? 1 : port });
};
