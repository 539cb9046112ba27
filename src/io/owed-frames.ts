/**
 * owed-frames — control frames that an I/O thread was told to send and has no room for: the ring is
 * full while workers hold its oldest jobs. Oldest first; each still has its entry of the frames
 * region, so there are never more than entries. Allocation-free.
 */
import { FRAMES_PER_IO } from "../memory/layout.ts";

export class OwedFrames {
  readonly #peers = new Uint32Array(FRAMES_PER_IO);
  readonly #entries = new Uint32Array(FRAMES_PER_IO);
  #first = 0;
  count = 0;

  /** Peer and entry of the oldest. */
  get peer(): number {
    return this.#peers[this.#first]!;
  }

  get entry(): number {
    return this.#entries[this.#first]!;
  }

  /** One more, which has an entry of its own. */
  add(peer: number, entry: number): void {
    const at = (this.#first + this.count) % FRAMES_PER_IO;
    this.#peers[at] = peer;
    this.#entries[at] = entry;
    this.count++;
  }

  /** The oldest is gone. */
  remove(): void {
    this.#first = (this.#first + 1) % FRAMES_PER_IO;
    this.count--;
  }
}
