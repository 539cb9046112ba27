/**
 * control — what the control thread does, apart from the world that it does it in.
 *
 *     datagrams ──▶ inbox ──▶ handshakes ──▶ sessions ──▶ I/O threads
 *     events of I/O threads ──▶ looks ──▶ handshakes, keepalives
 *     changes (UAPI, commands, reload) ──▶ roster ──▶ routes
 *
 * Clock, randomness, sockets and alarm come in as a `World`. Every method returns at once, but for
 * `apply` and `setUp`. Thread: control.
 */
import { Arrivals, type ArrivedFrame } from "../memory/frames.ts";
import { COMMAND, COUNT, DROP } from "../memory/layout.ts";
import { readMtu } from "../memory/mtu.ts";
import type { PeerEntries } from "../memory/peers.ts";
import { cameInside } from "../memory/underlay.ts";
import type { Change, DeviceState, PeerChange } from "../schema/change.ts";
import { HANDSHAKE_TYPES } from "../wire/handshake.ts";
import { sockaddrFamily } from "../wire/sockaddr.ts";
import { Changes } from "./changes.ts";
import type { Suites } from "./handshake/suites.ts";
import { Inbox } from "./inbox.ts";
import { Looks } from "./looks.ts";
import { Membership, type MembershipWorld, NETWORK_TYPES } from "./membership.ts";
import type { Network } from "./network/network.ts";
import type { NetworkWorld } from "./network/world.ts";
import type { Sayer } from "./peer-changes.ts";
import { largestPacket } from "./peers/largest.ts";
import type { Peer } from "./peers/peer.ts";
import type { Group, Roster } from "./peers/roster.ts";
import type { Endpoints } from "./reach/endpoints.ts";
import { openRooms, type Rooms, type RoomsOptions } from "./rooms.ts";
import { Events } from "./sessions/events.ts";
import type { Held } from "./sessions/sessions.ts";
import { peerStates } from "./states.ts";
import type { World } from "./world.ts";

export interface ControlOptions extends Omit<RoomsOptions, "dueBy" | "network"> {
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
  /** Bytes of the largest packet that reaches it. */
  readonly mtu: number;
  /** Why its endpoint's name gives no address; null: it does, or is none. */
  readonly nameProblem: string | null;
}

const NO_COUNTS: ReadonlyMap<string, number> = new Map();

export class Control {
  readonly #world: World;
  readonly #rooms: Rooms;
  readonly #looks: Looks;
  readonly #inbox: Inbox;
  readonly #arrivals: Arrivals;
  readonly #changes: Changes;
  readonly #events: Events;
  /** Null: the host is a member of no network. */
  #membership: Membership | null = null;

  constructor(
    { listenPort, wantedPort, fwmark, keyFixed, ...options }: ControlOptions,
    world: World,
  ) {
    const { arena } = options;
    this.#world = world;
    const dueBy: RoomsOptions["dueBy"] = (...due) => this.#looks.dueBy(...due);
    const network = (): Network | null => this.#membership?.network ?? null;
    const rooms = openRooms({ ...options, dueBy, network }, world);
    const { counters, keeper, frames } = rooms;
    this.#rooms = rooms;
    const looks = new Looks(rooms, world, {
      isOpen: () => this.#changes.open,
      onLooked: (peer) => this.#membership?.looked(peer),
      onPublished: () => {
        this.#membership?.published();
        return this.#changes.published();
      },
    });
    this.#looks = looks;
    this.#arrivals = new Arrivals(arena);
    this.#inbox = new Inbox(counters);
    this.#inbox.give(HANDSHAKE_TYPES, (datagram, from, local, nowMs) => {
      const peer = rooms.exchange.receive(datagram, from, local, nowMs);
      // What strangers send changes no timer, and puts none off.
      if (peer !== null) looks.dueBy(peer, nowMs);
    });
    this.#changes = new Changes({
      ...rooms,
      world,
      hands: {
        step: (peer) => looks.step(peer, world.bootMs()),
        again: (peer, dueMs) => {
          keeper.of(peer).timers.again(dueMs);
          looks.step(peer, world.bootMs());
        },
        forget: (peer) => looks.forget(peer, world.bootMs()),
        hear: () => this.#events.hear(world.bootMs()),
        settle: (atOnce) => looks.settle(world.bootMs(), atOnce),
        onLoad: () => {
          counters.add(COUNT.underLoad, 1);
          world.say("warn", "under load: handshakes come faster than can be answered");
        },
      },
      listenPort,
      ...(wantedPort === undefined ? {} : { wantedPort }),
      fwmark,
      mtu: () => readMtu(arena),
      keyFixed,
    });
    this.#events = new Events({
      ...rooms,
      confirmed: (peer, session, generation, nowMs) => {
        if (keeper.confirm(peer, session, generation, nowMs)) looks.step(peer, nowMs);
      },
      wanted: (peer, nowMs) => looks.step(peer, nowMs),
      tooLarge: (peer, nowMs) => {
        frames.refused(peer, nowMs);
        looks.dueAgain(peer, nowMs);
      },
      unknown: (address) => this.#membership?.unknown(address),
    });
  }

  // -------------------------------------------------------------------------------------------
  // What it is

  get endpoints(): Endpoints {
    return this.#rooms.endpoints;
  }

  get entries(): PeerEntries {
    return this.#rooms.entries;
  }

  get roster(): Roster {
    return this.#rooms.roster;
  }

  /** Null: the host is a member of none. */
  get network(): Network | null {
    return this.#membership?.network ?? null;
  }

  /** What the network refused and did, by name. */
  get networkCounts(): ReadonlyMap<string, number> {
    return this.#membership?.counts ?? NO_COUNTS;
  }

  get suites(): Suites {
    return this.#rooms.suites;
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
    const { arena, entries, keeper, frames, endpoints } = this.#rooms;
    return {
      held: keeper.of(peer),
      mtu: largestPacket(arena, entries, peer),
      isEngine: frames.knows(peer),
      rttMs: frames.rttMs(peer),
      nameProblem: endpoints.nameProblem(peer),
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
      peers: peerStates(this.#rooms),
    };
  }

  // -------------------------------------------------------------------------------------------
  // What it is told

  /**
   * Makes a change, whole or not at all. When it moves our port, all who have a session hear from
   * the new one at once: what they send to the old one is lost. Errors: as `Changes.apply`.
   */
  async apply(change: Change, by: Sayer = "wg"): Promise<void> {
    const before = this.listenPort;
    try {
      await this.#changes.apply(change, by);
    } finally {
      // Whoever came meanwhile had to wait, and what was given up is free.
      this.#membership?.changed();
    }
    if (this.listenPort === before) return;
    for (const peer of this.roster.peers()) this.announce(peer);
  }

  /** The host is a member of a network from now on. Once. */
  join(of: MembershipWorld, open: (world: NetworkWorld) => Network): void {
    this.#membership = new Membership({
      rooms: this.#rooms,
      world: this.#world,
      of,
      admit: (change) => this.admit(change),
      amend: (peer, change) => this.amend(peer, change),
      dismiss: (peer) => this.dismiss(peer),
      isOpen: () => this.#looks.up && this.#changes.open,
      isBusy: () => this.#changes.busy,
      ringBy: (dueMs) => this.#looks.ringBy(dueMs),
      release: () => this.broadcast(COMMAND.release),
      open,
    });
    const { network } = this.#membership;
    this.#inbox.give(NETWORK_TYPES, (datagram, from, local) =>
      network.datagram(datagram, from, local),
    );
    // The first packet to one of its addresses may come at once.
    this.#looks.settle(this.#world.bootMs(), true);
  }

  /** The network's last words, while there are sessions. */
  withdraw(): void {
    this.#membership?.stop();
    this.#membership = null;
  }

  /** A peer of the network comes, at once. Null: not now, or never (peer-changes.ts). */
  admit(change: PeerChange): Peer | null {
    return this.#changes.admit(change);
  }

  /** A peer of the network changes. False: not now, or never. */
  amend(peer: Peer, change: PeerChange): boolean {
    return this.#changes.amend(peer, change);
  }

  /** A peer of the network goes, at once. False: it is none. */
  dismiss(peer: Peer): boolean {
    return this.#changes.dismiss(peer);
  }

  /**
   * What leads to the group goes to this peer from now on, with what waits for the former one. The
   * peer is entitled already.
   */
  failOver(group: Group, peer: Peer): void {
    this.roster.groups.setActive(group.entry, peer.entry);
    this.broadcast(COMMAND.release);
  }

  /**
   * The message 1 that is on its way to a peer goes to an address once more, as it was; where the
   * one before arrived, this one is a copy and is refused. False: none is on its way.
   */
  callAgain(peer: Peer, to: Uint8Array): boolean {
    return this.#rooms.exchange.callAgain(peer, to);
  }

  /** The peer hears from us at once, when it has a session. */
  announce(peer: Peer): void {
    if (this.entries.current(peer.entry) >= 0) this.#rooms.command(peer, COMMAND.keepalive);
  }

  /**
   * The interface was set up or down: down ends all sessions and frees the port.
   * Errors: EngineError PORT_TAKEN, SOCKET_FAILED; it is up without a port then.
   */
  async setUp(up: boolean): Promise<void> {
    if (up === this.#looks.up) return;
    this.#looks.up = up;
    // What is staged stays: it may have come after an "up" that the kernel has still to tell.
    if (!up) for (const peer of this.roster.peers()) this.#looks.end(peer, this.#world.bootMs());
    await this.#changes.listen(up);
  }

  /**
   * Begins a handshake with a peer, or with all that have an endpoint. Returns how many; none
   * while the interface is down or without its port.
   */
  rekey(publicKey: Uint8Array | null): number {
    if (!this.#looks.up || !this.#changes.open) return 0;
    const nowMs = this.#world.bootMs();
    let begun = 0;
    for (const peer of this.roster.named(publicKey)) {
      if (sockaddrFamily(this.entries.endpoint(peer.entry)) === 0) continue;
      this.#rooms.exchange.initiate(peer, nowMs);
      const { timers } = this.#rooms.keeper.of(peer);
      timers.handshakeSent(nowMs);
      this.#looks.dueBy(peer, timers.nextDueMs(nowMs));
      begun++;
    }
    return begun;
  }

  /** The tunnel's MTU is about to become this. */
  growMtu(mtu: number): void {
    const { arena, entries, keeper } = this.#rooms;
    for (const peer of this.roster.peers()) {
      keeper.growMtu(peer, mtu);
      // A way that takes all that the tunnel took may take more.
      const takesAll = largestPacket(arena, entries, peer) === readMtu(arena);
      if (takesAll) entries.setPathMtu(peer.entry, 0);
    }
  }

  /** Tells every I/O thread. */
  broadcast(kind: number): void {
    this.#rooms.commands.broadcast(kind);
    this.#looks.settle(this.#world.bootMs());
  }

  /** Zeroes keys and forgets all. */
  stop(): void {
    this.#looks.up = false;
    this.#changes.end();
    this.#world.wakeAt(Number.POSITIVE_INFINITY);
  }

  // -------------------------------------------------------------------------------------------
  // What comes in

  /** A datagram that is no transport data. Borrows: all three. */
  receive(datagram: Uint8Array, from: Uint8Array, local: Uint8Array): void {
    if (!this.#looks.up) return;
    if (cameInside(this.#rooms.arena, local)) this.#rooms.counters.add(DROP.ownTunnel, 1);
    else this.#inbox.receive(datagram, from, local, this.#world.bootMs());
    this.#membership?.tell();
  }

  /** A datagram was longer than any message. */
  oversized(): void {
    this.#rooms.counters.add(DROP.badType, 1);
  }

  /** A receive brought as many datagrams as it may: more are waiting. */
  crowded(): void {
    this.#changes.self?.load.full(this.#world.bootMs());
  }

  /** Messages of I/O threads wait, or control frames. */
  hear(): void {
    const nowMs = this.#world.bootMs();
    this.#events.hear(nowMs);
    this.#arrivals.hear((frame) => this.#frame(frame, nowMs));
    this.#membership?.tell();
    this.#looks.settle(nowMs);
  }

  /** A control frame, opened by an I/O thread. Borrows: `frame.bytes`. */
  #frame(frame: ArrivedFrame, nowMs: number): void {
    if (!this.#looks.up) return;
    // What was said of its session before it, and where the peer is.
    this.#events.hear(nowMs);
    const peer = this.roster.at(frame.peer);
    if (peer !== undefined) this.#rooms.keeper.follow(peer, nowMs);
    this.#rooms.frames.receive(peer, frame, nowMs);
    // What it said may have had it dismissed.
    if (peer === undefined || this.roster.at(frame.peer) !== peer) return;
    this.#looks.dueAgain(peer, nowMs);
    this.#membership?.looked(peer);
  }

  /** The alarm rang: whoever is due is looked at. */
  tick(): void {
    const nowMs = this.#world.bootMs();
    this.#looks.tick(nowMs);
    this.#membership?.tick(nowMs);
    this.#membership?.tell();
  }
}
