/**
 * observed — where index nodes see us: the addresses of a NAT, which no interface of ours has.
 *
 * Two have to say the same, where two say anything: so one that lies sends nobody to a victim. Who
 * sees us at an address of our own says that no NAT is between; of a private one it says nothing,
 * since it may be behind our NAT itself. The word of one alone counts too, since nobody behind a
 * NAT would be found without; the harm that it could do is that of a member that claims an address:
 * a few INTROs, since a place is a hint. A NAT that shows each index another port has no address
 * that is worth telling. Pure.
 */
import { hostPrefix, PRIVATE, someHolds } from "../../members/fields.ts";
import type { Cidr } from "../../wire/cidr.ts";
import { makeSockaddr, sameSockaddr, sockaddrFamily, sockaddrHost } from "../../wire/sockaddr.ts";
import { isNowhere } from "./reach.ts";
import type { OwnAddress } from "./world.ts";

/** Tuning: how many have to agree, where there are so many. */
const AGREEING = 2;
/**
 * Tuning: how often something new is told at most: at first, doubled each time, at most. All
 * members are told of each change, and an index could say another address each time.
 */
const CHANGE_MS = 15_000;
const CHANGE_MAX_MS = 3_600_000;
/** Tuning: it was quiet for so long: the next change is a first one again. */
const CALM_MS = 3_600_000;
const NEVER = Number.POSITIVE_INFINITY;

/** What one of them said last. */
interface Word {
  readonly sockaddr: Uint8Array;
  /** It answers us. */
  live: boolean;
}

export interface ObservedOptions {
  /** Of our interfaces, with our port. */
  readonly own: () => readonly OwnAddress[];
  /** Ranges of the network: our tunnel is not the underlay. */
  readonly cidrs: () => readonly Cidr[];
  /** What is told has changed. */
  readonly onChanged: () => void;
  readonly wakeBy: (dueMs: number) => void;
}

/** Thread: control. */
export class Observed {
  readonly #options: ObservedOptions;
  /** By family and observer: index nodes of the configuration, so that there are few. */
  readonly #words = new Map<string, Word>();
  #told: readonly Uint8Array[] = [];
  #changedMs = Number.NEGATIVE_INFINITY;
  #changes = 0;
  dueMs = NEVER;

  constructor(options: ObservedOptions) {
    this.#options = options;
  }

  /** What others are told. */
  get addresses(): readonly OwnAddress[] {
    return this.#told.map((sockaddr) => ({ kind: "observed", sockaddr }));
  }

  /** Is it one of ours, so that no NAT is between us and the observer? */
  isOwnAt(address: Uint8Array, port: number): boolean {
    return this.#isOwn(makeSockaddr(address, port));
  }

  #isOwn(sockaddr: Uint8Array): boolean {
    return this.#options.own().some((one) => sameSockaddr(one.sockaddr, sockaddr));
  }

  /** An index node saw us there. False: nobody can be there. Units: 4 or 16 bytes. */
  heard(observer: string, address: Uint8Array, port: number, nowMs: number): boolean {
    const isInside = someHolds(this.#options.cidrs(), hostPrefix(address));
    if (port === 0 || isInside || isNowhere(address)) return false;
    const sockaddr = makeSockaddr(address, port);
    this.#words.set(`${sockaddrFamily(sockaddr)} ${observer}`, { sockaddr, live: true });
    this.#consider(nowMs);
    return true;
  }

  /** It does not answer any more: its word counts while nobody else has one. */
  silent(observer: string): void {
    for (const [key, word] of this.#words) {
      if (key.endsWith(` ${observer}`)) word.live = false;
    }
  }

  /** We are somewhere else. */
  forget(): void {
    this.#words.clear();
    this.#told = [];
    this.#changes = 0;
    this.#changedMs = Number.NEGATIVE_INFINITY;
    this.dueMs = NEVER;
  }

  tick(nowMs: number): void {
    if (nowMs < this.dueMs) return;
    this.dueMs = NEVER;
    this.#consider(nowMs);
  }

  #consider(nowMs: number): void {
    const agreed = [4, 16].flatMap((bytes) => this.#agreed(bytes) ?? []);
    // What is told no more is taken back at once: one that lied may have been the first to answer.
    const isNew = !agreed.every((one) => this.#told.some((other) => sameSockaddr(one, other)));
    if (!isNew && agreed.length === this.#told.length) return;
    const pauseMs = Math.min(CHANGE_MAX_MS, CHANGE_MS * 2 ** (this.#changes - 1));
    const mayMs = this.#changes === 0 || !isNew ? nowMs : this.#changedMs + pauseMs;
    if (nowMs < mayMs) {
      this.dueMs = mayMs;
      this.#options.wakeBy(mayMs);
      return;
    }
    this.#changes = nowMs - this.#changedMs > CALM_MS ? 1 : this.#changes + 1;
    this.#changedMs = nowMs;
    this.#told = agreed;
    this.#options.onChanged();
  }

  /** Of one family; null: nothing that is worth telling. */
  #agreed(bytes: number): Uint8Array | null {
    const words = [...this.#words.values()].filter(
      ({ sockaddr }) => sockaddrHost(sockaddr).length === bytes && this.#saysSomething(sockaddr),
    );
    const live = words.filter((word) => word.live);
    const said = (live.length > 0 ? live : words).map(({ sockaddr }) => sockaddr);
    const votes = (one: Uint8Array): number =>
      said.filter((other) => sameSockaddr(one, other)).length;
    const enough = Math.min(AGREEING, said.length);
    return said.find((one) => !this.#isOwn(one) && votes(one) >= enough) ?? null;
  }

  #saysSomething(sockaddr: Uint8Array): boolean {
    return !this.#isOwn(sockaddr) || !someHolds(PRIVATE, hostPrefix(sockaddrHost(sockaddr)));
  }
}
