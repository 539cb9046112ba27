/**
 * ring — jobs of one I/O thread: posted in order, claimed by anybody once, retired in order.
 *
 *      head              hint            tail
 *        v                 v               v
 *      [done][claimed 3][done][posted][posted][ free ...]
 *
 *    I/O thread (poster)            any worker, and the I/O thread (claimers)
 *    -----------------------        ------------------------------------------
 *    Poster.post()    at tail       claim(ring, tag)    compare-and-swap, once
 *    Poster.append()  done already  finish(ring, at, tag)
 *    Poster.status()  at head
 *    Poster.retire()  at head
 *
 * The state word holds lap, status and the claimer's tag in one, so that a claim and who made it
 * are one atomic step: a thread that dies holding a job can be named. A claimed job is never
 * claimed again (security.md 1). The lap keeps a claimer that slept through a turn of the ring from
 * taking a job that it saw long ago. Positions are free-running i32; compare by difference.
 */
import { IO, JOB, RING_JOBS } from "./layout.ts";
import { type Arena, fieldWord, wordOf } from "./region.ts";

export const STATUS = { free: 0, posted: 1, claimed: 2, done: 3 } as const;

/** Claim tags: I/O threads have 1 to 8; workers a tag that also names their entry. */
export const TAG_MASK = 0x3fff;
const WORKER_TAG_BASE = 64;
const WORKER_TAG_STEP = 64;

/** Tag of I/O thread `thread`. */
export const ioTag = (thread: number): number => thread + 1;

/** Tag of the `incarnation`th thread in worker entry `worker`; unique among the last 254. */
export const workerTag = (worker: number, incarnation: number): number =>
  WORKER_TAG_BASE + WORKER_TAG_STEP * (incarnation % 254) + worker;

/** Worker entry that a tag names, or -1 for an I/O thread's. */
export const workerOfTag = (tag: number): number =>
  tag < WORKER_TAG_BASE ? -1 : (tag - WORKER_TAG_BASE) % WORKER_TAG_STEP;

const STATE = fieldWord(JOB.fields.state);
const JOB_WORDS = JOB.size >>> 2;
const MASK = RING_JOBS - 1;
const LAP_SHIFT = Math.log2(RING_JOBS);

const lapBits = (at: number): number => ((at >>> LAP_SHIFT) & 0xffff) << 16;
const word = (at: number, status: number, tag: number): number =>
  lapBits(at) | (status << 14) | tag;

/** Status in a state word of position `at`; `free` when the word is of another lap. */
const statusIn = (state: number, at: number): number =>
  (state & 0xffff_0000) === lapBits(at) ? (state >>> 14) & 3 : STATUS.free;

/** One I/O thread's ring as every thread sees it. */
export interface Ring {
  readonly i32: Int32Array;
  /** Index in the jobs region of the ring's first entry. */
  readonly firstJob: number;
  readonly jobsWord: number;
  readonly tailWord: number;
  readonly headWord: number;
  readonly hintWord: number;
  readonly asleepWord: number;
}

export const openRing = (arena: Arena, thread: number): Ring => {
  const io = wordOf(arena, "ios", IO.size, thread);
  return {
    i32: arena.i32,
    firstJob: thread * RING_JOBS,
    jobsWord: wordOf(arena, "jobs", JOB.size, thread * RING_JOBS),
    tailWord: io + fieldWord(IO.fields.tail),
    headWord: io + fieldWord(IO.fields.head),
    hintWord: io + fieldWord(IO.fields.hint),
    asleepWord: io + fieldWord(IO.fields.asleep),
  };
};

/** Word index of the job at a position. */
export const jobWord = (ring: Ring, at: number): number => ring.jobsWord + (at & MASK) * JOB_WORDS;

/** Index in the jobs region of the job at a position; what the addon's calls take. */
export const jobIndex = (ring: Ring, at: number): number => ring.firstJob + (at & MASK);

/** Result of claim() when there is nothing to claim: no position, since positions are i32. */
export const NOTHING = 0x1_0000_0000;

/** Claims the first unclaimed job from `at` up to `end`; moves the hint along. */
const claimFrom = (ring: Ring, from: number, end: number, tag: number): number => {
  const { i32 } = ring;
  let at = from;
  for (let step = 0; step < RING_JOBS && ((end - at) | 0) > 0; step++) {
    const state = jobWord(ring, at) + STATE;
    const posted = word(at, STATUS.posted, 0);
    const taken =
      Atomics.load(i32, state) === posted &&
      Atomics.compareExchange(i32, state, posted, word(at, STATUS.claimed, tag)) === posted;
    const next = (at + 1) | 0;
    Atomics.compareExchange(i32, ring.hintWord, at, next);
    if (taken) return at;
    at = next;
  }
  return NOTHING;
};

/**
 * Claims the oldest unclaimed job. Thread: any; `tag` is the caller's own.
 * Returns its position, or NOTHING. Bounded by the ring's size.
 */
export const claim = (ring: Ring, tag: number): number => {
  const { i32 } = ring;
  const tail = Atomics.load(i32, ring.tailWord);
  const head = Atomics.load(i32, ring.headWord);
  const hint = Atomics.load(i32, ring.hintWord);
  const inside = ((hint - head) | 0) >= 0 && ((tail - hint) | 0) >= 0;
  if (!inside) Atomics.compareExchange(i32, ring.hintWord, hint, head);
  const at = claimFrom(ring, inside ? hint : head, tail, tag);
  if (at !== NOTHING || !inside || hint === head || ((tail - head) | 0) <= 0) return at;
  // A hint left behind for 2^32 jobs may lie ahead of unclaimed ones: the oldest is looked at too.
  return claimFrom(ring, head, (head + 1) | 0, tag);
};

/**
 * Marks a claimed job as done. Thread: its claimer.
 * True: the I/O thread sleeps on this very job, and the caller must ring its eventfd.
 */
export const finish = (ring: Ring, at: number, tag: number): boolean => {
  const { i32 } = ring;
  Atomics.store(i32, jobWord(ring, at) + STATE, word(at, STATUS.done, tag));
  return (
    Atomics.load(i32, ring.asleepWord) === 1 &&
    Atomics.load(i32, ring.headWord) === at &&
    Atomics.compareExchange(i32, ring.asleepWord, 1, 0) === 1
  );
};

/** The I/O thread's end of its ring. Thread: that I/O thread. */
export class Poster {
  readonly ring: Ring;
  /** Next position to post, and next to retire. */
  tail: number;
  head: number;

  constructor(ring: Ring) {
    this.ring = ring;
    this.head = Atomics.load(ring.i32, ring.headWord);
    // The shared tail lags behind jobs that a thread before us did inline and retired.
    const tail = Atomics.load(ring.i32, ring.tailWord);
    this.tail = ((tail - this.head) | 0) > 0 ? tail : this.head;
  }

  /** Positions not in use. */
  free(): number {
    return RING_JOBS - ((this.tail - this.head) | 0);
  }

  /** Jobs posted and not retired. */
  pending(): number {
    return (this.tail - this.head) | 0;
  }

  /** Publishes the job at `tail` for anybody to claim. */
  post(): void {
    const { i32 } = this.ring;
    const at = this.tail;
    Atomics.store(i32, jobWord(this.ring, at) + STATE, word(at, STATUS.posted, 0));
    this.tail = (at + 1) | 0;
    Atomics.store(i32, this.ring.tailWord, this.tail);
  }

  /** Appends the job at `tail` as done already: worked on inline, or only to be retired. */
  append(): void {
    const { i32 } = this.ring;
    const at = this.tail;
    i32[jobWord(this.ring, at) + STATE] = word(at, STATUS.done, 0);
    this.tail = (at + 1) | 0;
  }

  /** Makes appended jobs known, so that claimers and other readers see the true tail. */
  publish(): void {
    Atomics.store(this.ring.i32, this.ring.tailWord, this.tail);
  }

  /** Status of the job at `head`. */
  status(): number {
    const { i32 } = this.ring;
    return statusIn(Atomics.load(i32, jobWord(this.ring, this.head) + STATE), this.head);
  }

  /** Tag of the claimer of the job at `head`. */
  claimer(): number {
    return Atomics.load(this.ring.i32, jobWord(this.ring, this.head) + STATE) & TAG_MASK;
  }

  /** Gives the entry at `head` back. */
  retire(): void {
    this.head = (this.head + 1) | 0;
    Atomics.store(this.ring.i32, this.ring.headWord, this.head);
  }

  /** Says that the thread will sleep. False: the oldest job is done, so it must not. */
  fallAsleep(): boolean {
    Atomics.store(this.ring.i32, this.ring.asleepWord, 1);
    if (this.pending() > 0 && this.status() === STATUS.done) {
      this.wake();
      return false;
    }
    return true;
  }

  wake(): void {
    Atomics.store(this.ring.i32, this.ring.asleepWord, 0);
  }
}

/** Is any job of the ring still claimed by a thread other than its I/O thread? Thread: main. */
export const hasClaims = (ring: Ring, io: number): boolean => {
  const head = Atomics.load(ring.i32, ring.headWord);
  for (let step = 0; step < RING_JOBS; step++) {
    const at = (head + step) | 0;
    const state = Atomics.load(ring.i32, jobWord(ring, at) + STATE);
    const claimed = statusIn(state, at) === STATUS.claimed;
    if (claimed && (state & TAG_MASK) !== ioTag(io)) return true;
  }
  return false;
};

/**
 * Empties the ring of an I/O thread that has died, after hasClaims() said no: its jobs are lost,
 * and whatever is posted next is of a new lap. Thread: main, before the replacement starts.
 */
export const resetRing = (ring: Ring): void => {
  const { i32 } = ring;
  const tail = Atomics.load(i32, ring.tailWord);
  const head = Atomics.load(i32, ring.headWord);
  const last = ((tail - head) | 0) > 0 ? tail : head;
  const next = (last + RING_JOBS) | 0;
  for (const word of [ring.tailWord, ring.headWord, ring.hintWord]) Atomics.store(i32, word, next);
  Atomics.store(i32, ring.asleepWord, 0);
};
