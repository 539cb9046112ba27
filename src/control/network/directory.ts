/**
 * directory — the distributed directory as a member uses it: its own record is published there,
 * and whom nobody here knows is looked for. What it says goes through channels with storers.
 *
 *     own record ──▶ put ──▶ storers: index nodes that answer, members that store
 *     seeker ──▶ get ──▶ verified ──▶ intake, as of a stranger
 *
 * The engine comes from the world: dht-rpc, or nothing. Thread: control.
 */
import type { DirectoryCount } from "../../directory/counts.ts";
import { type Name, nameOf } from "../../directory/names.ts";
import { PairChecker } from "../../directory/pairs.ts";
import { Records } from "../../directory/records.ts";
import type { Transport } from "../../directory/sockets.ts";
import type { Pair } from "../../wire/intro.ts";
import type { Parts } from "./parts.ts";
import type { DirectoryEngine, NetworkWorld } from "./world.ts";

/** Tuning: what has changed is published when it has been so for a while. */
const PUT_MS = 2_000;
/** Tuning: a record that no storer took is published again after so long. */
const AGAIN_MS = 30_000;
const NEVER = Number.POSITIVE_INFINITY;

export interface DirectoryOptions {
  readonly parts: Parts;
  readonly world: NetworkWorld;
  /** Bytes to a storer that there is a channel with. False: there is none. Borrows: `bytes`. */
  readonly send: (name: Name, bytes: Uint8Array) => boolean;
  readonly wakeBy: (dueMs: number) => void;
}

export class Directory {
  readonly #options: DirectoryOptions;
  readonly #transport: Transport;
  readonly #store: DirectoryEngine | null;
  #storers = 0;
  #stopped = false;
  dueMs = NEVER;

  constructor(options: DirectoryOptions) {
    const { parts, world, send } = options;
    this.#options = options;
    const count = (what: DirectoryCount, many = 1): void => world.count(what, many);
    const checker = new PairChecker({
      definition: () => parts.authority.definition,
      list: () => parts.authority.revocations.list,
      clock: parts.clock,
    });
    const records = new Records({ checker, count });
    this.#transport = { send, onMessage: () => undefined };
    const name = nameOf(parts.certificate.nodeKey);
    this.#store =
      world.openDirectory?.({
        ...{ name, count, records, transport: this.#transport, isStorer: false },
        onFound: (_, pair) => this.#later(pair),
      }) ?? null;
  }

  /** There is one: somebody may be asked. */
  get isThere(): boolean {
    return this.#store !== null && this.#storers > 0;
  }

  /** Something newer came after an answer was taken. */
  #later(pair: Pair): void {
    if (!this.#stopped) this.#options.parts.intake.takeNow(pair, "directory");
  }

  /** Who stores, of those that there is a channel with. */
  setStorers(nodeKeys: readonly Uint8Array[], nowMs: number): void {
    const came = nodeKeys.length > this.#storers;
    this.#storers = nodeKeys.length;
    this.#store?.setStorers(nodeKeys.map(nameOf));
    if (came) this.#putBy(nowMs);
  }

  /** Our own record has changed. */
  changed(nowMs: number): void {
    this.#putBy(nowMs);
  }

  #putBy(nowMs: number): void {
    if (this.#store === null) return;
    this.dueMs = nowMs + PUT_MS;
    this.#options.wakeBy(this.dueMs);
  }

  tick(nowMs: number): void {
    if (nowMs < this.dueMs) return;
    this.dueMs = NEVER;
    const { statement } = this.#options.parts.ownRecord;
    if (statement === null || !this.isThere || this.#store === null) return;
    const pair = { certificate: statement.owner.bytes, record: statement.record };
    void this.#store.put(pair).then((taken) => {
      if (taken > 0 || this.#stopped) return;
      this.dueMs = Math.min(this.dueMs, this.#options.world.bootMs() + AGAIN_MS);
      this.#options.wakeBy(this.dueMs);
    });
  }

  get(target: Uint8Array): Promise<Pair | null> {
    return this.#store?.get(target) ?? Promise.resolve(null);
  }

  /** Bytes of the directory from a storer. Borrows. */
  message(nodeKey: Uint8Array, bytes: Uint8Array): void {
    this.#transport.onMessage(nameOf(nodeKey), bytes);
  }

  stop(): void {
    this.#stopped = true;
    this.dueMs = NEVER;
    void this.#store?.stop();
  }
}
