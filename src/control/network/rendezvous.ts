/**
 * rendezvous — how members meet who do not know each other, or not where the other is: index nodes,
 * calls through them, and the search for somebody.
 *
 *     type 10, 14 ──▶ a channel that we called (indexes.ts), or one of those who called us
 *     SHOWN, FOUND, FORWARDED ──▶ intake, as of a stranger ──▶ members ──▶ company calls them
 *
 * Thread: control.
 */
import type { KeyPair } from "../../directory/opening.ts";
import { sameBytes } from "../../members/bytes.ts";
import { channelKind } from "../../wire/channel.ts";
import type { Pair } from "../../wire/intro.ts";
import { Directory } from "./directory.ts";
import { Forwards } from "./forwards.ts";
import { Indexes, type IndexesOptions } from "./indexes.ts";
import type { Parts } from "./parts.ts";
import { Seeker } from "./seeker.ts";
import type { NetworkWorld } from "./world.ts";

/** What a member does for those who call it (directory/service.ts), over Callers. */
export interface Callees {
  /** A datagram that channelKind() knows and no callee of ours sent. Borrows: all three. */
  datagram(
    kind: NonNullable<ReturnType<typeof channelKind>>,
    datagram: Uint8Array,
    from: Uint8Array,
    local: Uint8Array,
    nowMs: number,
  ): void;
  readonly dueMs: number;
  tick(nowMs: number): void;
  stop(): void;
}

export interface RendezvousOptions {
  readonly parts: Parts;
  readonly world: NetworkWorld;
  readonly handshakeKey: KeyPair;
  /** Null: we are nobody's callee. */
  readonly callees: Callees | null;
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
  readonly #forwards: Forwards;

  constructor(options: RendezvousOptions) {
    const { parts, world, handshakeKey } = options;
    this.#options = options;
    this.directory = new Directory({
      parts,
      world,
      send: (name, bytes) => this.indexes.sayDirectory(name, bytes),
      wakeBy: options.wakeBy,
    });
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
      onFound: (question, pair, nowMs) => this.seeker.found(question, pair, nowMs),
      onForwarded: (passed, nowMs) => this.#forwards.forwarded(passed, nowMs),
      directory: this.directory,
      tokens: options.tokens,
      onJoin: options.onJoin,
    });
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
    const { callees, parts } = this.#options;
    return [
      this.indexes,
      this.seeker,
      this.directory,
      this.#forwards,
      parts.observed,
      ...(callees === null ? [] : [callees]),
    ];
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
    const { callees, world } = this.#options;
    const kind = channelKind(bytes);
    if (kind === null) world.count("channelInvalid", 1);
    else if (this.indexes.datagram(kind, bytes, from, nowMs)) return;
    else if (callees !== null) callees.datagram(kind, bytes, from, local, nowMs);
    else world.count("channelUnexpected", 1);
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
  }

  stop(): void {
    this.directory.stop();
    this.indexes.stop();
    this.#options.callees?.stop();
  }
}
