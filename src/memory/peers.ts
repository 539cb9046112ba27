/**
 * peers — what threads share of a peer: endpoint, current session, times and bytes.
 *
 * The endpoint and the local address that goes with it are under a sequence lock with one writer,
 * control; C reads both when it sends.
 */
import { PADDING_BYTES, PEER } from "./layout.ts";
import { readMtu } from "./mtu.ts";
import { type Arena, doubleAt, fieldWord, wordOf } from "./region.ts";

export const PEER_FIELD = {
  current: fieldWord(PEER.fields.current),
  endpoint: fieldWord(PEER.fields.endpoint),
  endpointLock: fieldWord(PEER.fields.endpointLock),
  local: fieldWord(PEER.fields.local),
  pathMtu: fieldWord(PEER.fields.pathMtu),
  refusedBytes: fieldWord(PEER.fields.refusedBytes),
} as const;

/** Word index of a peer. */
export const peerWord = (arena: Arena, peer: number): number =>
  wordOf(arena, "peers", PEER.size, peer);

/** No address: family 0. */
const NOWHERE = new Uint8Array(PEER.fields.local.bytes);

/** No path MTU is lower: IPv6 needs this much inside. Source: RFC 8200 5; security.md 13. */
export const PATH_MTU_MIN = 1_280;

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

  setCurrent(peer: number, session: number): void {
    Atomics.store(this.#arena.u32, peerWord(this.#arena, peer) + PEER_FIELD.current, session + 1);
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
    if (sameBytes(this.endpoint(peer), sockaddr) && sameBytes(this.local(peer), from)) return true;
    if (!this.#admits(sockaddr, from)) return false;
    const word = peerWord(this.#arena, peer);
    Atomics.add(u32, word + PEER_FIELD.endpointLock, 1);
    u8.set(sockaddr.subarray(0, PEER.fields.endpoint.bytes), (word + PEER_FIELD.endpoint) * 4);
    u8.set(from.subarray(0, PEER.fields.local.bytes), (word + PEER_FIELD.local) * 4);
    Atomics.add(u32, word + PEER_FIELD.endpointLock, 1);
    return true;
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

  /** The tunnel's MTU is about to change: a way that takes all of it may take more. */
  growMtu(peer: number): void {
    if (this.mtu(peer) === readMtu(this.#arena)) this.setPathMtu(peer, 0);
  }

  /** Bytes of the largest packet that reaches the peer: the tunnel's MTU, or what its way takes. */
  mtu(peer: number): number {
    const word = peerWord(this.#arena, peer) + PEER_FIELD.pathMtu;
    const path = Atomics.load(this.#arena.u32, word);
    const tunnel = readMtu(this.#arena);
    // Packets are padded within the tunnel's MTU, so a smaller one has to hold the padding too.
    return path === 0 || path >= tunnel ? tunnel : path - (path % PADDING_BYTES);
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

  /** Zeroes an entry; no I/O thread holds it any more. */
  clear(peer: number): void {
    const start = peerWord(this.#arena, peer) * 4;
    this.#arena.u8.fill(0, start, start + PEER.size);
  }
}

const sameBytes = (a: Uint8Array, b: Uint8Array): boolean => a.every((byte, i) => byte === b[i]);
