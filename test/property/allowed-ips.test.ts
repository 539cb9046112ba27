/**
 * allowed-ips — who owns which prefix, against a plain list that is searched from end to end.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { AllowedIps } from "../../src/control/peers/allowed-ips.ts";
import { ROUTES_MAX } from "../../src/memory/layout.ts";
import { publishRoutes } from "../../src/memory/routes.ts";
import { type Cidr, formatCidr, maskCidr, parseCidr } from "../../src/wire/cidr.ts";
import { RouteLookup } from "../lab/route-lookup.ts";
import { runs, smallArena } from "./arena.ts";
import { find as findIn } from "./prefixes.ts";

interface Peer {
  readonly entry: number;
}

const PEERS: readonly Peer[] = Array.from({ length: 4 }, (_, entry) => ({ entry }));
const MOST = 12;

const cidr = (text: string): Cidr => {
  const parsed = parseCidr(text);
  assert(parsed !== null, text);
  return parsed;
};

/** The twin: [owner, prefix] in the order given. */
class Plain {
  rows: (readonly [peer: Peer, text: string])[] = [];
  bound = MOST;

  give(peer: Peer, text: string): boolean {
    const others = this.rows.filter((row) => row[1] !== text);
    if (others.length === this.rows.length && this.rows.length >= this.bound) return false;
    this.rows = [...others, [peer, text]];
    return true;
  }

  take(peer: Peer, text: string): boolean {
    const rest = this.rows.filter((row) => row[0] !== peer || row[1] !== text);
    const taken = rest.length < this.rows.length;
    this.rows = rest;
    return taken;
  }

  clear(peer: Peer): void {
    this.rows = this.rows.filter((row) => row[0] !== peer);
  }

  of(peer: Peer): string[] {
    return this.rows.filter((row) => row[0] === peer).map((row) => row[1]);
  }
}

const text = (prefix: Cidr): string => formatCidr(maskCidr(prefix));

const same = (table: AllowedIps<Peer>, plain: Plain): void => {
  assert.equal(table.count, plain.rows.length);
  for (const peer of PEERS) {
    assert.deepEqual([...table.of(peer)].map(formatCidr), plain.of(peer));
    assert.equal(table.countOf(peer), plain.of(peer).length);
  }
  for (const [peer, prefix] of plain.rows) assert.equal(table.ownerOf(cidr(prefix)), peer);
  const all = [...table.entries()].map((row) => `${row.owner.entry} ${formatCidr(row.cidr)}`);
  assert.deepEqual(all.sort(), plain.rows.map((row) => `${row[0].entry} ${row[1]}`).sort());
};

/** Few, so that they meet; with host bits, which do not count. */
const prefix = fc.oneof(
  fc
    .tuple(fc.constantFrom(0, 9, 10, 255), fc.constantFrom(0, 1, 128), fc.constantFrom(0, 1, 9, 32))
    .map(([a, b, length]) => cidr(`${a}.${b}.0.1/${length}`)),
  fc
    .tuple(fc.constantFrom("fd00", "ffff", "0"), fc.constantFrom(0, 7, 64, 127, 128))
    .map(([group, length]) => cidr(`${group}::1:1/${length}`)),
);

const peer = fc.constantFrom(...PEERS);

type Step =
  | { readonly kind: "give" | "take"; readonly peer: Peer; readonly prefix: Cidr }
  | { readonly kind: "clear"; readonly peer: Peer };

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ kind: fc.constant("give" as const), peer, prefix }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant("take" as const), peer, prefix }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("clear" as const), peer }) },
);

const apply = (table: AllowedIps<Peer>, plain: Plain, one: Step): void => {
  if (one.kind === "clear") {
    table.clear(one.peer);
    plain.clear(one.peer);
  } else {
    const done = table[one.kind](one.peer, one.prefix);
    assert.equal(done, plain[one.kind](one.peer, text(one.prefix)));
  }
};

test("giving, taking and clearing do what a plain list does", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const table = new AllowedIps<Peer>(MOST);
      const plain = new Plain();
      for (const one of steps) {
        apply(table, plain, one);
        same(table, plain);
      }
    }),
    { numRuns: runs(400) },
  );
});

test("a change is whole or not at all, with every prefix in its old place", () => {
  const change = fc.record({ steps: fc.array(step, { maxLength: 40 }), kept: fc.boolean() });
  fc.assert(
    fc.property(fc.array(change, { maxLength: 8 }), (changes) => {
      const table = new AllowedIps<Peer>(MOST);
      const plain = new Plain();
      for (const { steps, kept } of changes) {
        const before = plain.rows;
        table.begin();
        plain.bound = 2 * MOST;
        for (const one of steps) apply(table, plain, one);
        same(table, plain);
        const fits = kept && plain.rows.length <= MOST;
        if (kept) assert.equal(table.keep(), fits);
        else table.drop();
        if (!fits) plain.rows = before;
        plain.bound = MOST;
        same(table, plain);
      }
    }),
    { numRuns: runs(400) },
  );
});

test("the table that readers get is the one that is kept", () => {
  const arena = smallArena();
  const lookup = new RouteLookup(arena);
  const table = new AllowedIps<Peer>();
  const [a, b] = [PEERS[0]!, PEERS[1]!];
  const find = (address: number): number => {
    publishRoutes(arena, table.entries());
    return findIn(lookup, arena, 4, BigInt(address));
  };
  table.give(a, cidr("10.0.0.0/8"));
  table.give(b, cidr("10.1.0.0/16"));
  assert.deepEqual([find(0x0a00_0001), find(0x0a01_0001)], [0, 1]);
  table.give(a, cidr("10.1.2.3/16"));
  assert.deepEqual([find(0x0a01_0001), table.countOf(b)], [0, 0]);
  table.begin();
  table.clear(a);
  table.drop();
  assert.equal(find(0x0a01_0001), 0);
  table.clear(a);
  assert.deepEqual([find(0x0a01_0001), table.count], [-1, 0]);
});

const count4 = (i: number): Cidr => ({
  version: 4,
  bytes: Uint8Array.of(i >>> 24, i >>> 16, i >>> 8, i),
  prefixLength: 32,
});

test("as many as the limit, and one more changes nothing", () => {
  const table = new AllowedIps<Peer>();
  const [a, b] = [PEERS[0]!, PEERS[1]!];
  for (let i = 0; i < ROUTES_MAX; i++) assert(table.give(a, count4(i)));
  assert(!table.give(b, count4(ROUTES_MAX)));
  assert(table.give(b, count4(5)), "what is there already may be taken over");
  assert.deepEqual([table.countOf(a), table.countOf(b)], [ROUTES_MAX - 1, 1]);
  table.begin();
  assert(table.give(b, count4(ROUTES_MAX)), "a change may take others away later");
  assert(!table.keep());
  assert.equal(table.ownerOf(count4(ROUTES_MAX)), null);
  table.begin();
  assert(table.give(b, count4(ROUTES_MAX)));
  table.clear(a);
  assert(table.keep());
  assert.deepEqual([...table.of(b)].map(formatCidr), ["0.0.0.5/32", "0.4.0.0/32"]);
});
