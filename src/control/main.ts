/**
 * control/main — entry of the control thread: gives `Control` the real world, and opens the doors
 * through which people and programs reach it. No packets.
 *
 * It sleeps in node's event loop until a handshake message, an event of an I/O thread, a client of
 * a socket, a change of the interface, or the earliest timer of any peer wakes it.
 */
import { randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { parentPort, workerData } from "node:worker_threads";
import { addon, type WatchHandle } from "../io/native/addon.ts";
import { type Log, makeLog, Sparse } from "../log.ts";
import { connectedSockets, setPortOpen } from "../memory/connected.ts";
import { COMMAND } from "../memory/layout.ts";
import { setLocals } from "../memory/locals.ts";
import { writeMtu } from "../memory/mtu.ts";
import { type Arena, type ArenaShare, openArena, regionTables } from "../memory/region.ts";
import type { Change } from "../schema/change.ts";
import type { EngineConfig } from "../schema/config.ts";
import { SentClock } from "./clock.ts";
import { Control } from "./control.ts";
import { Datagrams } from "./datagrams.ts";
import { makeHandlers } from "./handlers.ts";
import { Host } from "./host.ts";
import { KeyLog } from "./key-log.ts";
import { mac, makeSourceHash } from "./macs.ts";
import { reachedPeers } from "./reached.ts";
import type { Opened } from "./report.ts";
import { resolveEndpoint } from "./resolve.ts";
import { type ControlSocket, openControlSocket } from "./socket.ts";
import { type OpenPort, type PortOptions, Sockets } from "./sockets.ts";
import type { AesFound } from "./suites.ts";
import type { Timing } from "./timers.ts";
import { openUapiSocket, type UapiSocket } from "./uapi.ts";
import type { World } from "./world.ts";

/** What main gives control. */
export interface ControlTask {
  readonly share: ArenaShare;
  readonly config: EngineConfig;
  readonly opened: Opened;
  readonly timing: Timing;
  readonly aes: AesFound;
  readonly port: OpenPort;
  readonly portOptions: PortOptions;
  /** Index of the interface, and a TUN queue. */
  readonly index: number;
  readonly tun: number;
  readonly vnetHeaderBytes: number;
  /** What I/O threads hand on. */
  readonly passOn: number;
  /** Control's wake-up eventfd, and each I/O thread's. */
  readonly wake: number;
  readonly ioWakes: readonly number[];
}

/** What control tells main. */
export type ControlReport =
  | { readonly type: "ready" }
  | { readonly type: "stop" }
  /** Its work is done; the thread itself may have to wait for a name server. */
  | { readonly type: "ended" }
  | { readonly type: "failed"; readonly message: string };

/** The engine is up without the endpoints whose names take longer than this. */
const RESOLVE_START_MS = 1_000;
/** Tuning: I/O threads close sockets in a turn; one that is being replaced takes longer. */
const DISCONNECT_MS = 500;
/**
 * Tuning: an alarm rings at least this often, since node's timers stand still in a suspend and the
 * boot clock does not: what became due meanwhile is done this long after it at the latest.
 */
const ALARM_MAX_MS = 10_000;

/** Calls back once, at a time of the boot clock. */
class Alarm {
  readonly #ring: () => void;
  #timer: NodeJS.Timeout | null = null;

  constructor(ring: () => void) {
    this.#ring = ring;
  }

  set(dueMs: number): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    if (dueMs === Number.POSITIVE_INFINITY) return;
    const delay = Math.min(ALARM_MAX_MS, Math.max(1, Math.ceil(dueMs - addon.bootMs())));
    this.#timer = setTimeout(this.#ring, delay);
  }
}

/** The configuration's peers and key, as a change to an engine that has none. */
const firstChange = ({ interface: link, peers }: EngineConfig): Change => ({
  privateKey: link.identity?.privateKey ?? null,
  peers,
});

class ControlThread {
  readonly #task: ControlTask;
  readonly #arena: Arena;
  readonly #report: (report: ControlReport) => void;
  readonly #log: Log;
  readonly #keyLog: KeyLog | null;
  /** One for each sentence that is said at more than debug level. */
  readonly #sparse = new Map<string, Sparse>();
  readonly #control: Control;
  readonly #alarm: Alarm;
  readonly #sockets: Sockets;
  readonly #datagrams: Datagrams;
  readonly #host: Host;
  readonly #eventWatch: WatchHandle;
  #socket: ControlSocket | null = null;
  #uapi: UapiSocket | null = null;
  /** The last renaming; each follows the one before. */
  #renamed: Promise<void> = Promise.resolve();
  /** Look-ups under way; the engine's start waits for them for a moment. */
  readonly #lookUps = new Set<Promise<unknown>>();

  constructor(task: ControlTask, report: (report: ControlReport) => void, log: Log) {
    const { keyLogFile } = task.config.host;
    this.#task = task;
    this.#report = report;
    this.#log = log;
    for (const sentence of task.opened.surprises) log.warn(sentence);
    this.#keyLog = keyLogFile === null ? null : KeyLog.create(keyLogFile, log);
    this.#arena = openArena(task.share);
    const { bases, counts } = regionTables(this.#arena);
    addon.attach(this.#arena.u8, bases, counts);
    const { interface: link } = task.config;
    this.#alarm = new Alarm(() => {
      this.#control.tick();
      this.#host.underlay.look(this.#control);
    });
    this.#sockets = new Sockets(task.port, task.portOptions);
    this.#control = new Control(
      {
        arena: this.#arena,
        timing: task.timing,
        cipher: link.cipher,
        aes: task.aes,
        listenPort: task.port.port,
        fwmark: link.fwmark,
        keyFixed: link.identity !== null && link.identity.nodeId !== null,
      },
      this.#world(),
    );
    this.#datagrams = new Datagrams(task.port.pairs.at(-1)!, task.passOn, this.#control);
    this.#host = new Host({
      index: task.index,
      name: task.opened.name,
      mtu: link.mtu,
      addresses: link.addresses,
      install: task.config.host.installRoutes,
      arena: this.#arena,
      listenAddress: link.listenAddress,
      bound: link.bindDevice !== "",
      port: task.port.port,
      mark: () => this.#control.fwmark,
      say: (...words) => this.#say(...words),
      tun: task.tun,
      vnetHeaderBytes: task.vnetHeaderBytes,
      every: (ms, call) => {
        const timer = setInterval(call, ms);
        return () => clearInterval(timer);
      },
      later: (ms, call) => {
        const timer = setTimeout(call, ms);
        return () => clearTimeout(timer);
      },
      onName: () => this.#rename(),
      onMtu: (mtu) => {
        this.#control.growMtu(mtu);
        writeMtu(this.#arena, mtu);
      },
      onUp: (up) => void this.#setUp(up),
      onAddresses: (addresses) => setLocals(this.#arena, addresses),
      onNetwork: () => this.#setRoutes(true),
    });
    this.#eventWatch = addon.watch(task.wake, () => {
      addon.eventClear(task.wake);
      this.#control.hear();
    });
  }

  #world(): World {
    const { port, ioWakes, config } = this.#task;
    const { host } = config;
    const keyLog = this.#keyLog;
    const families = { v4: port.pairs[0]!.udp4 >= 0, v6: port.pairs[0]!.udp6 >= 0 };
    return {
      bootMs: () => addon.bootMs(),
      unixMs: Date.now,
      random: Math.random,
      randomBytes: (bytes) => randomBytes(bytes),
      mac,
      sourceHash: makeSourceHash(randomBytes(16)),
      openClock: (publicKey) =>
        SentClock.open({ folder: host.stateDir, publicKey, unixMs: Date.now(), log: this.#log }),
      send: (datagram, to, local) => this.#datagrams.send(datagram, to, local),
      signal: (thread) => void addon.eventSignal(ioWakes[thread]!),
      wakeAt: (dueMs) => this.#alarm.set(dueMs),
      pause: (ms) => sleep(ms),
      resolve: (endpoint) => {
        const found = resolveEndpoint(endpoint, families);
        this.#lookUps.add(found);
        void found.then(() => this.#lookUps.delete(found));
        return found;
      },
      listen: (listenPort) => this.#listen(listenPort),
      inside: (to, local) => this.#host.underlay.inside(to, local),
      setMark: (fwmark) => {
        this.#sockets.setMark(fwmark);
        this.#control.broadcast(COMMAND.sockets);
      },
      setMtu: (mtu) => this.#host.setMtu(mtu),
      onRoutes: () => this.#setRoutes(),
      logKeys: keyLog === null ? null : (secrets) => keyLog.handshake(secrets),
      say: (level, text, facts) => this.#say(level, text, facts),
    };
  }

  async start(): Promise<void> {
    const { config, opened } = this.#task;
    await this.#control.apply(firstChange(config));
    if (config.host.bringUp) {
      this.#host.bringUp();
      await this.#control.setUp(true);
    }
    // Names may take their time; the engine does not wait for a dead name server.
    await Promise.race([
      Promise.all([...this.#lookUps]),
      sleep(RESOLVE_START_MS, undefined, { ref: false }),
    ]);
    // A route must not lead to where a peer is.
    if (config.host.bringUp) this.#installRoutes();
    const handlers = makeHandlers({
      task: this.#task,
      arena: this.#arena,
      control: this.#control,
      host: this.#host,
      nowMs: () => addon.bootMs(),
      setLogLevel: (level) => {
        this.#log.level = level;
      },
      keyLogOn: () => this.#keyLog?.on ?? false,
      warn: (sentence) => this.#log.warn(sentence),
      stop: () => this.#report({ type: "stop" }),
    });
    this.#socket = await openControlSocket({ name: opened.name, handlers });
    this.#uapi = await this.#openUapi();
    this.#rename(); // it may have happened meanwhile
  }

  /** Without it `wg` does not work; everything else does, so only the drop-in ends for it. */
  async #openUapi(): Promise<UapiSocket | null> {
    const dropIn = !this.#task.config.host.bringUp;
    const stop = (): void => this.#report({ type: "stop" });
    try {
      return await openUapiSocket({
        name: this.#host.name,
        state: () => this.#control.state(),
        apply: (change) => this.#control.apply(change),
        ...(dropIn ? { removed: stop } : {}),
      });
    } catch (error) {
      if (dropIn) throw error;
      this.#log.warn("wg cannot reach this engine", { reason: (error as Error).message });
      return null;
    }
  }

  /** What others can cause again and again is said a few times, then seldom. */
  #say(...[level, text, facts]: Parameters<World["say"]>): void {
    if (level === "debug") {
      this.#log.debug(text, facts);
      return;
    }
    let sparse = this.#sparse.get(text);
    if (sparse === undefined) {
      sparse = new Sparse(this.#log);
      this.#sparse.set(text, sparse);
    }
    sparse.say(level, addon.bootMs(), text, facts);
  }

  /** Sockets are called like the interface is when their turn comes: names may follow fast. */
  #rename(): void {
    for (const socket of [() => this.#uapi, () => this.#socket]) {
      this.#renamed = this.#renamed
        .then(() => socket()?.rename(this.#host.name))
        .catch((error: Error) => {
          this.#log.warn("a socket keeps its former name", { reason: error.message });
        });
    }
  }

  /** Zeroes keys and closes what was opened. */
  async stop(): Promise<void> {
    this.#datagrams.close();
    this.#host.close();
    addon.unwatch(this.#eventWatch);
    this.#control.stop();
    this.#keyLog?.close();
    // Last, since a client that does not read may hold it up until main ends this thread.
    await Promise.all([this.#uapi?.close(), this.#socket?.close()]);
  }

  /** Somebody else may have taken the port while the interface was down. */
  async #setUp(up: boolean): Promise<void> {
    try {
      await this.#control.setUp(up);
    } catch (error) {
      const text = "the interface is up without its port; set listen-port once more";
      this.#log.warn(text, { reason: (error as Error).message });
    }
    this.#setRoutes();
  }

  /** Errors: EngineError ROUTE_FAILED. */
  #installRoutes(keep = false): void {
    const { roster, entries } = this.#control;
    try {
      this.#host.setRoutes(roster.prefixes(), reachedPeers(roster.peers(), entries), keep);
    } finally {
      for (const sentence of this.#host.routes.news) this.#log.warn(sentence);
    }
  }

  #setRoutes(keep = false): void {
    try {
      this.#installRoutes(keep);
    } catch (error) {
      this.#log.warn("a route is missing", { reason: (error as Error).message });
    }
  }

  /** Nobody may poll descriptors while they are replaced. */
  async #listen(port: number | null): Promise<number> {
    await this.#disconnectPeers();
    this.#datagrams.pause();
    try {
      return this.#sockets.listen(port);
    } finally {
      this.#host.underlay.port = this.#sockets.open ? this.#sockets.port : 0;
      this.#datagrams.resume();
      setPortOpen(this.#arena, this.#sockets.open);
      this.#control.broadcast(COMMAND.sockets);
    }
  }

  /** Connected sockets hold the port: I/O threads close them, and open none meanwhile. */
  async #disconnectPeers(): Promise<void> {
    setPortOpen(this.#arena, false);
    if (connectedSockets(this.#arena) === 0) return;
    this.#control.broadcast(COMMAND.sockets);
    for (let ms = 0; ms < DISCONNECT_MS && connectedSockets(this.#arena) > 0; ms++) await sleep(1);
  }
}

const main = async (port: NonNullable<typeof parentPort>, task: ControlTask): Promise<void> => {
  const log = await makeLog({ thread: "control", level: task.config.host.logLevel });
  let control: ControlThread;
  try {
    control = new ControlThread(task, (report) => port.postMessage(report), log);
  } catch (error) {
    const { message } = error as Error;
    port.postMessage({ type: "failed", message } satisfies ControlReport);
    port.close();
    return;
  }
  port.on("message", (message: unknown) => {
    if (message !== "stop") return;
    void control.stop().then(() => {
      port.postMessage({ type: "ended" } satisfies ControlReport);
      port.close();
    });
  });
  try {
    await control.start();
    port.postMessage({ type: "ready" } satisfies ControlReport);
  } catch (error) {
    const { message } = error as Error;
    port.postMessage({ type: "failed", message } satisfies ControlReport);
    await control.stop();
    port.close();
  }
};

if (parentPort !== null) void main(parentPort, workerData as ControlTask);
