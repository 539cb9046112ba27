/**
 * directory — the distributed directory as a member uses it: its own record is published there,
 * and whom nobody here knows is looked for. Who stores for others (flag relay) serves it, too.
 *
 *     own record ──▶ put ──▶ storers: index nodes that answer, members that store
 *     seeker ──▶ get ──▶ verified ──▶ intake, as of a stranger
 *     guests (storage.ts) ──▶ message ──▶ records
 *
 * The engine comes from the world: dht-rpc, or nothing. What it says goes through channels
 * (rendezvous.ts). Thread: control.
 */
import type { DirectoryCount } from "../../directory/counts.ts";
import { type Name, nameOf } from "../../directory/names.ts";
import { PairChecker } from "../../directory/pairs.ts";
import { Records } from "../../directory/records.ts";
import type { Transport } from "../../directory/sockets.ts";
import { REPLICAS } from "../../directory/store.ts";
import type { Pair } from "../../wire/intro.ts";
import type { Parts } from "./parts.ts";
import type { DirectoryEngine, NetworkWorld } from "./world.ts";

/** Tuning: what has changed is published when it has been so for a while. */
const PUT_MS = 2_000;
/** Tuning: others store by now: all publish again, spread over so much for each member known. */
const SPREAD_MS = 10;
/**
 * Tuning: a record that not all took who should is offered again after so long, doubled each time:
 * some 15 times in the day that it counts. One that nobody took, after so long at most.
 */
const AGAIN_MS = 5_000;
const NOBODY_MS = 30_000;
/** Tuning: members that are stored: 1.5 KB each, of typical ones (bench/RESULTS.md). */
const STORED_MAX = 16_384;
const NEVER = Number.POSITIVE_INFINITY;

export interface DirectoryOptions {
  readonly parts: Parts;
  readonly world: NetworkWorld;
  /** We store for others. */
  readonly isStorer: boolean;
  /** Bytes to a storer, or to a guest. False: there is no way to it. Borrows: `bytes`. */
  readonly send: (name: Name, bytes: Uint8Array) => boolean;
  readonly wakeBy: (dueMs: number) => void;
}

export class Directory {
  readonly #options: DirectoryOptions;
  readonly #transport: Transport;
  readonly #store: DirectoryEngine | null;
  /** What we store. */
  readonly records: Records;
  #storers: ReadonlySet<Name> = new Set();
  #stopped = false;
  #againMs = AGAIN_MS;
  dueMs = NEVER;

  constructor(options: DirectoryOptions) {
    const { parts, world, isStorer, send } = options;
    this.#options = options;
    const count = (what: DirectoryCount, many = 1): void => world.count(what, many);
    const checker = new PairChecker({
      definition: () => parts.authority.definition,
      list: () => parts.authority.revocations.list,
      clock: parts.clock,
    });
    this.records = new Records({ checker, count, entriesMax: STORED_MAX });
    this.#transport = { send, onMessage: () => undefined };
    const name = nameOf(parts.certificate.nodeKey);
    const { records } = this;
    this.#store =
      world.openDirectory?.({
        ...{ name, count, records, transport: this.#transport, isStorer },
        onFound: (_, pair) => this.#later(pair),
      }) ?? null;
    // Others may ask before there is anybody whom we could ask.
    if (isStorer) this.#store?.setStorers([]);
  }

  /** There is one: somebody may be asked, if only ourselves. */
  get isThere(): boolean {
    return this.#store !== null && (this.#options.isStorer || this.#storers.size > 0);
  }

  /** Others that store, as far as is known. */
  get storers(): number {
    return this.#storers.size;
  }

  /** Something newer came after an answer was taken. */
  #later(pair: Pair): void {
    if (!this.#stopped) this.#options.parts.intake.takeNow(pair, "directory");
  }

  /** Who stores, but for ourselves: index nodes that answer, and members. */
  setStorers(names: Iterable<Name>, nowMs: number): void {
    if (this.#stopped) return;
    const before = this.#storers;
    this.#storers = new Set(names);
    this.#store?.setStorers(this.#storers);
    const came = [...this.#storers].some((name) => !before.has(name));
    if (came) this.#changed(nowMs + PUT_MS + this.#spreadMs());
  }

  /** Our own record has changed. */
  changed(nowMs: number): void {
    this.#changed(nowMs + PUT_MS);
  }

  #changed(dueMs: number): void {
    this.#againMs = AGAIN_MS;
    this.#putBy(dueMs);
  }

  #spreadMs(): number {
    const { world, parts } = this.#options;
    return world.random() * SPREAD_MS * parts.members.size;
  }

  #putBy(dueMs: number): void {
    if (this.#store === null) return;
    this.dueMs = dueMs;
    this.#options.wakeBy(dueMs);
  }

  tick(nowMs: number): void {
    if (nowMs < this.dueMs) return;
    this.dueMs = NEVER;
    const { statement } = this.#options.parts.ownRecord;
    if (statement === null || !this.isThere || this.#store === null) return;
    const pair = { certificate: statement.owner.bytes, record: statement.record };
    void this.#store.put(pair).then((taken) => this.#published(taken));
  }

  /** Who was not there, or has no room, may be back, or have it, later. */
  #published(taken: number): void {
    const { world } = this.#options;
    if (this.#stopped || this.#storers.size === 0) return;
    world.count(taken > 0 ? "published" : "unpublished", 1);
    if (taken >= Math.min(REPLICAS, this.#storers.size)) return;
    const delayMs = taken > 0 ? this.#againMs : Math.min(this.#againMs, NOBODY_MS);
    this.#againMs *= 2;
    this.#putBy(Math.min(this.dueMs, world.bootMs() + delayMs + this.#spreadMs()));
  }

  get(target: Uint8Array): Promise<Pair | null> {
    return this.#store?.get(target) ?? Promise.resolve(null);
  }

  /** Bytes of the directory from a storer, or a guest. Borrows. */
  message(name: Name, bytes: Uint8Array): void {
    this.#transport.onMessage(name, bytes);
  }

  stop(): void {
    this.#stopped = true;
    this.dueMs = NEVER;
    void this.#store?.stop();
  }
}
