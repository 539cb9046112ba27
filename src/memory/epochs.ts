/**
 * epochs — when is nobody in an I/O thread still using what control has replaced?
 *
 * Control changes a word (a route table's number, a peer's session), takes a mark, and may re-use
 * the old thing once the mark has passed: every I/O thread has ended the turn that it was in, and
 * has retired every job that it had posted by then.
 */
import { IO } from "./layout.ts";
import { type Arena, fieldWord, wordOf } from "./region.ts";

const LOOPS = fieldWord(IO.fields.loops);
const TAIL = fieldWord(IO.fields.tail);
const HEAD = fieldWord(IO.fields.head);

/** What each I/O thread was at; three words: loops, tail, and 1 while the tail may yet grow. */
export type Mark = Int32Array;

/** Takes a mark. Thread: control. */
export const mark = (arena: Arena): Mark => {
  const result = new Int32Array(arena.limits.ioThreads * 3);
  for (let thread = 0; thread < arena.limits.ioThreads; thread++) {
    const io = wordOf(arena, "ios", IO.size, thread);
    const loops = Atomics.load(arena.i32, io + LOOPS);
    result[3 * thread] = loops;
    result[3 * thread + 1] = Atomics.load(arena.i32, io + TAIL);
    result[3 * thread + 2] = loops & 1;
  }
  return result;
};

/**
 * True when no I/O thread can still hold what was current at the mark; notes progress in the mark.
 * A turn that was under way may have posted jobs after the mark, with what it had loaded before
 * it: so the tail counts that is seen when the turn has ended. Thread: control.
 */
export const passed = (arena: Arena, at: Mark): boolean => {
  for (let thread = 0; thread < arena.limits.ioThreads; thread++) {
    const io = wordOf(arena, "ios", IO.size, thread);
    if (at[3 * thread + 2] === 1) {
      if (Atomics.load(arena.i32, io + LOOPS) === at[3 * thread]) return false;
      at[3 * thread + 1] = Atomics.load(arena.i32, io + TAIL);
      at[3 * thread + 2] = 0;
    }
    const head = Atomics.load(arena.i32, io + HEAD);
    if (((head - at[3 * thread + 1]!) | 0) < 0) return false;
  }
  return true;
};
