/**
 * kept — what a storer has on its disk: verified anew after a start, some at a time, beside what
 * comes meanwhile, of which as always the newest of a member counts. What is not verified yet would
 * be lost if the file were written. Pure.
 */
import type { Pair } from "../wire/intro.ts";
import type { Records } from "./records.ts";

export class Kept {
  readonly #records: Records;
  /** Of the disk, not verified yet; the next one last. */
  readonly #pairs: Pair[];
  #writtenAt: number;

  /** `pairs`: of the disk. */
  constructor(records: Records, pairs: readonly Pair[]) {
    this.#records = records;
    this.#pairs = [...pairs].reverse();
    this.#writtenAt = records.changes;
  }

  /** Nothing of the disk is left to be verified. */
  get isRead(): boolean {
    return this.#pairs.length === 0;
  }

  /** Verifies some more of the disk. */
  read(most: number): void {
    for (let i = 0; i < most && !this.isRead; i++) this.#records.put(this.#pairs.pop()!, null);
  }

  /** Which changes the disk does not have; null: it has all, or is not read yet. */
  get unwritten(): number | null {
    const { changes } = this.#records;
    return !this.isRead || changes === this.#writtenAt ? null : changes;
  }

  /** They are on the disk now. */
  wrote(changes: number): void {
    this.#writtenAt = changes;
  }
}
