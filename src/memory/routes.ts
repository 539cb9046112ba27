/**
 * routes — inner address to peer, by longest prefix; control writes, I/O threads read.
 *
 * Overlapping prefixes are flattened into sorted boundaries: from a boundary up to the next one,
 * one peer. A look-up is a binary search over plain words. There are two tables; control fills the
 * idle one and swaps `activeRoutes` in one store, so readers never wait (memory/epochs.ts says when
 * the idle one is nobody's any more).
 *
 *      prefixes    10.0.0.0/8 -> A, 10.1.0.0/16 -> B
 *      boundaries  0 -> none | 10.0.0.0 -> A | 10.1.0.0 -> B | 10.2.0.0 -> A | 11.0.0.0 -> none
 */
import { type Mark, mark, passed } from "./epochs.ts";
import { ENGINE } from "./layout.ts";
import { type Arena, fieldWord, wordOf } from "./region.ts";

/** One prefix. `words` are host order; IPv4 uses the first. */
export interface RouteEntry {
  readonly version: 4 | 6;
  readonly words: readonly [number, number, number, number];
  readonly prefixLength: number;
  /** Index into `peers`. */
  readonly peer: number;
}

interface Span {
  readonly start: bigint;
  /** Last address that belongs to it. */
  readonly last: bigint;
  readonly prefixLength: number;
  readonly peer: number;
}

interface Boundary {
  readonly start: bigint;
  /** Peer + 1; 0: none. */
  readonly value: number;
}

const addressBits = (version: 4 | 6): number => (version === 4 ? 32 : 128);

const toSpan = (entry: RouteEntry): Span => {
  const bits = addressBits(entry.version);
  let address = 0n;
  for (let i = 0; i < bits / 32; i++) address = (address << 32n) | BigInt(entry.words[i]! >>> 0);
  const host = (1n << BigInt(bits - entry.prefixLength)) - 1n;
  const start = address & ~host;
  return { start, last: start | host, prefixLength: entry.prefixLength, peer: entry.peer };
};

/** Flattens spans that are nested or apart (prefixes never overlap otherwise). */
const flatten = (spans: Span[], maximum: bigint): Boundary[] => {
  spans.sort((a, b) =>
    a.start === b.start ? a.prefixLength - b.prefixLength : a.start < b.start ? -1 : 1,
  );
  const boundaries: Boundary[] = [{ start: 0n, value: 0 }];
  const open: Span[] = [];
  const emit = (start: bigint, value: number): void => {
    if (boundaries.at(-1)?.start === start) boundaries.pop();
    if (boundaries.at(-1)?.value !== value || boundaries.length === 0) {
      boundaries.push({ start, value });
    }
  };
  const close = (before: bigint | null): void => {
    for (let top = open.at(-1); top && (before === null || top.last < before); top = open.at(-1)) {
      open.pop();
      const outer = open.at(-1);
      if (top.last < maximum) emit(top.last + 1n, outer ? outer.peer + 1 : 0);
    }
  };
  for (const span of spans) {
    close(span.start);
    emit(span.start, span.peer + 1);
    open.push(span);
  }
  close(null);
  return boundaries;
};

const boundariesOf = (entries: readonly RouteEntry[], version: 4 | 6): Boundary[] => {
  const spans = new Map<string, Span>();
  for (const entry of entries) {
    if (entry.version !== version) continue;
    const span = toSpan(entry);
    spans.set(`${span.start}/${span.prefixLength}`, span); // the last one of equals wins
  }
  return flatten([...spans.values()], (1n << BigInt(addressBits(version))) - 1n);
};

const ACTIVE = fieldWord(ENGINE.fields.activeRoutes);
const COUNT4 = fieldWord(ENGINE.fields.routes4);
const COUNT6 = fieldWord(ENGINE.fields.routes6);

/** Entries of one table: two boundaries a prefix, one at 0, one to spare. */
const tableEntries = (arena: Arena): number => 2 * arena.limits.routes + 2;

/**
 * Fills the idle table and makes it the active one. Thread: control.
 * The caller has made sure that no reader is still in the idle table.
 * Errors: RangeError when there are more prefixes than `limits.routes`.
 */
export const publishRoutes = (arena: Arena, entries: readonly RouteEntry[]): void => {
  if (entries.length > arena.limits.routes) {
    throw new RangeError(`${entries.length} prefixes are more than ${arena.limits.routes}`);
  }
  const { u32, i32 } = arena;
  const engine = wordOf(arena, "engine", ENGINE.size, 0);
  const idle = 1 - Atomics.load(i32, engine + ACTIVE);
  const start = idle * tableEntries(arena);
  const four = boundariesOf(entries, 4);
  const six = boundariesOf(entries, 6);
  const keys4 = wordOf(arena, "routeKeys4", 4, start);
  const peers4 = wordOf(arena, "routePeers4", 4, start);
  four.forEach((boundary, i) => {
    u32[keys4 + i] = Number(boundary.start);
    u32[peers4 + i] = boundary.value;
  });
  const keys6 = wordOf(arena, "routeKeys6", 16, start);
  const peers6 = wordOf(arena, "routePeers6", 4, start);
  six.forEach((boundary, i) => {
    for (let w = 0; w < 4; w++) {
      u32[keys6 + 4 * i + w] = Number((boundary.start >> BigInt(96 - 32 * w)) & 0xffff_ffffn);
    }
    u32[peers6 + i] = boundary.value;
  });
  u32[engine + COUNT4 + idle] = four.length;
  u32[engine + COUNT6 + idle] = six.length;
  Atomics.store(i32, engine + ACTIVE, idle);
};

/** Publishes whole tables, as soon as no reader is in the idle one. Thread: control. */
export class RoutePublisher {
  readonly #arena: Arena;
  #last: Mark | null = null;

  constructor(arena: Arena) {
    this.#arena = arena;
  }

  publish(entries: readonly RouteEntry[]): boolean {
    if (this.#last !== null && !passed(this.#arena, this.#last)) return false;
    publishRoutes(this.#arena, entries);
    this.#last = mark(this.#arena);
    return true;
  }
}

/** The reading end. Thread: I/O; allocation-free. */
export class RouteLookup {
  readonly #u32: Uint32Array;
  readonly #i32: Int32Array;
  readonly #engine: number;
  readonly #entries: number;
  readonly #keys4: number;
  readonly #peers4: number;
  readonly #keys6: number;
  readonly #peers6: number;

  constructor(arena: Arena) {
    this.#u32 = arena.u32;
    this.#i32 = arena.i32;
    this.#engine = wordOf(arena, "engine", ENGINE.size, 0);
    this.#entries = tableEntries(arena);
    this.#keys4 = wordOf(arena, "routeKeys4", 4, 0);
    this.#peers4 = wordOf(arena, "routePeers4", 4, 0);
    this.#keys6 = wordOf(arena, "routeKeys6", 16, 0);
    this.#peers6 = wordOf(arena, "routePeers6", 4, 0);
  }

  /** Peer of an IPv4 address (host order), or -1. */
  find4(address: number): number {
    const u32 = this.#u32;
    const active = Atomics.load(this.#i32, this.#engine + ACTIVE);
    const keys = this.#keys4 + active * this.#entries;
    let low = 0;
    let high = u32[this.#engine + COUNT4 + active]!;
    if (high === 0) return -1;
    while (high - low > 1) {
      const middle = (low + high) >>> 1;
      if (u32[keys + middle]! <= address) low = middle;
      else high = middle;
    }
    return u32[this.#peers4 + active * this.#entries + low]! - 1;
  }

  /** Peer of an IPv6 address whose four words (host order) are at `word`, or -1. */
  find6(word: number): number {
    const u32 = this.#u32;
    const active = Atomics.load(this.#i32, this.#engine + ACTIVE);
    const keys = this.#keys6 + 4 * active * this.#entries;
    const a = u32[word]!;
    const b = u32[word + 1]!;
    const c = u32[word + 2]!;
    const d = u32[word + 3]!;
    let low = 0;
    let high = u32[this.#engine + COUNT6 + active]!;
    if (high === 0) return -1;
    while (high - low > 1) {
      const middle = (low + high) >>> 1;
      const at = keys + 4 * middle;
      let difference = u32[at]! - a;
      if (difference === 0) difference = u32[at + 1]! - b;
      if (difference === 0) difference = u32[at + 2]! - c;
      if (difference === 0) difference = u32[at + 3]! - d;
      if (difference <= 0) low = middle;
      else high = middle;
    }
    return u32[this.#peers6 + active * this.#entries + low]! - 1;
  }
}
