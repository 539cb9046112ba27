/**
 * node — an index node: callers of all its networks on one table, each served by its own network.
 * It carries no data and is trusted with nothing. Clock, randomness and sockets come in.
 *
 * Source: network.md 4. Times are boot-clock milliseconds.
 */
import { Limiter } from "../control/strangers/limiter.ts";
import { CALLER_COUNTS, type CallerCount, Callers } from "../directory/callers.ts";
import { sameBytes } from "../members/bytes.ts";
import type { Signer } from "../schema/identity.ts";
import type { ChannelKind } from "../wire/channel.ts";
import type { Cidr } from "../wire/cidr.ts";
import { mac, makeSourceHash } from "./hashes.ts";
import { Knocks } from "./knocks.ts";
import type { IndexNetwork } from "./network.ts";

/** Tuning: ten thousand members, on one processor. */
const CALLERS_MAX = 32_768;
const JOINERS_MAX = 1_024;
/**
 * Tuning. CARDs: as many as a processor gives, since a KNOCK that is not answered is a newcomer who
 * waits; each is as long as what it answers. OPENs: half a millisecond each.
 */
const RATES = {
  cards: { perSecond: 50_000, burst: 5_000 },
  opens: { perSecond: 1_000, burst: 2_000 },
  source: { perSecond: 20, burst: 50 },
  messages: { perSecond: 100, burst: 200 },
};
const SOURCES = 8_192;
const KEY_BYTES = 32;
/** Tuning: callers that are silent are looked for so often. */
const IDLE_LOOK_MS = 5_000;

export interface IndexNodeOptions {
  readonly signer: Signer;
  readonly networks: readonly IndexNetwork[];
  readonly randomBytes: (bytes: number) => Uint8Array;
  readonly links: () => readonly Cidr[];
  readonly send: (datagram: Uint8Array, to: Uint8Array, local: Uint8Array) => boolean;
  /** tick() is wanted by then. */
  readonly wakeBy: (dueMs: number) => void;
}

export class IndexNode {
  readonly #options: IndexNodeOptions;
  readonly #callers: Callers;
  readonly counts = new Map<CallerCount, number>(CALLER_COUNTS.map((name) => [name, 0]));
  #lookMs = Number.NEGATIVE_INFINITY;

  constructor(options: IndexNodeOptions) {
    const { signer, networks, randomBytes, links, send } = options;
    this.#options = options;
    const knocks = new Knocks(makeSourceHash(randomBytes(KEY_BYTES)), links);
    const sources = new Limiter(makeSourceHash(randomBytes(KEY_BYTES)), RATES.source, SOURCES);
    this.#callers = new Callers({
      us: signer.identity,
      networks: () => networks,
      // Whoever knows the network may have a card; an index has no secret to check a tag with.
      mayKnock: () => true,
      mayAnswer: (to, _, nowMs) => knocks.mayAnswer(to, nowMs),
      open: (caller, payload, nowMs) => this.#of(caller)?.open(caller, payload, nowMs) ?? null,
      message: (caller, type, plain, nowMs) =>
        this.#of(caller)?.message(caller, type, plain, nowMs) ?? false,
      onGone: (caller) => this.#of(caller)?.gone(caller),
      mac,
      randomBytes,
      send,
      count: (what, amount) => this.counts.set(what, (this.counts.get(what) ?? 0) + amount),
      sources,
      rates: RATES,
      callersMax: CALLERS_MAX,
      joinersMax: JOINERS_MAX,
    });
    for (const network of networks) network.serve(this.#callers);
  }

  #of({ networkId }: { readonly networkId: Uint8Array }) {
    const networks = this.#options.networks;
    return networks.find((one) => sameBytes(one.networkId, networkId))?.service;
  }

  get callers(): number {
    return this.#callers.size;
  }

  datagram(
    kind: ChannelKind,
    datagram: Uint8Array,
    from: Uint8Array,
    local: Uint8Array,
    nowMs: number,
  ): void {
    this.#callers.datagram(kind, datagram, from, local, nowMs);
    if (kind !== "knock") this.#arm(nowMs);
  }

  #arm(nowMs: number): void {
    const { networks, wakeBy } = this.#options;
    for (const network of networks) wakeBy(network.dueMs(nowMs));
  }

  tick(nowMs: number): void {
    for (const network of this.#options.networks) network.tick(nowMs);
    if (nowMs - this.#lookMs >= IDLE_LOOK_MS) {
      this.#lookMs = nowMs;
      this.#callers.tick(nowMs);
    }
    this.#arm(nowMs);
  }

  /** Callers are told, so that they turn to another one at once; keys are zeroed. */
  stop(): void {
    this.#callers.stop();
    for (const network of this.#options.networks) network.stop();
  }
}
