/**
 * vectors-wireguard-go — its tables of timestamps, token buckets and allowed IPs. Its other tables
 * stand in noise.test.ts (KDF), cookie.test.ts and native/replay_test.c.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Limiter, type SourceHash } from "../../src/control/strangers/limiter.ts";
import { makeArena } from "../../src/memory/region.ts";
import { publishRoutes, type RouteEntry } from "../../src/memory/routes.ts";
import { type Cidr, maskCidr, parseAddress, parseCidr } from "../../src/wire/cidr.ts";
import { makeSockaddr } from "../../src/wire/sockaddr.ts";
import { compareTai64n, tai64n } from "../../src/wire/tai64n.ts";
import { RouteLookup } from "../lab/route-lookup.ts";
import { ownVectors } from "./vectors.ts";

type Placed = readonly [peer: string, where: string];

interface Vectors {
  readonly tai64n: {
    readonly startNs: number;
    readonly rows: readonly (readonly [addedNs: number, newer: boolean])[];
  };
  readonly ratelimiter: {
    readonly steps: readonly (readonly [waitMs: number, allowed: boolean])[];
    readonly addresses: readonly string[];
  };
  readonly allowedIps: readonly {
    readonly remove?: readonly string[];
    readonly insert?: readonly Placed[];
    readonly is?: readonly Placed[];
    readonly isNot?: readonly Placed[];
  }[];
}

const given = ownVectors<Vectors>("wireguard-go.json");

test("tai64n: between 10 and 20 ms make a newer timestamp", () => {
  const { startNs, rows } = given.tai64n;
  assert.equal(rows.length, 5);
  for (const [addedNs, newer] of rows) {
    const [before, after] = [tai64n(startNs / 1e6), tai64n((startNs + addedNs) / 1e6)];
    assert.equal(compareTai64n(after, before) > 0, newer, `${addedNs} ns`);
  }
});

test("ratelimiter: 14 addresses, a burst of 5, 20 a second", () => {
  const { steps, addresses } = given.ratelimiter;
  const hash: SourceHash = (family, high, low) => Math.imul(high ^ low ^ family, 0x9e3779b1) >>> 0;
  const limiter = new Limiter(hash);
  let nowMs = 1_000;
  steps.forEach(([waitMs, allowed], i) => {
    // A nanosecond goes by with each step.
    nowMs += waitMs + 1e-6;
    for (const address of addresses) {
      const from = makeSockaddr(parseAddress(address)!, 51_820);
      assert.equal(limiter.take(from, nowMs), allowed, `step ${i}, ${address}`);
    }
  });
  assert.equal(steps.length * addresses.length, 11 * 14);
});

const wordsOf = (bytes: Uint8Array): [number, number, number, number] => {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const word = (i: number): number => (4 * i < bytes.length ? view.getUint32(4 * i) : 0);
  return [word(0), word(1), word(2), word(3)];
};

const entryOf = (entry: number, cidr: Cidr): RouteEntry => ({ cidr, owner: { entry } });

test("allowedips: the longest prefix decides, the last giver has it, none is left behind", () => {
  const arena = makeArena({ ioThreads: 1, workers: 0, peers: 8, routes: 64 });
  const lookup = new RouteLookup(arena);
  const peerOf = (name: string): number => name.charCodeAt(0) - "a".charCodeAt(0);
  const find = (address: string): number => {
    const bytes = parseAddress(address)!;
    const words = wordsOf(bytes);
    const word = arena.layout.base.jobs >>> 2;
    arena.u32.set(words, word);
    return lookup.find(bytes.length === 4 ? 4 : 6, word);
  };
  let routes: RouteEntry[] = [];
  let looked = 0;
  for (const { remove = [], insert = [], is = [], isNot = [] } of given.allowedIps) {
    const gone = remove.map(peerOf);
    routes = routes.filter(({ owner }) => !gone.includes(owner.entry));
    routes.push(...insert.map(([peer, cidr]) => entryOf(peerOf(peer), maskCidr(parseCidr(cidr)!))));
    publishRoutes(arena, routes);
    for (const [peer, address] of is) {
      assert.equal(find(address), peerOf(peer), address);
      looked++;
    }
    for (const [peer, address] of isNot) {
      assert.notEqual(find(address), peerOf(peer), address);
      looked++;
    }
  }
  assert.equal(looked, 31);
});
