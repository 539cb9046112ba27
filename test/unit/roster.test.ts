/** roster — how many entries a change takes before it gives any back. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Roster } from "../../src/control/roster.ts";
import { TIMING } from "../../src/control/timers.ts";
import { PeerEntries } from "../../src/memory/peers.ts";
import { makeArena } from "../../src/memory/region.ts";

const key = (name: number): Uint8Array => new Uint8Array(32).fill(name);

test("only peers that come take entries, and those that leave and come again", () => {
  const arena = makeArena({ ioThreads: 1, workers: 0, peers: 3, routes: 8 });
  const roster = new Roster({
    arena,
    entries: new PeerEntries(arena),
    mac: () => new Uint8Array(16),
    timing: TIMING,
    random: () => 0,
  });
  roster.add(key(1));
  roster.add(key(2));
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
  assert.equal(roster.hasRoom(1), true);
  assert.equal(roster.hasRoom(2), false);
});
