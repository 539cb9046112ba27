/**
 * callers — who has a channel with us, at a callee: how far strangers come, and what callers say.
 *
 *     KNOCK ── known network, tag ── budget ─▶ CARD, as long as the KNOCK
 *     OPEN  ── ticket ── its source's budget, all's ── not seen yet ─▶ Noise ─▶ open() ─▶ OPENED
 *     CHANNEL, DIRECTORY ── number, address ── seal ── caller's budget ─▶ message(); BYE: it goes
 *
 * Nothing that a stranger sends is answered by more than it sent, or remembered; refusals are
 * silent and counted. A caller that moved opens anew. Everything has a bound. Pure: clock,
 * randomness and sending come in.
 *
 * Source: docs/PROTOCOL.md, "Channels: types 10 and 14"; security.md 22. Times are boot-clock
 * milliseconds. Thread: control, or the index node's.
 */
import { Bucket, type Rate } from "../control/strangers/limiter.ts";
import { channelOf, TICKET_FOR, Tickets } from "../control/strangers/tickets.ts";
import type { Mac } from "../noise/mac.ts";
import { type ChannelKind, KNOCK, OPEN, PURPOSE, receiverOf } from "../wire/channel.ts";
import { field } from "../wire/handshake.ts";
import { MESSAGE } from "../wire/index-messages.ts";
import { INDEX_TYPE } from "../wire/intro.ts";
import { sameSockaddr } from "../wire/sockaddr.ts";
import { viewOf } from "../wire/u64.ts";
import { answerKnock } from "./card.ts";
import { Channel } from "./channel.ts";
import { Crowd } from "./crowd.ts";
import { consumeOpen, createOpened, type KeyPair } from "./opening.ts";

/** Tuning: a caller of whom nothing was heard for so long is forgotten. */
const IDLE_MS = 240_000;
/** Tuning: OPENs that are remembered, so that a copy costs no curve arithmetic. */
const SEEN_MAX = 4_096;
/** Tuning: OPENs of one caller that are known as long as its channel is there. */
const OPENS_KNOWN = 8;
/** Numbers of channels: the place in the table, and random bits above. */
const PLACE_BITS = 16;
const KEY_BYTES = 32;
const BYE = Uint8Array.of(MESSAGE.bye);

/** Tuning: budgets of a callee. An index node has larger ones than a member. */
export interface CallerRates {
  /** CARDs that answer KNOCKs. */
  readonly cards: Rate;
  /** OPENs with a ticket: all sources together. */
  readonly opens: Rate;
  /** The same, of one IPv4 address or IPv6 /64. */
  readonly source: Rate;
  /** Of one caller: messages that are looked into. */
  readonly messages: Rate;
}

/** What was refused, by name. */
// biome-ignore format: a table
export const CALLER_COUNTS = [
  "knockUnknown", "knockTag", "knockBusy", "openTicket", "openSource", "openBusy", "openReplayed",
  "openSealed", "openRefused", "callersFull", "callersEvicted", "joinersEvicted",
  "channelUnknown", "channelMoved", "channelSealed", "channelRate", "channelInvalid",
] as const;
export type CallerCount = (typeof CALLER_COUNTS)[number];

/** Somebody with a channel. */
export interface Caller {
  readonly networkId: Uint8Array;
  readonly purpose: number;
  /** Its handshake key, which it holds. */
  readonly key: Uint8Array;
  /** Where it is. */
  readonly sockaddr: Uint8Array;
  /** Our address that it called; to send from. */
  readonly local: Uint8Array;
  readonly openedMs: number;
  readonly heardMs: number;
}

interface Entry extends Caller {
  readonly number: number;
  readonly channel: Channel;
  readonly budget: Bucket;
  /** Ephemeral keys of its OPENs, the newest last: a copy of one takes no channel away. */
  readonly opens: readonly string[];
  /** OPENED, until its caller says something: it may have been lost. */
  answer: Uint8Array | null;
  heardMs: number;
}

/** Of which network an OPEN is, is known by the ticket's purpose: networks are few. */
export interface CalleeNetwork {
  readonly networkId: Uint8Array;
  /** Of makeCard(). */
  readonly card: Uint8Array;
}

export interface CallersOptions {
  readonly us: KeyPair;
  /** Up to 200. */
  readonly networks: () => readonly CalleeNetwork[];
  /** Is the KNOCK's tag good enough for an answer? */
  readonly mayKnock: (knock: Uint8Array, networkId: Uint8Array) => boolean;
  /** May a stranger there be answered? It may cost an entry of the kernel's neighbours. */
  readonly mayAnswer: (to: Uint8Array, local: Uint8Array, nowMs: number) => boolean;
  /**
   * Somebody proved its handshake key and says this (OPEN_PLAIN_BYTES, borrowed). What OPENED says;
   * null: it is refused, in silence.
   */
  readonly open: (caller: Caller, payload: Uint8Array, nowMs: number) => Uint8Array | null;
  /** A message of type 10, or bytes of the directory (14). Borrowed. False: it means nothing. */
  readonly message: (caller: Caller, type: number, plain: Uint8Array, nowMs: number) => boolean;
  /** It is not there any more; one of the same key may have taken its place. */
  readonly onGone: (caller: Caller) => void;
  readonly mac: Mac;
  readonly randomBytes: (bytes: number) => Uint8Array;
  readonly send: (datagram: Uint8Array, to: Uint8Array, local: Uint8Array) => boolean;
  readonly count: (what: CallerCount, amount: number) => void;
  /** May one of this source go on? Asked after a valid ticket. */
  readonly sources: { take(sockaddr: Uint8Array, nowMs: number): boolean };
  readonly rates: CallerRates;
  /** Members and joiners; 65,536 at most. */
  readonly callersMax: number;
  /** Joiners of these: one more takes the place of the oldest, of the network that has most. */
  readonly joinersMax: number;
}

const keyText = (...keys: readonly Uint8Array[]): string => Buffer.concat(keys).toString("latin1");

export class Callers {
  readonly #options: CallersOptions;
  readonly #tickets: Tickets;
  readonly #cards: Bucket;
  readonly #opens: Bucket;
  /** By place. */
  readonly #entries = new Map<number, Entry>();
  /** By network and handshake key: networks on one callee know nothing of each other. */
  readonly #byKey = new Map<string, Entry>();
  /** All of #entries, and those that join. */
  readonly #crowd = new Crowd<Entry>();
  readonly #joiners = new Crowd<Entry>();
  /** OPENs that were taken, by ephemeral key, and whose they are; oldest first. */
  readonly #seen = new Map<string, Entry | null>();
  #nextPlace = 0;

  constructor(options: CallersOptions) {
    this.#options = options;
    this.#tickets = new Tickets(options.mac, options.randomBytes);
    this.#cards = new Bucket(options.rates.cards);
    this.#opens = new Bucket(options.rates.opens);
  }

  get size(): number {
    return this.#entries.size;
  }

  /** All that are there, in no order. */
  all(): Iterable<Caller> {
    return this.#entries.values();
  }

  get joiners(): number {
    return this.#joiners.size;
  }

  /** The caller of this network with this handshake key. */
  byKey(networkId: Uint8Array, key: Uint8Array): Caller | undefined {
    return this.#byKey.get(keyText(networkId, key));
  }

  #entryFor({ networkId, key }: Pick<Caller, "networkId" | "key">): Entry | undefined {
    return this.#byKey.get(keyText(networkId, key));
  }

  /** Is the number of a sealed datagram one of ours? For who is callee and caller on one port. */
  knows(datagram: Uint8Array): boolean {
    return this.#entryOf(datagram) !== undefined;
  }

  /** A datagram of type 10 or 14 that channelKind() knows and no callee of ours sent. Borrows. */
  datagram(
    kind: ChannelKind,
    datagram: Uint8Array,
    from: Uint8Array,
    local: Uint8Array,
    nowMs: number,
  ): void {
    const refused =
      kind === "knock"
        ? this.#knock(datagram, from, local, nowMs)
        : kind === "open"
          ? this.#open(datagram, from, local, nowMs)
          : this.#sealed(kind, datagram, from, nowMs);
    if (refused !== null) this.#options.count(refused, 1);
  }

  #knock(
    knock: Uint8Array,
    from: Uint8Array,
    local: Uint8Array,
    nowMs: number,
  ): CallerCount | null {
    const { networks, mayKnock, mayAnswer, send } = this.#options;
    const networkId = field(knock, KNOCK.networkId);
    const all = networks();
    const at = all.findIndex((one) => Buffer.compare(one.networkId, networkId) === 0);
    if (at < 0) return "knockUnknown";
    if (!mayKnock(knock, networkId)) return "knockTag";
    if (!mayAnswer(from, local, nowMs) || !this.#cards.take(nowMs)) return "knockBusy";
    const ticket = this.#tickets.make(from, TICKET_FOR.channel + at, nowMs);
    send(answerKnock(all[at]!.card, knock, ticket), from, local);
    return null;
  }

  #open(open: Uint8Array, from: Uint8Array, local: Uint8Array, nowMs: number): CallerCount | null {
    const { networks, sources } = this.#options;
    const ticket = field(open, OPEN.ticket);
    const network = networks()[channelOf(ticket)];
    const isGood = network && this.#tickets.valid(ticket, from, ticket[0]!, nowMs);
    if (!isGood) return "openTicket";
    const ephemeral = keyText(field(open, OPEN.ephemeral));
    if (this.#seen.has(ephemeral)) return this.#again(ephemeral, nowMs);
    if (!sources.take(from, nowMs)) return "openSource";
    if (!this.#opens.take(nowMs)) return "openBusy";
    return this.#begin({ open, networkId: network.networkId, ephemeral }, from, local, nowMs);
  }

  #begin(
    what: {
      readonly open: Uint8Array;
      readonly networkId: Uint8Array;
      readonly ephemeral: string;
    },
    from: Uint8Array,
    local: Uint8Array,
    nowMs: number,
  ): CallerCount | null {
    const { us, randomBytes, send, open: consider } = this.#options;
    const opened = consumeOpen(what.open, what.networkId, us);
    if (opened === null) return "openSealed";
    if (this.#seen.size >= SEEN_MAX) this.#seen.delete(this.#seen.keys().next().value!);
    this.#seen.set(what.ephemeral, null);
    const caller: Caller = {
      networkId: what.networkId,
      purpose: what.open[OPEN.purpose.at]!,
      key: opened.caller.slice(),
      sockaddr: from.slice(),
      local: local.slice(),
      openedMs: nowMs,
      heardMs: nowMs,
    };
    const before = this.#entryFor(caller);
    const opens = before?.opens ?? [];
    if (opens.includes(what.ephemeral)) return "openReplayed";
    if (!this.#hasRoom(caller, nowMs)) return "callersFull";
    const { callerNumber } = opened;
    const payload = consider(caller, opened.payload, nowMs);
    if (payload === null) return "openRefused";
    const place = this.#nextFree();
    const random = viewOf(randomBytes(4)).getUint16(0, true);
    const number = random * 2 ** PLACE_BITS + place;
    const parts = { sender: number, payload, ephemeralPrivate: randomBytes(KEY_BYTES) };
    const made = createOpened(opened, parts);
    if (made === null) {
      this.#options.onGone(caller);
      return "openSealed";
    }
    const channel = new Channel(made.keys, callerNumber);
    const budget = before?.budget ?? new Bucket(this.#options.rates.messages);
    const rest = { number, channel, budget, answer: made.datagram };
    const known = [...opens, what.ephemeral].slice(-OPENS_KNOWN);
    const entry: Entry = Object.assign(caller, rest, { opens: known });
    this.#put(place, entry);
    this.#seen.set(what.ephemeral, entry);
    send(made.datagram, from, local);
    return null;
  }

  /** An OPEN that came before: its answer may have been lost. The ticket fits the address. */
  #again(ephemeral: string, nowMs: number): CallerCount | null {
    const entry = this.#seen.get(ephemeral);
    if (entry === undefined || entry === null || entry.answer === null) return "openReplayed";
    if (!this.#cards.take(nowMs)) return "openBusy";
    this.#options.send(entry.answer, entry.sockaddr, entry.local);
    return null;
  }

  /** Is there a place for one more, or does one go for it? */
  #hasRoom(caller: Caller, nowMs: number): boolean {
    const { callersMax } = this.#options;
    if (this.#entryFor(caller) !== undefined || this.#entries.size < callersMax) return true;
    this.tick(nowMs);
    return this.#entries.size < callersMax || this.#makesWay(caller) !== undefined;
  }

  /** Who goes where there is no more room: a joiner, or else one of a larger network. */
  #makesWay(comer: Caller): Entry | undefined {
    const joiner = this.#joiners.makesWay(comer, true);
    if (joiner !== undefined || comer.purpose === PURPOSE.joiner) return joiner;
    return this.#crowd.makesWay(comer, false);
  }

  #nextFree(): number {
    do this.#nextPlace = (this.#nextPlace + 1) % 2 ** PLACE_BITS;
    while (this.#entries.has(this.#nextPlace));
    return this.#nextPlace;
  }

  #put(place: number, entry: Entry): void {
    const { callersMax, joinersMax, count } = this.#options;
    const before = this.#entryFor(entry);
    if (before !== undefined) this.#forget(before);
    const joins = entry.purpose === PURPOSE.joiner;
    const isFull = this.#entries.size >= callersMax;
    const tooMany = isFull || (joins && this.#joiners.size >= joinersMax);
    const goes = tooMany ? this.#makesWay(entry) : undefined;
    if (goes !== undefined) {
      const evicted = goes.purpose === PURPOSE.joiner ? "joinersEvicted" : "callersEvicted";
      // A member turns to another one at once.
      if (evicted === "callersEvicted") this.say(goes, Uint8Array.of(MESSAGE.bye));
      this.#forget(goes);
      count(evicted, 1);
    }
    this.#entries.set(place, entry);
    this.#crowd.add(entry);
    this.#byKey.set(keyText(entry.networkId, entry.key), entry);
    if (joins) this.#joiners.add(entry);
  }

  #entryOf(datagram: Uint8Array): Entry | undefined {
    const number = receiverOf(datagram);
    const entry = this.#entries.get(number % 2 ** PLACE_BITS);
    return entry?.number === number ? entry : undefined;
  }

  #sealed(
    kind: ChannelKind,
    datagram: Uint8Array,
    from: Uint8Array,
    nowMs: number,
  ): CallerCount | null {
    const entry = kind === "card" || kind === "opened" ? undefined : this.#entryOf(datagram);
    if (entry === undefined) return "channelUnknown";
    if (!sameSockaddr(entry.sockaddr, from)) return "channelMoved";
    const plain = entry.channel.open(datagram);
    if (plain === null) return "channelSealed";
    entry.heardMs = nowMs;
    entry.answer = null;
    if (!entry.budget.take(nowMs)) return "channelRate";
    const type = datagram[0]!;
    if (type === INDEX_TYPE && plain[0] === MESSAGE.bye) {
      this.#forget(entry);
      return null;
    }
    return this.#options.message(entry, type, plain, nowMs) ? null : "channelInvalid";
  }

  /** A message of type 10 unless told otherwise. False: it is gone, or sending was refused. */
  say(caller: Caller, plain: Uint8Array, type = INDEX_TYPE): boolean {
    const entry = this.#entryFor(caller);
    const datagram = entry?.channel.seal(type, plain) ?? null;
    if (entry === undefined || datagram === null) return false;
    return this.#options.send(datagram, entry.sockaddr, entry.local);
  }

  /** It is not welcome any more. */
  dismiss(caller: Caller): void {
    const entry = this.#entryFor(caller);
    if (entry === caller) this.#forget(entry);
  }

  #forget(entry: Entry): void {
    entry.channel.wipe();
    entry.answer = null;
    this.#entries.delete(entry.number % 2 ** PLACE_BITS);
    this.#byKey.delete(keyText(entry.networkId, entry.key));
    this.#crowd.delete(entry);
    this.#joiners.delete(entry);
    this.#options.onGone(entry);
  }

  /** Forgets who is silent: to be called now and then. */
  tick(nowMs: number): void {
    for (const entry of this.#entries.values()) {
      if (nowMs - entry.heardMs >= IDLE_MS) this.#forget(entry);
    }
  }

  /** Callers are told, so that they turn to another one at once; keys are zeroed. */
  stop(): void {
    for (const entry of [...this.#entries.values()]) {
      this.say(entry, BYE);
      this.#forget(entry);
    }
    this.#tickets.wipe();
  }
}
