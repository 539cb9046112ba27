/**
 * steering — the kernel sorts one port's datagrams by the program of wire/bpf.ts: transport data to
 * the I/O thread that the receiver index names, everything else to control; a connected socket
 * beside them takes what its own peer sends and changes nothing for others.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { addon } from "../../src/io/native/addon.ts";
import { steeringProgram } from "../../src/wire/bpf.ts";
import { makeSockaddr } from "../../src/wire/sockaddr.ts";

const IO_THREADS = 3;
const EADDRNOTAVAIL = -99;
const EAFNOSUPPORT = -97;
const NO_LOCAL = new Uint8Array(0);
const WAIT_MS = 1_000;
/** More handshakes than control's receive buffer holds, and data behind them. */
const FLOOD = 40_000;
const BEHIND = 150;

const HOSTS = { 4: "127.0.0.1", 6: "::1" } as const;
const hostBytes = (family: 4 | 6): Uint8Array =>
  family === 4
    ? Uint8Array.from([127, 0, 0, 1])
    : Uint8Array.from({ length: 16 }, (_, i) => (i === 15 ? 1 : 0));

/** What one socket got, as numbers that the sender put at the end of each datagram. */
const receive = (fd: number): number[] => {
  const bytes = new Uint8Array(32 * 2_048);
  const meta = new Uint8Array(32 * 64);
  const found: number[] = [];
  for (let got = 1; got > 0; ) {
    got = addon.datagramReceive(fd, bytes, meta);
    assert(got >= 0, addon.errorText(-got));
    for (let i = 0; i < got; i++) {
      const length = new DataView(meta.buffer).getUint32(64 * i, true);
      found.push(bytes[2_048 * i + length - 1]!);
    }
  }
  return found;
};

/** A datagram of a type with an index, its last byte a mark; `bytes` of it. */
const datagram = (type: number, index: number, mark: number, bytes: number): Uint8Array => {
  const out = new Uint8Array(Math.max(bytes, 8));
  const view = new DataView(out.buffer);
  view.setUint32(0, type, true);
  view.setUint32(4, index, true);
  const cut = out.subarray(0, bytes);
  cut[bytes - 1] = mark;
  return cut;
};

interface Group {
  readonly family: 4 | 6;
  /** I/O threads 0 to 2, then control. */
  readonly members: readonly number[];
  readonly connected: number;
  /** The connected socket's peer, and somebody else. */
  readonly friend: number;
  readonly stranger: number;
  readonly to: Uint8Array;
}

const open = (family: 4 | 6, port: number): number =>
  addon.udpOpen(family, HOSTS[family], port, 0, "");

const openGroup = (family: 4 | 6): Group | null => {
  const first = open(family, 0);
  if (first === EADDRNOTAVAIL || first === EAFNOSUPPORT) return null;
  assert(first >= 0, addon.errorText(-first));
  const port = addon.udpPort(first);
  const members = [first];
  while (members.length <= IO_THREADS) members.push(open(family, port));
  assert.equal(addon.filterAttach(first, 1, steeringProgram(IO_THREADS)), 0);
  const friend = open(family, 0);
  const connected = open(family, port);
  const friendAt = makeSockaddr(hostBytes(family), addon.udpPort(friend));
  assert.equal(addon.udpConnect(connected, friendAt), 0);
  const to = makeSockaddr(hostBytes(family), port);
  return { family, members, connected, friend, stranger: open(family, 0), to };
};

const closeGroup = (group: Group): void => {
  const { members, connected, friend, stranger } = group;
  for (const fd of [...members, connected, friend, stranger]) addon.close(fd);
};

// biome-ignore format: a table
const SENT: readonly (readonly [type: number, index: number, bytes: number, member: number])[] = [
  [4, 0xabcde_f00, 32, 0], [4, 0x12345_601, 32, 1], [4, 0x12345_602, 1_452, 2], [4, 0x12345_603, 32, 0],
  [8, 0xabcde_f00, 32, 0], [8, 0x12345_601, 33, 1], [8, 0x12345_602, 1_452, 2], [8, 0x12345_607, 32, 1],
  [1, 0, 148, IO_THREADS], [2, 1, 92, IO_THREADS], [3, 2, 64, IO_THREADS], [5, 0, 148, IO_THREADS],
  [6, 1, 92, IO_THREADS], [7, 2, 64, IO_THREADS], [0, 0, 32, IO_THREADS], [0x104, 0, 32, IO_THREADS],
  [0x0400_0000, 1, 32, IO_THREADS], [4, 0, 5, IO_THREADS], [0xffff_ffff, 0, 32, IO_THREADS],
];

const sendAll = (group: Group, from: number): void => {
  SENT.forEach(([type, index, bytes], i) => {
    const sent = addon.datagramSend(
      from,
      datagram(type, index, 100 + i, bytes),
      group.to,
      NO_LOCAL,
    );
    assert.equal(sent, 0, addon.errorText(-sent));
  });
};

/** Loopback delivers before the send returns; where it does not, a moment helps. */
const collected = async (fds: readonly number[], count: number): Promise<number[][]> => {
  const found = fds.map((): number[] => []);
  const deadline = performance.now() + WAIT_MS;
  for (let sum = 0; sum < count && performance.now() < deadline; ) {
    fds.forEach((fd, i) => {
      found[i]!.push(...receive(fd));
    });
    sum = found.reduce((total, marks) => total + marks.length, 0);
    if (sum < count) await new Promise((resolve) => setTimeout(resolve, 5));
  }
  return found;
};

for (const family of [4, 6] as const) {
  test(`IPv${family}: data by index, the rest to control, a connected socket beside`, async (t) => {
    const group = openGroup(family);
    if (group === null) {
      t.skip(`no IPv${family} on loopback`);
      return;
    }
    try {
      const everyone = [...group.members, group.connected];
      sendAll(group, group.stranger);
      const found = await collected(everyone, SENT.length);
      const expected = everyone.map((_, member) =>
        SENT.flatMap(([, , , to], i) => (to === member ? [100 + i] : [])),
      );
      assert.deepEqual(found, expected);
      sendAll(group, group.friend);
      const heard = await collected(everyone, SENT.length);
      const all = SENT.map((_, i) => 100 + i);
      assert.deepEqual(heard, [...group.members.map(() => []), all]);
      t.diagnostic(`stranger: ${found.map((marks) => marks.length).join(", ")} datagrams`);
      t.diagnostic(`the connected socket's peer: ${heard.map((marks) => marks.length).join(", ")}`);
    } finally {
      closeGroup(group);
    }
  });
}

test("data behind 40,000 handshakes that nobody reads arrives, all of it", async (t) => {
  const group = openGroup(4);
  assert.ok(group !== null);
  t.after(() => closeGroup(group));
  const send = (type: number, mark: number, bytes: number): void => {
    addon.datagramSend(group.stranger, datagram(type, 0, mark, bytes), group.to, NO_LOCAL);
  };
  for (let i = 0; i < FLOOD; i++) send(1, 0, 148);
  const marks = Array.from({ length: BEHIND }, (_, i) => i + 1);
  for (const mark of marks) send(4, mark, 128);
  assert.deepEqual(await collected([group.members[0]!], BEHIND), [marks]);
});
