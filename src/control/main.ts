/**
 * control/main — the control thread: handshakes, timers, routes, the control socket. No packets.
 *
 * It sleeps in node's event loop until a handshake message, an event of an I/O thread, a client of
 * the control socket, or the earliest timer of any peer wakes it.
 */
import { randomBytes, randomFillSync } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { parentPort, workerData } from "node:worker_threads";
import { addon, type WatchHandle } from "../io/native/addon.ts";
import { Counters, controlBlock } from "../memory/counters.ts";
import { COMMAND, COUNT, DROP, EVENT } from "../memory/layout.ts";
import { PeerEntries } from "../memory/peers.ts";
import { Consumer, Producer } from "../memory/queue.ts";
import { type Arena, type ArenaShare, openArena, regionTables } from "../memory/region.ts";
import { publishRoutes, type RouteEntry } from "../memory/routes.ts";
import type { EngineConfig, PeerConfig } from "../schema/config.ts";
import type { StatusValue } from "../schema/control.ts";
import type { Cidr } from "../wire/cidr.ts";
import { makeIndexKey } from "../wire/index.ts";
import { sameSockaddr } from "../wire/sockaddr.ts";
import { CookieChecker, CookieHolder } from "./cookie.ts";
import { Datagrams } from "./datagrams.ts";
import { Exchange } from "./exchange.ts";
import { Limiter, type SourceHash } from "./limiter.ts";
import { Load } from "./load.ts";
import { type Mac, type StaticKeys, staticKeys, staticStatic } from "./noise.ts";
import type { Peer } from "./peer.ts";
import { type Opened, peerValue, statsValue, statusValue, unchanging } from "./report.ts";
import { type Families, resolveEndpoint } from "./resolve.ts";
import { SessionKeeper } from "./sessions.ts";
import { type ControlSocket, openControlSocket } from "./socket.ts";
import { type Action, PeerTimers, type Timing } from "./timers.ts";

/** What main gives control. */
export interface ControlTask {
  readonly share: ArenaShare;
  readonly config: EngineConfig;
  readonly opened: Opened;
  readonly timing: Timing;
  /** Suite of data messages; other than 0 only in benchmarks until suites are negotiated. */
  readonly suite: number;
  /** Control's members of the reuseport groups, or -1. */
  readonly udp: { readonly v4: number; readonly v6: number };
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

const EVENTS_A_WAKE = 4_096;
/** How often entries that wait for I/O threads are looked at. */
const SWEEP_MS = 20;
/** Names of peers without a session are asked again this often. */
const RESOLVE_EVERY_MS = 60_000;
const RESOLVE_START_MS = 1_000;
/** setTimeout's largest delay. */
const TIMEOUT_MAX_MS = 2_147_483_647;

/** Keyed BLAKE2s with 16 bytes of output. */
const mac: Mac = (key, data) => {
  const out = new Uint8Array(16);
  addon.blake2sMac(out, key, data);
  return out;
};

/** Where a source lies in the limiter's table; nobody outside can make sources meet there. */
const sourceHash = (key: Uint8Array): SourceHash => {
  const words = new Uint32Array(3);
  const bytes = new Uint8Array(words.buffer);
  const out = new Uint8Array(16);
  const outWords = new Uint32Array(out.buffer);
  return (family, high, low) => {
    words.set([family, high, low]);
    addon.blake2sMac(out, key, bytes);
    return outWords[0]!;
  };
};

/** A prefix as the route table takes it. */
export const routeEntry = (cidr: Cidr, peer: number): RouteEntry => {
  const view = new DataView(cidr.bytes.buffer, cidr.bytes.byteOffset, cidr.bytes.byteLength);
  const word = (i: number): number => (4 * i < view.byteLength ? view.getUint32(4 * i) : 0);
  return {
    version: cidr.version,
    words: [word(0), word(1), word(2), word(3)],
    prefixLength: cidr.prefixLength,
    peer,
  };
};

class Control {
  readonly #task: ControlTask;
  readonly #arena: Arena;
  readonly #counters: Counters;
  readonly #entries: PeerEntries;
  readonly #local: StaticKeys;
  readonly #keeper: SessionKeeper;
  readonly #cookies: CookieChecker;
  readonly #load: Load;
  readonly #exchange: Exchange;
  readonly #datagrams: Datagrams;
  readonly #events: readonly Consumer[];
  readonly #commands: readonly Producer[];
  readonly #peers: Peer[] = [];
  readonly #eventWatch: WatchHandle;
  readonly #report: (report: ControlReport) => void;
  #socket: ControlSocket | null = null;
  #timer: NodeJS.Timeout | null = null;
  /** When `#timer` is due. */
  #timerMs = 0;
  #resolveTimer: NodeJS.Timeout | null = null;

  constructor(task: ControlTask, report: (report: ControlReport) => void) {
    this.#task = task;
    this.#report = report;
    this.#arena = openArena(task.share);
    const { bases, counts } = regionTables(this.#arena);
    addon.attach(this.#arena.u8, bases, counts);
    this.#counters = new Counters(this.#arena, controlBlock(this.#arena));
    this.#entries = new PeerEntries(this.#arena);
    this.#local = staticKeys(task.config.interface.identity!.privateKey);
    const randoms = new Uint32Array(1);
    this.#keeper = new SessionKeeper({
      arena: this.#arena,
      entries: this.#entries,
      counters: this.#counters,
      indexKey: makeIndexKey(randomBytes(8)),
      rejectAfterMs: task.timing.rejectAfterTimeMs,
      suite: task.suite,
      random32: () => randomFillSync(randoms)[0]!,
    });
    this.#cookies = new CookieChecker({
      publicKey: this.#local.publicKey,
      mac,
      random: (bytes) => randomBytes(bytes),
    });
    this.#load = new Load(this.#cookies, new Limiter(sourceHash(randomBytes(16))), () =>
      this.#counters.add(COUNT.underLoad, 1),
    );
    this.#datagrams = new Datagrams(
      task.udp,
      task.passOn,
      (datagram, from, local) => this.#onDatagram(datagram, from, local),
      () => this.#counters.add(DROP.badType, 1),
      () => this.#load.full(addon.bootMs()),
    );
    this.#exchange = new Exchange({
      local: this.#local,
      mac,
      load: this.#load,
      cookies: this.#cookies,
      keeper: this.#keeper,
      entries: this.#entries,
      counters: this.#counters,
      seed: () => randomBytes(32),
      unixMs: Date.now,
      send: (datagram, to, local) => this.#datagrams.send(datagram, to, local),
      command: (peer, kind) => this.#command(peer, kind),
    });
    const threads = task.ioWakes.map((_, thread) => thread);
    this.#events = threads.map((thread) => new Consumer(this.#arena, "events", thread));
    this.#commands = threads.map((thread) => new Producer(this.#arena, "commands", thread));
    this.#eventWatch = addon.watch(task.wake, () => this.#onEvents());
  }

  async start(): Promise<void> {
    for (const [index, config] of this.#task.config.peers.entries()) this.#addPeer(config, index);
    this.#publishRoutes();
    // Names may take their time; the engine does not wait for a dead name server.
    await Promise.race([this.#resolveAll(), sleep(RESOLVE_START_MS, undefined, { ref: false })]);
    this.#socket = await openControlSocket({
      name: this.#task.opened.name,
      handlers: {
        "status.get": () => this.#status(addon.bootMs()),
        "peers.get": () => {
          const { mtu } = this.#task.config.interface;
          return this.#peers.map((p) => peerValue(p, this.#entries, mtu, addon.bootMs()));
        },
        "stats.get": () => statsValue(this.#arena),
        ...unchanging(this.#task.config),
        "engine.stop": () => this.#report({ type: "stop" }),
      },
    });
    this.#resolveTimer = setInterval(() => void this.#resolveAll(), RESOLVE_EVERY_MS);
    this.#tick();
  }

  #status(nowMs: number): StatusValue {
    const { config, opened } = this.#task;
    return statusValue(this.#arena, config, opened, this.#load.under(nowMs), nowMs);
  }

  /** Zeroes keys and closes what was opened. */
  async stop(): Promise<void> {
    if (this.#timer !== null) clearTimeout(this.#timer);
    if (this.#resolveTimer !== null) clearInterval(this.#resolveTimer);
    this.#datagrams.close();
    addon.unwatch(this.#eventWatch);
    const nowMs = addon.bootMs();
    for (const peer of this.#peers) {
      this.#exchange.forget(peer, nowMs);
      this.#keeper.forget(peer, nowMs);
      peer.staticStatic.fill(0);
    }
    this.#local.privateKey.fill(0);
    this.#cookies.wipe();
    // Last, since a client that does not read may hold it up until main ends this thread.
    await this.#socket?.close();
  }

  #addPeer(config: PeerConfig, index: number): void {
    const shared = staticStatic(this.#local, config.publicKey);
    if (shared === null) return; // the configuration refuses such keys
    const peer: Peer = {
      index,
      config,
      staticStatic: shared,
      timers: new PeerTimers(Math.random, this.#task.timing),
      cookie: new CookieHolder(config.publicKey, mac),
      owner: index % this.#task.ioWakes.length,
      current: null,
      previous: null,
      next: null,
      initiation: null,
      lastTimestamp: null,
      lastSentTimestamp: null,
      lastInitiationMs: Number.NEGATIVE_INFINITY,
    };
    this.#peers[index] = peer;
    this.#exchange.addPeer(peer);
  }

  #publishRoutes(): void {
    const entries = this.#task.config.peers.flatMap((peer, index) =>
      peer.allowedIps.map((cidr) => routeEntry(cidr, index)),
    );
    publishRoutes(this.#arena, entries);
  }

  /** Asks for the addresses of all peers that have a configured endpoint and no session. */
  async #resolveAll(): Promise<void> {
    const families: Families = { v4: this.#task.udp.v4 >= 0, v6: this.#task.udp.v6 >= 0 };
    await Promise.all(
      this.#peers.map(async (peer) => {
        const { endpoint } = peer.config;
        if (endpoint === null || this.#entries.current(peer.index) >= 0) return;
        const sockaddr = await resolveEndpoint(endpoint, families);
        // A peer that called meanwhile is where it called from, whatever its name says.
        if (sockaddr !== null && this.#entries.current(peer.index) < 0) {
          this.#entries.setEndpoint(peer.index, sockaddr);
        }
      }),
    );
  }

  #onDatagram(datagram: Uint8Array, from: Uint8Array, local: Uint8Array): void {
    const nowMs = addon.bootMs();
    // What strangers send changes no timer, and puts none off.
    if (!this.#exchange.receive(datagram, from, local, nowMs)) return;
    if (this.#timer === null || this.#timerMs > nowMs) this.#wakeAt(nowMs);
  }

  /** Messages of the I/O threads. */
  #onEvents(): void {
    addon.eventClear(this.#task.wake);
    const nowMs = addon.bootMs();
    for (const events of this.#events) {
      for (let i = 0; i < EVENTS_A_WAKE && events.next(); i++) {
        const peer = this.#peers[events.peer];
        if (peer !== undefined) this.#onEvent(peer, events, nowMs);
      }
    }
    this.#tick();
  }

  #onEvent(peer: Peer, event: Consumer, nowMs: number): void {
    const { session, generation } = event;
    if (event.kind === EVENT.confirmed) {
      if (!this.#keeper.confirm(peer, session, generation, nowMs)) return;
      peer.timers.handshakeDone(nowMs);
      this.#command(peer, COMMAND.release);
    } else if (event.kind === EVENT.roamed) {
      const known = [peer.current, peer.next, peer.previous].some(
        (ref) => ref?.session === session && ref.generation === generation,
      );
      if (!known || sameSockaddr(this.#entries.endpoint(peer.index), event.address)) return;
      this.#entries.setEndpoint(peer.index, event.address);
      this.#counters.add(COUNT.roamed, 1);
    } else if (event.kind === EVENT.wanted) {
      this.#step(peer, nowMs);
    }
  }

  /** Steps every peer that is due, then sleeps until the earliest next. */
  #tick(): void {
    const nowMs = addon.bootMs();
    let dueMs = Number.POSITIVE_INFINITY;
    for (const peer of this.#peers) {
      if (peer.timers.nextDueMs(nowMs) <= nowMs) this.#step(peer, nowMs);
      dueMs = Math.min(dueMs, peer.timers.nextDueMs(nowMs));
    }
    if (this.#keeper.sweep(nowMs)) dueMs = Math.min(dueMs, nowMs + SWEEP_MS);
    this.#wakeAt(dueMs);
  }

  #wakeAt(dueMs: number): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    if (dueMs === Number.POSITIVE_INFINITY) return;
    this.#timerMs = dueMs;
    const delay = Math.min(TIMEOUT_MAX_MS, Math.max(1, Math.ceil(dueMs - addon.bootMs())));
    this.#timer = setTimeout(() => this.#tick(), delay);
  }

  #step(peer: Peer, nowMs: number): void {
    const { current } = peer;
    const actions = peer.timers.step(
      {
        ...this.#entries.times(peer.index),
        session:
          current === null
            ? null
            : {
                bornMs: current.bornMs,
                initiator: current.initiator,
                sentCounter: this.#keeper.sent(current),
              },
        persistentKeepaliveMs: peer.config.persistentKeepaliveS * 1_000,
      },
      nowMs,
    );
    for (const action of actions) this.#act(peer, action, nowMs);
  }

  #act(peer: Peer, action: Action, nowMs: number): void {
    switch (action) {
      case "initiate":
        this.#exchange.initiate(peer, nowMs);
        break;
      case "keepalive":
        this.#command(peer, COMMAND.keepalive);
        break;
      case "expire":
        this.#keeper.stopUsing(peer);
        break;
      case "giveUp":
        this.#exchange.forget(peer, nowMs);
        this.#command(peer, COMMAND.discard);
        break;
      case "zero":
        this.#exchange.forget(peer, nowMs);
        this.#keeper.forget(peer, nowMs);
        break;
    }
  }

  #command(peer: Peer, kind: number): void {
    if (!this.#commands[peer.owner]!.put(kind, peer.index, 0, 0, 0)) {
      this.#counters.add(DROP.queueFull, 1);
    }
    addon.eventSignal(this.#task.ioWakes[peer.owner]!);
  }
}

const main = async (port: NonNullable<typeof parentPort>, task: ControlTask): Promise<void> => {
  const control = new Control(task, (report) => port.postMessage(report));
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
