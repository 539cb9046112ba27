/**
 * epochs — when is nobody in an I/O thread still using what control has replaced?
 *
 * Control changes a word (a route table's number, a peer's session), takes a mark, and may re-use
 * the old thing once the mark has passed: every I/O thread has begun a new turn or sleeps, and has
 * retired every job that it had posted at the mark.
 */
import { IO } from "./layout.ts";
import { type Arena, fieldWord, wordOf } from "./region.ts";

const LOOPS = fieldWord(IO.fields.loops);
const TAIL = fieldWord(IO.fields.tail);
const HEAD = fieldWord(IO.fields.head);

/** What each I/O thread was at; pairs of loops and tail. */
export type Mark = Int32Array;

/** Takes a mark. Thread: control. */
export const mark = (arena: Arena): Mark => {
  const result = new Int32Array(arena.limits.ioThreads * 2);
  for (let thread = 0; thread < arena.limits.ioThreads; thread++) {
    const io = wordOf(arena, "ios", IO.size, thread);
    result[2 * thread] = Atomics.load(arena.i32, io + LOOPS);
    result[2 * thread + 1] = Atomics.load(arena.i32, io + TAIL);
  }
  return result;
};

/** True when no I/O thread can still hold what was current at the mark. Thread: control. */
export const passed = (arena: Arena, at: Mark): boolean => {
  for (let thread = 0; thread < arena.limits.ioThreads; thread++) {
    const io = wordOf(arena, "ios", IO.size, thread);
    const loops = Atomics.load(arena.i32, io + LOOPS);
    const inTurn = (loops & 1) === 1;
    if (inTurn && loops === at[2 * thread]) return false;
    const head = Atomics.load(arena.i32, io + HEAD);
    if (((head - at[2 * thread + 1]!) | 0) < 0) return false;
  }
  return true;
};
