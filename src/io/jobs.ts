/**
 * jobs — who does a job: this thread at once, or a worker.
 *
 * Inline is the rule: no wake-up, warm caches, lowest latency. Jobs are handed over when the thread
 * is saturated and a trial has shown that it then moves more (see Dispatch). While any are handed
 * over, this thread takes the oldest unclaimed one instead of waiting. Whoever finishes first, jobs
 * are retired in the order in which they were posted.
 */
import { work } from "../crypto/work.ts";
import { COUNT, HAND_OVER, JOB_KIND, WORKER, WORKER_STATE } from "../memory/layout.ts";
import { fieldWord, wordOf } from "../memory/region.ts";
import { claim, finish, ioTag, jobWord, NOTHING, STATUS, workerOfTag } from "../memory/ring.ts";
import { F, type Station } from "./station.ts";

/** What retires a job; send and receive. */
export interface Retirer {
  retire(word: number): void;
  abandon(word: number): void;
}

const STATE = fieldWord(WORKER.fields.state);
const BELL = fieldWord(WORKER.fields.bell);
const TAG = fieldWord(WORKER.fields.tag);
const DEAD_TAG = fieldWord(WORKER.fields.deadTag);
/** Unclaimed jobs from which a worker is woken: this thread does the first itself. */
const WAKE_BACKLOG = 2;
/** A job claimed for longer than this has a stuck worker. */
const STUCK_MS = 1_000;

export class Jobs {
  readonly #s: Station;
  readonly #tag: number;
  #send: Retirer | null = null;
  #receive: Retirer | null = null;
  /** 1 while jobs are handed to workers. */
  handingOver = false;
  #stuckHead = 0;
  #stuckSinceMs = 0;

  constructor(station: Station) {
    this.#s = station;
    this.#tag = ioTag(station.thread);
  }

  /** Sets who retires; send and receive need this object first. */
  retireWith(send: Retirer, receive: Retirer): void {
    this.#send = send;
    this.#receive = receive;
  }

  /** The job at the ring's tail is complete: do it, or hand it over. */
  post(): void {
    const { poster, ring, segments, counters } = this.#s;
    if (this.handingOver) {
      poster.post();
      if (poster.pending() >= WAKE_BACKLOG) this.#wakeWorker();
      return;
    }
    work(segments, ring, poster.tail);
    counters.add(COUNT.jobsInline, 1);
    this.append();
  }

  /** The job at the ring's tail needs no work, or has been done: retire it in its turn. */
  append(): void {
    const { poster } = this.#s;
    poster.append();
    if (poster.pending() === 1) this.#retireHead();
  }

  /**
   * Does and retires what it can; returns with jobs pending only when workers hold all of them.
   * Bounded: each step retires or does one job.
   */
  settle(): void {
    const { poster, ring, segments, counters } = this.#s;
    if (poster.pending() > 0) poster.publish();
    while (poster.pending() > 0) {
      const status = poster.status();
      if (status === STATUS.done) {
        this.#retireHead();
        continue;
      }
      if (status === STATUS.claimed && this.#abandonIfDead()) continue;
      const at = claim(ring, this.#tag);
      if (at === NOTHING) {
        this.#watchHead();
        return;
      }
      work(segments, ring, at);
      counters.add(COUNT.jobsInline, 1);
      finish(ring, at, this.#tag);
    }
    this.#stuckSinceMs = 0;
  }

  /** Claim tag of a worker that has held the oldest job for too long, or 0. */
  stuckTag(): number {
    const nowMs = this.#s.arena.f64[this.#s.clock]!;
    const stuck = this.#stuckSinceMs !== 0 && nowMs - this.#stuckSinceMs > STUCK_MS;
    return stuck && this.#s.poster.status() === STATUS.claimed ? this.#s.poster.claimer() : 0;
  }

  /** Who made the job: send seals, receive opens. */
  #retirer(word: number): Retirer | null {
    const seals = this.#s.arena.u32[word + F.kind] === JOB_KIND.seal;
    return seals ? this.#send : this.#receive;
  }

  #retireHead(): void {
    const { poster, ring, counters } = this.#s;
    const word = jobWord(ring, poster.head);
    if (workerOfTag(poster.claimer()) >= 0) counters.add(COUNT.jobsHandedOver, 1);
    this.#retirer(word)?.retire(word);
    poster.retire();
  }

  /** A job whose claimer's thread has exited is dropped, never done again (security.md 1). */
  #abandonIfDead(): boolean {
    const { arena, poster, ring } = this.#s;
    const tag = poster.claimer();
    const worker = workerOfTag(tag);
    if (worker < 0) return false;
    const entry = wordOf(arena, "workers", WORKER.size, worker);
    // A new tag is stored only after the exit of the thread before it.
    const dead =
      Atomics.load(arena.i32, entry + DEAD_TAG) === tag ||
      Atomics.load(arena.i32, entry + TAG) !== tag;
    if (!dead) return false;
    // It may have finished between our look at the job and its exit.
    if (poster.status() === STATUS.done) return true;
    const word = jobWord(ring, poster.head);
    this.#retirer(word)?.abandon(word);
    poster.retire();
    return true;
  }

  #watchHead(): void {
    if (this.#stuckSinceMs !== 0 && this.#stuckHead === this.#s.poster.head) return;
    this.#stuckHead = this.#s.poster.head;
    this.#stuckSinceMs = this.#s.arena.f64[this.#s.clock]!;
  }

  /** Rings one sleeping worker, unless one is awake and will find the backlog by itself. */
  #wakeWorker(): void {
    const { arena, counters } = this.#s;
    let sleeper = -1;
    for (let worker = 0; worker < arena.limits.workers; worker++) {
      const word = wordOf(arena, "workers", WORKER.size, worker);
      const state = Atomics.load(arena.i32, word + STATE);
      if (state === WORKER_STATE.awake && this.#s.poster.pending() < 2 * WAKE_BACKLOG) return;
      if (state === WORKER_STATE.asleep && sleeper < 0) sleeper = word;
    }
    if (sleeper < 0) return;
    counters.add(COUNT.workerWakes, 1);
    Atomics.store(arena.i32, sleeper + STATE, WORKER_STATE.awake);
    Atomics.add(arena.i32, sleeper + BELL, 1);
    Atomics.notify(arena.i32, sleeper + BELL, 1);
  }
}

/** Length of one measurement. */
const WINDOW_MS = 100;
/** Windows between two trials of the other way. */
const WINDOWS_BETWEEN_TRIALS = 30;
/** The thread counts as saturated when it slept for less than this share of a window. */
const SATURATED_SLEEP_SHARE = 0.15;
/** Handing over must move this much more to be kept. */
const GAIN = 1.05;

/**
 * Chooses between inline and handing over by measuring both, and only where it can matter: while
 * the thread is saturated. A trial is one window of the other way between windows of this one.
 */
export class Dispatch {
  readonly #mode: number;
  readonly #workers: number;
  /** When the window is over; asked each turn, so it is one comparison. */
  windowEndMs = 0;
  #sleptMs = 0;
  #bytes = 0;
  #handingOver = false;
  #trial = false;
  #before = 0;
  #windowsLeft = 1;

  constructor(mode: number, workers: number) {
    this.#mode = mode;
    this.#workers = workers;
    this.#handingOver = mode === HAND_OVER.always && workers > 0;
  }

  /** Closes a window. `bytes` and `sleptMs` are running totals. True: hand jobs over. */
  choose(nowMs: number, bytes: number, sleptMs: number): boolean {
    if (this.#mode === HAND_OVER.auto && this.#workers > 0) {
      const elapsed = nowMs - (this.windowEndMs - WINDOW_MS);
      const moved = (bytes - this.#bytes) / elapsed;
      const saturated = sleptMs - this.#sleptMs < SATURATED_SLEEP_SHARE * elapsed;
      this.#decide(moved, saturated, elapsed < 2 * WINDOW_MS);
    }
    this.windowEndMs = nowMs + WINDOW_MS;
    this.#sleptMs = sleptMs;
    this.#bytes = bytes;
    return this.#handingOver;
  }

  #decide(moved: number, saturated: boolean, whole: boolean): void {
    if (this.#trial) {
      this.#trial = false;
      this.#windowsLeft = WINDOWS_BETWEEN_TRIALS;
      const [inline, handed] = this.#handingOver ? [this.#before, moved] : [moved, this.#before];
      this.#handingOver = whole && handed > inline * GAIN;
      return;
    }
    if (!whole || (!saturated && !this.#handingOver)) return;
    this.#windowsLeft--;
    if (this.#windowsLeft > 0) return;
    this.#before = moved;
    this.#trial = true;
    this.#handingOver = !this.#handingOver;
  }
}
