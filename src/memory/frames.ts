/**
 * frames — control frames on their way from control to the I/O thread that sends them.
 *
 *     control: fill an entry, COMMAND.frame ──▶ I/O thread: copy it into a slot, free the entry
 *
 * Each I/O thread has FRAMES_PER_IO entries. None free: the frame is not sent now, and control
 * waits until one is.
 */
import { FRAME, FRAME_BYTES, FRAMES_PER_IO, SEGMENT_OVERHEAD_BYTES, SLOT_BYTES } from "./layout.ts";
import { type Arena, fieldWord, wordOf } from "./region.ts";

const TAKEN = fieldWord(FRAME.fields.taken);
const LENGTH = fieldWord(FRAME.fields.length);
const DATAGRAM_BYTES = fieldWord(FRAME.fields.datagramBytes);

const frameWord = (arena: Arena, entry: number): number =>
  wordOf(arena, "frames", FRAME.size, entry);

/** A control frame that an I/O thread opened and handed on; see io_pass.c. */
export interface PassedFrame {
  readonly peer: number;
  readonly session: number;
  /** Of the session, when the datagram was received. */
  readonly generation: number;
  /** UDP payload of its datagram. */
  readonly datagramBytes: number;
  /** The beginning of the plaintext. */
  readonly bytes: Uint8Array;
}

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
   * Puts a frame into a free entry of an I/O thread, to become a datagram of `datagramBytes`.
   * Returns the entry's number, or -1: none is free. Errors: RangeError when it does not fit.
   */
  put(thread: number, frame: Uint8Array, datagramBytes: number): number {
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
