/**
 * indexes — the index nodes of the configuration: what we tell them, and what becomes of what they
 * say.
 *
 *     OBSERVED ──▶ where we are seen (observed.ts) · who has a newer list or definition (pieces)
 *     SHOWN ─────▶ intake, as of a stranger         FOUND ──▶ whoever asked (seeker.ts)
 *     FORWARDED ─▶ somebody wants to be called (forwards.ts)
 *
 * An index node is trusted with nothing: it may withhold, delay, say what is old, and send us to
 * wrong places. Nothing of it counts that no authority or member signed. Thread: control.
 */
import { type Name, nameOf } from "../../directory/names.ts";
import { type ChannelKind, DIRECTORY_TYPE } from "../../wire/channel.ts";
import { isNewer } from "../../wire/digests.ts";
import {
  decodeFound,
  decodeIndexPiece,
  decodeNotify,
  decodeObserved,
  decodePassed,
  decodeShow,
  decodeWantPiece,
  encodeAsk,
  type IndexPiece,
  MESSAGE,
  type Passed,
  PIECE_OF,
  pieceOf,
  type Standings,
} from "../../wire/index-messages.ts";
import type { Pair } from "../../wire/intro.ts";
import { Bucket, type Rate } from "../strangers/limiter.ts";
import type { CountName } from "./counts.ts";
import type { Directory } from "./directory.ts";
import { IndexNode, type IndexNodeOptions } from "./index-node.ts";
import { knockProof, ownReport } from "./own-report.ts";
import type { Parts } from "./parts.ts";
import { NOBODY } from "./refusals.ts";
import { idOfRecord } from "./statement.ts";
import type { NetworkWorld } from "./world.ts";

/** Tuning: messages of one index node, and pairs that it shows unasked. */
const MESSAGES: Rate = { perSecond: 200, burst: 400 };
const SHOWN: Rate = { perSecond: 50, burst: 200 };
/** Tuning: pieces that one index node is given. */
const PIECES: Rate = { perSecond: 100, burst: 100 };
/** Tuning: names are asked for again while one does not answer: doubled each time, at most. */
const NAMES_MS = 2_000;
const NAMES_MAX_MS = 60_000;
const NEVER = Number.POSITIVE_INFINITY;

export interface IndexesOptions {
  readonly parts: Parts;
  readonly world: NetworkWorld;
  readonly handshakeKey: IndexNodeOptions["us"];
  /** An answer to ask(), and whose; null: it knows none. Borrows: the pair. */
  readonly onFound: (by: string, question: number, pair: Pair | null, nowMs: number) => void;
  /** Somebody wants to be called, or this index node says so. Null: it is. Borrows. */
  readonly onForwarded: (by: string, passed: Passed, nowMs: number) => CountName | null;
  readonly directory: Pick<Directory, "message">;
  /** Others answer by now, or some do not any more. */
  readonly onOpenChanged: () => void;
  /** TOKENS of this host, which enrols; null: it does not. */
  readonly tokens: () => Uint8Array | null;
  /** What is answered to a JOIN_WAITS; null: nothing. Borrows. */
  readonly onJoin: (message: Uint8Array) => Uint8Array | null;
}

/** What is counted for one index node. */
interface Budgets {
  readonly messages: Bucket;
  readonly shown: Bucket;
  readonly pieces: Bucket;
}

export class Indexes {
  readonly #options: IndexesOptions;
  readonly #nodes: readonly IndexNode[];
  readonly #budgets = new Map<IndexNode, Budgets>();
  readonly #pins: Map<string, Uint8Array>;
  /** When names are asked for again, and how often they were since one fell silent. */
  #namesMs: number;
  #namesAsked = 0;

  constructor(options: IndexesOptions) {
    const { parts, world } = options;
    this.#options = options;
    this.#pins = parts.disk.readIndexes();
    this.#nodes = world.indexes().map((place) => {
      const node = new IndexNode(this.#nodeOptions(), place, this.#pins.get(place.name) ?? null);
      this.#budgets.set(node, {
        messages: new Bucket(MESSAGES),
        shown: new Bucket(SHOWN),
        pieces: new Bucket(PIECES),
      });
      return node;
    });
    const nowMs = world.bootMs();
    for (const node of this.#nodes) node.call(nowMs);
    this.#namesMs = nowMs + NAMES_MS;
  }

  #nodeOptions(): IndexNodeOptions {
    const { parts, world, handshakeKey } = this.#options;
    return {
      world,
      networkId: parts.authority.definition.networkId,
      us: handshakeKey,
      proof: () => knockProof(parts),
      payload: () => this.#report(true),
      report: (withPair) => this.#report(withPair),
      onOpen: (node, answer, nowMs) => this.#opened(node, answer, nowMs),
      onMessage: (node, type, plain, nowMs) => {
        const isDirectory = type === DIRECTORY_TYPE && node.nodeKey !== null;
        if (isDirectory) this.#options.directory.message(nameOf(node.nodeKey!), plain);
        const why = isDirectory ? null : this.#message(node, plain, nowMs);
        if (why !== null) parts.count(why, 1);
      },
      onSilent: (node) => {
        parts.count("indexesLost", 1);
        parts.observed.silent(node.name);
        this.#options.onOpenChanged();
        this.#namesAsked = 0;
        this.#askNames(world.bootMs());
      },
      onPinned: (node) => {
        this.#pins.set(node.name, node.nodeKey!);
        parts.disk.keepIndexes(this.#pins);
      },
      onOther: () => parts.count("indexOther", 1),
    };
  }

  get all(): readonly IndexNode[] {
    return this.#nodes;
  }

  /** Those that answer. */
  get open(): readonly IndexNode[] {
    return this.#nodes.filter((node) => node.isOpen);
  }

  // -------------------------------------------------------------------------------------------
  // What we say

  /** Null: there is no record of ours yet. */
  #report(withPair: boolean): Uint8Array | null {
    return ownReport(this.#options.parts, withPair, this.#wantsOthers());
  }

  /** Who has sessions hears of others there; who knows fewer than an index node does is parted. */
  #wantsOthers(): boolean {
    const { links, members } = this.#options.parts;
    return links.size === 0 || this.#nodes.some(({ said }) => (said?.members ?? 0) > members.size);
  }

  /** Something that they should know has changed. `withPair`: our record. */
  report(withPair: boolean, nowMs: number): void {
    for (const node of this.#nodes) node.reportNow(withPair, nowMs);
  }

  /** Invitations have changed. */
  sayTokens(): void {
    const tokens = this.#options.tokens();
    if (tokens !== null) this.say(tokens);
  }

  /** We are somewhere else: their channels are another address's. */
  callAgain(nowMs: number): void {
    for (const node of this.#nodes) node.call(nowMs, true);
  }

  /** Bytes of the directory to one of them. False: it does not answer. Borrows: `bytes`. */
  sayDirectory(name: Name, bytes: Uint8Array): boolean {
    const node = this.open.find(({ nodeKey }) => nodeKey !== null && nameOf(nodeKey) === name);
    return node?.say(bytes, DIRECTORY_TYPE) ?? false;
  }

  /** Asks those that answer who has a target. How many were asked. */
  ask(question: number, target: Uint8Array): number {
    const message = encodeAsk({ question, target });
    return this.open.filter((node) => node.say(message)).length;
  }

  /** Says a message to all that answer. How many. */
  say(message: Uint8Array): number {
    return this.open.filter((node) => node.say(message)).length;
  }

  // -------------------------------------------------------------------------------------------
  // Time, names

  get dueMs(): number {
    let dueMs = this.#namesMs;
    for (const node of this.#nodes) dueMs = Math.min(dueMs, node.dueMs);
    return dueMs;
  }

  tick(nowMs: number): void {
    for (const node of this.#nodes) node.tick(nowMs);
    if (nowMs >= this.#namesMs) this.#askNames(nowMs);
  }

  /** Names lead somewhere, or elsewhere. */
  moved(nowMs: number): void {
    for (const place of this.#options.world.indexes()) {
      this.#nodes.find(({ name }) => name === place.name)?.moved(place, nowMs);
    }
  }

  /** One that moves is somewhere else only after it fell silent: so they are asked for again. */
  #askNames(nowMs: number): void {
    const allAnswer = this.open.length === this.#nodes.length;
    const pauseMs = Math.min(NAMES_MAX_MS, NAMES_MS * 2 ** this.#namesAsked++);
    this.#namesMs = allAnswer ? NEVER : nowMs + pauseMs;
    for (const node of this.#nodes) node.callOthers(nowMs);
    if (!allAnswer) this.#options.world.askIndexNames();
  }

  // -------------------------------------------------------------------------------------------
  // What comes

  /**
   * A datagram of type 10 or 14 that channelKind() knows. False: it is none of our calls. Borrows.
   */
  datagram(kind: ChannelKind, datagram: Uint8Array, from: Uint8Array, nowMs: number): boolean {
    if (kind === "knock" || kind === "open") return false;
    return this.#nodes.some((node) => node.datagram(kind, datagram, from, nowMs));
  }

  #opened(node: IndexNode, answer: Uint8Array, nowMs: number): void {
    const why = this.#message(node, answer, nowMs);
    if (why !== null) this.#options.parts.count(why, 1);
    const tokens = this.#options.tokens();
    if (tokens !== null) node.say(tokens);
    this.#options.onOpenChanged();
    // Whatever it said: it has to be asked whether it is there.
    if (node.said === null || why !== null) node.reportNow(false, nowMs);
  }

  /** Why it is refused; null: it was taken. Borrows. */
  #message(node: IndexNode, message: Uint8Array, nowMs: number): CountName | null {
    const { onFound, onForwarded } = this.#options;
    const budgets = this.#budgets.get(node)!;
    if (!budgets.messages.take(nowMs)) return "indexRate";
    switch (message[0]) {
      case MESSAGE.observed:
        return this.#observed(node, message, nowMs);
      case MESSAGE.notify: {
        const standings = decodeNotify(message);
        if (standings === null) return "indexInvalid";
        this.#compare(node, standings, nowMs);
        return null;
      }
      case MESSAGE.shown:
        return budgets.shown.take(nowMs) ? this.#shown(message) : "indexRate";
      case MESSAGE.found: {
        const found = decodeFound(message);
        if (found === null) return "indexInvalid";
        onFound(node.name, found.question, found.pair, nowMs);
        return null;
      }
      case MESSAGE.forwarded: {
        const passed = decodePassed(message);
        return passed === null ? "indexInvalid" : onForwarded(node.name, passed, nowMs);
      }
      case MESSAGE.piece: {
        const piece = decodeIndexPiece(message);
        return piece === null ? "indexInvalid" : this.#piece(node, piece, nowMs);
      }
      case MESSAGE.wantPiece:
        return budgets.pieces.take(nowMs) ? this.#give(node, message) : "indexRate";
      case MESSAGE.joinWaits: {
        const answer = this.#options.onJoin(message);
        if (answer !== null) node.say(answer);
        return null;
      }
      case MESSAGE.bye:
        node.closed(nowMs);
        return null;
      default:
        return "indexInvalid";
    }
  }

  #observed(node: IndexNode, message: Uint8Array, nowMs: number): CountName | null {
    const { observed, clock } = this.#options.parts;
    const said = decodeObserved(message);
    if (said === null) return "indexInvalid";
    const { address, port, standings, clockMs } = said;
    node.clockAheadMs = clockMs > 0 && clock.trusted ? clockMs - clock.nowMs() : null;
    const right = observed.heard(node.name, address, port, nowMs);
    const own = observed.isOwnAt(address, port);
    const { links, members } = this.#options.parts;
    node.observed(said, own, links.size === 0 || said.members > members.size, nowMs);
    this.#compare(node, standings, nowMs);
    return right ? null : "indexWrong";
  }

  /** Somebody whom we may want to know: as of a stranger. */
  #shown(message: Uint8Array): CountName | null {
    const { intake } = this.#options.parts;
    const pair = decodeShow(message);
    const id = pair === null ? null : idOfRecord(pair.record);
    if (pair === null || id === null) return "indexInvalid";
    return intake.take(pair, id, "index", null) ? null : "checksFull";
  }

  // -------------------------------------------------------------------------------------------
  // Lists and definitions

  /** It has a newer one: it is fetched; the definition first, since it says whose lists count. */
  #compare(node: IndexNode, { list, definition }: Standings, nowMs: number): void {
    const { authority } = this.#options.parts;
    if (isNewer(definition, authority.defined)) node.pull.begin(PIECE_OF.definition, nowMs);
    if (isNewer(list, authority.revocations.standing)) {
      node.pull.begin(PIECE_OF.revocations, nowMs);
    }
  }

  #piece(node: IndexNode, piece: IndexPiece, nowMs: number): CountName | null {
    const { authority, refusals, clock } = this.#options.parts;
    const whole = node.pull.take(piece, nowMs);
    if (whole === null) return null;
    const isList = piece.what === PIECE_OF.revocations;
    // A member may have brought it meanwhile.
    const ours = isList ? authority.revocations.standing : authority.defined;
    if (!isNewer(piece.standing, ours)) return null;
    const why = isList ? authority.takeList(whole, nowMs) : authority.takeDefinition(whole, nowMs);
    if (why === null) {
      if (node.said !== null) this.#compare(node, node.said.standings, nowMs);
      return null;
    }
    node.pull.distrust(nowMs);
    refusals.add(NOBODY, "indexWrong", `the index node ${node.name}: ${why}`, clock.certificateS());
    return null;
  }

  /** A piece of ours, for one that has an older one. */
  #give(node: IndexNode, message: Uint8Array): CountName | null {
    const want = decodeWantPiece(message);
    if (want === null) return "indexInvalid";
    const piece = pieceOf(want, this.#options.parts.authority.whole(want.what));
    if (piece !== null) node.say(piece);
    return null;
  }

  /** They are told that we go. */
  stop(): void {
    this.say(Uint8Array.of(MESSAGE.bye));
    for (const node of this.#nodes) node.stop();
  }
}
