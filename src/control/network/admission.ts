/**
 * admission — which members are peers, and what leads to them.
 *
 *     allowed IPs = the certificate's addresses
 *                 + what the record announces ∩ the certificate's routes
 *                                             ∩ (the network's ranges ∪ accept_routes)
 *
 * Every member is a peer while there are entries; when they run out, a member that calls takes the
 * place of one that is idle. Two members that announce one prefix do not share it yet: the lower
 * metric has it, then the lower id. What a file or a person has named stays theirs: control sees to
 * that, and a member among them talks as members do. Thread: control.
 */
import { sameBytes } from "../../members/bytes.ts";
import { hostPrefix, prefixHolds, someHolds } from "../../members/fields.ts";
import type { PeerChange } from "../../schema/change.ts";
import { type Cidr, formatCidr } from "../../wire/cidr.ts";
import { Addresses, type Contest } from "./addresses.ts";
import type { Members } from "./members.ts";
import type { Handle, NetworkWorld } from "./world.ts";

/** Tuning: idle peers that are looked for, for one that calls. */
const LOOKED_AT_MAX = 1_024;
/** Tuning: a peer whose user was silent for so long, and without a session, is idle. */
const IDLE_MS = 60_000;

export interface AdmissionOptions {
  readonly world: NetworkWorld;
  readonly members: Members;
  /** Ranges of the network. */
  readonly cidrs: () => readonly Cidr[];
  readonly acceptRoutes: readonly Cidr[];
  readonly recordKey: (epoch: number) => Uint8Array | null;
  /** The member must keep its entry. */
  readonly needed: (slot: number) => boolean;
  /** A peer is about to go, or is gone. */
  readonly onGone: (handle: Handle) => void;
  readonly onRouteRefused: (slot: number, why: string) => void;
  readonly onContest: (contest: Contest) => void;
  /** It has no entry: there is none left. */
  readonly onFull: (slot: number) => void;
}

const NOBODY: ReadonlySet<number> = new Set();
const NOTHING: readonly never[] = [];

interface Announcer {
  readonly slot: number;
  readonly metric: number;
}

/** A prefix that a member announces and may. */
interface Route {
  readonly text: string;
  readonly prefix: Cidr;
  readonly metric: number;
}

export class Admission {
  readonly #options: AdmissionOptions;
  readonly #addresses: Addresses;
  /** By prefix as text. */
  readonly #announcers = new Map<string, Announcer[]>();
  /** Of members that announce anything. */
  readonly #routes = new Map<number, readonly Route[]>();
  /** Members without an entry, oldest first. */
  readonly #waiting = new Set<number>();
  /** Where the look for an idle one goes on. */
  #hand = 0;

  constructor(options: AdmissionOptions) {
    this.#options = options;
    this.#addresses = new Addresses(options.members, options.onContest);
  }

  /** Members that wait for an entry. */
  get waiting(): number {
    return this.#waiting.size;
  }

  /** What is known of a member has changed: its certificate, or its record alone. */
  update(slot: number, newCertificate: boolean): void {
    const { members } = this.#options;
    const affected = newCertificate ? this.#addresses.claim(slot) : NOBODY;
    // Its former handshake key is nobody's any more.
    const { handshakeKey } = members.at(slot).owner;
    const handle = members.handle(slot);
    if (handle !== null && !sameBytes(handle.publicKey, handshakeKey)) this.#dismiss(slot);
    const isPeer = members.handle(slot) !== null;
    const moved = this.#announce(slot, this.#routesOf(slot));
    if (!isPeer) this.#admit(slot);
    else if (newCertificate || moved.has(slot)) this.#amend(slot);
    for (const other of affected) this.#amend(other);
    for (const other of moved) if (other !== slot && !affected.has(other)) this.#amend(other);
  }

  /** A member goes. */
  remove(slot: number): void {
    this.#leave(slot, this.#addresses.withdraw(slot));
  }

  /** A member may be no peer. It keeps its addresses: nobody else gets them. */
  bar(slot: number): void {
    this.#leave(slot, new Set());
  }

  #leave(slot: number, affected: Set<number>): void {
    const isPeer = this.#dismiss(slot);
    this.#waiting.delete(slot);
    for (const other of this.#announce(slot, [])) affected.add(other);
    affected.delete(slot);
    for (const other of affected) this.#amend(other);
    if (isPeer) this.#admitNext();
  }

  /** Ends all that there is with a peer, at once. False: it was none. */
  #dismiss(slot: number): boolean {
    const { world, members, onGone } = this.#options;
    const handle = members.handle(slot);
    if (handle === null) return false;
    members.setHandle(slot, null);
    world.dismiss(handle);
    onGone(handle);
    return true;
  }

  /** A member calls, and needs an entry now. Null: there is none. */
  admitNow(slot: number): Handle | null {
    const { members } = this.#options;
    if (members.handle(slot) === null) this.#admit(slot);
    if (members.handle(slot) === null && this.#waiting.has(slot) && this.#makeRoom()) {
      this.#admit(slot);
    }
    return members.handle(slot);
  }

  /** A change was made: members waited for its end, or for the room that it made. */
  roomMade(): void {
    for (const slot of [...this.#waiting]) {
      this.#admit(slot);
      if (this.#waiting.has(slot)) break;
    }
  }

  /** Prefixes that lead to a member. */
  allowedIps(slot: number): Cidr[] {
    const { members } = this.#options;
    const prefixes: Cidr[] = [];
    for (const address of members.at(slot).owner.addresses) {
      if (members.byAddress(address) === slot) prefixes.push(hostPrefix(address));
    }
    for (const { text, prefix } of this.#routes.get(slot) ?? NOTHING) {
      if (this.#has(slot, text) && !this.#isAddress(prefix, slot)) prefixes.push(prefix);
    }
    return prefixes;
  }

  /** To whom the longest announced prefix leads that holds an address; -1: none does. */
  routeTo(address: Uint8Array): number {
    let [best, bits] = [-1, -1];
    for (const [slot, routes] of this.#routes) {
      for (const { text, prefix } of routes) {
        const holds = prefixHolds(prefix, hostPrefix(address));
        if (!holds || prefix.prefixLength <= bits || !this.#has(slot, text)) continue;
        [best, bits] = [slot, prefix.prefixLength];
      }
    }
    return best;
  }

  contests(slot: number): readonly Contest[] {
    return this.#addresses.lostBy(slot);
  }

  // -------------------------------------------------------------------------------------------
  // Peers

  #change(slot: number): PeerChange {
    const { owner } = this.#options.members.at(slot);
    const { handshakeKey, name } = owner;
    const allowedIps = this.allowedIps(slot);
    return { publicKey: handshakeKey, name, replaceAllowedIps: true, allowedIps };
  }

  #admit(slot: number): void {
    const { world, members, onFull } = this.#options;
    if (members.isBarred(slot) || members.origin(slot).way === "own") return;
    const admitted = world.admit(this.#change(slot));
    if (admitted !== null) {
      members.setHandle(slot, admitted);
      this.#waiting.delete(slot);
    } else if (!this.#waiting.has(slot)) {
      this.#waiting.add(slot);
      onFull(slot);
    }
  }

  #amend(slot: number): void {
    const { world, members } = this.#options;
    const handle = members.handle(slot);
    if (handle === null || world.amend(handle, this.#change(slot))) return;
    // No room for its routes, or not ours any more: it comes anew, or waits.
    this.#dismiss(slot);
    this.#admit(slot);
  }

  #admitNext(): void {
    const [first] = this.#waiting;
    if (first !== undefined) this.#admit(first);
  }

  /** An idle peer leaves. False: none was found. */
  #makeRoom(): boolean {
    const { world, members, needed } = this.#options;
    const nowMs = world.bootMs();
    for (let left = Math.min(LOOKED_AT_MAX, members.end); left > 0; left--) {
      this.#hand = (this.#hand + 1) % members.end;
      const handle = members.handle(this.#hand);
      // One that a file or a person has named leaves no room when it goes.
      if (handle === null || needed(this.#hand) || world.isStatic(handle)) continue;
      if (world.hasSession(handle)) continue;
      if (nowMs - world.lastUsedMs(handle) < IDLE_MS) continue;
      this.#dismiss(this.#hand);
      this.#waiting.add(this.#hand);
      return true;
    }
    return false;
  }

  // -------------------------------------------------------------------------------------------
  // Routes

  /** What a member announces and may. */
  #routesOf(slot: number): readonly Route[] {
    const { members, cidrs, acceptRoutes, recordKey, onRouteRefused } = this.#options;
    const statement = members.at(slot);
    const announced = members.isListed(slot) ? statement.content(recordKey)?.announced : undefined;
    if (announced === undefined || announced.length === 0) return NOTHING;
    return announced.flatMap(({ prefix, metric }) => {
      const text = formatCidr(prefix);
      let why: string | null = null;
      if (!someHolds(statement.owner.routes, prefix)) {
        why = `it announces ${text}, which its certificate does not hold`;
      } else if (!someHolds(cidrs(), prefix) && !someHolds(acceptRoutes, prefix)) {
        why = `it announces ${text}, which accept_routes does not hold`;
      } else if (this.#isAddress(prefix, slot)) {
        why = `it announces ${text}, which is another member's address`;
      }
      if (why !== null) onRouteRefused(slot, why);
      return why === null ? [{ text, prefix, metric }] : [];
    });
  }

  #isAddress({ bytes, prefixLength }: Cidr, slot: number): boolean {
    if (prefixLength < 8 * bytes.length) return false;
    const has = this.#options.members.byAddress(bytes);
    return has >= 0 && has !== slot;
  }

  #has(slot: number, text: string): boolean {
    return this.#announcers.get(text)?.[0]?.slot === slot;
  }

  /** A member announces these, and nothing else. Returns whose routes have changed. */
  #announce(slot: number, routes: readonly Route[]): ReadonlySet<number> {
    const before = this.#routes.get(slot) ?? NOTHING;
    if (before.length === 0 && routes.length === 0) return NOBODY;
    const moved = new Set<number>();
    for (const { text } of before) this.#withdraw(slot, text, moved);
    for (const { text, metric } of routes) this.#offer({ slot, metric }, text, moved);
    if (routes.length > 0) this.#routes.set(slot, routes);
    else this.#routes.delete(slot);
    return moved;
  }

  #withdraw(slot: number, text: string, moved: Set<number>): void {
    const all = this.#announcers.get(text) ?? [];
    const had = all[0]?.slot === slot;
    const left = all.filter((one) => one.slot !== slot);
    if (left.length > 0) this.#announcers.set(text, left);
    else this.#announcers.delete(text);
    if (!had) return;
    moved.add(slot);
    if (left.length > 0) moved.add(left[0]!.slot);
  }

  #offer(announcer: Announcer, text: string, moved: Set<number>): void {
    const { members } = this.#options;
    const all = [...(this.#announcers.get(text) ?? []), announcer];
    const had = all[0]!.slot;
    all.sort((a, b) => a.metric - b.metric || members.at(a.slot).id - members.at(b.slot).id);
    this.#announcers.set(text, all);
    if (all[0]!.slot !== announcer.slot) return;
    moved.add(announcer.slot);
    moved.add(had);
  }
}
