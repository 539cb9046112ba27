/**
 * cache — members on the disk: those of the last run are verified anew, as there is room; what
 * changed is written each minute, and at the end.
 *
 * Those with a session come first: after a restart they are the first to be known, and called. The
 * file is written whole, so the more members there are, the more seldom. Thread: control.
 */
import type { Parts } from "./parts.ts";
import { idOfRecord } from "./statement.ts";
import type { KeptMember } from "./store.ts";
import type { NetworkWorld } from "./world.ts";

/** Tuning: so often at most; and so much later for each member. */
const CACHE_MS = 60_000;
const CACHE_EACH_MS = 120;
const NEVER = Number.POSITIVE_INFINITY;
const NOTHING = new Uint8Array(0);

export class Cache {
  readonly #parts: Parts;
  readonly #world: NetworkWorld;
  /** Unless given, by how many there are. */
  readonly #everyMs: number | null;
  /** Of the disk, and how many of them were given to be verified. */
  #kept: readonly KeptMember[] = [];
  #loaded = 0;
  /** When it is written; infinity: nothing changed. */
  dueMs = NEVER;

  constructor(parts: Parts, world: NetworkWorld, everyMs: number | null) {
    this.#parts = parts;
    this.#world = world;
    this.#everyMs = everyMs;
  }

  /** Takes what the disk knows. */
  open(): void {
    this.#kept = this.#parts.disk.readMembers();
    this.#load();
  }

  /** Members of the disk, as many as there is room to verify. */
  #load(): void {
    const { intake, reach } = this.#parts;
    for (; this.#loaded < this.#kept.length && intake.hasRoom; this.#loaded++) {
      const { record, certificate, place } = this.#kept[this.#loaded]!;
      const id = idOfRecord(record);
      if (id === null || !intake.take({ record, certificate }, id, "disk", null)) continue;
      if (place.length > 0) reach.remember(id, place);
    }
    if (this.#loaded >= this.#kept.length) this.#kept = [];
  }

  tick(nowMs: number): void {
    if (this.#kept.length > 0) this.#load();
    if (nowMs >= this.dueMs) this.write();
  }

  /** Something is known that the disk does not have. */
  changed(nowMs: number): void {
    if (this.dueMs !== NEVER) return;
    this.dueMs = nowMs + (this.#everyMs ?? CACHE_MS + CACHE_EACH_MS * this.#parts.members.size);
  }

  write(): void {
    this.dueMs = NEVER;
    // What is not verified yet would be lost.
    if (this.#kept.length === 0) this.#parts.disk.writeMembers(this.#keeps());
  }

  *#keeps(): Generator<KeptMember, void, undefined> {
    const { members, reach, linkOf, ownId } = this.#parts;
    for (const linked of [true, false]) {
      for (const slot of members.slots()) {
        const { id, record, certificate } = members.at(slot);
        if (id === ownId || (linkOf(slot) !== undefined) !== linked) continue;
        const handle = members.handle(slot);
        const place = (linked && handle && this.#world.endpoint(handle)) || reach.hint(id);
        yield { record, certificate, place: place ?? NOTHING };
      }
    }
  }
}
