/**
 * heaping — runs one I/O thread, with or without a worker, and tells what their heaps did.
 */
import assert from "node:assert";
import { once } from "node:events";
import { extname } from "node:path";
import { fileURLToPath } from "node:url";
import { setEnvironmentData, Worker } from "node:worker_threads";
import { addon } from "../../src/io/native/addon.ts";
import { optimiseEarly } from "../../src/jit.ts";
import { ENGINE, HAND_OVER, SUITE } from "../../src/memory/layout.ts";
import { setLocals } from "../../src/memory/locals.ts";
import { writeMtu } from "../../src/memory/mtu.ts";
import { PeerEntries } from "../../src/memory/peers.ts";
import {
  type Arena,
  fieldWord,
  makeArena,
  regionTables,
  shareOf,
  wordOf,
} from "../../src/memory/region.ts";
import { publishRoutes } from "../../src/memory/routes.ts";
import { Sessions } from "../../src/memory/sessions.ts";
import type { Cidr } from "../../src/wire/cidr.ts";
import { REJECT_AFTER_MESSAGES } from "../../src/wire/handshake.ts";
import { WorkerPool } from "../../src/workers/pool.ts";
import type { HeapTask, HeapWindow } from "./heap-io.ts";
import { SHARED_BYTES, SHARED_NAME } from "./heap-worker.ts";

export interface HeapOptions {
  readonly packets: "segments" | "single";
  readonly handedOver: boolean;
  /** TCP payload of each of a run's packets; as the default MTU allows it unless given. */
  readonly segmentBytes?: number;
  readonly suite?: keyof typeof SUITE;
  /** Packets that do not count, and of each window. */
  readonly warmUp: number;
  readonly window: number;
  readonly windowsMax: number;
  /** No more windows after one in which no thread allocated more. Without it: all. */
  readonly enoughBytes?: number;
}

const MTU = 1_420;
/** Above 2^31 is what a small integer of V8 cannot hold. */
const SOURCE = Uint8Array.of(203, 0, 113, 1);
const TARGETS = [Uint8Array.of(203, 0, 113, 2), Uint8Array.of(203, 0, 113, 3)] as const;
const INDEX = 0xf000_0000;
const VNET_BYTES = 16;
const TCP = 6;
const UDP = 17;
/** As the device's limit cuts TCP: gso_max_segs, at an MSS of 1368 with time stamps. */
const SEGMENTS = 45;
const SEGMENT_BYTES = 1_368;
const TCP_HEADERS = 20 + 32;
const SMALL_PAYLOAD = 64;
/** Frames of a round: super-packets of half a turn, and runs of one packet of a whole one. */
const SUPERS = 4;
const SINGLES = 8;

const ipHeader = (frame: Uint8Array, bytes: number, protocol: number, target: Uint8Array): void => {
  const view = new DataView(frame.buffer, VNET_BYTES);
  view.setUint8(0, 0x45);
  view.setUint16(2, bytes);
  view.setUint8(8, 64);
  view.setUint8(9, protocol);
  frame.set(SOURCE, VNET_BYTES + 12);
  frame.set(target, VNET_BYTES + 16);
  let sum = 0;
  for (let i = 0; i < 20; i += 2) sum += view.getUint16(i);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  view.setUint16(10, ~sum & 0xffff);
};

const virtioHeader = (frame: Uint8Array, gsoType: number, gsoSize: number, sumAt: number): void => {
  const view = new DataView(frame.buffer);
  view.setUint8(0, 1);
  view.setUint8(1, gsoType);
  view.setUint16(4, gsoSize, true);
  view.setUint16(6, 20, true);
  view.setUint16(8, sumAt, true);
};

/** A TCP super-packet as the kernel hands it over. */
const superFrame = (segmentBytes: number): Uint8Array => {
  const bytes = TCP_HEADERS + SEGMENTS * segmentBytes;
  const frame = new Uint8Array(VNET_BYTES + bytes);
  ipHeader(frame, bytes, TCP, TARGETS[0]);
  virtioHeader(frame, 1, segmentBytes, 16);
  frame[VNET_BYTES + 20 + 12] = 0x80;
  frame[VNET_BYTES + 20 + 13] = 0x10;
  return frame;
};

/** A small UDP packet; neighbours have other targets, so that each is a run of its own. */
const smallFrame = (i: number): Uint8Array => {
  const bytes = 28 + SMALL_PAYLOAD;
  const frame = new Uint8Array(VNET_BYTES + bytes);
  ipHeader(frame, bytes, UDP, TARGETS[i % 2]!);
  virtioHeader(frame, 0, 0, 6);
  new DataView(frame.buffer, VNET_BYTES + 20).setUint16(4, 8 + SMALL_PAYLOAD);
  return frame;
};

const stage = (options: HeapOptions): Arena => {
  const arena = makeArena({
    ioThreads: 1,
    workers: options.handedOver ? 1 : 0,
    peers: 1,
    routes: 16,
  });
  const { bases, counts } = regionTables(arena);
  addon.attach(arena.u8, bases, counts);
  writeMtu(arena, MTU);
  const engine = wordOf(arena, "engine", ENGINE.size, 0);
  const mode = options.handedOver ? HAND_OVER.always : HAND_OVER.inline;
  arena.u32[engine + fieldWord(ENGINE.fields.handOver)] = mode;
  const cidr = (bytes: Uint8Array): Cidr => ({ version: 4, bytes, prefixLength: 32 });
  const owner = { entry: 0 };
  publishRoutes(
    arena,
    [SOURCE, ...TARGETS].map((bytes) => ({ cidr: cidr(bytes), owner })),
  );
  setLocals(arena, TARGETS.map(cidr));
  const sessions = new Sessions(arena);
  const session = sessions.take();
  sessions.fill(session, {
    peer: 0,
    localIndex: INDEX,
    remoteIndex: INDEX,
    suite: SUITE[options.suite ?? "aes256gcm"],
    initiator: true,
    owner: 0,
    rejectAtMs: Number.POSITIVE_INFINITY,
    rejectAt: REJECT_AFTER_MESSAGES,
    sendKey: new Uint8Array(32).fill(7),
    receiveKey: new Uint8Array(32).fill(7),
  });
  new PeerEntries(arena).setCurrent(0, session);
  return arena;
};

const siblingOf = (name: string): URL =>
  new URL(`./${name}${extname(fileURLToPath(import.meta.url))}`, import.meta.url);

/** One run. Thread: main, one at a time. */
export const measureHeap = async (options: HeapOptions): Promise<HeapWindow[]> => {
  optimiseEarly();
  const arena = stage(options);
  const [wake, controlWake] = [addon.eventOpen(), addon.eventOpen()];
  assert(wake >= 0 && controlWake >= 0);
  const shared = new SharedArrayBuffer(SHARED_BYTES);
  // node's types know clonable values alone; shared memory is shared.
  setEnvironmentData(SHARED_NAME, shared as unknown as string);
  const filename = siblingOf("heap-worker").href;
  const pool = new WorkerPool({ arena, ioWakes: [wake], onDeath: () => {}, filename });
  const frames =
    options.packets === "segments"
      ? Array.from({ length: SUPERS }, () => superFrame(options.segmentBytes ?? SEGMENT_BYTES))
      : Array.from({ length: SINGLES }, (_, i) => smallFrame(i));
  const task: HeapTask = {
    share: shareOf(arena),
    frames,
    warmUp: options.warmUp,
    window: options.window,
    windowsMax: options.windowsMax,
    enoughBytes: options.enoughBytes ?? Number.NEGATIVE_INFINITY,
    wake,
    controlWake,
    worker: options.handedOver ? shared : null,
  };
  try {
    const thread = new Worker(siblingOf("heap-io"), { workerData: task });
    const [found] = (await once(thread, "message")) as [HeapWindow[]];
    return found;
  } finally {
    const stop = wordOf(arena, "engine", ENGINE.size, 0) + fieldWord(ENGINE.fields.stop);
    Atomics.store(arena.i32, stop, 1);
    await pool.stop();
    for (const fd of [wake, controlWake]) addon.close(fd);
  }
};
