/**
 * intro — what strangers and members say to each other before there is a session: INTRO, WHO, HERE
 * and CHALLENGE, at both ends.
 *
 *     caller                                       called, whom it may not know
 *     message 1, INTRO               ────────▶     no ticket: nothing is opened
 *                                    ◀────────     CHALLENGE with a ticket for that address
 *     INTRO with ticket, message 1   ────────▶     opened, verified: introduced; message 2
 *
 *     WHO, to a bare address         ────────▶
 *     introduced, as `here`          ◀────────     HERE, with a ticket
 *
 * Whatever arrives comes from strangers: each check is cheaper than the next, each refusal has a
 * counter of its own, and no answer is longer than its request. Who has no secret of the network
 * gets none at all. Message 1 never triggers a look-up (security.md 17): an INTRO comes before it.
 *
 * Source: docs/PROTOCOL.md, "Before a session: types 9 and 10"; security.md 17, 22, 25, 38.
 * Times are boot-clock milliseconds. Thread: control.
 */
import { equal, type Mac } from "../../noise/mac.ts";
import { field } from "../../wire/handshake.ts";
import { CHALLENGE, INTRO, INTRO_TYPE, type Pair, strangeKind } from "../../wire/intro.ts";
import { NO_TICKET, TICKET_AGE_MS, TICKET_FOR, Tickets } from "../strangers/tickets.ts";
import { type Asked, Asking } from "./asking.ts";
import { Calls, type CallTo } from "./calls.ts";
import { type EpochKeys, type EpochSecret, Epochs } from "./epochs.ts";
import { HeldTickets } from "./held-tickets.ts";
import { Seen } from "./seen.ts";
import { StrangeBudgets, type StrangeRates } from "./strange-budgets.ts";
import {
  type KeyPair,
  nameOf,
  openHere,
  openIntro,
  sealChallenge,
  sealHere,
  sealIntro,
  sealWho,
  tagValid,
} from "./strange-seal.ts";

/** Rows of DROPS and COUNTS that are counted here. */
export type IntroCount =
  | "introInvalid"
  | "introRate"
  | "introEpoch"
  | "introTag"
  | "introOld"
  | "introChallenged"
  | "introUnanswered"
  | "introNeighbour"
  | "introReplayed"
  | "introSource"
  | "introBusy"
  | "introSealed"
  | "challengeUnexpected"
  | "hereUnexpected"
  | "hereInvalid"
  | "introsSent"
  | "introsTaken"
  | "whosAnswered"
  | "challengesTaken"
  | "heresTaken";

/** What it needs of the rest. `Handle`: a peer, which is never looked into. */
export interface IntroOptions<Handle extends object> {
  readonly world: {
    /** 0 up to 1. */
    readonly random: () => number;
    readonly randomBytes: (bytes: number) => Uint8Array;
    /** Keyed BLAKE2s with 16 bytes of output. */
    readonly mac: Mac;
    /** From our data port. `local`: a sockaddr to send from, or empty. False: it was refused. */
    readonly sendDatagram: (datagram: Uint8Array, to: Uint8Array, local: Uint8Array) => boolean;
    /** A datagram there costs an entry of the kernel's table of neighbours (load.ts). */
    readonly isUnknownNeighbour: (to: Uint8Array, local: Uint8Array) => boolean;
    /** The message 1 to the peer that is on its way goes there once more, as it was. */
    readonly callAgain: (handle: Handle, to: Uint8Array) => void;
    readonly count: (what: IntroCount, amount: number) => void;
  };
  /** Certificate and record that we show; null: not yet. */
  readonly own: () => Pair | null;
  /** Our X25519 pair. Borrows: it stays the caller's. */
  readonly handshakeKey: KeyPair;
  /** Secrets of the network, 16 at most. */
  readonly secrets: () => readonly EpochSecret[];
  /** We have no session with a member: addresses are asked more often. */
  readonly alone: () => boolean;
  /**
   * Somebody showed itself: it is verified, refusals are counted, and a member is admitted. Null:
   * it is none, or there is no room. Borrows: `shown` and `from`.
   */
  readonly introduced: (shown: Pair, from: Uint8Array, way: "intro" | "here") => Handle | null;
}

/**
 * Tuning: INTROs with a ticket that are remembered while a ticket may count, so that a copy costs
 * no curve arithmetic.
 */
const SEEN_MOST = 1_024;
const EPHEMERAL_BYTES = 32;
const HERE_NONCE_BYTES = 24;
const ANY_LOCAL = new Uint8Array(0);

/** A datagram of type 9 whose length, type and kind are right, and how it came. */
interface Arrived {
  readonly datagram: Uint8Array;
  readonly from: Uint8Array;
  readonly local: Uint8Array;
  readonly nowMs: number;
}

export class Intro<Handle extends object> {
  readonly #options: IntroOptions<Handle>;
  readonly #epochs = new Epochs();
  readonly #tickets: Tickets;
  readonly #budgets: StrangeBudgets;
  readonly #held = new HeldTickets();
  readonly #calls = new Calls<Handle>();
  readonly #asking: Asking;
  readonly #seen = new Seen(SEEN_MOST, 2 * TICKET_AGE_MS);
  /** When the last of those that go behind a message 1 came. */
  #behindMs = Number.POSITIVE_INFINITY;

  constructor(options: IntroOptions<Handle>, rates?: StrangeRates) {
    const { mac, random, randomBytes, isUnknownNeighbour } = options.world;
    this.#options = options;
    this.#tickets = new Tickets(mac, randomBytes);
    this.#budgets = new StrangeBudgets({ mac, random: randomBytes, isUnknownNeighbour }, rates);
    this.#asking = new Asking(random);
    this.renew();
  }

  // -------------------------------------------------------------------------------------------
  // What is said

  /** When to call tick(), at the latest. */
  get dueMs(): number {
    return Math.min(this.#behindMs, this.#asking.dueMs);
  }

  /** What is held for others: bounded, whatever arrives. For tests and reports. */
  get held(): { readonly calls: number; readonly asked: number; readonly seen: number } {
    return { calls: this.#calls.size, asked: this.#asking.size, seen: this.#seen.size };
  }

  /** Sends what is due. */
  tick(nowMs: number): void {
    this.#behindMs = Number.POSITIVE_INFINITY;
    for (const { call, to } of this.#calls.takeBehind()) this.#callWith({ call, to }, nowMs);
    for (const asked of this.#asking.due(nowMs)) this.#ask(asked, nowMs);
  }

  /**
   * A message 1 to a member is just going to an address, and it may not know us. An INTRO goes
   * before it, if we have a ticket. Else it goes behind it: to one that knows us the answer to
   * message 1 is then faster than the CHALLENGE. Borrows: all but `handle`.
   */
  introduce(handle: Handle, handshakeKey: Uint8Array, to: Uint8Array, nowMs: number): void {
    const call = this.#calls.open(handle, handshakeKey);
    if (this.#held.of(to, nowMs) !== undefined) this.#callWith({ call, to }, nowMs);
    else {
      this.#calls.sendBehind(call, to);
      this.#behindMs = Math.min(this.#behindMs, nowMs);
    }
  }

  /** Asks an address who it is, until it answers. False: too many are asked. Borrows: `to`. */
  ask(to: Uint8Array, nowMs: number): boolean {
    return this.#begin(to, null, nowMs);
  }

  /** Asks it once, with the secret of the epoch whose lowest byte is `low`. */
  askOnce(to: Uint8Array, low: number, nowMs: number): boolean {
    return this.#begin(to, low, nowMs);
  }

  /** It is of no interest any more who is there. */
  unask(to: Uint8Array): void {
    this.#asking.end(to);
  }

  /** A session with the member began: nothing more is sent to introduce us. */
  met(handshakeKey: Uint8Array): void {
    this.#calls.settle(handshakeKey);
  }

  /** Secrets have changed. */
  renew(): void {
    this.#epochs.hold(this.#options.secrets());
  }

  /** Zeroes what is secret; not to be used afterwards. */
  stop(): void {
    this.#epochs.wipe();
    this.#tickets.wipe();
    this.#calls.clear();
  }

  // -------------------------------------------------------------------------------------------
  // What comes

  /** A datagram of type 9 or 10. Borrows: all three. */
  datagram(datagram: Uint8Array, from: Uint8Array, local: Uint8Array, nowMs: number): void {
    const outcome = this.#take({ datagram, from, local, nowMs });
    if (outcome !== null) this.#count(outcome);
  }

  /** What became of it; null: that was counted already. */
  #take(arrived: Arrived): IntroCount | null {
    const { datagram, nowMs } = arrived;
    const strange = strangeKind(datagram);
    if (strange === null) return "introInvalid";
    const type = datagram[0] === INTRO_TYPE ? "intro" : "index";
    if (!this.#budgets.ofType(type, nowMs)) return "introRate";
    const keys = this.#epochs.byLow(strange.epoch);
    if (keys === undefined) return "introEpoch";
    if (strange.kind === "intro") return this.#intro(arrived, keys);
    if (strange.kind === "who") return this.#who(arrived, keys);
    return strange.kind === "here" ? this.#here(arrived, keys) : this.#challenge(arrived, keys);
  }

  #intro(arrived: Arrived, keys: EpochKeys): IntroCount | null {
    const { datagram, from, nowMs } = arrived;
    const { handshakeKey, introduced } = this.#options;
    const refused = this.#knock(arrived, "intro", keys);
    if (refused !== null) return refused;
    if (!this.#hasTicket(arrived)) return this.#answer(arrived, keys);
    // The tag, since it covers all: who alters a copy makes nobody's original one that was seen.
    const name = Buffer.from(field(datagram, INTRO.tag)).toString("latin1");
    if (this.#seen.has(name, nowMs)) return "introReplayed";
    const verdict = this.#budgets.withTicket(from, nowMs);
    if (verdict !== "pass") return verdict;
    this.#seen.add(name, nowMs);
    const pair = openIntro(datagram, handshakeKey);
    if (pair === null) return "introSealed";
    return introduced(pair, from, "intro") === null ? null : "introsTaken";
  }

  /** A CHALLENGE to an INTRO without a ticket. */
  #answer({ datagram, from, local, nowMs }: Arrived, keys: EpochKeys): IntroCount {
    const { world } = this.#options;
    const verdict = this.#budgets.answer("challenges", from, local, nowMs);
    if (verdict !== "pass") return verdict;
    const ticket = this.#tickets.make(from, TICKET_FOR.intro, nowMs);
    world.sendDatagram(sealChallenge(datagram, ticket, keys, world.mac), from, local);
    return "introChallenged";
  }

  #who(arrived: Arrived, keys: EpochKeys): IntroCount {
    const { datagram: who, from, local, nowMs } = arrived;
    const { world, own } = this.#options;
    const refused = this.#knock(arrived, "who", keys);
    if (refused !== null) return refused;
    const pair = own();
    if (pair === null) return "introUnanswered";
    const verdict = this.#hasTicket(arrived)
      ? this.#budgets.withTicket(from, nowMs)
      : this.#budgets.answer("heres", from, local, nowMs);
    if (verdict !== "pass") return verdict;
    const ticket = this.#tickets.make(from, TICKET_FOR.intro, nowMs);
    const nonce = world.randomBytes(HERE_NONCE_BYTES);
    world.sendDatagram(sealHere({ who, keys, pair, ticket, nonce }, world.mac), from, local);
    return "whosAnswered";
  }

  #here({ datagram, from, nowMs }: Arrived, keys: EpochKeys): IntroCount | null {
    const { world, own, introduced } = this.#options;
    if (!this.#asking.expects(from, field(datagram, INTRO.ephemeral))) return "hereUnexpected";
    if (!tagValid(datagram, "here", keys, world.mac)) return "introTag";
    const pair = openHere(datagram, keys);
    if (pair === null) return "hereInvalid";
    const ours = own()?.certificate;
    const isOurs = ours?.length === pair.certificate.length && equal(ours, pair.certificate);
    if (!isOurs && introduced(pair, from, "here") === null) return null;
    this.#asking.end(from);
    this.#held.put(from, field(datagram, INTRO.ticket), keys.low, nowMs);
    return "heresTaken";
  }

  #challenge({ datagram, from, nowMs }: Arrived, keys: EpochKeys): IntroCount {
    const { world } = this.#options;
    const name = field(datagram, CHALLENGE.name);
    const sent = this.#calls.named(name, from);
    if (sent === undefined) return "challengeUnexpected";
    const isTagged = sent.low === keys.low && tagValid(datagram, "challenge", keys, world.mac);
    if (!isTagged) return "introTag";
    this.#calls.challenged(sent, name);
    this.#held.put(from, field(datagram, CHALLENGE.ticket), keys.low, nowMs);
    if (!sent.call.settled) {
      this.#sendIntro(sent, keys, nowMs);
      world.callAgain(sent.call.handle, sent.to);
    }
    return "challengesTaken";
  }

  /** The first checks of INTRO and WHO: does the sender have a secret? Null: it does. */
  #knock({ datagram, nowMs }: Arrived, kind: "intro" | "who", keys: EpochKeys): IntroCount | null {
    if (!tagValid(datagram, kind, keys, this.#options.world.mac)) return "introTag";
    const isOld = keys !== this.#epochs.newest;
    return isOld && !this.#budgets.ofOldSecret(nowMs) ? "introOld" : null;
  }

  #hasTicket({ datagram, from, nowMs }: Arrived): boolean {
    return this.#tickets.valid(field(datagram, INTRO.ticket), from, TICKET_FOR.intro, nowMs);
  }

  // -------------------------------------------------------------------------------------------
  // What goes

  #begin(to: Uint8Array, once: number | null, nowMs: number): boolean {
    const begun = this.#asking.begin(to, once, nowMs);
    for (const asked of this.#asking.due(nowMs)) this.#ask(asked, nowMs);
    return begun;
  }

  #ask(asked: Asked, nowMs: number): void {
    const { world, alone } = this.#options;
    const { attempts, once } = asked;
    const keys = once === null ? this.#epochs.forAttempt(attempts) : this.#epochs.byLow(once);
    const nonce = world.randomBytes(EPHEMERAL_BYTES);
    this.#asking.sent(asked, nonce, alone(), nowMs);
    if (keys === null || keys === undefined) return;
    const ticket = this.#held.of(asked.to, nowMs)?.ticket ?? NO_TICKET;
    const who = sealWho(keys, nonce, ticket, world.mac);
    world.sendDatagram(who, asked.to, ANY_LOCAL);
  }

  /** An INTRO that nobody asked for: with the secret that the other end has, if we know it. */
  #callWith(callTo: CallTo<Handle>, nowMs: number): void {
    const held = this.#held.of(callTo.to, nowMs);
    const known = held === undefined ? undefined : this.#epochs.byLow(held.low);
    const keys = known ?? this.#epochs.forAttempt(callTo.call.attempts++);
    if (keys !== null) this.#sendIntro(callTo, keys, nowMs);
  }

  #sendIntro({ call, to }: CallTo<Handle>, keys: EpochKeys, nowMs: number): void {
    const { world, own } = this.#options;
    const pair = own();
    if (pair === null) return;
    const parts = {
      keys,
      pair,
      receiver: call.handshakeKey,
      ticket: this.#held.of(to, nowMs)?.ticket ?? NO_TICKET,
      ephemeralSecret: world.randomBytes(EPHEMERAL_BYTES),
    };
    const datagram = sealIntro(parts, world.mac);
    if (datagram === null || !world.sendDatagram(datagram, to, ANY_LOCAL)) return;
    this.#calls.sent({ call, to: to.slice(), low: keys.low }, nameOf(datagram));
    this.#count("introsSent");
  }

  #count(what: IntroCount): void {
    this.#options.world.count(what, 1);
  }
}
