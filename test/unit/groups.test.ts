/**
 * groups — packets through an I/O thread whose route leads to a group: one store moves them to
 * another peer, whatever any entitled peer sends is written, and what others send is not.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Roster } from "../../src/control/peers/roster.ts";
import { addon } from "../../src/io/native/addon.ts";
import { IoThread } from "../../src/io/thread.ts";
import { Counters } from "../../src/memory/counters.ts";
import {
  COMMAND,
  DROP,
  ENGINE,
  ENTRIES_PER_PEER,
  EVENT,
  GROUP_PEERS,
  GROUPS_MAX,
  IO,
  SUITE,
} from "../../src/memory/layout.ts";
import { writeMtu } from "../../src/memory/mtu.ts";
import { DATAGRAM } from "../../src/memory/numbers.ts";
import { PeerEntries } from "../../src/memory/peers.ts";
import { Consumer, Producer } from "../../src/memory/queue.ts";
import {
  type Arena,
  fieldWord,
  makeArena,
  regionTables,
  shareOf,
  wordOf,
} from "../../src/memory/region.ts";
import { SESSION_FIELD, Sessions, sessionWord } from "../../src/memory/sessions.ts";
import { makeSockaddr } from "../../src/wire/sockaddr.ts";

const LOOPBACK = Uint8Array.of(127, 0, 0, 1);
const NOWHERE = new Uint8Array(0);
const TURNS = 100;
const FEW_TURNS = 5;
const PACKET_BYTES = 84;
const PEERS = 12;
const TEN = { version: 4, bytes: Uint8Array.of(10, 0, 0, 0), prefixLength: 8 } as const;
const LOOPS = fieldWord(IO.fields.loops);

const makeRoster = (peers: number) => {
  const arena = makeArena({ ioThreads: 1, workers: 0, peers, routes: 64 });
  const entries = new PeerEntries(arena);
  return {
    arena,
    entries,
    roster: new Roster({ arena, entries }),
  };
};

const keyOf = (name: number): Uint8Array => new Uint8Array(32).fill(name);

/** What waits on a socket. */
const arrived = (fd: number): Uint8Array[] => {
  const bytes = new Uint8Array(DATAGRAM.most * DATAGRAM.bytes);
  const meta = new Uint8Array(DATAGRAM.most * DATAGRAM.metaBytes);
  const count = addon.datagramReceive(fd, bytes, meta);
  return Array.from({ length: Math.max(0, count) }, (_, i) => {
    const length = new DataView(meta.buffer).getUint32(i * DATAGRAM.metaBytes, true);
    return bytes.slice(i * DATAGRAM.bytes, i * DATAGRAM.bytes + length);
  });
};

const packet = (mark: number): Uint8Array => {
  const bytes = new Uint8Array(PACKET_BYTES);
  bytes.set([0x45, 0, 0, PACKET_BYTES]);
  bytes.set([64, 1], 8);
  bytes.set([10, 0, 0, 1, 10, 0, 0, 2, mark], 12);
  return bytes;
};

interface Gateway {
  readonly peer: number;
  readonly socket: number;
  readonly session: number;
}

type Fds = [number, number, number, number, number, number, number];

interface Shared {
  readonly arena: Arena;
  readonly entries: PeerEntries;
  readonly sessions: Sessions;
}

/** A session with a peer, whose place is a socket of ours. Both ends have the same keys. */
const connect = (shared: Shared, peer: number, socket: number, suite: 0 | 1): number => {
  const { arena, entries, sessions } = shared;
  const session = sessions.take();
  const [localIndex, key] = [8 * (peer + 1), keyOf(peer)];
  sessions.fill(session, {
    ...{ peer, localIndex, remoteIndex: localIndex, suite, initiator: true, owner: 0 },
    ...{ rejectAtMs: Number.POSITIVE_INFINITY, rejectAt: 2n ** 36n },
    ...{ sendKey: key, receiveKey: key },
  });
  arena.u32[sessionWord(arena, session) + SESSION_FIELD.confirmed] = 1;
  const place = makeSockaddr(LOOPBACK, addon.udpPort(socket));
  entries.setEndpoint(peer, place, makeSockaddr(LOOPBACK, 0));
  entries.setCurrent(peer, session);
  return session;
};

/** An I/O thread, and two peers with a socket and a session each; a route to a group of both. */
const setUp = (suite: 0 | 1) => {
  const { arena, entries, roster } = makeRoster(PEERS);
  const { bases, counts } = regionTables(arena);
  writeMtu(arena, 1_420);
  const open = (): number => addon.udpOpen(4, "127.0.0.1", 0, 0, "");
  const fds = [open(), open(), open(), open(), open(), addon.eventOpen(), addon.eventOpen()];
  const [udp4, tun, host, one, two, wake, controlWake] = fds as Fds;
  assert(fds.every((fd) => fd >= 0));
  assert(addon.udpConnect(tun, makeSockaddr(LOOPBACK, addon.udpPort(host))) >= 0);
  const offloads = { gso: false, uso: false, tso: false, busyBytes: 0 };
  const io = { thread: 0, tun, vnetHeaderBytes: 0, udp4, udp6: -1, wake, ...offloads };
  const thread = new IoThread({ share: shareOf(arena), io, controlWake }, () => {});
  const sessions = new Sessions(arena);
  const counters = new Counters(arena, 0);
  const peers = [one, two].map((socket, i) => {
    const { entry: peer } = roster.add(keyOf(i + 1), "file");
    return { peer, socket, session: connect({ arena, entries, sessions }, peer, socket, suite) };
  }) as [Gateway, Gateway];
  const group = roster.group("gateways")!;
  for (const { peer } of peers) assert(roster.groups.entitle(group.entry, peer));
  assert(roster.route(group, TEN) && roster.settle(0, true));
  const step = (isDone: () => boolean): void => {
    addon.attach(arena.u8, bases, counts);
    for (let turn = 0; turn < TURNS && !isDone(); turn++) thread.step(10);
  };
  const tunAt = makeSockaddr(LOOPBACK, addon.udpPort(tun));
  const here = makeSockaddr(LOOPBACK, addon.udpPort(udp4));
  /** A packet leaves: the datagram, and the peer whose socket gets it. */
  const send = (mark: number): { peer: number; datagram: Uint8Array } | null => {
    addon.datagramSend(host, packet(mark), tunAt, NOWHERE);
    let got: { peer: number; datagram: Uint8Array } | null = null;
    const dropped = counters.get(DROP.noRoute);
    step(() => {
      for (const { peer, socket } of peers) {
        for (const datagram of arrived(socket)) got = { peer, datagram };
      }
      return got !== null || counters.get(DROP.noRoute) > dropped;
    });
    return got;
  };
  /** A datagram comes from a peer: how many packets are written. Both ends have the same keys. */
  const receive = (from: (typeof peers)[0], datagram: Uint8Array): number => {
    addon.datagramSend(from.socket, datagram, here, NOWHERE);
    const strays = counters.get(DROP.innerSource);
    let written = 0;
    step(() => {
      written += arrived(host).length;
      return written > 0 || counters.get(DROP.innerSource) > strays;
    });
    return written;
  };
  const close = (): void => {
    addon.attach(arena.u8, bases, counts);
    thread.close();
    for (const fd of fds) addon.close(fd);
  };
  /** Some packets come out of the device. */
  const read = (marks: readonly number[]): void => {
    for (const mark of marks) addon.datagramSend(host, packet(mark), tunAt, NOWHERE);
  };
  return {
    ...{ arena, entries, roster, counters, group: group.entry, peers, wake },
    ...{ step, read, send, receive, close },
  };
};

/** What an I/O thread is told, and what comes of it within some turns. */
const watch = ({ arena, wake, peers, step }: ReturnType<typeof setUp>) => {
  const commands = new Producer(arena, "commands", 0);
  const events = new Consumer(arena, "events", 0);
  const fewTurns = (): void => {
    let turns = 0;
    step(() => turns++ === FEW_TURNS);
  };
  return {
    tell: (kind: number, peer: number): void => {
      assert(commands.put(kind, peer, 0, 0, 0));
      addon.eventSignal(wake);
    },
    /** Of whom a session is asked. */
    asked: (): number[] => {
      const asked: number[] = [];
      fewTurns();
      while (events.next()) if (events.kind === EVENT.wanted) asked.push(events.peer);
      return asked;
    },
    /** Datagrams that each peer gets. */
    sent: (): number[] => {
      fewTurns();
      return peers.map(({ socket }) => arrived(socket).length);
    },
  };
};

for (const [name, suite] of Object.entries(SUITE)) {
  test(`${name}: one store moves the packets, and both peers' come in`, () => {
    const s = setUp(suite);
    const { roster, group, peers } = s;
    const [one, two] = peers;
    try {
      assert.equal(s.send(0), null, "nobody is active");
      const tables = wordOf(s.arena, "engine", ENGINE.size, 0);
      const active = s.arena.u32[tables + fieldWord(ENGINE.fields.activeRoutes)];
      roster.groups.setActive(group, one.peer);
      const first = [s.send(1), s.send(2)];
      assert.deepEqual(
        first.map((sent) => sent?.peer),
        [one.peer, one.peer],
      );
      roster.groups.setActive(group, two.peer);
      const second = [s.send(3), s.send(4)];
      assert.deepEqual(
        second.map((sent) => sent?.peer),
        [two.peer, two.peer],
      );
      const now = s.arena.u32[tables + fieldWord(ENGINE.fields.activeRoutes)];
      assert.equal(now, active, "no table was written");
      // Each end has the other's keys: what was sent comes back as if its peer had sealed it.
      assert.equal(s.receive(one, first[0]!.datagram), 1, "entitled, and not active");
      assert.equal(s.receive(two, second[0]!.datagram), 1, "active");
      roster.groups.withdraw(group, one.peer);
      assert.equal(s.receive(one, first[1]!.datagram), 0, "withdrawn");
      assert.equal(s.receive(two, second[1]!.datagram), 1);
      roster.groups.withdraw(group, two.peer);
      assert.equal(s.send(5), null, "the active peer was withdrawn");
    } finally {
      s.close();
    }
  });
}

test("what waits for the active peer goes to the next one, when that one has a session", () => {
  const s = setUp(SUITE.aes256gcm);
  const { tell, asked, sent } = watch(s);
  const [one, two] = s.peers;
  try {
    s.entries.setCurrent(one.peer, -1);
    s.roster.groups.setActive(s.group, one.peer);
    s.read([1, 2, 3]);
    assert.deepEqual(asked(), [one.peer]);
    s.roster.groups.setActive(s.group, two.peer);
    tell(COMMAND.release, 0);
    assert.deepEqual(sent(), [0, 3]);
  } finally {
    s.close();
  }
});

test("when it has none, one is asked of it; that the former peer is gone harms nothing", () => {
  const s = setUp(SUITE.aes256gcm);
  const { tell, asked, sent } = watch(s);
  const [one, two] = s.peers;
  try {
    for (const { peer } of s.peers) s.entries.setCurrent(peer, -1);
    s.roster.groups.setActive(s.group, one.peer);
    s.read([1, 2, 3]);
    assert.deepEqual(asked(), [one.peer]);
    s.roster.groups.setActive(s.group, two.peer);
    tell(COMMAND.release, 0);
    assert.deepEqual(asked(), [two.peer]);
    tell(COMMAND.discard, one.peer);
    assert.deepEqual(sent(), [0, 0]);
    assert.equal(s.counters.get(DROP.stagedExpired), 0);
    // Untold: a newer packet finds the session, and those before it go first.
    s.entries.setCurrent(two.peer, two.session);
    s.read([4]);
    assert.deepEqual(sent(), [0, 4]);
  } finally {
    s.close();
  }
});

test("a group has eight peers at most; who is gone is in none; there are so many groups", () => {
  const { arena, roster } = makeRoster(PEERS);
  const group = roster.group("a")!;
  const peers = Array.from({ length: GROUP_PEERS + 1 }, (_, i) => roster.add(keyOf(i + 1), "file"));
  const { groups } = roster;
  const taken = peers.map(({ entry }) => groups.entitle(group.entry, entry));
  assert.deepEqual(taken, [...new Array<boolean>(GROUP_PEERS).fill(true), false]);
  assert.throws(() => groups.setActive(group.entry, peers[GROUP_PEERS]!.entry));
  groups.setActive(group.entry, peers[0]!.entry);
  roster.remove(peers[0]!);
  assert.equal(groups.active(group.entry), -1);
  assert(groups.entitle(group.entry, peers[GROUP_PEERS]!.entry));
  assert.equal(roster.group("a"), group);
  for (let i = 1; i < GROUPS_MAX; i++) assert(roster.group(`${i}`) !== null);
  assert.equal(roster.group("one more"), null);
  const last = arena.layout.count.peers + GROUPS_MAX - 1;
  assert.equal(roster.group(`${GROUPS_MAX - 1}`)!.entry, last);
  assert.equal(arena.layout.count.peers, PEERS * ENTRIES_PER_PEER);
});

test("a group's entry is used again when no I/O thread can find it, and holds nobody", () => {
  const { arena, roster } = makeRoster(PEERS);
  const loops = wordOf(arena, "ios", IO.size, 0) + LOOPS;
  const peer = roster.add(keyOf(1), "file");
  const group = roster.group("a")!;
  assert(roster.groups.entitle(group.entry, peer.entry));
  roster.groups.setActive(group.entry, peer.entry);
  assert(roster.route(group, TEN) && roster.settle(0, true));
  Atomics.add(arena.i32, loops, 1); // a turn begins
  roster.removeGroup(group);
  assert(!roster.settle(0, true), "the turn may have found it");
  assert.notEqual(roster.group("b")!.entry, group.entry);
  Atomics.add(arena.i32, loops, 1);
  assert(roster.settle(0, true));
  const again = roster.group("c")!;
  assert.equal(again.entry, group.entry);
  assert.deepEqual(roster.groups.entitled(again.entry), []);
  assert.equal(roster.groups.active(again.entry), -1);
});
