/**
 * thread — the I/O thread's loop.
 *
 *      wait ── commands ── receive ── send ── settle ── flush ── tell control
 *        ^                                                            │
 *        └────────────────────────────────────────────────────────────┘
 *
 * One wait (epoll) a turn; the clock is read there, once. Nothing in a turn allocates: so no time
 * is an argument or a result, since V8 boxes a number with a fraction to hand it on. Who needs the
 * time reads it from the arena.
 */
import { COMMAND, COUNT, ENGINE, IO } from "../memory/layout.ts";
import { LONE, READY } from "../memory/numbers.ts";
import { Consumer } from "../memory/queue.ts";
import { doubleAt, fieldWord, openArena, regionTables, wordOf } from "../memory/region.ts";
import { jobIndex } from "../memory/ring.ts";
import { Dispatch, Jobs } from "./jobs.ts";
import { addon, type IoHandle } from "./native/addon.ts";
import { Receive } from "./receive.ts";
import { NOBODY, Send } from "./send.ts";
import { type IoTask, openStation, type Station } from "./station.ts";

/** Runs read from the TUN in one turn, and receives: neither side waits long for the other. */
const TUN_RUNS = 8;
const RECEIVES = 4;
/** A belt: looks around this often when nothing happens. */
const IDLE_MS = 5_000;
/** The same while a worker holds jobs. */
const PENDING_MS = 100;
const COMMANDS_A_TURN = 256;

const HANDED_OVER = fieldWord(IO.fields.handedOver);
const FREE_SLOTS = fieldWord(IO.fields.freeSlots);
/** Slots that one packet may need: a received message of two runs, and one to see no other. */
const LONE_SLOTS = 3;

/** What an I/O thread tells main. */
export type IoReport =
  | { readonly type: "ready" }
  | { readonly type: "tunGone" }
  | { readonly type: "stuck"; readonly tag: number };

/**
 * Waits, writes the clock, and takes packets that come alone when jobs with slots are offered:
 * addon.ioWait, or a simulation's.
 */
export type Wait = (io: IoHandle, job: number, offered: number, timeoutMs: number) => number;

export class IoThread {
  readonly #s: Station;
  readonly #waitFor: Wait;
  readonly #jobs: Jobs;
  readonly #send: Send;
  readonly #receive: Receive;
  readonly #commands: Consumer;
  readonly #dispatch: Dispatch;
  readonly #report: (report: IoReport) => void;
  readonly #ioWord: number;
  readonly #stopWord: number;
  readonly #wake: number;
  #stuckTag = 0;
  /** Jobs at the ring's tail that have slots for what comes alone. */
  #offered = 0;

  constructor(task: IoTask, report: (report: IoReport) => void, waitFor: Wait = addon.ioWait) {
    const arena = openArena(task.share);
    const { bases, counts } = regionTables(arena);
    addon.attach(arena.u8, bases, counts);
    this.#s = openStation(arena, task);
    this.#jobs = new Jobs(this.#s);
    this.#send = new Send(this.#s, this.#jobs);
    this.#receive = new Receive(this.#s, this.#jobs, (peer) => this.#send.owe(peer));
    this.#jobs.retireWith(this.#send, this.#receive);
    this.#commands = new Consumer(arena, "commands", this.#s.thread);
    const engine = wordOf(arena, "engine", ENGINE.size, 0);
    const mode = arena.u32[engine + fieldWord(ENGINE.fields.handOver)]!;
    this.#dispatch = new Dispatch(mode, arena.limits.workers);
    this.#report = report;
    this.#waitFor = waitFor;
    this.#ioWord = wordOf(arena, "ios", IO.size, this.#s.thread);
    this.#wake = task.io.wake;
    this.#stopWord = engine + fieldWord(ENGINE.fields.stop);
  }

  /** Until main says stop, or the device is gone. */
  run(): void {
    const { i32 } = this.#s.arena;
    this.#report({ type: "ready" });
    while (Atomics.load(i32, this.#stopWord) === 0 && this.step(IDLE_MS));
    this.close();
  }

  /** One wait of `idleMs` at most, and one turn. False: the device is gone. */
  step(idleMs: number): boolean {
    const ready = this.#wait(idleMs);
    if (ready & READY.tunGone) {
      this.#report({ type: "tunGone" });
      return false;
    }
    this.#turn(ready);
    return true;
  }

  close(): void {
    addon.ioClose(this.#s.io);
  }

  /** Sleeps until something is ready: `lone()`'s result. */
  #wait(idleMs: number): number {
    const { poster, io } = this.#s;
    // Nothing under way: there is room for what is owed.
    if (poster.pending() === 0) return this.#waitAlone(this.#send.owes ? 0 : idleMs);
    const timeoutMs = poster.fallAsleep() ? PENDING_MS : 0;
    const ready = this.#isFull()
      ? addon.ioPollWake(io, timeoutMs)
      : this.#waitFor(io, 0, 0, timeoutMs);
    poster.wake();
    return Math.max(0, ready);
  }

  /**
   * Nothing is under way, so what comes may be packets that come alone: C takes them their whole
   * way and waits for more. What it read or received and is not plain waits for #goOn().
   */
  #waitAlone(idleMs: number): number {
    const { poster, ring, io } = this.#s;
    this.#offered =
      this.#send.quiet && this.#receive.has(LONE_SLOTS) ? this.#receive.offer(LONE_SLOTS) : 0;
    const result = this.#waitFor(io, jobIndex(ring, poster.tail), this.#offered, idleMs);
    return Math.max(0, result);
  }

  /**
   * No room for what the device or a socket holds: both stay ready, and asking them would never
   * sleep. Workers have the oldest jobs then, and who finishes the oldest rings.
   */
  #isFull(): boolean {
    const { poster, slots } = this.#s;
    return poster.free() === 0 || slots.free === 0 || this.#send.full;
  }

  #turn(ready: number): void {
    if (this.#s.arena.f64[this.#s.clock]! >= this.#dispatch.windowEndMs) this.#choose();
    this.#goOn(ready);
    if (ready & READY.wake) this.#obey();
    if (ready & READY.udp) {
      for (let i = 0; i < RECEIVES && this.#receive.read(); i++);
    }
    if (this.#send.owes) this.#send.release(NOBODY);
    if (ready & READY.tun) this.#send.read(TUN_RUNS);
    else this.#send.idle();
    if (this.#s.poster.pending() > 0) this.#jobs.settle();
    this.#send.flush();
    if (this.#send.stagedCount > 0) this.#send.expireStaged();
    this.#s.events.ring();
    if (this.#s.poster.pending() > 0) this.#reportStuck();
    this.#s.arena.u32[this.#ioWord + FREE_SLOTS] = this.#s.slots.free;
  }

  /** Goes on with what #waitAlone() left in the jobs that it offered. */
  #goOn(result: number): void {
    const offered = this.#offered;
    if (offered === 0) return;
    this.#offered = 0;
    if ((result >>> LONE.readShift) & LONE.readMask) {
      this.#receive.takeBack(offered, 1);
      this.#send.begin();
    } else this.#receive.begin(offered, result >>> LONE.runsShift);
  }

  /** Once in a while: who does the jobs from now on. */
  #choose(): void {
    const { counters, arena, clock } = this.#s;
    const now = arena.f64[clock]!;
    const bytes = counters.get(COUNT.tunBytes) + counters.get(COUNT.receivedBytes);
    const slept = arena.f64[doubleAt(this.#ioWord, IO.fields.sleptMs)]!;
    this.#jobs.handingOver = this.#dispatch.choose(now, bytes, slept);
    addon.ioTend(this.#s.io);
    arena.i32[this.#ioWord + HANDED_OVER] = this.#jobs.handingOver ? 1 : 0;
  }

  #obey(): void {
    let left = COMMANDS_A_TURN;
    for (; left > 0 && this.#commands.next(); left--) {
      const { kind, peer, session } = this.#commands;
      if (kind === COMMAND.keepalive) this.#send.keepalive(peer);
      else if (kind === COMMAND.release) this.#send.release(peer);
      else if (kind === COMMAND.discard) this.#discard(peer);
      else if (kind === COMMAND.greet && !this.#send.release(peer)) this.#send.keepalive(peer);
      else if (kind === COMMAND.frame) this.#send.frame(peer, session);
      else if (kind === COMMAND.sockets) addon.ioRebind(this.#s.io);
    }
    // The bell is silent now; what is left over must ring it again.
    if (left === 0) addon.eventSignal(this.#wake);
  }

  /** The peer is gone or silent. */
  #discard(peer: number): void {
    this.#send.discard(peer);
    addon.ioDisconnect(this.#s.io, peer);
  }

  #reportStuck(): void {
    const tag = this.#jobs.stuckTag();
    if (tag === 0 || tag === this.#stuckTag) return;
    this.#stuckTag = tag;
    this.#report({ type: "stuck", tag });
  }
}
