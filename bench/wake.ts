/**
 * wake — what it costs to hand something to another thread and to hear that it is done.
 *
 * `npm run bench:wake`. The way is the engine's own: a bell in shared memory wakes the worker
 * (Atomics.notify), an eventfd wakes the I/O thread (addon.ioPoll). Beside it the same with both
 * threads awake, and the work that could be done instead: sealing inline.
 */
import assert from "node:assert";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { isMainThread, Worker, workerData } from "node:worker_threads";
import { sealChaCha } from "../src/crypto/seal.ts";
import { addon, type IoHandle } from "../src/io/native/addon.ts";
import { WORKER } from "../src/memory/layout.ts";
import { type Arena, type ArenaShare, fieldWord, shareOf, wordOf } from "../src/memory/region.ts";
import {
  FULL_BYTES,
  FULL_RUN,
  makeBenchArena,
  makeRun,
  openBenchArena,
  type Run,
  setSuite,
} from "../test/lab/runs.ts";

const ROUNDS = 2_000;
/** Between two rounds, so that both threads are asleep. */
const PAUSE_MS = 1;
const BELL = fieldWord(WORKER.fields.bell);
const STATE = fieldWord(WORKER.fields.state);
const ANSWER = fieldWord(WORKER.fields.tag);
/** For a worker to fall asleep, or to change how it waits. */
const SETTLE_MS = 200;
/** Values of `state`, which here says how the worker waits and what it did. */
const SLEEPING = 0;
const SPINNING = 1;
const STOP = 2;

interface Task {
  readonly share: ArenaShare;
  readonly wake: number;
}

/** In the worker: answers each ring of the bell. */
const serve = ({ share, wake }: Task): void => {
  const arena = openBenchArena(share);
  const { i32 } = arena;
  const word = wordOf(arena, "workers", WORKER.size, 0);
  let bell = 0;
  for (;;) {
    const mode = Atomics.load(i32, word + STATE);
    if (mode === STOP) return;
    if (mode === SLEEPING) Atomics.wait(i32, word + BELL, bell, 100);
    const now = Atomics.load(i32, word + BELL);
    if (now === bell) continue;
    bell = now;
    Atomics.store(i32, word + ANSWER, bell);
    if (mode === SLEEPING) addon.eventSignal(wake);
  }
};

const quantile = (sorted: Float64Array, share: number): number =>
  sorted[Math.floor(share * (sorted.length - 1))] ?? Number.NaN;

const print = (name: string, samples: Float64Array): void => {
  samples.sort();
  const us = (share: number): string => (quantile(samples, share) * 1_000).toFixed(2);
  console.log(`| ${name} | ${us(0)} | ${us(0.5)} | ${us(0.99)} |`);
};

const pause = (ms: number): void => {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
};

/** The poster's side. */
class Poster {
  readonly #i32: Int32Array;
  readonly #word: number;
  readonly #io: IoHandle;

  constructor(arena: Arena, io: IoHandle) {
    this.#i32 = arena.i32;
    this.#word = wordOf(arena, "workers", WORKER.size, 0);
    this.#io = io;
  }

  setMode(mode: number): void {
    Atomics.store(this.#i32, this.#word + STATE, mode);
  }

  /** Rings a sleeping worker and sleeps until it answers: times of the ring and of the trip. */
  asleep(): { ring: Float64Array; trip: Float64Array } {
    const ring = new Float64Array(ROUNDS);
    const trip = new Float64Array(ROUNDS);
    for (let i = 0; i < ROUNDS; i++) {
      pause(PAUSE_MS);
      const start = performance.now();
      const bell = Atomics.add(this.#i32, this.#word + BELL, 1) + 1;
      Atomics.notify(this.#i32, this.#word + BELL, 1);
      ring[i] = performance.now() - start;
      while (Atomics.load(this.#i32, this.#word + ANSWER) !== bell) addon.ioPoll(this.#io, 100);
      trip[i] = performance.now() - start;
      addon.ioPoll(this.#io, 0);
    }
    return { ring, trip };
  }

  awake(): Float64Array {
    const trip = new Float64Array(ROUNDS);
    for (let i = 0; i < ROUNDS; i++) {
      const start = performance.now();
      const bell = Atomics.add(this.#i32, this.#word + BELL, 1) + 1;
      while (Atomics.load(this.#i32, this.#word + ANSWER) !== bell);
      trip[i] = performance.now() - start;
    }
    return trip;
  }
}

const inline = (run: Run, seal: (run: Run) => void): Float64Array => {
  const samples = new Float64Array(ROUNDS);
  for (let i = 0; i < ROUNDS; i++) {
    const start = performance.now();
    seal(run);
    samples[i] = performance.now() - start;
  }
  return samples;
};

const openIo = (wake: number): IoHandle =>
  addon.ioOpen({
    thread: 0,
    tun: -1,
    vnetHeaderBytes: 16,
    udp4: -1,
    udp6: -1,
    wake,
    gso: false,
    uso: false,
    tso: false,
    busyBytes: 0,
  });

const main = async (): Promise<void> => {
  const arena = makeBenchArena(1);
  const wake = addon.eventOpen();
  const io = openIo(wake);
  const task: Task = { share: shareOf(arena), wake };
  const worker = new Worker(fileURLToPath(import.meta.url), { workerData: task });
  await once(worker, "online");
  pause(SETTLE_MS);
  const poster = new Poster(arena, io);
  console.log(`Node ${process.version}; µs\n`);
  console.log("| what | fastest | median | 99 % |\n| --- | --- | --- | --- |");
  const { ring, trip } = poster.asleep();
  print("worker asleep: ring its bell", ring);
  print("worker asleep: until its answer woke us", trip);
  poster.setMode(SPINNING);
  pause(SETTLE_MS);
  print("both awake: until its answer", poster.awake());
  poster.setMode(STOP);
  for (const count of [1, FULL_RUN]) {
    const run = makeRun(arena, 0, count, FULL_BYTES);
    const size = `${count} × ${FULL_BYTES} bytes`;
    setSuite(run, "aes256gcm");
    const aes = inline(run, ({ job }) => assert(addon.seal(job) >= 0));
    print(`instead, inline: AES-256-GCM over ${size}`, aes);
    const chacha = inline(run, ({ segments, word }) => sealChaCha(segments, word));
    print(`instead, inline: sodium's ChaCha20-Poly1305 over ${size}`, chacha);
  }
  addon.ioClose(io);
  addon.close(wake);
  await worker.terminate();
};

if (isMainThread) void main();
else serve(workerData as Task);
