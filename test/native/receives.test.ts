/**
 * receives — a turn goes on receiving while a socket may hold more: 112 datagrams in four turns.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { addon } from "../../src/io/native/addon.ts";
import { IoThread } from "../../src/io/thread.ts";
import { Counters } from "../../src/memory/counters.ts";
import { COUNT, DROP } from "../../src/memory/layout.ts";
import { writeMtu } from "../../src/memory/mtu.ts";
import { makeArena, regionTables, shareOf } from "../../src/memory/region.ts";
import { makeSockaddr } from "../../src/wire/sockaddr.ts";

const ADDRESSES = {
  4: ["127.0.0.1", Uint8Array.of(127, 0, 0, 1)],
  6: ["::1", ipv6Loopback()],
} as const;
const NOWHERE = new Uint8Array(0);
/** Transport data of a session that nobody has; too short to be any; a type that is none. */
const KINDS = { data: [4, 64], short: [4, 8], junk: [99, 64] } as const;
/** Four receives of seven messages each (io/thread.ts, io_inbound.c). */
const A_TURN = 28;
const DATAGRAMS = 4 * A_TURN;

function ipv6Loopback(): Uint8Array {
  const bytes = new Uint8Array(16);
  bytes[15] = 1;
  return bytes;
}

/** Turns until an I/O thread has taken all that waits in its sockets, half in each. */
const turnsFor = (kind: keyof typeof KINDS, versions: readonly (4 | 6)[]) => {
  const arena = makeArena({ ioThreads: 1, workers: 0, peers: 1, routes: 1 });
  const { bases, counts } = regionTables(arena);
  addon.attach(arena.u8, bases, counts);
  writeMtu(arena, 1_420);
  const open = (version: 4 | 6): number => addon.udpOpen(version, ADDRESSES[version][0], 0, 0, "");
  const [udp4, udp6, tun] = [open(4), open(6), open(4)] as const;
  const [wake, controlWake] = [addon.eventOpen(), addon.eventOpen()];
  const fds = [udp4, udp6, tun, wake, controlWake];
  const senders = versions.map((version) => open(version));
  try {
    assert(fds.every((fd) => fd >= 0) && senders.every((fd) => fd >= 0));
    const io = { thread: 0, tun, vnetHeaderBytes: 0, udp4, udp6, wake, busyBytes: 0 };
    const thread = new IoThread(
      { share: shareOf(arena), io: { ...io, gso: false, uso: false, tso: false }, controlWake },
      () => {},
    );
    const counters = new Counters(arena, 0);
    const [type, bytes] = KINDS[kind];
    const datagram = new Uint8Array(bytes);
    datagram[0] = type;
    for (let i = 0; i < DATAGRAMS; i++) {
      const side = i % versions.length;
      const version = versions[side]!;
      const port = addon.udpPort(version === 4 ? udp4 : udp6);
      // A receiver index of its own: no two make one run.
      if (bytes > 8) datagram[4] = i;
      const to = makeSockaddr(ADDRESSES[version][1], port);
      assert(addon.datagramSend(senders[side]!, datagram, to, NOWHERE) >= 0);
    }
    let turns = 0;
    while (counters.get(COUNT.receivedDatagrams) < DATAGRAMS && turns < DATAGRAMS) {
      thread.step(100);
      turns++;
    }
    thread.close();
    return { turns, counters };
  } finally {
    for (const fd of [...fds, ...senders]) if (fd >= 0) addon.close(fd);
  }
};

for (const [kind, reason] of [
  ["data", DROP.unknownIndex],
  ["short", DROP.tooShort],
  ["junk", DROP.badType],
] as const) {
  for (const versions of [[4], [6], [4, 6]] as const) {
    test(`${kind}, IPv${versions.join(" and IPv")}: a turn takes all that it may`, () => {
      const { turns, counters } = turnsFor(kind, versions);
      assert.equal(counters.get(COUNT.receivedDatagrams), DATAGRAMS);
      assert.equal(counters.get(reason), DATAGRAMS);
      console.log(`  measured: ${DATAGRAMS} datagrams in ${turns} turns`);
      assert(turns <= DATAGRAMS / A_TURN, `${turns} turns`);
    });
  }
}
