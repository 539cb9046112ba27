/**
 * killed — a worker is ended in the middle of its jobs: what is lost, and how soon it is replaced.
 *
 * `npm run bench:killed`. The engine's own pool and ring, without sockets: this thread posts runs
 * of 45 packets as an I/O thread would, two workers seal them, and one worker is ended.
 */
import assert from "node:assert";
import { setTimeout as sleep } from "node:timers/promises";
import { addon } from "../src/io/native/addon.ts";
import { WORKER, WORKER_STATE } from "../src/memory/layout.ts";
import { type Arena, fieldWord, wordOf } from "../src/memory/region.ts";
import { openRing, Poster, STATUS, workerTag } from "../src/memory/ring.ts";
import { WorkerPool } from "../src/workers/pool.ts";
import { FULL_BYTES, FULL_RUN, makeBenchArena, makeRun } from "../test/lab/runs.ts";

const WORKERS = 2;
/** Pools made one after the other; each loses its first worker once. */
const KILLS = 20;
const JOBS = 100;
/** From ringing the bell to ending the worker. */
const HEAD_START_MS = 1;
const WAIT_MS = 5_000;
const STATE = fieldWord(WORKER.fields.state);
const BELL = fieldWord(WORKER.fields.bell);

interface Outcome {
  /** Until the dead thread's tag was published. */
  readonly toldMs: number;
  /** Until another thread served in its place. */
  readonly replacedMs: number;
  /** Jobs that it held, jobs that others finished, and jobs that nobody did. */
  readonly held: number;
  readonly done: number;
  readonly left: number;
}

const stateOf = (arena: Arena, worker: number): number =>
  Atomics.load(arena.i32, wordOf(arena, "workers", WORKER.size, worker) + STATE);

const until = async (what: string, isTrue: () => boolean): Promise<void> => {
  const endMs = addon.bootMs() + WAIT_MS;
  while (!isTrue()) {
    if (addon.bootMs() > endMs) throw new Error(`${what}: not in ${WAIT_MS} ms`);
    await sleep(0);
  }
};

const ringBells = (arena: Arena): void => {
  for (let worker = 0; worker < WORKERS; worker++) {
    const bell = wordOf(arena, "workers", WORKER.size, worker) + BELL;
    Atomics.add(arena.i32, bell, 1);
    Atomics.notify(arena.i32, bell);
  }
};

/** Retires in order; what the dead worker held is passed over, as the engine does. */
const retireAll = async (poster: Poster, dead: number): Promise<{ held: number; done: number }> => {
  let held = 0;
  let done = 0;
  await until("jobs", () => {
    while (poster.pending() > 0) {
      const status = poster.status();
      const abandoned = status === STATUS.claimed && poster.claimer() === dead;
      if (status !== STATUS.done && !abandoned) return false;
      if (abandoned) held++;
      else done++;
      poster.retire();
    }
    return true;
  });
  return { held, done };
};

const kill = async (): Promise<Outcome> => {
  const arena = makeBenchArena(1, WORKERS);
  for (let place = 0; place < JOBS; place++) makeRun(arena, 0, FULL_RUN, FULL_BYTES, place);
  const wake = addon.eventOpen();
  let toldMs = Number.NaN;
  const pool = new WorkerPool({
    arena,
    ioWakes: [wake],
    onDeath: () => {
      toldMs = addon.bootMs();
    },
  });
  const asleep = (worker: number): boolean => stateOf(arena, worker) === WORKER_STATE.asleep;
  await until("workers", () => asleep(0) && asleep(1));
  const poster = new Poster(openRing(arena, 0));
  for (let i = 0; i < JOBS; i++) poster.post();
  ringBells(arena);
  await sleep(HEAD_START_MS);
  const startMs = addon.bootMs();
  const dead = workerTag(0, 0);
  void pool.replace(dead);
  await until("death", () => !Number.isNaN(toldMs));
  const { held, done } = await retireAll(poster, dead);
  await until("replacement", () => stateOf(arena, 0) !== WORKER_STATE.absent);
  const replacedMs = addon.bootMs() - startMs;
  await pool.stop();
  addon.close(wake);
  return { toldMs: toldMs - startMs, replacedMs, held, done, left: JOBS - held - done };
};

const median = (values: readonly number[]): string => {
  const sorted = [...values].sort((a, b) => a - b);
  return (sorted[sorted.length >>> 1] ?? Number.NaN).toFixed(1);
};

const main = async (): Promise<void> => {
  const outcomes: Outcome[] = [];
  for (let i = 0; i < KILLS; i++) outcomes.push(await kill());
  const sum = (of: (one: Outcome) => number): number =>
    outcomes.reduce((total, one) => total + of(one), 0);
  const worst = (of: (one: Outcome) => number): string => Math.max(...outcomes.map(of)).toFixed(1);
  assert(sum((one) => one.left) === 0);
  console.log(
    `Node ${process.version}; ${KILLS} kills, ${JOBS} jobs of ${FULL_RUN} packets each\n`,
  );
  console.log("| what | |\n| --- | --- |");
  console.log(`| jobs that the dead worker held, in all | ${sum((one) => one.held)} |`);
  console.log(`| most of one kill | ${Math.max(...outcomes.map((one) => one.held))} |`);
  console.log(`| jobs that were finished | ${sum((one) => one.done)} |`);
  console.log(`| jobs that nobody did | ${sum((one) => one.left)} |`);
  const told = outcomes.map((one) => one.toldMs);
  const replaced = outcomes.map((one) => one.replacedMs);
  console.log(
    `| until its tag was published, ms | ${median(told)}, at worst ${worst((o) => o.toldMs)} |`,
  );
  console.log(
    `| until another served, ms | ${median(replaced)}, at worst ${worst((o) => o.replacedMs)} |`,
  );
};

void main();
