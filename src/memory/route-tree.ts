/**
 * route-tree — sorted boundaries as a tree: a look-up reads two or three places of memory.
 *
 * An address is one word (IPv4) or four (IPv6). A node stands for neighbouring boundaries and looks
 * at one word of the address; its result is a next hop or a further node:
 *
 *      parts   base | shape | result before | result behind | result of part 0 | of part 1 | ...
 *      equal   result below | result above | result of equals, by the next word | up to 3 words
 *      list    up to 15 boundaries | hops, two a word
 *      search  how many | boundaries | hops, two a word
 *
 * `parts` cuts the range that the boundaries really cover into equal parts, about one for every
 * two of them, or one for each value where they stand close: so prefixes may lie close together
 * (10.0.0.0/8, fd00::/8, 2000::/3) and cost no more than if they were spread. A part in which
 * nothing is left to decide is a hop itself. `equal` stands where all boundaries have the same
 * words. In lists the words of the boundaries lie in planes: all first words, then all second ones,
 * as many as are not zero. Hop k of a list holds from its boundary k - 1 on, hop 0 below all of
 * them. `search` is a long list, where parts in parts would take too much memory.
 *
 *      result  node / 2 << 9 | boundaries of a list << 5 | planes or words - 1 << 3 | kind
 *              hop + 1 << 9 | 0
 *
 * All memory zero is a table without prefixes.
 */
import { BOUNDARIES_MAX, type Boundaries } from "./boundaries.ts";

/** A table of one family, as a word index of the arena's `u32`; its first word is a result. */
export interface RouteTable {
  readonly u32: Uint32Array;
  readonly at: number;
  /** Words that the table may take. */
  readonly words: number;
}

export const KIND = { hop: 0, list: 1, parts: 2, search: 3, equal: 4 } as const;

/** Bits of a result: see above. The place of a node in words is `result >>> placeShift`, masked. */
export const RESULT = {
  kindMask: 7,
  planesShift: 3,
  planesMask: 3,
  countShift: 5,
  countMask: 15,
  shift: 9,
  placeShift: 8,
  placeMask: ~1,
} as const;

/** Words of a `parts` node; shape is parts << 5 | bits of the word that a part leaves open. */
export const PARTS = {
  base: 0,
  shape: 1,
  before: 2,
  behind: 3,
  first: 4,
  openMask: 31,
  partsShift: 5,
} as const;

/** Words of an `equal` node. */
export const EQUAL = { below: 0, above: 1, inner: 2, first: 3 } as const;

/** Hops + 1 that lists can name: two stand in a word. */
export const ROUTE_HOPS_MAX = 0xffff;

/** Nodes start at multiples of this many words. */
const ALIGN = 2;
/** Boundaries of a list, at most; RESULT.countMask. Tuning. */
const LIST_BOUNDARIES = 15;
/** Boundaries for each part of a node, at least. Tuning. */
const BOUNDARIES_A_PART = 2;
/** Parts for each boundary, at most, where a part can be a single value. Tuning. */
const PARTS_A_BOUNDARY = 2;
/** `parts` nodes on the way to a result; what is left below is searched. Tuning. */
const PARTS_LEVELS = { 1: 3, 4: 6 } as const;
/** Nodes on the way to a result, at most. */
export const STEPS_MAX = PARTS_LEVELS[4] + 4;

/*
 * routeTableWords() is enough for any routes, of which each has two boundaries at most:
 *
 *   list     k boundaries of p planes take p * k + (k + 2) / 2 words, rounded up to two: at most
 *            2 words a boundary for one plane, 6 for four; search nodes take less
 *   parts    a node of n > 15 boundaries takes n / 2 + 4 words, rounded up: less than n * 0.82; or,
 *            once for each word of an address, 2n + 4: less than n * 2.32, then without lists for
 *            IPv4; so 4 words a boundary in three levels, 11 in six
 *   equal    6 words for more than 15 boundaries, three times at most: less than 1.2 a boundary
 *
 * That is 4.5 words a boundary for IPv4 and 18.2 for IPv6, and ROUTE_WORDS are twice that.
 */

/** Builds one table. Thread: control. */
class Builder {
  readonly #table: RouteTable;
  readonly #from: Boundaries;
  readonly #levels: number;
  #used = ALIGN;

  constructor(table: RouteTable, from: Boundaries) {
    this.#table = table;
    this.#from = from;
    this.#levels = from.width === 1 ? PARTS_LEVELS[1] : PARTS_LEVELS[4];
  }

  get used(): number {
    return this.#used;
  }

  /**
   * The result for boundaries `first` up to `end`, which agree in all words before `word`;
   * `level`: parts nodes above it.
   */
  node(word: number, first: number, end: number, level: number): number {
    const count = end - first;
    if (count === 0) return this.#hopBefore(first);
    if (count <= LIST_BOUNDARIES) return this.#list(word, first, end);
    if (this.#key(word, first) === this.#key(word, end - 1)) {
      return this.#equal(word, first, end, level);
    }
    if (level === this.#levels) return this.#search(word, first, end);
    return this.#parts(word, first, end, level);
  }

  #key(word: number, boundary: number): number {
    return this.#from.words[boundary * this.#from.width + word]!;
  }

  /** Is this boundary where a part begins, so that it holds for the whole part? */
  #isAt(word: number, boundary: number, start: number): boolean {
    return this.#key(word, boundary) === start && this.#planes(word, boundary, boundary + 1) === 1;
  }

  /** The result from the boundary before this one on. */
  #hopBefore(boundary: number): number {
    return boundary === 0 ? 0 : this.#from.hops[boundary - 1]! << RESULT.shift;
  }

  #take(words: number): number {
    const place = this.#used;
    this.#used += ALIGN * Math.ceil(words / ALIGN);
    if (this.#used > this.#table.words) throw new RangeError("a route table needs more memory");
    return place;
  }

  /** Words of the boundaries from `word` on, up to the last one that is not zero in all. */
  #planes(word: number, first: number, end: number): number {
    let planes = 1;
    for (let i = first; i < end; i++) {
      for (let w = this.#from.width - 1; w >= word + planes; w--) {
        if (this.#key(w, i) !== 0) planes = w - word + 1;
      }
    }
    return planes;
  }

  #list(word: number, first: number, end: number): number {
    const planes = this.#planes(word, first, end);
    const count = end - first;
    const place = this.#take(planes * count + (count >>> 1) + 1);
    this.#write(this.#table.at + place, { word, first, end, planes });
    const size = (count << RESULT.countShift) | ((planes - 1) << RESULT.planesShift);
    return (place << RESULT.placeShift) | size | KIND.list;
  }

  #search(word: number, first: number, end: number): number {
    const planes = this.#planes(word, first, end);
    const count = end - first;
    const place = this.#take(1 + planes * count + (count >>> 1) + 1);
    const at = this.#table.at + place;
    this.#table.u32[at] = count;
    this.#write(at + 1, { word, first, end, planes });
    return (place << RESULT.placeShift) | ((planes - 1) << RESULT.planesShift) | KIND.search;
  }

  /** The boundaries' planes, and the hops. */
  #write(
    at: number,
    { word, first, end, planes }: Readonly<Record<"word" | "first" | "end" | "planes", number>>,
  ): void {
    const { u32 } = this.#table;
    const count = end - first;
    for (let plane = 0; plane < planes; plane++) {
      for (let i = 0; i < count; i++) {
        u32[at + plane * count + i] = this.#key(word + plane, first + i);
      }
    }
    const hops = at + planes * count;
    for (let i = 0; i <= count; i += 2) {
      const low = this.#hopBefore(first + i) >>> RESULT.shift;
      const high = i === count ? 0 : this.#hopBefore(first + i + 1) >>> RESULT.shift;
      u32[hops + (i >>> 1)] = (high << 16) | low;
    }
  }

  #equal(word: number, first: number, end: number, level: number): number {
    const { u32, at } = this.#table;
    let words = 1;
    while (this.#key(word + words, first) === this.#key(word + words, end - 1)) words++;
    const place = this.#take(EQUAL.first + words);
    const node = at + place;
    for (let i = 0; i < words; i++) u32[node + EQUAL.first + i] = this.#key(word + i, first);
    u32[node + EQUAL.below] = this.#hopBefore(first);
    u32[node + EQUAL.above] = this.#hopBefore(end);
    u32[node + EQUAL.inner] = this.node(word + words, first, end, level);
    return (place << RESULT.placeShift) | ((words - 1) << RESULT.planesShift) | KIND.equal;
  }

  #parts(word: number, first: number, end: number, level: number): number {
    const { u32, at } = this.#table;
    const low = this.#key(word, first);
    const high = this.#key(word, end - 1);
    const close = high - low < (end - first) * PARTS_A_BOUNDARY;
    const most = (end - first) * (close ? PARTS_A_BOUNDARY : 1 / BOUNDARIES_A_PART);
    let open = 0;
    while ((high >>> open) - (low >>> open) + 1 > most) open++;
    const base = ((low >>> open) << open) >>> 0;
    const parts = ((high - base) >>> open) + 1;
    const place = this.#take(PARTS.first + parts);
    const node = at + place;
    u32[node + PARTS.base] = base;
    u32[node + PARTS.shape] = (parts << PARTS.partsShift) | open;
    u32[node + PARTS.before] = this.#hopBefore(first);
    u32[node + PARTS.behind] = this.#hopBefore(end);
    let begin = first;
    for (let part = 0; part < parts; part++) {
      let stop = begin;
      while (stop < end && (this.#key(word, stop) - base) >>> open === part) stop++;
      const whole = stop - begin === 1 && this.#isAt(word, begin, base + part * 2 ** open);
      u32[node + PARTS.first + part] = whole
        ? this.#hopBefore(stop)
        : this.node(word, begin, stop, level + 1);
      begin = stop;
    }
    return (place << RESULT.placeShift) | KIND.parts;
  }
}

/**
 * Writes a table of these boundaries; returns its words. Thread: control.
 * Errors: RangeError when there are too many for the table's memory, which is routeTableWords().
 */
export const writeTable = (table: RouteTable, from: Boundaries): number => {
  if (from.count > BOUNDARIES_MAX) throw new RangeError(`${from.count} boundaries are too many`);
  const builder = new Builder(table, from);
  // The first boundary, at address 0, is what holds below all others.
  table.u32[table.at] = builder.node(0, 1, from.count, 0);
  return builder.used;
};
