/** roster — how many entries and prefixes a change takes before it gives any back. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Roster } from "../../src/control/peers/roster.ts";
import { ROUTES_MAX } from "../../src/memory/layout.ts";
import { PeerEntries } from "../../src/memory/peers.ts";
import { makeArena } from "../../src/memory/region.ts";
import type { Cidr } from "../../src/wire/cidr.ts";

const key = (name: number): Uint8Array => new Uint8Array(32).fill(name);

test("only peers that come take entries, and those that leave and come again", () => {
  const arena = makeArena({ ioThreads: 1, workers: 0, peers: 3, routes: 8 });
  const roster = new Roster({
    arena,
    entries: new PeerEntries(arena),
  });
  roster.add(key(1), "file");
  roster.add(key(2), "file");
  const [one, two, three] = [1, 2, 3].map((name) => ({ publicKey: key(name) })) as [
    { publicKey: Uint8Array },
    { publicKey: Uint8Array },
    { publicKey: Uint8Array },
  ];
  const entries = (...peers: Parameters<Roster["entriesFor"]>[0]["peers"] & object): number =>
    roster.entriesFor({ peers });
  assert.equal(roster.entriesFor({}), 0);
  assert.equal(entries(one, two), 0);
  assert.equal(roster.entriesFor({ replacePeers: true, peers: [one, two] }), 0);
  assert.equal(entries(one, three, three), 1);
  assert.equal(entries({ ...three, updateOnly: true }), 0);
  assert.equal(entries({ ...one, remove: true }), 0);
  assert.equal(entries({ ...one, remove: true }, one), 1);
  assert.equal(entries({ ...one, remove: true }, { ...one, updateOnly: true }), 0);
  assert.equal(entries(three, { ...three, remove: true }, three), 2);
  // Others can come while the entries of all may still be held.
  assert.equal(roster.hasRoom(4), true);
  assert.equal(roster.hasRoom(5), false);
});

/** Different prefixes of length 32. */
const prefixes = (first: number, count: number): Cidr[] =>
  Array.from({ length: count }, (_, i) => {
    const bytes = new Uint8Array(4);
    new DataView(bytes.buffer).setUint32(0, first + i);
    return { version: 4, bytes, prefixLength: 32 };
  });

test("prefixes that a change replaces twice make room once", () => {
  const arena = makeArena({ ioThreads: 1, workers: 0, peers: 4, routes: ROUTES_MAX });
  const roster = new Roster({
    arena,
    entries: new PeerEntries(arena),
  });
  const half = ROUTES_MAX / 2;
  const publicKey = key(1);
  const full = { publicKey, allowedIps: prefixes(0, half) };
  roster.check({ peers: [full] });
  roster.setAllowedIps(roster.add(publicKey, "file"), full);
  const emptied = { publicKey, replaceAllowedIps: true } as const;
  const others = prefixes(1_000_000_000, ROUTES_MAX);
  roster.check({ peers: [emptied, emptied, { publicKey: key(2), allowedIps: others }] });
  const one = prefixes(2_000_000_000, 1);
  assert.throws(
    () =>
      roster.check({
        peers: [emptied, emptied, { publicKey: key(2), allowedIps: [...others, ...one] }],
      }),
    { code: "LIMIT" },
  );
});
