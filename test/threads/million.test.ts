/**
 * million — a million jobs through the ring, a part of them without P2PVPN_MATRIX=full: two workers
 * claim, the I/O thread (this one) posts, helps and retires. Every job is done exactly once and
 * retired in its turn.
 *
 * P2PVPN_TEST_JOBS sets another number.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate as otherWork } from "node:timers/promises";
import { addon } from "../../src/io/native/addon.ts";
import { ENGINE, IO } from "../../src/memory/layout.ts";
import { fieldWord, wordOf } from "../../src/memory/region.ts";
import { STATUS } from "../../src/memory/ring.ts";
import { WorkerPool } from "../../src/workers/pool.ts";
import { hasRoom, noncesUsedTwice, openRoom, postSeal, type Room, start, tick } from "./room.ts";

const MOST = process.env.P2PVPN_MATRIX === "full" ? 1_000_000 : 300_000;
const JOBS = Number(process.env.P2PVPN_TEST_JOBS ?? MOST);
const WORKERS = 2;
/** Every so many turns, other threads' messages are looked at. */
const TURNS = 4_096;
const SLEEP_MS = 1_000;

/** Sleeps as io/main.ts does. True: the oldest job was done, and nobody rang. */
const sleep = ({ arena, station }: Room): boolean => {
  const { poster, io } = station;
  if (!poster.fallAsleep()) return false;
  const ready = addon.ioPoll(io, SLEEP_MS);
  const asleep = wordOf(arena, "ios", IO.size, 0) + fieldWord(IO.fields.asleep);
  const lost =
    ready === 0 && poster.status() === STATUS.done && Atomics.load(arena.i32, asleep) === 1;
  poster.wake();
  return lost;
};

const drive = async (room: Room): Promise<{ sleeps: number; lost: number }> => {
  const { tally, jobs, station } = room;
  let sleeps = 0;
  let lost = 0;
  for (let turn = 0; tally.retired < JOBS; turn++) {
    // Bursts of all sizes: the ring runs full at times and empty at others.
    const burst = 1 + ((turn * 7) % 160);
    for (let i = 0; i < burst && tally.posted < JOBS && hasRoom(room); i++) postSeal(room, 1);
    tick(room);
    jobs.settle();
    assert.equal(jobs.stuckTag(), 0, "a worker held a job for over a second");
    if (station.poster.pending() > 0) {
      sleeps++;
      if (sleep(room)) lost++;
    }
    if (turn % TURNS === 0) await otherWork();
  }
  return { sleeps, lost };
};

test(`${JOBS} jobs, ${WORKERS} workers and the I/O thread`, async (t) => {
  const room = openRoom(WORKERS, JOBS);
  const deaths: string[] = [];
  const pool = new WorkerPool({
    arena: room.arena,
    ioWakes: [room.wake],
    onDeath: (_, reason) => deaths.push(reason),
    filename: new URL(`./stalling${extension}`, import.meta.url).href,
  });
  start(room);
  const began = performance.now();
  try {
    const { sleeps, lost } = await drive(room);
    const seconds = (performance.now() - began) / 1_000;
    const { tally } = room;
    t.diagnostic(`${tally.retired} jobs in ${seconds.toFixed(1)} s, checked one by one`);
    t.diagnostic(`workers did ${tally.byWorkers}, the I/O thread ${tally.byIo}; ${sleeps} sleeps`);
    t.diagnostic(`nonces used twice: ${noncesUsedTwice(room)}`);
    assert.deepEqual(deaths, []);
    assert.equal(tally.posted, JOBS);
    assert.equal(tally.retired, JOBS);
    assert.equal(tally.abandoned, 0);
    assert.equal(tally.sent, JOBS);
    assert.equal(room.sentCounters.size, JOBS);
    assert.equal(tally.byWorkers + tally.byIo, JOBS);
    assert(tally.byWorkers > JOBS / 100, "the workers did next to nothing");
    assert(tally.byIo > 0, "the I/O thread did not help");
    assert.equal(noncesUsedTwice(room), 0);
    assert.equal(lost, 0, "slept although the oldest job was done");
  } finally {
    const engine = wordOf(room.arena, "engine", ENGINE.size, 0);
    Atomics.store(room.arena.i32, engine + fieldWord(ENGINE.fields.stop), 1);
    await pool.stop();
    addon.ioClose(room.station.io);
    addon.close(room.wake);
  }
});

const extension = import.meta.url.slice(import.meta.url.lastIndexOf("."));
