/**
 * segments — a job's segments as the views that sodium-native wants, without making them anew.
 *
 * sodium-native takes whole typed arrays of the exact length, so each segment needs two views. For
 * the common size (a full packet at the tunnel's MTU) they are made once per place and kept, until
 * the MTU changes: at most slots × 64 pairs. Other sizes cost two short-lived views.
 *
 * Thread: one instance each, for workers and I/O threads alike.
 */
import {
  DATA_HEADER_BYTES,
  JOB,
  JOB_SEGMENTS,
  SEGMENT_OVERHEAD_BYTES,
  SESSION,
  SLOT_BYTES,
  TAG_BYTES,
} from "../memory/layout.ts";
import { readMtu } from "../memory/mtu.ts";
import { AEAD } from "../memory/numbers.ts";
import { type Arena, fieldWord, wordOf } from "../memory/region.ts";

const F = {
  slot: fieldWord(JOB.fields.slot),
  slotGeneration: fieldWord(JOB.fields.slotGeneration),
  session: fieldWord(JOB.fields.session),
  sessionGeneration: fieldWord(JOB.fields.sessionGeneration),
} as const;

const GENERATION = fieldWord(SESSION.fields.generation);

/** The two views of one segment. */
export interface SegmentViews {
  /** What is sealed: the padded packet. */
  readonly plain: Uint8Array;
  /** The same place with its tag. */
  readonly sealed: Uint8Array;
}

const NO_VIEWS: readonly (SegmentViews | undefined)[] = [];

export class Segments {
  readonly arena: Arena;
  readonly nonce = new Uint8Array(AEAD.nonceBytes);
  /** Segment size whose views are kept: the wire size of a full packet. */
  #keptBytes: number;
  readonly #kept: ((SegmentViews | undefined)[] | undefined)[];
  readonly #lastFirst: (SegmentViews | undefined)[];
  readonly #sendKeys: (Uint8Array | undefined)[] = [];
  readonly #receiveKeys: (Uint8Array | undefined)[] = [];
  readonly #slotsBase: number;
  readonly #sessionsBase: number;
  readonly #generationWord: number;

  constructor(arena: Arena) {
    this.arena = arena;
    this.#keptBytes = readMtu(arena) + SEGMENT_OVERHEAD_BYTES;
    this.#kept = new Array(arena.layout.count.slots).fill(undefined);
    this.#lastFirst = new Array(arena.layout.count.slots).fill(undefined);
    this.#slotsBase = arena.layout.base.slots;
    this.#sessionsBase = arena.layout.base.sessions;
    this.#generationWord = wordOf(arena, "slotGenerations", 4, 0);
  }

  /** Keeps views of the size that is full now; the old ones are of no use. Called once a job. */
  followMtu(): void {
    const bytes = readMtu(this.arena) + SEGMENT_OVERHEAD_BYTES;
    if (bytes === this.#keptBytes) return;
    this.#keptBytes = bytes;
    this.#kept.fill(undefined);
  }

  /** Byte offset in the arena of a slot. */
  slotByte(slot: number): number {
    return this.#slotsBase + slot * SLOT_BYTES;
  }

  /** Segment `i` of `bytes` in a slot whose segments are `stride` apart. */
  views(slot: number, i: number, stride: number, bytes: number): SegmentViews {
    if (bytes !== this.#keptBytes || stride !== this.#keptBytes) {
      return i === 0 ? this.#first(slot, bytes) : this.#make(slot, i, stride, bytes);
    }
    let row = this.#kept[slot] ?? NO_VIEWS;
    if (row === NO_VIEWS) {
      const made = new Array<SegmentViews | undefined>(JOB_SEGMENTS).fill(undefined);
      this.#kept[slot] = made;
      row = made;
    }
    const kept = row[i];
    if (kept !== undefined) return kept;
    const made = this.#make(slot, i, stride, bytes);
    (row as (SegmentViews | undefined)[])[i] = made;
    return made;
  }

  /** Single small packets mostly have the size of the one before: the last views are kept. */
  #first(slot: number, bytes: number): SegmentViews {
    const last = this.#lastFirst[slot];
    if (last !== undefined && last.sealed.length === bytes - DATA_HEADER_BYTES) return last;
    const made = this.#make(slot, 0, 0, bytes);
    this.#lastFirst[slot] = made;
    return made;
  }

  #make(slot: number, i: number, stride: number, bytes: number): SegmentViews {
    const start = this.slotByte(slot) + i * stride + DATA_HEADER_BYTES;
    const { buffer } = this.arena;
    const sealedBytes = bytes - DATA_HEADER_BYTES;
    return {
      plain: new Uint8Array(buffer, start, sealedBytes - TAG_BYTES),
      sealed: new Uint8Array(buffer, start, sealedBytes),
    };
  }

  /** Four zero bytes and the header's counter. Source: WireGuard paper 5.4.6. */
  setNonce(slot: number, i: number, stride: number): Uint8Array {
    const { u8 } = this.arena;
    const counter = this.slotByte(slot) + i * stride + 8;
    for (let b = 0; b < 8; b++) this.nonce[4 + b] = u8[counter + b]!;
    return this.nonce;
  }

  sendKey(session: number): Uint8Array {
    this.#sendKeys[session] ??= this.#key(session, SESSION.fields.sendKey.at);
    return this.#sendKeys[session]!;
  }

  receiveKey(session: number): Uint8Array {
    this.#receiveKeys[session] ??= this.#key(session, SESSION.fields.receiveKey.at);
    return this.#receiveKeys[session]!;
  }

  #key(session: number, at: number): Uint8Array {
    const start = this.#sessionsBase + session * SESSION.size + at;
    return new Uint8Array(this.arena.buffer, start, AEAD.keyBytes);
  }

  /** True while slot and session are those that the job at `word` was posted for. */
  fresh(word: number): boolean {
    const { u32 } = this.arena;
    const session = wordOf(this.arena, "sessions", SESSION.size, u32[word + F.session]!);
    return (
      u32[this.#generationWord + u32[word + F.slot]!] === u32[word + F.slotGeneration] &&
      Atomics.load(u32, session + GENERATION) === u32[word + F.sessionGeneration]
    );
  }
}
