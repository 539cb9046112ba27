/**
 * queue — messages between one I/O thread and control: one producer, one consumer, bounded.
 *
 *    I/O thread                     control
 *    -----------------------        -----------------------
 *    Producer of events             Consumer of events
 *    Consumer of commands           Producer of commands
 *
 * A full queue refuses; the caller counts. Cursors are free-running and wrap by mask.
 */
import { MESSAGE, QUEUE, QUEUE_ENTRIES } from "./layout.ts";
import { type Arena, fieldWord, wordOf } from "./region.ts";

const MASK = QUEUE_ENTRIES - 1;
const MESSAGE_WORDS = MESSAGE.size >>> 2;
const KIND = fieldWord(MESSAGE.fields.kind);
const PEER = fieldWord(MESSAGE.fields.peer);
const SESSION = fieldWord(MESSAGE.fields.session);
const GENERATION = fieldWord(MESSAGE.fields.generation);
const ADDRESS = fieldWord(MESSAGE.fields.address);
const LOCAL = fieldWord(MESSAGE.fields.local);
/** Both addresses: they lie side by side, in a job as in a message. */
const ADDRESSES_WORDS = (MESSAGE.fields.address.bytes + MESSAGE.fields.local.bytes) >>> 2;

export type QueueKind = "events" | "commands";

interface Places {
  readonly tailWord: number;
  readonly headWord: number;
  readonly firstWord: number;
}

const places = (arena: Arena, kind: QueueKind, thread: number): Places => {
  const cursors = kind === "events" ? "eventQueues" : "commandQueues";
  const queue = wordOf(arena, cursors, QUEUE.size, thread);
  return {
    tailWord: queue + fieldWord(QUEUE.fields.tail),
    headWord: queue + fieldWord(QUEUE.fields.head),
    firstWord: wordOf(arena, kind, MESSAGE.size, thread * QUEUE_ENTRIES),
  };
};

/** The putting end. */
export class Producer {
  readonly #arena: Arena;
  readonly #places: Places;

  constructor(arena: Arena, kind: QueueKind, thread: number) {
    this.#arena = arena;
    this.#places = places(arena, kind, thread);
  }

  /**
   * Puts a message. `addressWord` is the word index of two sockaddrs side by side, an outer address
   * and the local one that it asked, or 0 for none. False: the queue is full.
   */
  put(
    kind: number,
    peer: number,
    session: number,
    generation: number,
    addressWord: number,
  ): boolean {
    const { i32, u32 } = this.#arena;
    const tail = Atomics.load(i32, this.#places.tailWord);
    if (((tail - Atomics.load(i32, this.#places.headWord)) | 0) >= QUEUE_ENTRIES) return false;
    const at = this.#places.firstWord + (tail & MASK) * MESSAGE_WORDS;
    u32[at + KIND] = kind;
    u32[at + PEER] = peer;
    u32[at + SESSION] = session;
    u32[at + GENERATION] = generation;
    for (let i = 0; i < ADDRESSES_WORDS; i++) {
      u32[at + ADDRESS + i] = addressWord === 0 ? 0 : u32[addressWord + i]!;
    }
    Atomics.store(i32, this.#places.tailWord, (tail + 1) | 0);
    return true;
  }
}

/** The taking end. Fields are valid after next() returned true, until the call after it. */
export class Consumer {
  readonly #arena: Arena;
  readonly #places: Places;
  kind = 0;
  peer = 0;
  session = 0;
  generation = 0;
  readonly address = new Uint8Array(MESSAGE.fields.address.bytes);
  readonly local = new Uint8Array(MESSAGE.fields.local.bytes);

  constructor(arena: Arena, kind: QueueKind, thread: number) {
    this.#arena = arena;
    this.#places = places(arena, kind, thread);
  }

  /** Takes the next message into the fields. False: there is none. */
  next(): boolean {
    const { i32, u32, u8 } = this.#arena;
    const head = Atomics.load(i32, this.#places.headWord);
    if (head === Atomics.load(i32, this.#places.tailWord)) return false;
    const at = this.#places.firstWord + (head & MASK) * MESSAGE_WORDS;
    this.kind = u32[at + KIND]!;
    this.peer = u32[at + PEER]!;
    this.session = u32[at + SESSION]!;
    this.generation = u32[at + GENERATION]!;
    const from = (at + ADDRESS) * 4;
    const localFrom = (at + LOCAL) * 4;
    for (let i = 0; i < this.address.length; i++) this.address[i] = u8[from + i]!;
    for (let i = 0; i < this.local.length; i++) this.local[i] = u8[localFrom + i]!;
    Atomics.store(i32, this.#places.headWord, (head + 1) | 0);
    return true;
  }
}
