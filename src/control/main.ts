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
import { Kinds, type Log, makeLog, Recent } from "../log.ts";
import { connectedSockets, setPortOpen } from "../memory/connected.ts";
import { COMMAND } from "../memory/layout.ts";
import { setLocals } from "../memory/locals.ts";
import { writeMtu } from "../memory/mtu.ts";
import { type Arena, openArena, regionTables } from "../memory/region.ts";
import { Control } from "./control.ts";
import { firstChange } from "./doors/current.ts";
import type { OnLost } from "./doors/door.ts";
import { makeHandlers } from "./doors/handlers.ts";
import { Reloads } from "./doors/reloads.ts";
import { upFacts } from "./doors/report.ts";
import { type ControlSocket, openControlSocket } from "./doors/socket.ts";
import { openUapiSocket, type UapiSocket } from "./doors/uapi.ts";
import { KeyLog, keyLogSentence } from "./handshake/key-log.ts";
import { SentClock } from "./handshake/timestamps.ts";
import { Datagrams } from "./host/datagrams.ts";
import { Host } from "./host/host.ts";
import { Neighbours } from "./host/neighbours.ts";
import { hasAddress, Sockets } from "./host/sockets.ts";
import { enlist, type Member } from "./member.ts";
import { Loops } from "./reach/loops.ts";
import { type NameService, openNames } from "./reach/name-service.ts";
import { reachedPeers } from "./reach/reached.ts";
import { Sources } from "./reach/sources.ts";
import { mac, makeSourceHash } from "./strangers/hashes.ts";
import type { ControlReport, ControlTask, Order } from "./task.ts";
import { BootTimer, every, later } from "./timer.ts";
import type { World } from "./world.ts";

/** Tuning: names that are resolved by then keep prefixes that contain them from being routed. */
const NAMES_MS = 1_000;
/** Tuning: I/O threads close sockets in a turn; one that is being replaced takes longer. */
const DISCONNECT_MS = 500;

class ControlThread {
  readonly #task: ControlTask;
  readonly #arena: Arena;
  readonly #report: (report: ControlReport) => void;
  readonly #log: Log;
  readonly #keyLog: KeyLog | null;
  readonly #recent: Recent;
  /** What others can cause again and again is said a few times, then seldom. */
  readonly #kinds: Kinds;
  readonly #control: Control;
  readonly #alarm: BootTimer;
  readonly #sockets: Sockets;
  readonly #datagrams: Datagrams;
  readonly #neighbours: Neighbours;
  readonly #host: Host;
  readonly #loops: Loops;
  readonly #sources: Sources;
  readonly #eventWatch: WatchHandle;
  readonly #onLost: OnLost = {
    pause: sleep,
    failed: ({ message: reason }) => this.#log.warn("a socket is gone for good", { reason }),
  };
  #reloads: Reloads | null = null;
  #socket: ControlSocket | null = null;
  #uapi: UapiSocket | null = null;
  /** Null: the host is a member of no network. */
  #member: Member | null = null;
  /** The last renaming; each follows the one before. */
  #renamed: Promise<void> = Promise.resolve();
  readonly #names: NameService;

  constructor(
    task: ControlTask,
    report: (report: ControlReport) => void,
    log: Log,
    recent: Recent,
  ) {
    const { keyLogFile, logFile } = task.config.host;
    this.#task = task;
    this.#report = report;
    this.#log = log;
    this.#recent = recent;
    this.#kinds = new Kinds(log, () => addon.bootMs(), later);
    for (const sentence of task.opened.warned) {
      // The one who started the engine has read them, but where its log is another.
      if (logFile === null) recent.add(sentence, addon.bootMs());
      else log.warn(sentence);
    }
    for (const sentence of task.opened.surprises) log.warn(sentence);
    this.#keyLog = keyLogFile === null ? null : KeyLog.create(keyLogFile, log);
    if (keyLogFile !== null) log.info(keyLogSentence(task.config.interface.cipher));
    this.#arena = openArena(task.share);
    const { bases, counts } = regionTables(this.#arena);
    addon.attach(this.#arena.u8, bases, counts);
    const { interface: link } = task.config;
    const { udp4, udp6 } = task.port.pairs[0]!;
    this.#names = openNames({ v4: udp4 >= 0, v6: udp6 >= 0 }, later);
    const world = this.#world();
    this.#loops = new Loops(this.#arena, world);
    this.#alarm = new BootTimer(() => {
      this.#control.tick();
      this.#loops.look(this.#control.roster.peers(), this.#control.entries);
    });
    this.#sockets = new Sockets(task.port, task.portOptions);
    const { fwmark: mark, bindDevice } = task.portOptions;
    this.#neighbours = new Neighbours({ index: task.index, bound: bindDevice !== "", mark });
    this.#control = new Control(
      {
        arena: this.#arena,
        timing: task.timing,
        cipher: link.cipher,
        aes: task.aes,
        listenPort: task.port.port,
        wantedPort: link.listenPort,
        fwmark: link.fwmark,
        keyFixed: link.identity !== null && link.identity.nodeId !== null,
      },
      world,
    );
    this.#datagrams = new Datagrams(task.port.pairs.at(-1)!, task.passOn, this.#control);
    const { roster, entries, endpoints } = this.#control;
    this.#sources = new Sources({
      roster,
      entries,
      endpoints,
      has: hasAddress,
      announce: (peer) => this.#control.announce(peer),
      disconnect: () => this.#control.broadcast(COMMAND.sockets),
    });
    this.#host = this.#makeHost();
    this.#eventWatch = addon.watch(task.wake, () => {
      addon.eventClear(task.wake);
      this.#control.hear();
    });
  }

  #makeHost(): Host {
    const task = this.#task;
    const { interface: link } = task.config;
    return new Host({
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
      tun: task.tun,
      every,
      later,
      onName: () => this.#rename(),
      onMtu: (mtu) => {
        this.#control.growMtu(mtu);
        writeMtu(this.#arena, mtu);
      },
      onUp: (up) => {
        // The kernel removes them with the link, which may be up again when the rest is done.
        if (!up) this.#neighbours.forget();
        void this.#setUp(up);
      },
      onFailure: ({ message: reason }) =>
        this.#log.warn("an address or a route is missing", { reason }),
      onAddresses: (addresses) => setLocals(this.#arena, addresses),
      onHostAddresses: () => {
        this.#sources.look();
        this.#member?.addressesChanged();
      },
      onNetwork: () => this.#setRoutes(true),
    });
  }

  #world(): World {
    const { ioWakes, config } = this.#task;
    const { host } = config;
    const keyLog = this.#keyLog;
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
      isUnknownNeighbour: (to, local) => this.#neighbours.isUnknown(to, local),
      signal: (thread) => void addon.eventSignal(ioWakes[thread]!),
      wakeAt: (dueMs) => this.#alarm.set(dueMs),
      pause: (ms) => sleep(ms),
      resolve: (endpoint, asking) => this.#names.names.resolve(endpoint, asking),
      listen: (listenPort) => this.#listen(listenPort),
      inside: (to, local) => this.#host.underlay.inside(to, local),
      setMark: (fwmark) => {
        this.#sockets.setMark(fwmark);
        this.#neighbours.setMark(fwmark);
        this.#control.broadcast(COMMAND.sockets);
      },
      setMtu: (mtu) => this.#host.setMtu(mtu),
      onRoutes: () => this.#setRoutes(),
      logKeys: keyLog === null ? null : (secrets) => keyLog.handshake(secrets),
      say: (level, text, facts) => this.#kinds.say(level, text, facts),
    };
  }

  async start(): Promise<void> {
    const { config, opened } = this.#task;
    await this.#control.apply(firstChange(config), "file");
    if (config.host.bringUp) {
      this.#host.bringUp();
      await this.#control.setUp(true);
      this.#neighbours.keep(this.#control.roster.prefixes());
      // A route must not lead to where a peer is; a dead name server holds nothing up for long.
      await Promise.race([this.#names.names.quiet(), sleep(NAMES_MS, undefined, { ref: false })]);
      this.#installRoutes();
    }
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
      recent: this.#recent,
      log: this.#log,
      pause: (ms) => sleep(ms),
      stop: () => this.#report({ type: "stop", why: "`p2pvpn-engine stop` asked for it" }),
    });
    this.#reloads = new Reloads(handlers["engine.reload"]);
    this.#socket = await openControlSocket({ name: opened.name, handlers, onLost: this.#onLost });
    this.#uapi = await this.#openUapi();
    this.#member = enlist(this.#task, {
      control: this.#control,
      tunnelName: () => this.#host.name,
      resolve: (endpoint, asking) => this.#names.names.resolveAll(endpoint, asking),
      say: (...what) => this.#kinds.say(...what),
      every,
      later,
    });
    this.#rename(); // it may have happened meanwhile
    const facts = upFacts({ ...this.#task, control: this.#control, host: this.#host });
    this.#log.info("engine is up", facts);
  }

  /** Without it `wg` does not work; everything else does, so only the drop-in ends for it. */
  async #openUapi(): Promise<UapiSocket | null> {
    const dropIn = !this.#task.config.host.bringUp;
    const why = "its WireGuard socket was removed";
    const stop = (): void => this.#report({ type: "stop", why });
    try {
      return await openUapiSocket({
        name: this.#host.name,
        state: () => this.#control.state(),
        apply: (change) => this.#control.apply(change),
        onLost: dropIn ? { removed: stop } : this.#onLost,
      });
    } catch (error) {
      if (dropIn) throw error;
      this.#log.warn("wg cannot reach this engine", { reason: (error as Error).message });
      return null;
    }
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

  /** Reads the configuration again; before all is up, it just was. */
  reload(): void {
    void this.#reloads?.ask();
  }

  /** Zeroes keys and closes what was opened. */
  async stop(why: string): Promise<void> {
    this.#log.info("engine stops", { why });
    this.#member?.close();
    this.#datagrams.close();
    this.#host.close();
    this.#names.close();
    this.#neighbours.close();
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
    if (up) this.#member?.addressesChanged(true);
    this.#setRoutes();
  }

  /** Errors: EngineError ROUTE_FAILED. */
  #installRoutes(keep = false): void {
    const { roster, entries } = this.#control;
    if (this.#host.up) this.#neighbours.keep(roster.prefixes());
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
  const { logLevel: level, logFile: file } = task.config.host;
  const recent = new Recent();
  const onWarning = (text: string): void => recent.add(text, addon.bootMs());
  const fail = ({ message }: Error): void =>
    port.postMessage({ type: "failed", message } satisfies ControlReport);
  let control: ControlThread;
  try {
    const log = await makeLog({ thread: "control", level, file, onWarning });
    control = new ControlThread(task, (report) => port.postMessage(report), log, recent);
  } catch (error) {
    fail(error as Error);
    port.close();
    return;
  }
  port.on("message", (order: Order) => {
    if (order === "reload") return control.reload();
    void control.stop(order.stop).then(() => {
      port.postMessage({ type: "ended" } satisfies ControlReport);
      port.close();
    });
  });
  try {
    await control.start();
    port.postMessage({ type: "ready" } satisfies ControlReport);
  } catch (error) {
    fail(error as Error);
    await control.stop((error as Error).message);
    port.close();
  }
};

if (parentPort !== null) void main(parentPort, workerData as ControlTask);
