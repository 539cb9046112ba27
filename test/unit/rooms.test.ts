/**
 * rooms — what one room tells another, and I/O threads: a session that is in use, an endpoint that
 * becomes known, a suite that is to be had.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Peer } from "../../src/control/peers/peer.ts";
import { openRooms } from "../../src/control/rooms.ts";
import { TIMING } from "../../src/control/sessions/timers.ts";
import type { World } from "../../src/control/world.ts";
import { COMMAND, SUITE } from "../../src/memory/layout.ts";
import { Consumer } from "../../src/memory/queue.ts";
import { makeArena } from "../../src/memory/region.ts";
import { makeSockaddr } from "../../src/wire/sockaddr.ts";
import { fixed, fixedBytes, mac } from "./noise-parties.ts";

const NOW_MS = 5_000;
const UNIX_MS = Date.UTC(2026, 0, 1);
const IO_THREADS = 2;
const KEYS = { send: fixed("send"), receive: fixed("receive") };
const PLACE = makeSockaddr(Uint8Array.of(192, 0, 2, 1), 51_820);
const OTHER = makeSockaddr(Uint8Array.of(192, 0, 2, 2), 51_820);
/** Times of a peer to which nothing was sent yet, and from which nothing came. */
const STILL = {
  ...{ wantedAtMs: 0, lastSentMs: 0, lastDataSentMs: 0 },
  ...{ lastReceivedMs: 0, lastDataReceivedMs: 0 },
};

const open = () => {
  const arena = makeArena({ ioThreads: IO_THREADS, workers: 0, peers: 4, routes: 16 });
  const due: [peer: Peer, dueMs: number][] = [];
  const rung: number[] = [];
  let draws = 0;
  const world: World = {
    bootMs: () => NOW_MS,
    unixMs: () => UNIX_MS,
    random: () => 0,
    randomBytes: (bytes) => fixedBytes(`rooms ${draws++}`, bytes),
    mac,
    sourceHash: (_, high, low) => high ^ low,
    openClock: () => ({ next: () => fixedBytes("clock", 12), forget: () => {}, close: () => {} }),
    inside: () => false,
    send: () => true,
    isUnknownNeighbour: () => false,
    signal: (thread) => void rung.push(thread),
    wakeAt: () => {},
    pause: async () => {},
    resolve: async ({ host }) => (host === "other.example" ? OTHER : PLACE),
    listen: async (port) => port ?? 0,
    setMark: () => {},
    setMtu: () => {},
    onRoutes: () => {},
    logKeys: null,
    say: () => {},
  };
  const aes = { usable: true, faster: true };
  const dueBy = (...one: [Peer, number]): void => void due.push(one);
  const rooms = openRooms(
    { arena, timing: TIMING, cipher: "auto", aes, dueBy, network: () => null },
    world,
  );
  const queues = Array.from({ length: IO_THREADS }, (_, i) => new Consumer(arena, "commands", i));
  /** What each I/O thread has been told since this was asked last. */
  const told = (): number[][] =>
    queues.map((queue) => {
      const kinds: number[] = [];
      while (queue.next()) kinds.push(queue.kind);
      return kinds;
    });
  const peer = rooms.roster.add(fixed("peer"), "file");
  const make = (initiator: boolean, suite: 0 | 1 = SUITE.chacha20poly1305) => {
    const localIndex = rooms.keeper.reserveIndex(peer.owner);
    const made = { peer, localIndex, remoteIndex: 1, initiator, suite, keys: KEYS };
    return rooms.keeper.create(made, NOW_MS)!;
  };
  return { rooms, peer, make, due, rung, told };
};

test("a session that we answered is in use: I/O threads release what waits for its peer", () => {
  const { rooms, peer, make, told } = open();
  const { keeper } = rooms;
  const made = make(false);
  keeper.useAnswered(peer, made, NOW_MS);
  assert.deepEqual(told(), [[], []]);
  assert(keeper.confirm(peer, made.session, made.generation, NOW_MS));
  assert.deepEqual(told(), [[COMMAND.release], [COMMAND.release]]);
  const { timers, lastHandshakeUnixMs } = keeper.of(peer);
  assert.equal(timers.handshakeDoneMs, NOW_MS);
  assert.equal(lastHandshakeUnixMs, UNIX_MS);
});

test("a peer's I/O thread alone keeps it alive; all give up what waits for it", () => {
  const { rooms, peer, rung, told } = open();
  rooms.command(peer, COMMAND.keepalive);
  assert.deepEqual(told()[peer.owner], [COMMAND.keepalive]);
  assert.deepEqual(rung, [peer.owner]);
  rooms.command(peer, COMMAND.discard);
  assert.deepEqual(told(), [[COMMAND.discard], [COMMAND.discard]]);
  assert.deepEqual(rung.slice(1).sort(), [0, 1]);
});

test("a suite that is to be had: the peer is looked at again, when it is to be asked", () => {
  const { rooms, peer, make, due } = open();
  const { keeper, suites } = rooms;
  keeper.useInitiated(peer, make(true), NOW_MS);
  suites.learn(peer, suites.offered, NOW_MS);
  assert.equal(due.length, 1);
  const [who, dueMs] = due[0]!;
  assert.equal(who, peer);
  const { timers, current } = keeper.of(peer);
  const seen = { ...STILL, session: keeper.seen(current!), persistentKeepaliveMs: 0 };
  assert(!timers.step(seen, dueMs - 1).includes("renew"));
  assert(timers.step(seen, dueMs).includes("renew"));
});

test("an endpoint becomes known: who is called is called there, and nobody else", async () => {
  const { rooms, peer } = open();
  const { endpoints, exchange, keeper, entries } = rooms;
  const called: Peer[] = [];
  exchange.initiate = (one) => void called.push(one);
  endpoints.set(peer, { host: "peer.example", port: 51_820 });
  await new Promise(setImmediate);
  assert.deepEqual(entries.endpoint(peer.entry), PLACE);
  assert.deepEqual(called, []);
  const wants = { ...STILL, wantedAtMs: NOW_MS, session: null, persistentKeepaliveMs: 0 };
  assert.deepEqual(keeper.of(peer).timers.step(wants, NOW_MS), ["initiate"]);
  endpoints.set(peer, { host: "other.example", port: 51_820 });
  await new Promise(setImmediate);
  assert.deepEqual(called, [peer]);
});
