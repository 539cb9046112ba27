/**
 * crowd-member — one member of a crowd: keys, certificate and record, a real socket on an address
 * of its own, and the engine's own index node (control/network/index-node.ts) over it.
 *
 * It does what control/network/indexes.ts does with what comes, but for intake: who is shown is
 * counted and forgotten.
 */
import { randomBytes } from "node:crypto";
import { createSocket, type Socket } from "node:dgram";
import { IndexNode } from "../../src/control/network/index-node.ts";
import { Lists } from "../../src/directory/lists.ts";
import type { Definition } from "../../src/members/definition.ts";
import type { RevocationList } from "../../src/members/revocation-list.ts";
import { channelKind, DIRECTORY_TYPE, PROOF } from "../../src/wire/channel.ts";
import { parseAddress } from "../../src/wire/cidr.ts";
import {
  decodeFound,
  decodeIndexPiece,
  decodeNotify,
  decodeObserved,
  decodeWantPiece,
  encodeReport,
  MESSAGE,
  PIECE_OF,
  type Standings,
} from "../../src/wire/index-messages.ts";
import type { Pair } from "../../src/wire/intro.ts";
import { makeSockaddr } from "../../src/wire/sockaddr.ts";
import type { Member } from "../unit/service-parts.ts";

/** IPv4 and UDP headers. */
const HEADER_BYTES = 28;

/** What members of a crowd have in common, and may change while it runs. */
export interface Manners {
  /** A NAT is between each and the index node, or so it seems: 25 s, not 100. */
  behindNat: boolean;
  /** Each has been told of others for so long after its first channel. Units: milliseconds. */
  readonly curiousMs: number;
}

/** What a crowd's members have sent and got, all of them. */
export interface Traffic {
  bytesOut: number;
  bytesIn: number;
  datagramsOut: number;
  datagramsIn: number;
  shown: number;
  /** BYEs. */
  byes: number;
}

export const nothingPassed = (): Traffic => ({
  ...{ bytesOut: 0, bytesIn: 0, datagramsOut: 0, datagramsIn: 0, shown: 0, byes: 0 },
});

export interface CrowdMemberOptions {
  readonly member: Member;
  readonly pair: Pair;
  readonly definition: Definition;
  readonly list: RevocationList | null;
  readonly index: { readonly address: string; readonly port: number };
  readonly manners: Manners;
  readonly traffic: Traffic;
}

export class CrowdMember {
  readonly member: Member;
  readonly node: IndexNode;
  readonly lists: Lists;
  pair: Pair;
  readonly #options: CrowdMemberOptions;
  readonly #sockaddr: Uint8Array;
  readonly #socket: Socket;
  readonly #questions = new Map<number, (pair: Pair | null) => void>();
  #firstMs = Number.POSITIVE_INFINITY;
  /** Channels that were opened, and when the last one was. */
  opened = 0;
  openedMs = Number.NEGATIVE_INFINITY;
  onDirectory: (bytes: Uint8Array) => void = () => undefined;

  private constructor(options: CrowdMemberOptions, socket: Socket) {
    const { member, definition, list, index } = options;
    this.#options = options;
    this.member = member;
    this.pair = options.pair;
    this.#socket = socket;
    this.lists = new Lists(definition, list);
    this.#sockaddr = makeSockaddr(parseAddress(index.address)!, index.port);
    const place = { nodeKey: null, sockaddrs: [this.#sockaddr], problem: null };
    this.node = new IndexNode(this.#nodeOptions(), { name: "index", ...place }, null);
    socket.on("message", (bytes) => this.#datagram(bytes));
    // Nobody listens there for a while.
    socket.on("error", () => undefined);
  }

  /** Resolves when its socket is bound there. Errors: Error of the system. */
  static open(address: string, options: CrowdMemberOptions): Promise<CrowdMember> {
    return new Promise((resolve, reject) => {
      const lookup = (host: string, _: unknown, done: (e: null, a: string, f: number) => void) =>
        done(null, host, 4);
      const socket = createSocket({ type: "udp4", lookup: lookup as never });
      socket.once("error", reject);
      socket.bind({ address, exclusive: true }, () => {
        socket.removeListener("error", reject);
        resolve(new CrowdMember(options, socket));
      });
    });
  }

  #nodeOptions(): ConstructorParameters<typeof IndexNode>[0] {
    const { member, index, traffic } = this.#options;
    return {
      networkId: member.lab.networkId,
      us: member.identity,
      proof: () => ({ proof: PROOF.none, low: 0, key: null }),
      payload: () => this.#report(true),
      report: (withPair) => this.#report(withPair),
      world: {
        random: Math.random,
        randomBytes: (bytes) => new Uint8Array(randomBytes(bytes)),
        count: () => undefined,
        sendDatagram: (datagram) => {
          traffic.datagramsOut++;
          traffic.bytesOut += datagram.length + HEADER_BYTES;
          this.#socket.send(datagram, index.port, index.address, () => undefined);
          return true;
        },
      },
      onOpen: (_, answer, nowMs) => {
        this.opened++;
        this.openedMs = nowMs;
        this.#firstMs = Math.min(this.#firstMs, nowMs);
        this.#message(answer, nowMs);
      },
      onMessage: (_, type, plain, nowMs) => {
        if (type === DIRECTORY_TYPE) this.onDirectory(plain);
        else this.#message(plain, nowMs);
      },
      onSilent: () => undefined,
      onPinned: () => undefined,
      onOther: () => undefined,
    };
  }

  #isCurious(nowMs: number): boolean {
    return nowMs - this.#firstMs < this.#options.manners.curiousMs;
  }

  #report(withPair: boolean): Uint8Array {
    return encodeReport({
      others: this.#isCurious(performance.now()),
      sequence: 1,
      standings: this.lists.standings,
      pair: withPair ? this.pair : null,
    });
  }

  #datagram(bytes: Buffer): void {
    const { traffic } = this.#options;
    const nowMs = performance.now();
    traffic.datagramsIn++;
    traffic.bytesIn += bytes.length + HEADER_BYTES;
    const kind = channelKind(bytes);
    if (kind === null || !this.node.datagram(kind, bytes, this.#sockaddr, nowMs)) return;
    this.tick(nowMs);
  }

  tick(nowMs: number): void {
    if (nowMs >= this.node.dueMs) this.node.tick(nowMs);
  }

  // -------------------------------------------------------------------------------------------
  // What the index node says

  #message(message: Uint8Array, nowMs: number): void {
    const { manners, traffic } = this.#options;
    switch (message[0]) {
      case MESSAGE.observed: {
        const said = decodeObserved(message)!;
        this.node.observed(said, !manners.behindNat, this.#isCurious(nowMs), nowMs);
        this.#compare(said.standings, nowMs);
        return;
      }
      case MESSAGE.notify:
        this.#compare(decodeNotify(message)!, nowMs);
        return;
      case MESSAGE.piece: {
        const whole = this.node.pull.take(decodeIndexPiece(message)!, nowMs);
        if (whole !== null) this.lists.take(PIECE_OF.revocations, whole);
        return;
      }
      case MESSAGE.wantPiece: {
        const piece = this.lists.piece(decodeWantPiece(message)!);
        if (piece !== null) this.node.say(piece);
        return;
      }
      case MESSAGE.shown:
        traffic.shown++;
        return;
      case MESSAGE.found: {
        const found = decodeFound(message)!;
        this.#questions.get(found.question)?.(found.pair);
        return;
      }
      case MESSAGE.bye:
        traffic.byes++;
        this.node.closed(nowMs);
    }
  }

  #compare(standings: Standings, nowMs: number): void {
    const what = this.lists.lacks(standings);
    if (what !== null) this.node.pull.begin(what, nowMs);
  }

  /** An answer to a question; it may be lost, and then none comes. */
  onFound(question: number, answer: (pair: Pair | null) => void): void {
    this.#questions.set(question, answer);
  }

  close(): void {
    this.node.stop();
    this.#socket.close();
  }
}
