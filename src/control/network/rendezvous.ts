/**
 * rendezvous — how members meet who do not know each other, or not where the other is: index nodes,
 * calls through them, and the search for somebody.
 *
 *     type 10, 14 ──▶ a channel that we called (indexes.ts, storers.ts), or that others called
 *                     us for (reception.ts)
 *     directory ──▶ guests that were heard of lately ──▶ index nodes ──▶ members that store
 *     SHOWN, FOUND, FORWARDED ──▶ intake, as of a stranger ──▶ members ──▶ company calls them
 *
 * Thread: control.
 */
import { type Name, nameOf } from "../../directory/names.ts";
import { sameBytes } from "../../members/bytes.ts";
import { CERTIFICATE_FLAG } from "../../members/certificate.ts";
import { channelKind } from "../../wire/channel.ts";
import type { Pair } from "../../wire/intro.ts";
import { Directory } from "./directory.ts";
import type { Enroller } from "./enroller.ts";
import { Forwards } from "./forwards.ts";
import { Indexes, type IndexesOptions } from "./indexes.ts";
import type { NetworkOptions } from "./options.ts";
import type { Parts } from "./parts.ts";
import { Reception, type ReceptionOptions } from "./reception.ts";
import { Seeker } from "./seeker.ts";
import { Stored } from "./stored.ts";
import { Storers } from "./storers.ts";
import type { NetworkWorld } from "./world.ts";

export interface RendezvousOptions {
  readonly parts: Parts;
  readonly world: NetworkWorld;
  readonly keys: Pick<NetworkOptions, "signingKey" | "handshakeKey">;
  /** Null: nobody is taken in. */
  readonly enroller: Enroller | null;
  readonly tokens: IndexesOptions["tokens"];
  readonly onJoin: IndexesOptions["onJoin"];
  /** Sends message 1 to a member. False: it is nowhere known to be. */
  readonly call: (slot: number) => boolean;
  readonly wakeBy: (dueMs: number) => void;
}

export class Rendezvous {
  readonly #options: RendezvousOptions;
  readonly indexes: Indexes;
  readonly seeker: Seeker;
  readonly directory: Directory;
  readonly storers: Storers;
  /** Null: we are nobody's callee. */
  readonly reception: Reception | null;
  readonly #forwards: Forwards;
  /** Null: we store for nobody. */
  readonly #stored: Stored | null;

  constructor(options: RendezvousOptions) {
    const { parts, world, keys, wakeBy } = options;
    const { handshakeKey } = keys;
    this.#options = options;
    const isStorer = (parts.certificate.flags & CERTIFICATE_FLAG.relay) !== 0;
    this.directory = new Directory({
      ...{ parts, world, isStorer, wakeBy },
      send: (name, bytes) => this.#sayDirectory(name, bytes),
    });
    const { records } = this.directory;
    const onMessage = (name: Name, bytes: Uint8Array): void => this.directory.message(name, bytes);
    const onChanged = (): void => this.#storersChanged();
    this.storers = new Storers({ parts, world, handshakeKey, onMessage, onChanged, wakeBy });
    this.#stored = isStorer ? new Stored(parts.disk, records, world.bootMs()) : null;
    this.reception = this.#openReception(isStorer ? { records, onMessage } : null);
    this.seeker = new Seeker({
      parts,
      world,
      directory: this.directory,
      ask: (question, target) => this.indexes.ask(question, target),
      wakeBy: options.wakeBy,
    });
    this.#forwards = new Forwards({
      own: () => parts.ownRecord.statement,
      say: (message) => this.indexes.say(message),
      isMet: (id) => this.#isMet(id),
      isMetAs: (id, record) =>
        this.#isMet(id) && sameBytes(parts.members.at(parts.members.byId(id)).record, record),
      call: (pair) => this.#call(pair),
      count: parts.count,
    });
    this.indexes = new Indexes({
      parts,
      world,
      handshakeKey,
      onFound: (by, question, pair, nowMs) => this.seeker.found(by, question, pair, nowMs),
      onForwarded: (by, passed, nowMs) => this.#forwards.forwarded(by, passed, nowMs),
      directory: this.directory,
      onOpenChanged: onChanged,
      tokens: options.tokens,
      onJoin: options.onJoin,
    });
  }

  #openReception(stores: ReceptionOptions["stores"]): Reception | null {
    const { parts, world, keys, enroller } = this.#options;
    if (enroller === null && stores === null) return null;
    return new Reception({ parts, world, keys, enroller, stores });
  }

  /** Index nodes that answer store, and members whose certificate says so. */
  #storersChanged(): void {
    const indexes = this.indexes.open.flatMap(({ nodeKey }) =>
      nodeKey === null ? [] : nameOf(nodeKey),
    );
    const nowMs = this.#options.world.bootMs();
    this.directory.setStorers([...indexes, ...this.storers.names], nowMs);
  }

  /** The shortest way first: where a channel stands. */
  #sayDirectory(name: Name, bytes: Uint8Array): boolean {
    const nowMs = this.#options.world.bootMs();
    return (
      this.reception?.storage?.say(name, bytes, nowMs) ||
      this.indexes.sayDirectory(name, bytes) ||
      this.storers.say(name, bytes)
    );
  }

  #isMet(id: number): boolean {
    const { members, linkOf } = this.#options.parts;
    const slot = members.byId(id);
    return slot >= 0 && linkOf(slot) !== undefined;
  }

  /** Somebody wants to be called: it is verified, is a peer from now on, and called. */
  #call(pair: Pair): boolean {
    const { intake, admission } = this.#options.parts;
    const slot = intake.takeNow(pair, "index");
    return slot >= 0 && admission.admitNow(slot) !== null && this.#options.call(slot);
  }

  // -------------------------------------------------------------------------------------------
  // Time

  get #parts(): readonly { readonly dueMs: number; tick(nowMs: number): void }[] {
    const { reception, indexes, storers, seeker, directory } = this;
    const all = [indexes, storers, seeker, directory, this.#forwards, this.#options.parts.observed];
    return [...all, ...[reception, this.#stored].filter((part) => part !== null)];
  }

  get dueMs(): number {
    let dueMs = Number.POSITIVE_INFINITY;
    for (const part of this.#parts) dueMs = Math.min(dueMs, part.dueMs);
    return dueMs;
  }

  tick(nowMs: number): void {
    for (const part of this.#parts) if (nowMs >= part.dueMs) part.tick(nowMs);
  }

  // -------------------------------------------------------------------------------------------
  // What happens

  /** A datagram of type 10 or 14 that is no CHALLENGE. Borrows: all three. */
  datagram(bytes: Uint8Array, from: Uint8Array, local: Uint8Array, nowMs: number): void {
    const { world } = this.#options;
    const kind = channelKind(bytes);
    if (kind === null) world.count("channelInvalid", 1);
    else if (this.indexes.datagram(kind, bytes, from, nowMs)) return;
    else if (this.storers.datagram(kind, bytes, from, nowMs)) return;
    else if (this.reception?.datagram(kind, bytes, from, local, nowMs) !== true) {
      world.count("channelUnexpected", 1);
    }
  }

  /** A message 1 goes to a member with whom there is no session. */
  calling(slot: number, nowMs: number): void {
    if (this.indexes.open.length === 0) return;
    this.#forwards.calling(this.#options.parts.members.at(slot).id, nowMs);
  }

  /** A session with a member began. */
  met(id: number): void {
    this.#forwards.met(id);
  }

  /** Our own addresses have changed. */
  addressesChanged(nowMs: number): void {
    this.#options.parts.observed.forget();
    this.indexes.callAgain(nowMs);
    this.storers.callAgain();
  }

  stop(): void {
    this.directory.stop();
    this.indexes.stop();
    this.storers.stop();
    this.reception?.stop();
    this.#stored?.write();
  }
}
