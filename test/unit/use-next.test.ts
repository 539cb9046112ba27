/**
 * use-next — the I/O thread that opens the first packet of a session that we answered seals with it
 * before the packet reaches the TUN device, unless control has taken it away; answers go where it
 * came from.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { addon } from "../../src/io/native/addon.ts";
import { IoThread } from "../../src/io/thread.ts";
import { EVENT, SUITE } from "../../src/memory/layout.ts";
import { writeMtu } from "../../src/memory/mtu.ts";
import { PeerEntries } from "../../src/memory/peers.ts";
import { Consumer } from "../../src/memory/queue.ts";
import { makeArena, regionTables, shareOf } from "../../src/memory/region.ts";
import { publishRoutes } from "../../src/memory/routes.ts";
import { Sessions } from "../../src/memory/sessions.ts";
import { formatSockaddr, makeSockaddr } from "../../src/wire/sockaddr.ts";

const LOOPBACK = Uint8Array.of(127, 0, 0, 1);
const NOWHERE = new Uint8Array(0);
/** Turns until a datagram on loopback has arrived, of 10 ms at most each. */
const TURNS = 100;
const PACKET_BYTES = 84;
const OLD_INDEX = 5;
const NEW_INDEX = 6;

const packet = (): Uint8Array => {
  const bytes = new Uint8Array(PACKET_BYTES);
  bytes.set([0x45, 0, 0, PACKET_BYTES]);
  bytes.set([64, 1], 8);
  bytes.set([10, 0, 0, 1, 10, 0, 0, 2], 12);
  return bytes;
};

/** What waits on a socket. */
const arrived = (fd: number): Uint8Array[] => {
  const bytes = new Uint8Array(32 * 2_048);
  const meta = new Uint8Array(32 * 64);
  const count = addon.datagramReceive(fd, bytes, meta);
  return Array.from({ length: Math.max(0, count) }, (_, i) => {
    const length = meta[i * 64]! | (meta[i * 64 + 1]! << 8);
    return bytes.slice(i * 2_048, i * 2_048 + length);
  });
};

/** An I/O thread, its peer's socket, and the two sessions of the peer: an old one and a new one. */
const setUp = (suite: 0 | 1) => {
  const arena = makeArena({ ioThreads: 1, workers: 0, peers: 2, routes: 4 });
  const { bases, counts } = regionTables(arena);
  writeMtu(arena, 1_420);
  const prefix = { version: 4 as const, bytes: Uint8Array.of(10, 0, 0, 0), prefixLength: 8 };
  publishRoutes(arena, [{ cidr: prefix, owner: { entry: 0 } }]);
  const open = (): number => addon.udpOpen(4, "127.0.0.1", 0, 0, "");
  const [udp4, there, tun, host] = [open(), open(), open(), open()];
  const [wake, controlWake] = [addon.eventOpen(), addon.eventOpen()];
  for (const fd of [udp4, there, tun, host, wake, controlWake]) assert(fd >= 0);
  assert(addon.udpConnect(tun, makeSockaddr(LOOPBACK, addon.udpPort(host))) >= 0);
  const offloads = { gso: false, uso: false, tso: false, busyBytes: 0 };
  const io = { thread: 0, tun, vnetHeaderBytes: 0, udp4, udp6: -1, wake, ...offloads };
  const thread = new IoThread({ share: shareOf(arena), io, controlWake }, () => {});
  const sessions = new Sessions(arena);
  const key = new Uint8Array(32).fill(7);
  const make = (index: number): number => {
    const session = sessions.take();
    sessions.fill(session, {
      ...{ peer: 0, localIndex: index, remoteIndex: index, suite, initiator: false, owner: 0 },
      ...{ rejectAtMs: Number.POSITIVE_INFINITY, rejectAt: 2n ** 36n },
      ...{ sendKey: key, receiveKey: key },
    });
    return session;
  };
  const [old, fresh] = [make(OLD_INDEX), make(NEW_INDEX)];
  const entries = new PeerEntries(arena);
  entries.setEndpoint(0, makeSockaddr(LOOPBACK, addon.udpPort(there)), makeSockaddr(LOOPBACK, 0));
  const step = (isDone: () => boolean): void => {
    addon.attach(arena.u8, bases, counts);
    for (let turn = 0; turn < TURNS && !isDone(); turn++) thread.step(10);
  };
  const tunAt = makeSockaddr(LOOPBACK, addon.udpPort(tun));
  /** The datagram in which a packet leaves, as it comes to a socket; null: it does not. */
  const seal = (to = there): Uint8Array | null => {
    const found: Uint8Array[] = [];
    addon.datagramSend(host, packet(), tunAt, NOWHERE);
    step(() => found.push(...arrived(to)) > 0);
    return found[0] ?? null;
  };
  // What the peer sends first in the new session: both ends have the same keys here.
  entries.setCurrent(0, fresh);
  const first = seal();
  assert(first !== null);
  entries.setCurrent(0, old);
  const here = makeSockaddr(LOOPBACK, addon.udpPort(udp4));
  /** The peer's first datagram comes, from its socket or from another one. */
  const receive = (from: number): Uint8Array[] => {
    addon.datagramSend(from, first, here, NOWHERE);
    const found: Uint8Array[] = [];
    step(() => found.push(...arrived(host)) > 0);
    return found;
  };
  const close = (): void => {
    addon.attach(arena.u8, bases, counts);
    thread.close();
    for (const fd of [udp4, there, tun, host, wake, controlWake]) addon.close(fd);
  };
  const events = new Consumer(arena, "events", 0);
  return { entries, events, seal, receive, there, old, fresh, close };
};

const indexOf = (datagram: Uint8Array | null): number | null =>
  datagram === null ? null : new DataView(datagram.buffer).getUint32(4, true);

for (const [name, suite] of Object.entries(SUITE)) {
  test(`${name}: the answer to the first packet is sealed in the new session`, () => {
    const s = setUp(suite);
    try {
      assert.equal(indexOf(s.seal()), OLD_INDEX);
      assert(s.entries.setNext(0, -1, s.fresh));
      assert.equal(indexOf(s.seal()), OLD_INDEX, "before its first packet it is not used");
      const written = s.receive(s.there);
      assert.deepEqual(written, [packet()]);
      // Control has not heard of it yet.
      assert.equal(s.entries.current(0), s.fresh);
      assert.equal(indexOf(s.seal()), NEW_INDEX);
      assert(s.events.next());
      const { kind, session, address } = s.events;
      assert.deepEqual([kind, session], [EVENT.confirmed, s.fresh]);
      assert.equal(formatSockaddr(address), `127.0.0.1:${addon.udpPort(s.there)}`);
    } finally {
      s.close();
    }
  });

  test(`${name}: it came from elsewhere: the answer goes there, before control has heard`, () => {
    const s = setUp(suite);
    const elsewhere = addon.udpOpen(4, "127.0.0.1", 0, 0, "");
    try {
      assert(s.entries.setNext(0, -1, s.fresh));
      assert.deepEqual(s.receive(elsewhere), [packet()]);
      assert.equal(s.entries.current(0), s.fresh);
      assert.equal(indexOf(s.seal(elsewhere)), NEW_INDEX);
      assert(s.events.next());
      assert.equal(s.events.kind, EVENT.confirmed);
      assert.equal(formatSockaddr(s.events.address), `127.0.0.1:${addon.udpPort(elsewhere)}`);
    } finally {
      s.close();
      addon.close(elsewhere);
    }
  });

  test(`${name}: control has taken it away, or another one waits: what is used stays`, () => {
    const s = setUp(suite);
    try {
      assert(s.entries.setNext(0, -1, s.fresh));
      assert(s.entries.setNext(0, s.fresh, -1));
      assert.deepEqual(s.receive(s.there), [packet()]);
      assert.equal(s.entries.current(0), s.old);
      assert.equal(s.entries.setNext(0, s.fresh, -1), false);
    } finally {
      s.close();
    }
  });
}
