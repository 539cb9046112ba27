/**
 * members-index — an index node of a simulated network: the real table of callers, and a small
 * service over it that keeps pairs, and may lie.
 *
 * It verifies nothing, as the worst of index nodes: members have to.
 */
import { idOfRecord } from "../../src/control/network/statement.ts";
import type { IndexPlace } from "../../src/control/network/world.ts";
import { type Caller, Callers } from "../../src/directory/callers.ts";
import { makeCard } from "../../src/directory/card.ts";
import { addressTarget, nodeTarget } from "../../src/directory/targets.ts";
import { decodeCertificate } from "../../src/members/certificate.ts";
import { decodeList, standingOf } from "../../src/members/revocation-list.ts";
import { channelKind } from "../../src/wire/channel.ts";
import { isNewer } from "../../src/wire/digests.ts";
import {
  decodeAsk,
  decodeIndexPiece,
  decodePassed,
  decodeReport,
  decodeWantPiece,
  encodeFound,
  encodeObserved,
  encodePassed,
  encodeShow,
  encodeWantPiece,
  MESSAGE,
  PIECE_OF,
  pieceOf,
  type Report,
  type Standings,
} from "../../src/wire/index-messages.ts";
import type { Pair } from "../../src/wire/intro.ts";
import { sockaddrHost, sockaddrPort } from "../../src/wire/sockaddr.ts";
import type { Resident } from "./members-air.ts";
import { DEFINITION, FIRST_LIST, type Identity, identityOf } from "./members-fleet.ts";
import { mac, sockaddrOf } from "./members-places.ts";
import type { Stage } from "./members-stage.ts";
import { Random } from "./random.ts";

const RATE = { perSecond: 10_000, burst: 10_000 };
const TICK_MS = 10_000;
/** Members that one is shown at a time. */
const SHOWN_MAX = 8;
const NO_LOCAL = new Uint8Array(0);

/** What a liar does to what it says. */
export type Lie = (message: Uint8Array, to: Caller) => readonly Uint8Array[];

/** Identities from here on are those of index nodes, and so are places. */
const NUMBERS_FROM = 40_000;
const PLACES_FROM = 60_000;

/** Index nodes that are up. */
export const openIndexes = (stage: Stage, count: number): VirtualIndex[] =>
  Array.from({ length: count }, (_, i) => {
    const server = new VirtualIndex(stage, NUMBERS_FROM + i, PLACES_FROM + i);
    server.start();
    return server;
  });

const honest: Lie = (message) => [message];

interface Kept {
  readonly pair: Pair;
  readonly id: number;
  /** Of its handshake key. */
  readonly key: Uint8Array;
}

export class VirtualIndex implements Resident {
  readonly #stage: Stage;
  readonly identity: Identity;
  place: number;
  life = 0;
  bytesIn = 0;
  bytesOut = 0;
  /** Every message goes through this. */
  lie: Lie = honest;
  /** Bytes of KNOCKs and OPENs that came, and of what answered them, by where they came from. */
  readonly #strangers = new Map<string, { in: number; out: number }>();
  #callers: Callers | null = null;
  readonly #kept = new Map<number, Kept>();
  #list = FIRST_LIST;
  readonly #random: Random;

  constructor(stage: Stage, number: number, place: number) {
    this.#stage = stage;
    this.identity = identityOf(number);
    this.place = place;
    this.#random = new Random(stage.seed, place);
  }

  /** As the configuration of members has it. `named`: they know who it is. */
  at(named: boolean): IndexPlace {
    const nodeKey = named ? this.identity.signing.publicKey : null;
    const sockaddrs = [sockaddrOf(this.place)];
    return { name: `index-${this.identity.number}:1`, nodeKey, sockaddrs, problem: null };
  }

  get isUp(): boolean {
    return this.#callers !== null;
  }

  get callers(): number {
    return this.#callers?.size ?? 0;
  }

  get listSequence(): number {
    return this.#list.sequence;
  }

  start(): void {
    const { signing, handshakeKey } = this.identity;
    const keys = { nodeKey: signing.publicKey, handshakeKey: handshakeKey.publicKey };
    const { networkId } = DEFINITION;
    const card = makeCard(networkId, keys, signing.secretKey);
    this.life++;
    this.#stage.air.place(this, sockaddrHost(sockaddrOf(this.place)));
    this.#callers = new Callers({
      us: handshakeKey,
      networks: () => [{ networkId, card }],
      mayKnock: () => true,
      mayAnswer: () => true,
      open: (caller, payload) => this.#report(caller, payload),
      message: (caller, type, plain) => type === 10 && this.#message(caller, plain),
      onGone: () => {},
      mac,
      randomBytes: (bytes) => this.#random.bytes(bytes),
      send: (datagram, to) => this.#send(datagram, to),
      count: (what, amount) => this.#stage.count(what, amount),
      sources: { take: () => true },
      rates: { cards: RATE, opens: RATE, source: RATE, messages: RATE },
      callersMax: 20_000,
      joinersMax: 100,
    });
    this.#tick(this.life);
  }

  #tick(life: number): void {
    this.#stage.time.after(TICK_MS, () => {
      if (this.life !== life || this.#callers === null) return;
      this.#callers.tick(this.#nowMs);
      this.#tick(life);
    });
  }

  /** It is gone without a word; what it keeps is kept. */
  stop(): void {
    this.#callers?.stop();
    this.#callers = null;
  }

  get #nowMs(): number {
    return this.#stage.time.nowMs + 1;
  }

  #strange(address: Uint8Array): { in: number; out: number } {
    const key = Buffer.from(address).toString("hex");
    const known = this.#strangers.get(key) ?? { in: 0, out: 0 };
    this.#strangers.set(key, known);
    return known;
  }

  #send(datagram: Uint8Array, to: Uint8Array): boolean {
    const { air } = this.#stage;
    const other = air.at(to);
    const kind = channelKind(datagram);
    if (kind === "card" || kind === "opened") this.#strange(to).out += datagram.length;
    if (other === undefined) this.bytesOut += datagram.length + 28;
    else {
      const from = sockaddrOf(this.place);
      air.send(this, other, datagram.length, () => other.datagram(datagram, from));
    }
    return true;
  }

  datagram(bytes: Uint8Array, from: Uint8Array): void {
    const kind = channelKind(bytes);
    if (kind === "knock" || kind === "open") this.#strange(from).in += bytes.length;
    if (kind === null) this.#stage.count("indexJunk", 1);
    else this.#callers?.datagram(kind, bytes, from, NO_LOCAL, this.#nowMs);
  }

  // -------------------------------------------------------------------------------------------
  // What it does

  #say(caller: Caller, message: Uint8Array): void {
    for (const one of this.lie(message, caller)) this.#callers?.say(caller, one);
  }

  #standings(): Standings {
    const definition = { chain: 0, sequence: DEFINITION.sequence };
    return { list: standingOf(this.#list), definition, epoch: this.#list.epoch };
  }

  /** What OPENED says. */
  #report(caller: Caller, message: Uint8Array): Uint8Array | null {
    const report = message[0] === MESSAGE.report ? decodeReport(message) : null;
    if (report === null) return null;
    this.#keep(report, caller);
    this.#stage.time.after(0, () => this.#follow(caller, report));
    return this.lie(this.#observed(caller), caller)[0] ?? null;
  }

  #observed(caller: Caller): Uint8Array {
    const address = sockaddrHost(caller.sockaddr);
    const port = sockaddrPort(caller.sockaddr);
    const members = this.#kept.size;
    return encodeObserved({ address, port, againS: 120, members, standings: this.#standings() });
  }

  #keep({ pair }: Report, caller: Caller): void {
    const id = pair === null ? null : idOfRecord(pair.record);
    if (pair === null || id === null) return;
    const { certificate, record } = pair;
    const kept = { certificate: certificate.slice(), record: record.slice() };
    this.#kept.set(id, { pair: kept, id, key: caller.key.slice() });
  }

  /** After its answer: others, whom it may want to know, and lists. */
  #follow(caller: Caller, report: Report): void {
    const others = [...this.#kept.values()].filter(({ key }) => Buffer.compare(key, caller.key));
    const from = report.others ? this.#random.below(Math.max(1, others.length)) : 0;
    const some = [...others.slice(from), ...others.slice(0, from)].slice(0, SHOWN_MAX);
    if (report.others) {
      for (const { pair } of some) this.#say(caller, encodeShow(MESSAGE.shown, pair));
    }
    if (isNewer(report.standings.list, standingOf(this.#list))) {
      this.#say(caller, encodeWantPiece({ what: PIECE_OF.revocations, offset: 0 }));
    }
  }

  #message(caller: Caller, message: Uint8Array): boolean {
    switch (message[0]) {
      case MESSAGE.report: {
        const report = decodeReport(message);
        if (report === null) return false;
        this.#keep(report, caller);
        this.#say(caller, this.#observed(caller));
        this.#follow(caller, report);
        return true;
      }
      case MESSAGE.ask: {
        const ask = decodeAsk(message);
        if (ask === null) return false;
        const pair = this.#find(ask.target);
        this.#say(caller, encodeFound({ question: ask.question, pair }));
        return true;
      }
      case MESSAGE.forward:
        return this.#forward(caller, message);
      case MESSAGE.wantPiece: {
        const want = decodeWantPiece(message);
        const piece =
          want && pieceOf(want, { standing: standingOf(this.#list), bytes: this.#list.bytes });
        if (piece !== null) this.#say(caller, piece);
        return piece !== null;
      }
      case MESSAGE.piece:
        return this.#piece(message);
      case MESSAGE.bye:
        this.#callers?.dismiss(caller);
        return true;
      default:
        return false;
    }
  }

  #find(target: Uint8Array): Pair | null {
    const { networkId } = DEFINITION;
    for (const { pair } of this.#kept.values()) {
      const read = decodeCertificate(pair.certificate);
      if (!read.ok) continue;
      const { nodeKey, addresses } = read.value;
      const targets = [nodeTarget(networkId, nodeKey)];
      targets.push(...addresses.map((address) => addressTarget(networkId, address)));
      if (targets.some((one) => Buffer.compare(one.target, target) === 0)) return pair;
    }
    return null;
  }

  #forward(caller: Caller, message: Uint8Array): boolean {
    const passed = decodePassed(message);
    const from = [...this.#kept.values()].find(({ key }) => !Buffer.compare(key, caller.key));
    const to = passed && this.#kept.get(passed.id);
    const callee = to && this.#callers?.byKey(DEFINITION.networkId, to.key);
    if (passed === null || from === undefined || !callee) return false;
    const { body } = passed;
    this.#say(callee, encodePassed(MESSAGE.forwarded, { id: from.id, body }));
    return true;
  }

  /** Lists of tests are short: one piece. */
  #piece(message: Uint8Array): boolean {
    const piece = decodeIndexPiece(message);
    if (piece === null || piece.bytes.length !== piece.total) return false;
    const list = decodeList(piece.bytes.slice());
    if (list.ok && isNewer(standingOf(list.value), standingOf(this.#list))) this.#list = list.value;
    return list.ok;
  }

  /** Nobody was told more than it said, before its channel was open. */
  get isModest(): boolean {
    return [...this.#strangers.values()].every((one) => one.out <= one.in);
  }
}
