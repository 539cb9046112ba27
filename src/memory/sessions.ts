/**
 * sessions — keys, counters and replay windows, and the table from receiver index to session.
 *
 * Control fills an entry, then publishes its index; it withdraws the index first, and clears the
 * entry when no I/O thread and no job can still hold it (memory/epochs.ts; security.md 2).
 */
import { RANDOM_MASK } from "../wire/receiver-index.ts";
import { SESSION } from "./layout.ts";
import { type Arena, doubleAt, fieldWord, wordOf } from "./region.ts";

export const SESSION_FIELD = {
  generation: fieldWord(SESSION.fields.generation),
  localIndex: fieldWord(SESSION.fields.localIndex),
  remoteIndex: fieldWord(SESSION.fields.remoteIndex),
  peer: fieldWord(SESSION.fields.peer),
  suite: fieldWord(SESSION.fields.suite),
  owner: fieldWord(SESSION.fields.owner),
  confirmed: fieldWord(SESSION.fields.confirmed),
} as const;

/** Word index of a session. */
export const sessionWord = (arena: Arena, session: number): number =>
  wordOf(arena, "sessions", SESSION.size, session);

/** What control knows of a session when its handshake is complete. */
export interface SessionFill {
  readonly peer: number;
  readonly localIndex: number;
  readonly remoteIndex: number;
  readonly suite: number;
  readonly initiator: boolean;
  readonly owner: number;
  readonly rejectAtMs: number;
  /** Counters from here on are not used. */
  readonly rejectAt: bigint;
  readonly sendKey: Uint8Array;
  readonly receiveKey: Uint8Array;
}

/** Control's end. Thread: control. */
export class Sessions {
  readonly #arena: Arena;
  readonly #free: number[];
  readonly #indexWord: number;

  constructor(arena: Arena) {
    this.#arena = arena;
    const count = arena.layout.count.sessions;
    this.#free = Array.from({ length: count }, (_, i) => count - 1 - i);
    this.#indexWord = wordOf(arena, "receiverIndices", 4, 0);
  }

  /** Takes an unused entry, or -1. */
  take(): number {
    return this.#free.pop() ?? -1;
  }

  /** Is this random part of a receiver index free? */
  indexFree(random: number): boolean {
    return Atomics.load(this.#arena.u32, this.#indexWord + (random & RANDOM_MASK)) === 0;
  }

  /** Writes keys and names and publishes the receiver index. The entry was taken and is clear. */
  fill(session: number, fill: SessionFill): void {
    const { u8, u32, f64 } = this.#arena;
    const word = sessionWord(this.#arena, session);
    const start = word * 4;
    u32[word + SESSION_FIELD.localIndex] = fill.localIndex;
    u32[word + SESSION_FIELD.remoteIndex] = fill.remoteIndex;
    u32[word + SESSION_FIELD.peer] = fill.peer;
    u32[word + SESSION_FIELD.suite] = fill.suite;
    u32[word + fieldWord(SESSION.fields.initiator)] = fill.initiator ? 1 : 0;
    u32[word + SESSION_FIELD.owner] = fill.owner;
    f64[doubleAt(word, SESSION.fields.rejectAtMs)] = fill.rejectAtMs;
    this.limit(session, fill.rejectAt);
    u8.set(fill.sendKey, start + SESSION.fields.sendKey.at);
    u8.set(fill.receiveKey, start + SESSION.fields.receiveKey.at);
    Atomics.add(u32, word + SESSION_FIELD.generation, 1);
    Atomics.store(u32, this.#indexWord + (fill.localIndex & RANDOM_MASK), session + 1);
  }

  /** Counters from here on are not used any more. */
  limit(session: number, rejectAt: bigint): void {
    const at = doubleAt(sessionWord(this.#arena, session), SESSION.fields.rejectAt);
    Atomics.store(this.#arena.u64, at, rejectAt);
  }

  /** Takes the receiver index away: nothing new arrives for the session. */
  withdraw(session: number): void {
    const word = sessionWord(this.#arena, session);
    const index = this.#arena.u32[word + SESSION_FIELD.localIndex]!;
    Atomics.store(this.#arena.u32, this.#indexWord + (index & RANDOM_MASK), 0);
  }

  /** Zeroes everything but the generation, and frees the entry. */
  clear(session: number): void {
    const word = sessionWord(this.#arena, session);
    Atomics.add(this.#arena.u32, word + SESSION_FIELD.generation, 1);
    this.#arena.u8.fill(0, word * 4 + 4, word * 4 + SESSION.size);
    this.#free.push(session);
  }

  generation(session: number): number {
    return Atomics.load(
      this.#arena.u32,
      sessionWord(this.#arena, session) + SESSION_FIELD.generation,
    );
  }

  /** Counters used for sealing so far. */
  sent(session: number): bigint {
    const at = doubleAt(sessionWord(this.#arena, session), SESSION.fields.sendCounter);
    return Atomics.load(this.#arena.u64, at);
  }

  /** Whose it is: an entry of the peers region. */
  peer(session: number): number {
    return this.#arena.u32[sessionWord(this.#arena, session) + SESSION_FIELD.peer]!;
  }

  /** Something authentic came in it. */
  confirmed(session: number): boolean {
    const word = sessionWord(this.#arena, session);
    return Atomics.load(this.#arena.u32, word + SESSION_FIELD.confirmed) === 1;
  }
}
