/**
 * engine — starts and stops the threads; the only file that knows all rooms.
 *
 *                     main (here): memory, device, sockets, supervision
 *        ┌───────────────┬──────────────────┬─────────────────┐
 *     control          I/O thread(s)      workers          signals
 *     handshakes,      TUN queue, UDP,    seal and
 *     timers, routes   order              open
 *
 * Main owns every file descriptor, so that a thread that dies takes none with it.
 */
import { EventEmitter, once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { type ResourceLimits, Worker } from "node:worker_threads";
import { findAes } from "./ciphers.ts";
import type { AesFound } from "./control/handshake/suites.ts";
import { TIMING, type Timing } from "./control/sessions/timers.ts";
import type { ControlReport, ControlTask, Opened, Order } from "./control/task.ts";
import { closeDevice, type Device, openDevice } from "./device.ts";
import { addon } from "./io/native/addon.ts";
import type { IoTask } from "./io/station.ts";
import type { IoReport } from "./io/thread.ts";
import { optimiseEarly } from "./jit.ts";
import { ENGINE, HAND_OVER, type Limits, PEERS_MAX, ROUTES_MAX, SESSION } from "./memory/layout.ts";
import { setLocals } from "./memory/locals.ts";
import { writeMtu } from "./memory/mtu.ts";
import {
  type Arena,
  fieldWord,
  makeArena,
  regionTables,
  shareOf,
  wordOf,
} from "./memory/region.ts";
import { claim, hasClaims, ioTag, NOTHING, openRing, resetRing } from "./memory/ring.ts";
import { sessionWord } from "./memory/sessions.ts";
import { reasonsOf, surprises } from "./offloads.ts";
import type { EngineConfig } from "./schema/config.ts";
import { EngineError } from "./schema/errors.ts";
import { version } from "./version.ts";
import { WorkerPool } from "./workers/pool.ts";

export interface Engine {
  /** The interface's name. */
  readonly name: string;
  /** At the start. */
  readonly listenPort: number;
  /** Has the configuration read again; what comes of it is logged. */
  reload(): void;
  /** Stops; may be called again. `why`: a clause for the log. */
  stop(why?: string): Promise<void>;
  /** Settles when the engine has stopped; rejects when a thread ended by itself. */
  readonly stopped: Promise<void>;
}

/** What no configuration reaches: most of it is for tests and benchmarks. */
export interface Internals {
  /** Sentences about the configuration, which `status` shows. */
  readonly warned?: readonly string[];
  readonly timing?: Timing;
  /** Gets the shared memory, to look into; called before any thread starts. */
  readonly onArena?: (arena: Arena) => void;
}

/** Heap of an I/O thread: it allocates at start and no more. */
const IO_LIMITS: ResourceLimits = { maxOldGenerationSizeMb: 64, maxYoungGenerationSizeMb: 8 };
/** Heap of control: 10,000 peers need about 30 MB. */
const CONTROL_LIMITS: ResourceLimits = {
  maxOldGenerationSizeMb: 256,
  maxYoungGenerationSizeMb: 16,
};
/** Threads that do not end by themselves when told to are ended after this long. */
const STOP_MS = 2_000;
/** I/O threads replaced before the engine gives up: something is wrong that comes back. */
const IO_RESTARTS_MAX = 10;
const RESTART_LOOK_MS = 5;

const extension = import.meta.url.slice(import.meta.url.lastIndexOf("."));
const entryOf = (room: string): URL => new URL(`./${room}/main${extension}`, import.meta.url);

const limitsOf = (config: EngineConfig): Limits => ({
  ioThreads: config.engine.ioThreads,
  workers: config.engine.threads,
  peers: PEERS_MAX,
  routes: ROUTES_MAX,
});

const allocate = (config: EngineConfig): Arena => {
  try {
    return makeArena(limitsOf(config));
  } catch (cause) {
    throw new EngineError("MEMORY", { reason: (cause as Error).message, cause });
  }
};

/** Settings that other threads read from shared memory. */
const fillArena = (arena: Arena, config: EngineConfig): void => {
  writeMtu(arena, config.interface.mtu);
  const engine = wordOf(arena, "engine", ENGINE.size, 0);
  arena.u32[engine + fieldWord(ENGINE.fields.handOver)] = HAND_OVER[config.engine.handOver];
  setLocals(arena, config.interface.addresses);
};

/** Keys stay in memory and out of core dumps where the system allows it (security.md 33). */
const protectKeys = (arena: Arena): void => {
  const { base } = arena.layout;
  addon.noCoreDumps();
  addon.lockMemory(base.sessions, base.receiverIndices - base.sessions);
};

/** Control has zeroed what it could; I/O threads may have held some until now. */
const zeroSessions = (arena: Arena): void => {
  for (let session = 0; session < arena.layout.count.sessions; session++) {
    const word = sessionWord(arena, session);
    if (arena.u32[word] !== 0) arena.u8.fill(0, word * 4, word * 4 + SESSION.size);
  }
};

class RunningEngine implements Engine {
  readonly name: string;
  readonly listenPort: number;
  readonly stopped: Promise<void>;
  readonly #arena: Arena;
  readonly #device: Device;
  readonly #pool: WorkerPool;
  readonly #control: Worker;
  readonly #ios: Worker[];
  #started = false;
  #ioRestarts = 0;
  readonly #ended = new EventEmitter();
  #stopping: Promise<void> | null = null;

  constructor(
    arena: Arena,
    device: Device,
    config: EngineConfig,
    aes: AesFound,
    internals: Internals,
  ) {
    this.#arena = arena;
    this.#device = device;
    this.name = device.name;
    this.listenPort = device.port.port;
    this.stopped = once(this.#ended, "stopped").then(() => undefined);
    this.stopped.catch(() => {}); // whoever waits sees it; nobody has to
    const { ioWakes } = device;
    this.#pool = new WorkerPool({
      arena,
      ioWakes,
      onDeath: () => this.#wakeIos(),
    });
    this.#ios = device.queues.map((tun, thread) =>
      this.#ioThread({
        share: shareOf(arena),
        io: { ...device.io, thread, tun, wake: ioWakes[thread]!, ...device.port.pairs[thread]! },
        controlWake: device.controlWake,
        passOn: device.passOn.io,
      }),
    );
    const opened: Opened = {
      name: device.name,
      features: { ...device.features, aes256gcm: aes.faster },
      offBecause: reasonsOf(device.offloads),
      version: version(),
      warned: internals.warned ?? [],
      surprises: surprises(device.offloads),
      startedMs: addon.bootMs(),
    };
    const task: ControlTask = {
      share: shareOf(arena),
      config,
      opened,
      timing: internals.timing ?? TIMING,
      aes,
      port: device.port,
      portOptions: device.portOptions,
      index: device.index,
      tun: device.queues[0]!,
      wake: device.controlWake,
      passOn: device.passOn.control,
      ioWakes,
    };
    this.#control = this.#controlThread(task);
  }

  /** Resolves when every thread has said that it is ready. Errors: EngineError. */
  async ready(): Promise<void> {
    const threads = [...this.#ios, this.#control];
    await Promise.all(threads.map((thread) => readyOf(thread)));
    this.#started = true;
  }

  reload(): void {
    if (this.#stopping === null) this.#control.postMessage("reload" satisfies Order);
  }

  stop(why = "its program ends"): Promise<void> {
    this.#stopping ??= this.#stop(why).then(() => {
      this.#ended.emit("stopped");
    });
    return this.#stopping;
  }

  async #stop(why: string): Promise<void> {
    await this.#endControl(why);
    const { i32 } = this.#arena;
    const engine = wordOf(this.#arena, "engine", ENGINE.size, 0);
    Atomics.store(i32, engine + fieldWord(ENGINE.fields.stop), 1);
    this.#wakeIos();
    await Promise.all(this.#ios.map((io) => endOf(io)));
    await this.#pool.stop();
    closeDevice(this.#device);
    zeroSessions(this.#arena);
    await endOf(this.#control);
  }

  async #endControl(why: string): Promise<void> {
    this.#control.postMessage({ stop: why } satisfies Order);
    await endedOf(this.#control);
  }

  #wakeIos(): void {
    for (const wake of this.#device.ioWakes) addon.eventSignal(wake);
  }

  #controlThread(task: ControlTask): Worker {
    const thread = makeThread("control", task, CONTROL_LIMITS);
    thread.on("error", (error: Error) => this.#fail("control", error));
    thread.on("message", (report: ControlReport) => {
      if (report.type === "stop") void this.stop(report.why);
    });
    return thread;
  }

  #ioThread(task: IoTask): Worker {
    const thread = makeThread("io", task, IO_LIMITS);
    thread.on("error", (error: Error) => void this.#restartIo(task, error));
    thread.on("message", (report: IoReport) => {
      if (report.type === "stuck") void this.#pool.replace(report.tag);
      if (report.type === "tunGone") void this.stop("the interface was deleted");
    });
    return thread;
  }

  /**
   * A dead I/O thread is replaced: main has its descriptors. What it held is lost and nothing else;
   * the nonces that it took stay burnt. Workers finish the jobs that they hold of it first.
   */
  async #restartIo(task: IoTask, error: Error): Promise<void> {
    this.#ioRestarts++;
    const { thread } = task.io;
    const ring = openRing(this.#arena, thread);
    // Nobody may begin a job of it any more: its slots are given to others (security.md 1).
    while (claim(ring, ioTag(thread)) !== NOTHING);
    let waitedMs = 0;
    while (hasClaims(ring, thread) && waitedMs < STOP_MS) {
      await sleep(RESTART_LOOK_MS);
      waitedMs += RESTART_LOOK_MS;
    }
    if (!this.#started || this.#ioRestarts > IO_RESTARTS_MAX || hasClaims(ring, thread)) {
      this.#fail("io", error);
      return;
    }
    if (this.#stopping !== null) return;
    resetRing(ring);
    this.#ios[thread] = this.#ioThread(task);
  }

  /** A thread ended by itself: stop, and tell whoever waits. */
  #fail(room: string, error: Error): void {
    if (this.#stopping !== null) return;
    const failure = new EngineError("THREAD_DIED", { thread: room, reason: error.message });
    this.#stopping = this.#stop(failure.message).then(() => {
      this.#ended.emit("error", failure);
    });
  }
}

const makeThread = (room: string, workerData: unknown, limits: ResourceLimits): Worker =>
  new Worker(entryOf(room), { workerData, resourceLimits: limits, trackUnmanagedFds: false });

/** Waits for a thread's "ready", or for why there will be none. */
const readyOf = (thread: Worker): Promise<void> =>
  new Promise((resolve, reject) => {
    const onMessage = (report: ControlReport | IoReport): void => {
      if (report.type === "ready") finish(resolve);
      else if (report.type === "failed") {
        finish(() => reject(new EngineError("ENGINE_SAID", { reason: report.message })));
      }
    };
    const onExit = (): void =>
      finish(() => reject(new EngineError("START_FAILED", { reason: "a thread ended" })));
    const finish = (then: () => void): void => {
      thread.removeListener("message", onMessage);
      thread.removeListener("exit", onExit);
      then();
    };
    thread.on("message", onMessage);
    thread.once("exit", onExit);
  });

/** Waits until control has done its last work. */
const endedOf = (control: Worker): Promise<void> =>
  new Promise((resolve) => {
    if (control.threadId < 0) resolve();
    const timer = setTimeout(resolve, STOP_MS);
    const done = (): void => {
      clearTimeout(timer);
      resolve();
    };
    control.once("exit", done);
    control.on("message", (report: ControlReport) => {
      if (report.type === "ended") done();
    });
  });

/** Waits until a thread has ended by itself; ends it when that takes too long. */
const endOf = async (thread: Worker): Promise<void> => {
  if (thread.threadId < 0) return;
  const timer = setTimeout(() => void thread.terminate(), STOP_MS);
  await once(thread, "exit");
  clearTimeout(timer);
};

/**
 * Starts an engine. Thread: main.
 *
 * Errors: EngineError CIPHER_MISSING, TUN_*, ADDRESS_FAILED, ROUTE_FAILED, PORT_TAKEN,
 * SOCKET_FAILED, MEMORY, and what the control socket says. After an error nothing is left behind.
 */
export const createEngine = async (
  config: EngineConfig,
  internals: Internals = {},
): Promise<Engine> => {
  optimiseEarly();
  const found = findAes();
  // Wireshark reads no AES-256-GCM: with a key log it is used with those alone who refuse all else.
  const aes = config.host.keyLogFile === null ? found : { ...found, faster: false };
  if (config.interface.cipher === "aes256gcm" && !aes.usable) {
    throw new EngineError("CIPHER_MISSING");
  }
  const arena = allocate(config);
  internals.onArena?.(arena);
  const { bases, counts } = regionTables(arena);
  addon.attach(arena.u8, bases, counts);
  fillArena(arena, config);
  protectKeys(arena);
  const device = openDevice(config);
  let engine: RunningEngine | null = null;
  try {
    engine = new RunningEngine(arena, device, config, aes, internals);
    await engine.ready();
    return engine;
  } catch (error) {
    if (engine === null) closeDevice(device);
    else await engine.stop();
    throw error;
  }
};
