/**
 * publication — a list that somebody published here: who has acknowledged it.
 *
 * Members in session acknowledge by a frame. Of all others it is known by their next record: who
 * seals it with the secret that came with the list has got both. Thread: control.
 */
import type { Certificate } from "../../members/certificate.ts";
import type { Published } from "./authority.ts";
import type { Link } from "./links.ts";
import type { Parts } from "./parts.ts";

/** Where a publication stands. */
export interface Publication {
  readonly sequence: number;
  /** Members that have list and secret, and those that are not known to. */
  readonly acknowledged: readonly Certificate[];
  readonly missing: readonly Certificate[];
  /** Members that were told by us; they tell others. */
  readonly told: number;
}

export class Publications {
  readonly #parts: Parts;
  readonly #has = new Set<number>();
  #sequence = 0;
  /** It brought a new secret. */
  #reseals = false;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** A revocations file takes effect here at once, and goes to all in session. */
  publish(file: Uint8Array, nowMs: number): Published {
    const { authority } = this.#parts;
    const before = authority.secrets.epoch;
    this.#has.clear();
    const published = authority.publish(file, nowMs);
    this.#sequence = published.ok ? published.sequence : 0;
    this.#reseals = authority.secrets.epoch > before;
    return published;
  }

  /** A member has list and secret. */
  has(link: Link): void {
    if (this.#sequence > 0) this.#has.add(link.id);
  }

  /** Where the last one stands; null: there was none. */
  get state(): Publication | null {
    const { members, authority, ownId, links } = this.#parts;
    const { list } = authority.revocations;
    if (this.#sequence === 0 || list === null) return null;
    const acknowledged: Certificate[] = [];
    const missing: Certificate[] = [];
    for (const slot of members.slots()) {
      const { id, epoch, owner } = members.at(slot);
      const done = this.#has.has(id) || (this.#reseals && epoch >= list.epoch);
      if (id !== ownId) (done ? acknowledged : missing).push(owner);
    }
    return { sequence: this.#sequence, acknowledged, missing, told: links.size };
  }
}
