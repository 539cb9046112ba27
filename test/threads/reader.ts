/**
 * reader — a thread that looks addresses up in turns, as an I/O thread does, while the route tables
 * are swapped under it. Answers with what it saw when the engine's stop flag is set.
 */
import { parentPort, workerData } from "node:worker_threads";
import { ENGINE, IO, JOB, RING_JOBS } from "../../src/memory/layout.ts";
import { type ArenaShare, fieldWord, openArena, wordOf } from "../../src/memory/region.ts";
import { RouteLookup } from "../lab/route-lookup.ts";

export interface ReaderTask {
  readonly share: ArenaShare;
  readonly thread: number;
}

/** Tables that follow one another: the idle one is never filled with what it held before. */
export const TABLES = 3;

/** What a reader saw. Table t answers peer TABLES * k + t for address k. */
export interface ReaderReport {
  readonly lookups: number;
  /** Look-ups that gave no table's answer. */
  readonly wrong: number;
  /** Answers of each table. */
  readonly of: readonly number[];
}

/** Addresses that all tables know, in different places. */
export const ADDRESSES = 50;
export const addressOf = (k: number): number => (0x0a00_0000 + (k << 16)) >>> 0;

const LOOKUPS_A_TURN = 64;

const read = ({ share, thread }: ReaderTask): ReaderReport => {
  const arena = openArena(share);
  const { i32 } = arena;
  const loops = wordOf(arena, "ios", IO.size, thread) + fieldWord(IO.fields.loops);
  const stop = wordOf(arena, "engine", ENGINE.size, 0) + fieldWord(ENGINE.fields.stop);
  const table = new RouteLookup(arena);
  const own = wordOf(arena, "jobs", JOB.size, thread * RING_JOBS);
  const of = new Array<number>(TABLES).fill(0);
  let [lookups, wrong] = [0, 0];
  while (Atomics.load(i32, stop) === 0) {
    // A turn begins and ends as in io.c: odd while in it, even while asleep.
    Atomics.add(i32, loops, 1);
    for (let i = 0; i < LOOKUPS_A_TURN; i++) {
      const k = lookups++ % ADDRESSES;
      arena.u32[own] = addressOf(k);
      const peer = table.find(4, own);
      const answer = peer - TABLES * k;
      if (answer in of) of[answer]!++;
      else wrong++;
    }
    Atomics.add(i32, loops, 1);
  }
  return { lookups, wrong, of };
};

parentPort?.postMessage(read(workerData as ReaderTask));
