/**
 * changes — a running engine becomes what it is asked to be: keys, port, peers, prefixes.
 *
 *     check, make room, port, MTU     may fail: then nothing has changed
 *     mark, key, peers, prefixes      cannot
 *
 * Changes are made one after the other, each whole or not at all. Thread: control.
 */
import { shortKey } from "../log.ts";
import type { Change, PeerChange } from "../schema/change.ts";
import { changeWords } from "../schema/change-words.ts";
import { EngineError } from "../schema/errors.ts";
import { sameKey } from "../schema/identity.ts";
import { CookieChecker } from "./cookie.ts";
import type { Endpoints } from "./endpoints.ts";
import type { Exchange } from "./exchange.ts";
import { Limiter } from "./limiter.ts";
import { Load } from "./load.ts";
import { staticKeys } from "./noise.ts";
import type { Peer } from "./peer.ts";
import type { Roster } from "./roster.ts";
import type { Self } from "./self.ts";
import type { World } from "./world.ts";

/** A change waits for entries of removed peers: milliseconds; in all this often and long. */
const ROOM_TRIES = 100;
const ROOM_MS = 20;
/** Tuning: settings and peers of one change that a line tells; the rest by number. */
const SHOWN_WORDS = 8;
/** Tuning: an initiation within 20 ms of the one before is taken for the same flood. */
const AGAIN_MS = 50;

/** What the rest of control does for a change. */
export interface Hands {
  /** Looks at the peer's timers now. */
  readonly step: (peer: Peer) => void;
  /** Ends all sessions and handshakes of the peer. */
  readonly forget: (peer: Peer) => void;
  /** Takes what I/O threads have told so far: a change is later than that. */
  readonly hear: () => void;
  /** Shows I/O threads what has changed. */
  readonly settle: () => void;
  readonly onLoad: () => void;
}

export interface ChangesOptions {
  readonly world: World;
  readonly roster: Roster;
  readonly exchange: Exchange;
  readonly endpoints: Endpoints;
  readonly hands: Hands;
  readonly listenPort: number;
  /** The port that was asked for, where it is another. */
  readonly wantedPort?: number;
  readonly fwmark: number;
  /** The tunnel's, now. Units: bytes. */
  readonly mtu: () => number;
  /** The key comes from an ed25519 identity: no other may be set (security.md 32). */
  readonly keyFixed: boolean;
}

export class Changes {
  readonly #options: ChangesOptions;
  #self: Self | null = null;
  #listenPort: number;
  /** The port that was asked for; 0: the kernel chose. */
  #wantedPort: number;
  #fwmark: number;
  /** The port was not to be had when the interface was set up. */
  #deaf = false;
  #open = false;
  /** The port was taken or left in this turn, or that was tried. */
  #moved = false;
  /** There was a change. */
  #begun = false;
  #last: Promise<void> = Promise.resolve();

  constructor(options: ChangesOptions) {
    this.#options = options;
    this.#listenPort = options.listenPort;
    this.#wantedPort = options.wantedPort ?? options.listenPort;
    this.#fwmark = options.fwmark;
  }

  /** Our keys; null: there is no private key. */
  get self(): Self | null {
    return this.#self;
  }

  get listenPort(): number {
    return this.#listenPort;
  }

  /** The port that was asked for; 0: the kernel chose `listenPort`. */
  get wantedPort(): number {
    return this.#wantedPort;
  }

  get fwmark(): number {
    return this.#fwmark;
  }

  /** The interface is up, and the port is ours and stays the same: answers come to it. */
  get open(): boolean {
    return this.#open;
  }

  /** Errors: EngineError LIMIT, KEY_FIXED, PORT_TAKEN, SOCKET_FAILED, TUN_FAILED. */
  apply(change: Change): Promise<void> {
    return this.#inTurn(() => this.#apply(change));
  }

  /** Takes the port again (up), or leaves it (down). Errors: EngineError PORT_TAKEN. */
  listen(up: boolean): Promise<void> {
    return this.#inTurn(async () => {
      this.#deaf = up;
      const port = await this.#take(up ? this.#listenPort : null, up);
      this.#deaf = false;
      if (up) this.#listenPort = port;
    });
  }

  /** Takes all peers and keys away. */
  end(): void {
    for (const peer of [...this.#options.roster.peers()]) this.#remove(peer);
    this.#wipeSelf();
  }

  #inTurn(work: () => Promise<void>): Promise<void> {
    const done = this.#last.then(work).finally(() => this.#followPort());
    this.#last = done.catch(() => {});
    return done;
  }

  /** Handshakes begin that are wanted since the port is there, or were lost with the former one. */
  #followPort(): void {
    if (!this.#moved) return;
    this.#moved = false;
    const { roster, hands, world } = this.#options;
    for (const peer of roster.peers()) {
      peer.timers.again(world.bootMs() + AGAIN_MS);
      hands.step(peer);
    }
    hands.settle();
  }

  async #apply(change: Change): Promise<void> {
    const { world, roster, keyFixed } = this.#options;
    const { privateKey, listenPort, fwmark, mtu } = change;
    if (privateKey !== undefined && keyFixed && this.#self !== null) {
      if (!sameKey(privateKey, this.#self.keys.privateKey)) throw new EngineError("KEY_FIXED");
    }
    roster.check(change);
    const words = this.#words(change);
    await this.#makeRoom(change);
    const before = this.#listenPort;
    const wanted = this.#wantedPort;
    if (listenPort !== undefined) await this.#move(listenPort);
    try {
      if (mtu !== undefined) world.setMtu(mtu);
    } catch (error) {
      // The port that was ours a moment ago; should it be gone already, the new one stays.
      await this.#move(before).then(
        () => {
          this.#wantedPort = wanted;
        },
        () => {},
      );
      throw error;
    }
    // From here on nothing fails.
    if (fwmark !== undefined && fwmark !== this.#fwmark) {
      this.#fwmark = fwmark;
      world.setMark(fwmark);
    }
    if (privateKey !== undefined) this.#become(privateKey);
    this.#changePeers(change);
    this.#tell(words);
  }

  /** The change with which an engine begins is no news. */
  #words(change: Change): string[] {
    const first = !this.#begun;
    this.#begun = true;
    if (first) return [];
    const { roster, mtu } = this.#options;
    return changeWords(change, {
      privateKey: this.#self?.keys.privateKey ?? null,
      listenPort: this.#listenPort,
      fwmark: this.#fwmark,
      mtu: mtu(),
      peers: roster.size,
      called: shortKey,
      peer: (publicKey) => {
        const peer = roster.find(publicKey);
        return peer && { ...peer, allowedIps: roster.allowed.of(peer) };
      },
    });
  }

  #tell(words: readonly string[]): void {
    if (words.length === 0) return;
    const more = words.length - SHOWN_WORDS;
    const what = words.slice(0, SHOWN_WORDS).join("; ");
    this.#options.world.say("info", "changed", {
      what: more > 0 ? `${what}; and ${more} more` : what,
    });
  }

  /** 0: any port. Errors: EngineError PORT_TAKEN, SOCKET_FAILED; the old port stays then. */
  async #move(listenPort: number): Promise<void> {
    if (listenPort === 0 || listenPort !== this.#listenPort || this.#deaf) {
      this.#listenPort = await this.#take(listenPort, this.#open || this.#deaf);
      this.#deaf = false;
    }
    this.#wantedPort = listenPort;
  }

  /** Returns the port. Errors: EngineError PORT_TAKEN, SOCKET_FAILED; all is as it was then. */
  async #take(port: number | null, opens: boolean): Promise<number> {
    const before = this.#open;
    this.#open = false;
    this.#moved = true;
    try {
      const taken = await this.#options.world.listen(port);
      this.#open = opens;
      return taken;
    } catch (error) {
      this.#open = before;
      throw error;
    }
  }

  /** Errors: EngineError LIMIT, when I/O threads hold the entries of removed peers for too long. */
  async #makeRoom(change: Change): Promise<void> {
    const { roster, hands, world } = this.#options;
    const wanted = roster.entriesFor(change);
    for (let tries = 0; !roster.hasRoom(wanted); tries++) {
      if (tries === ROOM_TRIES) {
        throw new EngineError("LIMIT", { what: "peers", count: roster.limit });
      }
      hands.settle();
      if (tries > 0) await world.pause(ROOM_MS);
    }
  }

  /** A new key ends all sessions. Null: no key. */
  #become(privateKey: Uint8Array | null): void {
    const { world, roster, exchange, hands } = this.#options;
    if (sameKey(privateKey, this.#self?.keys.privateKey ?? null)) return;
    for (const peer of roster.peers()) {
      hands.forget(peer);
      peer.staticStatic?.fill(0);
      peer.staticStatic = null;
    }
    this.#wipeSelf();
    if (privateKey === null) return;
    const keys = staticKeys(Uint8Array.from(privateKey));
    const { mac, randomBytes, sourceHash, isUnknownNeighbour } = world;
    const cookies = new CookieChecker({ publicKey: keys.publicKey, mac, random: randomBytes });
    const limiter = new Limiter(sourceHash);
    const { onLoad } = hands;
    const load = new Load({ checker: cookies, limiter, isUnknownNeighbour, onLoad });
    this.#self = { keys, load, cookies, clock: world.openClock(keys.publicKey) };
    exchange.become(this.#self);
    const twin = roster.find(keys.publicKey);
    if (twin !== undefined) this.#remove(twin);
    for (const peer of roster.peers()) hands.step(peer);
  }

  #wipeSelf(): void {
    this.#options.exchange.become(null);
    this.#self?.keys.privateKey.fill(0);
    this.#self?.cookies.wipe();
    this.#self?.clock.close();
    this.#self = null;
  }

  #changePeers(change: Change): void {
    const { world, roster, endpoints, hands } = this.#options;
    const { peers = [], replacePeers } = change;
    const kept: Peer[] = [];
    hands.hear();
    roster.change(() => {
      if (replacePeers) {
        const named = new Set(peers.map((one) => roster.find(one.publicKey)));
        for (const peer of [...roster.peers()]) {
          if (named.has(peer)) {
            roster.reset(peer);
            kept.push(peer);
          } else this.#remove(peer);
        }
      }
      for (const one of peers) this.#changePeer(one);
    });
    for (const peer of kept) if (peer.endpoint === null) endpoints.set(peer, null);
    hands.settle();
    world.onRoutes();
  }

  #changePeer(change: PeerChange): void {
    const { roster, endpoints, hands } = this.#options;
    let peer = roster.find(change.publicKey);
    if (change.remove) {
      if (peer !== undefined) this.#remove(peer);
      return;
    }
    // As in WireGuard: nobody is a peer of itself.
    if (sameKey(change.publicKey, this.#self?.keys.publicKey ?? null)) return;
    if (peer === undefined) {
      if (change.updateOnly) return;
      peer = roster.add(Uint8Array.from(change.publicKey));
    }
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

  #remove(peer: Peer): void {
    const { roster, exchange, hands } = this.#options;
    hands.forget(peer);
    exchange.removePeer(peer);
    roster.remove(peer);
  }
}
