/**
 * node — one engine with settings that no configuration reaches; run as a program on a lab's host.
 *
 *   node node.js CONFIG OPTIONS      OPTIONS: JSON of NodeOptions; needs an IPC channel
 *
 * Says "up" when it is. Asked for a "sample", it looks into the shared memory; told to "endWorker",
 * it ends one worker thread as a crash would; given a "pathMtu", it sets that of its first peer.
 * Stops at SIGTERM and when its parent goes away.
 */
import type { Worker } from "node:worker_threads";
import { TIMING, type Timing } from "../../src/control/sessions/timers.ts";
import { createEngine } from "../../src/engine.ts";
import { sumCounters } from "../../src/memory/counters.ts";
import { IO, SLOTS_PER_IO } from "../../src/memory/layout.ts";
import { PeerEntries } from "../../src/memory/peers.ts";
import { type Arena, fieldWord, wordOf } from "../../src/memory/region.ts";
import { SESSION_FIELD, sessionWord } from "../../src/memory/sessions.ts";
import type { EngineConfig, EngineSettings, HostConfig } from "../../src/schema/config.ts";
import { loadConfig } from "../../src/schema/load-config.ts";

export interface NodeOptions {
  /** In place of the configuration's `cipher`. */
  readonly suite?: EngineConfig["interface"]["cipher"];
  /** Milliseconds; the paper's where left out. */
  readonly timing?: Partial<Timing>;
  readonly flags?: Partial<EngineSettings>;
  readonly host?: Partial<HostConfig>;
}

/** What the shared memory shows. */
export interface Sample {
  /** Entries that hold keys. */
  readonly sessions: number;
  /** Jobs posted and not retired. */
  readonly jobsInFlight: number;
  /** Slots that a job, a staged packet or a leak holds. */
  readonly slotsHeld: number;
  /** Receiver indices of the sessions. */
  readonly indexes: readonly number[];
  readonly counters: Readonly<Record<string, number>>;
  readonly drops: Readonly<Record<string, number>>;
}

/** `pathMtu`: what the way to the first peer takes, in bytes; 0: unknown. */
export type NodeRequest = "sample" | "endWorker" | { readonly pathMtu: number };
export type NodeReport =
  | { readonly type: "up" }
  | { readonly type: "sample"; readonly sample: Sample }
  | { readonly type: "workerEnded"; readonly threadId: number }
  | { readonly type: "failed"; readonly message: string };

/** Receiver indices of the entries that hold keys. */
const liveIndexes = (arena: Arena): number[] => {
  const { u32, layout } = arena;
  const found: number[] = [];
  for (let session = 0; session < layout.count.sessions; session++) {
    const word = sessionWord(arena, session);
    if ((Atomics.load(u32, word + SESSION_FIELD.generation) & 1) === 0) continue;
    found.push(u32[word + SESSION_FIELD.localIndex]!);
  }
  return found;
};

const look = (arena: Arena): Sample => {
  const { u32, i32, limits } = arena;
  const indexes = liveIndexes(arena);
  let jobsInFlight = 0;
  let slotsHeld = 0;
  for (let thread = 0; thread < limits.ioThreads; thread++) {
    const io = wordOf(arena, "ios", IO.size, thread);
    const tail = Atomics.load(i32, io + fieldWord(IO.fields.tail));
    // The tail stays behind while the thread does every job at once: none is in flight then.
    const ahead = (tail - Atomics.load(i32, io + fieldWord(IO.fields.head))) | 0;
    jobsInFlight += Math.max(0, ahead);
    slotsHeld += SLOTS_PER_IO - u32[io + fieldWord(IO.fields.freeSlots)]!;
  }
  return {
    sessions: indexes.length,
    jobsInFlight,
    slotsHeld,
    indexes,
    ...sumCounters(arena, 0, limits.ioThreads + 1),
  };
};

const say = (report: NodeReport): void => void process.send?.(report);

/** Threads of the pool; the engine's own say what they are in their first message. */
const watchPool = (): Set<Worker> => {
  const pool = new Set<Worker>();
  process.on("worker", (worker: Worker) => {
    worker.once("message", (message: unknown) => {
      const own = typeof message === "object" && message !== null && "type" in message;
      if (!own) pool.add(worker);
    });
    worker.once("exit", () => pool.delete(worker));
  });
  return pool;
};

const endWorker = async (pool: ReadonlySet<Worker>): Promise<void> => {
  const [worker] = pool;
  if (worker === undefined) {
    say({ type: "failed", message: "there is no worker thread" });
    return;
  }
  const { threadId } = worker;
  await worker.terminate();
  say({ type: "workerEnded", threadId });
};

const main = async (file: string, options: NodeOptions): Promise<void> => {
  const pool = watchPool();
  let arena: Arena | null = null;
  const config = loadConfig(file, options.flags);
  const host = { ...config.host, ...options.host };
  const link = { ...config.interface, cipher: options.suite ?? config.interface.cipher };
  const engine = await createEngine(
    { ...config, host, interface: link },
    {
      timing: { ...TIMING, ...options.timing },
      onArena: (made) => {
        arena = made;
      },
    },
  );
  process.on("message", (request: NodeRequest) => {
    if (request === "sample" && arena !== null) say({ type: "sample", sample: look(arena) });
    else if (request === "endWorker") void endWorker(pool);
    else if (arena !== null && request !== "sample") {
      new PeerEntries(arena).setPathMtu(0, request.pathMtu);
    }
  });
  for (const event of ["SIGTERM", "SIGINT", "disconnect"]) process.on(event, () => engine.stop());
  say({ type: "up" });
  await engine.stopped;
};

const [file = "", options = "{}"] = process.argv.slice(2);
main(file, JSON.parse(options) as NodeOptions).then(
  () => process.exit(0),
  (error: Error) => {
    process.stderr.write(`${error.message}\n`);
    process.exit(1);
  },
);
