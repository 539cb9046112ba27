/**
 * members-air — what lies between nodes: latency, loss, duplicates, partitions; what it cost.
 *
 * Datagrams go to whoever has the address; what goes inside a session goes to its other end. Bytes
 * are those of IPv4, UDP and all above.
 */
import { sockaddrHost } from "../../src/wire/sockaddr.ts";
import type { Time } from "./members-time.ts";
import type { Random } from "./random.ts";

export interface Weather {
  /** 0 up to 1. */
  loss: number;
  duplicates: number;
  /** Of a way, in milliseconds: least, and most of what comes to it. */
  leastMs: number;
  mostMs: number;
  jitterMs: number;
}

/** Somebody who has an address: a node, or an index node. */
export interface Resident {
  readonly place: number;
  readonly isUp: boolean;
  /** Counts its starts: what was sent to a former one is lost. */
  readonly life: number;
  bytesIn: number;
  bytesOut: number;
  /** Borrows: both. */
  datagram(bytes: Uint8Array, from: Uint8Array): void;
}

const IP_UDP_BYTES = 28;

const keyOf = (address: Uint8Array): number => Buffer.from(address).readUInt32BE(0);

export class Air {
  readonly #time: Time;
  readonly #random: Random;
  readonly #places = new Map<number, Resident>();
  readonly weather: Weather;
  /** Which side of a partition a node is on. */
  side: (node: Resident) => number = () => 0;

  constructor(time: Time, random: Random, weather: Weather) {
    this.#time = time;
    this.#random = random;
    this.weather = weather;
  }

  /** A node has an address. */
  place(node: Resident, address: Uint8Array): void {
    this.#places.set(keyOf(address), node);
  }

  /** It has it no more. */
  leave(address: Uint8Array): void {
    this.#places.delete(keyOf(address));
  }

  at(sockaddr: Uint8Array): Resident | undefined {
    const host = sockaddrHost(sockaddr);
    return host.length === 4 ? this.#places.get(keyOf(host)) : undefined;
  }

  isConnected(a: Resident, b: Resident): boolean {
    return this.side(a) === this.side(b);
  }

  #delayMs(from: Resident, to: Resident): number {
    const { leastMs, mostMs, jitterMs } = this.weather;
    const [low, high] = from.place < to.place ? [from.place, to.place] : [to.place, from.place];
    const mixed = Math.imul(low * 0x9e3779b1 + high, 0x85ebca6b) >>> 0;
    return leastMs + (mixed / 2 ** 32) * (mostMs - leastMs) + this.#random.fraction() * jitterMs;
  }

  /** UDP payload of `bytes` goes from one node to another, and `arrive` happens there. */
  send(from: Resident, to: Resident, bytes: number, arrive: () => void): void {
    const { loss, duplicates } = this.weather;
    from.bytesOut += bytes + IP_UDP_BYTES;
    if (!this.isConnected(from, to)) return;
    if (loss > 0 && this.#random.chance(loss)) return;
    const { life } = to;
    const act = (): void => {
      if (!to.isUp || to.life !== life) return;
      to.bytesIn += bytes + IP_UDP_BYTES;
      arrive();
    };
    this.#time.after(this.#delayMs(from, to), act);
    if (duplicates > 0 && this.#random.chance(duplicates)) {
      this.#time.after(this.#delayMs(from, to), act);
    }
  }
}
