/**
 * members-mischief — a member that lies: beside what its engine says, it says what it should not.
 *
 * Old records again, records of others that it changed, members that do not exist, sequences from
 * the far future, lists, secrets and definitions that are nobody's, and noise.
 */
import { encodeNews, encodeRange, encodeRoot, ID_MAX } from "../../src/wire/digests.ts";
import { FRAME_BODY_BYTES, FRAME_KINDS } from "../../src/wire/frames.ts";
import {
  decodeShown,
  encodeAck,
  encodeEcho,
  encodePiece,
  encodeSecret,
  encodeShown,
} from "../../src/wire/network-frames.ts";
import type { Identity } from "./members-fleet.ts";
import { listOf } from "./members-fleet.ts";
import type { VirtualNode } from "./members-node.ts";
import { sockaddrOf } from "./members-places.ts";
import type { Random } from "./random.ts";

/** Frames that are kept to be sent again. */
const KEPT_MAX = 64;
const LIST_S = 1_900_000_000;

interface Lie {
  readonly type: number;
  readonly body: Uint8Array;
}

const { digest, want, record, revocations, ack, definition, secret, echo } = FRAME_KINDS;

export class Liar {
  readonly #node: VirtualNode;
  readonly #random: Random;
  /** Records that passed by. */
  readonly #kept: Uint8Array[] = [];

  constructor(node: VirtualNode, random: Random) {
    this.#node = node;
    this.#random = random;
    node.lies = true;
    node.overhears = (type, body) => {
      if (type !== record.type) return;
      if (this.#kept.length >= KEPT_MAX) this.#kept.splice(this.#random.below(KEPT_MAX), 1);
      this.#kept.push(body.slice());
    };
  }

  /** Says a few lies to whomever it has a session with. */
  act(peers: readonly Identity[]): void {
    for (const peer of peers) {
      if (!this.#node.hasSession(peer)) continue;
      for (let left = 1 + this.#random.below(4); left > 0; left--) {
        const lie = this.#lie();
        if (lie !== null) this.#node.sendFrame(peer, lie.type, lie.body);
      }
    }
  }

  #lie(): Lie | null {
    const random = this.#random;
    const future = { chain: 0, sequence: 1_000 + random.below(1_000) };
    const id = Math.floor(random.fraction() * ID_MAX);
    const entry = { id, sequence: 2 ** 52 };
    switch (random.below(12)) {
      case 0:
        return this.#again(false);
      case 1:
        return this.#again(true);
      case 2:
        return { type: digest.type, body: encodeNews([entry]) };
      case 3:
        return { type: digest.type, body: encodeRange(0, ID_MAX, [entry]) };
      case 4:
        return { type: digest.type, body: this.#root(future) };
      case 5:
        return { type: revocations.type, body: this.#list(false) };
      case 6:
        return { type: revocations.type, body: this.#list(true) };
      case 7:
        return { type: secret.type, body: encodeSecret(random.below(9), random.bytes(32)) };
      case 8:
        return { type: definition.type, body: random.bytes(200) };
      case 9:
        return { type: ack.type, body: encodeAck({ list: future, epoch: 2 ** 31 }) };
      case 10: {
        const unixMs = random.below(2 ** 31) * 2_000;
        const body = encodeEcho({ answer: true, trusted: true, unixMs, sequence: 2 ** 52 });
        return { type: echo.type, body };
      }
      default:
        return this.#noise();
    }
  }

  /** A record that passed by, as it was or with a bit changed. */
  #again(changed: boolean): Lie | null {
    if (this.#kept.length === 0) return null;
    const body = this.#random.pick(this.#kept);
    const [first] = decodeShown(body) ?? [];
    if (!changed || first === undefined) return { type: record.type, body };
    const bytes = first.record.slice();
    bytes[this.#random.below(bytes.length)]! ^= 1 << this.#random.below(8);
    return { type: record.type, body: encodeShown([{ ...first, record: bytes }]) };
  }

  #root(list: { chain: number; sequence: number }): Uint8Array {
    const known = { hash: this.#random.bytes(16), members: 7, definition: list, epoch: 9 };
    return encodeRoot({ keep: true, answer: true, decline: false, list, ...known });
  }

  /** A list of its own, or a piece of one that never comes whole. */
  #list(whole: boolean): Uint8Array {
    const { bytes } = listOf(50 + this.#random.below(50), [], LIST_S);
    const forged = bytes.slice();
    forged[40]! ^= 1;
    const list = { chain: 0, sequence: 500 };
    const total = whole ? forged.length : 60_000;
    const piece = whole ? forged : this.#random.bytes(FRAME_BODY_BYTES - 17);
    return encodePiece({ list, total, offset: 0, bytes: piece });
  }

  #noise(): Lie {
    const kinds = [digest, want, record, revocations, ack, secret, echo];
    const { type } = this.#random.pick(kinds);
    return { type, body: this.#random.bytes(this.#random.below(300)) };
  }
}

/** Datagrams of nobody, to one node. */
export const throwJunk = (node: VirtualNode, random: Random): void => {
  const from = sockaddrOf(50_000);
  for (let i = 0; i < 50; i++) {
    const bytes = random.bytes(random.chance(0.5) ? 1_232 : random.below(1_300));
    bytes[0] = random.chance(0.5) ? 9 : 10;
    bytes.fill(0, 1, 4);
    node.network?.datagram(bytes, from, new Uint8Array(0));
  }
};
