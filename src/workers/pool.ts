/**
 * pool — the worker threads: one endless piscina task each, replaced when it dies.
 *
 * Thread: main. A dead worker's claim tag is published, so that the I/O threads give up the jobs
 * that it held (security.md 1); the replacement gets a new tag.
 */
import { Piscina } from "piscina";
import { WORKER, WORKER_STATE } from "../memory/layout.ts";
import { type Arena, fieldWord, shareOf, wordOf } from "../memory/region.ts";
import { workerTag } from "../memory/ring.ts";
import type { WorkerTask } from "./main.ts";

/** Heap of one worker: it holds views and little else. */
const HEAP_MB = 64;
const YOUNG_MB = 8;
/** Replacements within RESTART_WINDOW_MS before the pool gives up on an entry. */
const RESTARTS_MAX = 5;
const RESTART_WINDOW_MS = 10_000;

const extension = import.meta.url.slice(import.meta.url.lastIndexOf("."));

export interface PoolOptions {
  readonly arena: Arena;
  readonly ioWakes: readonly number[];
  /** Called after a worker died and its tag was published: I/O threads must look. */
  readonly onDeath: (worker: number, reason: string) => void;
  /** Instead of the engine's own worker; for tests. */
  readonly filename?: string;
}

/** One entry's present incarnation. */
interface Place {
  readonly incarnation: number;
  readonly restarts: readonly number[];
}

export class WorkerPool {
  readonly #options: PoolOptions;
  readonly #piscina: Piscina | null;
  readonly #places: Place[] = [];
  /** Resolves at a thread's exit, by thread id. */
  readonly #exits = new Map<number, Promise<void>>();
  #stopping = false;

  constructor(options: PoolOptions) {
    this.#options = options;
    const { workers } = options.arena.limits;
    this.#piscina =
      workers === 0
        ? null
        : new Piscina({
            filename: options.filename ?? new URL(`./main${extension}`, import.meta.url).href,
            minThreads: workers,
            maxThreads: workers,
            concurrentTasksPerWorker: 1,
            atomics: "disabled",
            resourceLimits: { maxOldGenerationSizeMb: HEAP_MB, maxYoungGenerationSizeMb: YOUNG_MB },
            trackUnmanagedFds: false,
          });
    this.#piscina?.on("workerCreate", () => this.#watchExits());
    // A thread that failed before it had a task held no job; without this, main would end with it.
    this.#piscina?.on("error", () => {});
    this.#watchExits();
    for (let worker = 0; worker < workers; worker++) {
      this.#start(worker, { incarnation: 0, restarts: [] });
    }
  }

  /** Ends the thread that holds a claim tag; its replacement starts at once. */
  async replace(tag: number): Promise<void> {
    const worker = this.#places.findIndex((place, i) => workerTag(i, place.incarnation) === tag);
    if (worker < 0) return;
    const id = this.#threadId(worker);
    await this.#piscina?.threads.find((thread) => thread.threadId === id)?.terminate();
  }

  /** Ends all threads. The engine's stop flag is set, so sleeping ones are rung. */
  async stop(): Promise<void> {
    this.#stopping = true;
    const { arena } = this.#options;
    for (let worker = 0; worker < arena.limits.workers; worker++) {
      const bell = this.#word(worker) + fieldWord(WORKER.fields.bell);
      Atomics.add(arena.i32, bell, 1);
      Atomics.notify(arena.i32, bell);
    }
    await this.#piscina?.destroy();
  }

  #word(worker: number): number {
    return wordOf(this.#options.arena, "workers", WORKER.size, worker);
  }

  #threadId(worker: number): number {
    const word = this.#word(worker) + fieldWord(WORKER.fields.threadId);
    return Atomics.load(this.#options.arena.i32, word);
  }

  #watchExits(): void {
    for (const thread of this.#piscina?.threads ?? []) {
      const id = thread.threadId;
      if (this.#exits.has(id)) continue;
      this.#exits.set(id, new Promise((resolve) => thread.once("exit", () => resolve())));
    }
  }

  #start(worker: number, place: Place): void {
    const { arena, ioWakes } = this.#options;
    const tag = workerTag(worker, place.incarnation);
    Atomics.store(arena.u32, this.#word(worker) + fieldWord(WORKER.fields.tag), tag);
    this.#places[worker] = place;
    const task: WorkerTask = { share: shareOf(arena), worker, tag, ioWakes };
    this.#piscina
      ?.run(task)
      .then(() => undefined)
      .catch((error: unknown) => this.#died(worker, tag, error as Error));
  }

  /** Publishes the tag only after the thread's exit: until then it may still write to its slot. */
  async #died(worker: number, tag: number, error: Error): Promise<void> {
    if (this.#stopping) return;
    const { arena, onDeath } = this.#options;
    const id = this.#threadId(worker);
    // A task that threw leaves its thread alive, and the job that it held claimed.
    await this.#piscina?.threads.find((thread) => thread.threadId === id)?.terminate();
    await this.#exits.get(id);
    this.#exits.delete(id);
    const word = this.#word(worker);
    Atomics.store(arena.u32, word + fieldWord(WORKER.fields.state), WORKER_STATE.absent);
    Atomics.store(arena.u32, word + fieldWord(WORKER.fields.deadTag), tag);
    onDeath(worker, error.message);
    const { incarnation, restarts } = this.#places[worker]!;
    const now = performance.now();
    const recent = restarts.filter((at) => now - at < RESTART_WINDOW_MS);
    if (recent.length >= RESTARTS_MAX) return;
    this.#start(worker, { incarnation: incarnation + 1, restarts: [...recent, now] });
  }
}
