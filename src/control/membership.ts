/**
 * membership — the network's room in control: what it needs of the other rooms, and what they ask
 * of it. A host that is a member of no network has none.
 *
 *     network ── admit, amend, dismiss, call, frames, datagrams ──▶ rooms
 *     sessions begin and end, frames, datagrams, strangers' keys ──▶ network
 *
 * Thread: control.
 */
import type { PeerChange } from "../schema/change.ts";
import { sockaddrFamily } from "../wire/sockaddr.ts";
import type { NetworkWorld, NotAdmitted, OwnAddress, Store } from "./network/world.ts";
import type { Peer } from "./peers/peer.ts";
import { PerPeer } from "./peers/per-peer.ts";
import type { Rooms } from "./rooms.ts";
import type { World } from "./world.ts";

/** First bytes of the network's datagrams. */
export const NETWORK_TYPES = [9, 10] as const;

/** The network, as the rest of control knows it. Handles are peers. */
export interface NetworkRoom {
  /** When to call tick(), at the latest. */
  readonly dueMs: number;
  tick(nowMs: number): void;
  /** The member with this handshake key, admitted now; undefined: there is none. */
  findPeer(handshakeKey: Uint8Array): object | undefined;
  /** Where message 1 to a peer goes; null: nowhere. */
  calling(handle: object, to: Uint8Array | null): Uint8Array | null;
  sessionUp(handle: object): void;
  sessionDown(handle: object): void;
  /** Borrows: `body`. */
  frame(handle: object, type: number, body: Uint8Array): void;
  /** Borrows: all three. */
  datagram(bytes: Uint8Array, from: Uint8Array, local: Uint8Array, nowMs: number): void;
  /** Our addresses may have changed. */
  readdress(): void;
  stop(): void;
}

/** What of the host the network needs, besides control's own world. */
export interface MembershipWorld {
  readonly addresses: () => readonly OwnAddress[];
  readonly store: Store;
}

export interface MembershipOptions {
  readonly rooms: Rooms;
  readonly world: World;
  readonly of: MembershipWorld;
  readonly admit: (change: PeerChange) => Peer | null;
  readonly amend: (peer: Peer, change: PeerChange) => boolean;
  readonly dismiss: (peer: Peer) => boolean;
  /** The interface is up, and the port is ours. */
  readonly isOpen: () => boolean;
  readonly ringBy: (dueMs: number) => void;
  readonly open: (world: NetworkWorld) => NetworkRoom;
}

export class Membership {
  readonly #options: MembershipOptions;
  readonly #network: NetworkRoom;
  /** Is there a session with the peer, as the network was told? */
  readonly #talking = new PerPeer<{ is: boolean }>(() => ({ is: false }));
  /** Peers of which something may be to be told. */
  readonly #looked = new Set<Peer>();
  #wakeAtMs = Number.POSITIVE_INFINITY;

  constructor(options: MembershipOptions) {
    this.#options = options;
    this.#network = options.open(this.#world());
  }

  get network(): NetworkRoom {
    return this.#network;
  }

  #world(): NetworkWorld {
    const { rooms, world, of } = this.#options;
    const { endpoints, entries, exchange, frames } = rooms;
    return {
      bootMs: world.bootMs,
      unixMs: world.unixMs,
      random: world.random,
      randomBytes: world.randomBytes,
      wakeAt: (dueMs) => {
        this.#wakeAtMs = dueMs;
        this.#options.ringBy(dueMs);
      },
      sendDatagram: (datagram, to, local) =>
        this.#options.isOpen() && world.send(datagram, to, local),
      sendFrame: (handle, type, body) => frames.say(handle as Peer, type, body),
      admit: (change) => this.#admit(change),
      amend: (handle, change) => this.#options.amend(handle as Peer, change),
      dismiss: (handle) => void this.#options.dismiss(handle as Peer),
      call: (handle, to) => {
        if (!this.#options.isOpen()) return;
        endpoints.call(handle as Peer, to);
        exchange.initiate(handle as Peer, world.bootMs());
      },
      hasSession: (handle) => this.#hasSession(handle as Peer),
      endpoint: (handle) => {
        const { entry } = handle as Peer;
        const known = entries.current(entry) >= 0 ? entries.endpoint(entry) : null;
        return known === null || sockaddrFamily(known) === 0 ? null : known;
      },
      lastUsedMs: (handle) => {
        const times = entries.times((handle as Peer).entry);
        return Math.max(times.lastDataSentMs, times.lastDataReceivedMs);
      },
      addresses: of.addresses,
      store: of.store,
      // Counts of the network's own have no place in the arena.
      count: () => {},
      say: world.say,
    };
  }

  #admit(change: PeerChange): Peer | NotAdmitted {
    const { roster, entries } = this.#options.rooms;
    const known = roster.find(change.publicKey);
    if (known !== undefined && known.origin !== "network") return "static";
    const peer = this.#options.admit(change);
    if (peer === null) return "full";
    entries.setFrameBudget(peer.entry, "member");
    return peer;
  }

  #hasSession(peer: Peer): boolean {
    const { entries, frames } = this.#options.rooms;
    return entries.current(peer.entry) >= 0 && frames.knows(peer);
  }

  /** Something happened with the peer: a session may have begun, or ended. */
  looked(peer: Peer): void {
    if (peer.origin === "network") this.#looked.add(peer);
  }

  /** Tells the network of sessions that began or ended, when nothing else is half done. */
  tell(): void {
    for (const peer of this.#looked) {
      this.#looked.delete(peer);
      const talking = this.#talking.of(peer);
      const has = this.#hasSession(peer);
      if (talking.is === has || this.#options.rooms.roster.at(peer.entry) !== peer) continue;
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
    this.#network.tick(nowMs);
  }

  stop(): void {
    this.#network.stop();
  }
}
