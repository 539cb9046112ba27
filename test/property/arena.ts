/** arena — a small arena for the property tests, and words of it by name. */
import { type Field, IO, type Limits } from "../../src/memory/layout.ts";
import { type Arena, fieldWord, makeArena, wordOf } from "../../src/memory/region.ts";

const LIMITS: Limits = { ioThreads: 2, workers: 1, peers: 4, routes: 256 };

/** The arena is made once a file: 28 MB of it are slots, and it is zeroed by the system. */
export const smallArena = (limits: Partial<Limits> = {}): Arena =>
  makeArena({ ...LIMITS, ...limits });

/** Word index of a field of an I/O thread's entry. */
export const ioWord = (arena: Arena, thread: number, field: Field): number =>
  wordOf(arena, "ios", IO.size, thread) + fieldWord(field);

/** Number of runs of a property; more with P2PVPN_RUNS. */
export const runs = (usual: number): number => Number(process.env.P2PVPN_RUNS ?? usual);
