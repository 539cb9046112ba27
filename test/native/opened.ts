/**
 * opened — an I/O thread's end of control frames: segments that were opened go through the packet
 * path's accept(), and what it handed on to control is read.
 */
import assert from "node:assert/strict";
import { addon } from "../../src/io/native/addon.ts";
import { F } from "../../src/io/station.ts";
import { Counters } from "../../src/memory/counters.ts";
import { Arrivals, type ArrivedFrame } from "../../src/memory/frames.ts";
import { IO, SESSION } from "../../src/memory/layout.ts";
import { PeerEntries } from "../../src/memory/peers.ts";
import { doubleAt, fieldWord, makeArena, regionTables, wordOf } from "../../src/memory/region.ts";
import { jobIndex, jobWord, openRing } from "../../src/memory/ring.ts";

const HEADER_BYTES = 16;
export const OVERHEAD_BYTES = 32;
export const PEERS = 4;
export const THREADS = 3;
export const SESSION_USED = 2;
export const GENERATION = 41;
/** Where no session ends. */
const START_MS = 10_000;

export class Opened {
  readonly arena = makeArena({ ioThreads: THREADS, workers: 0, peers: PEERS, routes: 1 });
  readonly entries = new PeerEntries(this.arena);
  /** Control's. */
  readonly bell = addon.eventOpen();
  readonly counters: Counters;
  readonly #io;
  readonly #wake = addon.eventOpen();
  readonly #arrivals = new Arrivals(this.arena);
  readonly #clock: number;
  readonly #ring;
  #counter = 0;

  constructor(thread: number) {
    const { bases, counts } = regionTables(this.arena);
    addon.attach(this.arena.u8, bases, counts);
    assert(this.bell >= 0 && this.#wake >= 0);
    const base = { tun: -1, vnetHeaderBytes: 0, udp4: -1, udp6: -1, wake: this.#wake };
    const offloads = { gso: false, uso: false, tso: false, busyBytes: 0 };
    this.#io = addon.ioOpen({ thread, ...base, ...offloads });
    this.counters = new Counters(this.arena, thread);
    this.#ring = openRing(this.arena, thread);
    this.#clock = doubleAt(wordOf(this.arena, "ios", IO.size, thread), IO.fields.nowMs);
    this.ringTo(this.bell);
    this.rest(START_MS);
  }

  ringTo(fd: number): void {
    addon.ioRingTo(this.#io, fd);
  }

  close(): void {
    addon.ioClose(this.#io);
    for (const fd of [this.bell, this.#wake]) addon.close(fd);
  }

  get nowMs(): number {
    return this.arena.f64[this.#clock]!;
  }

  /** Time goes on. */
  rest(ms: number): void {
    this.arena.f64[this.#clock]! += ms;
  }

  /** The next segments have been seen already, so many of them. */
  again(segments: number): void {
    this.#counter -= segments;
  }

  /** Of a peer, opened segments of `bytes` of plaintext each, and of `last` the last one. */
  accept(plaintexts: readonly Uint8Array[], bytes: number, last = bytes, peer = 3): number {
    const { u8, u32, layout } = this.arena;
    const word = jobWord(this.#ring, 0);
    const stride = bytes + OVERHEAD_BYTES;
    for (const [i, plaintext] of plaintexts.entries()) {
      const at = layout.base.slots + i * stride;
      u8.fill(0, at, at + stride);
      new DataView(this.arena.buffer).setUint32(at + 8, this.#counter++, true);
      u8.set(plaintext, at + HEADER_BYTES);
    }
    for (const [field, value] of [
      [F.slot, 0],
      [F.peer, peer],
      [F.session, SESSION_USED],
      [F.sessionGeneration, GENERATION],
      [F.count, plaintexts.length],
      [F.segmentBytes, stride],
      [F.lastBytes, last + OVERHEAD_BYTES],
    ] as const) {
      u32[word + field] = value;
    }
    const session = wordOf(this.arena, "sessions", SESSION.size, SESSION_USED);
    u32[session + fieldWord(SESSION.fields.peer)] = peer;
    return addon.accept(this.#io, jobIndex(this.#ring, 0));
  }

  /** What control gets, and whether its bell rang for it. */
  arrived(): ArrivedFrame[] {
    const found: ArrivedFrame[] = [];
    const rang = addon.eventClear(this.bell) > 0;
    this.#arrivals.hear((frame) => found.push({ ...frame, bytes: frame.bytes.slice() }));
    assert.equal(rang, found.length > 0);
    return found;
  }
}
