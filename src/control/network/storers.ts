/**
 * storers — members that store for others, as their certificates say, and our channels with them:
 * opened when the directory has something to say to one, closed when there was nothing for a while.
 *
 *     directory ── say(name) ──▶ open: sealed · opening: kept · none: called, and kept
 *     KNOCK ─ CARD ─ OPEN ─ OPENED ──▶ what was kept
 *     two minutes of silence, or room for another ──▶ BYE      no answer ──▶ called anew, then not
 *
 * A storer is a member, and trusted with nothing: bytes of the directory are taken of it, which are
 * verified as of anybody, and nothing else. Thread: control.
 */
import { isRequest } from "../../directory/gate.ts";
import { type Name, nameOf } from "../../directory/names.ts";
import type { KeyPair } from "../../directory/opening.ts";
import { CERTIFICATE_FLAG } from "../../members/certificate.ts";
import { type ChannelKind, DIRECTORY_TYPE } from "../../wire/channel.ts";
import { MESSAGE } from "../../wire/index-messages.ts";
import { Bucket, type Rate } from "../strangers/limiter.ts";
import { Contact, someOf } from "./contact.ts";
import { knockProof, ownReport } from "./own-report.ts";
import type { Parts } from "./parts.ts";
import type { NetworkWorld } from "./world.ts";

/** Tuning: storers that are known: those of the lowest numbers, so that all know the same ones. */
const STORERS_MAX = 1_024;
/** Tuning: channels at a time; for one more, the one goes that was not used for longest. */
const CHANNELS_MAX = 64;
/** Tuning: messages that wait for a channel to open. */
const WAITING_MAX = 8;
/** Tuning: channels that are opened: each costs curve arithmetic, here and there. */
const OPENINGS: Rate = { perSecond: 10, burst: 40 };
/** Tuning: who has not opened by then is left alone for a while: doubled each time, at most. */
const OPEN_MS = 4_000;
const SILENT_MS = 30_000;
const SILENT_MAX_MS = 600_000;
/** Tuning: a question is answered within this, or the channel is opened anew. */
const ANSWER_MS = 2_000;
/** Tuning: a channel that nobody uses is closed: before its callee forgets it. */
const IDLE_MS = 120_000;
/** Tuning: messages of one storer. */
const MESSAGES: Rate = { perSecond: 200, burst: 400 };
/** Tuning: members are looked through for storers so often at most. */
const LOOK_MS = 1_000;
const NEVER = Number.POSITIVE_INFINITY;
const BYE = Uint8Array.of(MESSAGE.bye);

export interface StorersOptions {
  readonly parts: Parts;
  readonly world: NetworkWorld;
  readonly handshakeKey: KeyPair;
  /** Bytes of the directory. Borrows. */
  readonly onMessage: (name: Name, bytes: Uint8Array) => void;
  /** Others store by now. */
  readonly onChanged: () => void;
  readonly wakeBy: (dueMs: number) => void;
}

/** A member that stores. */
interface Storer {
  readonly id: number;
  readonly name: Name;
  readonly nodeKey: Uint8Array;
  readonly messages: Bucket;
  /** Null: there is no channel, and none is being opened. */
  contact: Contact | null;
  /** For a channel that opens. */
  waiting: Uint8Array[];
  /** When its channel has to be open; infinity: it is. */
  openByMs: number;
  /** Since when it owes an answer; infinity: it owes none. */
  owesMs: number;
  usedMs: number;
  /** It was not there: it is not called before. */
  silentToMs: number;
  failures: number;
}

const storerOf = (id: number, nodeKey: Uint8Array): Storer => ({
  ...{ id, nodeKey, name: nameOf(nodeKey), messages: new Bucket(MESSAGES) },
  ...{ contact: null, waiting: [], openByMs: NEVER, owesMs: NEVER },
  ...{ usedMs: 0, silentToMs: Number.NEGATIVE_INFINITY, failures: 0 },
});

export class Storers {
  readonly #options: StorersOptions;
  readonly #storers = new Map<Name, Storer>();
  /** Those that we have a channel with, or open one; the longest unused first. */
  readonly #used = new Set<Storer>();
  readonly #openings = new Bucket(OPENINGS);
  #lookMs: number;
  #lookedMs = Number.NEGATIVE_INFINITY;

  constructor(options: StorersOptions) {
    this.#options = options;
    this.#lookMs = options.world.bootMs();
  }

  /** Names of all that store. */
  get names(): Iterable<Name> {
    return this.#storers.keys();
  }

  get size(): number {
    return this.#storers.size;
  }

  /** Channels that are open. */
  get open(): number {
    return [...this.#used].filter(({ contact }) => contact?.state === "open").length;
  }

  // -------------------------------------------------------------------------------------------
  // Who they are

  /** Members have changed. */
  stale(): void {
    if (this.#lookMs !== NEVER) return;
    this.#lookMs = this.#lookedMs + LOOK_MS;
    this.#options.wakeBy(this.#lookMs);
  }

  #look(nowMs: number): void {
    const { members, ownId } = this.#options.parts;
    this.#lookMs = NEVER;
    this.#lookedMs = nowMs;
    const found: { readonly id: number; readonly nodeKey: Uint8Array }[] = [];
    for (const slot of members.slots()) {
      const { id, owner } = members.at(slot);
      const stores = (owner.flags & CERTIFICATE_FLAG.relay) !== 0;
      if (stores && id !== ownId && !members.isBarred(slot)) {
        found.push({ id, nodeKey: owner.nodeKey });
      }
    }
    found.sort((a, b) => a.id - b.id);
    if (this.#take(found.slice(0, STORERS_MAX))) this.#options.onChanged();
  }

  /** From now on these. True: they are others than before. */
  #take(all: readonly { readonly id: number; readonly nodeKey: Uint8Array }[]): boolean {
    const ids = new Set(all.map(({ id }) => id));
    let changed = false;
    for (const [name, storer] of this.#storers) {
      if (ids.has(storer.id)) {
        ids.delete(storer.id);
        continue;
      }
      this.#close(storer);
      this.#storers.delete(name);
      changed = true;
    }
    for (const { id, nodeKey } of all) {
      const storer = ids.has(id) ? storerOf(id, nodeKey) : null;
      // Two keys can be made that have one name: whoever had it first keeps it.
      if (storer === null || this.#storers.has(storer.name)) continue;
      this.#storers.set(storer.name, storer);
      changed = true;
    }
    return changed;
  }

  // -------------------------------------------------------------------------------------------
  // What we say

  /** Bytes of the directory to a storer. False: it is none, or not there. Borrows: `bytes`. */
  say(name: Name, bytes: Uint8Array): boolean {
    const nowMs = this.#options.world.bootMs();
    const storer = this.#storers.get(name);
    const contact = storer && (storer.contact ?? this.#call(storer, nowMs));
    if (storer === undefined || !contact) return false;
    this.#used.delete(storer);
    this.#used.add(storer);
    storer.usedMs = nowMs;
    if (contact.state !== "open") return this.#keep(storer, bytes);
    this.#owes(storer, bytes, nowMs);
    return contact.say(bytes, DIRECTORY_TYPE);
  }

  #keep(storer: Storer, bytes: Uint8Array): boolean {
    if (storer.waiting.length >= WAITING_MAX) {
      this.#options.parts.count("storerWaits", 1);
      return false;
    }
    storer.waiting.push(bytes.slice());
    return true;
  }

  #owes(storer: Storer, bytes: Uint8Array, nowMs: number): void {
    if (!isRequest(bytes)) return;
    storer.owesMs = Math.min(storer.owesMs, nowMs);
    this.#options.wakeBy(storer.owesMs + ANSWER_MS);
  }

  // -------------------------------------------------------------------------------------------
  // Channels

  #places({ id }: Storer): Uint8Array[] {
    const { members, reach } = this.#options.parts;
    const slot = members.byId(id);
    return slot < 0 ? [] : reach.places(slot);
  }

  /** Null: it is not called now. */
  #call(storer: Storer, nowMs: number): Contact | null {
    const { parts, wakeBy } = this.#options;
    const places = this.#places(storer);
    if (places.length === 0 || nowMs < storer.silentToMs) return null;
    if (!this.#hasRoom() || !this.#openings.take(nowMs)) {
      parts.count("storersBusy", 1);
      return null;
    }
    storer.contact = this.#contactOf(storer);
    storer.openByMs = nowMs + OPEN_MS;
    storer.contact.call(someOf(places, storer.failures), nowMs);
    wakeBy(nowMs);
    return storer.contact;
  }

  /** Who was not used for longest makes room, if it is open; else it was just called. */
  #hasRoom(): boolean {
    if (this.#used.size < CHANNELS_MAX) return true;
    const longest = [...this.#used].find(({ openByMs }) => openByMs === NEVER);
    if (longest !== undefined) this.#close(longest);
    return longest !== undefined;
  }

  #contactOf(storer: Storer): Contact {
    const { parts, world, handshakeKey } = this.#options;
    const contact: Contact = new Contact(
      {
        world,
        networkId: parts.authority.definition.networkId,
        us: handshakeKey,
        proof: () => knockProof(parts),
        payload: () => ownReport(parts, true, false),
        onOpen: (_, nowMs) => this.#opened(storer, contact, nowMs),
        onMessage: (type, plain, nowMs) => this.#heard(storer, type, plain, nowMs),
        onOther: () => parts.count("storerOther", 1),
      },
      storer.nodeKey,
    );
    return contact;
  }

  #opened(storer: Storer, contact: Contact, nowMs: number): void {
    const { parts } = this.#options;
    parts.count("storersOpened", 1);
    // Of all the places that it names, it is there.
    if (contact.sockaddr !== null) parts.reach.seen(storer.id, contact.sockaddr);
    storer.openByMs = NEVER;
    storer.owesMs = NEVER;
    storer.failures = 0;
    for (const bytes of storer.waiting.splice(0)) {
      this.#owes(storer, bytes, nowMs);
      contact.say(bytes, DIRECTORY_TYPE);
    }
  }

  #heard(storer: Storer, type: number, plain: Uint8Array, nowMs: number): void {
    const { parts, onMessage } = this.#options;
    storer.owesMs = NEVER;
    if (!storer.messages.take(nowMs)) parts.count("storerRate", 1);
    else if (type === DIRECTORY_TYPE) onMessage(storer.name, plain);
    else if (plain[0] === MESSAGE.bye) this.#close(storer);
  }

  /** Nothing is open, or opened, any more; who is there is told. */
  #close(storer: Storer): void {
    storer.contact?.say(BYE);
    storer.contact?.close();
    storer.contact = null;
    storer.waiting.length = 0;
    [storer.openByMs, storer.owesMs] = [NEVER, NEVER];
    this.#used.delete(storer);
  }

  /** It did not open in time. */
  #silent(storer: Storer, nowMs: number): void {
    this.#options.parts.count("storersSilent", 1);
    this.#close(storer);
    storer.silentToMs = nowMs + Math.min(SILENT_MAX_MS, SILENT_MS * 2 ** storer.failures++);
  }

  /** A datagram of type 10 or 14 that channelKind() knows. False: it is none of these. Borrows. */
  datagram(kind: ChannelKind, datagram: Uint8Array, from: Uint8Array, nowMs: number): boolean {
    if (kind === "knock" || kind === "open") return false;
    for (const { contact } of this.#used) {
      if (contact?.datagram(kind, datagram, from, nowMs)) return true;
    }
    return false;
  }

  // -------------------------------------------------------------------------------------------
  // Time

  get dueMs(): number {
    let dueMs = this.#lookMs;
    for (const storer of this.#used) dueMs = Math.min(dueMs, this.#dueOf(storer));
    return dueMs;
  }

  #dueOf({ contact, openByMs, owesMs, usedMs }: Storer): number {
    const calledMs = contact?.dueMs ?? NEVER;
    return Math.min(calledMs, openByMs, owesMs + ANSWER_MS, usedMs + IDLE_MS);
  }

  tick(nowMs: number): void {
    if (nowMs >= this.#lookMs) this.#look(nowMs);
    for (const storer of [...this.#used]) {
      if (nowMs >= this.#dueOf(storer)) this.#tick(storer, nowMs);
    }
  }

  #tick(storer: Storer, nowMs: number): void {
    storer.contact?.tick(nowMs);
    if (nowMs >= storer.openByMs) this.#silent(storer, nowMs);
    else if (nowMs >= storer.usedMs + IDLE_MS) this.#close(storer);
    else if (nowMs >= storer.owesMs + ANSWER_MS) {
      // It has begun anew, or one of us is somewhere else. Who asks on gives it no more time.
      storer.owesMs = NEVER;
      storer.openByMs = Math.min(storer.openByMs, nowMs + OPEN_MS);
      storer.contact?.call(this.#places(storer), nowMs);
    }
  }

  /** We are somewhere else: who is wanted is called from there. */
  callAgain(): void {
    for (const storer of [...this.#used]) this.#close(storer);
  }

  stop(): void {
    this.callAgain();
    this.#lookMs = NEVER;
  }
}
