/**
 * contact — one callee at all addresses where it may be: all are called, the first that opens is
 * the one. One OPEN at a time: a second one would take the place of the first, at its callee.
 * Thread: control.
 */
import { Callee, type CalleeOptions, type CalleeState } from "../../directory/callee.ts";
import { type ChannelKind, PURPOSE } from "../../wire/channel.ts";
import { sameSockaddr } from "../../wire/sockaddr.ts";
import { Bucket, type Rate } from "../strangers/limiter.ts";
import { addressKey } from "./held-tickets.ts";
import type { NetworkWorld } from "./world.ts";

/** Tuning: addresses that are called at a time. */
const ADDRESSES_MAX = 4;
/** Tuning: cards and answers to OPEN that are looked into: each costs curve arithmetic. */
const ANSWERS: Rate = { perSecond: 10, burst: 20 };
const NEVER = Number.POSITIVE_INFINITY;
const ANY_LOCAL = new Uint8Array(0);

/** As many as are called at a time; of more, others at each turn. */
export const someOf = (sockaddrs: readonly Uint8Array[], turn: number): readonly Uint8Array[] => {
  if (sockaddrs.length <= ADDRESSES_MAX) return sockaddrs;
  const from = (turn * ADDRESSES_MAX) % sockaddrs.length;
  return [...sockaddrs, ...sockaddrs].slice(from, from + ADDRESSES_MAX);
};

export interface ContactOptions
  extends Pick<
    CalleeOptions,
    "networkId" | "us" | "proof" | "payload" | "onOpen" | "onMessage" | "onOther"
  > {
  readonly world: Pick<NetworkWorld, "random" | "randomBytes" | "sendDatagram" | "count">;
}

export class Contact {
  readonly #options: ContactOptions;
  #nodeKey: Uint8Array | null;
  /** By address: those that are called, and the one that is open. */
  readonly #callees = new Map<string, Callee>();
  #open: Callee | null = null;
  /** Whose OPEN went last. */
  #last: Callee | null = null;
  /** Of this callee alone: what one sends keeps nobody from another. */
  readonly #answers = new Bucket(ANSWERS);

  /** `nodeKey`: nobody else is believed to be it; null: whoever is there, at first contact. */
  constructor(options: ContactOptions, nodeKey: Uint8Array | null) {
    this.#options = options;
    this.#nodeKey = nodeKey;
  }

  /** Who it is; null: not known yet. */
  get nodeKey(): Uint8Array | null {
    return this.#nodeKey;
  }

  get state(): CalleeState {
    if (this.#open !== null) return "open";
    const states = [...this.#callees.values()].map((callee) => callee.state);
    return states.find((state) => state === "opening") ?? states[0] ?? "idle";
  }

  /** Where its channel is; null: there is none. */
  get sockaddr(): Uint8Array | null {
    return this.#open?.sockaddr ?? null;
  }

  get openedMs(): number | null {
    return this.#open?.openedMs ?? null;
  }

  get dueMs(): number {
    let dueMs = NEVER;
    for (const callee of this.#callees.values()) dueMs = Math.min(dueMs, callee.dueMs);
    return dueMs;
  }

  tick(nowMs: number): void {
    for (const callee of [...this.#callees.values()]) callee.tick(nowMs);
  }

  /**
   * Calls it at these addresses, and at no others; those that are called already go on.
   * `elsewhere`: our own address is another.
   */
  call(sockaddrs: readonly Uint8Array[], nowMs: number, elsewhere = false): void {
    for (const [key, callee] of this.#callees) {
      const isThere = sockaddrs.some((one) => sameSockaddr(one, callee.sockaddr));
      if (!isThere && callee !== this.#open) this.#drop(key, callee);
    }
    for (const sockaddr of sockaddrs.slice(0, ADDRESSES_MAX)) {
      const key = addressKey(sockaddr);
      const callee = this.#callees.get(key) ?? this.#calleeAt(sockaddr);
      this.#callees.set(key, callee);
      callee.call(nowMs, elsewhere);
    }
  }

  #drop(key: string, callee: Callee): void {
    callee.close();
    this.#callees.delete(key);
  }

  #calleeAt(sockaddr: Uint8Array): Callee {
    const { world, onMessage, onOther, networkId, us, proof, payload } = this.#options;
    const callee: Callee = new Callee({
      ...{ networkId, us, proof, payload, onOther },
      sockaddr,
      nodeKey: this.#nodeKey,
      purpose: PURPOSE.member,
      mayOpen: () => this.#mayOpen(callee),
      random: world.random,
      randomBytes: world.randomBytes,
      send: (datagram, to) => world.sendDatagram(datagram, to, ANY_LOCAL),
      onOpen: (answer, nowMs) => this.#opened(callee, answer, nowMs),
      onMessage: (type, plain, nowMs) => {
        // Not of a channel that another one has replaced.
        if (callee === this.#open) onMessage(type, plain, nowMs);
      },
    });
    return callee;
  }

  #mayOpen(callee: Callee): boolean {
    const others = [...this.#callees.values()].filter((one) => one !== callee);
    if (others.some(({ isOpening }) => isOpening)) return false;
    // Who opened last, and was not answered, lets others go first, once.
    const isNext = others.length === 0 || this.#last !== callee;
    this.#last = isNext ? callee : null;
    if (isNext) for (const one of others) one.giveWay();
    return isNext;
  }

  #opened(callee: Callee, answer: Uint8Array, nowMs: number): void {
    this.#open = callee;
    this.#last = null;
    // Others were called without knowing who it is: they begin anew, when they are wanted.
    for (const [key, one] of this.#callees) if (one !== callee) this.#drop(key, one);
    this.#nodeKey = callee.nodeKey;
    this.#options.onOpen(answer, nowMs);
  }

  /** A datagram of its channel, or for an opening. False: it is neither. Borrows. */
  datagram(kind: ChannelKind, datagram: Uint8Array, from: Uint8Array, nowMs: number): boolean {
    const { world } = this.#options;
    const all = [...this.#callees.values()];
    const callee = all.find((one) => one.takes(kind, datagram, from));
    if (callee === undefined) return false;
    const isAnswer = kind === "card" || kind === "opened";
    if (isAnswer && !this.#answers.take(nowMs)) world.count("channelRate", 1);
    else if (!callee.datagram(kind, datagram, nowMs)) world.count("channelForged", 1);
    return true;
  }

  /** A message of type 10 unless told otherwise. False: there is no channel. */
  say(message: Uint8Array, type?: number): boolean {
    return this.#open?.say(message, type) ?? false;
  }

  /** There is no channel any more; it may be called again. */
  close(): void {
    for (const [key, callee] of this.#callees) this.#drop(key, callee);
    this.#open = null;
  }
}
