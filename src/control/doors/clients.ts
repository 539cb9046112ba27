/**
 * clients — a bounded number of connections, of which those that say nothing make room.
 *
 *     enter ──▶ silent, the longest first ◀── heard ──╮
 *                   │        ▲                        │
 *                  work ─────╯ ◀── bytes came or went ╯
 *
 * When all places are taken, the client that has been silent longest goes; one that the engine is
 * at work for stays. Only when that is said of all of them is a new one sent away. Who does not
 * read what it asked for is silent too. Thread: control.
 */
import type { Socket } from "node:net";

/** Clients of one socket. */
export class Clients {
  readonly #most: number;
  readonly #farewell: string | Uint8Array;
  readonly #silent = new Set<Socket>();
  readonly #served = new Set<Socket>();

  /** `farewell`: what one is told for whom there is no place. */
  constructor(most: number, farewell: string | Uint8Array) {
    this.#most = most;
    this.#farewell = farewell;
  }

  *[Symbol.iterator](): Generator<Socket, void, undefined> {
    yield* this.#silent;
    yield* this.#served;
  }

  /** Takes a client in until it closes. False: there is no place, and it has been sent away. */
  enter(client: Socket): boolean {
    client.on("error", () => client.destroy());
    if (this.#silent.size + this.#served.size >= this.#most) {
      const [longest] = this.#silent;
      this.#sendAway(longest ?? client);
      if (longest === undefined) return false;
      this.#silent.delete(longest);
    }
    this.#silent.add(client);
    client.once("close", () => {
      this.#silent.delete(client);
      this.#served.delete(client);
    });
    return true;
  }

  /** Bytes came from it, or went to it. */
  heard(client: Socket): void {
    if (this.#silent.delete(client)) this.#silent.add(client);
  }

  /** It waits for the engine: it keeps its place until this is done. Errors: those of `act`. */
  async work<Value>(client: Socket, act: () => Promise<Value>): Promise<Value> {
    if (this.#silent.delete(client)) this.#served.add(client);
    try {
      return await act();
    } finally {
      if (this.#served.delete(client)) this.#silent.add(client);
    }
  }

  #sendAway(client: Socket): void {
    // Who has not read what was written before would not read this either.
    if (client.writableLength > 0 || !client.writable) client.destroy();
    else {
      client.write(this.#farewell);
      client.destroySoon();
    }
  }
}
