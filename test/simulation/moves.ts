/**
 * moves — an I/O thread moves a peer by what is authentic, came from there, and is the newest of
 * its session: what was overtaken on its way moves nobody back.
 */
import { PEER, SESSION } from "../../src/memory/layout.ts";
import { PEER_FIELD, peerWord } from "../../src/memory/peers.ts";
import { type Arena, doubleAt, fieldWord, wordOf } from "../../src/memory/region.ts";
import { SESSION_FIELD, sessionWord } from "../../src/memory/sessions.ts";
import { RANDOM_MASK } from "../../src/wire/receiver-index.ts";
import { formatSockaddr } from "../../src/wire/sockaddr.ts";
import { type Ledger, Violation } from "./ledger.ts";

const HEARD_LOCK = fieldWord(PEER.fields.heardLock);
const HEARD_AGAINST = fieldWord(PEER.fields.heardAgainst);
const HEARD = fieldWord(PEER.fields.heard);
const LAST_COUNTER = SESSION.fields.lastCounter;
const HEADER_BYTES = 16;

/** A datagram, and where it comes from. */
export interface Arrived {
  readonly datagram: Buffer;
  readonly from: Uint8Array;
}

export class Moves {
  readonly #arena: Arena;
  readonly #ledger: Pick<Ledger, "isSealed">;
  /** Where each peer is. */
  #ways: readonly string[] = [];
  /** `peer place` of what may move one. */
  #reasons: ReadonlySet<string> = new Set();

  constructor(arena: Arena, ledger: Pick<Ledger, "isSealed">) {
    this.#arena = arena;
    this.#ledger = ledger;
  }

  /** A turn begins, which takes these. */
  before(arrived: readonly Arrived[]): void {
    this.#ways = this.#look();
    const reasons = arrived.map((one) => `${this.#mover(one)} ${formatSockaddr(one.from)}`);
    this.#reasons = new Set(reasons);
  }

  /** It has ended. Returns how many peers moved. Errors: Violation. */
  after(): number {
    let moved = 0;
    for (const [peer, way] of this.#look().entries()) {
      if (way === this.#ways[peer]) continue;
      moved++;
      if (this.#reasons.has(`${peer} ${way}`)) continue;
      throw new Violation(
        `peer ${peer} moved to ${way}: by nothing that was its newest from there`,
      );
    }
    return moved;
  }

  /** As io_way.c reads them. */
  #look(): string[] {
    const { u8, u32, layout } = this.#arena;
    return Array.from({ length: layout.count.peers }, (_, peer) => {
      const word = peerWord(this.#arena, peer);
      const isHeard =
        u32[word + HEARD_LOCK] !== 0 &&
        u32[word + HEARD_AGAINST] === u32[word + PEER_FIELD.endpointLock];
      const at = (word + (isHeard ? HEARD : PEER_FIELD.endpoint)) * 4;
      return formatSockaddr(u8.subarray(at, at + PEER.fields.endpoint.bytes)) ?? "nowhere";
    });
  }

  /** The peer whose session this is the newest datagram of; -1: nobody's. */
  #mover({ datagram }: Arrived): number {
    if (datagram.length < HEADER_BYTES || !this.#ledger.isSealed(datagram)) return -1;
    const { u32, u64 } = this.#arena;
    const index = datagram.readUInt32LE(4);
    const indices = wordOf(this.#arena, "receiverIndices", 4, 0);
    const session = u32[indices + (index & RANDOM_MASK)]! - 1;
    if (session < 0) return -1;
    const word = sessionWord(this.#arena, session);
    const isNewest = datagram.readBigUInt64LE(8) >= u64[doubleAt(word, LAST_COUNTER)]!;
    const isIts = u32[word + SESSION_FIELD.localIndex] === index && isNewest;
    return isIts ? u32[word + SESSION_FIELD.peer]! : -1;
  }
}
