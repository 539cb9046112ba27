/**
 * frames — control frames between control and the I/O threads, both ways.
 *
 *     control: fill an entry, COMMAND.frame ──▶ I/O thread: copy it into a slot, free the entry
 *     I/O thread: opened, within its peer's budget ──▶ arrivals, a ring ──▶ control
 *
 * To be sent: each I/O thread has FRAMES_PER_IO entries. None free: the frame is not sent now, and
 * control waits until one is.
 *
 * Arrived: each I/O thread has a ring of ARRIVALS_PER_IO frames, which C fills (io_pass.c), ringing
 * control's bell. Full: the frame is dropped and counted.
 */
import {
  ARRIVAL,
  ARRIVALS_PER_IO,
  FRAME,
  FRAME_BYTES,
  FRAMES_PER_IO,
  QUEUE,
  SEGMENT_OVERHEAD_BYTES,
  SLOT_BYTES,
} from "./layout.ts";
import { PEER_FIELD, peerWord } from "./peers.ts";
import { type Arena, fieldWord, wordOf } from "./region.ts";

const TAKEN = fieldWord(FRAME.fields.taken);
const LENGTH = fieldWord(FRAME.fields.length);
const DATAGRAM_BYTES = fieldWord(FRAME.fields.datagramBytes);
const PEER_GENERATION = fieldWord(FRAME.fields.peerGeneration);

const frameWord = (arena: Arena, entry: number): number =>
  wordOf(arena, "frames", FRAME.size, entry);

const peerGeneration = (arena: Arena, peer: number): number =>
  Atomics.load(arena.u32, peerWord(arena, peer) + PEER_FIELD.generation);

/** Control's end. Thread: control. */
export class FrameEntries {
  readonly #arena: Arena;
  /** Where to begin to look, for each I/O thread. */
  readonly #next: Uint32Array;

  constructor(arena: Arena) {
    this.#arena = arena;
    this.#next = new Uint32Array(arena.limits.ioThreads);
  }

  /**
   * Puts a frame for a peer into a free entry of an I/O thread, to become a datagram of
   * `datagramBytes`. Returns the entry's number, or -1: none is free. Errors: RangeError when it
   * does not fit.
   */
  put(thread: number, peer: number, frame: Uint8Array, datagramBytes: number): number {
    const least = SEGMENT_OVERHEAD_BYTES + frame.length;
    if (frame.length > FRAME_BYTES || datagramBytes < least || datagramBytes > SLOT_BYTES) {
      throw new RangeError(`no frame of ${frame.length} bytes in ${datagramBytes}`);
    }
    const { u8, u32, i32 } = this.#arena;
    for (let step = 0; step < FRAMES_PER_IO; step++) {
      const i = (this.#next[thread]! + step) % FRAMES_PER_IO;
      const entry = thread * FRAMES_PER_IO + i;
      const word = frameWord(this.#arena, entry);
      if (Atomics.load(i32, word + TAKEN) !== 0) continue;
      u32[word + LENGTH] = frame.length;
      u32[word + DATAGRAM_BYTES] = datagramBytes;
      u32[word + PEER_GENERATION] = peerGeneration(this.#arena, peer);
      u8.set(frame, word * 4 + FRAME.fields.content.at);
      Atomics.store(i32, word + TAKEN, 1);
      this.#next[thread] = i + 1;
      return entry;
    }
    return -1;
  }

  /** Has an I/O thread a free entry? */
  hasRoom(thread: number): boolean {
    for (let step = 0; step < FRAMES_PER_IO; step++) {
      const i = (this.#next[thread]! + step) % FRAMES_PER_IO;
      const word = frameWord(this.#arena, thread * FRAMES_PER_IO + i);
      if (Atomics.load(this.#arena.i32, word + TAKEN) === 0) return true;
    }
    return false;
  }

  /** Frees an entry that no I/O thread was told of. */
  giveBack(entry: number): void {
    Atomics.store(this.#arena.i32, frameWord(this.#arena, entry) + TAKEN, 0);
  }
}

/** An I/O thread's end; allocation-free. */
export class FramesToSend {
  readonly #arena: Arena;

  constructor(arena: Arena) {
    this.#arena = arena;
  }

  /** UDP payload that the frame becomes. */
  datagramBytes(entry: number): number {
    return this.#arena.u32[frameWord(this.#arena, entry) + DATAGRAM_BYTES]!;
  }

  /** Is it for the peer that has the entry of `peers` now? */
  isFor(entry: number, peer: number): boolean {
    const word = frameWord(this.#arena, entry);
    return this.#arena.u32[word + PEER_GENERATION] === peerGeneration(this.#arena, peer);
  }

  /** Copies the frame to a byte of the arena. */
  copy(entry: number, toByte: number): void {
    const word = frameWord(this.#arena, entry);
    const from = word * 4 + FRAME.fields.content.at;
    this.#arena.u8.copyWithin(toByte, from, from + this.#arena.u32[word + LENGTH]!);
  }

  /** Frees the entry. */
  give(entry: number): void {
    Atomics.store(this.#arena.i32, frameWord(this.#arena, entry) + TAKEN, 0);
  }
}

/** A control frame that an I/O thread opened. */
export interface ArrivedFrame {
  readonly peer: number;
  readonly session: number;
  /** Of the session, when the datagram was received. */
  readonly generation: number;
  /** UDP payload of its datagram. */
  readonly datagramBytes: number;
  /** Header and body. */
  readonly bytes: Uint8Array;
}

const ARRIVAL_MASK = ARRIVALS_PER_IO - 1;
const FROM = {
  peer: fieldWord(ARRIVAL.fields.peer),
  session: fieldWord(ARRIVAL.fields.session),
  generation: fieldWord(ARRIVAL.fields.generation),
  datagramBytes: fieldWord(ARRIVAL.fields.datagramBytes),
  length: fieldWord(ARRIVAL.fields.length),
  content: ARRIVAL.fields.content.at,
} as const;

/** Control's end of the rings of frames that arrived. Thread: control. */
export class Arrivals {
  readonly #arena: Arena;
  readonly #frame = new Uint8Array(FRAME_BYTES);

  constructor(arena: Arena) {
    this.#arena = arena;
  }

  /**
   * Gives what waits now to `onFrame`, which borrows it, and frees its places: a ring's worth of
   * each I/O thread at most. For what comes after that, control's bell is rung again.
   */
  hear(onFrame: (frame: ArrivedFrame) => void): void {
    const { limits, i32 } = this.#arena;
    for (let thread = 0; thread < limits.ioThreads; thread++) {
      const queue = wordOf(this.#arena, "arrivalQueues", QUEUE.size, thread);
      const headWord = queue + fieldWord(QUEUE.fields.head);
      const tail = Atomics.load(i32, queue + fieldWord(QUEUE.fields.tail));
      let head = Atomics.load(i32, headWord);
      for (let left = ARRIVALS_PER_IO; left > 0 && head !== tail; left--) {
        const frame = this.#read(thread * ARRIVALS_PER_IO + (head & ARRIVAL_MASK));
        head = (head + 1) | 0;
        Atomics.store(i32, headWord, head);
        onFrame(frame);
      }
    }
  }

  /** A copy, so that its place is free when it is looked at. */
  #read(entry: number): ArrivedFrame {
    const { u8, u32 } = this.#arena;
    const word = wordOf(this.#arena, "arrivals", ARRIVAL.size, entry);
    const length = Math.min(u32[word + FROM.length]!, FRAME_BYTES);
    const from = word * 4 + FROM.content;
    this.#frame.set(u8.subarray(from, from + length));
    return {
      peer: u32[word + FROM.peer]!,
      session: u32[word + FROM.session]!,
      generation: u32[word + FROM.generation]!,
      datagramBytes: u32[word + FROM.datagramBytes]!,
      bytes: this.#frame.subarray(0, length),
    };
  }
}
