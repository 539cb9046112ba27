/**
 * index-node — one index node of the configuration, as its member sees it: where it may be, the
 * channel with it, and the REPORTs that keep it up.
 *
 *     all its addresses are called ──▶ the first that opens is the one ──REPORT, OBSERVED──▶ …
 *              ▲                                                             │
 *              ╰──── its name is asked for again ◀── three REPORTs unanswered ╯
 *
 * It is trusted with nothing: what it says is verified as from a stranger (indexes.ts). Who it is,
 * is known from the configuration, or from first contact on. Thread: control.
 */
import type { CalleeState } from "../../directory/callee.ts";
import type { ChannelKind } from "../../wire/channel.ts";
import type { Observed as ObservedMessage } from "../../wire/index-messages.ts";
import { Contact, type ContactOptions, someOf } from "./contact.ts";
import { Pull } from "./index-pieces.ts";
import type { IndexPlace } from "./world.ts";

/**
 * Tuning: how often it is told that we are there. Behind a NAT, or so it seems, within what cheap
 * ones keep (30 s); else within what a firewall that has seen an answer keeps (120 s).
 */
const NAT_MS = 25_000;
const OPEN_MS = 100_000;
/** Tuning: it may ask for it more often, and so often at most. */
const LEAST_MS = 10_000;
/** Tuning: while others are of interest it is asked soon again: doubled each time. */
const SOON_MS = 1_000;
/** Tuning: a REPORT is answered within this; so many that are not are enough. */
const ANSWER_MS = 1_000;
const UNANSWERED_MAX = 3;
/** Tuning: one that says that it stops is called after so long: doubled each time, at most. */
const CLOSED_MS = 500;
const CLOSED_MAX_MS = 60_000;
const CALM_MS = 600_000;
const NEVER = Number.POSITIVE_INFINITY;

export interface IndexNodeOptions
  extends Pick<ContactOptions, "world" | "networkId" | "us" | "proof" | "payload"> {
  /** A REPORT; null: not yet. */
  readonly report: (withPair: boolean) => Uint8Array | null;
  readonly onOpen: (node: IndexNode, answer: Uint8Array, nowMs: number) => void;
  /** Borrows: `plain`. */
  readonly onMessage: (node: IndexNode, type: number, plain: Uint8Array, nowMs: number) => void;
  /** It does not answer any more, or did not yet. */
  readonly onSilent: (node: IndexNode) => void;
  /** It is known from now on who is there. */
  readonly onPinned: (node: IndexNode) => void;
  /** Somebody else answers at its address. */
  readonly onOther: (node: IndexNode) => void;
}

export class IndexNode {
  readonly #options: IndexNodeOptions;
  /** As the configuration has it. */
  readonly name: string;
  #place: IndexPlace;
  readonly #contact: Contact;
  /** Which of its addresses are called, where it has many. */
  #turn = 0;
  /** Its channel is open, and it does not answer. */
  #silent = false;
  #reportMs = NEVER;
  /** REPORTs since the last OBSERVED. */
  #unanswered = 0;
  /** Our record is to be shown, and was by the last REPORT. */
  #owesPair = false;
  /** OBSERVEDs in a row at which others were of interest. */
  #wanting = 0;
  #showedPair = false;
  #heardMs: number | null = null;
  /** When it is called again; how often it said of late that it stops, and when. */
  #callMs = NEVER;
  #closes = 0;
  #closedMs = Number.NEGATIVE_INFINITY;
  /** Somebody else who answered there. */
  other: Uint8Array | null = null;
  /** How far its clock is ahead of ours; null: it, or we, do not know the time. */
  clockAheadMs: number | null = null;
  /** What it said last; null: nothing. */
  said: ObservedMessage | null = null;
  readonly pull: Pull;

  /** `pinned`: who it was before, of the disk. */
  constructor(options: IndexNodeOptions, place: IndexPlace, pinned: Uint8Array | null) {
    this.#options = options;
    this.name = place.name;
    this.#place = place;
    this.#contact = this.#makeContact(place.nodeKey ?? pinned);
    this.pull = new Pull((message) => this.say(message));
  }

  #makeContact(nodeKey: Uint8Array | null): Contact {
    const { world, networkId, us, proof, payload } = this.#options;
    const parts = { world, networkId, us, proof, payload };
    let isKnown = nodeKey !== null;
    return new Contact(
      {
        ...parts,
        onOpen: (answer, nowMs) => {
          this.#opened(answer, !isKnown, nowMs);
          isKnown = true;
        },
        onMessage: (type, plain, nowMs) => {
          this.#answered(nowMs);
          this.#options.onMessage(this, type, plain, nowMs);
        },
        onOther: (other) => {
          this.other = other;
          this.#options.onOther(this);
        },
      },
      nodeKey,
    );
  }

  // -------------------------------------------------------------------------------------------
  // What it is

  get place(): IndexPlace {
    return this.#place;
  }

  /** Who it is, of the configuration or of an earlier contact; null: not known yet. */
  get nodeKey(): Uint8Array | null {
    return this.#contact.nodeKey;
  }

  /** It answers. */
  get isOpen(): boolean {
    return this.#contact.state === "open" && !this.#silent;
  }

  /** "silent": it was open, and does not answer. */
  get state(): CalleeState | "silent" {
    const { state } = this.#contact;
    return state === "open" && this.#silent ? "silent" : state;
  }

  /** Where its channel is; null: there is none. */
  get sockaddr(): Uint8Array | null {
    return this.#contact.sockaddr;
  }

  get openedMs(): number | null {
    return this.#contact.openedMs;
  }

  /** When it said something last. */
  get heardMs(): number | null {
    return this.#heardMs;
  }

  // -------------------------------------------------------------------------------------------
  // Time

  get dueMs(): number {
    return Math.min(this.#reportMs, this.pull.dueMs, this.#callMs, this.#contact.dueMs);
  }

  tick(nowMs: number): void {
    this.#contact.tick(nowMs);
    this.pull.tick(nowMs);
    if (nowMs >= this.#reportMs) this.#report(nowMs);
    if (nowMs >= this.#callMs) this.call(nowMs);
  }

  /** Its name leads elsewhere, or for the first time somewhere. */
  moved(place: IndexPlace, nowMs: number): void {
    this.#place = place;
    if (!this.isOpen) this.call(nowMs);
  }

  /** Calls it at all its addresses; those that are called already go on. See Contact. */
  call(nowMs: number, elsewhere = false): void {
    this.#callMs = NEVER;
    this.#contact.call(someOf(this.#place.sockaddrs, this.#turn), nowMs, elsewhere);
  }

  /** It does not answer: where it has more addresses than are called at a time, others are. */
  callOthers(nowMs: number): void {
    const { sockaddrs } = this.#place;
    if (this.isOpen || someOf(sockaddrs, 0).length === sockaddrs.length) return;
    this.#turn++;
    this.call(nowMs);
  }

  #opened(answer: Uint8Array, isNew: boolean, nowMs: number): void {
    const { onPinned, onOpen } = this.#options;
    this.other = null;
    this.#owesPair = false;
    this.#unanswered = 0;
    this.#answered(nowMs);
    if (isNew) onPinned(this);
    onOpen(this, answer, nowMs);
  }

  #answered(nowMs: number): void {
    this.#heardMs = nowMs;
    this.#silent = false;
  }

  // -------------------------------------------------------------------------------------------
  // REPORTs

  /**
   * It has observed us: the next REPORT is due when it has to be. `own`: no NAT is between;
   * `others`: it may know members that we do not.
   */
  observed(said: ObservedMessage, own: boolean, others: boolean, nowMs: number): void {
    this.said = said;
    // An answer to an earlier one does not say that this one came.
    if (this.#showedPair && this.#unanswered === 1) this.#owesPair = false;
    this.#unanswered = 0;
    const mostMs = own ? OPEN_MS : NAT_MS;
    const wantedMs = Math.max(LEAST_MS, Math.min(mostMs, 900 * said.againS));
    const soonMs = others ? SOON_MS * 2 ** this.#wanting : wantedMs;
    this.#wanting = others ? this.#wanting + 1 : 0;
    this.#reportMs =
      nowMs + Math.min(wantedMs, soonMs) * (0.9 + 0.1 * this.#options.world.random());
    if (this.#owesPair) this.#reportMs = nowMs + ANSWER_MS;
  }

  /** Something that it should know has changed. `withPair`: our record. */
  reportNow(withPair: boolean, nowMs: number): void {
    if (!this.isOpen) return;
    if (withPair) [this.#owesPair, this.#showedPair] = [true, false];
    this.#reportMs = Math.min(this.#reportMs, nowMs);
  }

  #report(nowMs: number): void {
    if (this.#unanswered >= UNANSWERED_MAX) {
      this.#lost(nowMs);
      return;
    }
    this.#unanswered++;
    this.#reportMs = nowMs + ANSWER_MS;
    this.#showedPair = this.#owesPair;
    const report = this.#options.report(this.#owesPair);
    if (report !== null) this.say(report);
  }

  /** It is gone, or moved, or we did. */
  #lost(callMs: number): void {
    this.#silent = true;
    this.#unanswered = 0;
    this.#reportMs = NEVER;
    this.pull.end();
    this.#options.onSilent(this);
    this.#callMs = callMs;
  }

  // -------------------------------------------------------------------------------------------
  // What comes and goes

  /** A datagram of its channel, or for an opening. False: it is neither. Borrows. */
  datagram(kind: ChannelKind, datagram: Uint8Array, from: Uint8Array, nowMs: number): boolean {
    return this.#contact.datagram(kind, datagram, from, nowMs);
  }

  /** A message of type 10 unless told otherwise. False: there is no channel. */
  say(message: Uint8Array, type?: number): boolean {
    return this.#contact.say(message, type);
  }

  /** It says that it stops: it may be back in a moment. */
  closed(nowMs: number): void {
    const times = nowMs - this.#closedMs > CALM_MS ? 0 : this.#closes + 1;
    this.#closes = times;
    this.#closedMs = nowMs;
    this.#lost(nowMs + Math.min(CLOSED_MAX_MS, CLOSED_MS * 2 ** times));
  }

  stop(): void {
    this.#contact.close();
    this.#reportMs = NEVER;
    this.#callMs = NEVER;
  }
}
