/**
 * storer — the directory at an index node: what dht-rpc says goes through channels of guests, and
 * those of them that store are the storers it knows. Pure but for dht-rpc.
 *
 *     Service ── directory(guest, bytes) ──▶ transport ──▶ dht.ts
 *     Service ── onGuest ──▶ who has which name, and who stores
 *     Service ── lookUp ──▶ our own records ── not there ──▶ the other storers
 *
 * Thread: the owner's.
 */
import { CERTIFICATE_FLAG } from "../members/certificate.ts";
import { DIRECTORY_TYPE } from "../wire/channel.ts";
import { decodePair, type Pair } from "../wire/intro.ts";
import type { Caller } from "./callers.ts";
import type { DirectoryCount } from "./counts.ts";
import { DhtStore } from "./dht.ts";
import { GuestNames } from "./guest-names.ts";
import type { Guest } from "./guests.ts";
import { nameOf } from "./names.ts";
import type { Records } from "./records.ts";
import type { ServiceCount } from "./service-counts.ts";
import type { Transport } from "./sockets.ts";
import type { Timer } from "./store.ts";

/** Tuning: storers that come and go are gathered for so long: dht-rpc is told all of them anew. */
const GATHER_MS = 200;

export interface StorerOptions {
  /** Ours. */
  readonly nodeKey: Uint8Array;
  readonly records: Records;
  /** Callers.say. */
  readonly say: (caller: Caller, bytes: Uint8Array, type: number) => boolean;
  /** Its clock is that of the channels. */
  readonly timer: Timer;
  readonly count: (what: DirectoryCount | ServiceCount, many?: number) => void;
}

export class Storer {
  readonly #options: StorerOptions;
  readonly #names = new GuestNames();
  /** Guests that store, by number. */
  readonly #storing = new Set<number>();
  #stopGather: (() => void) | null = null;
  readonly #transport: Transport;
  readonly #dht: DhtStore;

  constructor(options: StorerOptions) {
    const { nodeKey, records, say, timer, count } = options;
    this.#options = options;
    this.#transport = {
      send: (name, bytes) => {
        const guest = this.#names.byName(name);
        if (guest === undefined) return false;
        if (guest.share.outbox.take(timer.bootMs()))
          return say(guest.caller, bytes, DIRECTORY_TYPE);
        count("answerRate");
        return true;
      },
      onMessage: () => undefined,
    };
    this.#dht = new DhtStore({
      ...{ records, timer, count, transport: this.#transport, isStorer: true },
      name: nameOf(nodeKey),
      // Who asked has its answer; the next one that asks gets what came later.
      onFound: (target, pair) => records.put(pair, target),
    });
    this.#dht.setStorers([]);
  }

  /** A guest came, or has another certificate, or is gone. */
  guest(guest: Guest, here: boolean): void {
    this.#names.guest(guest, here);
    const stores = here && (guest.certificate.flags & CERTIFICATE_FLAG.relay) !== 0;
    if (stores === this.#storing.has(guest.id)) return;
    if (stores) this.#storing.add(guest.id);
    else this.#storing.delete(guest.id);
    this.#stopGather ??= this.#options.timer.after(GATHER_MS, () => {
      this.#stopGather = null;
      const storers = [...this.#names.all()].filter(([, { id }]) => this.#storing.has(id));
      this.#dht.setStorers(storers.map(([storer]) => storer));
    });
  }

  /** Bytes of the directory from a guest. False: another guest has its name. */
  directory(guest: Guest, bytes: Uint8Array): boolean {
    const name = this.#names.nameOf(guest);
    if (name === null) return false;
    this.#transport.onMessage(name, bytes);
    return true;
  }

  /** Who has this target: here, or elsewhere. */
  lookUp(target: Uint8Array, answer: (pair: Pair | null) => void): void {
    const { records } = this.#options;
    const found = records.get(target);
    if (found !== null) answer(decodePair(found.bytes));
    else if (this.#dht.reachable === 0) answer(null);
    else void this.#dht.get(target).then(answer);
  }

  stop(): Promise<void> {
    this.#stopGather?.();
    return this.#dht.stop();
  }
}
