/**
 * send — outbound packets, from the TUN device to the network.
 *
 *   1. read a run, find its peer      io/send.ts       ← here
 *   2. choose its way, post a job     io/send.ts       ← here
 *   3. encrypt in place               crypto/seal.ts
 *   4. send the run (GSO)             io/send.ts       ← here
 *
 * Functions below are in this order. A run that can't go on is counted and its slot freed.
 */
import {
  COUNT,
  DATA_HEADER_BYTES,
  DROP,
  EVENT,
  JOB_KIND,
  JOB_SEGMENTS,
  PEER,
  SEGMENT_OVERHEAD_BYTES,
  STAGED_SLOTS,
  UNRETIRED_SEGMENTS,
} from "../memory/layout.ts";
import { ECN, FOUND, TUN } from "../memory/numbers.ts";
import { peerWord } from "../memory/peers.ts";
import { doubleAt } from "../memory/region.ts";
import { jobIndex, jobWord } from "../memory/ring.ts";
import { isLinkOnly } from "../wire/scope.ts";
import type { Jobs } from "./jobs.ts";
import { addon } from "./native/addon.ts";
import { OwedFrames } from "./owed-frames.ts";
import { Staged } from "./staged.ts";
import { StandingQueue } from "./standing-queue.ts";
import { F, type Station } from "./station.ts";

/** Of addon.prepare(); errno(3). */
const ESTALE = -116;
/** Control is asked for a session at most this often per peer. */
const WANT_EVERY_MS = 250;
/** No peer's entry. */
export const NOBODY = -1;
/** Sealed runs are sent when this many wait, or at the end of a turn. */
const FLUSH_RUNS = 8;

export class Send {
  readonly #s: Station;
  readonly #jobs: Jobs;
  readonly #staged: Staged;
  readonly #owedFrames = new OwedFrames();
  readonly #unsent = new Uint32Array(FLUSH_RUNS);
  #unsentCount = 0;
  #segmentsInFlight = 0;
  /** Staged runs may have a session, and are to be routed. */
  #owes = false;
  /** Peer whose oldest staged run is being routed. */
  #releasing = NOBODY;
  readonly #standing: StandingQueue;
  /** The device's queue stands: the next run of several packets pays for it. */
  #givesUp = false;
  readonly #segmentsMax: number;

  constructor(station: Station, jobs: Jobs) {
    this.#s = station;
    this.#jobs = jobs;
    this.#staged = new Staged(station);
    this.#standing = new StandingQueue(station.arena.f64, station.clock);
    this.#segmentsMax = Math.floor(UNRETIRED_SEGMENTS / station.arena.limits.ioThreads);
  }

  /** May no more segments be taken in, until some are retired? */
  get full(): boolean {
    return this.#segmentsInFlight >= this.#segmentsMax - JOB_SEGMENTS;
  }

  /** Staged runs or control frames go as soon as there is room. */
  get owes(): boolean {
    return this.#owes || this.#owedFrames.count > 0;
  }

  /** Nothing waits here, and the device's queue was empty at the last look. */
  get quiet(): boolean {
    return this.#staged.count === 0 && this.#standing.empty;
  }

  /** Nothing waits in the device. */
  idle(): void {
    this.#standing.emptied();
    this.#givesUp = false;
  }

  /** Reads and posts up to `runs` runs. */
  read(runs: number): void {
    if (this.#read(runs) < runs) this.idle();
    else if (this.#standing.stands()) this.#givesUp = true;
  }

  /** Returns how many were read; fewer: the TUN is empty. */
  #read(runs: number): number {
    const { poster, ring, slots, arena, io } = this.#s;
    for (let done = 0; done < runs; done++) {
      if (poster.free() === 0 || this.full) return runs;
      const slot = slots.take();
      if (slot < 0) return runs;
      const word = jobWord(ring, poster.tail);
      arena.u32[word + F.slot] = slot;
      const count = addon.tunRead(io, jobIndex(ring, poster.tail));
      if (count <= 0) {
        slots.putBack(slot);
        return done;
      }
      this.begin();
      if (count & TUN.drained) return done + 1;
    }
    return runs;
  }

  /** A run was read into the job at the ring's tail. */
  begin(): void {
    const word = jobWord(this.#s.ring, this.#s.poster.tail);
    if (this.#givesUp) this.#giveUp(word);
    this.#route(word);
  }

  /**
   * Tells the senders of a run that the queue stands: by a congestion mark when they know it, which
   * the other end copies inside (RFC 6040), else by the loss of one packet.
   */
  #giveUp(word: number): void {
    const { arena, counters } = this.#s;
    const { u32 } = arena;
    if (u32[word + F.ecn] !== ECN.notCapable) {
      u32[word + F.ecn] = ECN.ce;
      counters.add(COUNT.standingMarked, u32[word + F.count]!);
    } else {
      // What is shorter than the rest may be somebody else's, who sends little.
      if (u32[word + F.count] === 1 || u32[word + F.lastBytes] !== u32[word + F.segmentBytes]) {
        return;
      }
      u32[word + F.count]!--;
      u32[word + F.tunBytes]! -= u32[word + F.lastBytes]! - SEGMENT_OVERHEAD_BYTES;
      counters.add(DROP.standingQueue, 1);
    }
    this.#givesUp = false;
  }

  /** By what was found of the run in the job at the ring's tail. True: it is on its way. */
  #route(word: number): boolean {
    const { u32 } = this.#s.arena;
    const found = u32[word + F.found]!;
    if ((found & FOUND.peer) === 0) {
      this.#seek(word, found);
      return false;
    }
    if (!this.#fits(word, found)) return false;
    const peer = u32[word + F.peer]!;
    const usable = (found & FOUND.alive) !== 0;
    if (!usable) this.#want(peer);
    // What came for the peer before it goes first.
    const behind = peer !== this.#releasing && this.#staged.holds(peer);
    if (!usable || behind) {
      this.#staged.add(word, this.#now());
      this.#owes ||= usable;
      return false;
    }
    return this.#post(word);
  }

  /**
   * Nobody has the run's destination. Inside of the network it waits for a moment, and control is
   * asked who has; who scans has few of them wait, and asks no more.
   */
  #seek(word: number, found: number): void {
    const { arena, counters, events } = this.#s;
    const { u32 } = arena;
    const version = u32[word + F.innerVersion]!;
    const linkOnly = isLinkOnly(version, u32[word + F.innerAddress]!);
    if (linkOnly || (found & FOUND.nobody) === 0 || this.#staged.nobodysFull) {
      this.#drop(word, linkOnly ? DROP.linkOnly : DROP.noRoute);
      return;
    }
    const told = events.put(EVENT.unknown, version, 0, 0, word + F.innerAddress);
    if (!told) counters.add(DROP.queueFull, 1);
    u32[word + F.peer] = this.#staged.nobody;
    this.#staged.add(word, this.#now());
  }

  /**
   * Does the way to the peer take the run's packets? Those that it does not are given up, their
   * senders are told, and what may be cut is read again as fragments (io_too_big.c).
   */
  #fits(word: number, found: number): boolean {
    const { arena, io, poster, ring, slots } = this.#s;
    if ((found & FOUND.fits) === 0) {
      addon.tooBig(io, jobIndex(ring, poster.tail));
      slots.give(arena.u32[word + F.slot]!);
      return false;
    }
    if (found & FOUND.syn) addon.clampMss(io, jobIndex(ring, poster.tail));
    return true;
  }

  /** Takes nonces, writes headers, and posts. */
  #post(word: number): boolean {
    const { arena, poster, ring, slots } = this.#s;
    const { u32 } = arena;
    u32[word + F.kind] = JOB_KIND.seal;
    u32[word + F.slotGeneration] = slots.generation(u32[word + F.slot]!);
    const result = addon.prepare(jobIndex(ring, poster.tail));
    if (result < 0) {
      this.#want(u32[word + F.peer]!);
      this.#drop(word, result === ESTALE ? DROP.staleJob : DROP.nonceExhausted);
      return false;
    }
    this.#segmentsInFlight += u32[word + F.count]!;
    this.#jobs.post();
    return true;
  }

  /** Sends a sealed run; its slot is freed at the next flush. */
  retire(word: number): void {
    const { u32 } = this.#s.arena;
    this.#segmentsInFlight -= u32[word + F.count]!;
    if (u32[word + F.stale] !== 0) {
      this.#drop(word, DROP.staleJob);
      return;
    }
    addon.sendAdd(this.#s.io, jobIndex(this.#s.ring, this.#s.poster.head));
    this.#unsent[this.#unsentCount++] = u32[word + F.slot]!;
    if (this.#unsentCount === FLUSH_RUNS) this.flush();
  }

  /** A run whose worker died: its nonces stay burnt. */
  abandon(word: number): void {
    this.#segmentsInFlight -= this.#s.arena.u32[word + F.count]!;
    this.#drop(word, DROP.workerDied);
  }

  flush(): void {
    if (this.#unsentCount === 0) return;
    addon.sendFlush(this.#s.io);
    for (let i = 0; i < this.#unsentCount; i++) this.#s.slots.give(this.#unsent[i]!);
    this.#unsentCount = 0;
    if (this.#s.arena.u32[this.#s.tooLarge] !== 0) this.#tellTooLarge();
  }

  /** Sends an empty message in the peer's session, or asks for one. */
  keepalive(peer: number): void {
    const word = this.#message(peer, SEGMENT_OVERHEAD_BYTES);
    if (word < 0) {
      this.#s.counters.add(DROP.noSlot, 1);
      return;
    }
    if (!this.#hasSession(word)) {
      this.#want(peer);
      return;
    }
    this.#s.counters.add(COUNT.keepalives, 1);
    this.#post(word);
  }

  /** Sends the control frame in `entry` of the frames region, as soon as there is room. */
  frame(peer: number, entry: number): void {
    if (this.#owedFrames.count > 0 || !this.#frame(peer, entry)) this.#owedFrames.add(peer, entry);
  }

  /** Sends the frame, or counts why not, and frees its entry. False: there is no room now. */
  #frame(peer: number, entry: number): boolean {
    const { arena, counters, frames } = this.#s;
    if (!frames.isFor(entry, peer)) {
      frames.give(entry);
      counters.add(DROP.frameUnsent, 1);
      return true;
    }
    const word = this.#message(peer, frames.datagramBytes(entry));
    if (word < 0) return false;
    const usable = this.#hasSession(word);
    if (usable) {
      frames.copy(entry, slotStart(this.#s, arena.u32[word + F.slot]!) + DATA_HEADER_BYTES);
    }
    frames.give(entry);
    if (!usable) counters.add(DROP.frameUnsent, 1);
    else if (this.#post(word)) counters.add(COUNT.framesSent, 1);
    return true;
  }

  /** Has the peer of the message in the job at the tail a session? Else the slot is free again. */
  #hasSession(word: number): boolean {
    const { arena, io, poster, ring, slots } = this.#s;
    const found = addon.findSession(io, jobIndex(ring, poster.tail));
    if (found & FOUND.alive) return true;
    slots.putBack(arena.u32[word + F.slot]!);
    return false;
  }

  /** Fills the job at the ring's tail with one datagram of zeros for a peer; -1: no room. */
  #message(peer: number, bytes: number): number {
    const { arena, poster, ring, slots } = this.#s;
    const { u32 } = arena;
    const slot = poster.free() === 0 ? -1 : slots.take();
    if (slot < 0) return -1;
    const word = jobWord(ring, poster.tail);
    u32[word + F.slot] = slot;
    u32[word + F.peer] = peer;
    u32[word + F.count] = 1;
    u32[word + F.segmentBytes] = bytes;
    u32[word + F.lastBytes] = bytes;
    u32[word + F.tunBytes] = 0;
    u32[word + F.ecn] = 0;
    arena.u8.fill(0, slotStart(this.#s, slot), slotStart(this.#s, slot) + bytes);
    return word;
  }

  /** The peer may have a session now: what is staged for it goes soon. */
  owe(peer: number): void {
    this.#owes ||= this.#staged.holds(peer);
  }

  /**
   * Control frames that found no room go. Staged runs are looked up again, and those whose peers
   * have a session go, in their order, as far as there is room; the rest does so in a later turn.
   * What leads to another peer by now waits for that one. True: one for `peer` went.
   */
  release(peer: number): boolean {
    const { arena, io, poster, ring } = this.#s;
    const owed = this.#owedFrames;
    while (owed.count > 0 && this.#frame(owed.peer, owed.entry)) owed.remove();
    let sent = false;
    this.#owes = false;
    for (let left = this.#staged.count; left > 0; left--) {
      if (poster.free() === 0 || this.full) {
        this.#owes = true;
        this.#staged.rotate();
        continue;
      }
      const word = jobWord(ring, poster.tail);
      this.#staged.copyOldest(word);
      const found = addon.find(io, jobIndex(ring, poster.tail));
      if (found & FOUND.nobody) {
        this.#staged.rotate(this.#staged.nobody);
        continue;
      }
      if (found & FOUND.peer && (found & FOUND.alive) === 0) {
        const to = arena.u32[word + F.peer]!;
        if (to !== this.#staged.oldestPeer()) this.#want(to);
        this.#staged.rotate(to);
        continue;
      }
      this.#staged.forgetOldest();
      this.#releasing = arena.u32[word + F.peer]!;
      sent = (this.#route(word) && this.#releasing === peer) || sent;
    }
    this.#releasing = NOBODY;
    return sent;
  }

  /** The peer cannot be reached: drop what waits for it. */
  discard(peer: number): void {
    for (let left = this.#staged.count; left > 0; left--) {
      if (this.#staged.oldestPeer() === peer) this.#staged.dropOldest();
      else this.#staged.rotate();
    }
  }

  expireStaged(): void {
    this.#staged.expire(this.#now());
  }

  get stagedCount(): number {
    return Math.min(this.#staged.count, STAGED_SLOTS);
  }

  #want(peer: number): void {
    const { arena, events } = this.#s;
    const wanted = doubleAt(peerWord(arena, peer), PEER.fields.wantedAtMs);
    const now = this.#now();
    if (now - arena.f64[wanted]! < WANT_EVERY_MS) return;
    arena.f64[wanted] = now;
    if (!events.put(EVENT.wanted, peer, 0, 0, 0)) this.#s.counters.add(DROP.queueFull, 1);
  }

  /** Control hears for whom the link was too small. */
  #tellTooLarge(): void {
    const { arena, events, tooLarge } = this.#s;
    const peer = arena.u32[tooLarge]! - 1;
    arena.u32[tooLarge] = 0;
    if (!events.put(EVENT.tooLarge, peer, 0, 0, 0)) this.#s.counters.add(DROP.queueFull, 1);
  }

  #drop(word: number, reason: number): void {
    const { u32 } = this.#s.arena;
    this.#s.counters.add(reason, u32[word + F.count]!);
    this.#s.slots.give(u32[word + F.slot]!);
  }

  #now(): number {
    return this.#s.arena.f64[this.#s.clock]!;
  }
}

const slotStart = (station: Station, slot: number): number => station.segments.slotByte(slot);
