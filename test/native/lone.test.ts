/** lone — the short way of a packet that comes alone does what the long way does, and no more. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import { Worker } from "node:worker_threads";
import { addon } from "../../src/io/native/addon.ts";
import { F } from "../../src/io/station.ts";
import { Counters } from "../../src/memory/counters.ts";
import { COUNT, DROP, SESSION, SUITE } from "../../src/memory/layout.ts";
import { writeMtu } from "../../src/memory/mtu.ts";
import { LONE, READY, TUN } from "../../src/memory/numbers.ts";
import { PeerEntries } from "../../src/memory/peers.ts";
import { doubleAt, makeArena, regionTables } from "../../src/memory/region.ts";
import { jobIndex, jobWord, openRing } from "../../src/memory/ring.ts";
import { publishRoutes, type RouteEntry } from "../../src/memory/routes.ts";
import { SESSION_FIELD, Sessions, sessionWord } from "../../src/memory/sessions.ts";
import { makeSockaddr } from "../../src/wire/sockaddr.ts";
import { Chance } from "../lab/chance.ts";
import { RouteLookup } from "../lab/route-lookup.ts";

const LOOPBACK = Uint8Array.of(127, 0, 0, 1);
const OURS = 0x0a00_0001;
const OFFERED = 3;
const ROUTES = 3_000;
/** Waits of 10 ms each, at most. */
const PATIENCE = 50;

const pause = (): void => void Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 10);

const routeOf = (address: number, prefixLength: number, entry: number): RouteEntry => {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, address);
  return { cidr: { version: 4, bytes, prefixLength }, owner: { entry } };
};

/** An I/O thread whose one session leads back to itself, and a stand-in for the TUN device. */
const setUp = (suite: number) => {
  const arena = makeArena({ ioThreads: 1, workers: 0, peers: 4, routes: ROUTES + 1 });
  const { bases, counts } = regionTables(arena);
  addon.attach(arena.u8, bases, counts);
  writeMtu(arena, 1_420);
  const udp4 = addon.udpOpen(4, "127.0.0.1", 0, 0, "");
  const wake = addon.eventOpen();
  const [tun, host] = [0, 0].map(() => addon.udpOpen(4, "127.0.0.1", 0, 0, "")) as [number, number];
  assert(udp4 >= 0 && wake >= 0 && tun >= 0 && host >= 0);
  assert(addon.udpConnect(tun, makeSockaddr(LOOPBACK, addon.udpPort(host))) >= 0);
  const options = { thread: 0, tun, vnetHeaderBytes: 0, udp4, udp6: -1, wake };
  const io = addon.ioOpen({ ...options, gso: false, uso: false, tso: false, busyBytes: 0 });
  const sessions = new Sessions(arena);
  const session = sessions.take();
  const key = new Uint8Array(32).fill(7);
  sessions.fill(session, {
    ...{ peer: 0, localIndex: 5, remoteIndex: 5, suite, initiator: true, owner: 0 },
    ...{ rejectAtMs: Number.POSITIVE_INFINITY, rejectAt: 2n ** 36n, sendKey: key, receiveKey: key },
  });
  const entries = new PeerEntries(arena);
  const self = makeSockaddr(LOOPBACK, addon.udpPort(udp4));
  entries.setEndpoint(0, self, makeSockaddr(LOOPBACK, 0));
  entries.setCurrent(0, session);
  arena.u32[sessionWord(arena, session) + SESSION_FIELD.confirmed] = 1;
  const ring = openRing(arena, 0);
  const lone = (ready: number): number => {
    for (let i = 0; i < OFFERED; i++) arena.u32[jobWord(ring, i) + F.slot] = i;
    // Where the machine is busy, the kernel delivers a moment later.
    for (let i = 0; i < PATIENCE && (addon.ioPoll(io, 10) & ready) === 0; i++);
    return addon.lone(io, jobIndex(ring, 0), OFFERED, ready);
  };
  const close = (): void => {
    addon.ioClose(io);
    for (const fd of [udp4, wake, tun, host]) addon.close(fd);
  };
  const counters = new Counters(arena, 0);
  return {
    arena,
    session,
    entries,
    lone,
    close,
    host,
    tunAt: makeSockaddr(LOOPBACK, addon.udpPort(tun)),
    counters,
  };
};

type Stage = ReturnType<typeof setUp>;

const packet = (to: number, from = OURS): Uint8Array => {
  const bytes = new Uint8Array(84);
  const view = new DataView(bytes.buffer);
  view.setUint8(0, 0x45);
  view.setUint16(2, bytes.length);
  view.setUint8(8, 64);
  view.setUint8(9, 1);
  view.setUint32(12, from);
  view.setUint32(16, to);
  return bytes;
};

const packet6 = (to: Uint8Array): Uint8Array => {
  const bytes = new Uint8Array(48);
  bytes[0] = 0x60;
  bytes[5] = 8;
  bytes[6] = 59; // no next header
  bytes.set(to, 24);
  return bytes;
};

/** The stand-in gives a packet to the thread. */
const give = (s: Stage, bytes: Uint8Array): void => {
  assert.ok(addon.datagramSend(s.host, bytes, s.tunAt, new Uint8Array(0)) >= 0);
};

/** What the thread wrote to the stand-in; so many are waited for. */
const written = (s: Stage, expected: number): Uint8Array[] => {
  const bytes = new Uint8Array(32 * 2_048);
  const meta = new Uint8Array(32 * 64);
  const found: Uint8Array[] = [];
  for (let tries = 0; tries === 0 || (found.length < expected && tries < PATIENCE); tries++) {
    if (tries > 0 || expected === 0) pause();
    const count = addon.datagramReceive(s.host, bytes, meta);
    for (let i = 0; i < count; i++) {
      const length = meta[i * 64]! | (meta[i * 64 + 1]! << 8);
      found.push(bytes.slice(i * 2_048, i * 2_048 + length));
    }
  }
  return found;
};

const withStage = async (suite: number, run: (s: Stage) => void | Promise<void>): Promise<void> => {
  const s = setUp(suite);
  try {
    await run(s);
  } finally {
    s.close();
  }
};

test("there and back: sealed, sent, received, opened, written; nothing is left ready", () =>
  withStage(SUITE.aes256gcm, (s) => {
    publishRoutes(s.arena, [routeOf(0x0a00_0000, 8, 0)]);
    for (let i = 0; i < 5; i++) {
      const sent = packet(0x0a00_0002);
      sent[30] = i;
      give(s, sent);
      assert.equal(s.lone(READY.tun), 0);
      assert.equal(s.lone(READY.udp), 0);
      assert.deepEqual(written(s, 1), [sent]);
    }
    assert.equal(s.counters.get(COUNT.jobsInline), 10);
    assert.equal(s.counters.get(COUNT.tunWrittenPackets), 5);
  }));

test("a source that leads elsewhere is dropped, a datagram twice is written once", () =>
  withStage(SUITE.aes256gcm, (s) => {
    publishRoutes(s.arena, [routeOf(0x0a00_0000, 8, 0)]);
    give(s, packet(0x0a00_0002, 0x0b00_0001));
    assert.equal(s.lone(READY.tun), 0);
    assert.equal(s.lone(READY.udp), 0);
    assert.deepEqual(written(s, 0), []);
    assert.equal(s.counters.get(DROP.innerSource), 1);
    give(s, packet(0x0a00_0002));
    s.lone(READY.tun);
    assert.equal(s.lone(READY.udp), 0);
    assert.equal(written(s, 1).length, 1);
    // The counter goes back by one: the next datagram is the last one again.
    s.arena.u64[doubleAt(sessionWord(s.arena, s.session), SESSION.fields.sendCounter)]! -= 1n;
    give(s, packet(0x0a00_0002));
    s.lone(READY.tun);
    assert.equal(s.lone(READY.udp), 0);
    assert.deepEqual(written(s, 0), []);
    assert.equal(s.counters.get(DROP.replayed), 1);
  }));

test("what is not plain is left: no session, expired, ChaCha20, first, elsewhere", async () => {
  const left = (
    suite: number,
    change: (s: Stage) => void,
    ready: number = READY.tun,
  ): Promise<void> =>
    withStage(suite, (s) => {
      publishRoutes(s.arena, [routeOf(0x0a00_0000, 8, 0)]);
      if (ready === READY.udp) {
        give(s, packet(0x0a00_0002));
        s.lone(READY.tun);
      }
      change(s);
      if (ready === READY.tun) give(s, packet(0x0a00_0002));
      pause();
      const result = s.lone(ready);
      const came =
        ready === READY.tun ? (result >>> LONE.readShift) & 0xff : result >>> LONE.runsShift;
      assert.ok(came >= 1, `${result.toString(16)}`);
      assert.deepEqual(written(s, 0), []);
      assert.equal(s.counters.get(DROP.openFailed) + s.counters.get(DROP.noRoute), 0);
    });
  const { aes256gcm: aes, chacha20poly1305: chacha } = SUITE;
  const field = (name: keyof typeof SESSION_FIELD, value: number) => (s: Stage) => {
    s.arena.u32[sessionWord(s.arena, s.session) + SESSION_FIELD[name]] = value;
  };
  await left(chacha, () => {});
  await left(aes, (s) => s.entries.setCurrent(0, -1));
  await left(aes, (s) => publishRoutes(s.arena, []));
  await left(aes, (s) => give(s, packet(0x0a00_0002)));
  await left(aes, (s) => {
    s.arena.f64[doubleAt(sessionWord(s.arena, s.session), SESSION.fields.rejectAtMs)] = 1;
  });
  await left(aes, field("confirmed", 0), READY.udp);
  await left(aes, field("owner", 1), READY.udp);
  await left(aes, field("localIndex", 6), READY.udp);
  await left(aes, field("suite", chacha), READY.udp);
  const elsewhere = makeSockaddr(LOOPBACK, 9);
  await left(aes, (s) => s.entries.setEndpoint(0, elsewhere, makeSockaddr(LOOPBACK, 0)), READY.udp);
});

/** Counts a session's generation up, as often as it can. */
const RENEWER = `
  const { workerData: { buffer, generation } } = require("node:worker_threads");
  const words = new Uint32Array(buffer);
  for (;;) for (let i = 0; i < 1e5; i++) Atomics.add(words, generation, 2);
`;
/** Packets until one meets a session that changes under it. */
const MEETINGS = 50_000;

test("a session that changes under a packet: it is not sent", () =>
  withStage(SUITE.aes256gcm, async (s) => {
    publishRoutes(s.arena, [routeOf(0x0a00_0000, 8, 0)]);
    const generation = sessionWord(s.arena, s.session) + SESSION_FIELD.generation;
    const workerData = { buffer: s.arena.buffer, generation };
    const worker = new Worker(RENEWER, { eval: true, workerData });
    try {
      await once(worker, "online");
      let refused = 0;
      for (let i = 0; i < MEETINGS && refused === 0; i++) {
        give(s, packet(0x0a00_0002));
        const left = s.lone(READY.tun);
        refused = left === 0 ? s.counters.get(DROP.staleJob) : 1;
        assert.equal(s.counters.get(COUNT.sentDatagrams), i + 1 - refused);
      }
      assert.equal(refused, 1);
    } finally {
      await worker.terminate();
    }
  }));

/** An address near the edge of one of the prefixes, or any. */
const near = (chance: Chance, entries: readonly RouteEntry[], i: number): Uint8Array => {
  const bytes = Uint8Array.from(entries[chance.below(entries.length)]!.cidr.bytes);
  if (i % 2 === 0) return chance.fill(bytes);
  const last = new DataView(bytes.buffer, bytes.length - 4);
  last.setUint32(0, last.getUint32(0) + chance.below(3) - 1);
  return bytes;
};

for (const version of [4, 6] as const) {
  test(`it finds the peer that the long way finds among thousands of prefixes: IPv${version}`, () =>
    withStage(SUITE.aes256gcm, (s) => {
      const chance = new Chance(2_026);
      const width = version === 4 ? 4 : 16;
      const entries = Array.from({ length: ROUTES }, (): RouteEntry => {
        const bytes = chance.fill(new Uint8Array(width));
        // Half of them agree in their first words, so that later ones decide.
        if (chance.once(2)) bytes.fill(0x20, 0, width - 4);
        const cidr = { version, bytes, prefixLength: 1 + chance.below(8 * width) };
        return { cidr, owner: { entry: chance.below(4) } };
      });
      publishRoutes(s.arena, entries);
      const routes = new RouteLookup(s.arena);
      const at = jobWord(openRing(s.arena, 0), OFFERED) + F.innerAddress;
      let short = 0;
      for (let i = 0; i < 2_000; i++) {
        const to = near(chance, entries, i);
        const view = new DataView(to.buffer);
        for (let w = 0; w < width / 4; w++) s.arena.u32[at + w] = view.getUint32(4 * w);
        const peer = routes.find(version, at);
        give(s, version === 4 ? packet(view.getUint32(0)) : packet6(to));
        // Peer 0 alone has a session; whatever leads elsewhere is left.
        const expected = peer === 0 ? 0 : (1 | TUN.drained) << LONE.readShift;
        assert.equal(s.lone(READY.tun), expected, `${Buffer.from(to).toString("hex")}: ${peer}`);
        if (peer !== 0) continue;
        short++;
        s.lone(READY.udp);
      }
      assert.ok(short > 100 && short < 1_900, `${short} took the short way`);
    }));
}
