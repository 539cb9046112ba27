/**
 * peers — what threads share of a peer: endpoint, current session, times and bytes.
 *
 * The endpoint and the local address that goes with it are under a sequence lock with one writer,
 * control; C reads both when it sends. An I/O thread that hears the peer from somewhere else writes
 * that into `heard`, under a lock of its own, before anything of the packet reaches the TUN device:
 * what answers it goes there at once. It counts until control writes the endpoint, or forgets it.
 *
 * Which sessions a peer has is in two words, `current` and `next`. Control writes them, one at a
 * time; an I/O thread that opens the first packet of `next` makes it `current` in one step, if
 * control has not taken it away by then (io_deliver.c). So control takes `next` away first, and
 * whoever is `current` after that is so by its own hand.
 */
import { sameSockaddr } from "../wire/sockaddr.ts";
import { FRAME_BUDGETS, PEER } from "./layout.ts";
import { type Arena, doubleAt, fieldWord, wordOf } from "./region.ts";

export const PEER_FIELD = {
  current: fieldWord(PEER.fields.current),
  next: fieldWord(PEER.fields.next),
  generation: fieldWord(PEER.fields.generation),
  endpoint: fieldWord(PEER.fields.endpoint),
  endpointLock: fieldWord(PEER.fields.endpointLock),
  left: fieldWord(PEER.fields.left),
  local: fieldWord(PEER.fields.local),
  pathMtu: fieldWord(PEER.fields.pathMtu),
  refusedBytes: fieldWord(PEER.fields.refusedBytes),
  frameBudget: fieldWord(PEER.fields.frameBudget),
} as const;

/** Word index of a peer. */
export const peerWord = (arena: Arena, peer: number): number =>
  wordOf(arena, "peers", PEER.size, peer);

/** No address: family 0. */
const NOWHERE = new Uint8Array(PEER.fields.local.bytes);

/** No path MTU is lower: IPv6 needs this much inside. Source: RFC 8200 5; security.md 13. */
export const PATH_MTU_MIN = 1_280;

/** What a peer is to control frames: how many it may send, and of which kinds. */
export type FrameBudget = (typeof FRAME_BUDGETS)[number]["name"];

export interface PeerTimes {
  readonly wantedAtMs: number;
  readonly lastSentMs: number;
  readonly lastDataSentMs: number;
  readonly lastReceivedMs: number;
  readonly lastDataReceivedMs: number;
}

/** Control's end of the peers region. Thread: control. */
export class PeerEntries {
  readonly #arena: Arena;
  readonly #admits: (sockaddr: Uint8Array, local: Uint8Array) => boolean;

  /** `admits`: may a peer be reached there? Asked for every endpoint, wherever it comes from. */
  constructor(
    arena: Arena,
    admits: (sockaddr: Uint8Array, local: Uint8Array) => boolean = () => true,
  ) {
    this.#arena = arena;
    this.#admits = admits;
  }

  /** Session to seal with, or -1. */
  current(peer: number): number {
    const word = peerWord(this.#arena, peer) + PEER_FIELD.current;
    return Atomics.load(this.#arena.u32, word) - 1;
  }

  /** Seals with `session` from now on, or -1: nothing; and no other waits for its first packet. */
  setCurrent(peer: number, session: number): void {
    const word = peerWord(this.#arena, peer);
    Atomics.store(this.#arena.u32, word + PEER_FIELD.next, 0);
    Atomics.store(this.#arena.u32, word + PEER_FIELD.current, session + 1);
  }

  /**
   * `session` waits for its first packet in place of `before`, or of -1: nothing. False: an I/O
   * thread has made `before` the current one, and nothing was done.
   */
  setNext(peer: number, before: number, session: number): boolean {
    const word = peerWord(this.#arena, peer) + PEER_FIELD.next;
    const was = Atomics.compareExchange(this.#arena.u32, word, before + 1, session + 1);
    return was === before + 1;
  }

  /** Nothing is sealed with `session` any more; another one that is current by now stays. */
  stopUsing(peer: number, session: number): void {
    const word = peerWord(this.#arena, peer) + PEER_FIELD.current;
    Atomics.compareExchange(this.#arena.u32, word, session + 1, 0);
  }

  /**
   * Writes where the peer is, and the local address that it asked: answers leave from there. Both
   * are sockaddrs of 28 bytes. Without `local`, or an empty one, the kernel chooses until the peer
   * is heard: so for an endpoint that was configured. Nothing is written when both are there
   * already, since readers would wait. False: no peer may be reached there, all stays as it was.
   */
  setEndpoint(peer: number, sockaddr: Uint8Array, local: Uint8Array = NOWHERE): boolean {
    const { u32, u8 } = this.#arena;
    const from = local.length === 0 ? NOWHERE : local;
    if (sameBytes(this.endpoint(peer), sockaddr) && sameBytes(this.local(peer), from)) {
      this.forgetHeard(peer);
      return true;
    }
    if (!this.#admits(sockaddr, from)) {
      this.forgetHeard(peer);
      return false;
    }
    const word = peerWord(this.#arena, peer);
    Atomics.add(u32, word + PEER_FIELD.endpointLock, 1);
    u8.set(sockaddr.subarray(0, PEER.fields.endpoint.bytes), (word + PEER_FIELD.endpoint) * 4);
    u8.set(from.subarray(0, PEER.fields.local.bytes), (word + PEER_FIELD.local) * 4);
    Atomics.add(u32, word + PEER_FIELD.endpointLock, 1);
    return true;
  }

  /**
   * What comes from here until then was on its way when somebody set another endpoint: I/O threads
   * tell no more of it (`wasLeft` for what they have told already).
   */
  leave(peer: number, sockaddr: Uint8Array, untilMs: number): void {
    const word = peerWord(this.#arena, peer);
    this.#arena.u8.set(sockaddr.subarray(0, PEER.fields.left.bytes), (word + PEER_FIELD.left) * 4);
    this.#arena.f64[doubleAt(word, PEER.fields.leftUntilMs)] = untilMs;
  }

  /** Was the peer called there until a moment ago? */
  wasLeft(peer: number, sockaddr: Uint8Array, nowMs: number): boolean {
    const word = peerWord(this.#arena, peer);
    const at = (word + PEER_FIELD.left) * 4;
    if (nowMs >= this.#arena.f64[doubleAt(word, PEER.fields.leftUntilMs)]!) return false;
    return sameSockaddr(this.#arena.u8.subarray(at, at + PEER.fields.left.bytes), sockaddr);
  }

  /**
   * What an I/O thread has heard of the peer's place is not believed: the endpoint counts again.
   * setEndpoint() says so too.
   */
  forgetHeard(peer: number): void {
    Atomics.add(this.#arena.u32, peerWord(this.#arena, peer) + PEER_FIELD.endpointLock, 2);
  }

  /** A copy of the endpoint's sockaddr; family 0 (first two bytes): none. */
  endpoint(peer: number): Uint8Array {
    const at = (peerWord(this.#arena, peer) + PEER_FIELD.endpoint) * 4;
    return this.#arena.u8.slice(at, at + PEER.fields.endpoint.bytes);
  }

  /** A copy of the local address that answers leave from; family 0: the kernel chooses. */
  local(peer: number): Uint8Array {
    const at = (peerWord(this.#arena, peer) + PEER_FIELD.local) * 4;
    return this.#arena.u8.slice(at, at + PEER.fields.local.bytes);
  }

  /**
   * Sets the largest packet that the way to the peer takes, found by authenticated probes; 0 where
   * it is unknown: the tunnel's MTU counts then, and the network may cut the datagrams. For a way
   * that takes less than PATH_MTU_MIN, that is the thing to say. The data path follows at once.
   */
  setPathMtu(peer: number, mtu: number): void {
    const bytes = mtu === 0 ? 0 : Math.max(PATH_MTU_MIN, mtu);
    Atomics.store(this.#arena.u32, peerWord(this.#arena, peer) + PEER_FIELD.pathMtu, bytes);
  }

  /** Of the way to the peer, as it was set; 0: unknown. */
  pathMtu(peer: number): number {
    return Atomics.load(this.#arena.u32, peerWord(this.#arena, peer) + PEER_FIELD.pathMtu);
  }

  times(peer: number): PeerTimes {
    const word = peerWord(this.#arena, peer);
    const at = (
      field: (typeof PEER.fields)[
        | "lastSentMs"
        | "wantedAtMs"
        | "lastDataSentMs"
        | "lastReceivedMs"
        | "lastDataReceivedMs"],
    ) => this.#arena.f64[doubleAt(word, field)] ?? 0;
    return {
      wantedAtMs: at(PEER.fields.wantedAtMs),
      lastSentMs: at(PEER.fields.lastSentMs),
      lastDataSentMs: at(PEER.fields.lastDataSentMs),
      lastReceivedMs: at(PEER.fields.lastReceivedMs),
      lastDataReceivedMs: at(PEER.fields.lastDataReceivedMs),
    };
  }

  /** What the peer's control frames may come to from now on. */
  setFrameBudget(peer: number, budget: FrameBudget): void {
    const row = FRAME_BUDGETS.findIndex(({ name }) => name === budget);
    Atomics.store(this.#arena.u32, peerWord(this.#arena, peer) + PEER_FIELD.frameBudget, row);
  }

  frameBudget(peer: number): FrameBudget {
    const row = this.#arena.u32[peerWord(this.#arena, peer) + PEER_FIELD.frameBudget]!;
    return FRAME_BUDGETS[row]?.name ?? "static";
  }

  /** UDP payload of the last datagram to the peer that was larger than the link takes. */
  refusedBytes(peer: number): number {
    return this.#arena.u32[peerWord(this.#arena, peer) + PEER_FIELD.refusedBytes]!;
  }

  /** UDP payload bytes, received and sent. */
  bytes(peer: number): { received: number; sent: number } {
    const word = peerWord(this.#arena, peer);
    const at = (field: typeof PEER.fields.sentBytes | typeof PEER.fields.receivedBytes) =>
      Number(Atomics.load(this.#arena.u64, doubleAt(word, field)));
    return { received: at(PEER.fields.receivedBytes), sent: at(PEER.fields.sentBytes) };
  }

  /**
   * Zeroes an entry for a peer that comes; no I/O thread holds it any more. Its generation tells
   * them that what is counted in it begins anew.
   */
  begin(peer: number): void {
    const word = peerWord(this.#arena, peer);
    const generation = Atomics.load(this.#arena.u32, word + PEER_FIELD.generation);
    this.#arena.u8.fill(0, word * 4, word * 4 + PEER.size);
    Atomics.store(this.#arena.u32, word + PEER_FIELD.generation, generation + 1);
  }

  /** The peer is gone; what I/O threads still add to its entry is nobody's. */
  end(peer: number): void {
    Atomics.add(this.#arena.u32, peerWord(this.#arena, peer) + PEER_FIELD.generation, 1);
  }
}

const sameBytes = (a: Uint8Array, b: Uint8Array): boolean => a.every((byte, i) => byte === b[i]);
