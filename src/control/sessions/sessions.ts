/**
 * control/sessions — making, promoting and retiring the sessions of peers.
 *
 * The shared entries are in memory/sessions.ts, receiver indices in receiver-indices.ts; here is
 * who holds which, and which entries wait until no I/O thread can hold them. A peer has
 * SESSIONS_PER_PEER entries at most, those that wait among them: however often it begins a
 * theirs.
 *
 * Always in this order: publish what is used from now on, withdraw what was, take the mark. An I/O
 * thread that begins a turn after the mark finds the new one only (memory/epochs.ts).
 */
import type { Counters } from "../../memory/counters.ts";
import { type Mark, mark, passed } from "../../memory/epochs.ts";
import { COUNT, SESSIONS_PER_PEER } from "../../memory/layout.ts";
import { readMtu } from "../../memory/mtu.ts";
import type { PeerEntries } from "../../memory/peers.ts";
import type { Arena } from "../../memory/region.ts";
import { Sessions } from "../../memory/sessions.ts";
import type { ReceiverIndexKey } from "../../wire/receiver-index.ts";
import type { Peer } from "../peers/peer.ts";
import { PerPeer } from "../peers/per-peer.ts";
import type { TransportKeys } from "./keys.ts";
import { messageLimits } from "./limits.ts";
import { ReceiverIndices } from "./receiver-indices.ts";
import { PeerTimers, type SessionSeen, type Timing } from "./timers.ts";

/** An I/O thread changes what a peer's next session is once, by using it. */
const OFFERS = 2;

/** An entry of the sessions region that a peer holds. */
export interface SessionRef {
  readonly session: number;
  readonly generation: number;
  readonly localIndex: number;
  readonly bornMs: number;
  readonly initiator: boolean;
  readonly suite: 0 | 1;
  /** The tunnel's largest MTU while it lived: what a message may cost at most (limits.ts). */
  mtu: number;
}

/** What is going on with a peer: its sessions, and what is due. */
export interface Held {
  timers: PeerTimers;
  current: SessionRef | null;
  previous: SessionRef | null;
  next: SessionRef | null;
  /** Unix time in milliseconds; 0: none yet. */
  lastHandshakeUnixMs: number;
}

interface Dying {
  readonly session: number;
  /** Whose it is: an entry of the peers region. */
  readonly peer: number;
  readonly at: Mark;
}

export interface NewSession {
  readonly peer: Peer;
  readonly localIndex: number;
  readonly remoteIndex: number;
  readonly initiator: boolean;
  /** SUITE of its data. */
  readonly suite: 0 | 1;
  readonly keys: TransportKeys;
}

/** Thread: control. */
export class SessionKeeper {
  readonly #arena: Arena;
  readonly #entries: PeerEntries;
  readonly #counters: Counters;
  readonly #table: Sessions;
  readonly #indices: ReceiverIndices;
  readonly #timing: Timing;
  readonly #random: () => number;
  readonly #held: PerPeer<Held>;
  readonly #confirmed: (peer: Peer, nowMs: number) => void;
  /** Entries of each peer, those among them that wait to be cleared. */
  readonly #taken: Uint8Array;
  #dying: Dying[] = [];

  constructor(options: {
    readonly arena: Arena;
    readonly entries: PeerEntries;
    readonly counters: Counters;
    readonly receiverIndexKey: ReceiverIndexKey;
    readonly timing: Timing;
    /** 0 up to 1. */
    readonly random: () => number;
    readonly random32: () => number;
    /** A session that we answered is in use. */
    readonly confirmed: (peer: Peer, nowMs: number) => void;
  }) {
    this.#arena = options.arena;
    this.#entries = options.entries;
    this.#counters = options.counters;
    this.#timing = options.timing;
    this.#random = options.random;
    this.#held = new PerPeer(() => ({
      timers: new PeerTimers(options.random, options.timing),
      current: null,
      previous: null,
      next: null,
      lastHandshakeUnixMs: 0,
    }));
    this.#confirmed = options.confirmed;
    this.#table = new Sessions(options.arena);
    this.#taken = new Uint8Array(options.arena.layout.count.peers);
    this.#indices = new ReceiverIndices({
      key: options.receiverIndexKey,
      ...options.arena.limits,
      random32: options.random32,
      free: (random) => this.#table.indexFree(random),
    });
  }

  /** What is going on with the peer. */
  of(peer: Peer): Held {
    return this.#held.of(peer);
  }

  /** Its timers begin anew; when its last session was made stays known. */
  rest(peer: Peer): void {
    const held = this.of(peer);
    held.timers = new PeerTimers(this.#random, this.#timing, held.timers.handshakeDoneMs);
  }

  /** Is this session, in this generation, one of the peer's? */
  holds(peer: Peer, session: number, generation: number): boolean {
    const { current, next, previous } = this.of(peer);
    return [current, next, previous].some(
      (ref) => ref?.session === session && ref.generation === generation,
    );
  }

  /** A receiver index that names `owner`, or -1 when none was found. */
  reserveIndex(owner: number): number {
    return this.#indices.reserve(owner);
  }

  /** Gives back a receiver index whose handshake came to nothing. */
  releaseIndex(index: number): void {
    this.#indices.release(index);
  }

  /** Is there an entry for one more session of the peer? */
  hasRoom(peer: Peer, nowMs: number): boolean {
    const taken = (): number => this.#taken[peer.entry]!;
    if (taken() >= SESSIONS_PER_PEER) this.sweep(nowMs);
    return taken() < SESSIONS_PER_PEER;
  }

  /** Writes keys into a free entry, publishes its receiver index. Null: the peer has all it may. */
  create(made: NewSession, nowMs: number): SessionRef | null {
    const session = this.hasRoom(made.peer, nowMs) ? this.#table.take() : -1;
    if (session < 0) return null;
    this.#taken[made.peer.entry]!++;
    const { suite } = made;
    const mtu = readMtu(this.#arena);
    this.#table.fill(session, {
      peer: made.peer.entry,
      localIndex: made.localIndex,
      remoteIndex: made.remoteIndex,
      suite,
      initiator: made.initiator,
      owner: made.peer.owner,
      rejectAtMs: nowMs + this.#timing.rejectAfterTimeMs,
      rejectAt: messageLimits(suite, mtu).rejectAfter,
      sendKey: made.keys.send,
      receiveKey: made.keys.receive,
    });
    this.#indices.release(made.localIndex);
    return {
      session,
      generation: this.#table.generation(session),
      localIndex: made.localIndex,
      bornMs: nowMs,
      initiator: made.initiator,
      suite,
      mtu,
    };
  }

  /** The session that we initiated is usable at once; what was there before steps back. */
  useInitiated(peer: Peer, made: SessionRef, nowMs: number): void {
    const held = this.of(peer);
    const { previous, current, next } = held;
    this.#use(peer, made);
    // A session that we answered and that was never confirmed is newer than the current one.
    held.previous = next ?? current;
    this.retire(previous, nowMs);
    if (next !== null) this.retire(current, nowMs);
  }

  /** The session that we answered waits for its first packet. */
  useAnswered(peer: Peer, made: SessionRef, nowMs: number): void {
    const held = this.of(peer);
    for (let tries = 0; tries < OFFERS; tries++) {
      this.follow(peer, nowMs);
      const before = held.next?.session ?? -1;
      if (this.#entries.setNext(peer.entry, before, made.session)) break;
    }
    const { previous, next } = held;
    held.previous = null;
    held.next = made;
    this.retire(next, nowMs);
    this.retire(previous, nowMs);
  }

  /** The first packet came on the session that we answered. False: it is not that one. */
  confirm(peer: Peer, session: number, generation: number, nowMs: number): boolean {
    const held = this.of(peer);
    const { previous, current, next } = held;
    if (next === null || next.session !== session || next.generation !== generation) return false;
    this.#use(peer, next);
    held.previous = current;
    this.retire(previous, nowMs);
    this.#confirmed(peer, nowMs);
    return true;
  }

  /** The same where an I/O thread has made it the current one and its event is still to come. */
  follow(peer: Peer, nowMs: number): void {
    const { next } = this.of(peer);
    if (next === null || this.#entries.current(peer.entry) !== next.session) return;
    this.confirm(peer, next.session, next.generation, nowMs);
  }

  /** Stops sealing with the current session. */
  stopUsing(peer: Peer): void {
    const { current } = this.of(peer);
    if (current !== null) this.#entries.stopUsing(peer.entry, current.session);
  }

  /** Takes everything from the peer. */
  forget(peer: Peer, nowMs: number): void {
    const held = this.of(peer);
    this.#entries.setCurrent(peer.entry, -1);
    for (const ref of [held.previous, held.current, held.next]) this.retire(ref, nowMs);
    held.previous = null;
    held.current = null;
    held.next = null;
  }

  /**
   * Nothing arrives for the session any more; its keys are zeroed as soon as nobody holds it. No
   * I/O thread may find it from now on: it is neither the peer's current session nor its next one.
   */
  retire(ref: SessionRef | null, nowMs: number): void {
    if (ref === null) return;
    const { session, localIndex } = ref;
    const peer = this.#table.peer(session);
    // Of one that was answered and never heard, nothing is late.
    if (ref.initiator || this.#table.confirmed(session))
      this.#indices.rest(localIndex, peer, nowMs);
    this.#table.withdraw(session);
    this.#dying.push({ session, peer, at: mark(this.#arena) });
  }

  /** Clears what nobody holds any more. True: some still wait. */
  sweep(nowMs: number): boolean {
    this.#dying = this.#dying.filter(({ session, peer, at }) => {
      if (!passed(this.#arena, at)) return true;
      this.#table.clear(session);
      this.#taken[peer]!--;
      return false;
    });
    this.#indices.sweep(nowMs);
    return this.#dying.length > 0;
  }

  /** What timers look at. */
  seen({ session, bornMs, initiator, suite, mtu }: SessionRef): SessionSeen {
    const limits = messageLimits(suite, mtu);
    return { bornMs, initiator, sentCounter: this.#table.sent(session), limits };
  }

  /**
   * Packets may be as long as `mtu` from now on: fewer of them fit under one key. A session that
   * has lived with a larger MTU keeps what followed from it.
   */
  growMtu(peer: Peer, mtu: number): void {
    const { previous, current, next } = this.of(peer);
    for (const ref of [previous, current, next]) {
      if (ref === null || mtu <= ref.mtu) continue;
      ref.mtu = mtu;
      this.#table.limit(ref.session, messageLimits(ref.suite, mtu).rejectAfter);
    }
  }

  /** I/O threads seal with it; only then may another one be retired. */
  #use(peer: Peer, ref: SessionRef): void {
    const held = this.of(peer);
    this.#entries.setCurrent(peer.entry, ref.session);
    held.current = ref;
    held.next = null;
    this.#counters.add(COUNT.sessionsMade, 1);
  }
}
