/**
 * remembered — what handshakes with a peer leave behind, also where they come to nothing: the
 * product of the static keys, and timestamps of both sides, which only grow. Thread: control.
 */
import type { DropName } from "../../memory/layout.ts";
import { compareTai64n } from "../../wire/tai64n.ts";
import type { Peer } from "../peers/peer.ts";
import { PerPeer } from "../peers/per-peer.ts";
import { staticStatic } from "./noise.ts";
import type { Self } from "./self.ts";

/** Initiations of one peer closer together than this are refused. Source: wireguard-go. */
const INITIATION_EVERY_MS = 20;

interface Memory {
  /** Product of the two static keys, made at the first handshake; null: not made yet. */
  product: Uint8Array | null;
  /** Greatest timestamp accepted from the peer (TAI64N), and when; null: none. */
  accepted: Uint8Array | null;
  acceptedMs: number;
  /** Last timestamp sent to the peer; the next one is later. */
  sent: Uint8Array | null;
}

export class Remembered {
  readonly #peers = new PerPeer<Memory>(() => ({
    product: null,
    accepted: null,
    acceptedMs: Number.NEGATIVE_INFINITY,
    sent: null,
  }));

  /** The product of both static keys, made once; null: the peer's key is of small order. */
  product({ keys }: Self, peer: Peer): Uint8Array | null {
    const memory = this.#peers.of(peer);
    memory.product ??= staticStatic(keys, peer.publicKey);
    return memory.product;
  }

  /** Ours will be another key: the product is zeroed. */
  forgetProduct(peer: Peer): void {
    const memory = this.#peers.of(peer);
    memory.product?.fill(0);
    memory.product = null;
  }

  /** The timestamp of an initiation to the peer. */
  nextTimestamp({ clock }: Self, peer: Peer, unixMs: number): Uint8Array {
    const memory = this.#peers.of(peer);
    memory.sent = clock.next(memory.sent, unixMs);
    return memory.sent;
  }

  /** Why an authentic initiation is refused; null: it is taken, and none older from now on. */
  refusal(peer: Peer, timestamp: Uint8Array, nowMs: number): RefusedAs | null {
    const memory = this.#peers.of(peer);
    const { accepted, acceptedMs } = memory;
    if (accepted !== null && compareTai64n(timestamp, accepted) <= 0) return "handshakeReplayed";
    if (nowMs - acceptedMs < INITIATION_EVERY_MS) return "handshakeRate";
    memory.accepted = timestamp;
    memory.acceptedMs = nowMs;
    return null;
  }

  /** The peer goes. */
  forget(self: Self | null, peer: Peer): void {
    this.forgetProduct(peer);
    self?.clock.forget(this.#peers.of(peer).sent);
  }
}

type RefusedAs = Extract<DropName, "handshakeReplayed" | "handshakeRate">;
