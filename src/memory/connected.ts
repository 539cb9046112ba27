/**
 * connected — may I/O threads open connected sockets on the port, and how many are open?
 *
 * They hold the port as the common sockets do, so all are closed before it is opened anew. Control
 * forbids them and then counts; an I/O thread counts its own and then asks: one sees the other.
 */
import { ENGINE, IO } from "./layout.ts";
import { type Arena, fieldWord, wordOf } from "./region.ts";

/** Thread: control. */
export const setPortOpen = (arena: Arena, open: boolean): void => {
  const word = wordOf(arena, "engine", ENGINE.size, 0) + fieldWord(ENGINE.fields.portOpen);
  Atomics.store(arena.u32, word, open ? 1 : 0);
};

/** Connected sockets that are open, of all I/O threads. Thread: any. */
export const connectedSockets = (arena: Arena): number => {
  let sum = 0;
  for (let thread = 0; thread < arena.limits.ioThreads; thread++) {
    const word = wordOf(arena, "ios", IO.size, thread) + fieldWord(IO.fields.connected);
    sum += Atomics.load(arena.u32, word);
  }
  return sum;
};
