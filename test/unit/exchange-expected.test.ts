/**
 * exchange (expected) — message 1 of a member who has no entry yet: it gets one when it is proved.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { createInitiation, mac1Key, staticKeys } from "../../src/control/handshake/noise.ts";
import type { Network } from "../../src/control/network/network.ts";
import type { Peer } from "../../src/control/peers/peer.ts";
import { openRooms, type Rooms } from "../../src/control/rooms.ts";
import { TIMING } from "../../src/control/sessions/timers.ts";
import { CookieChecker } from "../../src/control/strangers/cookie.ts";
import { Limiter } from "../../src/control/strangers/limiter.ts";
import { Load } from "../../src/control/strangers/load.ts";
import type { World } from "../../src/control/world.ts";
import { makeArena } from "../../src/memory/region.ts";
import { makeSockaddr } from "../../src/wire/sockaddr.ts";
import { fixed, fixedBytes, mac } from "./noise-parties.ts";

const NOW_MS = 5_000;
const PLACE = makeSockaddr(Uint8Array.of(192, 0, 2, 1), 51_820);
const ANY = new Uint8Array(0);
const US = staticKeys(fixed("us"));
const MEMBER = staticKeys(fixed("member"));
const THIEF = staticKeys(fixed("thief"));

const open = () => {
  const arena = makeArena({ ioThreads: 1, workers: 0, peers: 4, routes: 16 });
  const clock = { next: () => fixedBytes("clock", 12), forget: () => {}, close: () => {} };
  let draws = 0;
  const world: World = {
    bootMs: () => NOW_MS,
    unixMs: () => Date.UTC(2026, 0, 1),
    random: () => 0,
    randomBytes: (bytes) => fixedBytes(`expected ${draws++}`, bytes),
    mac,
    sourceHash: (_, high, low) => high ^ low,
    openClock: () => clock,
    inside: () => false,
    send: () => true,
    isUnknownNeighbour: () => false,
    signal: () => {},
    wakeAt: () => {},
    pause: async () => {},
    resolve: async () => PLACE,
    listen: async (port) => port ?? 0,
    setMark: () => {},
    setMtu: () => {},
    onRoutes: () => {},
    logKeys: null,
    say: () => {},
  };
  const admitted: Peer[] = [];
  const same = (a: Uint8Array, b: Uint8Array): boolean => Buffer.compare(a, b) === 0;
  const network = {
    expects: (key: Uint8Array) => same(key, MEMBER.publicKey),
    findPeer: (key: Uint8Array) => {
      admitted.push(rooms.roster.add(Uint8Array.from(key), "network"));
      return admitted[0]!;
    },
  } as unknown as Network;
  const aes = { usable: true, faster: true };
  const options = { arena, timing: TIMING, cipher: "auto", aes, dueBy: () => {} } as const;
  const rooms: Rooms = openRooms({ ...options, network: () => network }, world);
  const cookies = new CookieChecker({
    publicKey: US.publicKey,
    mac,
    random: (bytes) => fixedBytes("cookie", bytes),
  });
  const limiter = new Limiter(world.sourceHash);
  const load = new Load({
    checker: cookies,
    limiter,
    isUnknownNeighbour: () => false,
    onLoad: () => {},
  });
  rooms.exchange.become({ keys: US, load, cookies, clock });
  return { rooms, admitted };
};

/** Message 1 to us. */
const first = (local: typeof US): Uint8Array =>
  createInitiation({
    local,
    remotePublicKey: US.publicKey,
    ephemeralSeed: fixed("ephemeral"),
    senderIndex: 7,
    timestamp: fixedBytes("time", 12),
    mac,
  }).datagram;

test("who names a member's key and does not have it takes nobody's place", () => {
  const { rooms, admitted } = open();
  const forged = first({
    ...THIEF,
    publicKey: MEMBER.publicKey,
    mac1Key: mac1Key(MEMBER.publicKey),
  });
  assert.equal(rooms.exchange.receive(forged, PLACE, ANY, NOW_MS), null);
  assert.equal(admitted.length, 0);
});

test("a member that proves its key is a peer, and is answered; a stranger is not", () => {
  const { rooms, admitted } = open();
  assert.equal(rooms.exchange.receive(first(THIEF), PLACE, ANY, NOW_MS), null);
  assert.equal(admitted.length, 0);
  const peer = rooms.exchange.receive(first(MEMBER), PLACE, ANY, NOW_MS);
  assert.ok(peer !== null && peer === admitted[0]);
});
