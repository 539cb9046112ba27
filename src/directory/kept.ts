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

  /** Is there something to write? From then on it counts as written. */
  takeChanges(): boolean {
    const { changes } = this.#records;
    if (!this.isRead || changes === this.#writtenAt) return false;
    this.#writtenAt = changes;
    return true;
  }
}
