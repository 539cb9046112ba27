/**
 * region — the arena: one SharedArrayBuffer, and the views through which threads reach it.
 *
 * The only file that allocates shared memory. Hot code takes a word index once (`wordOf`) and adds
 * the constants below; entries are multiples of 4 bytes, so an index is a byte offset / 4.
 */
import {
  type ArenaLayout,
  arenaLayout,
  type Field,
  type Limits,
  REGIONS,
  type RegionName,
} from "./layout.ts";

export interface Arena {
  readonly buffer: SharedArrayBuffer;
  readonly limits: Limits;
  readonly layout: ArenaLayout;
  readonly u8: Uint8Array;
  readonly i32: Int32Array;
  readonly u32: Uint32Array;
  readonly f64: Float64Array;
  /** Only for control and tests: BigInt has no place on the packet path. */
  readonly u64: BigUint64Array;
}

/** What one thread hands to another to open the same arena. */
export interface ArenaShare {
  readonly buffer: SharedArrayBuffer;
  readonly limits: Limits;
}

const views = (buffer: SharedArrayBuffer, limits: Limits): Arena => ({
  buffer,
  limits,
  layout: arenaLayout(limits),
  u8: new Uint8Array(buffer),
  i32: new Int32Array(buffer),
  u32: new Uint32Array(buffer),
  f64: new Float64Array(buffer),
  u64: new BigUint64Array(buffer),
});

/** Allocates. Thread: main, once. Errors: RangeError when the memory is not to be had. */
export const makeArena = (limits: Limits): Arena =>
  views(new SharedArrayBuffer(arenaLayout(limits).bytes), limits);

/** Opens what main allocated. Thread: any. */
export const openArena = (share: ArenaShare): Arena => views(share.buffer, share.limits);

export const shareOf = (arena: Arena): ArenaShare => ({
  buffer: arena.buffer,
  limits: arena.limits,
});

/** Word index (byte offset / 4) of entry `index` of a region. */
export const wordOf = (arena: Arena, region: RegionName, size: number, index: number): number =>
  (arena.layout.base[region] + size * index) >>> 2;

/** Word index of a field within its struct. */
export const fieldWord = (field: Field): number => field.at >>> 2;

/** Index into f64 or u64 views of a field of the entry that starts at `word`. */
export const doubleAt = (word: number, field: Field): number => (word + (field.at >>> 2)) >>> 1;

/** Offsets and entry counts of all regions, in the order that C numbers them. */
export const regionTables = (arena: Arena): { bases: Uint32Array; counts: Uint32Array } => ({
  bases: Uint32Array.from(REGIONS, (region) => arena.layout.base[region.name]),
  counts: Uint32Array.from(REGIONS, (region) => arena.layout.count[region.name]),
});
