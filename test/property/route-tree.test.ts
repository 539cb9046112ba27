/**
 * route-tree — tables whose prefixes crowd together, which is what the index is for, against maps
 * of prefixes by length; and how large an index becomes.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { flatten, Prefixes } from "../../src/memory/boundaries.ts";
import { routeTableWords } from "../../src/memory/layout.ts";
import { writeTable } from "../../src/memory/route-tree.ts";
import { publishRoutes, type RouteEntry } from "../../src/memory/routes.ts";
import { RouteLookup } from "../lab/route-lookup.ts";
import { runs, smallArena } from "./arena.ts";
import { addressOf, bitsOf, entry, find, hostBits, probes, type Version } from "./prefixes.ts";

/** Prefixes by length and leading bits; the longest one that is there. For large tables. */
const finder = (routes: readonly RouteEntry[], version: Version): ((at: bigint) => number) => {
  const bits = bitsOf(version);
  const known = Array.from({ length: bits + 1 }, () => new Map<bigint, number>());
  for (const route of routes) {
    if (route.cidr.version !== version) continue;
    known[route.cidr.prefixLength]!.set(addressOf(route) >> hostBits(route), route.owner.entry);
  }
  return (at) => {
    for (let length = bits; length >= 0; length--) {
      const peer = known[length]!.get(at >> BigInt(bits - length));
      if (peer !== undefined) return peer;
    }
    return -1;
  };
};

const LARGE = 4_000;
const large = smallArena({ routes: LARGE });
const largeLookup = new RouteLookup(large);

/**
 * Heaps of prefixes: each about some address, apart by powers of two, so that they crowd together
 * the more the nearer they are; and rows, one behind the other.
 */
const heap = (version: Version): fc.Arbitrary<RouteEntry[]> =>
  fc
    .record({
      about: fc.bigInt({ min: 0n, max: (1n << BigInt(bitsOf(version))) - 1n }),
      count: fc.integer({ min: 1, max: LARGE / 4 }),
      step: fc.nat(bitsOf(version) - 1),
      crowd: fc.boolean(),
      length: fc.integer({ min: bitsOf(version) - 12, max: bitsOf(version) }),
    })
    .map(({ about, count, step, crowd, length }) => {
      const top = (1n << BigInt(bitsOf(version))) - 1n;
      return Array.from({ length: count }, (_, i) => {
        const far = crowd
          ? (1n << BigInt(i % bitsOf(version))) + BigInt(i)
          : BigInt(i) << BigInt(step);
        return entry(version, (about + far) & top, i % 7 === 0 ? length - 8 : length, i % 50);
      });
    });

test("large tables, heaped and in rows", () => {
  const heaps = fc.array(fc.oneof(heap(4), heap(6)), { minLength: 1, maxLength: 4 });
  fc.assert(
    fc.property(heaps, (parts) => {
      const routes = parts.flat();
      publishRoutes(large, routes);
      for (const version of [4, 6] as const) {
        const expected = finder(routes, version);
        for (const address of probes(routes, version)) {
          if (find(largeLookup, large, version, address) === expected(address)) continue;
          assert.equal(
            find(largeLookup, large, version, address),
            expected(address),
            `IPv${version} ${address.toString(16)} among ${routes.length}`,
          );
        }
      }
    }),
    { numRuns: runs(25) },
  );
});

test("a row behind one far address in each word: below the last node it is searched", () => {
  const far = [96n, 64n, 32n, 31n].map((bit, i) => entry(6, 1n << bit, 128, i));
  const row = Array.from({ length: LARGE - far.length }, (_, i) =>
    entry(6, BigInt(2 * i + 2), 128, i % 50),
  );
  const routes = [...far, ...row];
  publishRoutes(large, routes);
  const expected = finder(routes, 6);
  for (const address of probes(routes, 6)) {
    assert.equal(find(largeLookup, large, 6, address), expected(address), address.toString(16));
  }
});

/** Distances that double: every part of every node but one is empty. */
const worst = (version: Version, count: number): RouteEntry[] => {
  const bits = bitsOf(version);
  return Array.from({ length: count }, (_, i) => {
    const address = (1n << BigInt(bits - 1 - (i % bits))) + BigInt(2 * Math.floor(i / bits));
    return entry(version, address, bits, i % 3);
  });
};

test("an index is never larger than its region, however prefixes lie", () => {
  const check = (version: Version, routes: readonly RouteEntry[]): void => {
    const words = routeTableWords(version, routes.length);
    const prefixes = new Prefixes(version === 4 ? 1 : 4);
    for (const { cidr, owner } of routes) prefixes.add(cidr, owner.entry);
    const boundaries = flatten(prefixes);
    assert(boundaries.count <= 2 * routes.length + 1, `${boundaries.count} boundaries`);
    // Memory of its own, that nobody shares; one that is too small is a RangeError.
    const used = writeTable({ u32: new Uint32Array(words), at: 0, words }, boundaries);
    assert(used <= words, `${used} words for ${routes.length} prefixes`);
  };
  for (const version of [4, 6] as const) {
    for (let count = 0; count < 300; count++) check(version, worst(version, count));
    check(version, worst(version, 20_000));
    fc.assert(
      fc.property(heap(version), (routes) => check(version, routes)),
      { numRuns: runs(40) },
    );
  }
});
