/**
 * stalling — a worker that can be told to stop in the middle of a job; otherwise like
 * src/workers/main.ts, with the same claim, work and finish.
 *
 * What to do stands in words of the arena that this test does not use otherwise (see room.ts).
 * Each segment that is about to be sealed is counted by its nonce.
 */
import { threadId } from "node:worker_threads";
import { openChaCha } from "../../src/crypto/open.ts";
import { sealChaCha } from "../../src/crypto/seal.ts";
import { Segments } from "../../src/crypto/segments.ts";
import { work } from "../../src/crypto/work.ts";
import { addon } from "../../src/io/native/addon.ts";
import { ENGINE, JOB, JOB_KIND, WORKER, WORKER_STATE } from "../../src/memory/layout.ts";
import {
  type Arena,
  doubleAt,
  fieldWord,
  openArena,
  regionTables,
  wordOf,
} from "../../src/memory/region.ts";
import { claim, finish, jobWord, NOTHING, openRing, type Ring } from "../../src/memory/ring.ts";
import type { WorkerTask } from "../../src/workers/main.ts";
import { noteUse, ORDER, type Orders, ordersOf, STALL } from "./orders.ts";

const KIND = fieldWord(JOB.fields.kind);
const COUNT = fieldWord(JOB.fields.count);
const LAST_BYTES = fieldWord(JOB.fields.lastBytes);
const SEGMENT_BYTES = fieldWord(JOB.fields.segmentBytes);
const STATE = fieldWord(WORKER.fields.state);
const BELL = fieldWord(WORKER.fields.bell);
const SLEEP_MS = 50;

class Stalling {
  readonly #arena: Arena;
  readonly #task: WorkerTask;
  readonly #segments: Segments;
  readonly #ring: Ring;
  readonly #orders: Orders;
  readonly #word: number;
  readonly #stopWord: number;

  constructor(task: WorkerTask) {
    this.#task = task;
    this.#arena = openArena(task.share);
    const { bases, counts } = regionTables(this.#arena);
    addon.attach(this.#arena.u8, bases, counts);
    this.#segments = new Segments(this.#arena);
    this.#ring = openRing(this.#arena, 0);
    this.#orders = ordersOf(this.#arena);
    this.#word = wordOf(this.#arena, "workers", WORKER.size, task.worker);
    const engine = wordOf(this.#arena, "engine", ENGINE.size, 0);
    this.#stopWord = engine + fieldWord(ENGINE.fields.stop);
  }

  run(): void {
    const { i32 } = this.#arena;
    Atomics.store(i32, this.#word + fieldWord(WORKER.fields.threadId), threadId);
    while (Atomics.load(i32, this.#stopWord) === 0) {
      const bell = Atomics.load(i32, this.#word + BELL);
      if (this.#serve()) continue;
      Atomics.store(i32, this.#word + STATE, WORKER_STATE.asleep);
      if (!this.#serve()) Atomics.wait(i32, this.#word + BELL, bell, SLEEP_MS);
      Atomics.store(i32, this.#word + STATE, WORKER_STATE.awake);
    }
  }

  #serve(): boolean {
    const at = claim(this.#ring, this.#task.tag);
    if (at === NOTHING) return false;
    Atomics.store(this.#arena.i32, this.#word + STATE, WORKER_STATE.awake);
    const word = jobWord(this.#ring, at);
    const stall = this.#orderFor(this.#arena.u32[word + KIND]!);
    if (stall === STALL.before) this.#stall();
    if (stall === STALL.half) this.#half(word);
    else this.#whole(word, at);
    if (stall === STALL.after) this.#stall();
    const jobs = doubleAt(this.#word, WORKER.fields.jobs);
    this.#arena.f64[jobs] = this.#arena.f64[jobs]! + 1;
    if (finish(this.#ring, at, this.#task.tag)) addon.eventSignal(this.#task.ioWakes[0]!);
    return true;
  }

  #whole(word: number, at: number): void {
    this.#noteUses(word, 0);
    work(this.#segments, this.#ring, at);
  }

  /** Works on the first half of a run, in place, and stalls; it is never told to go on. */
  #half(word: number): void {
    const { u32 } = this.#arena;
    const count = u32[word + COUNT]!;
    const first = Math.floor(count / 2);
    this.#noteUses(word, count - first);
    // A whole run's work with fewer segments; count and last size are put back afterwards.
    const last = u32[word + LAST_BYTES]!;
    u32[word + COUNT] = first;
    u32[word + LAST_BYTES] = u32[word + SEGMENT_BYTES]!;
    if (u32[word + KIND] === JOB_KIND.seal) sealChaCha(this.#segments, word);
    else openChaCha(this.#segments, word);
    u32[word + COUNT] = count;
    u32[word + LAST_BYTES] = last;
    this.#stall();
    throw new Error("a half-done job went on");
  }

  /** Counts the nonces of all segments but the last `spared`. */
  #noteUses(word: number, spared: number): void {
    if (this.#arena.u32[word + KIND] === JOB_KIND.seal) noteUse(this.#orders, word, spared);
  }

  /** The order that stands, when it is for this kind of job; taken by one worker. */
  #orderFor(kind: number): number {
    const { i32, first } = this.#orders;
    const order = Atomics.load(i32, first + ORDER.stall);
    if (order === STALL.none || Atomics.load(i32, first + ORDER.kind) !== kind) return STALL.none;
    const taken = Atomics.compareExchange(i32, first + ORDER.stall, order, STALL.none) === order;
    return taken ? order : STALL.none;
  }

  /** Says who stalls, and waits until it is told to go on, which may be never. */
  #stall(): void {
    const { i32, first } = this.#orders;
    const release = Atomics.load(i32, first + ORDER.release);
    Atomics.store(i32, first + ORDER.stalledTag, this.#task.tag);
    Atomics.wait(i32, first + ORDER.release, release);
  }
}

/** piscina's entry. */
export default function main(task: WorkerTask): void {
  new Stalling(task).run();
}
