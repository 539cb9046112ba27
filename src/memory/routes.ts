/**
 * routes — inner address to next hop, by longest prefix; control writes, I/O threads read.
 *
 * Overlapping prefixes are flattened into sorted boundaries (boundaries.ts), of which a tree is
 * made (route-tree.ts): a look-up reads two or three places of memory. There are two tables;
 * control fills the idle one and swaps `activeRoutes` in one store, so readers never wait
 * (memory/epochs.ts says when the idle one is nobody's any more).
 */
import type { Cidr } from "../wire/cidr.ts";
import { BOUNDARIES_MAX, flatten, Prefixes } from "./boundaries.ts";
import { type Mark, mark, passed } from "./epochs.ts";
import { ENGINE, routeTableWords } from "./layout.ts";
import { type Arena, fieldWord, wordOf } from "./region.ts";
import { ROUTE_HOPS_MAX, type RouteTable, writeTable } from "./route-tree.ts";

/** One prefix, and what it leads to. Host bits do not count. */
export interface RouteEntry {
  readonly cidr: Cidr;
  /** `entry`: a next hop, that is a peer's entry or a group's (groups.ts). */
  readonly owner: { readonly entry: number };
}

const ACTIVE = fieldWord(ENGINE.fields.activeRoutes);

const REGION = { 4: "routes4", 6: "routes6" } as const;

const tableOf = (arena: Arena, version: 4 | 6, which: number): RouteTable => {
  const words = routeTableWords(version, arena.limits.routes);
  return { u32: arena.u32, at: wordOf(arena, REGION[version], 4, which * words), words };
};

/**
 * Fills the idle table and makes it the active one; of equal prefixes the last one counts. Memory
 * is touched for what is there, not for what could be. Thread: control.
 * The caller has made sure that no reader is still in the idle table: see RoutePublisher.
 * Errors: RangeError when there are more prefixes than `limits.routes`, or hops than a table can
 * name; nothing has changed then.
 */
export const publishRoutes = (arena: Arena, entries: Iterable<RouteEntry>): void => {
  const most = Math.min(arena.limits.routes, BOUNDARIES_MAX / 2 - 1);
  const four = new Prefixes(1);
  const six = new Prefixes(4);
  for (const { cidr, owner } of entries) {
    if (four.count + six.count === most) throw new RangeError(`more than ${most} prefixes`);
    if (owner.entry >= ROUTE_HOPS_MAX) throw new RangeError(`hop ${owner.entry} is too many`);
    (cidr.version === 4 ? four : six).add(cidr, owner.entry);
  }
  const active = wordOf(arena, "engine", ENGINE.size, 0) + ACTIVE;
  const idle = 1 - Atomics.load(arena.i32, active);
  for (const [prefixes, table] of [
    [four, tableOf(arena, 4, idle)],
    [six, tableOf(arena, 6, idle)],
  ] as const) {
    writeTable(table, flatten(prefixes));
  }
  Atomics.store(arena.i32, active, idle);
};

/** The writing end, which waits for readers. Thread: control. */
export class RoutePublisher {
  readonly #arena: Arena;
  /** Taken at the last swap; null: nobody is in the idle table. */
  #swapped: Mark | null = null;

  constructor(arena: Arena) {
    this.#arena = arena;
  }

  /** True when no I/O thread can still use what was published before. */
  settled(): boolean {
    if (this.#swapped !== null && passed(this.#arena, this.#swapped)) this.#swapped = null;
    return this.#swapped === null;
  }

  /**
   * Publishes the entries. False: readers may still be in the idle table, nothing was done, and it
   * is to be called again soon.
   * Errors: RangeError when there are more prefixes than `limits.routes`; nothing has changed then.
   */
  publish(entries: Iterable<RouteEntry>): boolean {
    if (!this.settled()) return false;
    publishRoutes(this.#arena, entries);
    this.#swapped = mark(this.#arena);
    return true;
  }
}
