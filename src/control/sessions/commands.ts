/**
 * commands — what control tells I/O threads, each in the order in which it was said.
 *
 * A queue holds QUEUE_ENTRIES. One step of control may say more (all peers of a large device are
 * forgotten, or are due for a keepalive): the rest waits here and goes as the thread takes, since
 * a thread that is not told of new sockets stays deaf. Thread: control.
 */
import type { Counters } from "../../memory/counters.ts";
import { COMMAND, DROP, PEERS_MAX } from "../../memory/layout.ts";
import { Producer } from "../../memory/queue.ts";
import type { Arena } from "../../memory/region.ts";

/** Tuning: most commands that wait for one thread; four for each peer of a full device. */
export const WAITING_MAX = 4 * PEERS_MAX;

interface Waiting {
  readonly kind: number;
  readonly peer: number;
  readonly entry: number;
}

/** To one I/O thread. */
class Line {
  readonly #producer: Producer;
  readonly #waiting: Waiting[] = [];
  #first = 0;

  constructor(arena: Arena, thread: number) {
    this.#producer = new Producer(arena, "commands", thread);
  }

  get empty(): boolean {
    return this.#first === this.#waiting.length;
  }

  /** False: too many wait already. */
  put(kind: number, peer: number, entry: number): boolean {
    if (this.empty && this.#producer.put(kind, peer, entry, 0, 0)) return true;
    if (this.#waiting.length - this.#first >= WAITING_MAX) return false;
    this.#waiting.push({ kind, peer, entry });
    return true;
  }

  /** Hands over what fits. True: something was. */
  flush(): boolean {
    const before = this.#first;
    while (!this.empty) {
      const { kind, peer, entry } = this.#waiting[this.#first]!;
      if (!this.#producer.put(kind, peer, entry, 0, 0)) break;
      this.#first++;
    }
    const moved = this.#first > before;
    // Each entry is moved once: at least as many have gone as stay.
    if (2 * this.#first >= this.#waiting.length) {
      this.#waiting.splice(0, this.#first);
      this.#first = 0;
    }
    return moved;
  }
}

export class Commands {
  readonly #lines: readonly Line[];
  readonly #counters: Counters;
  readonly #signal: (thread: number) => void;

  /** `signal` rings a thread's bell. */
  constructor(arena: Arena, counters: Counters, signal: (thread: number) => void) {
    const threads = Array.from({ length: arena.limits.ioThreads }, (_, thread) => thread);
    this.#lines = threads.map((thread) => new Line(arena, thread));
    this.#counters = counters;
    this.#signal = signal;
  }

  /**
   * Tells one thread. `peer`: index, 0 where the command is about none; `entry`: of the frames
   * region, for COMMAND.frame. False: too many wait already.
   */
  put(thread: number, kind: number, peer: number, entry = 0): boolean {
    const told = this.#lines[thread]!.put(kind, peer, entry);
    if (!told) this.#counters.add(DROP.queueFull, 1);
    this.#signal(thread);
    return told;
  }

  /** Tells every thread. */
  broadcast(kind: number): void {
    for (const thread of this.#lines.keys()) this.put(thread, kind, 0);
  }

  /** Tells a peer's I/O thread, and the others what concerns packets that wait there. */
  tell(owner: number, kind: number, peer: number): void {
    for (const thread of this.#lines.keys()) {
      const own = thread === owner;
      if (!own && kind === COMMAND.keepalive) continue;
      this.put(thread, !own && kind === COMMAND.greet ? COMMAND.release : kind, peer);
    }
  }

  /** Hands over what waits, as far as there is room. False: some still waits; call again soon. */
  flush(): boolean {
    let empty = true;
    for (const [thread, line] of this.#lines.entries()) {
      if (line.flush()) this.#signal(thread);
      if (!line.empty) empty = false;
    }
    return empty;
  }
}
