/**
 * io-actor — the real I/O thread, played turn by turn on virtual time.
 *
 *     frames, datagrams ── wait a moment ──▶ turn ──▶ TUN writes, datagrams, control's bell
 *
 * It runs the engine's own IoThread with its C packet path. Only its clock is ours, and when it
 * runs. Loopback may hand over late, so each turn waits until what was sent has arrived: the same
 * seed gives the same run.
 */
import { readSync, writeSync } from "node:fs";
import { addon } from "../../src/io/native/addon.ts";
import { IoThread } from "../../src/io/thread.ts";
import { Counters } from "../../src/memory/counters.ts";
import { COUNT, IO } from "../../src/memory/layout.ts";
import { type Arena, doubleAt, fieldWord, shareOf, wordOf } from "../../src/memory/region.ts";
import { setTunIndex } from "../../src/memory/underlay.ts";
import { Holdings } from "./holdings.ts";
import type { Ledger } from "./ledger.ts";
import { Moves } from "./moves.ts";
import type { Random } from "./random.ts";
import type { Schedule } from "./schedule.ts";
import type { Path, Place, Port } from "./stage.ts";

export const MTU = 1_420;
/** Stands for the device while a turn takes what comes out of the tunnel, and nothing else. */
export const LOOPBACK_INDEX = addon.linkIndex("lo");

/** Frames and datagrams that wait for a turn at most: no more fit the stand-in for a TUN. */
const INPUTS_A_TURN = 8;
/** Looks for what loopback has not handed over yet. */
const LOOKS_MAX = 10_000;
/** A thread that nothing wakes looks around this often (io/thread.ts). */
const IDLE_MS = 5_000;
/** A turn that lasts is over within this time. */
export const LASTS_MS = 50;
const FRAME_BYTES = 65_535 + 16;
const RECEIVED_BYTES = 2_048;
/** A peer gets a socket of its own by a packet or two in 100 ms. */
const BUSY_BYTES = 200;
const NOWHERE = new Uint8Array(0);

/** Who keeps an I/O actor. */
export interface Keeper {
  readonly arena: Arena;
  readonly schedule: Schedule;
  readonly random: Random;
  readonly place: Place;
  readonly ioThreads: number;
  /** False: its life is over. */
  readonly alive: () => boolean;
  /** Does it when the machine runs: later, when it sleeps. */
  readonly after: (delayMs: number, act: () => void) => void;
  readonly bootMs: () => number;
  /** Makes the addon work on our arena. */
  readonly attach: () => void;
  readonly onWritten: (frame: Buffer) => void;
  /** Owned by the taker. */
  readonly onSent: (datagram: Buffer, path: Path) => void;
  readonly onBell: () => void;
  readonly ledger: Pick<Ledger, "isSealed">;
  readonly count: (what: string, amount?: number) => void;
}

export class IoActor {
  readonly #keeper: Keeper;
  readonly #port: Port;
  readonly #io: IoThread;
  readonly #counters: Counters;
  readonly #clock: number;
  readonly #loops: number;
  readonly #datagrams: { datagram: Buffer; path: Path }[] = [];
  /** What comes out of the tunnel itself, to the port. */
  readonly #inside: { datagram: Buffer; path: Path }[] = [];
  readonly #frames: Buffer[] = [];
  readonly #frame = Buffer.alloc(FRAME_BYTES);
  readonly #bytes = new Uint8Array(32 * RECEIVED_BYTES);
  readonly #meta = new Uint8Array(32 * 64);
  readonly #holdings: Holdings;
  readonly #moves: Moves;
  /** Until it waits again, it may hold what it has seen in this turn. */
  #isInTurn = false;
  #ready = 0;
  #plannedMs = Number.POSITIVE_INFINITY;

  constructor(keeper: Keeper, thread: number) {
    const { arena, place } = keeper;
    this.#keeper = keeper;
    this.#port = place.ports[thread]!;
    this.#counters = new Counters(arena, thread);
    this.#holdings = new Holdings(arena, thread);
    this.#moves = new Moves(arena, keeper.ledger);
    const word = wordOf(arena, "ios", IO.size, thread);
    this.#clock = doubleAt(word, IO.fields.nowMs);
    this.#loops = word + fieldWord(IO.fields.loops);
    const { tun, udp, wake } = this.#port;
    const offloads = { gso: true, uso: true, tso: true, busyBytes: BUSY_BYTES };
    const io = { thread, tun, vnetHeaderBytes: 16, udp4: udp[4], udp6: udp[6], wake };
    this.#io = new IoThread(
      {
        share: shareOf(arena),
        io: { ...io, ...offloads },
        controlWake: place.controlWake,
        passOn: place.passOn[0],
      },
      () => {},
      (handle, job, offered) => {
        const ready = Math.max(0, addon.ioPoll(handle, 0));
        arena.f64[this.#clock] = keeper.bootMs();
        this.#ready = ready;
        return addon.lone(handle, job, offered, ready);
      },
    );
    this.plan(0);
  }

  /** A frame was written to its TUN queue. */
  takeFrame(frame: Buffer): void {
    this.#frames.push(frame);
    this.#planSoon();
  }

  /** A datagram came to its socket. */
  takeDatagram(datagram: Buffer, path: Path): void {
    this.#datagrams.push({ datagram, path });
    this.#planSoon();
  }

  /** A datagram came to its socket by way of the TUN device. */
  takeInside(datagram: Buffer, path: Path): void {
    this.#inside.push({ datagram, path });
    this.#planSoon();
  }

  wake(): void {
    addon.eventSignal(this.#port.wake);
    this.#planSoon();
  }

  close(): void {
    this.#keeper.attach();
    this.#io.close();
  }

  #planSoon(): void {
    this.plan(this.#keeper.random.fraction() * 2);
  }

  /** A turn within `delayMs`; an earlier one stays. */
  plan(delayMs: number): void {
    const atMs = this.#keeper.schedule.nowMs + delayMs;
    if (atMs >= this.#plannedMs) return;
    this.#plannedMs = atMs;
    this.#keeper.after(delayMs, () => {
      if (this.#plannedMs !== atMs) return;
      this.#plannedMs = Number.POSITIVE_INFINITY;
      if (this.#isInTurn) this.#planSoon();
      else this.#turn(0.1);
    });
  }

  /** A turn now, whatever others are in the middle of, unless it is in one. */
  cutIn(): void {
    if (!this.#isInTurn) this.#turn(0.5);
  }

  /** `lasts`: how likely it goes on for a while, holding what it has seen. */
  #turn(lasts: number): void {
    const { random, after, alive, attach } = this.#keeper;
    attach();
    this.#holdings.take();
    this.#isInTurn = true;
    this.#step();
    this.#holdings.checkUse();
    if (!alive()) return;
    const left = this.#frames.length + this.#datagrams.length + this.#inside.length > 0;
    this.plan(this.#ready !== 0 || left ? random.fraction() : IDLE_MS);
    if (random.chance(lasts)) after(LASTS_MS * random.fraction(), () => this.#endTurn());
    else this.#endTurn();
  }

  /** What ioPoll() does first: an even number of loops is a thread that waits. */
  #endTurn(): void {
    const { i32 } = this.#keeper.arena;
    this.#isInTurn = false;
    this.#holdings.leave();
    const loops = Atomics.load(i32, this.#loops);
    if (loops & 1) Atomics.store(i32, this.#loops, (loops + 1) | 0);
  }

  #step(): void {
    const counters = this.#counters;
    const writes = (): number => counters.get(COUNT.tunWrites) + counters.get(COUNT.tooBigTold);
    const wrote = writes();
    const sent = counters.get(COUNT.sentDatagrams);
    const received = counters.get(COUNT.receivedDatagrams);
    const inside = this.#inside.length > 0;
    // What comes out of the tunnel itself moves nobody.
    const taken = inside ? [] : this.#datagrams.slice(0, INPUTS_A_TURN);
    this.#moves.before(taken.map(({ datagram, path }) => ({ datagram, from: path.address })));
    setTunIndex(this.#keeper.arena, inside ? LOOPBACK_INDEX : 0);
    const given = inside ? this.#giveDatagrams(this.#inside) : this.#give();
    for (let looks = 0; ; looks++) {
      if (!this.#io.step(0)) throw new Error("the stand-in for a TUN device is gone");
      if (counters.get(COUNT.receivedDatagrams) - received >= given) break;
      if (looks === LOOKS_MAX) throw new Error("loopback lost a datagram");
    }
    setTunIndex(this.#keeper.arena, 0);
    const { onWritten, onBell, place, count } = this.#keeper;
    count("moves by the newest", this.#moves.after());
    for (let i = writes() - wrote; i > 0; i--) {
      const bytes = readSync(this.#port.host, this.#frame);
      onWritten(this.#frame.subarray(0, bytes));
    }
    this.#collect(counters.get(COUNT.sentDatagrams) - sent);
    if (addon.eventClear(place.controlWake) > 0) onBell();
  }

  /** Hands frames and datagrams to the kernel. Returns the number of datagrams. */
  #give(): number {
    for (const frame of this.#frames.splice(0, INPUTS_A_TURN)) writeSync(this.#port.host, frame);
    return this.#giveDatagrams(this.#datagrams);
  }

  #giveDatagrams(waiting: { datagram: Buffer; path: Path }[]): number {
    const datagrams = waiting.splice(0, INPUTS_A_TURN);
    for (const { datagram, path } of datagrams) {
      const result = addon.datagramSend(
        path.fd,
        datagram,
        this.#port.address[path.family],
        NOWHERE,
      );
      if (result < 0) throw new Error(`loopback took no datagram: ${addon.errorText(-result)}`);
    }
    return datagrams.length;
  }

  /** Takes what it sent from the paths. */
  #collect(expected: number): void {
    let missing = expected;
    for (let looks = 0; missing > 0; looks++) {
      if (looks === LOOKS_MAX) throw new Error("loopback lost a datagram");
      for (const path of this.#keeper.place.paths.flat()) {
        if (missing > 0) missing -= this.#read(path);
      }
    }
  }

  #read(path: Path): number {
    const got = Math.max(0, addon.datagramReceive(path.fd, this.#bytes, this.#meta));
    for (let i = 0; i < got; i++) {
      const length = this.#meta[64 * i]! | (this.#meta[64 * i + 1]! << 8);
      const start = i * RECEIVED_BYTES;
      this.#keeper.onSent(Buffer.from(this.#bytes.slice(start, start + length).buffer), path);
    }
    return got;
  }
}
