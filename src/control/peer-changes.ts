/**
 * peer-changes — peers come, change and go: the only place that writes the roster.
 *
 *     file, person ──▶ make()    whole, after it was checked; the network's peers stay as they are
 *     network ──────▶ admit(), amend(), dismiss()    at once, or not at all
 *
 * What a file or a person says is never changed by the network: a key or prefix that they name is
 * theirs, until they name it no more. Routes that the network changes are gathered; what it takes
 * away is gone at once. Thread: control.
 */
import type { Change, PeerChange } from "../schema/change.ts";
import { EngineError } from "../schema/errors.ts";
import { sameKey } from "../schema/identity.ts";
import { type Cidr, formatCidr } from "../wire/cidr.ts";
import type { Exchange } from "./handshake/exchange.ts";
import type { Origin, Peer } from "./peers/peer.ts";
import { peerCalled } from "./peers/peer.ts";
import type { Roster } from "./peers/roster.ts";
import type { Endpoints } from "./reach/endpoints.ts";
import type { World } from "./world.ts";

/**
 * Who says a change: the file, a person by a command, or `wg`, which takes away whoever its own
 * list does not name and cannot know of the network's peers.
 */
export type Sayer = "file" | "command" | "wg";

/** What is said of the network's peers once each: as many, and then no more. */
const SAID_MAX = 1_024;

/** What the rest of control does for a change. */
export interface Hands {
  /** Looks at the peer's timers now. */
  readonly step: (peer: Peer) => void;
  /** What was sent to the peer is lost: an attempt sends again then, at the latest. */
  readonly again: (peer: Peer, dueMs: number) => void;
  /** Ends all sessions and handshakes of the peer. */
  readonly forget: (peer: Peer) => void;
  /** Takes what I/O threads have told so far: a change is later than that. */
  readonly hear: () => void;
  /** Shows I/O threads what has changed: at once, or what may be gathered, when it is time. */
  readonly settle: (atOnce: boolean) => void;
  readonly onLoad: () => void;
}

export interface PeerChangesOptions {
  readonly world: Pick<World, "bootMs" | "say" | "onRoutes">;
  readonly roster: Roster;
  readonly exchange: Exchange;
  readonly endpoints: Endpoints;
  readonly hands: Hands;
  /** Our public key; null: none. */
  readonly self: () => Uint8Array | null;
}

/**
 * Does `wg` say all that there is? `setconf` and `syncconf` write key, port and mark, too; `set`
 * names what it means. Source: wireguard-tools, setconf.c and ipc-uapi.h.
 */
const isWhole = ({ replacePeers, privateKey, listenPort, fwmark }: Change): boolean =>
  replacePeers === true ||
  (privateKey !== undefined && listenPort !== undefined && fwmark !== undefined);

/** May a person change this of a peer of the network? Its keepalive, and nothing else. */
const isOurs = (change: PeerChange): boolean =>
  Object.entries(change).every(
    ([key, value]) =>
      value === undefined || ["publicKey", "updateOnly", "persistentKeepaliveS"].includes(key),
  );

/** Tuning: looking at all routes of the kernel is followed by so many times the time it took. */
const KERNEL_PAUSES = 10;

export class PeerChanges {
  readonly #options: PeerChangesOptions;
  readonly #said = new Set<string>();
  /**
   * Members without a prefix of theirs, which a static peer has or which comes later; all of it.
   */
  readonly #short = new Map<Peer, PeerChange>();
  /** Until then the kernel's routes are not looked at again for the network. */
  #kernelDueMs = Number.NEGATIVE_INFINITY;
  /** The network has changed routes that the kernel does not know of. */
  #routesStale = false;

  constructor(options: PeerChangesOptions) {
    this.#options = options;
  }

  /**
   * A change as it concerns us: who says all that there is does not mean peers of the network.
   * Errors: EngineError NETWORK_PEER: who says it may not change this of one, and is told so.
   */
  allowed(change: Change, by: Sayer): Change {
    const { roster } = this.#options;
    const ofNetwork = ({ publicKey }: PeerChange): boolean =>
      roster.find(publicKey)?.origin === "network";
    if (change.peers === undefined || by === "file") return change;
    if (by === "wg" && isWhole(change)) {
      return { ...change, peers: change.peers.filter((one) => !ofNetwork(one)) };
    }
    const refused = change.peers.find((one) => ofNetwork(one) && !isOurs(one));
    if (refused === undefined) return change;
    throw new EngineError("NETWORK_PEER", { peer: peerCalled(roster.find(refused.publicKey)!) });
  }

  /** Makes a change that was checked. */
  make({ peers = [], replacePeers }: Change, by: Sayer): void {
    const origin = by === "file" ? "file" : "live";
    const { world, roster, endpoints, hands } = this.#options;
    const kept: Peer[] = [];
    hands.hear();
    this.#noteTaken(peers);
    roster.change(() => {
      if (replacePeers) {
        const named = new Set(peers.map((one) => roster.find(one.publicKey)));
        for (const peer of [...roster.peers()]) {
          if (peer.origin === "network") continue;
          if (named.has(peer)) {
            roster.reset(peer);
            kept.push(peer);
          } else this.remove(peer);
        }
      }
      for (const one of peers) this.#make(one, origin);
    });
    for (const peer of kept) if (peer.endpoint === null) endpoints.set(peer, null);
    this.catchUp();
    hands.settle(true);
    world.onRoutes();
  }

  #make(change: PeerChange, origin: Origin): void {
    const { roster } = this.#options;
    const known = roster.find(change.publicKey);
    if (change.remove) {
      if (known !== undefined && known.origin !== "network") this.remove(known);
      return;
    }
    // As in WireGuard: nobody is a peer of itself.
    if (this.#isSelf(change.publicKey)) return;
    if (known === undefined && change.updateOnly) return;
    const peer = known ?? roster.add(Uint8Array.from(change.publicKey), origin);
    if (origin === "file") peer.origin = origin;
    this.#set(peer, change);
  }

  #set(peer: Peer, change: PeerChange): void {
    const { roster, endpoints, hands } = this.#options;
    const { presharedKey, endpoint, persistentKeepaliveS, name } = change;
    if (presharedKey !== undefined) {
      peer.presharedKey?.fill(0);
      peer.presharedKey = presharedKey === null ? null : Uint8Array.from(presharedKey);
    }
    if (persistentKeepaliveS !== undefined) peer.persistentKeepaliveS = persistentKeepaliveS;
    if (name !== undefined) peer.name = name;
    if (endpoint !== undefined) endpoints.set(peer, endpoint);
    roster.setAllowedIps(peer, change);
    hands.step(peer);
  }

  remove(peer: Peer): void {
    const { roster, exchange, hands } = this.#options;
    hands.forget(peer);
    exchange.removePeer(peer);
    roster.remove(peer);
  }

  #isSelf(publicKey: Uint8Array): boolean {
    return sameKey(publicKey, this.#options.self());
  }

  // -------------------------------------------------------------------------------------------
  // The network's

  /** A peer of the network; null: there is no room, or a file or a person has named its key. */
  admit(change: PeerChange): Peer | null {
    const { roster, hands } = this.#options;
    // First: what is heard may have somebody admitted, and be it this one.
    hands.hear();
    const known = roster.find(change.publicKey);
    if (known !== undefined) return this.amend(known, change) ? known : null;
    const ours = this.#withoutTaken(change);
    const fits = roster.size < roster.limit && roster.hasRoom(1) && roster.fits(ours);
    if (!fits || this.#isSelf(change.publicKey)) return null;
    let peer: Peer | null = null;
    roster.change(() => {
      peer = roster.add(Uint8Array.from(change.publicKey), "network");
      this.#setOurs(peer, change, ours);
    });
    this.#gather();
    return peer;
  }

  /** Changes a peer of the network. False: it is none, or there is no room. */
  amend(peer: Peer, change: PeerChange): boolean {
    const { roster, hands } = this.#options;
    hands.hear();
    const ours = this.#withoutTaken(change);
    if (!this.#isNetworks(peer) || !roster.fits(ours)) return false;
    roster.change(() => this.#setOurs(peer, change, ours));
    this.#gather();
    return true;
  }

  /** The same, with the next catchUp(). False: it is none. */
  amendLater(peer: Peer, change: PeerChange): boolean {
    if (!this.#isNetworks(peer)) return false;
    this.#short.set(peer, change);
    return true;
  }

  #isNetworks(peer: Peer): boolean {
    return peer.origin === "network" && this.#options.roster.find(peer.publicKey) === peer;
  }

  /** `ours`: what of the change nobody else has. */
  #setOurs(peer: Peer, change: PeerChange, ours: PeerChange): void {
    this.#set(peer, ours);
    if (ours.allowedIps?.length === change.allowedIps?.length) this.#short.delete(peer);
    else this.#short.set(peer, change);
  }

  /** A peer of the network goes, and its routes with it, at once. False: it is none. */
  dismiss(peer: Peer): boolean {
    const { hands, world } = this.#options;
    if (!this.#isNetworks(peer)) return false;
    this.#short.delete(peer);
    this.remove(peer);
    this.#routesStale = false;
    hands.settle(true);
    world.onRoutes();
    return true;
  }

  /**
   * I/O threads have the routes: the kernel follows, in a tenth of the time, however many members
   * come one after the other. Returns when it is to be called again; infinity: nothing is left.
   */
  published(): number {
    const { world } = this.#options;
    const nowMs = world.bootMs();
    if (!this.#routesStale) return Number.POSITIVE_INFINITY;
    if (nowMs < this.#kernelDueMs) return this.#kernelDueMs;
    this.#routesStale = false;
    world.onRoutes();
    this.#kernelDueMs = nowMs + KERNEL_PAUSES * (world.bootMs() - nowMs);
    return Number.POSITIVE_INFINITY;
  }

  #gather(): void {
    this.#routesStale = true;
    this.#options.hands.settle(false);
  }

  /** A name that another peer has, and prefixes that a file or a person has given, stay theirs. */
  #withoutTaken(change: PeerChange): PeerChange {
    const { roster } = this.#options;
    const isFree = (cidr: Cidr): boolean => {
      const owner = roster.ownerOf(cidr);
      if (owner === undefined || owner.origin === "network") return true;
      this.#sayOnce(formatCidr(cidr), peerCalled(owner));
      return false;
    };
    const { allowedIps } = change;
    return allowedIps === undefined ? change : { ...change, allowedIps: allowedIps.filter(isFree) };
  }

  /** Prefixes of members that a file or a person is about to take: until they are given up. */
  #noteTaken(peers: readonly PeerChange[]): void {
    const { roster } = this.#options;
    for (const { allowedIps = [] } of peers) {
      for (const cidr of allowedIps) {
        const owner = roster.ownerOf(cidr);
        if (owner?.origin !== "network" || this.#short.has(owner)) continue;
        const all = [...roster.allowed.of(owner)];
        const { publicKey } = owner;
        this.#short.set(owner, { publicKey, replaceAllowedIps: true, allowedIps: all });
      }
    }
  }

  /** Members get what file and person have given up, and what had to wait. */
  catchUp(): void {
    for (const [peer, change] of [...this.#short]) {
      if (!this.#isNetworks(peer)) this.#short.delete(peer);
      else this.amend(peer, change);
    }
  }

  #sayOnce(prefix: string, peer: string): void {
    if (this.#said.has(prefix) || this.#said.size >= SAID_MAX) return;
    this.#said.add(prefix);
    const text = "a prefix of the network stays with the peer that is configured for it";
    this.#options.world.say("warn", text, { prefix, peer });
  }
}
