/**
 * callee — one callee as its caller sees it: the channel that is opened, kept, and opened anew.
 *
 *     idle ──call()──▶ knocking ──CARD──▶ opening ──OPENED──▶ open ──close(), an hour──▶ …
 *
 * A callee may be flooded: what is lost is sent again soon, and more rarely as time goes by. It is
 * pinned when its node key is known, of the configuration or of an earlier card. An open channel
 * goes on while a new one is opened in its place. Pure: clock, randomness and sending come in.
 *
 * Source: docs/PROTOCOL.md, "Channels: types 10 and 14". Times are boot-clock milliseconds.
 * Thread: control, or the index node's.
 */
import { equal } from "../noise/mac.ts";
import { CARD, type ChannelKind, receiverOf } from "../wire/channel.ts";
import { field } from "../wire/handshake.ts";
import { INDEX_TYPE } from "../wire/intro.ts";
import { sameSockaddr } from "../wire/sockaddr.ts";
import { viewOf } from "../wire/u64.ts";
import { type CardKeys, type KnockProof, makeKnock, readCard } from "./card.ts";
import { Channel } from "./channel.ts";
import { consumeOpened, createOpen, type KeyPair, type Opening, wipeOpening } from "./opening.ts";

/**
 * Tuning: what is not answered is sent again: often at first, then ever more rarely. A KNOCK costs
 * a callee less than an OPEN, of which many at once may come to one that has just begun.
 */
const KNOCK_MS = 100;
const OPEN_MS = 200;
const SOON_TIMES = 100;
const LATER_MS = 1_000;
const LATEST_MS = 60_000;
/** Tuning: an OPEN that is not answered so often has a KNOCK beside it: its ticket may be old. */
const OPENS_MAX = 10;
/**
 * Tuning: OPENs that are sent soon. Whoever answers KNOCKs and so many OPENs in silence refuses us,
 * and is asked ever more rarely, each time with a new ticket.
 */
const OPENS_SOON = 300;
/** Tuning: a channel's keys are used so long. */
const LIFE_MS = 3_600_000;
/** Tuning: a CARD answers one of the last KNOCKs. */
const NAMES_MAX = 16;
const KEY_BYTES = 32;
const NONCE_BYTES = 16;
const NEVER = Number.POSITIVE_INFINITY;

export interface CalleeOptions {
  readonly networkId: Uint8Array;
  /** Where it is. */
  readonly sockaddr: Uint8Array;
  /** Nobody else is believed to be there; null: whoever is, from its first card on. */
  readonly nodeKey: Uint8Array | null;
  /** Our handshake pair. Borrowed. */
  readonly us: KeyPair;
  /** PURPOSE: as whom we open. */
  readonly purpose: number;
  readonly proof: () => KnockProof;
  /** What OPEN says; null: not yet. OPEN_PLAIN_BYTES at most. */
  readonly payload: () => Uint8Array | null;
  /** A card came: is an OPEN to go? Absent: it is. */
  readonly mayOpen?: () => boolean;
  readonly random: () => number;
  readonly randomBytes: (bytes: number) => Uint8Array;
  readonly send: (datagram: Uint8Array, to: Uint8Array) => boolean;
  /** A channel is open, or a new one in place of it; `answer`: what OPENED says. */
  readonly onOpen: (answer: Uint8Array, nowMs: number) => void;
  /** A message of type 10, or bytes of the directory (14). Borrowed. */
  readonly onMessage: (type: number, plain: Uint8Array, nowMs: number) => void;
  /** Somebody else answers there: its node key. */
  readonly onOther: (nodeKey: Uint8Array) => void;
}

export type CalleeState = "idle" | "knocking" | "opening" | "open";

export class Callee {
  readonly #options: CalleeOptions;
  #channel: Channel | null = null;
  /** Our number of the open channel, and of the one that is being opened. */
  #number = 0;
  #nextNumber = 0;
  #openedMs = Number.NEGATIVE_INFINITY;
  #pinned: Uint8Array | null;
  readonly #names: Uint8Array[] = [];
  #opening: Opening | null = null;
  #card: (CardKeys & { readonly ticket: Uint8Array }) | null = null;
  #tries = 0;
  /** With this ticket, and in a row with any. */
  #opens = 0;
  #refused = 0;
  #calling = false;
  dueMs = NEVER;
  /** When something that authenticated came last. */
  heardMs = Number.NEGATIVE_INFINITY;

  constructor(options: CalleeOptions) {
    this.#options = options;
    this.#pinned = options.nodeKey;
  }

  get sockaddr(): Uint8Array {
    return this.#options.sockaddr;
  }

  /** Who is there, as far as it is known. */
  get nodeKey(): Uint8Array | null {
    return this.#pinned;
  }

  get state(): CalleeState {
    if (this.#channel !== null) return "open";
    if (!this.#calling) return "idle";
    return this.#opening === null ? "knocking" : "opening";
  }

  /** An OPEN is on its way, if only in place of an open channel, and may be answered still. */
  get isOpening(): boolean {
    return this.#opening !== null && !this.#wantsCard;
  }

  /** Another one opens in its place: it knocks again. */
  giveWay(): void {
    this.#forgetCard();
  }

  /** Attempts in a row that were not answered. */
  get tries(): number {
    return this.#tries;
  }

  /**
   * Opens a channel, or a new one in place of an old one; soon, if it was about to wait.
   * `elsewhere`: our address is another, so what was sent before says nothing, and no ticket fits.
   */
  call(nowMs: number, elsewhere = false): void {
    if (!this.#calling) this.#begin();
    if (elsewhere) this.#forgetCard();
    this.#tries = elsewhere ? 0 : Math.min(this.#tries, SOON_TIMES);
    this.#refused = elsewhere ? 0 : Math.min(this.#refused, OPENS_SOON);
    this.dueMs = Math.min(this.dueMs, nowMs);
  }

  #begin(): void {
    this.#calling = true;
    this.#tries = 0;
    this.#opens = 0;
    this.#refused = 0;
    this.#names.length = 0;
    this.#nextNumber = viewOf(this.#options.randomBytes(4)).getUint32(0, true);
  }

  tick(nowMs: number): void {
    if (nowMs < this.dueMs) return;
    if (!this.#calling) this.#begin();
    const wants = this.#wantsCard;
    if (this.#card !== null && !(wants && this.#isRefused)) this.#open();
    if (wants) this.#knock();
    this.#tries++;
    this.dueMs = nowMs + this.#waitMs();
  }

  get #isRefused(): boolean {
    return this.#refused > OPENS_SOON;
  }

  /** There is none, or its ticket may be old. */
  get #wantsCard(): boolean {
    return this.#card === null || this.#opens > (this.#isRefused ? 0 : OPENS_MAX);
  }

  /** With a tenth of chance, so that many callers do not knock in step. */
  #waitMs(): number {
    const over = Math.max(this.#tries - SOON_TIMES, this.#refused - OPENS_SOON);
    const soonMs = this.#card === null ? KNOCK_MS : OPEN_MS;
    const waitMs = over <= 0 ? soonMs : Math.min(LATEST_MS, LATER_MS * 1.3 ** over);
    return waitMs * (0.95 + 0.1 * this.#options.random());
  }

  #knock(): void {
    const { networkId, proof, randomBytes, send, sockaddr } = this.#options;
    const name = randomBytes(NONCE_BYTES);
    if (this.#names.length >= NAMES_MAX) this.#names.shift();
    this.#names.push(name);
    send(makeKnock(networkId, name, proof()), sockaddr);
  }

  /** The same OPEN again while its answer may come: whoever answers a copy of it answers it. */
  #open(): void {
    const { networkId, purpose, us, payload, randomBytes, send, sockaddr } = this.#options;
    if (this.#opening === null) {
      const said = payload();
      if (said === null || this.#card === null) return;
      this.#opening = createOpen({
        networkId,
        purpose,
        ticket: this.#card.ticket,
        sender: this.#nextNumber,
        us,
        callee: this.#card.handshakeKey,
        payload: said,
        ephemeralPrivate: randomBytes(KEY_BYTES),
      });
    }
    if (this.#opening === null) this.#forgetCard();
    else send(this.#opening.datagram, sockaddr);
    this.#opens++;
    this.#refused++;
  }

  #forgetCard(): void {
    if (this.#opening !== null) wipeOpening(this.#opening);
    this.#opening = null;
    this.#card = null;
    this.#opens = 0;
  }

  /** Is the datagram of this channel, or for this opening? By our numbers, and its address. */
  takes(kind: ChannelKind, datagram: Uint8Array, from: Uint8Array): boolean {
    if (!sameSockaddr(from, this.#options.sockaddr)) return false;
    if (kind === "card") {
      const name = field(datagram, CARD.name);
      return this.#names.some((one) => equal(one, name));
    }
    const receiver = receiverOf(datagram);
    if (kind === "opened") return this.#opening !== null && receiver === this.#nextNumber;
    return this.#channel !== null && receiver === this.#number;
  }

  /** One that takes() said is ours. False: it is forged, or comes too late. Borrows. */
  datagram(kind: ChannelKind, datagram: Uint8Array, nowMs: number): boolean {
    if (kind === "card") return this.#carded(datagram, nowMs);
    if (kind === "opened") return this.#opened(datagram, nowMs);
    const plain = this.#channel?.open(datagram) ?? null;
    if (plain === null) return false;
    this.heardMs = nowMs;
    this.#options.onMessage(datagram[0]!, plain, nowMs);
    return true;
  }

  #carded(datagram: Uint8Array, nowMs: number): boolean {
    if (!this.#wantsCard) return true;
    const keys = readCard(datagram, this.#options.networkId);
    if (keys === null) return false;
    if (this.#pinned !== null && !equal(this.#pinned, keys.nodeKey)) {
      this.#options.onOther(keys.nodeKey.slice());
      return false;
    }
    if (this.#options.mayOpen?.() === false) return true;
    const ticket = field(datagram, CARD.ticket).slice();
    const [nodeKey, handshakeKey] = [keys.nodeKey.slice(), keys.handshakeKey.slice()];
    this.#forgetCard();
    this.#card = { ticket, nodeKey, handshakeKey };
    this.#names.length = 0;
    this.#tries = 0;
    this.dueMs = nowMs;
    this.tick(nowMs);
    return true;
  }

  #opened(datagram: Uint8Array, nowMs: number): boolean {
    const opened = this.#opening && consumeOpened(this.#opening, datagram);
    if (opened === null || this.#card === null) return false;
    // It has shown that it holds the handshake key of its card.
    this.#pinned ??= this.#card.nodeKey;
    this.#channel?.wipe();
    this.#channel = new Channel(opened.keys, opened.number);
    this.#number = this.#nextNumber;
    this.#openedMs = nowMs;
    this.heardMs = nowMs;
    this.#calling = false;
    this.#tries = 0;
    this.#names.length = 0;
    this.#forgetCard();
    this.dueMs = nowMs + LIFE_MS * (0.9 + 0.1 * this.#options.random());
    this.#options.onOpen(opened.payload, nowMs);
    return true;
  }

  /** When the channel was opened; -Infinity: it never was. */
  get openedMs(): number {
    return this.#openedMs;
  }

  /** A message of type 10 unless told otherwise. False: there is no channel, or it was refused. */
  say(plain: Uint8Array, type = INDEX_TYPE): boolean {
    const datagram = this.#channel?.seal(type, plain) ?? null;
    return datagram !== null && this.#options.send(datagram, this.#options.sockaddr);
  }

  /** The channel is gone, or not wanted any more; nothing is sent until call(). */
  close(): void {
    this.#channel?.wipe();
    this.#channel = null;
    this.#calling = false;
    this.#forgetCard();
    this.#names.length = 0;
    this.dueMs = NEVER;
  }
}
