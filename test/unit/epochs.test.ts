/** epochs — a mark passes when no I/O thread can hold what was current when it was taken. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { mark, passed } from "../../src/memory/epochs.ts";
import { IO } from "../../src/memory/layout.ts";
import { type Arena, fieldWord, makeArena, wordOf } from "../../src/memory/region.ts";
import { openRing, Poster } from "../../src/memory/ring.ts";

const arenaOf = (ioThreads: number): Arena =>
  makeArena({ ioThreads, workers: 0, peers: 1, routes: 1 });

/** Begins or ends a turn of an I/O thread, as its wait does. */
const turn = (arena: Arena, thread = 0): void => {
  Atomics.add(arena.i32, wordOf(arena, "ios", IO.size, thread) + fieldWord(IO.fields.loops), 1);
};

test("a mark taken while all sleep and nothing is pending has passed", () => {
  const arena = arenaOf(2);
  assert.equal(passed(arena, mark(arena)), true);
});

test("a job that was pending at the mark is waited for", () => {
  const arena = arenaOf(1);
  const poster = new Poster(openRing(arena, 0));
  turn(arena);
  poster.post();
  turn(arena);
  const at = mark(arena);
  assert.equal(passed(arena, at), false);
  poster.retire();
  assert.equal(passed(arena, at), true);
});

test("a turn under way is waited for, and so is what it posts after the mark", () => {
  const arena = arenaOf(1);
  const poster = new Poster(openRing(arena, 0));
  turn(arena);
  // Here the thread has loaded a session and not yet posted the job that names it.
  const at = mark(arena);
  assert.equal(passed(arena, at), false);
  poster.post();
  assert.equal(passed(arena, at), false);
  turn(arena);
  assert.equal(passed(arena, at), false, "the job is with a worker");
  poster.retire();
  assert.equal(passed(arena, at), true);
});

test("jobs of later turns are not waited for", () => {
  const arena = arenaOf(1);
  const poster = new Poster(openRing(arena, 0));
  turn(arena);
  const at = mark(arena);
  turn(arena);
  assert.equal(passed(arena, at), true);
  turn(arena);
  poster.post();
  assert.equal(passed(arena, at), true);
});

test("every thread is waited for", () => {
  const arena = arenaOf(2);
  turn(arena, 1);
  const at = mark(arena);
  assert.equal(passed(arena, at), false);
  turn(arena, 1);
  assert.equal(passed(arena, at), true);
});
