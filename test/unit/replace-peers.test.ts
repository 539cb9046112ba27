/** replace peers — what fits when a change is made is taken, whatever it replaces. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Roster } from "../../src/control/peers/roster.ts";
import { IO, ROUTES_MAX } from "../../src/memory/layout.ts";
import { PEER_FIELD, PeerEntries, peerWord } from "../../src/memory/peers.ts";
import { fieldWord, makeArena, wordOf } from "../../src/memory/region.ts";
import type { PeerChange } from "../../src/schema/change.ts";
import type { Cidr } from "../../src/wire/cidr.ts";
import { type End, Pair } from "./control-pair.ts";
import { fixed } from "./noise-parties.ts";

const AUTO = { cipher: "auto" } as const;
/** Most peers of an end. */
const LIMIT = 2;

const others = (round: number): PeerChange[] =>
  Array.from({ length: LIMIT }, (_, i) => ({ publicKey: fixed(`peer ${round} ${i}`) }));
const keysOf = ({ control }: End): string[] =>
  Array.from(control.roster.peers(), ({ publicKey }) => Buffer.from(publicKey).toString("hex"));
const named = (peers: readonly PeerChange[]): string[] =>
  peers.map(({ publicKey }) => Buffer.from(publicKey).toString("hex"));

/** The I/O thread's turns: odd while one is under way, in which it holds what it may have seen. */
const turns = ({ arena }: End, loops: number): void => {
  const io = wordOf(arena, "ios", IO.size, 0);
  Atomics.store(arena.i32, io + fieldWord(IO.fields.loops), loops);
};

test("as many peers as there may be are replaced by as many others, again and again", async () => {
  const { a } = await Pair.make(AUTO, AUTO);
  for (let round = 0; round < 20; round++) {
    await a.control.apply({ replacePeers: true, peers: others(round) });
    assert.deepEqual(keysOf(a), named(others(round)));
  }
});

test("as a change of single peers too, whatever their order", async () => {
  const { a } = await Pair.make(AUTO, AUTO);
  await a.control.apply({ replacePeers: true, peers: others(0) });
  for (let round = 1; round < 20; round++) {
    const gone = others(round - 1).map(({ publicKey }) => ({ publicKey, remove: true as const }));
    const peers = round % 2 === 0 ? [...gone, ...others(round)] : [...others(round), ...gone];
    await a.control.apply({ peers });
    assert.deepEqual(keysOf(a), named(others(round)));
  }
  const [extra] = others(99);
  await assert.rejects(a.control.apply({ peers: [extra!] }), { code: "LIMIT" });
});

test("no entry is used again while an I/O thread holds it; a change is whole or not", async () => {
  const { a } = await Pair.make(AUTO, AUTO);
  await a.control.apply({ replacePeers: true, peers: others(0) });
  const before = [...a.control.roster.peers()].map(({ entry }) => entry);
  turns(a, 1);
  await a.control.apply({ replacePeers: true, peers: others(1) });
  for (const { entry } of a.control.roster.peers()) assert(!before.includes(entry));
  await assert.rejects(a.control.apply({ replacePeers: true, peers: others(2) }), {
    code: "LIMIT",
  });
  assert.deepEqual(keysOf(a), named(others(1)));
  turns(a, 2);
  await a.control.apply({ replacePeers: true, peers: others(2) });
  assert.deepEqual(keysOf(a), named(others(2)));
});

test("an entry that is used again says so: its generation is odd, and another one", () => {
  const arena = makeArena({ ioThreads: 1, workers: 0, peers: 1, routes: 1 });
  const entries = new PeerEntries(arena);
  const roster = new Roster({ arena, entries });
  const seen: number[] = [];
  for (let i = 0; i < 6; i++) {
    const peer = roster.add(fixed(`peer ${i}`), "file");
    const generation = (): number =>
      arena.u32[peerWord(arena, peer.entry) + PEER_FIELD.generation]!;
    assert.equal(generation() % 2, 1);
    if (peer.entry === 0) seen.push(generation());
    roster.remove(peer);
    assert.equal(generation() % 2, 0);
    roster.settle(0, true);
  }
  assert(seen.length > 1);
  assert.equal(new Set(seen).size, seen.length);
});

/** Different prefixes of length 32. */
const prefixes = (first: number, count: number): Cidr[] =>
  Array.from({ length: count }, (_, i) => {
    const bytes = new Uint8Array(4);
    new DataView(bytes.buffer).setUint32(0, first + i);
    return { version: 4, bytes, prefixLength: 32 };
  });

test("where all prefixes are in use, some change hands, go, and come, in one change", () => {
  const arena = makeArena({ ioThreads: 1, workers: 0, peers: 4, routes: ROUTES_MAX });
  const entries = new PeerEntries(arena);
  const roster = new Roster({ arena, entries });
  const [many, one, two] = [fixed("many"), fixed("one"), fixed("two")];
  const few = prefixes(1_000_000_000, 4);
  const fresh = prefixes(2_000_000_000, 4);
  const [extra] = prefixes(3_000_000_000, 1);
  roster.change(() => {
    const allowedIps = prefixes(0, ROUTES_MAX - few.length);
    roster.setAllowedIps(roster.add(many, "file"), { publicKey: many, allowedIps });
    roster.setAllowedIps(roster.add(one, "file"), { publicKey: one, allowedIps: few });
  });
  assert.equal(roster.allowed.count, ROUTES_MAX);
  const goes = { publicKey: one, remove: true } as const;
  const fitting: PeerChange[][] = [
    [{ publicKey: two, allowedIps: few }],
    [goes, { publicKey: two, allowedIps: fresh }],
    [{ publicKey: two, allowedIps: fresh }, goes],
    [goes, { publicKey: one, allowedIps: fresh }],
    [{ publicKey: one, removedAllowedIps: few, allowedIps: fresh }],
    [{ publicKey: one, replaceAllowedIps: true, allowedIps: fresh }],
    [{ publicKey: two, updateOnly: true, allowedIps: fresh }],
  ];
  for (const peers of fitting) roster.check({ peers });
  const tooMany: PeerChange[][] = [
    [{ publicKey: two, allowedIps: [extra!] }],
    [{ publicKey: one, allowedIps: [...few, extra!] }],
    [goes, { publicKey: two, allowedIps: [...fresh, extra!] }],
    [goes, { publicKey: one, updateOnly: true }, { publicKey: two, allowedIps: [...few, extra!] }],
  ];
  for (const peers of tooMany) assert.throws(() => roster.check({ peers }), { code: "LIMIT" });
  // What was tried has been taken back.
  assert.equal(roster.allowed.countOf(roster.find(one)!), few.length);
  roster.change(() => {
    roster.setAllowedIps(roster.add(two, "file"), { publicKey: two, allowedIps: fresh });
    roster.remove(roster.find(one)!);
  });
  assert.equal(roster.allowed.count, ROUTES_MAX);
});
