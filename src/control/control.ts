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
import type { PassedFrame } from "../memory/frames.ts";
import { COMMAND, COUNT, DROP } from "../memory/layout.ts";
import { readMtu } from "../memory/mtu.ts";
import { PeerEntries } from "../memory/peers.ts";
import type { Arena } from "../memory/region.ts";
import { cameInside } from "../memory/underlay.ts";
import type { Change, DeviceState } from "../schema/change.ts";
import { HANDSHAKE_TYPES } from "../wire/handshake.ts";
import { makeIndexKey } from "../wire/index.ts";
import { sockaddrFamily } from "../wire/sockaddr.ts";
import { act, type Doers } from "./actions.ts";
import { Alarm } from "./alarm.ts";
import { Changes } from "./changes.ts";
import { Due } from "./due.ts";
import { Frames } from "./frames/frames.ts";
import { Exchange } from "./handshake/exchange.ts";
import { type AesFound, type Cipher, Suites } from "./handshake/suites.ts";
import { Inbox } from "./inbox.ts";
import type { Peer } from "./peers/peer.ts";
import { Roster } from "./peers/roster.ts";
import { admitsOutside } from "./reach/admits.ts";
import { Endpoints } from "./reach/endpoints.ts";
import { Commands } from "./sessions/commands.ts";
import { Events } from "./sessions/events.ts";
import { News } from "./sessions/news.ts";
import { type Held, SessionKeeper } from "./sessions/sessions.ts";
import type { Timing } from "./sessions/timers.ts";
import { peerStates } from "./states.ts";
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

export interface PeerFacts {
  readonly held: Held;
  /** It said hello. */
  readonly isEngine: boolean;
  /** Milliseconds to the peer and back; null: not known. */
  readonly rttMs: number | null;
  /** Why its endpoint's name gives no address; null: it does, or is none. */
  readonly nameProblem: string | null;
}

/** How often what waits for I/O threads is looked at: entries, routes, commands, frames. */
const SETTLE_MS = 20;

export class Control {
  readonly #arena: Arena;
  readonly #world: World;
  readonly #counters: Counters;
  readonly #entries: PeerEntries;
  readonly #keeper: SessionKeeper;
  readonly #exchange: Exchange;
  readonly #endpoints: Endpoints;
  readonly #changes: Changes;
  readonly #events: Events;
  readonly #commands: Commands;
  readonly #frames: Frames;
  readonly #inbox: Inbox;
  readonly #due = new Due<Peer>();
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
    const random32 = (): number => Buffer.from(world.randomBytes(4)).readUInt32LE();
    this.#arena = arena;
    this.#world = world;
    this.#alarm = new Alarm(world);
    this.#counters = new Counters(arena, controlBlock(arena));
    this.#entries = new PeerEntries(arena, admitsOutside(world, this.#counters));
    this.#keeper = new SessionKeeper({
      arena,
      entries: this.#entries,
      counters: this.#counters,
      indexKey: makeIndexKey(world.randomBytes(8)),
      timing,
      random: world.random,
      random32,
      confirmed: (peer, nowMs) => this.#inUse(peer, nowMs),
    });
    this.#news = new News(this.#entries, this.#keeper, world.say);
    this.roster = new Roster({ arena, entries: this.#entries });
    this.suites = new Suites({
      cipher: options.cipher,
      aes: options.aes,
      sessionOf: (peer) => this.#keeper.of(peer).current,
      renewAt: (peer, dueMs) => {
        this.#keeper.of(peer).timers.renewAt(dueMs);
        this.#dueBy(peer, dueMs);
      },
    });
    this.#endpoints = new Endpoints({
      world,
      entries: this.#entries,
      askEveryMs: timing.askEveryMs,
      calledMs: (peer, nowMs) => this.#keeper.of(peer).timers.attemptedMs(nowMs),
      onKnown: (peer) => {
        if (!this.#keeper.of(peer).timers.attempting) return;
        this.#exchange.initiate(peer, world.bootMs());
      },
    });
    this.#exchange = this.#makeExchange();
    this.#inbox = new Inbox(this.#counters);
    this.#inbox.give(HANDSHAKE_TYPES, (datagram, from, local, nowMs) => {
      const peer = this.#exchange.receive(datagram, from, local, nowMs);
      // What strangers send changes no timer, and puts none off.
      if (peer !== null) this.#dueBy(peer, nowMs);
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
    this.#frames = new Frames({
      ...shared,
      keeper,
      commands: this.#commands,
      suites,
      random32,
      say,
    });
    this.#events = new Events({
      ...shared,
      endpoints,
      keeper,
      news: this.#news,
      roster: this.roster,
      confirmed: (peer, session, generation, nowMs) => {
        if (this.#keeper.confirm(peer, session, generation, nowMs)) this.#step(peer, nowMs);
      },
      wanted: (peer, nowMs) => this.#step(peer, nowMs),
      tooLarge: (peer, nowMs) => this.#dueBy(peer, this.#frames.refused(peer, nowMs)),
    });
  }

  #makeExchange(): Exchange {
    const world = this.#world;
    return new Exchange({
      mac: world.mac,
      suites: this.suites,
      keeper: this.#keeper,
      endpoints: this.#endpoints,
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

  get endpoints(): Endpoints {
    return this.#endpoints;
  }

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

  /** What is going on with a peer. */
  facts(peer: Peer): PeerFacts {
    return {
      held: this.#keeper.of(peer),
      isEngine: this.#frames.knows(peer),
      rttMs: this.#frames.rttMs(peer),
      nameProblem: this.#endpoints.nameProblem(peer),
    };
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
      peers: peerStates(this.roster, this.#entries, this.#keeper),
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
    try {
      await this.#changes.listen(up);
    } finally {
      const nowMs = this.#world.bootMs();
      for (const peer of this.roster.peers()) this.#step(peer, nowMs);
      this.#settle(nowMs);
    }
  }

  /**
   * Begins a handshake with a peer, or with all that have an endpoint. Returns how many; none
   * while the interface is down.
   */
  rekey(publicKey: Uint8Array | null): number {
    if (!this.#up) return 0;
    const nowMs = this.#world.bootMs();
    const one = publicKey === null ? null : this.roster.find(publicKey);
    const peers = one === null ? this.roster.peers() : one === undefined ? [] : [one];
    let begun = 0;
    for (const peer of peers) {
      if (sockaddrFamily(this.#entries.endpoint(peer.index)) === 0) continue;
      this.#exchange.initiate(peer, nowMs);
      const { timers } = this.#keeper.of(peer);
      timers.handshakeSent(nowMs);
      this.#dueBy(peer, timers.nextDueMs(nowMs));
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
    if (cameInside(this.#arena, local)) this.#counters.add(DROP.ownTunnel, 1);
    else this.#inbox.take(datagram, from, local, this.#world.bootMs());
  }

  /** A control frame, opened by an I/O thread. Borrows: `frame.bytes`. */
  frame(frame: PassedFrame): void {
    if (!this.#up) return;
    const nowMs = this.#world.bootMs();
    // What was said of its session before it, and where the peer is.
    this.#events.take(nowMs);
    const peer = this.roster.at(frame.peer);
    if (peer !== undefined) this.#keeper.follow(peer, nowMs);
    const dueMs = this.#frames.take(peer, frame, nowMs);
    if (peer !== undefined) this.#dueBy(peer, Math.min(dueMs, this.#nextMs(peer, nowMs)));
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

  /** The alarm: steps the peers that are due, then sleeps until the earliest next. */
  tick(): void {
    const nowMs = this.#world.bootMs();
    this.#alarm.rung();
    for (const peer of this.#due.take(nowMs)) {
      this.#act(peer, nowMs);
      this.#due.set(peer, this.#nextMs(peer, nowMs));
    }
    this.#alarm.ringBy(this.#due.firstMs);
    this.#settle(nowMs);
  }

  /** A session that we answered is used: something authentic came on it. */
  #inUse(peer: Peer, nowMs: number): void {
    const held = this.#keeper.of(peer);
    held.timers.handshakeDone(nowMs);
    this.suites.used(peer, nowMs);
    held.lastHandshakeUnixMs = this.#world.unixMs();
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
    this.#due.set(peer, this.#nextMs(peer, nowMs));
    this.#alarm.ringBy(this.#due.firstMs);
  }

  /** The peer is to be looked at then, at the latest. */
  #dueBy(peer: Peer, dueMs: number): void {
    this.#due.setBy(peer, dueMs);
    this.#alarm.ringBy(dueMs);
  }

  /** When to look at the peer again. */
  #nextMs(peer: Peer, nowMs: number): number {
    const { timers } = this.#keeper.of(peer);
    return Math.min(timers.nextDueMs(nowMs), Math.max(nowMs, this.#frames.dueMs(peer)));
  }

  #act(peer: Peer, nowMs: number): void {
    const held = this.#keeper.of(peer);
    if (!this.#up) {
      held.timers.rest();
      return;
    }
    this.#keeper.follow(peer, nowMs);
    const { current, timers } = held;
    const session = current === null ? null : this.#keeper.seen(current);
    const persistentKeepaliveMs = peer.persistentKeepaliveS * 1_000;
    const times = this.#entries.times(peer.index);
    const actions = timers.step({ ...times, session, persistentKeepaliveMs }, nowMs);
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
    this.#keeper.rest(peer);
    this.#news.forget(peer);
    this.#due.set(peer, Number.POSITIVE_INFINITY);
  }
}
