/**
 * station — what send, receive and the loop of one I/O thread share.
 *
 * A packet's way through the thread: `send.ts` or `receive.ts` make a job, `jobs.ts` has it done,
 * and the same file that made it retires it.
 */
import { Segments } from "../crypto/segments.ts";
import { Slots } from "../memory/buffers.ts";
import { Counters } from "../memory/counters.ts";
import { FramesToSend } from "../memory/frames.ts";
import { IO, JOB } from "../memory/layout.ts";
import { Producer } from "../memory/queue.ts";
import { type Arena, type ArenaShare, doubleAt, fieldWord, wordOf } from "../memory/region.ts";
import { openRing, Poster, type Ring } from "../memory/ring.ts";
import { addon, type IoHandle, type IoOptions } from "./native/addon.ts";

/** What main gives an I/O thread. */
export interface IoTask {
  readonly share: ArenaShare;
  readonly io: IoOptions;
  /** Control's wake-up eventfd. */
  readonly controlWake: number;
  /** Where handshake messages go that came behind data; none: they are dropped. */
  readonly passOn?: number;
}

/** Word offsets of a job's fields. */
export const F = {
  kind: fieldWord(JOB.fields.kind),
  slot: fieldWord(JOB.fields.slot),
  slotGeneration: fieldWord(JOB.fields.slotGeneration),
  session: fieldWord(JOB.fields.session),
  sessionGeneration: fieldWord(JOB.fields.sessionGeneration),
  count: fieldWord(JOB.fields.count),
  ecn: fieldWord(JOB.fields.ecn),
  found: fieldWord(JOB.fields.found),
  peer: fieldWord(JOB.fields.peer),
  tunBytes: fieldWord(JOB.fields.tunBytes),
  innerVersion: fieldWord(JOB.fields.innerVersion),
  innerAddress: fieldWord(JOB.fields.innerAddress),
  segmentBytes: fieldWord(JOB.fields.segmentBytes),
  lastBytes: fieldWord(JOB.fields.lastBytes),
  source: fieldWord(JOB.fields.source),
  stale: fieldWord(JOB.fields.stale),
} as const;

/** Words of a job's first line, which is the I/O thread's. */
export const JOB_LINE_WORDS = JOB.fields.state.at >>> 2;

export interface Station {
  readonly arena: Arena;
  readonly thread: number;
  readonly io: IoHandle;
  readonly ring: Ring;
  readonly poster: Poster;
  readonly slots: Slots;
  readonly segments: Segments;
  readonly counters: Counters;
  readonly events: Events;
  readonly frames: FramesToSend;
  /** Index of this thread's clock in the f64 view. */
  readonly clock: number;
  /** Word of this thread's IO.tooLarge. */
  readonly tooLarge: number;
}

/** Events to control; one ring of its bell a turn, however many there are. */
export class Events {
  readonly #producer: Producer;
  readonly #controlWake: number;
  #pending = false;

  constructor(arena: Arena, thread: number, controlWake: number) {
    this.#producer = new Producer(arena, "events", thread);
    this.#controlWake = controlWake;
  }

  /** False: the queue is full. `addressWord`: two sockaddrs to copy, or 0; see memory/queue.ts. */
  put(
    kind: number,
    peer: number,
    session: number,
    generation: number,
    addressWord: number,
  ): boolean {
    this.#pending = true;
    return this.#producer.put(kind, peer, session, generation, addressWord);
  }

  ring(): void {
    if (!this.#pending) return;
    this.#pending = false;
    addon.eventSignal(this.#controlWake);
  }
}

export const openStation = (arena: Arena, task: IoTask): Station => {
  const { thread } = task.io;
  const ring = openRing(arena, thread);
  const io = addon.ioOpen(task.io);
  if (task.passOn !== undefined) addon.ioPassTo(io, task.passOn);
  addon.ioRingTo(io, task.controlWake);
  return {
    arena,
    thread,
    io,
    ring,
    poster: new Poster(ring),
    slots: new Slots(arena, thread),
    segments: new Segments(arena),
    counters: new Counters(arena, thread),
    events: new Events(arena, thread, task.controlWake),
    frames: new FramesToSend(arena),
    tooLarge: wordOf(arena, "ios", IO.size, thread) + fieldWord(IO.fields.tooLarge),
    clock: doubleAt(wordOf(arena, "ios", IO.size, thread), IO.fields.nowMs),
  };
};
