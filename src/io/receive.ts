/**
 * receive — inbound packets, from the network to the TUN device.
 *
 *   1. receive a run, find its session io/receive.ts    ← here
 *   2. choose its way, post a job      io/receive.ts    ← here
 *   3. decrypt in place                crypto/open.ts
 *   4. replay, source, write to TUN    io/receive.ts    ← here
 *
 * Functions below are in this order. A run that can't go on is counted and its slot freed.
 */
import { DROP, EVENT, JOB_KIND } from "../memory/layout.ts";
import { ACCEPT, FOUND, RECEIVE } from "../memory/numbers.ts";
import { jobIndex, jobWord } from "../memory/ring.ts";
import { SESSION_FIELD, sessionWord } from "../memory/sessions.ts";
import type { Jobs } from "./jobs.ts";
import { addon } from "./native/addon.ts";
import { F, type Station } from "./station.ts";

/** Slots offered to one receive. */
const OFFERED = 8;

export class Receive {
  readonly #s: Station;
  readonly #jobs: Jobs;
  /** The peer's current session may be another one. */
  readonly #onSession: (peer: number) => void;

  constructor(station: Station, jobs: Jobs, onSession: (peer: number) => void) {
    this.#s = station;
    this.#jobs = jobs;
    this.#onSession = onSession;
  }

  /** One receive: makes jobs of what came. True: it was little, and there may be more. */
  read(): boolean {
    const { poster, ring, io } = this.#s;
    const offered = this.offer(OFFERED);
    const got = offered === 0 ? 0 : addon.receive(io, jobIndex(ring, poster.tail), offered);
    const received = Math.max(0, got);
    this.begin(offered, received & RECEIVE.runs);
    return (received & RECEIVE.more) !== 0;
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
  begin(offered: number, runs: number): void {
    const { poster, ring } = this.#s;
    const first = poster.tail;
    this.takeBack(offered, runs);
    for (let i = 0; i < runs; i++) this.#classify(jobWord(ring, first + i));
  }

  /** Posts the run at `word`, which is the job at the ring's tail, when its session may open it. */
  #classify(word: number): void {
    const { arena, slots } = this.#s;
    const { u32 } = arena;
    const reason = refusal(u32[word + F.found]!);
    if (reason >= 0) {
      this.#drop(word, reason);
      u32[word + F.kind] = JOB_KIND.none;
      this.#jobs.append();
      return;
    }
    u32[word + F.kind] = JOB_KIND.open;
    u32[word + F.slotGeneration] = slots.generation(u32[word + F.slot]!);
    this.#jobs.post();
  }

  /** Replay window and inner source, by C; then TUN. */
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
      if (result & ACCEPT.authentic) this.#noteAuthentic(word, (result & ACCEPT.roamed) !== 0);
      if (result & ACCEPT.packets) addon.tunWrite(io, job);
    }
    slots.give(u32[word + F.slot]!);
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

/** Why what was found may not be opened, or -1. */
const refusal = (found: number): number => {
  if ((found & FOUND.session) === 0) return DROP.unknownIndex;
  if ((found & FOUND.suite) === 0) return DROP.wrongSuite;
  if ((found & FOUND.owner) === 0) return DROP.wrongThread;
  return (found & FOUND.alive) === 0 ? DROP.sessionExpired : -1;
};
