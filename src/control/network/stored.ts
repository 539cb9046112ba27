/**
 * stored — what a member stores for others, on its disk: after a start it is verified anew, some at
 * a time; it is written each ten minutes when it changed, and at the end.
 * See directory/kept.ts. Thread: control.
 */
import { Kept } from "../../directory/kept.ts";
import type { Records } from "../../directory/records.ts";
import type { Disk } from "./store.ts";

/** Tuning: pairs of the disk that are verified at a time, and how often: a twentieth of time. */
const EACH_MAX = 8;
const EACH_MS = 50;
/** Tuning: it is looked so often whether it is to be written. */
const WRITE_MS = 600_000;

export class Stored {
  readonly #disk: Disk;
  readonly #records: Records;
  readonly #kept: Kept;
  dueMs: number;

  constructor(disk: Disk, records: Records, nowMs: number) {
    this.#disk = disk;
    this.#records = records;
    this.#kept = new Kept(records, disk.readStored());
    this.dueMs = nowMs + EACH_MS;
  }

  tick(nowMs: number): void {
    if (this.#kept.isRead) {
      this.write();
      this.dueMs = nowMs + WRITE_MS;
      return;
    }
    this.#kept.read(EACH_MAX);
    this.dueMs = nowMs + EACH_MS;
  }

  /** If it changed. */
  write(): void {
    const changes = this.#kept.unwritten;
    if (changes === null) return;
    if (this.#disk.writeStored(this.#records.pairs())) this.#kept.wrote(changes);
  }
}
