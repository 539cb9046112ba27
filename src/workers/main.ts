/**
 * workers/main — a worker: claims a job, does it, says so; sleeps when there is none.
 *
 * It is a piscina task that ends only when the engine stops. Jobs of all I/O threads are looked at
 * in turn, beginning after the one served last.
 */
import { threadId } from "node:worker_threads";
import { Segments } from "../crypto/segments.ts";
import { work } from "../crypto/work.ts";
import { addon } from "../io/native/addon.ts";
import { ENGINE, WORKER, WORKER_STATE } from "../memory/layout.ts";
import {
  type Arena,
  type ArenaShare,
  doubleAt,
  fieldWord,
  openArena,
  regionTables,
  wordOf,
} from "../memory/region.ts";
import { claim, finish, NOTHING, openRing, type Ring } from "../memory/ring.ts";

export interface WorkerTask {
  readonly share: ArenaShare;
  /** Entry in the workers region. */
  readonly worker: number;
  /** Claim tag of this incarnation. */
  readonly tag: number;
  /** Wake-up eventfd of each I/O thread. */
  readonly ioWakes: readonly number[];
}

/** A belt: a worker looks around this often even when nobody rings. */
const SLEEP_MS = 10_000;

const STATE = fieldWord(WORKER.fields.state);
const BELL = fieldWord(WORKER.fields.bell);
const THREAD_ID = fieldWord(WORKER.fields.threadId);
const STOP = fieldWord(ENGINE.fields.stop);

class Worker {
  readonly #arena: Arena;
  readonly #task: WorkerTask;
  readonly #segments: Segments;
  readonly #rings: readonly Ring[];
  readonly #word: number;
  readonly #stopWord: number;
  #next = 0;

  constructor(task: WorkerTask) {
    this.#task = task;
    this.#arena = openArena(task.share);
    const { bases, counts } = regionTables(this.#arena);
    addon.attach(this.#arena.u8, bases, counts);
    this.#segments = new Segments(this.#arena);
    this.#rings = task.ioWakes.map((_, thread) => openRing(this.#arena, thread));
    this.#word = wordOf(this.#arena, "workers", WORKER.size, task.worker);
    this.#stopWord = wordOf(this.#arena, "engine", ENGINE.size, 0) + STOP;
  }

  run(): void {
    const { i32 } = this.#arena;
    Atomics.store(i32, this.#word + THREAD_ID, threadId);
    while (Atomics.load(i32, this.#stopWord) === 0) {
      const bell = Atomics.load(i32, this.#word + BELL);
      if (this.#serve()) continue;
      Atomics.store(i32, this.#word + STATE, WORKER_STATE.asleep);
      // Whoever posted before it could see us asleep did not ring: look once more.
      if (!this.#serve()) Atomics.wait(i32, this.#word + BELL, bell, SLEEP_MS);
      Atomics.store(i32, this.#word + STATE, WORKER_STATE.awake);
    }
    Atomics.store(i32, this.#word + STATE, WORKER_STATE.absent);
  }

  /** Does one job. False: there was none. */
  #serve(): boolean {
    for (let step = 0; step < this.#rings.length; step++) {
      const thread = (this.#next + step) % this.#rings.length;
      const ring = this.#rings[thread]!;
      const at = claim(ring, this.#task.tag);
      if (at === NOTHING) continue;
      Atomics.store(this.#arena.i32, this.#word + STATE, WORKER_STATE.awake);
      work(this.#segments, ring, at);
      const jobs = doubleAt(this.#word, WORKER.fields.jobs);
      this.#arena.f64[jobs] = this.#arena.f64[jobs]! + 1;
      if (finish(ring, at, this.#task.tag)) addon.eventSignal(this.#task.ioWakes[thread]!);
      this.#next = thread;
      return true;
    }
    return false;
  }
}

/** piscina's entry. Returns when the engine stops. */
export default function main(task: WorkerTask): void {
  new Worker(task).run();
}
