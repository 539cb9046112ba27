/**
 * control — what the control thread does, apart from the world that it does it in.
 *
 *     datagrams ──▶ exchange ──▶ sessions ──▶ I/O threads
 *     events of I/O threads ──▶ timers ──▶ handshakes, keepalives
 *     changes (UAPI, commands, reload) ──▶ roster ──▶ routes
 *
 * Clock, randomness, sockets and alarm come in as a `World`. Every method returns at once, but for
 * `apply` and `setUp`. Thread: control.
 */
import { Counters, controlBlock } from "../memory/counters.ts";
import { COMMAND, COUNT, DROP } from "../memory/layout.ts";
import { readMtu } from "../memory/mtu.ts";
import { PeerEntries } from "../memory/peers.ts";
import type { Arena } from "../memory/region.ts";
import { cameInside } from "../memory/underlay.ts";
import type { Change, DeviceState } from "../schema/change.ts";
import { makeIndexKey } from "../wire/index.ts";
import { sockaddrFamily } from "../wire/sockaddr.ts";
import { act, type Doers } from "./actions.ts";
import { admitsOutside } from "./admits.ts";
import { Alarm } from "./alarm.ts";
import { Changes } from "./changes.ts";
import { Commands } from "./commands.ts";
import type { PassedFrame } from "./datagrams.ts";
import { Endpoints } from "./endpoints.ts";
import { Events } from "./events.ts";
import { Exchange } from "./exchange.ts";
import { Frames } from "./frames.ts";
import { News } from "./news.ts";
import type { Peer } from "./peer.ts";
import { Roster } from "./roster.ts";
import { SessionKeeper } from "./sessions.ts";
import { peerStates } from "./states.ts";
import { type AesFound, type Cipher, Suites } from "./suites.ts";
import { PeerTimers, type Timing } from "./timers.ts";
import type { World } from "./world.ts";

export interface ControlOptions {
  readonly arena: Arena;
  readonly timing: Timing;
  readonly cipher: Cipher;
  readonly aes: AesFound;
  readonly listenPort: number;
  /** The port that was asked for, where it is another: 0 lets the kernel choose. */
  readonly wantedPort?: number;
  readonly fwmark: number;
  /** The key comes from an ed25519 identity: no other may be set (security.md 32). */
  readonly keyFixed: boolean;
}

/** How often what waits for I/O threads is looked at: entries, routes, commands, frames. */
const SETTLE_MS = 20;

export class Control {
  readonly #arena: Arena;
  readonly #world: World;
  readonly #timing: Timing;
  readonly #counters: Counters;
  readonly #entries: PeerEntries;
  readonly #keeper: SessionKeeper;
  readonly #exchange: Exchange;
  readonly #endpoints: Endpoints;
  readonly #changes: Changes;
  readonly #events: Events;
  readonly #commands: Commands;
  readonly #frames: Frames;
  readonly #alarm: Alarm;
  readonly #news: News;
  readonly #doers: Doers;
  readonly roster: Roster;
  readonly suites: Suites;
  #up = false;
  /** COMMAND to the peer's I/O thread. */
  readonly #command = (peer: Peer, kind: number): void =>
    this.#commands.tell(peer.owner, kind, peer.index);

  constructor(options: ControlOptions, world: World) {
    const { arena, timing, listenPort, wantedPort, fwmark, keyFixed } = options;
    const { mac, random } = world;
    const random32 = (): number => Buffer.from(world.randomBytes(4)).readUInt32LE();
    this.#arena = arena;
    this.#world = world;
    this.#alarm = new Alarm(world);
    this.#timing = timing;
    this.#counters = new Counters(arena, controlBlock(arena));
    this.#entries = new PeerEntries(arena, admitsOutside(world, this.#counters));
    this.#keeper = new SessionKeeper({
      arena,
      entries: this.#entries,
      counters: this.#counters,
      indexKey: makeIndexKey(world.randomBytes(8)),
      rejectAfterMs: timing.rejectAfterTimeMs,
      random32,
      confirmed: (peer, nowMs) => this.#inUse(peer, nowMs),
    });
    this.#news = new News(this.#entries, world.say);
    this.roster = new Roster({ arena, entries: this.#entries, mac, timing, random });
    this.suites = new Suites(options.cipher, options.aes, (peer, dueMs) => {
      peer.timers.renewAt(dueMs);
      this.#alarm.wakeBy(dueMs);
    });
    this.#exchange = this.#makeExchange();
    this.#endpoints = new Endpoints(world, this.#entries, timing.askEveryMs, (peer) => {
      if (peer.timers.attempting) this.#exchange.initiate(peer, world.bootMs());
    });
    this.#changes = new Changes({
      world,
      roster: this.roster,
      exchange: this.#exchange,
      endpoints: this.#endpoints,
      hands: {
        step: (peer) => this.#step(peer, world.bootMs()),
        forget: (peer) => this.#forget(peer, world.bootMs()),
        hear: () => this.#events.take(world.bootMs()),
        settle: () => this.#settle(world.bootMs()),
        onLoad: () => {
          this.#counters.add(COUNT.underLoad, 1);
          world.say("warn", "under load: handshakes come faster than can be answered");
        },
      },
      listenPort,
      ...(wantedPort === undefined ? {} : { wantedPort }),
      fwmark,
      mtu: () => readMtu(arena),
      keyFixed,
    });
    this.#commands = new Commands(arena, this.#counters, world.signal);
    const shared = { arena, entries: this.#entries, counters: this.#counters };
    const [{ suites }, { say }] = [this, world];
    const [endpoints, exchange, keeper] = [this.#endpoints, this.#exchange, this.#keeper];
    this.#doers = { endpoints, exchange, keeper, suites, command: this.#command };
    this.#frames = new Frames({ ...shared, commands: this.#commands, suites, random32, say });
    this.#events = new Events({
      ...shared,
      news: this.#news,
      roster: this.roster,
      confirmed: (peer, session, generation, nowMs) => {
        if (this.#keeper.confirm(peer, session, generation, nowMs)) this.#step(peer, nowMs);
      },
      wanted: (peer, nowMs) => this.#step(peer, nowMs),
      tooLarge: (peer, nowMs) => this.#alarm.wakeBy(this.#frames.refused(peer, nowMs)),
    });
  }

  #makeExchange(): Exchange {
    const world = this.#world;
    return new Exchange({
      mac: world.mac,
      suites: this.suites,
      keeper: this.#keeper,
      entries: this.#entries,
      counters: this.#counters,
      find: (publicKey) => this.roster.find(publicKey),
      seed: () => world.randomBytes(32),
      unixMs: world.unixMs,
      send: world.send,
      command: this.#command,
      logKeys: world.logKeys,
      tell: (peer, text) => this.#news.handshake(peer, text),
    });
  }

  // -------------------------------------------------------------------------------------------
  // What it is

  get entries(): PeerEntries {
    return this.#entries;
  }

  get listenPort(): number {
    return this.#changes.listenPort;
  }

  /** The port that was asked for; 0: the kernel chose `listenPort`. */
  get wantedPort(): number {
    return this.#changes.wantedPort;
  }

  get fwmark(): number {
    return this.#changes.fwmark;
  }

  /** Our public key; null: there is no private key. */
  get publicKey(): Uint8Array | null {
    return this.#changes.self?.keys.publicKey ?? null;
  }

  underLoad(nowMs: number): boolean {
    return this.#changes.self?.load.under(nowMs) ?? false;
  }

  /** The device as UAPI shows it, with all that was told until now; good until the next change. */
  state(): DeviceState {
    this.hear();
    return {
      privateKey: this.#changes.self?.keys.privateKey ?? null,
      listenPort: this.listenPort,
      fwmark: this.fwmark,
      peers: peerStates(this.roster, this.#entries),
    };
  }

  // -------------------------------------------------------------------------------------------
  // What it is told

  /**
   * Makes a change, whole or not at all. When it moves our port, all who have a session hear from
   * the new one at once: what they send to the old one is lost. Errors: as `Changes.apply`.
   */
  async apply(change: Change): Promise<void> {
    const before = this.listenPort;
    await this.#changes.apply(change);
    if (this.listenPort === before) return;
    for (const peer of this.roster.peers()) this.announce(peer);
  }

  /** The peer hears from us at once, when it has a session. */
  announce(peer: Peer): void {
    if (this.#entries.current(peer.index) >= 0) this.#command(peer, COMMAND.keepalive);
  }

  /**
   * The interface was set up or down: down ends all sessions and frees the port.
   * Errors: EngineError PORT_TAKEN, SOCKET_FAILED; it is up without a port then.
   */
  async setUp(up: boolean): Promise<void> {
    if (up === this.#up) return;
    this.#up = up;
    // What is staged stays: it may have come after an "up" that the kernel has still to tell.
    if (!up) for (const peer of this.roster.peers()) this.#end(peer, this.#world.bootMs());
    await this.#changes.listen(up);
  }

  /**
   * Begins a handshake with a peer, or with all that have an endpoint. Returns how many; none
   * while the interface is down or without its port.
   */
  rekey(publicKey: Uint8Array | null): number {
    if (!this.#up || !this.#changes.open) return 0;
    const nowMs = this.#world.bootMs();
    let begun = 0;
    for (const peer of this.roster.named(publicKey)) {
      if (sockaddrFamily(this.#entries.endpoint(peer.index)) === 0) continue;
      this.#exchange.initiate(peer, nowMs);
      peer.timers.handshakeSent(nowMs);
      this.#alarm.wakeBy(peer.timers.nextDueMs(nowMs));
      begun++;
    }
    return begun;
  }

  /** The tunnel's MTU is about to become this. */
  growMtu(mtu: number): void {
    for (const peer of this.roster.peers()) {
      this.#keeper.growMtu(peer, mtu);
      this.#entries.growMtu(peer.index);
    }
  }

  /** Tells every I/O thread. */
  broadcast(kind: number): void {
    this.#commands.broadcast(kind);
    this.#settle(this.#world.bootMs());
  }

  /** Zeroes keys and forgets all. */
  stop(): void {
    this.#up = false;
    this.#changes.end();
    this.#world.wakeAt(Number.POSITIVE_INFINITY);
  }

  // -------------------------------------------------------------------------------------------
  // What comes in

  /** A datagram that is no transport data. Borrows: all three. */
  receive(datagram: Uint8Array, from: Uint8Array, local: Uint8Array): void {
    if (!this.#up) return;
    const nowMs = this.#world.bootMs();
    // What strangers send changes no timer, and puts none off.
    if (cameInside(this.#arena, local)) this.#counters.add(DROP.ownTunnel, 1);
    else if (this.#exchange.receive(datagram, from, local, nowMs)) this.#alarm.wakeBy(nowMs);
  }

  /** A control frame, opened by an I/O thread. Borrows: `frame.bytes`. */
  frame(frame: PassedFrame): void {
    if (!this.#up) return;
    const nowMs = this.#world.bootMs();
    // What was said of its session before it, and where the peer is.
    this.#events.take(nowMs);
    const peer = this.roster.at(frame.peer);
    if (peer !== undefined) this.#keeper.follow(peer, nowMs);
    this.#alarm.wakeBy(this.#frames.take(peer, frame, nowMs));
    this.#settle(nowMs);
  }

  /** A datagram was longer than any message. */
  oversized(): void {
    this.#counters.add(DROP.badType, 1);
  }

  /** A receive brought as many datagrams as it may: more are waiting. */
  crowded(): void {
    this.#changes.self?.load.full(this.#world.bootMs());
  }

  /** Messages of I/O threads wait. */
  hear(): void {
    const nowMs = this.#world.bootMs();
    this.#events.take(nowMs);
    this.#settle(nowMs);
  }

  /** The alarm: steps every peer that is due, then sleeps until the earliest next. */
  tick(): void {
    const nowMs = this.#world.bootMs();
    if (this.#alarm.rung(nowMs)) this.#stepAll(nowMs);
    this.#settle(nowMs);
  }

  #stepAll(nowMs: number): void {
    let dueMs = Number.POSITIVE_INFINITY;
    for (const peer of this.roster.peers()) {
      if (this.#nextMs(peer, nowMs) <= nowMs) this.#act(peer, nowMs);
      dueMs = Math.min(dueMs, this.#nextMs(peer, nowMs));
    }
    this.#alarm.wakeBy(dueMs);
  }

  /** A session that we answered is used: something authentic came on it. */
  #inUse(peer: Peer, nowMs: number): void {
    peer.timers.handshakeDone(nowMs);
    this.suites.used(peer, nowMs);
    peer.lastHandshakeUnixMs = this.#world.unixMs();
    this.#command(peer, COMMAND.release);
  }

  // -------------------------------------------------------------------------------------------
  // What it does

  /** Entries, routes and frames that wait for I/O threads. */
  #settle(nowMs: number): void {
    const told = this.#commands.flush();
    const waiting = this.#keeper.sweep(nowMs);
    for (const peer of this.#frames.ready()) this.#step(peer, nowMs);
    const settled = this.roster.settle() && !waiting && told && !this.#frames.waits;
    if (!settled) this.#alarm.ringBy(nowMs + SETTLE_MS);
  }

  #step(peer: Peer, nowMs: number): void {
    this.#act(peer, nowMs);
    this.#alarm.wakeBy(this.#nextMs(peer, nowMs));
  }

  /** When to look at the peer again. */
  #nextMs(peer: Peer, nowMs: number): number {
    return Math.min(peer.timers.nextDueMs(nowMs), Math.max(nowMs, this.#frames.dueMs(peer)));
  }

  #act(peer: Peer, nowMs: number): void {
    // An attempt that is lost before the port is there would be an attempt all the same.
    if (!this.#up || !this.#changes.open) {
      peer.timers.rest();
      return;
    }
    this.#keeper.follow(peer, nowMs);
    const { current } = peer;
    const session = current === null ? null : this.#keeper.seen(current);
    const persistentKeepaliveMs = peer.persistentKeepaliveS * 1_000;
    const times = this.#entries.times(peer.index);
    const actions = peer.timers.step({ ...times, session, persistentKeepaliveMs }, nowMs);
    for (const action of actions) act(this.#doers, peer, action, nowMs);
    this.#frames.step(peer, nowMs);
    this.#news.look(peer, nowMs);
  }

  /** Ends what is under way with a peer, what waits for it included. */
  #forget(peer: Peer, nowMs: number): void {
    this.#end(peer, nowMs);
    this.#command(peer, COMMAND.discard);
  }

  /** Ends sessions and handshakes with a peer. */
  #end(peer: Peer, nowMs: number): void {
    this.#exchange.forget(peer);
    this.#keeper.forget(peer, nowMs);
    this.#frames.forget(peer);
    const { handshakeDoneMs } = peer.timers;
    peer.timers = new PeerTimers(this.#world.random, this.#timing, handshakeDoneMs);
    peer.told = null;
  }
}
