/**
 * stored — what a member stores for others, on its disk: after a start it is verified anew, some at
 * a time; it is written each ten minutes when it changed, and at the end.
 *
 * What comes while it is read counts as always: of one member, the newest. Thread: control.
 */
import type { Records } from "../../directory/records.ts";
import type { Pair } from "../../wire/intro.ts";
import type { Disk } from "./store.ts";

/** Tuning: pairs of the disk that are verified at a time, and how often: a twentieth of time. */
const EACH_MAX = 8;
const EACH_MS = 50;
/** Tuning: it is looked so often whether it is to be written. */
const WRITE_MS = 600_000;

export class Stored {
  readonly #disk: Disk;
  readonly #records: Records;
  /** Of the disk, and how many of them were verified. */
  #kept: readonly Pair[];
  #loaded = 0;
  #writtenAt: number;
  dueMs: number;

  constructor(disk: Disk, records: Records, nowMs: number) {
    this.#disk = disk;
    this.#records = records;
    this.#kept = disk.readStored();
    this.#writtenAt = records.changes;
    this.dueMs = nowMs + EACH_MS;
  }

  tick(nowMs: number): void {
    if (this.#kept.length === 0) {
      this.write();
      this.dueMs = nowMs + WRITE_MS;
      return;
    }
    const some = this.#kept.slice(this.#loaded, this.#loaded + EACH_MAX);
    for (const pair of some) this.#records.put(pair, null);
    this.#loaded += EACH_MAX;
    if (this.#loaded >= this.#kept.length) this.#kept = [];
    this.dueMs = nowMs + EACH_MS;
  }

  /** If it changed; what is not verified yet would be lost. */
  write(): void {
    const { changes } = this.#records;
    if (this.#kept.length > 0 || changes === this.#writtenAt) return;
    this.#writtenAt = changes;
    this.#disk.writeStored(this.#records.pairs());
  }
}
