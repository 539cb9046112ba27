/**
 * receive — inbound packets, from the network to the TUN device.
 *
 *   1. receive a run (GRO)            io/receive.ts    ← here
 *   2. find the session, post a job   io/receive.ts    ← here
 *   3. decrypt in place               crypto/open.ts
 *   4. replay, source, write to TUN   io/receive.ts    ← here
 *
 * Functions below are in this order. A run that can't go on is counted and its slot freed.
 */
import { DROP, EVENT, JOB_KIND, JOB_SEGMENTS, SESSION, SOURCE } from "../memory/layout.ts";
import { doubleAt, fieldWord, wordOf } from "../memory/region.ts";
import { jobIndex, jobWord } from "../memory/ring.ts";
import { SESSION_FIELD, sessionWord } from "../memory/sessions.ts";
import type { Jobs } from "./jobs.ts";
import { addon } from "./native/addon.ts";
import { F, type Station } from "./station.ts";

/** Suite of each message type, -1 for none. */
const SUITE_OF_TYPE = [-1, -1, -1, -1, 0, -1, -1, -1, 1] as const;
/** Result bits of addon.accept(). */
const SOURCES = 0xff;
const AUTHENTIC = 0x100;
const ROAMED = 0x200;
/** Bits of addon.receive()'s result. */
const RUNS = 0xff;
const MORE = 0x100;
/** Slots offered to one receive. */
const OFFERED = 8;

const SOURCE_WORDS = SOURCE.size >>> 2;
const VERSION = fieldWord(SOURCE.fields.version);
const ADDRESS = fieldWord(SOURCE.fields.address);
const MASK_LOW = fieldWord(SOURCE.fields.maskLow);
const MASK_HIGH = fieldWord(SOURCE.fields.maskHigh);

export class Receive {
  readonly #s: Station;
  readonly #jobs: Jobs;
  readonly #sources: number;
  /** The peer's current session may be another one. */
  readonly #onSession: (peer: number) => void;

  constructor(station: Station, jobs: Jobs, onSession: (peer: number) => void) {
    this.#s = station;
    this.#jobs = jobs;
    this.#onSession = onSession;
    this.#sources = wordOf(station.arena, "sources", SOURCE.size, station.thread * JOB_SEGMENTS);
  }

  /** One receive: makes jobs of what came. True: it was little, and there may be more. */
  read(): boolean {
    const { poster, ring, io } = this.#s;
    const offered = this.offer(OFFERED);
    const got = offered === 0 ? 0 : addon.receive(io, jobIndex(ring, poster.tail), offered);
    const received = Math.max(0, got);
    this.take(offered, received & RUNS);
    return (received & MORE) !== 0;
  }

  /** Is there room for so many runs? */
  has(runs: number): boolean {
    return runs <= Math.min(this.#s.poster.free(), this.#s.slots.free);
  }

  /** Gives slots to the next `most` jobs of the ring; returns to how many. */
  offer(most: number): number {
    const { arena, poster, ring, slots } = this.#s;
    const offered = Math.min(most, poster.free(), slots.free);
    for (let i = 0; i < offered; i++) {
      arena.u32[jobWord(ring, poster.tail + i) + F.slot] = slots.take();
    }
    return offered;
  }

  /** Takes the slots of jobs that were offered back, but for the first `used`. */
  takeBack(offered: number, used: number): void {
    const { arena, poster, ring, slots } = this.#s;
    for (let i = offered - 1; i >= used; i--) {
      slots.putBack(arena.u32[jobWord(ring, poster.tail + i) + F.slot]!);
    }
  }

  /** Of the jobs that were offered, the first `runs` hold what came. */
  take(offered: number, runs: number): void {
    const { poster, ring } = this.#s;
    const first = poster.tail;
    this.takeBack(offered, runs);
    for (let i = 0; i < runs; i++) this.#classify(jobWord(ring, first + i));
  }

  /** Finds the session of the run at `word`, which is the job at the ring's tail. */
  #classify(word: number): void {
    const { arena, slots, sessions } = this.#s;
    const { u32 } = arena;
    const session = sessions.find(u32[word + F.receiverIndex]! | 0);
    const reason = session < 0 ? DROP.unknownIndex : this.#refusal(word, session);
    if (reason >= 0) {
      this.#drop(word, reason);
      u32[word + F.kind] = JOB_KIND.none;
      this.#jobs.append();
      return;
    }
    const at = sessionWord(arena, session);
    u32[word + F.kind] = JOB_KIND.open;
    u32[word + F.slotGeneration] = slots.generation(u32[word + F.slot]!);
    u32[word + F.session] = session;
    u32[word + F.sessionGeneration] = Atomics.load(u32, at + SESSION_FIELD.generation);
    u32[word + F.suite] = u32[at + SESSION_FIELD.suite]!;
    u32[word + F.peer] = u32[at + SESSION_FIELD.peer]!;
    this.#jobs.post();
  }

  /** Why the session may not open the run, or -1. */
  #refusal(word: number, session: number): number {
    const { arena } = this.#s;
    const at = sessionWord(arena, session);
    const suite = SUITE_OF_TYPE[arena.u32[word + F.messageType]!] ?? -1;
    if (suite !== arena.u32[at + SESSION_FIELD.suite]) return DROP.wrongSuite;
    if (arena.u32[at + SESSION_FIELD.owner] !== this.#s.thread) return DROP.wrongThread;
    const reject = arena.f64[doubleAt(at, SESSION.fields.rejectAtMs)]!;
    return arena.f64[this.#s.clock]! < reject ? -1 : DROP.sessionExpired;
  }

  /** Replay window, inner source, TUN. */
  retire(word: number): void {
    const { arena, io, ring, poster, slots } = this.#s;
    const { u32 } = arena;
    if (u32[word + F.kind] === JOB_KIND.none) return;
    if (u32[word + F.stale] !== 0) {
      this.#drop(word, DROP.staleJob);
      return;
    }
    const job = jobIndex(ring, poster.head);
    const result = addon.accept(io, job);
    if (result > 0) {
      if (result & AUTHENTIC) this.#noteAuthentic(word, (result & ROAMED) !== 0);
      this.#write(word, job, result & SOURCES);
    }
    slots.give(u32[word + F.slot]!);
  }

  /** Writes the segments whose source belongs to the peer. */
  #write(word: number, job: number, sources: number): void {
    const { u32 } = this.#s.arena;
    const peer = u32[word + F.peer]!;
    let low = 0;
    let high = 0;
    for (let i = 0; i < sources; i++) {
      const source = this.#sources + i * SOURCE_WORDS;
      const owner =
        u32[source + VERSION] === 4
          ? this.#s.routes.find4(source + ADDRESS)
          : this.#s.routes.find6(source + ADDRESS);
      if (owner === peer) {
        low |= u32[source + MASK_LOW]!;
        high |= u32[source + MASK_HIGH]!;
      } else {
        this.#s.counters.add(
          DROP.innerSource,
          bits(u32[source + MASK_LOW]!) + bits(u32[source + MASK_HIGH]!),
        );
      }
    }
    if ((low | high) !== 0) addon.tunWrite(this.#s.io, job, low | 0, high | 0);
  }

  /**
   * Tells control of the first packet of a session, and of a new address at either end. Where the
   * session is one that we answered, addon.accept() has made it the current one already.
   */
  #noteAuthentic(word: number, roamed: boolean): void {
    const { arena, events } = this.#s;
    const { u32 } = arena;
    const session = u32[word + F.session]!;
    const at = sessionWord(arena, session);
    const generation = u32[word + F.sessionGeneration]!;
    const peer = u32[word + F.peer]!;
    if (u32[at + SESSION_FIELD.confirmed] === 0) {
      // Control must hear of it: told again until the queue takes it.
      const told = events.put(EVENT.confirmed, peer, session, generation, word + F.source);
      if (told) Atomics.store(u32, at + SESSION_FIELD.confirmed, 1);
      else this.#queueFull();
      this.#onSession(peer);
      return;
    }
    if (roamed && !events.put(EVENT.roamed, peer, session, generation, word + F.source)) {
      this.#queueFull();
    }
  }

  /** A run whose worker died. */
  abandon(word: number): void {
    this.#drop(word, DROP.workerDied);
  }

  #queueFull(): void {
    this.#s.counters.add(DROP.queueFull, 1);
  }

  #drop(word: number, reason: number): void {
    const { u32 } = this.#s.arena;
    this.#s.counters.add(reason, u32[word + F.count]!);
    this.#s.slots.give(u32[word + F.slot]!);
  }
}

/** Number of bits that are set. */
const bits = (mask: number): number => {
  let count = 0;
  for (let left = mask >>> 0; left !== 0; left &= left - 1) count++;
  return count;
};
