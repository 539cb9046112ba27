/**
 * targets — where in the directory a member is looked for: hashes of its node key, its addresses
 * and its prefixes. Pure.
 *
 *     BLAKE2b-256("p2pvpn/1/target\0" ‖ network id ‖ kind u8 ‖ bytes)
 *       kind 0 node: its node key · 1 address: 4 or 16 bytes · 2 prefix: as certificates have it
 *
 * All of them follow from the certificate: so who stores knows which targets a member may have,
 * and nobody is found under what no authority gave it. Source: docs/PROTOCOL.md, "Directory".
 */
import { Writer } from "../members/bytes.ts";
import type { Certificate } from "../members/certificate.ts";
import { putPrefix } from "../members/fields.ts";
import { hashOf } from "../members/sign.ts";
import type { Cidr } from "../wire/cidr.ts";

/** Protocol. */
export const TARGET_BYTES = 32;
export const TARGET_KIND = { node: 0, address: 1, prefix: 2 } as const;
const LABEL = Buffer.from("p2pvpn/1/target\0");
const PREFIX_BYTES_MAX = 18;

export interface Target {
  readonly kind: number;
  readonly target: Uint8Array;
}

const targetOf = (networkId: Uint8Array, kind: number, bytes: Uint8Array): Target => ({
  kind,
  target: hashOf(TARGET_BYTES, LABEL, networkId, Uint8Array.of(kind), bytes),
});

export const nodeTarget = (networkId: Uint8Array, nodeKey: Uint8Array): Target =>
  targetOf(networkId, TARGET_KIND.node, nodeKey);

/** Units: 4 or 16 bytes. */
export const addressTarget = (networkId: Uint8Array, address: Uint8Array): Target =>
  targetOf(networkId, TARGET_KIND.address, address);

/** Of a prefix whose host bits are zero. */
export const prefixTarget = (networkId: Uint8Array, prefix: Cidr): Target => {
  const writer = new Writer(PREFIX_BYTES_MAX);
  putPrefix(writer, prefix);
  return targetOf(networkId, TARGET_KIND.prefix, writer.done());
};

/** All of a member, its node's first: 25 at most. */
export const targetsOf = (
  networkId: Uint8Array,
  { nodeKey, addresses, routes }: Pick<Certificate, "nodeKey" | "addresses" | "routes">,
): Target[] => [
  nodeTarget(networkId, nodeKey),
  ...addresses.map((address) => addressTarget(networkId, address)),
  ...routes.map((route) => prefixTarget(networkId, route)),
];
