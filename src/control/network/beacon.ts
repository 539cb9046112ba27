/**
 * beacon — members on one link find each other: what is said there, and what is made of what others
 * say.
 *
 *     beacon, to all on the link ──▶ tag, time, source ──▶ one WHO, from our data port
 *
 * A beacon is never answered on the link, and names nobody: its id changes with each slot. Who
 * brings an old one again gets nothing; who brings a new one to another link has us ask one address
 * there, a few times a minute at most. Pure but for what `BeaconOptions` gives.
 *
 * Source: security.md 20 and 24; docs/PROTOCOL.md, "Beacon". Thread: control.
 */
import { equal, type Mac } from "../../noise/mac.ts";
import {
  BEACON,
  BEACON_SLOT_S,
  type BeaconHead,
  makeBeacon,
  readBeacon,
} from "../../wire/beacon.ts";
import { before, field } from "../../wire/handshake.ts";
import { makeSockaddr, sockaddrHost, sockaddrScope } from "../../wire/sockaddr.ts";
import { Bucket, type Rate } from "../strangers/limiter.ts";
import { type EpochSecret, Epochs } from "./epochs.ts";
import { addressKey } from "./held-tickets.ts";

export type BeaconCount = "beaconInvalid" | "beaconRate" | "beaconsSent" | "beaconsTaken";

/** What it needs of the rest. */
export interface BeaconOptions {
  readonly world: {
    readonly unixMs: () => number;
    readonly randomBytes: (bytes: number) => Uint8Array;
    /** Keyed BLAKE2s with 16 bytes of output. */
    readonly mac: Mac;
    readonly count: (what: BeaconCount, amount: number) => void;
  };
  /** Our data port. */
  readonly port: () => number;
  /** Secrets of the network, 16 at most. */
  readonly secrets: () => readonly EpochSecret[];
  /**
   * Somebody of the network is there, whom we may ask once who it is; `low`: with the secret of
   * this epoch. Borrows: `at`.
   */
  readonly heardOf: (at: Uint8Array, low: number, nowMs: number) => void;
}

/** Tuning: beacons that are looked at; a link has some hundred members that say one a minute. */
const LOOKED_AT: Rate = { perSecond: 50, burst: 200 };
/** Tuning: addresses that are asked because of a beacon, all together. */
const ASKED: Rate = { perSecond: 2, burst: 32 };
/** Tuning: one source is asked again after this long, if it is still not known. */
const ASK_AGAIN_MS = 50_000;
/** Tuning: sources that are remembered; the one asked longest ago goes. */
const SOURCES_MOST = 256;
/** Protocol: a beacon of the slot before or after counts: clocks differ. */
const SLOTS_APART = 1;
/** Ports below are not asked (security.md 20). */
const PORT_LEAST = 1_024;
/** Ids of ours that may come back to us. */
const OWN_IDS = 4;

export class Beacon {
  readonly #options: BeaconOptions;
  readonly #epochs = new Epochs();
  readonly #looks = new Bucket(LOOKED_AT);
  readonly #asks = new Bucket(ASKED);
  /** When each source was asked. */
  readonly #askedMs = new Map<string, number>();
  /** The newest last. */
  #ids: Uint8Array[] = [];
  #slot = -1;

  constructor(options: BeaconOptions) {
    this.#options = options;
    this.renew();
  }

  /** Sources that are remembered. */
  get size(): number {
    return this.#askedMs.size;
  }

  /** Secrets have changed. */
  renew(): void {
    this.#epochs.hold(this.#options.secrets());
  }

  /** What to say on every link now; null: there is no secret, or no port. */
  make(): Uint8Array | null {
    const { world, port } = this.#options;
    const keys = this.#epochs.newest;
    if (keys === null || port() === 0) return null;
    const slot = this.#now();
    if (slot !== this.#slot) {
      this.#slot = slot;
      this.#ids = [...this.#ids.slice(1 - OWN_IDS), world.randomBytes(BEACON.id.bytes)];
    }
    const beacon = makeBeacon({ epoch: keys.low, port: port(), slot }, this.#ids.at(-1)!);
    beacon.set(world.mac(keys.beacon, before(beacon, BEACON.tag)), BEACON.tag.at);
    world.count("beaconsSent", 1);
    return beacon;
  }

  /** Somebody says something on the link. Borrows: both; `from` is a sockaddr. */
  take(beacon: Uint8Array, from: Uint8Array, nowMs: number): void {
    const outcome = this.#outcome(beacon, from, nowMs);
    if (outcome !== null) this.#options.world.count(outcome, 1);
  }

  /** Zeroes what is secret; not to be used afterwards. */
  stop(): void {
    this.#epochs.wipe();
  }

  /** What became of it; null: it was our own. */
  #outcome(beacon: Uint8Array, from: Uint8Array, nowMs: number): BeaconCount | null {
    const head = readBeacon(beacon);
    if (head === null) return "beaconInvalid";
    const id = field(beacon, BEACON.id);
    if (this.#ids.some((own) => equal(own, id))) return null;
    if (!this.#looks.take(nowMs)) return "beaconRate";
    if (!this.#valid(beacon, head)) return "beaconInvalid";
    const at = makeSockaddr(sockaddrHost(from), head.port, sockaddrScope(from));
    const key = addressKey(at);
    const askedMs = this.#askedMs.get(key) ?? Number.NEGATIVE_INFINITY;
    if (nowMs - askedMs < ASK_AGAIN_MS || !this.#asks.take(nowMs)) return "beaconRate";
    this.#remember(key, nowMs);
    this.#options.heardOf(at, head.epoch, nowMs);
    return "beaconsTaken";
  }

  /** Is it of somebody who has the secret, now, and is that a port to be asked? */
  #valid(beacon: Uint8Array, { epoch, port, slot }: BeaconHead): boolean {
    const keys = this.#epochs.byLow(epoch);
    if (keys === undefined || port < PORT_LEAST) return false;
    if (Math.abs(slot - this.#now()) > SLOTS_APART) return false;
    const tag = this.#options.world.mac(keys.beacon, before(beacon, BEACON.tag));
    return equal(tag, field(beacon, BEACON.tag));
  }

  #now(): number {
    return Math.floor(this.#options.world.unixMs() / (1_000 * BEACON_SLOT_S)) >>> 0;
  }

  #remember(key: string, nowMs: number): void {
    this.#askedMs.delete(key);
    if (this.#askedMs.size >= SOURCES_MOST) {
      this.#askedMs.delete(this.#askedMs.keys().next().value!);
    }
    this.#askedMs.set(key, nowMs);
  }
}
