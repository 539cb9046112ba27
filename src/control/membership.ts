/**
 * membership — the network's room in control: what it needs of the other rooms, and what they ask
 * of it. A host that is a member of no network has none.
 *
 *     network ── admit, amend, dismiss, call, frames, datagrams ──▶ rooms
 *     sessions begin and end, frames, datagrams, strangers' keys ──▶ network
 *
 * Thread: control.
 */
import { COUNT, DROP, PEERS_MAX } from "../memory/layout.ts";
import type { PeerChange } from "../schema/change.ts";
import { sockaddrFamily } from "../wire/sockaddr.ts";
import type { Network } from "./network/network.ts";
import type { NetworkWorld } from "./network/world.ts";
import type { Peer } from "./peers/peer.ts";
import { PerPeer } from "./peers/per-peer.ts";
import type { Rooms } from "./rooms.ts";
import type { World } from "./world.ts";

/** First bytes of the network's datagrams. */
export const NETWORK_TYPES = [9, 10, 14] as const;

/** Tuning: a packet that went to nobody waits no longer for who has its address. */
const SOUGHT_MS = 4_000;
/** Tuning: news of a packet to nobody is no older than this. */
const LATE_MS = 100;

/** What of the host the network needs, besides control's own world. */
export type MembershipWorld = Pick<
  NetworkWorld,
  "addresses" | "bootstrap" | "indexes" | "askIndexNames" | "openDirectory" | "port" | "store"
>;

export interface MembershipOptions {
  readonly rooms: Rooms;
  readonly world: World;
  readonly of: MembershipWorld;
  readonly admit: (change: PeerChange) => Peer | null;
  readonly amend: (peer: Peer, change: PeerChange) => boolean;
  readonly dismiss: (peer: Peer) => boolean;
  /** The interface is up, and the port is ours. */
  readonly isOpen: () => boolean;
  /** Nobody is admitted now: a change waits. */
  readonly isBusy: () => boolean;
  readonly ringBy: (dueMs: number) => void;
  /** What I/O threads have staged is looked up again. */
  readonly release: () => void;
  readonly open: (world: NetworkWorld) => Network;
}

export class Membership {
  readonly #options: MembershipOptions;
  readonly #network: Network;
  /** Is there a session with the peer, as the network was told? */
  readonly #talking = new PerPeer<{ is: boolean }>(() => ({ is: false }));
  /** Peers that are members. */
  readonly #members = new Set<Peer>();
  /** Peers of which something may be to be told. */
  readonly #looked = new Set<Peer>();
  /** Handshake keys of those that could not be admitted, since a change waited. */
  readonly #missed = new Set<Uint8Array>();
  /** What the network refused and did, by name. */
  readonly counts = new Map<string, number>();
  #wakeAtMs = Number.POSITIVE_INFINITY;
  /** When a packet went to nobody, last; and prefixes lead to somebody since, or soon. */
  #unknownMs = Number.NEGATIVE_INFINITY;
  #releases = false;

  constructor(options: MembershipOptions) {
    this.#options = options;
    this.#network = options.open(this.#world());
    this.#expect();
  }

  /** Packets to addresses of the network that nobody has wait, and it is told of them. */
  #expect(): void {
    const changed = this.#options.rooms.roster.expect(this.#network.ranges);
    if (changed) this.#options.ringBy(this.#options.world.bootMs());
  }

  /** A packet goes to nobody. Units: 4 or 16 bytes. */
  unknown(address: Uint8Array): void {
    const { rooms, world, ringBy } = this.#options;
    const nowMs = world.bootMs();
    this.#unknownMs = nowMs;
    this.#network.seek(address);
    // The I/O thread may have had the routes of before: no other change would let the packet go.
    const isLate = !rooms.roster.published || nowMs - rooms.roster.publishedMs <= LATE_MS;
    if (!isLate) return;
    this.#releases = true;
    ringBy(nowMs);
  }

  /** I/O threads have all routes: what waited for somebody may be on its way. */
  published(): void {
    if (!this.#releases) return;
    this.#releases = false;
    this.#options.release();
  }

  /** Somebody has prefixes that a packet may wait for. */
  #mayRelease(): void {
    this.#releases ||= this.#options.world.bootMs() - this.#unknownMs < SOUGHT_MS;
  }

  get network(): Network {
    return this.#network;
  }

  /** Control has it still: an entry that was given up may be another's by now. */
  #has(peer: Peer): boolean {
    return this.#options.rooms.roster.at(peer.entry) === peer;
  }

  #world(): NetworkWorld {
    const { rooms, world, of } = this.#options;
    const { endpoints, entries, exchange, frames } = rooms;
    return {
      bootMs: world.bootMs,
      unixMs: world.unixMs,
      random: world.random,
      randomBytes: world.randomBytes,
      mac: world.mac,
      wakeAt: (dueMs) => {
        this.#wakeAtMs = dueMs;
        this.#options.ringBy(dueMs);
      },
      sendDatagram: (datagram, to, local) =>
        this.#options.isOpen() && world.send(datagram, to, local),
      isUnknownNeighbour: world.isUnknownNeighbour,
      sendFrame: (handle, type, body) =>
        this.#has(handle as Peer) && frames.say(handle as Peer, type, body),
      admit: (change) => this.#admit(change),
      amend: (handle, change) => this.#amend(handle as Peer, change),
      dismiss: (handle) => this.#dismiss(handle as Peer),
      isStatic: (handle) => (handle as Peer).origin !== "network",
      call: (handle, to) => {
        if (!this.#options.isOpen() || !this.#has(handle as Peer)) return;
        endpoints.call(handle as Peer, to);
        exchange.initiate(handle as Peer, world.bootMs());
      },
      callAgain: (handle, to) => {
        if (this.#options.isOpen()) exchange.callAgain(handle as Peer, to);
      },
      hasSession: (handle) => this.#hasSession(handle as Peer),
      endpoint: (handle) => {
        if (!this.#has(handle as Peer)) return null;
        const { entry } = handle as Peer;
        const known = entries.current(entry) >= 0 ? entries.endpoint(entry) : null;
        return known === null || sockaddrFamily(known) === 0 ? null : known;
      },
      lastUsedMs: (handle) => {
        const times = entries.times((handle as Peer).entry);
        return Math.max(times.lastDataSentMs, times.lastDataReceivedMs);
      },
      ...of,
      count: (what, amount) => this.#count(what, amount),
      say: world.say,
    };
  }

  /** Where the arena has a place for it, there; the rest is told by `status` alone. */
  #count(what: string, amount: number): void {
    const { counters } = this.#options.rooms;
    const row = (DROP as Readonly<Record<string, number>>)[what];
    const count = row ?? (COUNT as Readonly<Record<string, number>>)[what];
    if (count !== undefined) counters.add(count, amount);
    this.counts.set(what, (this.counts.get(what) ?? 0) + amount);
  }

  /** One that a file or a person has named is a member as it is. */
  #admit(change: PeerChange): Peer | null {
    const { roster, entries } = this.#options.rooms;
    const known = roster.find(change.publicKey);
    const isNamed = known !== undefined && known.origin !== "network";
    const peer = isNamed ? known : this.#options.admit(change);
    if (peer === null) {
      const waits = this.#options.isBusy() && this.#missed.size < PEERS_MAX;
      if (waits) this.#missed.add(change.publicKey);
      return null;
    }
    entries.setFrameBudget(peer.entry, "member");
    this.#mayRelease();
    this.#members.add(peer);
    this.#looked.add(peer);
    return peer;
  }

  #amend(peer: Peer, change: PeerChange): boolean {
    this.#mayRelease();
    if (peer.origin === "network") return this.#options.amend(peer, change);
    return this.#options.rooms.roster.at(peer.entry) === peer;
  }

  #dismiss(peer: Peer): void {
    const { roster, entries } = this.#options.rooms;
    this.#members.delete(peer);
    this.#talking.of(peer).is = false;
    if (peer.origin === "network") this.#options.dismiss(peer);
    else if (roster.at(peer.entry) === peer) entries.setFrameBudget(peer.entry, "static");
  }

  #hasSession(peer: Peer): boolean {
    const { entries, frames } = this.#options.rooms;
    return this.#has(peer) && entries.current(peer.entry) >= 0 && frames.knows(peer);
  }

  /** Something happened with the peer: a session may have begun, or ended. */
  looked(peer: Peer): void {
    if (this.#members.has(peer)) this.#looked.add(peer);
  }

  /**
   * A file or a person has changed peers, or tried to: those of them that are gone are members all
   * the same, and who came meanwhile is one now.
   */
  changed(): void {
    const { roster } = this.#options.rooms;
    for (const peer of this.#members) {
      if (roster.at(peer.entry) === peer) continue;
      this.#members.delete(peer);
      this.#network.gone(peer);
    }
    for (const key of this.#missed) {
      this.#missed.delete(key);
      this.#network.findPeer(key);
    }
    this.#network.roomMade();
    this.#expect();
  }

  /** Tells the network of sessions that began or ended, when nothing else is half done. */
  tell(): void {
    for (const peer of this.#looked) {
      this.#looked.delete(peer);
      if (!this.#members.has(peer)) continue;
      const talking = this.#talking.of(peer);
      const has = this.#hasSession(peer);
      const { roster, entries } = this.#options.rooms;
      // A frame may have come when the session was about to end, before its hello.
      const isOver = !has && entries.current(peer.entry) < 0;
      if ((talking.is === has && !isOver) || roster.at(peer.entry) !== peer) continue;
      talking.is = has;
      if (has) this.#network.sessionUp(peer);
      else this.#network.sessionDown(peer);
    }
  }

  tick(nowMs: number): void {
    if (nowMs < this.#wakeAtMs) {
      this.#options.ringBy(this.#wakeAtMs);
      return;
    }
    this.#wakeAtMs = Number.POSITIVE_INFINITY;
    this.#network.tick();
    // The network's ranges may be others by now.
    this.#expect();
  }

  stop(): void {
    this.#network.stop();
  }
}
