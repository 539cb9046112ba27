/**
 * records — what a storer keeps: of each member its newest record and its certificate, once, found
 * under every target that the certificate gives it.
 *
 *     put(pair, target) ──older? ──▶ pairs.ts ──▶ entry of the node ──▶ its targets
 *     get(target) ──▶ the best of those entries that count now
 *
 * A member can store its own record and nothing else, whatever its number of tries: so the store
 * is no larger than the number of certificates, and not above ENTRIES_MAX. An entry that has
 * expired, or whose certificate is revoked, is not given out from that moment; `sweep` makes its
 * room free. Those who belong to several networks have a store for each. Pure but for its state.
 */
import { sameBytes } from "../members/bytes.ts";
import { CERTIFICATE_FLAG, validity } from "../members/certificate.ts";
import { memberId } from "../members/member-id.ts";
import { decodePair, encodePair, type Pair, pairLength } from "../wire/intro.ts";
import type { Count } from "./counts.ts";
import type { Rank, Verdict, Verified } from "./pairs.ts";
import { type NotTaken, notTaken, outranks, type PairChecker } from "./pairs.ts";

/** Tuning: members of a network (control/network/members.ts has the same bound). */
export const ENTRIES_MAX = 65_536;
/** Tuning: members that one target leads to: gateways to one prefix. */
const SHARING_MAX = 16;

/** Tuning: entries that are looked at before somebody new is refused. */
const FULL_SWEEP = 64;

/** A member as it is stored. Units: Unix seconds, `sequence` milliseconds. */
interface Entry extends Rank {
  /** The node key. */
  readonly key: string;
  readonly id: number;
  /** Its certificate lets it store for others. */
  readonly mayStore: boolean;
  /** The pair, encoded. */
  readonly bytes: Uint8Array;
  readonly expiresS: number;
  /** When its certificate ends, under the definition of then. */
  certificateToS: number;
  readonly targets: readonly string[];
  /** Definition and list that it was looked at under. */
  generation: number;
}

/** What a target leads to. */
interface Place {
  readonly kind: number;
  readonly entries: Entry[];
}

/** `kept`: it was here already. */
export type PutOutcome = { readonly ok: true; readonly was: "taken" | "kept" } | NotTaken;

/** What was found, and how it ranks. */
export interface Found extends Rank {
  /** The pair, encoded. Borrows: as it is stored. */
  readonly bytes: Uint8Array;
}

const textOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString("latin1");

export interface RecordsOptions {
  readonly checker: PairChecker;
  readonly count: Count;
  /** Fewer, for tests. */
  readonly entriesMax?: number;
}

/** Errors: never. Thread: the owner's. */
export class Records {
  readonly #checker: PairChecker;
  readonly #count: Count;
  readonly #most: number;
  readonly #entries = new Map<string, Entry>();
  /** By number, as members are called in messages. */
  readonly #byId = new Map<number, Entry>();
  readonly #places = new Map<string, Place>();
  #changes = 0;
  #walk: Iterator<Entry> | null = null;
  #turn: Iterator<Entry> | null = null;

  constructor({ checker, count, entriesMax = ENTRIES_MAX }: RecordsOptions) {
    this.#checker = checker;
    this.#count = count;
    this.#most = entriesMax;
  }

  /** Members that are stored. */
  get size(): number {
    return this.#entries.size;
  }

  /** Grows when somebody comes, changes, or goes. */
  get changes(): number {
    return this.#changes;
  }

  /** Targets that lead to somebody. */
  get targets(): number {
    return this.#places.size;
  }

  get checker(): PairChecker {
    return this.#checker;
  }

  /** `target`: what it was offered for; null: it is ours, or from disk. Borrows: `pair`. */
  put(pair: Pair, target: Uint8Array | null): PutOutcome {
    return this.#counted(this.#put(pair, target));
  }

  /** All of a pair; what is stored as it came here was verified then. Borrows: `pair`. */
  verify(pair: Pair): Verdict<Verified> {
    const read = this.#checker.readRecord(pair.record);
    if (!read.ok) return read;
    const view = read.value;
    const held = this.#entries.get(textOf(view.nodeKey));
    const isHeld =
      held !== undefined && sameBytes(held.bytes, encodePair(pair)) && this.#counts(held);
    if (!isHeld) return this.#checker.checkRead(view, pair.certificate, null);
    const certificate = this.#checker.stillCounts(pair.certificate, held.generation)!;
    return { ok: true, value: { certificate, view } };
  }

  /** One that this store has just verified. */
  keep(verified: Verified): PutOutcome {
    const { certificate, view } = verified;
    const held = this.#entries.get(textOf(view.nodeKey));
    if (held === undefined || view.sequence > held.sequence) {
      return this.#counted(this.#place(held, verified));
    }
    const pair = { certificate: certificate.bytes, record: view.bytes };
    return this.#counted(this.#old(held, pair, view.sequence, null));
  }

  #counted(outcome: PutOutcome): PutOutcome {
    if (!outcome.ok) this.#count(outcome.reason);
    else if (outcome.was === "taken") this.#count("recordsTaken");
    return outcome;
  }

  #put({ certificate, record }: Pair, target: Uint8Array | null): PutOutcome {
    const read = this.#checker.readRecord(record);
    if (!read.ok) return read;
    const view = read.value;
    const key = textOf(view.nodeKey);
    const held = this.#entries.get(key);
    if (held !== undefined && view.sequence <= held.sequence) {
      return this.#old(held, { certificate, record }, view.sequence, target);
    }
    const checked = this.#checker.checkRead(view, certificate, target);
    return checked.ok ? this.#place(held, checked.value) : checked;
  }

  /** In place of what is held. */
  #place(held: Entry | undefined, verified: Verified): PutOutcome {
    if (held === undefined && this.#entries.size >= this.#most) this.sweep(FULL_SWEEP);
    if (held === undefined && this.#entries.size >= this.#most) {
      return notTaken("storeFull", "no more members are stored here");
    }
    if (held !== undefined) this.#remove(held);
    this.#add(textOf(verified.view.nodeKey), verified);
    return { ok: true, was: "taken" };
  }

  /** The same once more is welcome; another with its number is not. */
  #old(held: Entry, pair: Pair, sequence: number, target: Uint8Array | null): PutOutcome {
    if (sequence < held.sequence) {
      return notTaken("recordOld", "a record that is older than the one here");
    }
    const same = held.bytes.length === pairLength(pair) && sameBytes(held.bytes, encodePair(pair));
    if (!same) return notTaken("pairInvalid", "a record: it has the number of another");
    if (target !== null && !held.targets.includes(textOf(target))) {
      return notTaken("targetWrong", "its certificate does not give it that target");
    }
    return { ok: true, was: "kept" };
  }

  #add(key: string, { certificate, view }: Verified): void {
    const targets = this.#checker.targets(certificate);
    const entry: Entry = {
      key,
      id: memberId(certificate.nodeKey),
      mayStore: (certificate.flags & CERTIFICATE_FLAG.relay) !== 0,
      bytes: encodePair({ certificate: certificate.bytes, record: view.bytes }),
      sequence: view.sequence,
      expiresS: view.expiresS,
      notBeforeS: certificate.notBeforeS,
      certificateToS: validity(certificate, this.#checker.definition).toS,
      targets: targets.map(({ target }) => textOf(target)),
      generation: this.#checker.generation,
    };
    this.#changes++;
    this.#entries.set(key, entry);
    this.#byId.set(entry.id, entry);
    for (const [i, { kind }] of targets.entries()) this.#point(entry.targets[i]!, kind, entry);
  }

  /** A target leads to one more; where too many share it, the last of them goes. */
  #point(target: string, kind: number, entry: Entry): void {
    const place = this.#places.get(target);
    if (place === undefined) {
      this.#places.set(target, { kind, entries: [entry] });
      return;
    }
    place.entries.push(entry);
    if (place.entries.length <= SHARING_MAX) return;
    const last = place.entries.reduce((a, b) => (outranks(kind, a, b) ? b : a));
    place.entries.splice(place.entries.indexOf(last), 1);
  }

  #remove(entry: Entry): void {
    this.#changes++;
    this.#entries.delete(entry.key);
    if (this.#byId.get(entry.id) === entry) this.#byId.delete(entry.id);
    for (const target of entry.targets) {
      const place = this.#places.get(target);
      const at = place?.entries.indexOf(entry) ?? -1;
      if (place === undefined || at < 0) continue;
      place.entries.splice(at, 1);
      if (place.entries.length === 0) this.#places.delete(target);
    }
  }

  /** Does it count now? If not, it is gone. */
  #counts(entry: Entry): boolean {
    const { clock, generation } = this.#checker;
    const ended =
      entry.expiresS <= clock.nowMs() / 1_000 || clock.certificateS() > entry.certificateToS;
    if (!ended && (entry.generation === generation || this.#recheck(entry, generation))) {
      return true;
    }
    this.#remove(entry);
    this.#count("recordsDropped");
    return false;
  }

  #recheck(entry: Entry, generation: number): boolean {
    const { certificate: bytes } = decodePair(entry.bytes)!;
    const certificate = this.#checker.stillCounts(bytes, entry.generation);
    if (certificate === null) return false;
    entry.certificateToS = validity(certificate, this.#checker.definition).toS;
    entry.generation = generation;
    return true;
  }

  /** The newest that counts; null: none is stored. */
  get(target: Uint8Array): Found | null {
    const place = this.#places.get(textOf(target));
    if (place === undefined) return null;
    let best: Entry | null = null;
    for (const entry of [...place.entries]) {
      if (!this.#counts(entry)) continue;
      if (best === null || outranks(place.kind, entry, best)) best = entry;
    }
    return best;
  }

  /** What the member with this number showed of itself last; null: nothing that counts. */
  byId(id: number): Found | null {
    const entry = this.#byId.get(id);
    return entry !== undefined && this.#counts(entry) ? entry : null;
  }

  /** Some members that count, but for one, all in turn. Borrows: as they are stored. */
  some(most: number, but: number): Found[] {
    const found: Found[] = [];
    for (let left = Math.min(2 * most, this.size); left > 0 && found.length < most; left--) {
      this.#turn ??= this.#entries.values();
      const { value, done } = this.#turn.next();
      if (done) this.#turn = null;
      else if (value.id !== but && this.#counts(value)) found.push(value);
    }
    return found;
  }

  /** Looks at some more entries, all of them in turn, and drops those that do not count. */
  sweep(most: number): void {
    for (let i = 0; i < most; i++) {
      this.#walk ??= this.#entries.values();
      const { value, done } = this.#walk.next();
      if (done) {
        this.#walk = null;
        return;
      }
      this.#counts(value);
    }
  }

  /** Node keys of members that may store, of those that count now. */
  *storers(): Generator<Uint8Array, void, undefined> {
    for (const entry of [...this.#entries.values()]) {
      if (entry.mayStore && this.#counts(entry)) yield Buffer.from(entry.key, "latin1");
    }
  }

  /** All pairs, encoded: for the disk. Borrows: as they are stored. */
  *pairs(): Generator<Uint8Array, void, undefined> {
    for (const { bytes } of this.#entries.values()) yield bytes;
  }
}
