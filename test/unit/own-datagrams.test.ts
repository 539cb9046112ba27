/**
 * own-datagrams — by which addresses our own datagrams are known when they come out of the device,
 * and how often somebody is asked whose they are.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Underlay } from "../../src/control/host/underlay.ts";
import { LOOK_EVERY_MS, Loops } from "../../src/control/reach/loops.ts";
import { Counters } from "../../src/memory/counters.ts";
import { DROP, ENGINE, LOCAL } from "../../src/memory/layout.ts";
import { type Arena, fieldWord, makeArena, wordOf } from "../../src/memory/region.ts";
import { formatAddress } from "../../src/wire/cidr.ts";
import { makeSockaddr } from "../../src/wire/sockaddr.ts";
import { Pair } from "./control-pair.ts";

const PLAIN = { cipher: "chacha20poly1305" } as const;
const LIMITS = { ioThreads: 1, workers: 0, peers: 2, routes: 4 };
const LOOPBACK = "127.0.0.1";

/** IPv4 addresses of the host, as C finds them. */
const hostsOf = (arena: Arena): string[] => {
  const { u32 } = arena;
  const engine = wordOf(arena, "engine", ENGINE.size, 0);
  const count = u32[engine + fieldWord(ENGINE.fields.hostCount)]!;
  return Array.from({ length: count }, (_, i) => {
    const word = wordOf(arena, "hosts", LOCAL.size, i);
    const bytes = new Uint8Array(4);
    new DataView(bytes.buffer).setUint32(0, u32[word + fieldWord(LOCAL.fields.address)]!);
    return u32[word + fieldWord(LOCAL.fields.version)] === 4 ? formatAddress(bytes) : "";
  });
};

const hostsWith = (listenAddress: string): string[] => {
  const arena = makeArena(LIMITS);
  const nothing = (): void => {};
  const options = { index: 1, bound: false, port: 51_820, mark: () => 0, say: nothing };
  const waits = { later: () => nothing, onNetwork: nothing };
  new Underlay({ arena, listenAddress, ...options, ...waits }).close();
  return hostsOf(arena);
};

test("every address of the host, or the one that we listen on", () => {
  for (const any of ["", "0.0.0.0", "::"]) assert.ok(hostsWith(any).includes(LOOPBACK), any);
  assert.deepEqual(hostsWith("192.0.2.1"), ["192.0.2.1"]);
});

test("however many are cut, peers are asked about once a second", async () => {
  const { a } = await Pair.make(PLAIN, PLAIN);
  const { roster, entries } = a.control;
  const inner = makeSockaddr(Uint8Array.of(10, 66, 0, 2), 51_820);
  assert.equal(entries.setEndpoint(a.peer.entry, inner), true);
  const counters = new Counters(a.arena, 0);
  const said: unknown[] = [];
  let nowMs = 0;
  let asked = 0;
  const loops = new Loops(a.arena, {
    bootMs: () => nowMs,
    inside: () => ++asked > 0,
    say: (_level, _text, facts) => said.push(facts?.endpoint),
  });
  const look = (): void => loops.look(roster.peers(), entries);
  look();
  assert.equal(asked, 0, "nothing was cut");
  for (nowMs = 1; nowMs <= 3 * LOOK_EVERY_MS; nowMs++) {
    counters.add(DROP.ownDatagram, 1);
    look();
  }
  assert.equal(asked, 3);
  assert.deepEqual(
    said,
    Array.from({ length: 3 }, () => "10.66.0.2:51820"),
  );
  // What was cut since the last look is told at the next.
  nowMs += LOOK_EVERY_MS;
  look();
  assert.equal(asked, 4);
});
