/**
 * routes — inner address to peer, by longest prefix; control writes, I/O threads read.
 *
 * Overlapping prefixes are flattened into sorted boundaries (boundaries.ts), and an index says
 * between which of them an address lies, but for a few (route-index.ts). There are two tables;
 * control fills the idle one and swaps `activeRoutes` in one store, so readers never wait
 * (memory/epochs.ts says when the idle one is nobody's any more).
 */
import type { Cidr } from "../wire/cidr.ts";
import { BOUNDARIES_MAX, Prefixes, type RouteTable, writeBoundaries } from "./boundaries.ts";
import { type Mark, mark, passed } from "./epochs.ts";
import { ENGINE, ROUTE_LEVELS } from "./layout.ts";
import { type Arena, fieldWord, wordOf } from "./region.ts";
import { ENTRY, NODE, SHAPE, writeIndex } from "./route-index.ts";

/** One prefix, and the peer that it leads to. Host bits do not count. */
export interface RouteEntry {
  readonly cidr: Cidr;
  /** `index`: into `peers`. */
  readonly owner: { readonly index: number };
}

const ACTIVE = fieldWord(ENGINE.fields.activeRoutes);

/** Entries of one table: two boundaries a prefix, one at 0, one to spare. */
const tableEntries = (arena: Arena): number => 2 * arena.limits.routes + 2;

/** Words of a key, and the regions, of each family. */
const FAMILIES = {
  4: { words: 1, keys: "routeKeys4", peers: "routePeers4", index: "routeIndex4" },
  6: { words: 4, keys: "routeKeys6", peers: "routePeers6", index: "routeIndex6" },
} as const;

const tableOf = (arena: Arena, version: 4 | 6, which: number): RouteTable => {
  const { words, keys, peers, index } = FAMILIES[version];
  const stride = tableEntries(arena);
  return {
    u32: arena.u32,
    words,
    keys: wordOf(arena, keys, 4 * words, which * stride),
    stride,
    peers: wordOf(arena, peers, 4, which * stride),
    index: wordOf(arena, index, 4, which * ROUTE_LEVELS * stride),
  };
};

/**
 * Fills the idle table and makes it the active one; of equal prefixes the last one counts. Memory
 * is touched for what is there, not for what could be. Thread: control.
 * The caller has made sure that no reader is still in the idle table: see RoutePublisher.
 * Errors: RangeError when there are more prefixes than `limits.routes`; nothing has changed then.
 */
export const publishRoutes = (arena: Arena, entries: Iterable<RouteEntry>): void => {
  const most = Math.min(arena.limits.routes, BOUNDARIES_MAX / 2 - 1);
  const four = new Prefixes(1);
  const six = new Prefixes(4);
  for (const { cidr, owner } of entries) {
    if (four.count + six.count === most) throw new RangeError(`more than ${most} prefixes`);
    (cidr.version === 4 ? four : six).add(cidr, owner.index);
  }
  const active = wordOf(arena, "engine", ENGINE.size, 0) + ACTIVE;
  const idle = 1 - Atomics.load(arena.i32, active);
  for (const [prefixes, table] of [
    [four, tableOf(arena, 4, idle)],
    [six, tableOf(arena, 6, idle)],
  ] as const) {
    writeIndex(table, writeBoundaries(prefixes, table));
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

/** The reading end. Thread: I/O; allocation-free. */
export class RouteLookup {
  readonly #u32: Uint32Array;
  readonly #i32: Int32Array;
  readonly #active: number;
  /** Words from a table to the other: keys and peers of IPv4, peers of IPv6; and of the index. */
  readonly #entries: number;
  readonly #indexWords: number;
  readonly #four: RouteTable;
  readonly #six: RouteTable;

  constructor(arena: Arena) {
    this.#u32 = arena.u32;
    this.#i32 = arena.i32;
    this.#active = wordOf(arena, "engine", ENGINE.size, 0) + ACTIVE;
    this.#entries = tableEntries(arena);
    this.#indexWords = ROUTE_LEVELS * this.#entries;
    this.#four = tableOf(arena, 4, 0);
    this.#six = tableOf(arena, 6, 0);
  }

  /**
   * Peer of an IPv4 address (host order), or -1. 32 bits, with a sign or without: with one it is
   * never boxed on its way here.
   */
  find4(bits: number): number {
    const address = bits >>> 0;
    const u32 = this.#u32;
    const active = Atomics.load(this.#i32, this.#active);
    const index = this.#four.index + active * this.#indexWords;
    let node = index;
    let low = 0;
    let high = 0;
    for (let level = 0; level <= ROUTE_LEVELS; level++) {
      low = u32[node + NODE.first]!;
      high = u32[node + NODE.last]!;
      const shape = u32[node + NODE.shape]!;
      if (shape === 0) break;
      const base = u32[node + NODE.base]!;
      const part = (address - base) >>> (shape & SHAPE.openMask);
      if (address < base) high = low;
      else if (part >= shape >>> SHAPE.partsShift) low = high;
      if (low === high) break;
      const entry = u32[node + NODE.parts + part]!;
      const count = entry & ENTRY.mask;
      low = entry >>> ENTRY.shift;
      high = low + count;
      if (count !== ENTRY.node) break;
      node = index + low * ENTRY.align;
    }
    const keys = this.#four.keys + active * this.#entries;
    while (low < high) {
      const middle = (low + high + 1) >>> 1;
      if (u32[keys + middle]! <= address) low = middle;
      else high = middle - 1;
    }
    return u32[this.#four.peers + active * this.#entries + low]! - 1;
  }

  /** Peer of an IPv6 address whose four words (host order) are at `word`, or -1. */
  find6(word: number): number {
    const u32 = this.#u32;
    const active = Atomics.load(this.#i32, this.#active);
    const index = this.#six.index + active * this.#indexWords;
    const keys = this.#six.keys + 4 * active * this.#entries;
    let node = index;
    let low = 0;
    let high = 0;
    /** Words before this one are the address's in all boundaries that are left. */
    let same = 0;
    for (let level = 0; level <= ROUTE_LEVELS; level++) {
      low = u32[node + NODE.first]!;
      high = u32[node + NODE.last]!;
      const shape = u32[node + NODE.shape]!;
      if (shape === 0) break;
      const decides = (shape >>> SHAPE.wordShift) & SHAPE.wordMask;
      const side = this.#compare(keys + low + 1, word, same, decides);
      const base = u32[node + NODE.base]!;
      const value = u32[word + decides]!;
      const part = (value - base) >>> (shape & SHAPE.openMask);
      if (side > 0 || (side === 0 && value < base)) high = low;
      else if (side < 0 || part >= shape >>> SHAPE.partsShift) low = high;
      if (low === high) break;
      same = decides;
      const entry = u32[node + NODE.parts + part]!;
      const count = entry & ENTRY.mask;
      low = entry >>> ENTRY.shift;
      high = low + count;
      if (count !== ENTRY.node) break;
      node = index + low * ENTRY.align;
    }
    while (low < high) {
      const middle = (low + high + 1) >>> 1;
      if (this.#compare(keys + middle, word, same, 4) <= 0) low = middle;
      else high = middle - 1;
    }
    return u32[this.#six.peers + active * this.#entries + low]! - 1;
  }

  /** Words `from` up to `to` of the boundary whose first word is at `key`, against the address. */
  #compare(key: number, word: number, from: number, to: number): number {
    const u32 = this.#u32;
    const stride = this.#entries;
    for (let i = from; i < to; i++) {
      const mine = u32[key + i * stride]!;
      const theirs = u32[word + i]!;
      if (mine !== theirs) return mine < theirs ? -1 : 1;
    }
    return 0;
  }
}
