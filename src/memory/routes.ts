/**
 * routes — inner address to peer, by longest prefix; control writes, I/O threads read.
 *
 * Overlapping prefixes are flattened into sorted boundaries (boundaries.ts), of which a tree is
 * made (route-index.ts): a look-up reads two or three places of memory. There are two tables;
 * control fills the idle one and swaps `activeRoutes` in one store, so readers never wait
 * (memory/epochs.ts says when the idle one is nobody's any more).
 */
import type { Cidr } from "../wire/cidr.ts";
import { BOUNDARIES_MAX, flatten, Prefixes } from "./boundaries.ts";
import { type Mark, mark, passed } from "./epochs.ts";
import { ENGINE, routeTableWords } from "./layout.ts";
import { type Arena, fieldWord, wordOf } from "./region.ts";
import {
  EQUAL,
  KIND,
  PARTS,
  RESULT,
  ROUTE_PEERS_MAX,
  type RouteTable,
  STEPS_MAX,
  writeTable,
} from "./route-index.ts";

/** One prefix, and the peer that it leads to. Host bits do not count. */
export interface RouteEntry {
  readonly cidr: Cidr;
  /** `index`: into `peers`. */
  readonly owner: { readonly index: number };
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
 * Errors: RangeError when there are more prefixes than `limits.routes`, or peers than a table can
 * name; nothing has changed then.
 */
export const publishRoutes = (arena: Arena, entries: Iterable<RouteEntry>): void => {
  const most = Math.min(arena.limits.routes, BOUNDARIES_MAX / 2 - 1);
  const four = new Prefixes(1);
  const six = new Prefixes(4);
  for (const { cidr, owner } of entries) {
    if (four.count + six.count === most) throw new RangeError(`more than ${most} prefixes`);
    if (owner.index >= ROUTE_PEERS_MAX) throw new RangeError(`peer ${owner.index} is too many`);
    (cidr.version === 4 ? four : six).add(cidr, owner.index);
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

/**
 * The reading end. Thread: I/O; allocation-free. It looks into the tables that were active when it
 * was made, or when `follow` was last called: that is once a turn, since an atomic load costs as
 * much as half of a look-up, and what is published in between counts from the next turn on.
 */
export class RouteLookup {
  readonly #u32: Uint32Array;
  readonly #i32: Int32Array;
  readonly #active: number;
  /** Words of the first tables, and from each to the other one of its family. */
  readonly #first4: number;
  readonly #first6: number;
  readonly #words4: number;
  readonly #words6: number;
  #table4: number;
  #table6: number;

  constructor(arena: Arena) {
    this.#u32 = arena.u32;
    this.#i32 = arena.i32;
    this.#active = wordOf(arena, "engine", ENGINE.size, 0) + ACTIVE;
    const [four, six] = [tableOf(arena, 4, 0), tableOf(arena, 6, 0)];
    this.#first4 = four.at;
    this.#first6 = six.at;
    this.#words4 = four.words;
    this.#words6 = six.words;
    this.#table4 = four.at;
    this.#table6 = six.at;
    this.follow();
  }

  /** Takes the active tables. Called in a turn (memory/epochs.ts), and good until its end. */
  follow(): void {
    const active = Atomics.load(this.#i32, this.#active);
    this.#table4 = this.#first4 + active * this.#words4;
    this.#table6 = this.#first6 + active * this.#words6;
  }

  /** Peer of the IPv4 address (host order) at `word`, or -1. */
  find4(word: number): number {
    return this.#walk(this.#table4, word);
  }

  /** Peer of an IPv6 address whose four words (host order) are at `word`, or -1. */
  find6(word: number): number {
    return this.#walk(this.#table6, word);
  }

  /**
   * From the table's first result to the peer of the address at `first`. It gets a place and no
   * address, since V8 would make an object of a number above 2^31 for a call.
   */
  #walk(table: number, first: number): number {
    const u32 = this.#u32;
    let result = u32[table]!;
    let word = first;
    let key = u32[word]!;
    for (let step = 0; step < STEPS_MAX; step++) {
      const kind = result & RESULT.kindMask;
      if (kind === KIND.peer) break;
      const node = table + ((result >>> RESULT.placeShift) & RESULT.placeMask);
      if (kind === KIND.parts) {
        const base = u32[node + PARTS.base]!;
        const shape = u32[node + PARTS.shape]!;
        // `base` is a multiple of a part, so that what lies below it is behind all parts here.
        const part = (key - base) >>> (shape & PARTS.openMask);
        if (part < shape >>> PARTS.partsShift) result = u32[node + PARTS.first + part]!;
        else result = u32[node + (key < base ? PARTS.before : PARTS.behind)]!;
      } else if (kind === KIND.equal) {
        const words = ((result >>> RESULT.planesShift) & RESULT.planesMask) + 1;
        result = u32[node + EQUAL.inner]!;
        for (let i = 0; i < words; i++) {
          const value = u32[node + EQUAL.first + i]!;
          if (key !== value) {
            result = u32[node + (key < value ? EQUAL.below : EQUAL.above)]!;
            break;
          }
          word++;
          key = u32[word]!;
        }
      } else if (kind === KIND.list) return this.#inList(node, result, word);
      else return this.#inSearch(node, result, word);
    }
    return (result >>> RESULT.shift) - 1;
  }

  #inList(list: number, result: number, word: number): number {
    const u32 = this.#u32;
    const key = u32[word]!;
    const count = (result >>> RESULT.countShift) & RESULT.countMask;
    const planes = ((result >>> RESULT.planesShift) & RESULT.planesMask) + 1;
    let place = 0;
    if (planes === 1) {
      while (place < count && u32[list + place]! <= key) place++;
    } else {
      while (place < count && u32[list + place]! < key) place++;
      while (place < count && !this.#isAbove(list + place, count, planes, word)) place++;
    }
    return this.#peer(list + planes * count, place);
  }

  #inSearch(node: number, result: number, word: number): number {
    const count = this.#u32[node]!;
    const planes = ((result >>> RESULT.planesShift) & RESULT.planesMask) + 1;
    const list = node + 1;
    let low = 0;
    let high = count;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#isAbove(list + middle, count, planes, word)) high = middle;
      else low = middle + 1;
    }
    return this.#peer(list + planes * count, low);
  }

  #peer(peers: number, place: number): number {
    return ((this.#u32[peers + (place >>> 1)]! >>> ((place & 1) << 4)) & ROUTE_PEERS_MAX) - 1;
  }

  /** Is a boundary above the address? Its planes are `stride` apart. */
  #isAbove(at: number, stride: number, planes: number, word: number): boolean {
    const u32 = this.#u32;
    for (let plane = 0; plane < planes; plane++) {
      const mine = u32[at + plane * stride]!;
      const theirs = u32[word + plane]!;
      if (mine !== theirs) return mine > theirs;
    }
    return false;
  }
}
