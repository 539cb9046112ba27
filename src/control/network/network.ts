/**
 * network — the members of a network, as one of them sees it: who they are, which are peers, what
 * they tell each other. What control calls.
 *
 *     frame()     ──▶ company (roots) · gossip (news, wants, records) · authority (lists, secrets)
 *     datagram()  ──▶ intro ──▶ introduced() ──▶ intake ──▶ members ──▶ admission ──▶ world
 *                 ──▶ rendezvous (index nodes) ──────▲
 *     tick()      ──▶ whatever is due
 *
 * The world around it comes in as a NetworkWorld: so one process holds one, or ten thousand on
 * virtual time. Every method returns at once. Thread: control.
 */
import type { Certificate } from "../../members/certificate.ts";
import { formatNodeId } from "../../members/sign.ts";
import type { Cidr } from "../../wire/cidr.ts";
import { FRAME_KINDS } from "../../wire/frames.ts";
import { INTRO_TYPE, isChallenge } from "../../wire/intro.ts";
import type { Published } from "./authority.ts";
import { Cache } from "./cache.ts";
import { Certification } from "./certification.ts";
import type { CountName } from "./counts.ts";
import { Link } from "./links.ts";
import type { NetworkOptions } from "./options.ts";
import { Parts } from "./parts.ts";
import { type Publication, Publications } from "./publication.ts";
import { Rendezvous } from "./rendezvous.ts";
import { Report } from "./report.ts";
import { Strangers } from "./strangers.ts";
import { Talk } from "./talk.ts";
import type { Handle, NetworkWorld } from "./world.ts";

const NEVER = Number.POSITIVE_INFINITY;

export class Network {
  readonly #world: NetworkWorld;
  readonly parts: Parts;
  readonly #strangers: Strangers;
  readonly #talk: Talk;
  readonly #cache: Cache;
  readonly #publications: Publications;
  readonly certification: Certification;
  readonly #rendezvous: Rendezvous;
  /** Members that answered us in a session. */
  readonly #met = new WeakSet<Handle>();
  /** When the world will call tick(). */
  #alarmMs = NEVER;
  #begun = false;
  #stopped = false;
  #addresses: string;

  constructor(options: NetworkOptions, world: NetworkWorld) {
    this.#world = world;
    this.parts = new Parts(options, world, {
      wakeBy: (dueMs) => this.#wakeBy(dueMs),
      onChanged: () => {
        this.#cache.changed(this.#world.bootMs());
        // The disk's are taken in before there is anybody to meet.
        if (this.#begun) this.#rendezvous.storers.stale();
        this.#wakeBy(this.#cache.dueMs);
      },
      onClockHeld: () => {
        this.#talk.askTime(this.#world.bootMs());
        this.#wakeBy(this.#talk.dueMs);
      },
      // What was said with another time is worth nothing. At the start nothing was.
      onClockSet: () => {
        if (this.#begun) this.#timeSet();
      },
      onSecrets: () => this.#strangers.renew(),
      onHas: (link) => this.#publications.has(link),
      onGone: (handle) => {
        // Nothing that was begun with it goes on.
        this.#strangers.intro.met(handle.publicKey);
        this.sessionDown(handle);
      },
      onIssued: () => {
        // The first one is made before anybody can be told.
        if (!this.#begun) return;
        this.#rendezvous.indexes.report(true, this.#world.bootMs());
        this.#rendezvous.directory.changed(this.#world.bootMs());
      },
      onRevoked: (why) => this.certification.revoked(why),
      call: (slot) => this.#call(slot),
    });
    this.#publications = new Publications(this.parts);
    this.#strangers = new Strangers({
      parts: this.parts,
      world,
      handshakeKey: options.handshakeKey,
      wakeBy: (dueMs) => this.#wakeBy(dueMs),
    });
    this.#cache = new Cache(this.parts, world, options.cacheMs ?? null);
    this.certification = new Certification(world, this.parts, options, {
      call: (slot) => this.#call(slot),
      renew: (certificate) => this.renew(certificate),
      onInvitations: () => this.#rendezvous.indexes.sayTokens(),
      wakeBy: (dueMs) => this.#wakeBy(dueMs),
    });
    this.#talk = new Talk(this.parts, this.certification, world.bootMs());
    // Our own record first: nobody can be asked without one. Then whom the disk knows.
    this.parts.ownRecord.tick(world.bootMs());
    this.#cache.open();
    this.#rendezvous = new Rendezvous({
      parts: this.parts,
      world,
      keys: options,
      enroller: this.certification.office?.enroller ?? null,
      tokens: () => this.certification.office?.tokens() ?? null,
      onJoin: (message) => this.certification.office?.waiting(message) ?? null,
      call: (slot) => this.#call(slot),
      wakeBy: (dueMs) => this.#wakeBy(dueMs),
    });
    this.#addresses = this.#ownAddresses();
    this.ask();
    this.#begun = true;
    this.#settle();
  }

  /** Asks the addresses of `bootstrap` who they are: at the start, and when their names changed. */
  ask(): void {
    this.#strangers.ask(this.#world.bootMs());
  }

  // -------------------------------------------------------------------------------------------
  // Time

  #wakeBy(dueMs: number): void {
    if (dueMs >= this.#alarmMs || this.#stopped) return;
    this.#alarmMs = dueMs;
    this.#world.wakeAt(dueMs);
  }

  /** All that has a time of its own. What is urgent is first. */
  #clockwork(): readonly { readonly dueMs: number; tick(nowMs: number): void }[] {
    const { ownRecord, intake, upkeep, gossip, company, authority, disk } = this.parts;
    const others = [this.#strangers.intro, this.#rendezvous, this.#cache, this.#talk];
    const first = [authority.push, ownRecord, intake, gossip, company, upkeep];
    return [...first, ...others, this.certification, disk];
  }

  /** Asks for the alarm that the parts want. */
  #settle(): void {
    let dueMs = NEVER;
    for (const part of this.#clockwork()) dueMs = Math.min(dueMs, part.dueMs);
    this.#wakeBy(dueMs);
  }

  /** The alarm rang. */
  tick(): void {
    if (this.#stopped) return;
    const nowMs = this.#world.bootMs();
    this.#alarmMs = NEVER;
    for (const part of this.#clockwork()) part.tick(nowMs);
    this.#settle();
  }

  // -------------------------------------------------------------------------------------------
  // Strangers, and message 1

  /** A datagram of type 9, 10 or 14. Borrows: all three. */
  datagram(bytes: Uint8Array, from: Uint8Array, local: Uint8Array): void {
    if (this.#stopped) return;
    const part =
      bytes[0] === INTRO_TYPE || isChallenge(bytes) ? this.#strangers.intro : this.#rendezvous;
    part.datagram(bytes, from, local, this.#world.bootMs());
    this.#wakeBy(part.dueMs);
  }

  /** What to say on every link of ours now; null: nothing. */
  beacon(): Uint8Array | null {
    return this.#stopped ? null : this.#strangers.beacon.make();
  }

  /** Somebody says something on a link. Borrows: both. */
  heardBeacon(bytes: Uint8Array, from: Uint8Array): void {
    if (!this.#stopped) this.#strangers.beacon.take(bytes, from, this.#world.bootMs());
  }

  /** Ranges of the network. */
  get ranges(): readonly Cidr[] {
    return this.parts.authority.definition.cidrs;
  }

  /** A packet to an address of the network's goes to nobody. Units: 4 or 16 bytes. Borrows. */
  seek(address: Uint8Array): void {
    if (!this.#stopped) this.#rendezvous.seeker.seek(address, this.#world.bootMs());
  }

  /** Node id of a peer that is a member's; null: it is none. */
  nodeIdOf(handle: Handle): string | null {
    const slot = this.#slotOf(handle);
    return slot < 0 ? null : formatNodeId(this.parts.members.at(slot).owner.nodeKey);
  }

  /** Is this the handshake key of a member who may be a peer? Changes nothing. */
  expects(handshakeKey: Uint8Array): boolean {
    const { members } = this.parts;
    const slot = this.#stopped ? -1 : members.byHandshakeKey(handshakeKey);
    return slot >= 0 && !members.isBarred(slot);
  }

  /** Somebody who is no peer proved itself: a member is admitted. Null: it is none. */
  findPeer(handshakeKey: Uint8Array): Handle | null {
    const { members, admission } = this.parts;
    const slot = this.#stopped ? -1 : members.byHandshakeKey(handshakeKey);
    return slot < 0 ? null : admission.admitNow(slot);
  }

  /**
   * Message 1 to a member is about to go. Returns where to; an INTRO goes there too, if the member
   * may not know us. `to`: there, in any case. Null: it is nowhere known to be.
   */
  calling(handle: Handle, to: Uint8Array | null): Uint8Array | null {
    const slot = this.#slotOf(handle);
    const place = slot < 0 ? null : (to ?? this.parts.reach.next(slot));
    if (place === null) return null;
    if (!this.#met.has(handle) || !this.#world.hasSession(handle)) {
      const nowMs = this.#world.bootMs();
      this.#strangers.intro.introduce(handle, handle.publicKey, place, nowMs);
      this.#rendezvous.calling(slot, nowMs);
      this.#wakeBy(Math.min(this.#strangers.intro.dueMs, this.#rendezvous.dueMs));
    }
    return place;
  }

  /** Calls a member whose end of the session is not there, or that has none. */
  #call(slot: number): boolean {
    const { members, reach, links } = this.parts;
    const nowMs = this.#world.bootMs();
    // Who answered at an address of bootstrap may not be there: it is asked who is.
    if (links.size === 0 && this.#begun) this.#strangers.askAgain(nowMs);
    const handle = members.handle(slot);
    if (handle === null || reach.places(slot).length === 0) return false;
    this.#met.delete(handle);
    this.#world.call(handle, null);
    return true;
  }

  // -------------------------------------------------------------------------------------------
  // Sessions

  /** Slot of a peer that is a member's; -1: it is none. */
  #slotOf(handle: Handle): number {
    const { members } = this.parts;
    const slot = members.byHandshakeKey(handle.publicKey);
    return slot >= 0 && members.handle(slot) === handle ? slot : -1;
  }

  /** A session with a peer of ours began, at both ends, or its other end began anew. */
  sessionUp(handle: Handle): void {
    if (!this.#stopped) this.#link(handle);
  }

  #link(handle: Handle): Link | null {
    const { links, members, company, reach, clock } = this.parts;
    const slot = this.#slotOf(handle);
    if (slot < 0) return null;
    const nowMs = this.#world.bootMs();
    const link = links.get(handle) ?? new Link(handle, slot, members.at(slot).id, nowMs);
    links.set(handle, link);
    this.#met.add(handle);
    this.#strangers.intro.met(handle.publicKey);
    this.#rendezvous.met(link.id);
    reach.reached(handle);
    this.#talk.sayEcho(link, !clock.trusted);
    company.up(link, nowMs);
    this.certification.up(link);
    this.#wakeBy(company.dueMs);
    return link;
  }

  /** All sessions with the peer have ended. */
  sessionDown(handle: Handle): void {
    const { links, company, gossip, authority, reach } = this.parts;
    const link = links.get(handle);
    if (link === undefined) return;
    const nowMs = this.#world.bootMs();
    const endpoint = this.#world.endpoint(handle);
    if (endpoint !== null) reach.seen(link.id, endpoint);
    links.delete(handle);
    gossip.forget(link, nowMs);
    authority.push.forget(link);
    authority.revocations.forget(link);
    company.down(link);
    if (links.size === 0 && !this.#stopped) this.ask();
    this.#wakeBy(Math.min(company.dueMs, gossip.dueMs));
  }

  /** A file or a person has taken a peer away that was a member: it is admitted anew. */
  gone(handle: Handle): void {
    const { members, admission } = this.parts;
    const slot = this.#slotOf(handle);
    this.sessionDown(handle);
    if (slot < 0 || this.#stopped) return;
    members.setHandle(slot, null);
    admission.update(slot, false);
    this.#settle();
  }

  /** A frame of a member, of a kind whose room is "network". Null: taken. Borrows: `body`. */
  frame(handle: Handle, type: number, body: Uint8Array): CountName | null {
    if (this.#stopped) return "frameStranger";
    // It may come before control says that the session is there.
    const link = this.parts.links.get(handle) ?? this.#link(handle);
    const nowMs = this.#world.bootMs();
    const why = link === null ? "frameStranger" : this.#talk.take(link, type, body, nowMs);
    if (why !== null) this.parts.count(why, 1);
    this.#wakeBy(this.parts.company.dueMs);
    return why;
  }

  // -------------------------------------------------------------------------------------------
  // People

  #ownAddresses(): string {
    const all = this.#world.addresses().map(({ sockaddr }) => sockaddr);
    return all.join(" ");
  }

  /**
   * Our own addresses may have changed: the kernel tells of each lifetime that a router renews.
   * `anyway`: whoever was silent may answer now, whatever they are.
   */
  addressesChanged(anyway = false): void {
    const addresses = this.#ownAddresses();
    if ((addresses === this.#addresses && !anyway) || this.#stopped) return;
    this.#addresses = addresses;
    this.#rendezvous.addressesChanged(this.#world.bootMs());
    this.#anew();
  }

  /** Names of index nodes lead somewhere, or elsewhere. */
  indexesMoved(): void {
    if (this.#stopped) return;
    this.#rendezvous.indexes.moved(this.#world.bootMs());
    this.#wakeBy(this.#rendezvous.dueMs);
  }

  /** It is another time: something may have ended, or have to be renewed. */
  #timeSet(): void {
    const nowMs = this.#world.bootMs();
    this.parts.upkeep.expiresBy(0, nowMs);
    this.certification.look(nowMs);
    this.#anew();
  }

  /** What we said does not hold; and who did not answer may do so now. */
  #anew(): void {
    const { ownRecord, company, links } = this.parts;
    ownRecord.changed(this.#world.bootMs());
    company.neighbours.forgive();
    if (links.size === 0) this.ask();
    this.#wakeBy(Math.min(company.dueMs, this.parts.upkeep.dueMs));
  }

  /** A change of a file or a person was made: members may have waited for its end. */
  roomMade(): void {
    this.parts.admission.roomMade();
    this.#settle();
  }

  /** A newer certificate of our own: renewed, or signed anew. */
  renew(certificate: Certificate): void {
    this.parts.certificate = certificate;
    this.#anew();
  }

  /** A revocations file: takes effect here at once, and goes to all in session. */
  publish(file: Uint8Array): Published {
    const nowMs = this.#world.bootMs();
    const published = this.#publications.publish(file, nowMs);
    if (published.ok) this.#rendezvous.indexes.report(false, nowMs);
    this.#settle();
    return published;
  }

  /** Where the last publication stands: who has it, by name; null: there was none. */
  get publication(): Publication | null {
    return this.#publications.state;
  }

  /** What is known, for people. */
  get report(): Report {
    return new Report(this.parts, this.#world, this.#rendezvous);
  }

  /** Stops: neighbours are told, what is known is kept, secrets are zeroed. */
  stop(): void {
    if (this.#stopped) return;
    const { company, send, disk, authority } = this.parts;
    for (const link of company.links) send(link, FRAME_KINDS.goodbye.type, Uint8Array.of(0));
    this.#cache.write();
    this.#rendezvous.stop();
    this.certification.stop();
    this.#stopped = true;
    this.#strangers.stop();
    for (const part of [disk, authority.secrets]) part.stop();
    this.#world.wakeAt(NEVER);
  }
}
