/**
 * runs — an arena with one session and runs of packets in slots, for benchmarks of the crypto room.
 *
 * Nonces repeat and both keys are equal: what is sealed here is nobody's secret.
 */
import { Segments } from "../../src/crypto/segments.ts";
import { addon } from "../../src/io/native/addon.ts";
import {
  JOB,
  JOB_KIND,
  RING_JOBS,
  SEGMENT_OVERHEAD_BYTES,
  SLOTS_PER_IO,
  SUITE,
} from "../../src/memory/layout.ts";
import { writeMtu } from "../../src/memory/mtu.ts";
import {
  type Arena,
  type ArenaShare,
  fieldWord,
  makeArena,
  openArena,
  regionTables,
  wordOf,
} from "../../src/memory/region.ts";
import { publishRoutes } from "../../src/memory/routes.ts";
import { Sessions } from "../../src/memory/sessions.ts";

/** Bytes of a full packet at the default MTU. */
export const FULL_BYTES = 1_420;
/** Full packets that one TUN read gives at most. */
export const FULL_RUN = 45;

/** A job that is never posted: the caller works on it itself. */
export interface Run {
  readonly segments: Segments;
  /** Index in the jobs region, for the addon. */
  readonly job: number;
  /** Word index of the job, for the crypto room. */
  readonly word: number;
  readonly count: number;
  readonly bytes: number;
  /** Its slot's number among the thread's. */
  readonly place: number;
}

const attach = (arena: Arena): void => {
  const { bases, counts } = regionTables(arena);
  addon.attach(arena.u8, bases, counts);
};

/** An arena for `threads` benchmark threads, with one session and its keys. Thread: main. */
export const makeBenchArena = (threads: number, workers = 1): Arena => {
  const arena = makeArena({ ioThreads: threads, workers, peers: 1, routes: 16 });
  attach(arena);
  writeMtu(arena, FULL_BYTES);
  const sessions = new Sessions(arena);
  const key = new Uint8Array(32).fill(7);
  sessions.fill(sessions.take(), {
    peer: 0,
    localIndex: 8,
    remoteIndex: 8,
    suite: SUITE.chacha20poly1305,
    initiator: true,
    owner: 0,
    rejectAtMs: Number.POSITIVE_INFINITY,
    rejectAt: 1n << 60n,
    sendKey: key,
    receiveKey: key,
  });
  const cidr = { version: 4, bytes: Uint8Array.of(10, 0, 0, 0), prefixLength: 8 } as const;
  publishRoutes(arena, [{ cidr, owner: { entry: 0 } }]);
  return arena;
};

/** Opens what makeBenchArena() made. Thread: any other. */
export const openBenchArena = (share: ArenaShare): Arena => {
  const arena = openArena(share);
  attach(arena);
  return arena;
};

/** A run of `count` packets of `bytes` in the job and the slot at `place` of a thread. */
export const makeRun = (
  arena: Arena,
  thread: number,
  count: number,
  bytes: number,
  place = 0,
): Run => {
  const job = thread * RING_JOBS + place;
  const word = wordOf(arena, "jobs", JOB.size, job);
  const set = (name: keyof typeof JOB.fields, value: number): void => {
    arena.u32[word + fieldWord(JOB.fields[name])] = value;
  };
  const padded = Math.min(FULL_BYTES, Math.ceil(bytes / 16) * 16);
  const wireBytes = padded + SEGMENT_OVERHEAD_BYTES;
  set("kind", JOB_KIND.seal);
  set("slot", thread * SLOTS_PER_IO + place);
  set("session", 0);
  set("sessionGeneration", 1);
  set("count", count);
  set("segmentBytes", wireBytes);
  set("lastBytes", wireBytes);
  set("messageType", 4);
  set("tunBytes", count * bytes);
  addon.prepare(job);
  const segments = new Segments(arena);
  return { segments, job, word, count, bytes, place };
};

/** Says which suite the addon's seal and open use. */
export const setSuite = (run: Run, suite: keyof typeof SUITE): void => {
  run.segments.arena.u32[run.word + fieldWord(JOB.fields.suite)] = SUITE[suite];
};
