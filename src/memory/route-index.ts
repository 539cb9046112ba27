/**
 * route-index — where to look among sorted boundaries, so that few are left to search.
 *
 * A node stands for neighbouring boundaries and looks at one word of the address: the first one in
 * which they differ. It cuts the range that they really cover into equal parts, about one for every
 * two boundaries; a part that still holds many gets a node of its own. So prefixes may lie close
 * together (10.0.0.0/8, fd00::/8, 2000::/3) and cost no more than if they were spread.
 *
 *      node   first | last | base | shape | entry of part 0 | entry of part 1 | ...
 *      entry  boundary before the part << 12 | boundaries in the part     or
 *             place of a node / 4      << 12 | 0xfff
 *
 * A node without parts (shape 0) says: search from `first` to `last`. All memory zero is a table
 * without prefixes.
 */
import { BOUNDARIES_MAX, type RouteTable } from "./boundaries.ts";
import { ROUTE_LEVELS } from "./layout.ts";

/** Words of a node: boundary before those it stands for, the last one, where parts begin, shape. */
export const NODE = { first: 0, last: 1, base: 2, shape: 3, parts: 4 } as const;

/** Shape: parts << 7 | word << 5 | bits of the word that a part leaves open. */
export const SHAPE = { partsShift: 7, wordShift: 5, wordMask: 3, openMask: 31 } as const;

/** Entry: see above. */
export const ENTRY = { shift: 12, mask: 0xfff, node: 0xfff, align: 4 } as const;

/** More boundaries than this in a part are given a node. Tuning. */
const PART_BOUNDARIES = 16;
/**
 * Boundaries for each part of a node, at least. Tuning. With these two numbers a node of n
 * boundaries takes n / 2 + 8 words at most, which is not more than n, and every level of nodes not
 * more than there are boundaries: the region `routeIndex` holds ROUTE_LEVELS times as many.
 */
const BOUNDARIES_A_PART = 2;

/** Builds the index of one table. */
class Builder {
  readonly #table: RouteTable;
  /** Words in use. */
  #used = 0;

  constructor(table: RouteTable) {
    this.#table = table;
  }

  get used(): number {
    return this.#used;
  }

  #key(word: number, boundary: number): number {
    return this.#table.u32[this.#table.keys + word * this.#table.stride + boundary]!;
  }

  /** The first word in which the boundaries differ; `first` itself is not one of them. */
  #word(first: number, last: number): number {
    let word = 0;
    while (word < this.#table.words - 1 && this.#key(word, first + 1) === this.#key(word, last)) {
      word++;
    }
    return word;
  }

  /** Makes a node for the boundaries behind `first` up to `last`; returns its place. */
  node(first: number, last: number, level: number): number {
    const { u32, index } = this.#table;
    const place = this.#used;
    const at = index + place;
    u32[at + NODE.first] = first;
    u32[at + NODE.last] = last;
    this.#used += NODE.parts;
    const count = last - first;
    if (count <= PART_BOUNDARIES || level === ROUTE_LEVELS) {
      u32[at + NODE.base] = 0;
      u32[at + NODE.shape] = 0;
      return place;
    }
    const word = this.#word(first, last);
    const base = this.#key(word, first + 1);
    const range = this.#key(word, last) - base;
    let open = 0;
    while (range >>> open >= count / BOUNDARIES_A_PART) open++;
    const parts = (range >>> open) + 1;
    u32[at + NODE.base] = base;
    u32[at + NODE.shape] = (parts << SHAPE.partsShift) | (word << SHAPE.wordShift) | open;
    this.#used += Math.ceil(parts / ENTRY.align) * ENTRY.align;
    let before = first;
    for (let part = 0; part < parts; part++) {
      let end = before;
      while (end < last && (this.#key(word, end + 1) - base) >>> open === part) end++;
      u32[at + NODE.parts + part] = this.#entry(before, end, level);
      before = end;
    }
    return place;
  }

  #entry(before: number, end: number, level: number): number {
    const count = end - before;
    const direct = level + 1 === ROUTE_LEVELS ? ENTRY.node - 1 : PART_BOUNDARIES;
    if (count <= direct) return (before << ENTRY.shift) | count;
    const place = this.node(before, end, level + 1);
    return ((place / ENTRY.align) << ENTRY.shift) | ENTRY.node;
  }
}

/**
 * Writes the index of a table of so many boundaries; returns its words. Thread: control.
 * Errors: RangeError when an entry cannot name so many.
 */
export const writeIndex = (table: RouteTable, boundaries: number): number => {
  if (boundaries > BOUNDARIES_MAX) throw new RangeError(`${boundaries} boundaries are too many`);
  const builder = new Builder(table);
  builder.node(0, boundaries - 1, 0);
  return builder.used;
};
