/**
 * pool — what worker threads add to one I/O thread, without any network.
 *
 *   npm run bench:pool -- [--threads 2] [--seconds 8] [--json] [--check]
 *
 * The engine's own arena, ring, jobs and pool; ChaCha20-Poly1305 by sodium-native; runs of 45 full
 * packets. This thread is the I/O thread: it posts as many runs a turn as a turn reads from the
 * TUN device, helps, and retires in order; it sleeps when workers hold all that is left. Windows
 * with workers and without follow one another. The ratio is of packets a second; beside it packets
 * per second of processor time, which a machine that is busy with other things does not spoil.
 */
import assert from "node:assert";
import { setImmediate as otherWork, setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { Jobs, type Retirer } from "../src/io/jobs.ts";
import { addon } from "../src/io/native/addon.ts";
import { F, openStation, type Station } from "../src/io/station.ts";
import {
  COUNT,
  ENGINE,
  JOB,
  JOB_KIND,
  SEGMENT_OVERHEAD_BYTES,
  SUITE,
  UNRETIRED_SEGMENTS,
} from "../src/memory/layout.ts";
import { type Arena, fieldWord, regionTables, shareOf, wordOf } from "../src/memory/region.ts";
import { jobIndex, jobWord } from "../src/memory/ring.ts";
import { DATA_TYPE } from "../src/wire/handshake.ts";
import { WorkerPool } from "../src/workers/pool.ts";
import { LabError } from "../test/lab/lab.ts";
import { runMain } from "../test/lab/main.ts";
import { FULL_BYTES, FULL_RUN, makeBenchArena } from "../test/lab/runs.ts";
import { median } from "../test/lab/statistics.ts";
import { type Figure, TELLING, tell } from "./bounds.ts";

/** Issue 4: `--threads 2` against `--threads 0`. */
const LEAST = 1.7;
/** As io/thread.ts: runs of one turn, and how long it sleeps while workers hold jobs. */
const RUNS_A_TURN = 8;
const PENDING_MS = 100;
/** As io/send.ts: jobs in flight. */
const JOBS_IN_FLIGHT = Math.floor(UNRETIRED_SEGMENTS / FULL_RUN) - 2;
/** Tuning: long enough for many jobs, short enough for many pairs of windows. */
const WINDOW_MS = 250;
const WARM_WINDOWS = 2;
const START_MS = 5_000;

const SUITE_OF = fieldWord(JOB.fields.suite);
const TYPE_OF = fieldWord(JOB.fields.messageType);

/** One engine's worth of memory and threads. */
interface Side {
  readonly arena: Arena;
  readonly station: Station;
  readonly jobs: Jobs;
  readonly pool: WorkerPool;
  readonly wake: number;
  readonly retired: () => number;
}

interface Window {
  readonly packetsPerSecond: number;
  readonly packetsPerCpuSecond: number;
  readonly byWorkersPct: number;
  readonly wakes: number;
  readonly sleeps: number;
}

const attach = ({ arena }: Side): void => {
  const { bases, counts } = regionTables(arena);
  addon.attach(arena.u8, bases, counts);
};

const open = (workers: number): Side => {
  const arena = makeBenchArena(1, workers);
  const wake = addon.eventOpen();
  const io = { thread: 0, tun: -1, vnetHeaderBytes: 0, udp4: -1, udp6: -1, wake };
  const station = openStation(arena, {
    share: shareOf(arena),
    io: { ...io, gso: false, uso: false, tso: false, busyBytes: 0 },
    controlWake: wake,
  });
  const jobs = new Jobs(station);
  let retired = 0;
  const retirer: Retirer = {
    retire: (word) => {
      assert(arena.u32[word + F.stale] === 0);
      retired += FULL_RUN;
      station.slots.give(arena.u32[word + F.slot]!);
    },
    abandon: () => assert.fail("a worker died"),
  };
  jobs.retireWith(retirer, retirer);
  jobs.handingOver = workers > 0;
  const pool = new WorkerPool({ arena, ioWakes: [wake], onDeath: () => assert.fail("died") });
  return { arena, station, jobs, pool, wake, retired: () => retired };
};

/** Makes the job at the ring's tail, as io/send.ts does of what it read. */
const post = ({ arena: { u32 }, station: { poster, ring, slots }, jobs }: Side): void => {
  const word = jobWord(ring, poster.tail);
  const bytes = FULL_BYTES + SEGMENT_OVERHEAD_BYTES;
  const slot = slots.take();
  u32[word + F.kind] = JOB_KIND.seal;
  u32[word + F.slot] = slot;
  u32[word + F.slotGeneration] = slots.generation(slot);
  u32[word + F.session] = 0;
  u32[word + F.sessionGeneration] = 1;
  u32[word + SUITE_OF] = SUITE.chacha20poly1305;
  u32[word + F.count] = FULL_RUN;
  u32[word + F.segmentBytes] = bytes;
  u32[word + F.lastBytes] = bytes;
  u32[word + TYPE_OF] = DATA_TYPE;
  u32[word + F.tunBytes] = FULL_RUN * FULL_BYTES;
  assert(addon.prepare(jobIndex(ring, poster.tail)) >= 0);
  jobs.post();
};

/** One turn of the I/O thread's loop. True: it slept. */
const turn = (side: Side): boolean => {
  const { poster, io } = side.station;
  let slept = false;
  // As io/thread.ts: the device always has more, so it sleeps only when there is no room.
  if (poster.pending() >= JOBS_IN_FLIGHT) {
    if (poster.fallAsleep()) {
      addon.ioPollWake(io, PENDING_MS);
      slept = true;
    }
    poster.wake();
  }
  for (let i = 0; i < RUNS_A_TURN && poster.pending() < JOBS_IN_FLIGHT; i++) post(side);
  if (poster.pending() > 0) side.jobs.settle();
  return slept;
};

const drain = (side: Side): void => {
  const { poster, io } = side.station;
  while (poster.pending() > 0) {
    side.jobs.settle();
    if (poster.pending() > 0 && poster.fallAsleep()) addon.ioPollWake(io, PENDING_MS);
    poster.wake();
  }
};

const run = (side: Side): Window => {
  attach(side);
  const { counters } = side.station;
  const packets = side.retired();
  const wakes = counters.get(COUNT.workerWakes);
  const handed = counters.get(COUNT.jobsHandedOver);
  const cpu = process.cpuUsage();
  const startMs = performance.now();
  let sleeps = 0;
  do if (turn(side)) sleeps++;
  while (performance.now() - startMs < WINDOW_MS);
  drain(side);
  const seconds = (performance.now() - startMs) / 1_000;
  const { user, system } = process.cpuUsage(cpu);
  const done = side.retired() - packets;
  return {
    packetsPerSecond: done / seconds,
    packetsPerCpuSecond: done / ((user + system) / 1e6),
    byWorkersPct: (100 * FULL_RUN * (counters.get(COUNT.jobsHandedOver) - handed)) / done,
    wakes: counters.get(COUNT.workerWakes) - wakes,
    sleeps,
  };
};

const close = async ({ arena, pool, station, wake }: Side): Promise<void> => {
  const engine = wordOf(arena, "engine", ENGINE.size, 0);
  Atomics.store(arena.i32, engine + fieldWord(ENGINE.fields.stop), 1);
  await pool.stop();
  addon.ioClose(station.io);
  addon.close(wake);
};

const gigabits = (packetsPerSecond: number): number => (packetsPerSecond * FULL_BYTES * 8) / 1e9;

const main = async (): Promise<number> => {
  const { values } = parseArgs({
    options: {
      threads: { type: "string", default: "2" },
      seconds: { type: "string", default: "8" },
      ...TELLING,
    },
  });
  const threads = Number(values.threads);
  if (!Number.isInteger(threads) || threads < 1 || threads > 64) {
    throw new LabError("--threads is a whole number from 1 to 64.");
  }
  const seconds = Number(values.seconds);
  if (!(seconds >= 1 && seconds <= 600)) throw new LabError("--seconds is a number up to 600.");
  const [pooled, inline] = [open(threads), open(0)];
  await sleep(START_MS / 10);
  const rows: { readonly pooled: Window; readonly inline: Window }[] = [];
  const pairs = Math.max(1, Math.round((seconds * 1_000) / (2 * WINDOW_MS)));
  for (let i = -WARM_WINDOWS; i < pairs; i++) {
    const row = { pooled: run(pooled), inline: run(inline) };
    if (i >= 0) rows.push(row);
    await otherWork();
  }
  await close(pooled);
  await close(inline);
  const of = (side: "pooled" | "inline", key: keyof Window): number =>
    median(rows.map((row) => row[side][key]));
  const ratio = (key: keyof Window): number =>
    median(rows.map((row) => row.pooled[key] / row.inline[key]));
  const name = `--threads ${threads}`;
  const figures: Figure[] = [
    {
      name: `${name} against --threads 0`,
      value: ratio("packetsPerSecond"),
      unit: "×",
      ...(threads === 2 ? { least: LEAST } : {}),
    },
    {
      name: "the same per second of processor time",
      value: ratio("packetsPerCpuSecond"),
      unit: "×",
    },
    { name: "--threads 0", value: gigabits(of("inline", "packetsPerSecond")), unit: "Gbit/s" },
    { name, value: gigabits(of("pooled", "packetsPerSecond")), unit: "Gbit/s" },
    { name: "done by workers", value: of("pooled", "byWorkersPct"), unit: "%" },
    { name: `workers woken in ${WINDOW_MS} ms`, value: of("pooled", "wakes"), unit: "times" },
    { name: `I/O thread asleep in ${WINDOW_MS} ms`, value: of("pooled", "sleeps"), unit: "times" },
  ];
  return tell(figures, values, { threads, figures, rows });
};

void runMain(main);
