/** prefixes — addresses as numbers, prefixes of them, and where to look for mistakes. */
import type { Arena } from "../../src/memory/region.ts";
import type { RouteEntry } from "../../src/memory/routes.ts";
import type { RouteLookup } from "../lab/route-lookup.ts";

export type Version = 4 | 6;

export const bitsOf = (version: Version): number => (version === 4 ? 32 : 128);

const wordsOf = (version: Version, address: bigint): [number, number, number, number] => {
  const wide = version === 4 ? address << 96n : address;
  const word = (i: number): number => Number((wide >> BigInt(96 - 32 * i)) & 0xffff_ffffn);
  return [word(0), word(1), word(2), word(3)];
};

const bytesOf = (version: Version, address: bigint): Uint8Array =>
  Uint8Array.from({ length: bitsOf(version) / 8 }, (_, i) =>
    Number((address >> BigInt(bitsOf(version) - 8 - 8 * i)) & 0xffn),
  );

export const addressOf = ({ cidr }: RouteEntry): bigint =>
  cidr.bytes.reduce((sum, byte) => (sum << 8n) | BigInt(byte), 0n);

export const entry = (
  version: Version,
  address: bigint,
  length: number,
  peer: number,
): RouteEntry => ({
  cidr: { version, bytes: bytesOf(version, address), prefixLength: length },
  owner: { entry: peer },
});

export const hostBits = ({ cidr }: RouteEntry): bigint =>
  BigInt(bitsOf(cidr.version) - cidr.prefixLength);

export const find = (
  table: RouteLookup,
  where: Arena,
  version: Version,
  address: bigint,
): number => {
  const words = wordsOf(version, address);
  // An I/O thread's inner addresses lie in jobs; any words of the arena will do.
  const word = where.layout.base.jobs >>> 2;
  where.u32.set(words, word);
  return table.find(version, word);
};

/** Ends of every prefix and one beyond, where mistakes would be. */
export const probes = (routes: readonly RouteEntry[], version: Version): bigint[] => {
  const top = (1n << BigInt(bitsOf(version))) - 1n;
  const ends = routes
    .filter((route) => route.cidr.version === version)
    .flatMap((route) => {
      const host = (1n << hostBits(route)) - 1n;
      const start = addressOf(route) & ~host;
      return [start - 1n, start, start + (host >> 1n), start | host, (start | host) + 1n];
    });
  // Far from all prefixes, but for one bit of the address.
  const far = ends.map((address, i) => address ^ (1n << BigInt(i % bitsOf(version))));
  return [0n, top, ...[...ends, ...far].filter((address) => address >= 0n && address <= top)];
};
