/**
 * route-lookup — where inner addresses lead, by the look-up that I/O threads use. For tests and
 * benchmarks, which may have several arenas.
 */
import { addon } from "../../src/io/native/addon.ts";
import { type Arena, regionTables } from "../../src/memory/region.ts";

export class RouteLookup {
  readonly #arena: Arena;
  readonly #tables: ReturnType<typeof regionTables>;
  readonly #one = new Uint32Array(1);
  readonly #bytes = new Uint8Array(this.#one.buffer);

  constructor(arena: Arena) {
    this.#arena = arena;
    this.#tables = regionTables(arena);
  }

  /** What `count` addresses lead to, plus 1, as u32: four words each, from word `first` on. */
  findAll(version: 4 | 6, first: number, count: number, results: Uint8Array): void {
    addon.attach(this.#arena.u8, this.#tables.bases, this.#tables.counts);
    const result = addon.routesFind(version, first, count, results);
    if (result < 0) throw new Error(addon.errorText(-result));
  }

  /** What the address at `word` leads to, or -1. */
  find(version: 4 | 6, word: number): number {
    this.findAll(version, word, 1, this.#bytes);
    return this.#one[0]! - 1;
  }
}
