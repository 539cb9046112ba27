/**
 * rehearsal — the whole packet path once through before anybody needs it.
 *
 * A thread that has just started runs in V8's interpreter, and a quiet tunnel would stay there for
 * minutes. So the I/O thread first drives its own code with a memory, a session and sockets of its
 * own: a packet is read from a stand-in for the TUN device, sealed, sent to itself over loopback,
 * received, opened and written back. Nothing leaves the host, and nothing of it stays.
 *
 *      stand-in ──▶ read ─▶ route ─▶ seal ─▶ send ──╮ loopback
 *      stand-in ◀── write ◀─ replay ◀─ open ◀─ receive
 *
 * Where loopback is down (a fresh network namespace) it ends at once and the code warms up in use.
 */
import { type Limits, SUITE } from "../memory/layout.ts";
import { writeMtu } from "../memory/mtu.ts";
import { DATAGRAM, PROTOCOL } from "../memory/numbers.ts";
import { PeerEntries } from "../memory/peers.ts";
import { makeArena, regionTables, shareOf } from "../memory/region.ts";
import { publishRoutes, type RouteEntry } from "../memory/routes.ts";
import { SESSION_FIELD, Sessions, sessionWord } from "../memory/sessions.ts";
import { makeSockaddr } from "../wire/sockaddr.ts";
import { addon } from "./native/addon.ts";
import type { IoTask } from "./station.ts";
import { IoThread } from "./thread.ts";

/**
 * Scenes, each with fresh objects: V8 settles the shape of a class's objects at its eighth, and
 * would throw away what it had optimised for the first.
 */
const SCENES = 10;
/** Rounds of a scene, and the time after which the rest are left out. */
const ROUNDS = 400;
const TIME_MS = 60;
/** Rounds without a packet back after which loopback is taken to be down. */
const SILENT_ROUNDS = 3;
/** Steps that one round may need: send, receive, and one in hand. */
const STEPS = 3;

const LOOPBACK = Uint8Array.of(127, 0, 0, 1);
const HOST_A = 0x0a00_0001;
const HOST_B = 0x0a00_0002;
/** Prefixes near the two hosts, and as many far from them. */
const STAGE_ROUTES = 30;
/** As large as a ping, and three segments of a TCP stream in one read. */
const PING_BYTES = 84;
const SEGMENT_PAYLOAD_BYTES = 1_380;
const MTU = 40 + SEGMENT_PAYLOAD_BYTES;
const STREAM_BYTES = 40 + 3 * SEGMENT_PAYLOAD_BYTES;
const NOWHERE = new Uint8Array(0);

/** A virtio header and one IPv4 packet; the header is empty for `bytes` that fit a segment. */
const frameOf = (vnetBytes: number, bytes: number, protocol: number): Uint8Array => {
  const frame = new Uint8Array(vnetBytes + bytes);
  const packet = new DataView(frame.buffer, vnetBytes);
  packet.setUint8(0, 0x45);
  packet.setUint16(2, bytes);
  packet.setUint8(8, 64);
  packet.setUint8(9, protocol);
  packet.setUint32(12, HOST_A);
  packet.setUint32(16, HOST_B);
  if (protocol === PROTOCOL.tcp) {
    const vnet = new DataView(frame.buffer);
    vnet.setUint8(0, 1); // NEEDS_CSUM
    vnet.setUint8(1, 1); // TCP over IPv4
    vnet.setUint16(4, SEGMENT_PAYLOAD_BYTES, true);
    vnet.setUint16(6, 20, true);
    vnet.setUint16(8, 16, true);
    packet.setUint8(20 + 12, 0x50);
    packet.setUint8(20 + 13, 0x10);
  }
  return frame;
};

/**
 * Both hosts, many close to them and some far away: enough for a tree of two levels, so that a
 * look-up takes every turn that it has.
 */
const stageRoutes = (): RouteEntry[] => {
  const owner = { entry: 0 };
  const route = (prefixLength: number, ...bytes: number[]): RouteEntry => {
    return { cidr: { version: 4, bytes: Uint8Array.from(bytes), prefixLength }, owner };
  };
  const near = Array.from({ length: STAGE_ROUTES }, (_, i) => route(32, 10, 0, 0, 2 * i));
  const far = Array.from({ length: STAGE_ROUTES }, (_, i) => route(16, 10, 1 + 2 * i, 0, 0));
  return [route(32, 10, 0, 0, HOST_A & 0xff), ...near, ...far];
};

/** A memory of one peer, whose session leads back to ourselves at `port`. */
const stage = (limits: Limits, port: number) => {
  const arena = makeArena(limits);
  writeMtu(arena, MTU);
  publishRoutes(arena, stageRoutes());
  const sessions = new Sessions(arena);
  const session = sessions.take();
  const key = new Uint8Array(32);
  sessions.fill(session, {
    peer: 0,
    localIndex: 0,
    remoteIndex: 0,
    suite: SUITE.chacha20poly1305,
    initiator: true,
    owner: 0,
    rejectAtMs: Number.POSITIVE_INFINITY,
    rejectAt: 1n << 32n,
    sendKey: key,
    receiveKey: key,
  });
  const entries = new PeerEntries(arena);
  entries.setEndpoint(0, makeSockaddr(LOOPBACK, port), makeSockaddr(LOOPBACK, 0));
  entries.setCurrent(0, session);
  return { arena, session };
};

/** Sends packets round until the time is up. False: nothing came back. */
const play = (
  thread: IoThread,
  host: number,
  tunPort: number,
  vnetBytes: number,
  wake: number,
): boolean => {
  const frames = [frameOf(vnetBytes, PING_BYTES, PROTOCOL.icmp)];
  if (vnetBytes > 0) frames.push(frameOf(vnetBytes, STREAM_BYTES, PROTOCOL.tcp));
  const to = makeSockaddr(LOOPBACK, tunPort);
  const bytes = new Uint8Array(DATAGRAM.most * DATAGRAM.bytes);
  const meta = new Uint8Array(DATAGRAM.most * DATAGRAM.metaBytes);
  const endMs = addon.bootMs() + TIME_MS;
  let silent = 0;
  for (let round = 0; round < ROUNDS && silent < SILENT_ROUNDS; round++) {
    const frame = frames[round % frames.length]!;
    if (addon.datagramSend(host, frame, to, NOWHERE) < 0) return false;
    if (round % 16 === 0) addon.eventSignal(wake);
    for (let step = 0; step < STEPS; step++) thread.step(0);
    silent = addon.datagramReceive(host, bytes, meta) > 0 ? 0 : silent + 1;
    if (addon.bootMs() > endMs) break;
  }
  return silent === 0;
};

/** Runs the rehearsal. Thread: I/O, before its own loop. Errors: never. */
export const rehearse = (task: IoTask): void => {
  const open = (): number => addon.udpOpen(4, "127.0.0.1", 0, 0, "");
  const fds = [open(), open(), open(), addon.eventOpen(), addon.eventOpen()] as const;
  const [tun, host, udp4, wake, controlWake] = fds;
  try {
    if (fds.some((fd) => fd < 0)) return;
    const tunPort = addon.udpPort(tun);
    const connected = addon.udpConnect(tun, makeSockaddr(LOOPBACK, addon.udpPort(host))) >= 0;
    if (!connected) return;
    const limits = { ioThreads: 1, workers: 0, peers: 1, routes: 1 + 2 * STAGE_ROUTES };
    const { arena, session } = stage(limits, addon.udpPort(udp4));
    const { bases, counts } = regionTables(arena);
    addon.attach(arena.u8, bases, counts);
    const io = { ...task.io, thread: 0, tun, udp4, udp6: -1, wake, busyBytes: 0 };
    let playing = true;
    for (let scene = 0; scene < SCENES && playing; scene++) {
      // Both suites: a packet that comes alone takes the short way with one of them only.
      arena.u32[sessionWord(arena, session) + SESSION_FIELD.suite] = scene % 2;
      const own: IoTask = { share: shareOf(arena), io, controlWake };
      const thread = new IoThread(own, () => {});
      playing = play(thread, host, tunPort, task.io.vnetHeaderBytes, wake);
      thread.close();
    }
  } catch {
    // What fails here for a reason fails again in the thread's own start, and is told there.
  } finally {
    for (const fd of fds) if (fd >= 0) addon.close(fd);
  }
};
