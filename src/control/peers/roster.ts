/**
 * roster — which peers there are, who owns which prefix, and what the I/O threads know of it.
 *
 *     add ──▶ known ──remove──▶ leaving ──routes published──▶ dying ──nobody holds it──▶ free
 *
 * An entry of the peers region is used again only when no route names it any more and every I/O
 * thread has ended the turn and the jobs in which it may have seen it; so is one of the groups
 * region. Thread: control.
 */
import assert from "node:assert";
import { type Mark, mark, passed } from "../../memory/epochs.ts";
import { Groups } from "../../memory/groups.ts";
import type { PeerEntries } from "../../memory/peers.ts";
import type { Arena } from "../../memory/region.ts";
import { RoutePublisher } from "../../memory/routes.ts";
import type { Change, PeerChange } from "../../schema/change.ts";
import { EngineError } from "../../schema/errors.ts";
import type { Cidr } from "../../wire/cidr.ts";
import { AllowedIps, type Owner } from "./allowed-ips.ts";
import type { Origin, Peer } from "./peer.ts";

/** Tuning: routes are published this often at most, when nobody waits for them. */
export const GATHER_MS = 50;
/** Tuning: sooner where there are few, or who was just met loses a packet. Each takes 2.5 µs. */
const GATHER_EACH_MS = 0.05;

/** Several peers that share prefixes; `entry` is a hop of memory/groups.ts. */
export interface Group extends Owner {
  readonly name: string;
}

/** The group of prefixes that lead to nobody; no name of a prefix. */
const NOBODY = "";

interface Dying {
  /** A peer's entry, or a group's hop. */
  readonly entry: number;
  readonly at: Mark;
}

export interface RosterOptions {
  readonly arena: Arena;
  readonly entries: PeerEntries;
}

const keyText = (key: Uint8Array): string => Buffer.from(key).toString("latin1");

/** Thread: control. */
export class Roster {
  readonly #options: RosterOptions;
  readonly #byKey = new Map<string, Peer>();
  readonly #byEntry: (Peer | undefined)[] = [];
  readonly #allowed: AllowedIps<Owner>;
  readonly #publisher: RoutePublisher;
  /** Who of a group's peers is active and entitled is written here, and counts at once. */
  readonly groups: Groups;
  readonly #groupsByName = new Map<string, Group>();
  /** Entries not used so far start here; used ones come back in `#free`. */
  #nextEntry = 0;
  readonly #free: number[] = [];
  #leaving: number[] = [];
  #dying: Dying[] = [];
  #changed = true;
  /** What has changed is not gathered, but published as soon as it can be. */
  #atOnce = false;
  #publishedMs = Number.NEGATIVE_INFINITY;

  constructor(options: RosterOptions) {
    this.#options = options;
    this.#allowed = new AllowedIps(options.arena.limits.routes);
    this.#publisher = new RoutePublisher(options.arena);
    this.groups = new Groups(options.arena);
  }

  get size(): number {
    return this.#byKey.size;
  }

  /** Most peers. */
  get limit(): number {
    return this.#options.arena.limits.peers;
  }

  /** In the order in which they were added. */
  peers(): Iterable<Peer> {
    return this.#byKey.values();
  }

  /** The peer with this public key, if there is one; null: all. */
  named(publicKey: Uint8Array | null): Iterable<Peer> {
    if (publicKey === null) return this.peers();
    const peer = this.find(publicKey);
    return peer === undefined ? [] : [peer];
  }

  find(publicKey: Uint8Array): Peer | undefined {
    return this.#byKey.get(keyText(publicKey));
  }

  at(entry: number): Peer | undefined {
    return this.#byEntry[entry];
  }

  get allowed(): AllowedIps<Owner> {
    return this.#allowed;
  }

  /** Would the change fit, when it is made? Errors: EngineError LIMIT, PEER_NAME_TAKEN. */
  check(change: Change): void {
    this.#checkNames(change);
    if (this.#peersAfter(change) > this.limit) {
      throw new EngineError("LIMIT", { what: "peers", count: this.limit });
    }
    const { routes } = this.#options.arena.limits;
    if (this.#mostPrefixes(change) > routes && !this.#prefixesFit(change)) {
      throw new EngineError("LIMIT", { what: "allowed IPs", count: routes });
    }
  }

  /** How many peers there are when the change is made. */
  #peersAfter(change: Change): number {
    const named = new Map<string, boolean>();
    let known = 0;
    for (const one of change.peers ?? []) {
      const key = keyText(one.publicKey);
      if (!named.has(key) && this.#byKey.has(key)) known++;
      const isHere = named.get(key) ?? this.#byKey.has(key);
      named.set(key, !one.remove && (isHere || !one.updateOnly));
    }
    const others = change.replacePeers ? this.#staying(named) : this.#byKey.size - known;
    let count = others;
    for (const isHere of named.values()) if (isHere) count++;
    return count;
  }

  /** Peers of the network that a change which replaces all does not name: they stay. */
  #staying(named: ReadonlyMap<string, boolean>): number {
    let count = 0;
    for (const [key, { origin }] of this.#byKey) {
      if (origin === "network" && !named.has(key)) count++;
    }
    return count;
  }

  /** More prefixes than this there will not be: those that go or change hands count twice. */
  #mostPrefixes(change: Change): number {
    let prefixes = this.#allowed.count;
    if (change.replacePeers)
      for (const peer of this.#static()) prefixes -= this.#allowed.countOf(peer);
    for (const one of change.peers ?? []) prefixes += one.allowedIps?.length ?? 0;
    return prefixes;
  }

  /** Are there few enough prefixes when the change is made? It is tried, and taken back. */
  #prefixesFit(change: Change): boolean {
    const allowed = this.#allowed;
    const owners = new Map<string, Owner | undefined>();
    allowed.begin();
    if (change.replacePeers) for (const peer of this.#static()) allowed.clear(peer);
    let fits = true;
    for (const one of change.peers ?? []) {
      const key = keyText(one.publicKey);
      const known = owners.has(key) ? owners.get(key) : this.#byKey.get(key);
      if (one.remove && known !== undefined) allowed.clear(known);
      if (one.remove) owners.set(key, undefined);
      if (one.remove || (one.updateOnly && known === undefined)) continue;
      const owner = known ?? { entry: this.limit };
      owners.set(key, owner);
      fits = this.#give(owner, one) && fits;
    }
    fits &&= allowed.count <= this.#options.arena.limits.routes;
    allowed.drop();
    return fits;
  }

  /** Those that a file or a person has named. */
  *#static(): Generator<Peer, void, undefined> {
    for (const peer of this.#byKey.values()) if (peer.origin !== "network") yield peer;
  }

  /** Is there room for the prefixes of one peer more, or of one that changes? */
  fits(change: PeerChange): boolean {
    const more = change.allowedIps?.length ?? 0;
    const { routes } = this.#options.arena.limits;
    return this.#allowed.count + more <= routes || this.#prefixesFit({ peers: [change] });
  }

  /** Whose prefix exactly this is. */
  ownerOf(cidr: Cidr): Peer | undefined {
    const owner = this.#allowed.ownerOf(cidr);
    return owner === null ? undefined : this.#byEntry[owner.entry];
  }

  /**
   * Two peers may not share a name; the network's are not asked. Errors: EngineError
   * PEER_NAME_TAKEN.
   */
  #checkNames(change: Change): void {
    const changed = new Map((change.peers ?? []).map((one) => [keyText(one.publicKey), one]));
    if (![...changed.values()].some(({ name }) => name)) return;
    const names = new Set<string>();
    const take = (name: string | null | undefined): void => {
      if (!name) return;
      if (names.has(name.toLowerCase()))
        throw new EngineError("PEER_NAME_TAKEN", { name: "the engine", peer: name });
      names.add(name.toLowerCase());
    };
    for (const [key, { name, origin }] of this.#byKey) {
      if (origin === "network") continue;
      const one = changed.get(key);
      if (one === undefined ? !change.replacePeers : !one.remove && one.name === undefined) {
        take(name);
      }
    }
    for (const { remove, name } of changed.values()) if (!remove) take(name);
  }

  /** Entries that the change takes before it gives any back. */
  entriesFor(change: Change): number {
    const here = new Map<string, boolean>();
    let entries = 0;
    for (const one of change.peers ?? []) {
      const key = keyText(one.publicKey);
      const known = here.get(key) ?? this.#byKey.has(key);
      if (!one.remove && !known && !one.updateOnly) entries++;
      here.set(key, !one.remove && (known || !one.updateOnly));
    }
    return entries;
  }

  /** Is there an entry for `more` peers now? Else removed ones have to be left by I/O threads. */
  hasRoom(more: number): boolean {
    return this.#free.length + this.#options.arena.layout.count.peers - this.#nextEntry >= more;
  }

  /** A new peer without anything configured. The caller has made sure of the room. */
  add(publicKey: Uint8Array, origin: Origin): Peer {
    const { arena, entries } = this.#options;
    const entry = this.#free.pop() ?? this.#nextEntry++;
    const peer: Peer = {
      entry,
      publicKey,
      owner: entry % arena.limits.ioThreads,
      origin,
      name: null,
      presharedKey: null,
      endpoint: null,
      persistentKeepaliveS: 0,
    };
    entries.begin(entry);
    this.#byKey.set(keyText(publicKey), peer);
    this.#byEntry[entry] = peer;
    return peer;
  }

  /** The caller has taken its sessions. */
  remove(peer: Peer): void {
    this.#byKey.delete(keyText(peer.publicKey));
    this.#byEntry[peer.entry] = undefined;
    this.#clear(peer);
    this.#leaving.push(peer.entry);
    this.groups.forget(peer.entry);
    this.#options.entries.end(peer.entry);
    peer.endpoint = null; // a look-up under way must not write into its entry
    peer.presharedKey?.fill(0);
  }

  /** Back to a peer of which nothing is configured; it keeps its sessions. */
  reset(peer: Peer): void {
    this.#clear(peer);
    peer.presharedKey?.fill(0);
    peer.presharedKey = null;
    peer.persistentKeepaliveS = 0;
    peer.endpoint = null;
    peer.name = null;
  }

  /**
   * Makes a change that was checked: while `act` runs, there may be more prefixes than at its end.
   * Nothing is shown to I/O threads meanwhile.
   */
  change(act: () => void): void {
    this.#allowed.begin();
    act();
    assert(this.#allowed.keep(), "a change that was checked does not fit");
  }

  /** Prefixes of one entry of a change. */
  setAllowedIps(peer: Peer, change: PeerChange): void {
    if (change.replaceAllowedIps && this.#allowed.countOf(peer) > 0) this.#changed = true;
    this.#give(peer, change);
    if (change.allowedIps?.length || change.removedAllowedIps?.length) this.#changed = true;
  }

  /** False: there is no room for all that it is given. */
  #give(owner: Owner, change: PeerChange): boolean {
    let given = true;
    if (change.replaceAllowedIps) this.#allowed.clear(owner);
    for (const cidr of change.allowedIps ?? []) given = this.#allowed.give(owner, cidr) && given;
    for (const cidr of change.removedAllowedIps ?? []) this.#allowed.take(owner, cidr);
    return given;
  }

  /** The group of that name, made where there is none; null: there is no room for one more. */
  group(name: string): Group | null {
    const known = this.#groupsByName.get(name);
    if (known !== undefined) return known;
    const entry = this.groups.take();
    if (entry < 0) return null;
    const group = { entry, name };
    this.#groupsByName.set(name, group);
    return group;
  }

  /** Gives a prefix to a group, or takes it. False: no room for one more, or not the group's. */
  route(group: Group, cidr: Cidr, leads = true): boolean {
    const done = leads ? this.#allowed.give(group, cidr) : this.#allowed.take(group, cidr);
    this.#changed ||= done;
    return done;
  }

  /** The group is gone, and its prefixes lead nowhere. */
  removeGroup(group: Group): void {
    this.#groupsByName.delete(group.name);
    this.#clear(group);
    this.groups.empty(group.entry);
    this.#leaving.push(group.entry);
  }

  /**
   * Prefixes that lead to nobody, where nobody has them: I/O threads tell of packets to them. They
   * are no routes of the kernel's. False: it was so before.
   */
  expect(prefixes: readonly Cidr[]): boolean {
    const nobody = this.group(NOBODY);
    if (nobody === null) return false;
    const free = prefixes.filter((one) => {
      const owner = this.#allowed.ownerOf(one);
      return owner === null || owner === nobody;
    });
    const same =
      this.#allowed.countOf(nobody) === free.length &&
      free.every((one) => this.#allowed.ownerOf(one) === nobody);
    if (same) return false;
    this.#clear(nobody);
    for (const one of free) this.route(nobody, one);
    return true;
  }

  /** All prefixes that lead to somebody. */
  *prefixes(): Generator<Cidr, void, undefined> {
    const nobody = this.#groupsByName.get(NOBODY);
    for (const { cidr, owner } of this.#allowed.entries()) if (owner !== nobody) yield cidr;
  }

  #clear(owner: Owner): void {
    if (this.#allowed.countOf(owner) > 0) this.#changed = true;
    this.#allowed.clear(owner);
  }

  /** I/O threads have all routes. */
  get published(): boolean {
    return !this.#changed;
  }

  /** When they last got others, on the boot clock. */
  get publishedMs(): number {
    return this.#publishedMs;
  }

  /**
   * Shows I/O threads what has changed, and frees what none of them can hold any more.
   * `atOnce`: else routes are gathered for a while. False: some of it has to wait; call again soon.
   */
  settle(nowMs: number, atOnce: boolean): boolean {
    const { arena } = this.#options;
    this.#atOnce ||= atOnce && this.#changed;
    const gatherMs = Math.min(GATHER_MS, GATHER_EACH_MS * this.#allowed.count);
    if (this.#changed && (this.#atOnce || nowMs >= this.#publishedMs + gatherMs)) {
      if (this.#publisher.publish(this.#allowed.entries())) {
        this.#changed = false;
        this.#atOnce = false;
        this.#publishedMs = nowMs;
      }
    }
    if (!this.#changed && this.#leaving.length > 0) {
      const at = mark(arena);
      for (const entry of this.#leaving.splice(0)) this.#dying.push({ entry, at });
    }
    this.#dying = this.#dying.filter(({ entry, at }) => {
      if (!passed(arena, at)) return true;
      if (entry < arena.layout.count.peers) this.#free.push(entry);
      else this.groups.give(entry);
      return false;
    });
    return !this.#changed && this.#dying.length === 0;
  }
}
