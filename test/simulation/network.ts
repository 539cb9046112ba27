/**
 * network — what lies between the machines: it loses, delays, reorders, doubles and damages
 * datagrams, keeps some and brings them again much later, and moves machines to other addresses.
 */
import { Violation } from "./ledger.ts";
import type { Random } from "./random.ts";
import type { Schedule } from "./schedule.ts";
import { type Path, type Place, WAYS } from "./stage.ts";

/** How a link treats datagrams, one way. */
export interface Weather {
  /** Probabilities of a datagram. */
  readonly loss: number;
  readonly twice: number;
  readonly damage: number;
  /** Milliseconds; each datagram takes from `delayMs` up to `delayMs + spreadMs`. */
  readonly delayMs: number;
  readonly spreadMs: number;
}

export const CALM: Weather = { loss: 0, twice: 0, damage: 0, delayMs: 10, spreadMs: 20 };

interface Link {
  weather: Weather;
  /** The way on which the receiver hears the sender: the sender's address, as it sees it. */
  shown: number;
  /** Ways on which the sender reaches the receiver besides the one that the receiver shows. */
  readonly alive: boolean[];
}

/** A datagram that was seen, to be brought again. */
interface Kept {
  readonly from: number;
  readonly to: number;
  readonly datagram: Buffer;
}

/** Datagrams kept of those seen. */
const KEPT_MAX = 256;

/** Where datagrams go. */
export interface Receiver {
  /** A datagram arrives from a path's address. */
  arrive(datagram: Buffer, path: Path): void;
  /** The same, but out of its own tunnel: a peer has put it into an inner packet to its port. */
  arriveInside(datagram: Buffer, path: Path): void;
}

export class Network {
  readonly #schedule: Schedule;
  readonly #random: Random;
  /** For what is to change nothing. */
  readonly #inner: Random;
  readonly #places: readonly Place[];
  readonly #links: Link[][];
  readonly #kept: Kept[] = [];
  readonly #count: (what: string) => void;
  readonly #receivers: Receiver[] = [];

  constructor(options: {
    readonly schedule: Schedule;
    readonly random: Random;
    readonly inner: Random;
    readonly places: readonly Place[];
    readonly count: (what: string) => void;
  }) {
    this.#schedule = options.schedule;
    this.#random = options.random;
    this.#inner = options.inner;
    this.#places = options.places;
    this.#count = options.count;
    this.#links = options.places.map(() =>
      options.places.map(() => ({ weather: CALM, shown: 0, alive: WAYS.map(() => true) })),
    );
  }

  join(receiver: Receiver): void {
    this.#receivers.push(receiver);
  }

  /** The path by which `from` reaches `to` at the address that `to` shows now. */
  pathTo(from: number, to: number): Path {
    return this.#places[from]!.paths[to]![this.#links[to]![from]!.shown]!;
  }

  setWeather(from: number, to: number, weather: Weather): void {
    this.#links[from]![to]!.weather = weather;
  }

  /** `machine` is seen at another address by `peer`; the old one may go on leading to it. */
  move(machine: number, peer: number, way: number, oldStays: boolean): void {
    const seen = this.#links[machine]![peer]!;
    const back = this.#links[peer]![machine]!;
    back.alive[seen.shown] = oldStays;
    seen.shown = way;
  }

  /** All ways lead again where they led at first, where nothing was said about them. */
  revive(from: number, to: number, way: number): void {
    this.#links[from]![to]!.alive[way] = true;
  }

  /** A machine sends over a path of its own. */
  send(path: Path, datagram: Buffer): void {
    const { owner: from, peer: to, way } = path;
    if (to > this.#places.length) throw new Violation(`${from} sends into its own tunnel`);
    if (this.#random.chance(0.2)) this.#keep({ from, to, datagram });
    if (to < this.#places.length) this.#sendInside(to, way, datagram);
    const fate = this.#fate(from, to, way);
    if (fate !== null) {
      this.#count(fate);
      return;
    }
    const { weather } = this.#links[from]![to]!;
    const copies = this.#random.chance(weather.twice) ? 2 : 1;
    if (copies === 2) this.#count("doubled");
    for (let i = 0; i < copies; i++) {
      const damaged = this.#random.chance(weather.damage);
      this.#carry(from, to, damaged ? this.#damage(datagram) : datagram, weather);
    }
  }

  /** Sometimes a datagram comes by the tunnel, too, and may be there first. */
  #sendInside(to: number, way: number, datagram: Buffer): void {
    if (!this.#inner.chance(0.02)) return;
    this.#count("sent inside");
    const path = this.#places[to]!.paths[this.#places.length + 1]![way]!;
    const delayMs = 40 * this.#inner.fraction();
    this.#schedule.after(delayMs, () => this.#receivers[to]!.arriveInside(datagram, path));
  }

  /** Why a datagram gets no further; null: it does. */
  #fate(from: number, to: number, way: number): string | null {
    if (to === this.#places.length) return "sent to a stranger";
    const { weather, alive } = this.#links[from]![to]!;
    const dead = way !== this.#links[to]![from]!.shown && alive[way] === false;
    if (dead) return "sent to a dead address";
    return this.#random.chance(weather.loss) ? "lost" : null;
  }

  /** Brings a datagram of the past again: where it went, or anywhere, from whom it came or not. */
  replay(): void {
    if (this.#kept.length === 0) return;
    const { from, to, datagram } = this.#random.pick(this.#kept);
    const machines = this.#places.length;
    const astray = to === machines || this.#random.chance(0.2);
    const target = astray ? this.#random.below(machines) : to;
    const strange = from === target || this.#random.chance(0.3);
    this.#count(strange ? "replayed by a stranger" : "replayed");
    const source = strange ? machines : from;
    const way = strange ? this.#random.below(WAYS.length) : this.#links[from]![target]!.shown;
    this.#receivers[target]!.arrive(datagram, this.#places[target]!.paths[source]![way]!);
  }

  /** A stranger brings initiations of the past, as many and as fast as it can. */
  flood(target: number, count: number, gapMs: number): void {
    const messages = this.#kept.filter((kept) => kept.to === target && kept.datagram[0] === 1);
    if (messages.length === 0) return;
    this.#count("floods");
    const path = this.#places[target]!.paths[this.#places.length]![0]!;
    for (let i = 0; i < count; i++) {
      const { datagram } = this.#random.pick(messages);
      this.#schedule.after(i * gapMs, () => this.#receivers[target]!.arrive(datagram, path));
    }
  }

  #keep(kept: Kept): void {
    if (this.#kept.length < KEPT_MAX) this.#kept.push(kept);
    else this.#kept[this.#random.below(KEPT_MAX)] = kept;
  }

  #damage(datagram: Buffer): Buffer {
    this.#count("damaged");
    const copy = Buffer.from(datagram);
    if (this.#random.chance(0.2)) return copy.subarray(0, 1 + this.#random.below(copy.length));
    const at = this.#random.below(copy.length);
    copy[at] = copy[at]! ^ (1 << this.#random.below(8));
    return copy;
  }

  #carry(from: number, to: number, datagram: Buffer, weather: Weather): void {
    // Its source address is the one that the sender has now.
    const path = this.#places[to]!.paths[from]![this.#links[from]![to]!.shown]!;
    const delayMs = weather.delayMs + this.#random.fraction() * weather.spreadMs;
    this.#schedule.after(delayMs, () => this.#receivers[to]!.arrive(datagram, path));
  }
}
